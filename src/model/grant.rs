//! Grants: what a person lets an MCP client do in their name.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    clock::Ms,
    model::{GrantId, PresetId, SourceId, TenantId, UserId},
};

/// What a grant reaches of its preset, as OAuth scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scopes {
    /// Lists and calls tools.
    pub tools: bool,
    /// Lists and reads resources.
    pub resources: bool,
    /// Lists and fills in prompts.
    pub prompts: bool,
}

impl Scopes {
    /// Everything a preset has.
    pub const ALL: Self = Self { tools: true, resources: true, prompts: true };
    /// Nothing.
    pub const NONE: Self = Self { tools: false, resources: false, prompts: false };
    /// The words of [`Scopes::ALL`], in order.
    pub const WORDS: [&str; 3] = ["mcp:tools", "mcp:resources", "mcp:prompts"];

    /// Reads words separated by spaces. Words that nobody knows are left out, as RFC 6749 (3.3) lets
    /// an issuer do.
    pub fn read(text: &str) -> Self {
        let has = |word| text.split(' ').any(|one| one == word);
        let [tools, resources, prompts] = Self::WORDS.map(has);
        Self { tools, resources, prompts }
    }

    /// Reads what somebody asks for: everything, if they say nothing that is known.
    pub fn asked(text: Option<&str>) -> Self {
        match Self::read(text.unwrap_or_default()) {
            Self::NONE => Self::ALL,
            some => some,
        }
    }

    /// Returns what is in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            tools: self.tools || other.tools,
            resources: self.resources || other.resources,
            prompts: self.prompts || other.prompts,
        }
    }

    /// Returns what is in both.
    #[must_use]
    pub fn common(self, other: Self) -> Self {
        Self {
            tools: self.tools && other.tools,
            resources: self.resources && other.resources,
            prompts: self.prompts && other.prompts,
        }
    }

    /// Says whether all of the other is in this.
    pub fn covers(self, other: Self) -> bool {
        self.union(other) == self
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tools, resources, prompts } = *self;
        let words = Self::WORDS.iter().zip([tools, resources, prompts]);
        let words: Vec<_> = words.filter(|(_, has)| *has).map(|(word, _)| *word).collect();
        formatter.write_str(&words.join(" "))
    }
}

/// A tool that a person let a client have, by what no renaming changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GrantedTool {
    /// The source.
    pub source: SourceId,
    /// The name the source knows it by.
    pub name: String,
}

/// The tools of a grant; `None` = all of the preset, also those added later.
pub type GrantedTools = Option<Arc<[GrantedTool]>>;

/// What a person lets a client do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Names it.
    pub id: GrantId,
    /// The organisation the person acts in.
    pub tenant: TenantId,
    /// Who let the client in, and whose quota it uses.
    pub user: UserId,
    /// The client, as it is called in requests.
    pub client: String,
    /// The preset it may use.
    pub preset: PresetId,
    /// The organisation that owns the preset.
    pub preset_tenant: TenantId,
    /// What it reaches of the preset.
    pub scopes: Scopes,
    /// The tools it has.
    pub tools: GrantedTools,
    /// When the person first agreed.
    pub created_at: Ms,
    /// When it was last used, to the minute; `None` = never.
    pub last_used_at: Option<Ms>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_as_they_are_written_and_strange_words_are_left_out() {
        let some = Scopes { tools: true, ..Scopes::NONE };

        assert_eq!(Scopes::read("offline_access mcp:tools openid"), some);
        assert_eq!(some.to_string(), "mcp:tools");
        assert_eq!(Scopes::read(&Scopes::ALL.to_string()), Scopes::ALL);
        assert_eq!(Scopes::asked(Some("openid mcp:tools")), some);
        assert_eq!([Scopes::asked(None), Scopes::asked(Some("openid"))], [Scopes::ALL; 2]);
        assert!(Scopes::ALL.covers(some) && !some.covers(Scopes::ALL));
    }
}

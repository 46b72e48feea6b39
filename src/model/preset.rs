//! Presets: virtual MCP servers made of chosen tools.

use serde::{Deserialize, Serialize};

use crate::{
    clock::Ms,
    model::{CallRules, PresetId, Slug, SourceId, TenantId, words},
};

/// Who may see a preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Its owner.
    Private,
    /// Its owner, and who is on its access list.
    InviteOnly,
    /// Everybody with an account, and everybody at all if `anonymous` is set.
    Public,
}
words!(Visibility { Private = "private", InviteOnly = "invite_only", Public = "public" });

/// Whether a preset answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PresetStatus {
    /// It answers.
    Active,
    /// It is switched off and may be switched on again.
    Disabled,
    /// It is put away: out of the lists, its slug still taken.
    Archived,
}
words!(PresetStatus { Active = "active", Disabled = "disabled", Archived = "archived" });

/// A virtual MCP server: its address, and who may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Names it.
    pub id: PresetId,
    /// The organisation that owns it.
    pub tenant: TenantId,
    /// The last part of its address.
    pub slug: Slug,
    /// What people call it.
    pub title: String,
    /// What it is for; sent to clients as instructions.
    pub description: String,
    /// Who may see it.
    pub visibility: Visibility,
    /// Whether a caller needs no key. Only on public presets.
    pub anonymous: bool,
    /// Whether it answers.
    pub status: PresetStatus,
    /// From when on it answers nobody; `None` = it does not end.
    pub expires_at: Option<Ms>,
    /// How fast calls may come, and which are made once.
    pub rules: CallRules,
    /// Counts the edits; an edit names the version it saw.
    pub version: i64,
    /// When it was made.
    pub created_at: Ms,
    /// When it was last edited.
    pub updated_at: Ms,
}

impl Preset {
    /// Says whether it has come to its end.
    pub fn has_expired(&self, now: Ms) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// Says whether it answers those who may use it.
    pub fn answers(&self, now: Ms) -> bool {
        self.status == PresetStatus::Active && !self.has_expired(now)
    }
}

/// What a preset takes from one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// The source.
    pub source: SourceId,
    /// Whether every accepted tool is taken unless switched off in `tools`; otherwise only those
    /// switched on there.
    pub all: bool,
    /// What is said of single tools.
    pub tools: Vec<PresetTool>,
    /// Which resources and resource templates are taken, by URI or template.
    pub resources: Take,
    /// Which prompts are taken, by name; only accepted ones are published.
    pub prompts: Take,
}

impl Selection {
    /// Takes every tool of a source, and nothing else.
    pub fn all_tools(source: SourceId) -> Self {
        Self { source, all: true, tools: Vec::new(), resources: Take::None, prompts: Take::None }
    }

    /// Returns what is said of a tool, by the name the source knows it by; `None` if nothing is.
    pub fn tool(&self, name: &str) -> Option<&PresetTool> {
        self.tools.iter().find(|tool| tool.name == name)
    }

    /// Says whether a tool is taken, if its owner has accepted it.
    pub fn takes(&self, name: &str) -> bool {
        self.tool(name).map_or(self.all, |tool| tool.enabled)
    }
}

/// What is taken of what a source offers beside its tools.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// Nothing.
    #[default]
    None,
    /// Everything, also what comes later.
    All,
    /// These.
    Only(Vec<String>),
}

impl Take {
    /// Says whether this one is taken.
    pub fn takes(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Only(names) => names.iter().any(|taken| taken == name),
        }
    }

    /// Returns those taken by name; none if nothing or everything is.
    pub fn names(&self) -> &[String] {
        match self {
            Self::None | Self::All => &[],
            Self::Only(names) => names,
        }
    }

    /// Returns the word it is stored as.
    pub fn word(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::All => "all",
            Self::Only(_) => "only",
        }
    }
}

/// What a preset says of one tool of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresetTool {
    /// The name the source knows it by.
    pub name: String,
    /// Whether it is taken.
    pub enabled: bool,
    /// The name callers see; `None` = the source's.
    pub exposed_name: Option<String>,
    /// The description callers see; `None` = the source's.
    pub exposed_description: Option<String>,
    /// Whether arguments are checked against the input schema before the source is asked.
    pub check_arguments: bool,
}

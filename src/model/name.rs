//! Names people type: checked once at the edge, the type is the proof.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// Says what is wrong with a name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NameError {
    /// Nothing was typed.
    #[error("{what} is empty")]
    Empty {
        /// The kind of name.
        what: &'static str,
    },
    /// More characters than allowed.
    #[error("{what} is longer than {max} characters")]
    TooLong {
        /// The kind of name.
        what: &'static str,
        /// The longest length allowed.
        max: usize,
    },
    /// A character outside the allowed set.
    #[error("{what} may hold {allowed}, not `{found}`")]
    Character {
        /// The kind of name.
        what: &'static str,
        /// What is allowed, in words.
        allowed: &'static str,
        /// The first character that is not, escaped.
        found: String,
    },
    /// Begins or ends with something other than a letter or digit.
    #[error("{what} begins and ends with a letter or digit")]
    Edge {
        /// The kind of name.
        what: &'static str,
    },
    /// A name that would look like one of our own addresses.
    #[error("`{name}` is reserved")]
    Reserved {
        /// The name refused.
        name: String,
    },
    /// An e-mail address without the shape of one.
    #[error("an e-mail address looks like name@example.org")]
    Email,
}

/// Handles that would be mistaken for the program's own addresses or people.
const RESERVED_HANDLES: &[&str] = &[
    "admin",
    "administrator",
    "anonymous",
    "api",
    "doorward",
    "health",
    "login",
    "mcp",
    "oauth",
    "root",
    "system",
];

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident: $parse:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, sqlx::Type)]
        #[sqlx(transparent)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Reads the name as typed by a person or found in a path.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> Result<String, NameError> = $parse;
                check(text).map(Self)
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

names! {
    /// The owner's part of a preset's address, as `ada` in `/mcp/ada/release-notes`: 1 to 39 of
    /// `a-z`, `0-9` and `-`, beginning and ending with a letter or digit, and not reserved. A
    /// person's handle is also the handle of their personal organisation.
    Handle: |text| {
        let name = lower_kebab("a handle", text, 39)?;
        if RESERVED_HANDLES.contains(&name.as_str()) {
            return Err(NameError::Reserved { name });
        }
        Ok(name)
    };
    /// The last part of a preset's address, as `release-notes` in `/mcp/ada/release-notes`: 1 to
    /// 63 of `a-z`, `0-9` and `-`, beginning and ending with a letter or digit.
    Slug: |text| lower_kebab("a slug", text, 63);
    /// What an owner calls a data source: 1 to 63 of `a-z`, `0-9` and `-`, unique per owner.
    SourceName: |text| lower_kebab("a source's name", text, 63);
    /// What an owner calls a tunnel: 1 to 63 of `a-z`, `0-9` and `-`, unique per owner.
    TunnelName: |text| lower_kebab("a tunnel's name", text, 63);
    /// The name of a plan.
    PlanName: |text| lower_kebab("a plan's name", text, 39);
    /// An e-mail address, kept in lower case: one `@`, no white space, a dot in the host.
    Email: email;
}

fn lower_kebab(what: &'static str, text: &str, max: usize) -> Result<String, NameError> {
    const ALLOWED: &str = "lower-case letters a to z, digits and -";
    if text.is_empty() {
        return Err(NameError::Empty { what });
    }
    if let Some(found) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
        return Err(NameError::Character { what, allowed: ALLOWED, found: found.escape_debug().to_string() });
    }
    if text.len() > max {
        return Err(NameError::TooLong { what, max });
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Err(NameError::Edge { what });
    }
    Ok(text.to_owned())
}

fn email(text: &str) -> Result<String, NameError> {
    const MAX: usize = 254;
    let text = text.trim();
    if text.len() > MAX {
        return Err(NameError::TooLong { what: "an e-mail address", max: MAX });
    }
    let (local, host) = text.split_once('@').ok_or(NameError::Email)?;
    let shaped = !local.is_empty()
        && host.contains('.')
        && !host.starts_with('.')
        && !host.ends_with('.')
        && !host.contains('@')
        && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    if !shaped {
        return Err(NameError::Email);
    }
    Ok(text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_lower_kebab_and_nothing_else() {
        assert!(Slug::parse("release-notes").is_ok());
        for wrong in ["", "..", "a..b", "A", "-a", "a-", "a/b", "é", "a b", "a%2e"] {
            assert!(Slug::parse(wrong).is_err(), "{wrong:?} was accepted");
        }
        assert!(Slug::parse(&"a".repeat(63)).is_ok());
        assert_eq!(Slug::parse(&"a".repeat(64)), Err(NameError::TooLong { what: "a slug", max: 63 }));
    }

    #[test]
    fn a_handle_may_not_look_like_an_address_of_ours() {
        assert_eq!(Handle::parse("mcp"), Err(NameError::Reserved { name: "mcp".into() }));
    }

    #[test]
    fn an_email_is_kept_in_lower_case() {
        assert_eq!(
            Email::parse(" Ada@Example.org ").map(|email| email.to_string()),
            Ok("ada@example.org".into())
        );
        assert_eq!(Email::parse("ada@localhost"), Err(NameError::Email));
    }
}

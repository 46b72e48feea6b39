//! Names of tools: what clients refuse, and what two tools may not share. Pure.

use std::{collections::HashSet, fmt};

use sha2::{Digest, Sha256};

/// What some clients would not like about the name of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameFlag {
    /// Longer than the 64 characters model interfaces accept.
    TooLong {
        /// How long it is.
        length: usize,
    },
    /// A character outside `A-Z`, `a-z`, `0-9`, `_` and `-`, which model interfaces refuse.
    Character {
        /// The first such character.
        found: char,
    },
    /// A dot, which the protocol allows and some model interfaces refuse.
    Dot,
    /// Together with what clients put before it, it passes the bound of some of them.
    LongWithPrefix {
        /// How it looks there.
        shown: String,
    },
}

impl fmt::Display for NameFlag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { length } => {
                write!(formatter, "has {length} characters; many clients refuse more than {CLIENT_MAX}")
            }
            Self::Character { found } => {
                let found = found.escape_debug();
                write!(formatter, "holds `{found}`; many clients accept letters, digits, _ and - only")
            }
            Self::Dot => formatter.write_str("holds a dot, which some clients refuse"),
            Self::LongWithPrefix { shown } => {
                let length = shown.chars().count();
                write!(
                    formatter,
                    "becomes `{shown}` in some clients, which has {length} characters; they refuse more than \
                     {CLIENT_MAX}"
                )
            }
        }
    }
}

/// The longest name model interfaces accept.
const CLIENT_MAX: usize = 64;
/// The longest server name and tool name together that the strictest client accepts.
const PAIR_MAX: usize = 60;
/// The longest name the protocol allows.
pub(super) const NAME_MAX: usize = 128;

/// Returns what some clients would not like about a name, in a preset of this slug.
pub(super) fn flags(name: &str, slug: Option<&str>) -> Vec<NameFlag> {
    let mut flags = Vec::new();
    let length = name.chars().count();
    if length > CLIENT_MAX {
        flags.push(NameFlag::TooLong { length });
    }
    let odd = |c: &char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-' | '.');
    if let Some(found) = name.chars().find(odd) {
        flags.push(NameFlag::Character { found });
    }
    if name.contains('.') {
        flags.push(NameFlag::Dot);
    }
    if let Some(slug) = slug.filter(|_| length <= CLIENT_MAX) {
        let shown = format!("mcp__{slug}__{name}");
        if shown.chars().count() > CLIENT_MAX || slug.len() + length > PAIR_MAX {
            flags.push(NameFlag::LongWithPrefix { shown });
        }
    }
    flags
}

/// Returns what two names must not share: clients differ in whether case matters.
pub(super) fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// Says what is wrong with a name an owner chose; `None` if nothing is.
pub(super) fn complaint(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("a name is empty".to_owned());
    }
    if name.len() > NAME_MAX {
        return Some(format!("a name has more than {NAME_MAX} characters"));
    }
    let odd = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-' | '.');
    let found = name.chars().find(|&c| odd(c))?;
    Some(format!("`{}` in a name; it may hold letters, digits, _, - and .", found.escape_debug()))
}

/// Returns a free name for a tool whose own is taken: the source's name before it, both cut so that
/// clients accept the result. The same question always gets the same answer.
pub(super) fn suggest(source_name: &str, tool: &str, taken: &HashSet<String>) -> String {
    /// How much of a source's name goes before the tool's.
    const ALIAS_MAX: usize = 12;
    /// How long the suggestion may be; leaves room for what clients put before it.
    const LENGTH_MAX: usize = 40;

    let alias: String = source_name.chars().take(ALIAS_MAX).collect();
    let alias = alias.trim_end_matches('-');
    let plain: String = tool
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' })
        .collect();
    let name = shortened(&format!("{alias}_{plain}"), LENGTH_MAX);
    if !taken.contains(&folded(&name)) {
        return name;
    }
    (2_u32..)
        .map(|n| format!("{}_{n}", shortened(&name, LENGTH_MAX - 6)))
        .find(|name| !taken.contains(&folded(name)))
        .unwrap_or(name)
}

fn shortened(name: &str, max: usize) -> String {
    if name.len() <= max {
        return name.to_owned();
    }
    // A piece of the hash keeps two long names apart that begin alike.
    let hash = hex::encode(&Sha256::digest(name.as_bytes())[..3]);
    format!("{}_{hash}", &name[..max - 7])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_some_clients_refuse_are_flagged() {
        assert_eq!(flags("search_issues", Some("ops")), []);
        assert_eq!(flags("a.b", None), [NameFlag::Dot]);
        assert_eq!(flags("a/b", None), [NameFlag::Character { found: '/' }]);
        assert_eq!(flags("größe", None), [NameFlag::Character { found: 'ö' }]);
        assert_eq!(flags(&"a".repeat(65), Some("ops")), [NameFlag::TooLong { length: 65 }]);
        let with_prefix = flags(&"a".repeat(50), Some("release-notes"));
        assert!(matches!(with_prefix.as_slice(), [NameFlag::LongWithPrefix { .. }]), "{with_prefix:?}");
    }

    #[test]
    fn a_chosen_name_holds_what_the_protocol_allows() {
        assert_eq!(complaint("jira.search-Issues_2"), None);
        for wrong in ["", "a b", "é", "a/b", &"a".repeat(129)] {
            assert!(complaint(wrong).is_some(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn a_suggestion_is_free_and_clients_accept_it() {
        let mut taken = HashSet::from(["echo".to_owned()]);
        let long = "x".repeat(200);
        for tool in ["echo", "Echo", "naïve tool", &long, &long] {
            let name = suggest("a-source-with-a-long-name", tool, &taken);

            assert_eq!(complaint(&name), None, "{name}");
            assert_eq!(flags(&name, Some("release-notes")), [], "{name}");
            assert!(taken.insert(folded(&name)), "{name} was taken");
        }
    }
}

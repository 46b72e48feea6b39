//! What a caller can be asked, and which extensions it has.
//!
//! A caller declares it once in `initialize`, or in `_meta` of every modern request; sources are
//! told it in the same two places. Doorward holds sources to it: a question the caller did not
//! declare is never relayed.

use std::collections::BTreeMap;

use crate::{
    mcp::{Raw, Revision, translate::Ask, write},
    model::Era,
};

/// The extensions Doorward relays.
pub mod extensions {
    /// Calls that answer later (SEP-2663). Modern to modern only: the experiment of 2025-11-25 is
    /// another wire.
    pub const TASKS: &str = "io.modelcontextprotocol/tasks";
    /// Pages that tools bring along (MCP Apps, SEP-1865).
    pub const UI: &str = "io.modelcontextprotocol/ui";

    /// All of them. What is not in this list is not passed on: its methods and its types of results
    /// would not be understood on the way.
    pub const RELAYED: &[&str] = &[TASKS, UI];

    /// The most bytes of an extension's settings that are passed on; larger ones count as `{}`.
    pub const SETTINGS_BYTES_MAX: usize = 4096;
}

/// What a caller can be asked. Equal sets are equal keys: legacy sessions at sources, which declare
/// once, are shared by them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Capabilities {
    /// Forms to fill in.
    pub elicitation_form: bool,
    /// Pages to visit.
    pub elicitation_url: bool,
    /// Texts to be written by the caller's model.
    pub sampling: bool,
    /// Texts that take the context of servers into account.
    pub sampling_context: bool,
    /// Texts that may use tools.
    pub sampling_tools: bool,
    /// The caller's working directories.
    pub roots: bool,
    /// The extensions it has.
    pub extensions: Extensions,
}

/// The relayed extensions that one side has, with their settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Extensions(BTreeMap<&'static str, Box<str>>);

impl Extensions {
    /// Reads the member `extensions` of either side's capabilities.
    pub fn read(member: Raw<'_>) -> Self {
        let mut read = Self::default();
        for member in member.members() {
            let settings = if member.value.is_object() { member.value.get() } else { "{}" };
            read.set(&member.name(), settings);
        }
        read
    }

    /// Says whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Says whether this one is among them.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Says whether all of another side's are among them.
    pub fn has_all(&self, others: &Self) -> bool {
        others.0.keys().all(|name| self.has(name))
    }

    /// Adds one with these settings, a JSON object. Names that Doorward does not relay are ignored.
    pub fn set(&mut self, name: &str, settings: &str) {
        if let Some(known) = extensions::RELAYED.iter().find(|known| **known == name) {
            let settings = if settings.len() <= extensions::SETTINGS_BYTES_MAX { settings } else { "{}" };
            self.0.insert(known, settings.into());
        }
    }

    /// Takes one out.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Adds those of another side; of what both have, the settings of `self` stay.
    pub fn add_all(&mut self, other: &Self) {
        for (name, settings) in &other.0 {
            self.0.entry(name).or_insert_with(|| settings.clone());
        }
    }

    /// Keeps those that a peer of this era can have: tasks are another wire in the legacy era.
    pub fn keep_for(&mut self, era: Era) {
        self.0.retain(|name, _| era == Era::Modern || *name == extensions::UI);
    }

    /// Adds the member `extensions` as a peer of this era can have it; nothing if there is none.
    pub(super) fn write(&self, out: &mut Object, era: Era) {
        let mut kept = self.clone();
        kept.keep_for(era);
        let mut inner = Object::default();
        for (name, settings) in &kept.0 {
            inner.member(name, settings);
        }
        if !inner.is_empty() {
            out.member("extensions", &inner.end());
        }
    }
}

impl Capabilities {
    /// Reads a ClientCapabilities object: the member `capabilities` of `initialize`, or the one of
    /// `_meta`. What is not an object counts as absent.
    pub fn read(capabilities: Raw<'_>) -> Self {
        let mut read = Self::default();
        for member in capabilities.members() {
            if !member.value.is_object() {
                continue;
            }
            if member.is("elicitation") {
                let has = |mode| member.value.member(mode).is_some_and(Raw::is_object);
                read.elicitation_url = has("url");
                // Revision 2025-06-18 knows forms only, and says so with an empty object.
                read.elicitation_form = has("form") || !read.elicitation_url;
            } else if member.is("sampling") {
                read.sampling = true;
                read.sampling_context = member.value.member("context").is_some_and(Raw::is_object);
                read.sampling_tools = member.value.member("tools").is_some_and(Raw::is_object);
            } else if member.is("roots") {
                read.roots = true;
            } else if member.is("extensions") {
                read.extensions = Extensions::read(member.value);
            }
        }
        read
    }

    /// Says whether nothing is declared: no source may ask anything back.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Says whether the caller can be asked anything in the middle of a call.
    pub fn can_be_asked(&self) -> bool {
        self.elicitation_form || self.elicitation_url || self.sampling || self.roots
    }

    /// Returns what a legacy session at a source is keyed by: what of it a legacy source is told.
    pub fn legacy_key(&self) -> Self {
        let mut key = self.clone();
        key.extensions.keep_for(Era::Legacy);
        key
    }

    /// Writes a ClientCapabilities object for a source of this revision: for `initialize` of a legacy
    /// one, for `_meta` of a modern one.
    pub fn write(&self, revision: Revision) -> String {
        let mut out = Object::default();
        if self.roots {
            out.member("roots", "{}");
        }
        if self.sampling {
            let mut sampling = Object::default();
            for (name, has) in [("context", self.sampling_context), ("tools", self.sampling_tools)] {
                if has && revision >= Revision::V2025_11_25 {
                    sampling.member(name, "{}");
                }
            }
            out.member("sampling", &sampling.end());
        }
        if self.elicitation_form || (self.elicitation_url && revision >= Revision::V2025_11_25) {
            let mut elicitation = Object::default();
            for (name, has) in [("form", self.elicitation_form), ("url", self.elicitation_url)] {
                if has && revision >= Revision::V2025_11_25 {
                    elicitation.member(name, "{}");
                }
            }
            out.member("elicitation", &elicitation.end());
        }
        self.extensions.write(&mut out, revision.era());
        out.end()
    }

    /// Returns what the caller would have had to declare for this question, as the ClientCapabilities
    /// object of -32021's `requiredCapabilities`; `None` if it may be asked.
    pub fn missing_for(&self, ask: Ask, params: Option<Raw<'_>>) -> Option<String> {
        let member = |name| params.and_then(|params| params.member(name));
        let missing = match ask {
            Ask::Elicitation => match member("mode").and_then(Raw::as_str).as_deref() {
                None | Some("form") if self.elicitation_form => return None,
                Some("url") if self.elicitation_url => return None,
                mode => format!(r#"{{"elicitation":{{{}:{{}}}}}}"#, write::quoted(mode.unwrap_or("form"))),
            },
            Ask::Sampling => {
                let with_tools = member("tools").is_some() || member("toolChoice").is_some();
                match (self.sampling, with_tools) {
                    (true, false) => return None,
                    (true, true) if self.sampling_tools => return None,
                    (_, true) => r#"{"sampling":{"tools":{}}}"#.to_owned(),
                    (false, false) => r#"{"sampling":{}}"#.to_owned(),
                }
            }
            Ask::Roots if self.roots => return None,
            Ask::Roots => r#"{"roots":{}}"#.to_owned(),
        };
        Some(missing)
    }

    /// Returns the ClientCapabilities object that names one extension, for -32021.
    pub fn requiring_extension(name: &str) -> String {
        format!(r#"{{"extensions":{{{}:{{}}}}}}"#, write::quoted(name))
    }
}

/// A JSON object being written.
#[derive(Debug, Default)]
pub(super) struct Object(Vec<u8>);

impl Object {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a member whose value is JSON.
    pub(super) fn member(&mut self, name: &str, value: &str) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        write::string(&mut self.0, name);
        self.0.push(b':');
        self.0.extend_from_slice(value.as_bytes());
    }

    pub(super) fn end(mut self) -> String {
        if self.0.is_empty() {
            self.0.push(b'{');
        }
        self.0.push(b'}');
        String::from_utf8(self.0).expect("only whole texts were put together")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Capabilities {
        Capabilities::read(Raw::parse(text).expect("JSON"))
    }

    #[test]
    fn an_empty_elicitation_means_forms() {
        let old = read(r#"{"elicitation":{}}"#);
        let url = read(r#"{"elicitation":{"url":{}}}"#);

        assert!(old.elicitation_form && !old.elicitation_url);
        assert!(url.elicitation_url && !url.elicitation_form);
        assert_eq!(old, read(r#"{"elicitation":{"form":{}}}"#));
        assert!(read(r#"{"elicitation":null,"sampling":7}"#).is_empty());
    }

    #[test]
    fn a_declaration_survives_the_way_through_every_revision_that_has_it() {
        let all = read(
            r#"{"elicitation":{"form":{},"url":{}},"sampling":{"tools":{},"context":{}},"roots":{"listChanged":true},
                "extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["a"]},"io.modelcontextprotocol/tasks":{},"com.example/x":{}}}"#,
        );

        assert_eq!(read(&all.write(Revision::V2026_07_28)), all);
        assert_eq!(read(&all.write(Revision::V2025_11_25)), all.legacy_key());
        assert_eq!(
            all.write(Revision::V2025_06_18),
            r#"{"roots":{},"sampling":{},"elicitation":{},"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["a"]}}}"#
        );
        assert_eq!(Capabilities::default().write(Revision::LATEST), "{}");
    }

    #[test]
    fn an_extension_nobody_relays_is_not_declared() {
        let mut declared = read(r#"{"extensions":{"com.example/x":{},"io.modelcontextprotocol/tasks":7}}"#);

        assert!(declared.extensions.has(extensions::TASKS));
        assert!(!declared.extensions.has("com.example/x"));
        assert!(declared.legacy_key().is_empty());
        declared.extensions.remove(extensions::TASKS);
        assert!(declared.is_empty());
    }

    #[test]
    fn a_question_nobody_declared_names_what_it_needs() {
        let form = read(r#"{"elicitation":{},"sampling":{}}"#);
        let missing = |ask, params: &str| form.missing_for(ask, Some(Raw::parse(params).expect("JSON")));

        assert_eq!(missing(Ask::Elicitation, "{}"), None);
        assert_eq!(missing(Ask::Elicitation, r#"{"mode":"form"}"#), None);
        assert_eq!(
            missing(Ask::Elicitation, r#"{"mode":"url"}"#).as_deref(),
            Some(r#"{"elicitation":{"url":{}}}"#)
        );
        assert_eq!(missing(Ask::Sampling, "{}"), None);
        assert_eq!(
            missing(Ask::Sampling, r#"{"tools":[]}"#).as_deref(),
            Some(r#"{"sampling":{"tools":{}}}"#)
        );
        assert_eq!(form.missing_for(Ask::Roots, None).as_deref(), Some(r#"{"roots":{}}"#));
        let none = Capabilities::default();
        assert_eq!(
            none.missing_for(Ask::Elicitation, None).as_deref(),
            Some(r#"{"elicitation":{"form":{}}}"#)
        );
        assert_eq!(none.missing_for(Ask::Sampling, None).as_deref(), Some(r#"{"sampling":{}}"#));
    }
}

//! What a server can do, as it declares it: a source to Doorward, and Doorward to its callers.

use crate::{
    mcp::{
        Raw,
        capabilities::{Extensions, Object},
    },
    model::Era,
};

/// What a server can do: the ServerCapabilities of both eras, without what Doorward does not relay
/// (`experimental`, the tasks of 2025-11-25, unknown extensions).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ServerCapabilities {
    /// It has tools.
    pub tools: bool,
    /// It tells when the list of tools changes.
    pub tools_changed: bool,
    /// It has resources.
    pub resources: bool,
    /// It tells when the list of resources changes.
    pub resources_changed: bool,
    /// It tells when a resource changes.
    pub resources_subscribe: bool,
    /// It has prompts.
    pub prompts: bool,
    /// It tells when the list of prompts changes.
    pub prompts_changed: bool,
    /// It suggests values of arguments.
    pub completions: bool,
    /// It sends log messages.
    pub logging: bool,
    /// Its extensions.
    pub extensions: Extensions,
}

impl ServerCapabilities {
    /// Reads the member `capabilities` of `initialize` or `server/discover`.
    pub fn read(capabilities: Raw<'_>) -> Self {
        let mut read = Self::default();
        for member in capabilities.members() {
            if !member.value.is_object() {
                continue;
            }
            let says = |name| member.value.member(name).is_some_and(|value| value.get() == "true");
            if member.is("tools") {
                (read.tools, read.tools_changed) = (true, says("listChanged"));
            } else if member.is("resources") {
                (read.resources, read.resources_changed) = (true, says("listChanged"));
                read.resources_subscribe = says("subscribe");
            } else if member.is("prompts") {
                (read.prompts, read.prompts_changed) = (true, says("listChanged"));
            } else if member.is("completions") {
                read.completions = true;
            } else if member.is("logging") {
                read.logging = true;
            } else if member.is("extensions") {
                read.extensions = Extensions::read(member.value);
            }
        }
        read
    }

    /// Returns what two servers can do together. Of an extension both have, the settings of `self`
    /// stay.
    #[must_use]
    pub fn union(mut self, other: &Self) -> Self {
        self.tools |= other.tools;
        self.tools_changed |= other.tools_changed;
        self.resources |= other.resources;
        self.resources_changed |= other.resources_changed;
        self.resources_subscribe |= other.resources_subscribe;
        self.prompts |= other.prompts;
        self.prompts_changed |= other.prompts_changed;
        self.completions |= other.completions;
        self.logging |= other.logging;
        self.extensions.add_all(&other.extensions);
        self
    }

    /// Writes a ServerCapabilities object for callers of this era.
    pub fn write(&self, era: Era) -> String {
        let mut out = Object::default();
        let list = |members: &[(&str, bool)]| {
            let mut inner = Object::default();
            for (name, _) in members.iter().filter(|(_, has)| *has) {
                inner.member(name, "true");
            }
            inner.end()
        };
        if self.logging {
            out.member("logging", "{}");
        }
        if self.completions {
            out.member("completions", "{}");
        }
        if self.prompts {
            out.member("prompts", &list(&[("listChanged", self.prompts_changed)]));
        }
        if self.resources {
            let members = [("subscribe", self.resources_subscribe), ("listChanged", self.resources_changed)];
            out.member("resources", &list(&members));
        }
        if self.tools {
            out.member("tools", &list(&[("listChanged", self.tools_changed)]));
        }
        self.extensions.write(&mut out, era);
        out.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ServerCapabilities {
        ServerCapabilities::read(Raw::parse(text).expect("JSON"))
    }

    #[test]
    fn what_a_server_can_do_reads_back() {
        let text = r#"{"logging":{},"completions":{},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"tools":{"listChanged":true},"extensions":{"io.modelcontextprotocol/tasks":{"x":1.0},"io.modelcontextprotocol/ui":{}}}"#;

        let all = read(text);

        assert_eq!(all.write(Era::Modern), text);
        assert_eq!(all.write(Era::Legacy).matches("tasks").count(), 0);
        let skills = read(r#"{"tools":{},"extensions":{"io.modelcontextprotocol/skills":{}}}"#);
        assert_eq!(skills.write(Era::Modern), r#"{"tools":{}}"#, "nobody relays them");
        assert_eq!(ServerCapabilities::default().write(Era::Modern), "{}");
    }

    #[test]
    fn a_preset_can_what_one_of_its_sources_can() {
        let tools = read(r#"{"tools":{},"experimental":{},"tasks":{}}"#);
        let resources = read(r#"{"resources":{"subscribe":true},"tools":{"listChanged":false}}"#);

        let both = tools.union(&resources);

        assert_eq!(both.write(Era::Legacy), r#"{"resources":{"subscribe":true},"tools":{}}"#);
    }
}

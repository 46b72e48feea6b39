//! Answers Doorward gives in its own name: what it is, and what tools there are.

use bytes::Bytes;

use crate::{
    mcp::{Revision, write},
    model::Era,
};

/// How long a caller may keep a list, in milliseconds.
pub const LIST_TTL_MS: u64 = 60_000;

/// What the endpoint says of itself.
#[derive(Clone, Copy, Debug)]
pub struct ServerCard<'a> {
    /// What people call it.
    pub title: &'a str,
    /// What it is for; left out if empty.
    pub instructions: &'a str,
    /// Doorward's version.
    pub version: &'a str,
}

impl ServerCard<'_> {
    fn info(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"name":"doorward","title":"#);
        write::string(out, self.title);
        out.extend_from_slice(br#","version":"#);
        write::string(out, self.version);
        out.push(b'}');
    }

    fn instructions(&self, out: &mut Vec<u8>) {
        if !self.instructions.is_empty() {
            out.extend_from_slice(br#","instructions":"#);
            write::string(out, self.instructions);
        }
    }
}

/// Returns the result of `server/discover`.
pub fn discover_result(card: &ServerCard<'_>) -> Bytes {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(br#"{"resultType":"complete","supportedVersions":"#);
    out.extend_from_slice(supported_versions().as_bytes());
    out.extend_from_slice(br#","capabilities":{"tools":{}}"#);
    card.instructions(&mut out);
    out.extend_from_slice(br#","ttlMs":"#);
    write::unsigned(&mut out, LIST_TTL_MS);
    out.extend_from_slice(br#","cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":"#);
    card.info(&mut out);
    out.extend_from_slice(b"}}");
    out.into()
}

/// Returns the result of `initialize`.
pub fn initialize_result(revision: Revision, card: &ServerCard<'_>) -> Bytes {
    let mut out = Vec::with_capacity(384);
    out.extend_from_slice(br#"{"protocolVersion":"#);
    write::string(&mut out, revision.as_str());
    out.extend_from_slice(br#","capabilities":{"tools":{}},"serverInfo":"#);
    card.info(&mut out);
    card.instructions(&mut out);
    out.push(b'}');
    out.into()
}

/// Returns the revisions served, as a JSON array.
pub fn supported_versions() -> String {
    let quoted: Vec<_> = Revision::SERVED.iter().map(|revision| write::quoted(revision.as_str())).collect();
    format!("[{}]", quoted.join(","))
}

/// Returns one page of `tools/list`.
pub fn list_page(era: Era, tools: &[&[u8]], next_cursor: Option<&str>) -> Bytes {
    let bytes: usize = tools.iter().map(|tool| tool.len() + 1).sum();
    let mut out = Vec::with_capacity(bytes + 128);
    out.push(b'{');
    if era == Era::Modern {
        out.extend_from_slice(br#""resultType":"complete","ttlMs":"#);
        write::unsigned(&mut out, LIST_TTL_MS);
        out.extend_from_slice(br#","cacheScope":"private","#);
    }
    out.extend_from_slice(br#""tools":["#);
    for (index, tool) in tools.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(tool);
    }
    out.push(b']');
    if let Some(cursor) = next_cursor {
        out.extend_from_slice(br#","nextCursor":"#);
        write::string(&mut out, cursor);
    }
    out.push(b'}');
    out.into()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_page_is_what_its_era_expects() {
        let tools: [&[u8]; 2] = [br#"{"name":"a"}"#, br#"{"name":"b"}"#];

        let modern: Value =
            serde_json::from_slice(&list_page(Era::Modern, &tools, Some("\"c"))).expect("JSON");

        assert_eq!(modern["resultType"], "complete");
        assert_eq!(modern["cacheScope"], "private");
        assert_eq!(modern["ttlMs"], LIST_TTL_MS);
        assert_eq!(modern["nextCursor"], "\"c");
        assert_eq!(modern["tools"][1]["name"], "b");
        assert_eq!(list_page(Era::Legacy, &[], None), r#"{"tools":[]}"#);
    }

    #[test]
    fn both_greetings_are_json_with_the_members_they_must_have() {
        let card = ServerCard { title: "A \"b\"", instructions: "do", version: "0.1.0" };

        let discover: Value = serde_json::from_slice(&discover_result(&card)).expect("JSON");
        let initialize: Value =
            serde_json::from_slice(&initialize_result(Revision::V2025_06_18, &card)).expect("JSON");

        assert_eq!(discover["supportedVersions"][0], "2026-07-28");
        assert_eq!(discover["_meta"]["io.modelcontextprotocol/serverInfo"]["title"], "A \"b\"");
        assert_eq!(initialize["protocolVersion"], "2025-06-18");
        assert_eq!(initialize["instructions"], "do");
    }
}

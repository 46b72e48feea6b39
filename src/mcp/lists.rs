//! Answers Doorward gives in its own name: what it is, and what tools there are.

use bytes::Bytes;

use crate::{
    mcp::{Raw, Revision, write},
    model::Era,
};

/// How long a caller may keep a list, in milliseconds.
pub const LIST_TTL_MS: u64 = 60_000;

/// The most tools in one page of a list. Many clients read only the first page, so it is large.
pub const PAGE_TOOLS_MAX: usize = 1000;

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

/// Returns the results of `tools/list` for callers of one era, a page each, ready to be sent; one
/// empty page if there are no tools.
pub fn list_pages<'a>(era: Era, tools: impl IntoIterator<Item = &'a [u8]>, page_max: usize) -> Vec<Bytes> {
    let tools: Vec<_> = tools.into_iter().collect();
    let pages: Vec<_> =
        if tools.is_empty() { vec![&[][..]] } else { tools.chunks(page_max.max(1)).collect() };
    let count = pages.len();
    let results = pages.into_iter().enumerate().map(|(index, tools)| {
        let next = (index + 1 < count).then(|| cursor_of_page(index + 1));
        list_page(era, tools, next.as_deref())
    });
    results.collect()
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

/// Returns the cursor of a page, counted from zero.
pub fn cursor_of_page(index: usize) -> String {
    format!("page-{index}")
}

/// Returns the page a request asks for: the first one without a cursor; `None` if the cursor is
/// none of ours.
pub fn page_of_cursor(cursor: Option<Raw<'_>>) -> Option<usize> {
    match cursor {
        None => Some(0),
        Some(cursor) if cursor.is_null() => Some(0),
        Some(cursor) => cursor.as_str()?.strip_prefix("page-")?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn pages_lead_from_one_to_the_next_and_end() {
        let tools: [&[u8]; 3] = [br#"{"name":"a"}"#, br#"{"name":"b"}"#, br#"{"name":"c"}"#];

        let pages = list_pages(Era::Modern, tools, 2);

        let first: Value = serde_json::from_slice(&pages[0]).expect("JSON");
        let last: Value = serde_json::from_slice(&pages[1]).expect("JSON");
        let cursor = write::quoted(first["nextCursor"].as_str().expect("a cursor"));
        assert_eq!(page_of_cursor(Raw::parse(&cursor).ok()), Some(1));
        assert_eq!(first["cacheScope"], "private");
        assert_eq!(last["tools"][0]["name"], "c");
        assert!(last.get("nextCursor").is_none());
        assert_eq!(list_pages(Era::Legacy, [], 2), [r#"{"tools":[]}"#]);
        assert_eq!(page_of_cursor(Raw::parse("\"\"").ok()), None);
        assert_eq!(page_of_cursor(Raw::parse("7").ok()), None);
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

//! Answers Doorward gives in its own name: what it is, and what there is to choose from.

use bytes::Bytes;

use crate::{
    mcp::{Method, Raw, Revision, ServerCapabilities, write},
    model::Era,
};

/// How long a caller may keep a list, in milliseconds.
pub const LIST_TTL_MS: u64 = 60_000;

/// Who may share an answer that is kept (`cacheScope`, revision 2026-07-28).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheScope {
    /// Only who asked: what Doorward lists depends on the principal.
    Private,
    /// Everybody: nothing in it depends on who asks.
    Public,
}

impl CacheScope {
    /// Returns the scope as on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListKind {
    /// `tools/list`.
    Tools,
    /// `resources/list`.
    Resources,
    /// `resources/templates/list`.
    Templates,
    /// `prompts/list`.
    Prompts,
}

impl ListKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::Tools, Self::Resources, Self::Templates, Self::Prompts];

    /// Returns the method that lists it.
    pub fn method(self) -> Method {
        match self {
            Self::Tools => Method::ToolsList,
            Self::Resources => Method::ResourcesList,
            Self::Templates => Method::TemplatesList,
            Self::Prompts => Method::PromptsList,
        }
    }

    /// Returns the member of the result that holds the entries.
    pub fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
            Self::Prompts => "prompts",
        }
    }

    /// Returns the member of an entry that tells it from the others.
    pub fn key(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::Templates => "uriTemplate",
        }
    }
}

/// One page of a source's list.
#[derive(Clone, Debug)]
pub struct SourcePage<'a> {
    /// The entries, byte for byte.
    pub entries: Vec<Raw<'a>>,
    /// Where the next page begins, a JSON string as written; the empty string is a cursor, too.
    pub next_cursor: Option<Raw<'a>>,
    /// How long the source lets it be kept, in milliseconds; `None` if it does not say.
    pub ttl_ms: Option<u64>,
    /// Whether the source says that it is the same for everybody.
    pub scope: CacheScope,
}

/// Reads one page of a source's list, of either era; `None` if it is no such list.
pub fn source_page(kind: ListKind, result: Raw<'_>) -> Option<SourcePage<'_>> {
    let entries = result.member(kind.member()).filter(|entries| entries.is_array())?;
    let is_public = |scope: Raw<'_>| scope.as_str().as_deref() == Some("public");
    Some(SourcePage {
        entries: entries.elements().collect(),
        next_cursor: result.member("nextCursor").filter(|cursor| cursor.is_string()),
        ttl_ms: result.member("ttlMs").and_then(|ttl| ttl.get().parse().ok()),
        scope: match result.member("cacheScope") {
            Some(scope) if is_public(scope) => CacheScope::Public,
            _ => CacheScope::Private,
        },
    })
}

/// What the endpoint says of itself.
#[derive(Clone, Copy, Debug)]
pub struct ServerCard<'a> {
    /// What people call it.
    pub title: &'a str,
    /// What it is for; left out if empty.
    pub instructions: &'a str,
    /// Doorward's version.
    pub version: &'a str,
    /// What it can do.
    pub capabilities: &'a ServerCapabilities,
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
    out.extend_from_slice(br#","capabilities":"#);
    out.extend_from_slice(card.capabilities.write(Era::Modern).as_bytes());
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
    out.extend_from_slice(br#","capabilities":"#);
    out.extend_from_slice(card.capabilities.write(Era::Legacy).as_bytes());
    out.extend_from_slice(br#","serverInfo":"#);
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

/// Returns one page of a list, for one caller only.
pub fn list_page(kind: ListKind, era: Era, entries: &[&[u8]], next_cursor: Option<&str>) -> Bytes {
    let bytes: usize = entries.iter().map(|entry| entry.len() + 1).sum();
    let mut out = Vec::with_capacity(bytes + 128);
    out.push(b'{');
    if era == Era::Modern {
        out.extend_from_slice(br#""resultType":"complete","ttlMs":"#);
        write::unsigned(&mut out, LIST_TTL_MS);
        out.extend_from_slice(br#","cacheScope":"private","#);
    }
    write::string(&mut out, kind.member());
    out.extend_from_slice(b":[");
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(entry);
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
            serde_json::from_slice(&list_page(ListKind::Tools, Era::Modern, &tools, Some("\"c")))
                .expect("JSON");

        assert_eq!(modern["resultType"], "complete");
        assert_eq!(modern["cacheScope"], "private");
        assert_eq!(modern["ttlMs"], LIST_TTL_MS);
        assert_eq!(modern["nextCursor"], "\"c");
        assert_eq!(modern["tools"][1]["name"], "b");
        let pages = ListKind::ALL.iter().map(|kind| list_page(*kind, Era::Legacy, &[], None));
        assert_eq!(
            pages.collect::<Vec<_>>(),
            [r#"{"tools":[]}"#, r#"{"resources":[]}"#, r#"{"resourceTemplates":[]}"#, r#"{"prompts":[]}"#]
        );
    }

    #[test]
    fn both_greetings_are_json_with_the_members_they_must_have() {
        let capabilities = ServerCapabilities { tools: true, prompts: true, ..Default::default() };
        let card = ServerCard {
            title: "A \"b\"",
            instructions: "do",
            version: "0.1.0",
            capabilities: &capabilities,
        };

        let discover: Value = serde_json::from_slice(&discover_result(&card)).expect("JSON");
        let initialize: Value =
            serde_json::from_slice(&initialize_result(Revision::V2025_06_18, &card)).expect("JSON");

        assert_eq!(discover["supportedVersions"][0], "2026-07-28");
        assert_eq!(discover["_meta"]["io.modelcontextprotocol/serverInfo"]["title"], "A \"b\"");
        assert_eq!(discover["capabilities"], serde_json::json!({"tools":{},"prompts":{}}));
        assert_eq!(discover["capabilities"], initialize["capabilities"]);
        assert_eq!(initialize["protocolVersion"], "2025-06-18");
        assert_eq!(initialize["instructions"], "do");
    }

    #[test]
    fn a_page_of_a_source_is_read_in_either_era() {
        let legacy = Raw::parse(r#"{"prompts":[{"name":"a"}, {"name":"b"}],"nextCursor":""}"#).expect("JSON");
        let modern = r#"{"resultType":"complete","prompts":[],"ttlMs":5,"cacheScope":"public"}"#;

        let page = source_page(ListKind::Prompts, legacy).expect("a page");

        assert_eq!(page.entries.len(), 2);
        assert_eq!(page.next_cursor.map(Raw::get), Some("\"\""), "the empty string is a cursor");
        assert_eq!((page.ttl_ms, page.scope), (None, CacheScope::Private));
        let page = source_page(ListKind::Prompts, Raw::parse(modern).expect("JSON")).expect("a page");
        assert_eq!((page.ttl_ms, page.scope), (Some(5), CacheScope::Public));
        assert!(source_page(ListKind::Tools, legacy).is_none());
    }
}

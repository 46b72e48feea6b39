//! The messages of a link: requests written around the caller's bytes, answers read without copying
//! them. Pure.

use bytes::Bytes;

use super::{QuestionId, ReplyBody, UpstreamError};
use crate::{
    mcp::{Capabilities, LogLevel, Message, Raw, Revision, edit, error, translate::Ask, write},
    model::Era,
};

/// The members of `_meta` that every modern request carries, when the caller declares nothing.
const MODERN_META: &str = concat!(
    r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","#,
    r#""io.modelcontextprotocol/clientInfo":{"name":"doorward","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""},"io.modelcontextprotocol/clientCapabilities":{}"#,
);

/// What a request says of itself beyond its parameters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope<'a> {
    /// The id, unique on the link.
    pub(super) id: u64,
    /// The revision the source speaks.
    pub(super) revision: Revision,
    /// Whether progress is wanted; the id serves as the token.
    pub(super) progress: bool,
    /// The log level wanted.
    pub(super) log_level: Option<LogLevel>,
    /// What the caller declares; `None` = nothing.
    pub(super) capabilities: Option<&'a Capabilities>,
}

impl Envelope<'_> {
    /// Returns the envelope of a request that the link makes on its own behalf.
    pub(super) fn own(id: u64, revision: Revision) -> Self {
        Self { id, revision, progress: false, log_level: None, capabilities: None }
    }
}

/// Writes a request around parameters that are a JSON object, or nothing.
pub(super) fn request(envelope: Envelope<'_>, method: &str, params: &[u8]) -> Bytes {
    let meta = meta_members(envelope);
    let mut out = Vec::with_capacity(96 + method.len() + params.len() + meta.len());
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    write::unsigned(&mut out, envelope.id);
    out.extend_from_slice(br#","method":"#);
    write::string(&mut out, method);
    out.extend_from_slice(br#","params":"#);
    params_with_meta(&mut out, params, &meta);
    out.push(b'}');
    out.into()
}

/// Returns the members that go into `_meta`, without the braces.
fn meta_members(envelope: Envelope<'_>) -> Vec<u8> {
    let mut meta = Vec::new();
    let modern = envelope.revision.era() == Era::Modern;
    if modern {
        meta.reserve(MODERN_META.len() + 48);
        meta.extend_from_slice(MODERN_META.as_bytes());
        if let Some(capabilities) = envelope.capabilities {
            // In the place of the empty object that the text ends with.
            meta.truncate(meta.len() - 2);
            meta.extend_from_slice(capabilities.write(envelope.revision).as_bytes());
        }
    }
    if let Some(level) = envelope.log_level.filter(|_| modern) {
        meta.extend_from_slice(br#","io.modelcontextprotocol/logLevel":"#);
        write::string(&mut meta, level.as_str());
    }
    if envelope.progress {
        if !meta.is_empty() {
            meta.push(b',');
        }
        meta.extend_from_slice(br#""progressToken":"#);
        write::unsigned(&mut meta, envelope.id);
    }
    meta
}

/// Appends the parameters with these members of `_meta` added to their own.
fn params_with_meta(out: &mut Vec<u8>, params: &[u8], meta: &[u8]) {
    let params = params.trim_ascii();
    let Some(inner) = params.strip_prefix(b"{") else {
        out.extend_from_slice(br#"{"_meta":{"#);
        out.extend_from_slice(meta);
        out.extend_from_slice(b"}}");
        return;
    };
    if meta.is_empty() {
        out.extend_from_slice(params);
        return;
    }
    // Callers' own `_meta` members are rare: the parameters are looked at only if the name occurs.
    if let Some(own) = own_meta(params) {
        out.extend_from_slice(&params[..own.start + 1]);
        out.extend_from_slice(meta);
        let rest = &params[own.start + 1..];
        if !rest.trim_ascii_start().starts_with(b"}") {
            out.push(b',');
        }
        out.extend_from_slice(rest);
        return;
    }
    out.extend_from_slice(br#"{"_meta":{"#);
    out.extend_from_slice(meta);
    out.push(b'}');
    if !inner.trim_ascii_start().starts_with(b"}") {
        out.push(b',');
    }
    out.extend_from_slice(inner);
}

/// Returns where the value of the member `_meta` lies, if it is there and an object.
fn own_meta(params: &[u8]) -> Option<std::ops::Range<usize>> {
    memchr::memmem::find(params, b"_meta")?;
    let object = Raw::parse_bytes(params).ok()?;
    let span = edit::member_span(object, "_meta")?;
    (params[span.start] == b'{').then_some(span)
}

/// Writes the refusal of a request that a source has sent.
pub(super) fn refuse(id: &[u8], method: &str) -> Bytes {
    let Ok(id) = Raw::parse_bytes(id) else {
        return Bytes::new();
    };
    if method == "ping" {
        return write::response(id, b"{}");
    }
    error::render(Some(id), error::codes::METHOD_NOT_FOUND, "this client takes no requests", None)
}

/// Says whether somebody with these capabilities may be asked this.
pub(super) fn may_ask(capabilities: &Capabilities, method: &str, params: &[u8]) -> bool {
    Ask::parse(method)
        .is_some_and(|ask| capabilities.missing_for(ask, Raw::parse_bytes(params).ok()).is_none())
}

/// Writes the answer to a question of a source's.
pub(super) fn answer(id: &QuestionId, body: &ReplyBody) -> Bytes {
    let (name, value) = match body {
        ReplyBody::Result(result) => (&br#","result":"#[..], result),
        ReplyBody::Error(error) => (&br#","error":"#[..], error),
    };
    let mut out = Vec::with_capacity(48 + id.0.len() + value.len());
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(&id.0);
    out.extend_from_slice(name);
    out.extend_from_slice(value);
    out.push(b'}');
    out.into()
}

/// Writes the answer to a question that nobody is there to answer any more.
pub(super) fn nobody_there(id: &QuestionId) -> Bytes {
    let error = Bytes::from_static(br#"{"code":-32603,"message":"the caller went away"}"#);
    answer(id, &ReplyBody::Error(error))
}

/// Returns the question that a cancellation of the source's names.
pub(super) fn withdrawn(params: &[u8]) -> Option<QuestionId> {
    let id = Raw::parse_bytes(params).ok()?.member("requestId")?;
    Some(QuestionId(Bytes::copy_from_slice(id.as_bytes())))
}

/// Writes the notice that a request is given up.
pub(super) fn cancelled(id: u64) -> Bytes {
    let params = format!(r#"{{"requestId":{id},"reason":"the caller went away"}}"#);
    write::notification("notifications/cancelled", params.as_bytes())
}

/// One message from a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// An answer.
    Answer {
        /// The id of our request; `None` for errors about a request that could not be read, and
        /// for ids that are none of ours.
        id: Option<u64>,
        /// What it says.
        body: ReplyBody,
    },
    /// A request of the source's own.
    Request {
        /// Its id, as written.
        id: Bytes,
        /// The method.
        method: String,
        /// The parameters, `{}` when there are none.
        params: Bytes,
    },
    /// A notification.
    Notification {
        /// The method.
        method: String,
        /// The parameters, `{}` when there are none.
        params: Bytes,
    },
}

/// Reads one message. Its parts share the bytes they came in.
pub(super) fn read(bytes: &Bytes) -> Result<Incoming, UpstreamError> {
    let message = Message::parse(bytes)
        .map_err(|error| UpstreamError::Protocol { detail: format!("its message was refused: {error}") })?;
    let share = |raw: Raw<'_>| bytes.slice_ref(raw.as_bytes());
    if let Some(body) = message.result.map(share).map(ReplyBody::Result) {
        return Ok(Incoming::Answer { id: message.id.and_then(own_id), body });
    }
    if let Some(body) = message.error.map(share).map(ReplyBody::Error) {
        return Ok(Incoming::Answer { id: message.id.and_then(own_id), body });
    }
    let method = message.method.unwrap_or_default().into_owned();
    let params = message.params.map_or(Bytes::from_static(b"{}"), |params| share(params.raw));
    Ok(match message.id {
        Some(id) => Incoming::Request { id: share(id), method, params },
        None => Incoming::Notification { method, params },
    })
}

/// Reads an id as one of ours. Some servers send numbers back as strings.
fn own_id(id: Raw<'_>) -> Option<u64> {
    id.get().trim_matches('"').parse().ok()
}

/// Returns the id of a request that we have written; `None` if the message is none.
pub(super) fn sent_id(message: &Bytes) -> Option<u64> {
    match read(message).ok()? {
        Incoming::Request { id, .. } => own_id(Raw::parse_bytes(&id).ok()?),
        Incoming::Answer { .. } | Incoming::Notification { .. } => None,
    }
}

/// Returns the token that a progress notification names, if it is one of ours.
pub(super) fn progress_token(params: &[u8]) -> Option<u64> {
    own_id(Raw::parse_bytes(params).ok()?.member("progressToken")?)
}

/// Returns code and message of an `error` member.
pub(super) fn error_words(error: &[u8]) -> (i64, String) {
    let Ok(error) = Raw::parse_bytes(error) else {
        return (0, String::new());
    };
    let code = error.member("code").and_then(|code| code.get().parse().ok()).unwrap_or(0);
    let message = error.member("message").and_then(Raw::as_str).unwrap_or_default();
    (code, clip(&message, 200))
}

/// Returns at most so many characters, without control characters other than line feeds and tabs.
pub(super) fn clip_lines(text: &str, characters_max: usize) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).take(characters_max).collect()
}

/// Returns at most so many characters, without control characters.
pub(super) fn clip(text: &str, characters_max: usize) -> String {
    let mut short: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(characters_max).collect();
    if text.chars().nth(characters_max).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(revision: Revision, progress: bool) -> Envelope<'static> {
        Envelope { progress, ..Envelope::own(7, revision) }
    }

    fn text(bytes: &Bytes) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn parameters_travel_byte_for_byte_to_a_legacy_source() {
        let request = request(
            envelope(Revision::V2025_06_18, false),
            "tools/call",
            br#"{ "name":"a","arguments":{"n":1.0,"_meta":9007199254740993}}"#,
        );

        assert_eq!(
            text(&request),
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{ "name":"a","arguments":{"n":1.0,"_meta":9007199254740993}}}"#
        );
    }

    #[test]
    fn what_the_era_needs_is_added_beside_what_the_caller_sent() {
        let legacy = |params: &[u8]| {
            text(&request(envelope(Revision::V2025_11_25, true), "x", params))
                .strip_prefix(r#"{"jsonrpc":"2.0","id":7,"method":"x","params":"#)
                .and_then(|rest| rest.strip_suffix('}'))
                .unwrap()
                .to_owned()
        };

        assert_eq!(legacy(b""), r#"{"_meta":{"progressToken":7}}"#);
        assert_eq!(legacy(b"{ }"), r#"{"_meta":{"progressToken":7} }"#);
        assert_eq!(legacy(br#"{"a":1}"#), r#"{"_meta":{"progressToken":7},"a":1}"#);
        assert_eq!(legacy(br#"{"a":1,"_meta":{}}"#), r#"{"a":1,"_meta":{"progressToken":7}}"#);
        assert_eq!(
            legacy(br#"{"_meta":{"traceparent":"00-1"},"a":1}"#),
            r#"{"_meta":{"progressToken":7,"traceparent":"00-1"},"a":1}"#
        );
        assert_eq!(
            legacy(br#"{"arguments":{"_meta":1}}"#),
            r#"{"_meta":{"progressToken":7},"arguments":{"_meta":1}}"#
        );
    }

    #[test]
    fn a_modern_request_declares_its_version_and_no_capability() {
        let request = request(
            Envelope { log_level: Some(LogLevel::Info), ..envelope(Revision::V2026_07_28, true) },
            "tools/list",
            b"{}",
        );

        let value: serde_json::Value = serde_json::from_slice(&request).unwrap();
        let meta = &value["params"]["_meta"];
        assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
        assert_eq!(meta["io.modelcontextprotocol/clientCapabilities"], serde_json::json!({}));
        assert_eq!(meta["io.modelcontextprotocol/clientInfo"]["name"], "doorward");
        assert_eq!(meta["io.modelcontextprotocol/logLevel"], "info");
        assert_eq!(meta["progressToken"], 7);
    }

    #[test]
    fn a_modern_request_declares_what_the_caller_can_be_asked() {
        let declared = Raw::parse(r#"{"elicitation":{"url":{}},"roots":{}}"#).unwrap();
        let capabilities = Capabilities::read(declared);
        let envelope =
            Envelope { capabilities: Some(&capabilities), ..Envelope::own(7, Revision::V2026_07_28) };

        let request = request(envelope, "tools/call", b"{}");

        let value: serde_json::Value = serde_json::from_slice(&request).unwrap();
        let meta = &value["params"]["_meta"];
        assert_eq!(
            meta["io.modelcontextprotocol/clientCapabilities"],
            serde_json::json!({"elicitation": {"url": {}}, "roots": {}})
        );
        assert_eq!(meta["io.modelcontextprotocol/clientInfo"]["name"], "doorward");
    }

    #[test]
    fn an_answer_shares_the_bytes_it_came_in() {
        let bytes = Bytes::from_static(br#"{"result":{"x": 1.0},"jsonrpc":"2.0","id":"12"}"#);

        let incoming = read(&bytes).unwrap();

        let Incoming::Answer { id, body: ReplyBody::Result(result) } = incoming else { panic!("an answer") };
        assert_eq!(id, Some(12));
        assert_eq!(result, r#"{"x": 1.0}"#);
        assert_eq!(result.as_ptr(), bytes[10..].as_ptr());
    }

    #[test]
    fn a_ping_is_answered_and_every_other_request_refused() {
        assert_eq!(text(&refuse(b"\"a\"", "ping")), r#"{"jsonrpc":"2.0","id":"a","result":{}}"#);
        assert!(text(&refuse(b"3", "sampling/createMessage")).contains("-32601"));
    }
}

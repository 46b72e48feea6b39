//! Where the eras meet: results and errors of a source of one era, for a caller of another.
//!
//! Inside Doorward messages have the shapes of 2026-07-28. What needs no change keeps its bytes.

use std::borrow::Cow;

use bytes::Bytes;

use crate::{
    mcp::{Raw, Revision, edit, error::codes, write},
    model::Era,
};

const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// Returns what kind of result it is: `complete` unless the source says otherwise. Only modern
/// sources can say otherwise.
pub fn result_type<'a>(source: Revision, result: Raw<'a>) -> Cow<'a, str> {
    match source.era() {
        Era::Legacy => Cow::Borrowed("complete"),
        Era::Modern => result.member("resultType").and_then(Raw::as_str).unwrap_or(Cow::Borrowed("complete")),
    }
}

/// Returns the result of a tool call as the caller's era has it. `wraps_output` says whether legacy
/// callers were shown an output schema that wraps the source's.
pub fn call_result(caller: Revision, source: Revision, result: &Bytes, wraps_output: bool) -> Bytes {
    if caller.era() == Era::Legacy && source.era() == Era::Legacy && !wraps_output {
        return result.clone();
    }
    let Ok(text) = std::str::from_utf8(result) else { return result.clone() };
    let raw = Raw::checked(text);
    let translated = match caller.era() {
        Era::Modern => for_modern(source, raw),
        Era::Legacy => for_legacy(source, raw, wraps_output),
    };
    match translated {
        Cow::Borrowed(_) => result.clone(),
        Cow::Owned(text) => text.into(),
    }
}

fn for_modern(source: Revision, result: Raw<'_>) -> Cow<'_, str> {
    let is_said = result.member("resultType");
    match (source.era(), is_said) {
        (Era::Modern, Some(_)) => Cow::Borrowed(result.get()),
        // A legacy source means something of its own by that member, if it has it.
        (Era::Legacy, Some(said)) if said.get() == "\"complete\"" => Cow::Borrowed(result.get()),
        _ => Cow::Owned(edit::set_member(result, "resultType", "\"complete\"")),
    }
}

fn for_legacy(source: Revision, result: Raw<'_>, wraps_output: bool) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(result.get());
    if source.era() == Era::Modern {
        if result.member("resultType").is_some() {
            text = Cow::Owned(edit::remove_member(result, "resultType"));
        }
        text = without_server_info(text);
    }
    let Some(structured) = result.member("structuredContent") else { return text };
    if structured.is_object() && !wraps_output {
        return text;
    }
    let wrapped = format!(r#"{{"result":{}}}"#, structured.get());
    let mut owned = edit::set_member(Raw::checked(&text), "structuredContent", &wrapped);
    if !structured.is_object() {
        owned = with_text(&owned, structured);
    }
    Cow::Owned(owned)
}

fn without_server_info(text: Cow<'_, str>) -> Cow<'_, str> {
    let result = Raw::checked(&text);
    let Some(meta) = result.member("_meta").filter(|meta| meta.member(SERVER_INFO).is_some()) else {
        return text;
    };
    let meta = edit::remove_member(meta, SERVER_INFO);
    let edited = if Raw::checked(&meta).members().next().is_none() {
        edit::remove_member(result, "_meta")
    } else {
        edit::set_member(result, "_meta", &meta)
    };
    Cow::Owned(edited)
}

/// Adds the structured value as text if the content has none, for callers who read text only.
fn with_text(text: &str, structured: Raw<'_>) -> String {
    let result = Raw::checked(text);
    let content = result.member("content").filter(|content| content.is_array());
    let is_text =
        |block: Raw<'_>| block.member("type").is_some_and(|kind| kind.as_str().as_deref() == Some("text"));
    if content.is_some_and(|content| content.elements().any(is_text)) {
        return text.to_owned();
    }
    let block = format!(r#"{{"type":"text","text":{}}}"#, write::quoted(structured.get()));
    let blocks: Vec<_> = content.into_iter().flat_map(Raw::elements).map(Raw::get).collect();
    let separator = if blocks.is_empty() { "" } else { "," };
    edit::set_member(result, "content", &format!("[{}{separator}{block}]", blocks.join(",")))
}

/// Returns the error of a source as the caller's era has it; `None` if it speaks of the link
/// between Doorward and the source, which is no business of the caller's.
pub fn error_for<'a>(caller: Revision, error: Raw<'a>) -> Option<Cow<'a, str>> {
    let code = error.member("code").and_then(|code| code.get().parse::<i64>().ok())?;
    if codes::RESERVED.contains(&code) {
        return None;
    }
    if caller.era() == Era::Modern && code == codes::LEGACY_RESOURCE_NOT_FOUND {
        let code = codes::INVALID_PARAMS.to_string();
        return Some(Cow::Owned(edit::set_member(error, "code", &code)));
    }
    Some(Cow::Borrowed(error.get()))
}

/// Returns the result of a tool call that failed on its way, told in words the model can read.
pub fn error_result(caller: Revision, text: &str) -> Bytes {
    let mut out = Vec::with_capacity(96 + text.len());
    out.push(b'{');
    if caller.era() == Era::Modern {
        out.extend_from_slice(br#""resultType":"complete","#);
    }
    out.extend_from_slice(br#""content":[{"type":"text","text":"#);
    write::string(&mut out, text);
    out.extend_from_slice(br#"}],"isError":true}"#);
    out.into()
}

/// Says whether the result of a tool call is the tool's own error.
pub fn is_error_result(result: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(result) else { return false };
    // Looked for in the text first: a result may be large, and few are errors.
    text.contains("isError")
        && Raw::checked(text).member("isError").is_some_and(|value| value.get() == "true")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODERN: Revision = Revision::V2026_07_28;
    const LEGACY: Revision = Revision::V2025_11_25;

    fn call(caller: Revision, source: Revision, result: &'static str, wraps: bool) -> String {
        let result = call_result(caller, source, &Bytes::from_static(result.as_bytes()), wraps);
        String::from_utf8(result.to_vec()).expect("text")
    }

    #[test]
    fn a_result_within_one_era_keeps_its_bytes() {
        let legacy = r#"{"content":[ ],"x":1.0}"#;
        let modern = r#"{"content":[ ],"resultType":"complete","x":1.0}"#;
        assert_eq!(call(LEGACY, LEGACY, legacy, false), legacy);
        assert_eq!(call(MODERN, MODERN, modern, false), modern);
    }

    #[test]
    fn a_legacy_result_becomes_complete_for_a_modern_caller() {
        assert_eq!(
            call(MODERN, LEGACY, r#"{"content":[],"big":9007199254740993}"#, false),
            r#"{"content":[],"big":9007199254740993,"resultType":"complete"}"#
        );
    }

    #[test]
    fn a_modern_result_loses_what_legacy_callers_do_not_know() {
        assert_eq!(
            call(
                LEGACY,
                MODERN,
                r#"{"resultType":"complete","content":[],"_meta":{"io.modelcontextprotocol/serverInfo":{},"a":1}}"#,
                false
            ),
            r#"{"content":[],"_meta":{"a":1}}"#
        );
        assert_eq!(
            call(
                LEGACY,
                MODERN,
                r#"{"content":[],"_meta":{"io.modelcontextprotocol/serverInfo":{}},"resultType":"complete"}"#,
                false
            ),
            r#"{"content":[]}"#
        );
    }

    #[test]
    fn structured_content_that_is_no_object_is_wrapped_and_told_as_text() {
        assert_eq!(
            call(LEGACY, MODERN, r#"{"content":[],"structuredContent":[1,"a"]}"#, true),
            r#"{"content":[{"type":"text","text":"[1,\"a\"]"}],"structuredContent":{"result":[1,"a"]}}"#
        );
        assert_eq!(
            call(LEGACY, MODERN, r#"{"content":[{"type":"text","text":"x"}],"structuredContent":1}"#, false),
            r#"{"content":[{"type":"text","text":"x"}],"structuredContent":{"result":1}}"#
        );
        assert_eq!(
            call(LEGACY, MODERN, r#"{"content":[],"structuredContent":{"a":1}}"#, true),
            r#"{"content":[],"structuredContent":{"result":{"a":1}}}"#
        );
    }

    #[test]
    fn errors_about_our_own_link_are_not_for_the_caller() {
        let raw = |text: &'static str| Raw::parse(text).expect("JSON");
        assert_eq!(error_for(MODERN, raw(r#"{"code":-32020,"message":"x"}"#)), None);
        assert_eq!(
            error_for(MODERN, raw(r#"{"code":-32002,"message":"x","y":1.0}"#)).as_deref(),
            Some(r#"{"code":-32602,"message":"x","y":1.0}"#)
        );
        assert_eq!(
            error_for(LEGACY, raw(r#"{"code":-32002,"message":"x"}"#)).as_deref(),
            Some(r#"{"code":-32002,"message":"x"}"#)
        );
    }

    #[test]
    fn an_error_result_is_seen_only_where_it_is_said() {
        assert!(is_error_result(br#"{"content":[],"isError":true}"#));
        assert!(!is_error_result(br#"{"content":[{"text":"isError\":true"}],"isError":false}"#));
        assert!(is_error_result(&error_result(MODERN, "the source `a` did not answer")));
    }
}

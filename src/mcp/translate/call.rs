//! Results of tool calls.

use std::borrow::Cow;

use bytes::Bytes;

use super::{COMPLETE, CallEnd, content, no_object, raw, remove_server_info, unfinished};
use crate::{
    mcp::{Raw, Revision, edit::Splices, object::Object, write},
    model::Era,
};

/// Returns the answer to a tool call as the caller's era has it. `wraps_output` says whether legacy
/// callers were shown an output schema that wraps the source's.
pub fn call_end(
    caller: Revision,
    source: Revision,
    id: Raw<'_>,
    result: &Bytes,
    wraps_output: bool,
) -> CallEnd {
    let Some(mut object) = Object::of(result) else { return no_object(result) };
    if let Some(end) = unfinished(source, &object, true) {
        return end;
    }
    match caller.era() {
        Era::Modern => object.set("resultType", COMPLETE),
        Era::Legacy => for_legacy(caller, source, &mut object, wraps_output),
    }
    let is_error = object.member("isError") == Some(b"true");
    CallEnd::Complete { answer: write::response_of(id, &object, result), is_error }
}

fn for_legacy<'a>(caller: Revision, source: Revision, result: &mut Object<'a>, wraps_output: bool) {
    if source.era() == Era::Modern {
        result.remove("resultType");
        remove_server_info(result);
    }
    let content = result.member("content");
    let known =
        content.filter(|content| content::may_surprise(caller, content)).and_then(raw).map(|content| {
            let mut splices = Splices::new(content);
            content::blocks(caller, content, &mut splices);
            splices.finish().into_owned()
        });
    let mut content = known.map(String::into_bytes).map(Cow::Owned);
    if let Some(structured) = result.member("structuredContent") {
        // Objects since 2025-06-18, which brought it.
        let is_read = structured.starts_with(b"{") && caller >= Revision::V2025_06_18;
        if !is_read {
            let there = content.as_deref().or(result.member("content"));
            content = with_text(there.and_then(raw), structured).map(Cow::Owned).or(content);
        }
        if !structured.starts_with(b"{") || wraps_output {
            result.set("structuredContent", [br#"{"result":"#, structured, b"}"].concat());
        }
    }
    if let Some(content) = content {
        result.set("content", content);
    }
}

/// Returns the content with the structured value as text, for callers who read text only; `None` if it has text.
fn with_text(content: Option<Raw<'_>>, structured: &[u8]) -> Option<Vec<u8>> {
    let content = content.filter(|content| content.is_array());
    let is_text =
        |block: Raw<'_>| block.member("type").is_some_and(|kind| kind.as_str().as_deref() == Some("text"));
    if content.is_some_and(|content| content.elements().any(is_text)) {
        return None;
    }
    let block = format!(r#"{{"type":"text","text":{}}}"#, write::quoted(raw(structured)?.get()));
    let blocks: Vec<_> = content.into_iter().flat_map(Raw::elements).map(Raw::get).collect();
    let separator = if blocks.is_empty() { "" } else { "," };
    Some(format!("[{}{separator}{block}]", blocks.join(",")).into_bytes())
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

#[cfg(test)]
mod tests {
    use super::*;

    const MODERN: Revision = Revision::V2026_07_28;
    const LEGACY: Revision = Revision::V2025_11_25;

    fn call(caller: Revision, source: Revision, result: &'static str, wraps: bool) -> String {
        let id = Raw::parse("1").expect("JSON");
        let CallEnd::Complete { answer, .. } =
            call_end(caller, source, id, &Bytes::from_static(result.as_bytes()), wraps)
        else {
            panic!("it is complete");
        };
        let answer = String::from_utf8(answer.whole().to_vec()).expect("text");
        let inner = answer.strip_prefix(r#"{"jsonrpc":"2.0","id":1,"result":"#).expect("an envelope");
        inner.strip_suffix('}').expect("an envelope").to_owned()
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
    fn callers_before_structured_content_read_it_as_text() {
        let old = Revision::V2025_03_26;
        let link = r#"{"content":[{"type":"resource_link","uri":"a:b","name":"n"}],"x":1.0}"#;

        assert_eq!(
            call(old, LEGACY, r#"{"content":[],"structuredContent":{"a":1.0}}"#, false),
            r#"{"content":[{"type":"text","text":"{\"a\":1.0}"}],"structuredContent":{"a":1.0}}"#
        );
        let told = r#"{"content":[{"type":"text","text":"a"}],"structuredContent":{"a":1}}"#;
        assert_eq!(call(old, LEGACY, told, false), told);
        assert_eq!(
            call(
                old,
                MODERN,
                r#"{"resultType":"complete","content":[{"type":"resource_link","uri":"a:b","name":"n"}],"structuredContent":[]}"#,
                false
            ),
            r#"{"content":[{"type":"text","text":"n: a:b"}],"structuredContent":{"result":[]}}"#
        );
        assert_eq!(
            call(old, LEGACY, link, false),
            r#"{"content":[{"type":"text","text":"n: a:b"}],"x":1.0}"#
        );
        assert_eq!(call(LEGACY, LEGACY, link, false), link);
    }

    #[test]
    fn a_result_says_whether_the_tool_failed() {
        let is_error = |result: &[u8]| {
            let result = Bytes::copy_from_slice(result);
            let end = call_end(MODERN, LEGACY, Raw::NULL, &result, false);
            matches!(end, CallEnd::Complete { is_error: true, .. })
        };
        assert!(is_error(br#"{"content":[],"isError":true}"#));
        assert!(is_error(br#"{"content":[],"is\u0045rror" : true }"#));
        assert!(!is_error(br#"{"content":[{"text":"\"isError\":true"}],"isError":false}"#));
        assert!(is_error(&error_result(MODERN, "the source `a` did not answer")));
    }

    #[test]
    fn what_is_no_object_is_no_result() {
        for (result, kind) in
            [("5", "number"), ("null", "null"), ("[{}]", "array"), ("\"{}\"", "string"), ("true", "boolean")]
        {
            for caller in [MODERN, LEGACY] {
                let end = call_end(caller, LEGACY, Raw::NULL, &Bytes::from_static(result.as_bytes()), false);
                assert_eq!(end, CallEnd::Other(kind.to_owned()), "{result}");
            }
        }
    }

    #[test]
    fn only_modern_sources_can_ask_for_more() {
        let asks = Bytes::from_static(br#"{"resultType":"input_required","requestState":"x"}"#);
        let end = |result| call_end(MODERN, MODERN, Raw::NULL, &Bytes::from_static(result), false);

        assert_eq!(call_end(LEGACY, MODERN, Raw::NULL, &asks, false), CallEnd::InputRequired);
        assert_eq!(end(br#"{"resultType":"task","taskId":"t"}"#), CallEnd::Task);
        assert_eq!(end(br#"{"resultType":"poem"}"#), CallEnd::Other("poem".to_owned()));
        assert_eq!(
            call(MODERN, LEGACY, r#"{"resultType":"input_required"}"#, false),
            r#"{"resultType":"complete"}"#
        );
        assert_eq!(call(MODERN, LEGACY, "{ }", false), r#"{"resultType":"complete"}"#);
        assert_eq!(call(MODERN, LEGACY, "{}\n", false), r#"{"resultType":"complete"}"#);
    }
}

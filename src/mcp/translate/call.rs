//! Results of tool calls.

use std::borrow::Cow;

use bytes::Bytes;

use super::{CallEnd, Survey, content, edited, kind_of, without_server_info};
use crate::{
    mcp::{
        Raw, Revision,
        edit::{self, Splices},
        write,
    },
    model::Era,
};

/// What is put at the end of a result that does not say that it is one.
const COMPLETE: &str = r#""resultType":"complete"}"#;

/// Returns the answer to a tool call as the caller's era has it. `wraps_output` says whether legacy
/// callers were shown an output schema that wraps the source's.
pub fn call_end(
    caller: Revision,
    source: Revision,
    id: Raw<'_>,
    result: &[u8],
    wraps_output: bool,
) -> CallEnd {
    let survey = Survey::of(result);
    if let Some(kind) = survey.asked(source) {
        return kind_of(kind, true);
    }
    let answer = match caller.era() {
        Era::Modern if survey.result_type.is_some_and(|said| said != b"\"complete\"") => {
            edited(id, result, |result| edit::set_member(result, "resultType", "\"complete\"").into())
        }
        Era::Modern if survey.result_type.is_some() => write::response(id, result),
        Era::Modern => {
            let open = result.trim_ascii_end().strip_suffix(b"}").unwrap_or(result);
            let separator: &[u8] = if survey.members == 0 { b"" } else { b"," };
            write::response_of(id, &[open, separator, COMPLETE.as_bytes()])
        }
        Era::Legacy => {
            let is_clean = source.era() == Era::Legacy || (survey.result_type.is_none() && !survey.has_meta);
            let is_plain = !content::may_surprise(caller, result);
            if is_clean && is_plain && survey.structured_suits(caller, wraps_output) {
                write::response(id, result)
            } else {
                edited(id, result, |result| for_legacy(caller, source, result, wraps_output).into())
            }
        }
    };
    CallEnd::Complete { answer, is_error: survey.is_error }
}

fn for_legacy(caller: Revision, source: Revision, result: Raw<'_>, wraps_output: bool) -> String {
    let mut text = Cow::Borrowed(result.get());
    if let Some(content) =
        result.member("content").filter(|_| content::may_surprise(caller, result.as_bytes()))
    {
        let mut splices = Splices::new(result);
        content::blocks(caller, content, &mut splices);
        text = splices.finish();
    }
    if source.era() == Era::Modern {
        if result.member("resultType").is_some() {
            text = Cow::Owned(edit::remove_member(Raw::checked(&text), "resultType"));
        }
        text = without_server_info(text);
    }
    let Some(structured) = result.member("structuredContent") else { return text.into_owned() };
    let is_unread = !structured.is_object() || caller < Revision::V2025_06_18;
    let mut owned = text.into_owned();
    if !structured.is_object() || wraps_output {
        let wrapped = format!(r#"{{"result":{}}}"#, structured.get());
        owned = edit::set_member(Raw::checked(&owned), "structuredContent", &wrapped);
    }
    if is_unread { with_text(&owned, structured) } else { owned }
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
        let CallEnd::Complete { answer, .. } = call_end(caller, source, id, result.as_bytes(), wraps) else {
            panic!("it is complete");
        };
        let answer = String::from_utf8(answer.to_vec()).expect("text");
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
            let end = call_end(MODERN, LEGACY, Raw::NULL, result, false);
            matches!(end, CallEnd::Complete { is_error: true, .. })
        };
        assert!(is_error(br#"{"content":[],"isError":true}"#));
        assert!(is_error(br#"{"content":[],"is\u0045rror" : true }"#));
        assert!(!is_error(br#"{"content":[{"text":"\"isError\":true"}],"isError":false}"#));
        assert!(is_error(&error_result(MODERN, "the source `a` did not answer")));
    }

    #[test]
    fn only_modern_sources_can_ask_for_more() {
        let asks = br#"{"resultType":"input_required","requestState":"x"}"#;

        assert_eq!(call_end(LEGACY, MODERN, Raw::NULL, asks, false), CallEnd::InputRequired);
        assert_eq!(
            call_end(MODERN, MODERN, Raw::NULL, br#"{"resultType":"task","taskId":"t"}"#, false),
            CallEnd::Task
        );
        assert_eq!(
            call_end(MODERN, MODERN, Raw::NULL, br#"{"resultType":"poem"}"#, false),
            CallEnd::Other("poem".to_owned())
        );
        assert_eq!(
            call(MODERN, LEGACY, r#"{"resultType":"input_required"}"#, false),
            r#"{"resultType":"complete"}"#
        );
        assert_eq!(call(MODERN, LEGACY, "{ }", false), r#"{ "resultType":"complete"}"#);
        assert_eq!(call(MODERN, LEGACY, "{}\n", false), r#"{"resultType":"complete"}"#);
    }
}

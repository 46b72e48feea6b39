//! The places in messages that name resources, and edits of exactly those.
//!
//! URIs are part of the contract between a source and its callers and stay as they are. Only where two
//! sources of one preset use the same URI is one of them given another, and then it must be another
//! everywhere: in contents, in the blocks of results and prompts, in what a tool says of its page, in
//! tasks and in news.

use std::borrow::Cow;

use crate::mcp::{Raw, edit::Splices, write};

/// How deep content inside content is looked into: a tool's result inside a sampled message.
const NESTING_MAX: usize = 4;

/// Returns the message with every URI in it as `map` says, every other byte as it was; `None` if
/// `map` changes none.
///
/// Takes a definition, a result (of a call, a prompt, a read, a task), or the parameters of a
/// notification. Knows `uri`, `contents[].uri`, resource links and embedded resources in `content`
/// and `messages[].content`, a task's `result`, and `_meta.ui.resourceUri` in both spellings.
pub fn rewritten(message: Raw<'_>, map: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut places = Vec::new();
    message_places(message, 0, &mut places);
    let mut splices = Splices::new(message);
    for place in places {
        if let Some(uri) = place.as_str().and_then(|uri| map(&uri)) {
            splices.replace(place, write::quoted(&uri));
        }
    }
    match splices.finish() {
        Cow::Borrowed(_) => None,
        Cow::Owned(text) => Some(text),
    }
}

/// Returns the `ui://` URI that a tool's definition names as its page (MCP Apps, SEP-1865).
pub fn app_uri(definition: Raw<'_>) -> Option<String> {
    let mut places = Vec::new();
    meta_places(definition, &mut places);
    places
        .into_iter()
        .find_map(|place| Some(place.as_str()?.into_owned()))
        .filter(|uri| uri.starts_with("ui://"))
}

fn message_places<'a>(message: Raw<'a>, depth: usize, places: &mut Vec<Raw<'a>>) {
    for member in message.members() {
        if member.is("uri") {
            places.push(member.value);
        } else if member.is("content") {
            content_places(member.value, depth, places);
        } else if member.is("contents") {
            places.extend(member.value.elements().filter_map(|one| one.member("uri")));
        } else if member.is("messages") {
            for content in member.value.elements().filter_map(|message| message.member("content")) {
                content_places(content, depth, places);
            }
        } else if member.is("result") && depth < NESTING_MAX {
            message_places(member.value, depth + 1, places);
        }
    }
    meta_places(message, places);
}

fn content_places<'a>(content: Raw<'a>, depth: usize, places: &mut Vec<Raw<'a>>) {
    if content.is_array() {
        for block in content.elements() {
            block_places(block, depth, places);
        }
    } else {
        block_places(content, depth, places);
    }
}

fn block_places<'a>(block: Raw<'a>, depth: usize, places: &mut Vec<Raw<'a>>) {
    match block.member("type").and_then(Raw::as_str).as_deref() {
        Some("resource_link") => places.extend(block.member("uri")),
        Some("resource") => places.extend(block.member("resource").and_then(|inner| inner.member("uri"))),
        Some("tool_result") if depth < NESTING_MAX => {
            if let Some(content) = block.member("content") {
                content_places(content, depth + 1, places);
            }
        }
        _ => {}
    }
}

fn meta_places<'a>(message: Raw<'a>, places: &mut Vec<Raw<'a>>) {
    let Some(meta) = message.member("_meta") else { return };
    places.extend(meta.member("ui").and_then(|ui| ui.member("resourceUri")));
    places.extend(meta.member("ui/resourceUri"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str) -> Option<String> {
        rewritten(Raw::parse(text).unwrap(), |uri| uri.strip_prefix("a:").map(|rest| format!("a:\"{rest}")))
    }

    #[test]
    fn every_place_that_names_a_resource_is_edited_and_nothing_else() {
        let cases = [
            (
                r#"{ "content":[{"type":"text","text":"a:1","uri":"a:1"},{"uri":"a:1", "type":"resource_link","name":"a:1"},{"type":"resource","resource":{"uri":"a:2","text":"a:2"}}], "structuredContent":{"uri":"a:1","n":1.0}}"#,
                r#"{ "content":[{"type":"text","text":"a:1","uri":"a:1"},{"uri":"a:\"1", "type":"resource_link","name":"a:1"},{"type":"resource","resource":{"uri":"a:\"2","text":"a:2"}}], "structuredContent":{"uri":"a:1","n":1.0}}"#,
            ),
            (
                r#"{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"a:1"}}},{"content":[{"type":"tool_result","content":[{"type":"resource_link","uri":"a:2"}]}]}]}"#,
                r#"{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"a:\"1"}}},{"content":[{"type":"tool_result","content":[{"type":"resource_link","uri":"a:\"2"}]}]}]}"#,
            ),
            (
                r#"{"contents":[{"uri":"a:1"},{"uri":"b:1"}]}"#,
                r#"{"contents":[{"uri":"a:\"1"},{"uri":"b:1"}]}"#,
            ),
            (r#"{"uri":"\u0061:1"}"#, r#"{"uri":"a:\"1"}"#),
            (
                r#"{"name":"t","_meta":{"ui":{"resourceUri":"a:1","x":"a:1"},"ui/resourceUri":"a:1"}}"#,
                r#"{"name":"t","_meta":{"ui":{"resourceUri":"a:\"1","x":"a:1"},"ui/resourceUri":"a:\"1"}}"#,
            ),
            (
                r#"{"taskId":"1","result":{"content":[{"type":"resource_link","uri":"a:1"}]}}"#,
                r#"{"taskId":"1","result":{"content":[{"type":"resource_link","uri":"a:\"1"}]}}"#,
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(marked(text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_message_that_names_none_of_them_is_not_copied() {
        for text in [r#"{"content":[{"type":"resource_link","uri":"b:1"}]}"#, r#"{"uri":1}"#, "{}", "[]", "1"]
        {
            assert_eq!(marked(text), None, "{text}");
        }
    }

    #[test]
    fn the_page_of_a_tool_is_found_in_both_spellings() {
        let uri = |text: &str| app_uri(Raw::parse(text).unwrap());

        assert_eq!(uri(r#"{"_meta":{"ui":{"resourceUri":"ui://a"}}}"#).as_deref(), Some("ui://a"));
        assert_eq!(uri(r#"{"_meta":{"ui/resourceUri":"ui://a"}}"#).as_deref(), Some("ui://a"));
        assert_eq!(uri(r#"{"_meta":{"ui":{"resourceUri":"https://a"}}}"#), None);
        assert_eq!(uri(r#"{"_meta":{}}"#), None);
    }
}

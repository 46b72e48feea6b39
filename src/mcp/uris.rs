//! Resource URIs, wherever they stand in a message.
//!
//! URIs are part of the contract between a source and its callers and stay as they are. Only where two
//! sources of one preset use the same URI is one of them given another, and then it must be another
//! everywhere: in lists, in contents, in the blocks of results and prompts, in what a tool says of its
//! page, in completions, in subscriptions and in news.

use std::borrow::Cow;

use crate::mcp::{Method, Raw, edit::Splices, notifications, write};

/// Maps a URI to another; `None` leaves it as it is.
pub type Map<'m> = &'m dyn Fn(&str) -> Option<String>;

/// Returns a source's result with its URIs mapped for callers.
pub fn map_result<'a>(method: Method, result: Raw<'a>, map: Map<'_>) -> Cow<'a, str> {
    let mut edits = Edits { splices: Splices::new(result), map };
    let each = |name| result.member(name).into_iter().flat_map(Raw::elements);
    match method {
        Method::ToolsList => each("tools").for_each(|tool| edits.tool(tool)),
        Method::ResourcesList | Method::DirectoryRead => {
            each("resources").for_each(|resource| edits.member(resource, "uri"));
        }
        Method::TemplatesList => {
            each("resourceTemplates").for_each(|template| edits.member(template, "uriTemplate"));
        }
        Method::ResourcesRead => each("contents").for_each(|contents| edits.member(contents, "uri")),
        Method::PromptsGet => {
            let contents = each("messages").filter_map(|message| message.member("content"));
            contents.for_each(|content| edits.block(content));
        }
        Method::ToolsCall => edits.call_result(result),
        Method::TasksGet => {
            if let Some(result) = result.member("result") {
                edits.call_result(result);
            }
        }
        _ => {}
    }
    edits.splices.finish()
}

/// Returns one entry of a list, a definition as the source has it, with its URIs mapped for callers.
pub fn map_entry<'a>(list: Method, entry: Raw<'a>, map: Map<'_>) -> Cow<'a, str> {
    let mut edits = Edits { splices: Splices::new(entry), map };
    match list {
        Method::ToolsList => edits.tool(entry),
        Method::TemplatesList => edits.member(entry, "uriTemplate"),
        _ => edits.member(entry, "uri"),
    }
    edits.splices.finish()
}

/// Returns a caller's parameters with their URIs mapped for the source.
pub fn map_params<'a>(method: Method, params: Raw<'a>, map: Map<'_>) -> Cow<'a, str> {
    let mut edits = Edits { splices: Splices::new(params), map };
    match method {
        Method::ResourcesRead
        | Method::ResourcesSubscribe
        | Method::ResourcesUnsubscribe
        | Method::DirectoryRead
        | Method::SkillsGet => edits.member(params, "uri"),
        Method::Complete => {
            if let Some(reference) = params.member("ref") {
                edits.member(reference, "uri");
            }
        }
        _ => {}
    }
    edits.splices.finish()
}

/// Returns the parameters of a source's notification with their URIs mapped for callers.
pub fn map_notification<'a>(name: &str, params: Raw<'a>, map: Map<'_>) -> Cow<'a, str> {
    let mut edits = Edits { splices: Splices::new(params), map };
    if name == notifications::RESOURCE_UPDATED {
        edits.member(params, "uri");
    }
    edits.splices.finish()
}

/// Returns the pages a tool brings along (MCP Apps): `_meta.ui.resourceUri`, and the flat
/// `_meta["ui/resourceUri"]` that was written before.
pub fn ui_resources(definition: Raw<'_>) -> impl Iterator<Item = Cow<'_, str>> {
    ui_members(definition).into_iter().flatten().filter_map(Raw::as_str)
}

fn ui_members(definition: Raw<'_>) -> [Option<Raw<'_>>; 2] {
    let meta = definition.member("_meta");
    let nested = meta.and_then(|meta| meta.member("ui")).and_then(|ui| ui.member("resourceUri"));
    [nested, meta.and_then(|meta| meta.member("ui/resourceUri"))]
}

struct Edits<'a, 'm> {
    splices: Splices<'a>,
    map: Map<'m>,
}

impl<'a> Edits<'a, '_> {
    fn member(&mut self, object: Raw<'a>, name: &str) {
        if let Some(value) = object.member(name) {
            self.value(value);
        }
    }

    fn value(&mut self, value: Raw<'a>) {
        if let Some(mapped) = value.as_str().and_then(|uri| (self.map)(&uri)) {
            self.splices.replace(value, write::quoted(&mapped));
        }
    }

    fn tool(&mut self, definition: Raw<'a>) {
        ui_members(definition).into_iter().flatten().for_each(|value| self.value(value));
    }

    fn call_result(&mut self, result: Raw<'a>) {
        result.member("content").into_iter().flat_map(Raw::elements).for_each(|block| self.block(block));
        self.tool(result);
    }

    fn block(&mut self, block: Raw<'a>) {
        match block.member("type").and_then(Raw::as_str).as_deref() {
            Some("resource_link") => self.member(block, "uri"),
            Some("resource") => {
                if let Some(resource) = block.member("resource") {
                    self.member(resource, "uri");
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw<'_> {
        Raw::parse(text).expect("JSON")
    }

    fn other(uri: &str) -> Option<String> {
        (uri == "ui://a").then(|| "ui://b".to_owned())
    }

    #[test]
    fn a_uri_is_another_one_everywhere_or_nowhere() {
        let cases = [
            (
                Method::ToolsList,
                r#"{"tools":[{"_meta":{"ui":{"resourceUri":"ui://a"},"ui/resourceUri":"ui://a"}}]}"#,
            ),
            (Method::ResourcesList, r#"{"resources":[{"uri":"ui://a"}, {"uri":"x","n":1.0}]}"#),
            (Method::TemplatesList, r#"{"resourceTemplates":[{"uriTemplate":"ui:\/\/a"}]}"#),
            (Method::ResourcesRead, r#"{"contents":[{"uri":"ui://a","text":"ui://a stays"}]}"#),
            (
                Method::PromptsGet,
                r#"{"messages":[{"content":{"type":"resource","resource":{"uri":"ui://a"}}},{"content":{"type":"text","uri":"ui://a"}}]}"#,
            ),
            (
                Method::ToolsCall,
                r#"{"content":[{"type":"resource_link","uri":"ui://a"},{"type":"text","text":"ui://a"}],"_meta":{"ui":{"resourceUri":"ui://a"}}}"#,
            ),
            (
                Method::TasksGet,
                r#"{"taskId":"t","result":{"content":[{"type":"resource_link","uri":"ui://a"}]}}"#,
            ),
        ];
        for (method, text) in cases {
            let mapped = map_result(method, raw(text), &other);

            assert!(matches!(mapped, Cow::Owned(_)), "{text}");
            let back =
                map_result(method, raw(&mapped), &|uri| (uri == "ui://b").then(|| "ui://a".to_owned()));
            assert_eq!(back, text.replace("\\/", "/"));
            assert!(matches!(map_result(method, raw(text), &|_| None), Cow::Borrowed(_)));
        }
        assert_eq!(
            map_result(Method::ResourcesRead, raw(cases[3].1), &other),
            r#"{"contents":[{"uri":"ui://b","text":"ui://a stays"}]}"#
        );
    }

    #[test]
    fn what_callers_name_is_what_the_source_knows() {
        let read = raw(r#"{"uri":"ui://a","x":{"uri":"ui://a"}}"#);
        let complete = raw(r#"{"ref":{"type":"ref/resource","uri":"ui://a"},"argument":{}}"#);

        assert_eq!(
            map_params(Method::ResourcesRead, read, &other),
            r#"{"uri":"ui://b","x":{"uri":"ui://a"}}"#
        );
        assert_eq!(
            map_params(Method::Complete, complete, &other),
            r#"{"ref":{"type":"ref/resource","uri":"ui://b"},"argument":{}}"#
        );
        assert_eq!(
            map_notification(notifications::RESOURCE_UPDATED, read, &other).matches("ui://b").count(),
            1
        );
        assert_eq!(map_entry(Method::ResourcesList, read, &other).matches("ui://b").count(), 1);
    }

    #[test]
    fn the_pages_of_a_tool_are_found_in_both_spellings() {
        let tool = raw(r#"{"_meta":{"ui/resourceUri":"ui://old","ui":{"resourceUri":"ui://new"}}}"#);

        assert_eq!(ui_resources(tool).collect::<Vec<_>>(), ["ui://new", "ui://old"]);
        assert_eq!(ui_resources(raw(r#"{"_meta":{"ui":{"resourceUri":7}}}"#)).count(), 0);
    }
}

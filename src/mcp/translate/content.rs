//! Content that older revisions do not know, told in what they do know.
//!
//! Readers of every revision skip members they do not know, so `title`, `icons`, `_meta` and
//! `structuredContent` stay where they are. A block of an unknown type is another matter: many
//! readers refuse the whole result. Audio came with 2025-03-26, links to resources with 2025-06-18,
//! and lists of blocks in a sampled message with 2025-11-25.

use std::borrow::Cow;

use memchr::memmem;

use crate::mcp::{Raw, Revision, edit::Splices, write};

/// The URI of an audio that is told as an embedded resource. It names nothing that could be read.
pub const AUDIO_URI: &str = "urn:mcp:audio";

/// Says whether a text may hold a block that callers of this revision do not know. It looks at bytes
/// only, so that the usual result is not walked through.
pub(super) fn may_surprise(caller: Revision, text: &[u8]) -> bool {
    if caller >= Revision::V2025_06_18 {
        return false;
    }
    let has = |word: &str| memmem::find(text, word.as_bytes()).is_some();
    has("resource_link") || (caller < Revision::V2025_03_26 && has("audio")) || has("\\u")
}

/// Replaces the blocks of a list that callers of this revision do not know.
pub(super) fn blocks<'a>(caller: Revision, content: Raw<'a>, splices: &mut Splices<'a>) {
    content.elements().for_each(|element| block(caller, element, splices));
}

/// Replaces a block if callers of this revision do not know its type.
pub(super) fn block<'a>(caller: Revision, block: Raw<'a>, splices: &mut Splices<'a>) {
    match block.member("type").and_then(Raw::as_str).as_deref() {
        Some("audio") if caller < Revision::V2025_03_26 => splices.replace(block, audio(block)),
        Some("resource_link") if caller < Revision::V2025_06_18 => splices.replace(block, link(block)),
        _ => {}
    }
}

/// Tells an audio as an embedded resource, which loses nothing of it.
fn audio(block: Raw<'_>) -> String {
    let text = |name| block.member(name).map_or("\"\"", Raw::get);
    let mut out = format!(
        r#"{{"type":"resource","resource":{{"uri":"{AUDIO_URI}","mimeType":{},"blob":{}}}"#,
        text("mimeType"),
        text("data")
    );
    push_member(&mut out, block, "annotations");
    push_member(&mut out, block, "_meta");
    out.push('}');
    out
}

/// Tells a link as text: what it is called, where it leads, what is said about it.
fn link(block: Raw<'_>) -> String {
    let text = |name| block.member(name).and_then(Raw::as_str).unwrap_or_default();
    let title = Some(text("title")).filter(|title| !title.is_empty()).unwrap_or_else(|| text("name"));
    let mut told = format!("{title}: {}", text("uri"));
    let description = text("description");
    if !description.is_empty() {
        told.push('\n');
        told.push_str(&description);
    }
    let mut out = format!(r#"{{"type":"text","text":{}"#, write::quoted(&told));
    push_member(&mut out, block, "annotations");
    push_member(&mut out, block, "_meta");
    out.push('}');
    out
}

fn push_member(out: &mut String, block: Raw<'_>, name: &str) {
    if let Some(value) = block.member(name) {
        out.push_str(",\"");
        out.push_str(name);
        out.push_str("\":");
        out.push_str(value.get());
    }
}

/// Returns a sampling request for callers of this revision: before 2025-11-25 a message has one block,
/// so that a message of several becomes several of the same role.
pub(super) fn sampling_request<'a>(caller: Revision, params: Raw<'a>) -> Cow<'a, str> {
    let mut splices = Splices::new(params);
    if caller >= Revision::V2025_11_25 {
        return splices.finish();
    }
    let messages = params.member("messages").filter(|messages| messages.is_array());
    let Some(messages) = messages else { return splices.finish() };
    for message in messages.elements() {
        match message.member("content") {
            Some(content) if content.is_array() => {
                splices.replace(message, one_by_one(caller, message, content))
            }
            Some(content) => block(caller, content, &mut splices),
            None => {}
        }
    }
    splices.finish()
}

fn one_by_one(caller: Revision, message: Raw<'_>, content: Raw<'_>) -> String {
    let each = content.elements().map(|element| {
        let mut inner = Splices::new(element);
        block(caller, element, &mut inner);
        let mut outer = Splices::new(message);
        outer.replace(content, inner.finish().into_owned());
        outer.finish().into_owned()
    });
    let each: Vec<_> = each.collect();
    if each.is_empty() {
        // A message of nothing.
        let mut outer = Splices::new(message);
        outer.replace(content, r#"{"type":"text","text":""}"#.to_owned());
        return outer.finish().into_owned();
    }
    each.join(",")
}

/// Returns a sampled message for a source of this revision: before 2025-11-25 it has one block. Texts
/// are put together; of other blocks the first is kept, the source having asked for one.
pub(super) fn sampled<'a>(source: Revision, answer: Raw<'a>) -> Cow<'a, str> {
    let mut splices = Splices::new(answer);
    let content = answer.member("content").filter(|content| content.is_array());
    if let Some(content) = content.filter(|_| source < Revision::V2025_11_25) {
        let texts: Option<Vec<_>> = content.elements().map(text_of).collect();
        let one = match (texts, content.elements().next()) {
            (Some(texts), Some(first)) if texts.len() == 1 => first.get().to_owned(),
            (Some(texts), _) => format!(r#"{{"type":"text","text":{}}}"#, write::quoted(&texts.join("\n"))),
            (None, first) => first.map_or("null", Raw::get).to_owned(),
        };
        splices.replace(content, one);
    }
    splices.finish()
}

fn text_of(block: Raw<'_>) -> Option<Cow<'_, str>> {
    block.member("type").filter(|kind| kind.as_str().as_deref() == Some("text"))?;
    block.member("text")?.as_str()
}

/// Says whether a form can be filled in by callers of this revision: before 2025-11-25 nothing can be
/// chosen more than once.
pub(super) fn form_suits(caller: Revision, params: Raw<'_>) -> bool {
    let is_many = |property: Raw<'_>| {
        property.member("type").is_some_and(|kind| kind.as_str().as_deref() == Some("array"))
    };
    caller >= Revision::V2025_11_25 || !fields(params).any(is_many)
}

/// Returns the form of an elicitation for callers of this revision: before 2025-11-25 the titles of
/// choices were a member of their own.
pub(super) fn form<'a>(caller: Revision, params: Raw<'a>) -> Cow<'a, str> {
    let mut splices = Splices::new(params);
    for field in fields(params).filter(|_| caller < Revision::V2025_11_25) {
        if let Some(choices) = field.member("oneOf") {
            splices.replace(field, old_choice(field, choices));
        }
    }
    splices.finish()
}

fn fields(params: Raw<'_>) -> impl Iterator<Item = Raw<'_>> {
    let properties = params.member("requestedSchema").and_then(|schema| schema.member("properties"));
    properties.into_iter().flat_map(Raw::members).map(|member| member.value)
}

/// Writes titled choices as the parallel lists `enum` and `enumNames`.
fn old_choice(property: Raw<'_>, choices: Raw<'_>) -> String {
    let list = |name: &str| {
        let each = choices.elements().map(|choice| choice.member(name).map_or("\"\"", Raw::get));
        format!("[{}]", each.collect::<Vec<_>>().join(","))
    };
    let mut out = String::from("{");
    for member in property.members() {
        if out.len() > 1 {
            out.push(',');
        }
        if member.is("oneOf") {
            out.push_str(&format!(r#""enum":{},"enumNames":{}"#, list("const"), list("title")));
        } else {
            out.push_str(&write::quoted(&member.name()));
            out.push(':');
            out.push_str(member.value.get());
        }
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLDEST: Revision = Revision::V2024_11_05;
    const OLD: Revision = Revision::V2025_03_26;

    fn raw(text: &str) -> Raw<'_> {
        Raw::parse(text).expect("JSON")
    }

    fn told(caller: Revision, content: &str) -> String {
        let content = raw(content);
        let mut splices = Splices::new(content);
        blocks(caller, content, &mut splices);
        splices.finish().into_owned()
    }

    #[test]
    fn an_audio_is_an_embedded_resource_where_there_is_no_audio() {
        let audio = r#"[{"type":"audio","data":"AAAA","mimeType":"audio/wav","annotations":{"priority":1.0}}, {"type":"text","text":"x"}]"#;

        assert_eq!(
            told(OLDEST, audio),
            r#"[{"type":"resource","resource":{"uri":"urn:mcp:audio","mimeType":"audio/wav","blob":"AAAA"},"annotations":{"priority":1.0}}, {"type":"text","text":"x"}]"#
        );
        assert_eq!(told(OLD, audio), audio);
    }

    #[test]
    fn a_link_is_text_where_there_are_no_links() {
        let link = r#"[{"type":"resource_link","uri":"a:b","name":"n","title":"T","description":"d"}]"#;

        assert_eq!(told(OLD, link), r#"[{"type":"text","text":"T: a:b\nd"}]"#);
        assert_eq!(told(Revision::V2025_06_18, link), link);
    }

    #[test]
    fn only_old_callers_are_looked_at_twice() {
        assert!(!may_surprise(Revision::V2025_06_18, b"resource_link"));
        assert!(may_surprise(OLD, b"resource_link"));
        assert!(!may_surprise(OLD, b"audio"));
        assert!(may_surprise(OLDEST, b"audio"));
        assert!(may_surprise(OLDEST, br"aud\u0069o"));
        assert!(!may_surprise(OLDEST, b"text"));
    }

    #[test]
    fn a_message_of_several_blocks_becomes_several_messages() {
        let params = raw(
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"assistant","content":{"type":"text","text":"c"}}],"maxTokens":9}"#,
        );

        assert_eq!(
            sampling_request(OLD, params),
            r#"{"messages":[{"role":"user","content":{"type":"text","text":"a"}},{"role":"user","content":{"type":"text","text":"b"}},{"role":"assistant","content":{"type":"text","text":"c"}}],"maxTokens":9}"#
        );
        assert_eq!(sampling_request(Revision::V2025_11_25, params), params.get());
        let empty = raw(r#"{"messages":[{"role":"user","content":[]}]}"#);
        assert_eq!(
            sampling_request(OLD, empty),
            r#"{"messages":[{"role":"user","content":{"type":"text","text":""}}]}"#
        );
    }

    #[test]
    fn a_sampled_message_has_one_block_where_there_can_be_one() {
        let of = |content: &str| {
            let answer = format!(r#"{{"role":"assistant","content":{content},"model":"m"}}"#);
            let sampled = sampled(Revision::V2025_06_18, raw(&answer)).into_owned();
            raw(&sampled).member("content").map(|content| content.get().to_owned()).expect("content")
        };
        let image = r#"{"type":"image","data":"","mimeType":"a"}"#;

        assert_eq!(of(image), image);
        assert_eq!(of(r#"[{"type":"text","text":"a" }]"#), r#"{"type":"text","text":"a" }"#);
        assert_eq!(
            of(r#"[{"type":"text","text":"a"},{"type":"text","text":"b"}]"#),
            r#"{"type":"text","text":"a\nb"}"#
        );
        assert_eq!(of(&format!(r#"[{image},{{"type":"text","text":"a"}}]"#)), image);
    }

    #[test]
    fn titled_choices_are_two_lists_before_2025_11_25_and_many_choices_cannot_be_asked() {
        let titled = raw(
            r#"{"message":"m","requestedSchema":{"type":"object","properties":{"a":{"type":"string","oneOf":[{"const":"x","title":"X"},{"const":"y","title":"Y"}],"default":"x"}}}}"#,
        );
        let many = raw(r#"{"requestedSchema":{"properties":{"a":{"type":"array","items":{"enum":["x"]}}}}}"#);

        assert_eq!(
            form(Revision::V2025_06_18, titled),
            r#"{"message":"m","requestedSchema":{"type":"object","properties":{"a":{"type":"string","enum":["x","y"],"enumNames":["X","Y"],"default":"x"}}}}"#
        );
        assert_eq!(form(Revision::V2025_11_25, titled), titled.get());
        assert!(form_suits(Revision::V2025_06_18, titled));
        assert!(!form_suits(Revision::V2025_06_18, many));
        assert!(form_suits(Revision::V2025_11_25, many));
    }
}

//! The parameters of a request as the source gets them.

use bytes::Bytes;

use crate::mcp::{META_PREFIX, Params, Raw, trace, write};

/// What is different at the source.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Edits<'a> {
    /// The member that names what is asked for, and the source's own name of it.
    pub(super) name: Option<(&'static str, &'a str)>,
    /// The source's own `requestState`, a JSON string; the caller's is ours and stays here.
    pub(super) state: Option<&'a str>,
    /// The member `ref` of a completion, as JSON.
    pub(super) reference: Option<&'a str>,
}

/// Returns the caller's parameters as the source knows things, without what is said between the
/// caller and Doorward: the protocol's own members of `_meta`, the progress token, our own state, and
/// `task`, which Doorward does not offer. Everything else keeps its bytes; if nothing is to be
/// changed, they are not copied either.
///
/// `body` is what `params` was read from.
pub(super) fn for_source(body: &Bytes, params: &Params<'_>, edits: Edits<'_>) -> Bytes {
    let is_same = |(member, name): (&str, &str)| {
        let own = if member == "name" { params.name } else { params.member(member) };
        own.is_some_and(|own| is_text(own, name))
    };
    let has_own = params.meta.is_some() || params.task.is_some() || params.request_state.is_some();
    if !has_own && edits.reference.is_none() && edits.name.is_none_or(is_same) {
        return body.slice_ref(params.raw.as_bytes());
    }
    let mut out = Vec::with_capacity(params.get().len() + 64);
    out.push(b'{');
    for member in params.raw.members() {
        let meta = if member.is("_meta") { Some(own_meta(member.value)) } else { None };
        if member.is("task") || member.is("requestState") || meta.as_ref().is_some_and(Option::is_none) {
            continue;
        }
        separate(&mut out);
        write::string(&mut out, &member.name());
        out.push(b':');
        match (meta.flatten(), edits.name, edits.reference) {
            (Some(meta), ..) => out.extend_from_slice(&meta),
            (None, Some((name, own)), _) if member.is(name) => write::string(&mut out, own),
            (None, _, Some(reference)) if member.is("ref") => out.extend_from_slice(reference.as_bytes()),
            _ => out.extend_from_slice(member.value.as_bytes()),
        }
    }
    if let Some(state) = edits.state {
        separate(&mut out);
        out.extend_from_slice(b"\"requestState\":");
        out.extend_from_slice(state.as_bytes());
    }
    out.push(b'}');
    out.into()
}

fn separate(out: &mut Vec<u8>) {
    if out.len() > 1 {
        out.push(b',');
    }
}

fn is_text(value: Raw<'_>, text: &str) -> bool {
    value.as_str().is_some_and(|value| value == text)
}

/// Returns the members of `_meta` that are the caller's own; `None` if there are none. Its trace goes
/// on with a span of ours in between.
fn own_meta(meta: Raw<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for member in meta.members() {
        let name = member.name();
        if name == "progressToken" || name.starts_with(META_PREFIX) {
            continue;
        }
        out.push(if out.is_empty() { b'{' } else { b',' });
        write::string(&mut out, &name);
        out.push(b':');
        match span(&name, member.value) {
            Some(span) => write::string(&mut out, &span),
            None => out.extend_from_slice(member.value.as_bytes()),
        }
    }
    if out.is_empty() {
        return None;
    }
    out.push(b'}');
    Some(out)
}

/// Returns the trace with a span of ours as the parent; `None` if the member is no trace.
fn span(name: &str, value: Raw<'_>) -> Option<String> {
    if name != trace::TRACEPARENT {
        return None;
    }
    let parent = trace::Traceparent::parse(&value.as_str()?)?;
    let mut span = [0; 8];
    getrandom::fill(&mut span).ok()?;
    Some(parent.child(span).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::Message;

    fn sent(params: &str, edits: Edits<'_>) -> (Bytes, Bytes) {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        let body = Bytes::from(body);
        let message = Message::parse(&body).expect("a message");
        let sent = for_source(&body, &message.params.expect("params"), edits);
        (body, sent)
    }

    fn named(name: &str) -> Edits<'_> {
        Edits { name: Some(("name", name)), ..Edits::default() }
    }

    #[test]
    fn parameters_that_need_no_edit_are_not_even_copied() {
        let params = r#"{"name":"a", "arguments":{"n":1.0},"x":[ ],"inputResponses":{}}"#;

        let (body, sent) = sent(params, named("a"));

        assert_eq!(sent, params);
        assert!(body.as_ptr_range().contains(&sent.as_ptr()));
    }

    #[test]
    fn only_the_name_changes_when_a_thing_has_another_name_at_its_source() {
        let (_, tool) =
            sent(r#"{"x":{"name":"a"},"name":"a","arguments":{"name":"a", "n":1.0}}"#, named("ü"));
        let (_, resource) =
            sent(r#"{"uri":"a:b","x":1.0}"#, Edits { name: Some(("uri", "b:c")), ..Edits::default() });
        let (_, completion) = sent(
            r#"{"ref":{"type":"ref/prompt","name":"a"},"argument":{"name":"x"}}"#,
            Edits { reference: Some(r#"{"name":"b"}"#), ..Edits::default() },
        );

        assert_eq!(tool, r#"{"x":{"name":"a"},"name":"ü","arguments":{"name":"a", "n":1.0}}"#);
        assert_eq!(resource, r#"{"uri":"b:c","x":1.0}"#);
        assert_eq!(completion, r#"{"ref":{"name":"b"},"argument":{"name":"x"}}"#);
    }

    #[test]
    fn what_is_between_the_caller_and_us_stays_here() {
        let own = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","progressToken":1"#;

        let without = sent(&format!(r#"{{"name":"a","task":{{"ttl":1}},"_meta":{{{own}}}}}"#), named("a")).1;
        let with =
            sent(&format!(r#"{{"name":"a","_meta":{{"traceparent":"00-1",{own},"b":1.0}}}}"#), named("a")).1;

        assert_eq!(without, r#"{"name":"a"}"#);
        assert_eq!(with, r#"{"name":"a","_meta":{"traceparent":"00-1","b":1.0}}"#);
    }

    #[test]
    fn the_state_of_the_round_before_is_the_sources_own() {
        let params = r#"{"requestState":"ours","name":"a","inputResponses":{"q":{}}}"#;

        let with = sent(params, Edits { state: Some("\"theirs\""), ..named("a") }).1;
        let without = sent(params, named("a")).1;

        assert_eq!(with, r#"{"name":"a","inputResponses":{"q":{}},"requestState":"theirs"}"#);
        assert_eq!(without, r#"{"name":"a","inputResponses":{"q":{}}}"#);
    }

    #[test]
    fn a_trace_goes_on_with_a_span_of_ours() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let params = format!(r#"{{"name":"a","_meta":{{"traceparent":"{parent}"}}}}"#);

        let sent = sent(&params, named("a")).1;

        let sent: serde_json::Value = serde_json::from_slice(&sent).expect("JSON");
        let child = sent["_meta"]["traceparent"].as_str().expect("text");
        assert!(child.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && child.ends_with("-01"));
        assert_ne!(child, parent);
    }
}

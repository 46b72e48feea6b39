//! The parameters of a call as the source gets them.

use bytes::Bytes;

use crate::mcp::{META_PREFIX, Params, Raw, write};

/// Returns the caller's parameters under the source's name of the tool, without what is said
/// between the caller and Doorward: the protocol's own members of `_meta`, the progress token, and
/// `task`, which Doorward does not offer. Everything else keeps its bytes; if nothing is to be
/// changed, they are not copied either.
///
/// `body` is what `params` was read from.
pub(super) fn for_source(body: &Bytes, params: &Params<'_>, tool: &str) -> Bytes {
    let is_same_name = params.name.is_some_and(|name| is_text(name, tool));
    if is_same_name && params.meta.is_none() && params.task.is_none() {
        return body.slice_ref(params.raw.as_bytes());
    }
    let mut out = Vec::with_capacity(params.get().len() + tool.len());
    out.push(b'{');
    for member in params.raw.members() {
        let meta = if member.is("_meta") { Some(own_meta(member.value)) } else { None };
        if member.is("task") || meta.as_ref().is_some_and(Option::is_none) {
            continue;
        }
        if out.len() > 1 {
            out.push(b',');
        }
        write::string(&mut out, &member.name());
        out.push(b':');
        match meta.flatten() {
            Some(meta) => out.extend_from_slice(&meta),
            None if member.is("name") => write::string(&mut out, tool),
            None => out.extend_from_slice(member.value.as_bytes()),
        }
    }
    out.push(b'}');
    out.into()
}

fn is_text(value: Raw<'_>, text: &str) -> bool {
    value.as_str().is_some_and(|value| value == text)
}

/// Returns the members of `_meta` that are the caller's own; `None` if there are none.
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
        out.extend_from_slice(member.value.as_bytes());
    }
    if out.is_empty() {
        return None;
    }
    out.push(b'}');
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::Message;

    fn sent(params: &str, tool: &str) -> (Bytes, Bytes) {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        let body = Bytes::from(body);
        let message = Message::parse(&body).expect("a message");
        let sent = for_source(&body, &message.params.expect("params"), tool);
        (body, sent)
    }

    #[test]
    fn parameters_that_need_no_edit_are_not_even_copied() {
        let params = r#"{"name":"a", "arguments":{"n":1.0},"x":[ ]}"#;

        let (body, sent) = sent(params, "a");

        assert_eq!(sent, params);
        assert!(body.as_ptr_range().contains(&sent.as_ptr()));
    }

    #[test]
    fn only_the_name_changes_when_a_tool_has_another_name_at_its_source() {
        let (_, sent) = sent(r#"{"x":{"name":"a"},"name":"a","arguments":{"name":"a", "n":1.0}}"#, "ü");

        assert_eq!(sent, r#"{"x":{"name":"a"},"name":"ü","arguments":{"name":"a", "n":1.0}}"#);
    }

    #[test]
    fn what_is_between_the_caller_and_us_stays_here() {
        let own = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","progressToken":1"#;

        let without = sent(&format!(r#"{{"name":"a","task":{{"ttl":1}},"_meta":{{{own}}}}}"#), "a").1;
        let with = sent(&format!(r#"{{"name":"a","_meta":{{"traceparent":"00-1",{own},"b":1.0}}}}"#), "a").1;

        assert_eq!(without, r#"{"name":"a"}"#);
        assert_eq!(with, r#"{"name":"a","_meta":{"traceparent":"00-1","b":1.0}}"#);
    }
}

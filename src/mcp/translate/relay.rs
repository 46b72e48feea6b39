//! Results of everything but tool calls: reading, filling in, completing, and extension methods.

use bytes::Bytes;

use super::{COMPLETE, CallEnd, content, no_object, raw, remove_server_info, unfinished};
use crate::{
    mcp::{CacheScope, Method, Raw, Revision, edit::Splices, object::Object, write},
    model::Era,
};

/// How long a result may be kept whose source does not say, in milliseconds: not at all.
pub const UNKNOWN_TTL_MS: u64 = 0;

/// Returns the answer to a request that is no tool call as the caller's era has it. `scope` is the
/// widest that callers may be told: what a source calls public is still private if Doorward chose it
/// for one principal.
pub fn result_end(
    method: Method,
    caller: Revision,
    source: Revision,
    id: Raw<'_>,
    result: &Bytes,
    scope: CacheScope,
) -> CallEnd {
    let Some(mut object) = Object::of(result) else { return no_object(result) };
    if let Some(end) = unfinished(source, &object, method.may_ask()) {
        return end;
    }
    match caller.era() {
        Era::Modern => for_modern(method, source, &mut object, scope),
        Era::Legacy => for_legacy(method, caller, source, &mut object),
    }
    CallEnd::Complete { answer: write::response_of(id, &object, result), is_error: false }
}

fn for_modern(method: Method, source: Revision, result: &mut Object<'_>, scope: CacheScope) {
    result.set("resultType", COMPLETE);
    if !method.is_cacheable() {
        return;
    }
    // A legacy source that has such members means something of its own by them.
    let said = |name| result.member(name).filter(|_| source.era() == Era::Modern).and_then(raw);
    let ttl = said("ttlMs").filter(|ttl| ttl.get().parse::<u64>().is_ok());
    let is_public = said("cacheScope").is_some_and(|scope| scope.as_str().as_deref() == Some("public"));
    if ttl.is_none() {
        result.set("ttlMs", UNKNOWN_TTL_MS.to_string().into_bytes());
    }
    let scope = if is_public { scope } else { CacheScope::Private };
    result.set("cacheScope", write::quoted(scope.as_str()).into_bytes());
}

fn for_legacy(method: Method, caller: Revision, source: Revision, result: &mut Object<'_>) {
    if source.era() == Era::Modern {
        result.remove("resultType");
        if method.is_cacheable() {
            result.remove("ttlMs");
            result.remove("cacheScope");
        }
        remove_server_info(result);
    }
    let messages = result.member("messages").filter(|_| method == Method::PromptsGet);
    if let Some(messages) = messages.filter(|messages| content::may_surprise(caller, messages)).and_then(raw)
    {
        let mut splices = Splices::new(messages);
        for block in messages.elements().filter_map(|message| message.member("content")) {
            content::block(caller, block, &mut splices);
        }
        result.set("messages", splices.finish().into_owned().into_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODERN: Revision = Revision::V2026_07_28;
    const LEGACY: Revision = Revision::V2025_11_25;

    fn end(method: Method, caller: Revision, source: Revision, result: &str, scope: CacheScope) -> String {
        let id = Raw::parse("1").expect("JSON");
        let end = result_end(method, caller, source, id, &Bytes::copy_from_slice(result.as_bytes()), scope);
        let CallEnd::Complete { answer, .. } = end else { panic!("it is complete: {end:?}") };
        let answer = String::from_utf8(answer.whole().to_vec()).expect("text");
        let inner = answer.strip_prefix(r#"{"jsonrpc":"2.0","id":1,"result":"#).expect("an envelope");
        inner.strip_suffix('}').expect("an envelope").to_owned()
    }

    #[test]
    fn a_resource_says_how_long_it_may_be_kept_and_by_whom() {
        let read = |caller, source, result, scope| end(Method::ResourcesRead, caller, source, result, scope);
        let legacy = r#"{"contents":[ ],"x":1.0}"#;
        let public = r#"{"contents":[],"resultType":"complete","ttlMs":5,"cacheScope":"public"}"#;

        assert_eq!(
            read(MODERN, LEGACY, legacy, CacheScope::Public),
            r#"{"contents":[ ],"x":1.0,"resultType":"complete","ttlMs":0,"cacheScope":"private"}"#
        );
        assert_eq!(read(LEGACY, LEGACY, legacy, CacheScope::Private), legacy);
        assert_eq!(read(MODERN, MODERN, public, CacheScope::Public), public);
        assert_eq!(
            read(MODERN, MODERN, public, CacheScope::Private),
            r#"{"contents":[],"resultType":"complete","ttlMs":5,"cacheScope":"private"}"#
        );
        assert_eq!(read(LEGACY, MODERN, public, CacheScope::Public), r#"{"contents":[]}"#);
        assert_eq!(
            read(MODERN, MODERN, r#"{"resultType":"complete","ttlMs":-1,"contents":[]}"#, CacheScope::Public),
            r#"{"resultType":"complete","ttlMs":0,"contents":[],"cacheScope":"private"}"#
        );
    }

    #[test]
    fn prompts_and_completions_only_say_that_they_are_complete() {
        let prompt = r#"{"messages":[],"ttlMs":"mine"}"#;
        assert_eq!(
            end(Method::PromptsGet, MODERN, LEGACY, prompt, CacheScope::Private),
            r#"{"messages":[],"ttlMs":"mine","resultType":"complete"}"#
        );
        assert_eq!(
            end(
                Method::Complete,
                LEGACY,
                MODERN,
                r#"{"resultType":"complete","completion":{"values":["a"]},"_meta":{"io.modelcontextprotocol/serverInfo":{}}}"#,
                CacheScope::Private
            ),
            r#"{"completion":{"values":["a"]}}"#
        );
    }

    #[test]
    fn a_prompt_keeps_to_what_its_caller_knows() {
        let prompt = r#"{"resultType":"complete","messages":[{"role":"user","content":{"type":"audio","data":"AA==","mimeType":"audio/wav"}}]}"#;
        let told = |caller| end(Method::PromptsGet, caller, MODERN, prompt, CacheScope::Private);

        assert_eq!(
            told(Revision::V2024_11_05),
            r#"{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"urn:mcp:audio","mimeType":"audio/wav","blob":"AA=="}}}]}"#
        );
        assert_eq!(
            told(Revision::V2025_03_26),
            r#"{"messages":[{"role":"user","content":{"type":"audio","data":"AA==","mimeType":"audio/wav"}}]}"#
        );
    }

    #[test]
    fn only_what_may_ask_asks() {
        let id = Raw::parse("1").expect("JSON");
        let asks = Bytes::from_static(br#"{"resultType":"input_required","requestState":"x"}"#);
        let end = |method| result_end(method, MODERN, MODERN, id, &asks, CacheScope::Private);

        assert_eq!(end(Method::PromptsGet), CallEnd::InputRequired);
        assert_eq!(end(Method::Complete), CallEnd::Other("input_required".to_owned()));
    }
}

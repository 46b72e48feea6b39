//! What must hold for arbitrary bytes. The fuzz targets call these, and so do the tests of `mcp` with
//! the seeds.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, value::RawValue};

use crate::mcp::{
    CacheScope, Message, Method, Raw, Revision, classify, edit, error, headers, headers::ParamHeaders,
    response, sealed, sse, trace::Traceparent, translate, uris, write,
};

/// Fails by panicking if something does not hold for these bytes.
pub type Check = fn(&[u8]);

/// Every target with its check, under the name of its folder of seeds.
pub const TARGETS: &[(&str, Check)] = &[
    ("envelope", envelope),
    ("sse", sse),
    ("headers", headers),
    ("translate", translate),
    ("sealed", sealed),
];

const REVISIONS: [Revision; 5] = [
    Revision::V2024_11_05,
    Revision::V2025_03_26,
    Revision::V2025_06_18,
    Revision::V2025_11_25,
    Revision::V2026_07_28,
];

/// Reads bytes as a message: what is taken is JSON for everybody, and says the same to everybody.
pub fn envelope(bytes: &[u8]) {
    let ours = Raw::parse_bytes(bytes);
    let theirs = serde_json::from_slice::<&RawValue>(bytes);
    if let Ok(ours) = ours {
        let theirs = theirs.expect("what is JSON here is JSON there");
        assert_eq!(ours.get(), theirs.get());
        visit(ours);
    }
    let refused = classify(&HeaderMap::new(), bytes).err();
    if let Some(refused) = refused {
        assert!(Raw::parse_bytes(&refused.render()).is_ok());
    }
    let Ok(message) = Message::parse(bytes) else { return };
    let whole = Raw::parse_bytes(bytes).expect("a message is JSON");
    assert_eq!(message.id.map(Raw::get), whole.member("id").filter(|id| !id.is_null()).map(Raw::get));
    if let Some(params) = &message.params {
        assert_eq!(params.name.map(Raw::get), params.member("name").map(Raw::get));
        assert_eq!(params.arguments.map(Raw::get), params.member("arguments").map(Raw::get));
        assert_eq!(params.request_state.map(Raw::get), params.member("requestState").map(Raw::get));
    }
    if let (Some(id), Some(result)) = (message.id, message.result) {
        let again = response(id, result.as_bytes());
        let again = Message::parse(&again).expect("what was written reads back");
        assert_eq!(again.result.map(Raw::get), Some(result.get()));
    }
    if let (Some(id), Some(error)) = (message.id, message.error) {
        let again = error::relay(id, error);
        assert_eq!(Message::parse(&again).expect("it reads back").error.map(Raw::get), Some(error.get()));
    }
}

/// Walks through a value by the walkers for checked text: each part is JSON by itself, and an edit of
/// one member leaves the others.
fn visit(value: Raw<'_>) {
    for member in value.members() {
        assert!(Raw::parse(member.value.get()).is_ok());
        visit(member.value);
    }
    for element in value.elements() {
        assert!(Raw::parse(element.get()).is_ok());
        visit(element);
    }
    if let Some(member) = value.members().next() {
        let without = edit::remove_member(value, &member.name());
        assert!(Raw::parse(&without).is_ok(), "{without}");
        assert!(Raw::checked(&without).members().all(|other| other.name() != member.name()));
        let with = edit::set_member(value, &member.name(), "[1]");
        assert!(Raw::parse(&with).is_ok(), "{with}");
    }
}

/// Reads bytes as a stream, whole and in pieces of the size that the first byte says.
pub fn sse(bytes: &[u8]) {
    let Some((size, stream)) = bytes.split_first() else { return };
    let whole = events(&[stream]);
    let pieces: Vec<&[u8]> = stream.chunks(usize::from(*size).max(1)).collect();
    assert_eq!(events(&pieces), whole);
    for event in whole {
        let again = events(&[&sse::encode(&event.data)]);
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].data, event.data);
    }
}

fn events(pieces: &[&[u8]]) -> Vec<sse::SseEvent> {
    let mut decoder = sse::Decoder::new(1 << 20);
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(piece).expect("the inputs are small");
        while let Some(event) = decoder.next_event().expect("the inputs are small") {
            events.push(event);
        }
    }
    events
}

/// Reads bytes as the value of a header, as text for one, and, cut at the first line feed, as a
/// schema with arguments.
pub fn headers(bytes: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(bytes)
        && let Some(text) = headers::decode_value(&value)
    {
        assert_eq!(headers::decode_value(&headers::encode_value(&text)).as_deref(), Some(&*text));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    assert_eq!(headers::decode_value(&headers::encode_value(text)).as_deref(), Some(text));
    if let Some(parent) = Traceparent::parse(text) {
        assert_eq!(Traceparent::parse(&parent.to_string()), Some(parent));
    }
    let Some((schema, arguments)) = text.split_once('\n') else { return };
    let (Ok(schema), Ok(arguments)) = (Raw::parse(schema), Raw::parse(arguments)) else { return };
    let Ok(spec) = ParamHeaders::of_schema(schema) else { return };
    let mirrored: HeaderMap = spec.for_arguments(Some(arguments)).into_iter().collect();
    assert_eq!(spec.check(&mirrored, Some(arguments)), Ok(()));
}

/// Reads bytes as a result, and takes it to every revision and back.
pub fn translate(bytes: &[u8]) {
    let Some(result) = Raw::parse_bytes(bytes).ok().filter(|result| result.is_object()) else { return };
    // An answer stands around its result, and a wrapped member one level deeper: what is as deep as a
    // message may be gets too deep by that.
    if Raw::parse(&format!("[[[[{}]]]]", result.get())).is_err() {
        return;
    }
    let id = Raw::parse("7").expect("JSON");
    let whole = Bytes::copy_from_slice(result.as_bytes());
    for caller in REVISIONS {
        for source in REVISIONS {
            told(&translate::call_end(caller, source, id, &whole, false));
            told(&translate::call_end(caller, source, id, &whole, true));
            for method in [Method::ResourcesRead, Method::PromptsGet, Method::Complete] {
                let scope = CacheScope::Public;
                told(&translate::result_end(method, caller, source, id, &whole, scope));
            }
        }
        if let Some(error) = translate::error_for(caller, result) {
            assert!(Raw::parse(&error).is_ok());
        }
    }
    round_trip(result);
    if let Ok(asked) = translate::InputRequired::read(result) {
        let entries: Vec<_> = asked
            .questions
            .iter()
            .map(|asked| translate::entry(&*asked.key, asked.ask, asked.params))
            .collect();
        let state = asked.state.and_then(Raw::as_str).unwrap_or(Cow::Borrowed(""));
        let again = translate::input_required_result(&entries, Some(&state));
        let again =
            translate::InputRequired::read(Raw::parse_bytes(&again).expect("JSON")).expect("questions");
        assert_eq!(again.questions.len(), asked.questions.len());
        for question in &asked.questions {
            for caller in REVISIONS {
                let sent = question.legacy_params(caller, "e");
                assert!(sent.is_empty() || Raw::parse(&sent).is_ok(), "{sent}");
            }
        }
    }
    if let Some(mapped) = uris::rewritten(result, |uri| Some(format!("x+{uri}"))) {
        let mapped = Raw::parse(&mapped).expect("JSON");
        let back = uris::rewritten(mapped, |uri| uri.strip_prefix("x+").map(str::to_owned));
        assert_eq!(tree(&back.expect("the same places")), tree(result.get()));
    }
}

/// A legacy result that a modern caller got is the same when it comes back.
fn round_trip(result: Raw<'_>) {
    let (modern, legacy) = (Revision::V2026_07_28, Revision::V2025_11_25);
    let id = Raw::parse("7").expect("JSON");
    let differs = ["resultType", "structuredContent", "content", "_meta"];
    let kept = |text: &str| {
        let text = Raw::checked(text);
        let members = text.members().filter(|member| !differs.iter().any(|name| member.is(name)));
        members.map(|member| (member.name().into_owned(), member.value.get().to_owned())).collect::<Vec<_>>()
    };
    let passed = |to, from, result: &str| {
        let result = Bytes::copy_from_slice(result.as_bytes());
        told(&translate::call_end(to, from, id, &result, false)).expect("complete")
    };
    let there = passed(modern, legacy, result.get());
    let back = passed(legacy, modern, &there);
    assert_eq!(kept(&there), kept(result.get()));
    assert_eq!(kept(&back), kept(result.get()));
    for name in ["content", "_meta"] {
        let member = |text: &str| Raw::checked(text).member(name).map(|value| value.get().to_owned());
        assert_eq!(member(&there), member(result.get()));
    }
}

/// Returns the result of an answer, which is JSON with the id that was asked with.
fn told(end: &translate::CallEnd) -> Option<String> {
    let translate::CallEnd::Complete { answer, .. } = end else { return None };
    let answer = answer.whole();
    let answer = Raw::parse_bytes(&answer).expect("an answer is JSON");
    assert_eq!(answer.member("id").map(Raw::get), Some("7"));
    Some(answer.member("result").expect("an answer has a result").get().to_owned())
}

fn tree(text: &str) -> Option<Value> {
    // Half a surrogate pair is JSON and no text: serde builds no tree of it.
    serde_json::from_str(text).ok()
}

/// Reads bytes as something that was handed out: what is read is written the same.
pub fn sealed(bytes: &[u8]) {
    use sealed::Purpose;
    for purpose in [Purpose::Cursor, Purpose::RequestState, Purpose::Task, Purpose::Session] {
        if let Ok(fields) = sealed::read(bytes, purpose, 0) {
            let expires_at = u64::from_be_bytes(bytes[2..10].try_into().expect("eight bytes"));
            if let Ok(again) = sealed::write(purpose, expires_at, &fields) {
                assert_eq!(again, bytes);
            }
        }
    }
    let mut out = Vec::new();
    write::string(&mut out, &String::from_utf8_lossy(bytes));
    assert!(Raw::parse_bytes(&out).is_ok());
}

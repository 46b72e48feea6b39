//! What the room promises of whole messages: what is taken, what is refused, and that nothing
//! passes differently here and in other readers of JSON.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use super::*;
use crate::model::Era;

mod properties;
mod seeds;
mod traps;

const MODERN_CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"grüße","arguments":{"n":1.0},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"progressToken":"p1"}}}"#;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("visible")));
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name, value);
    }
    headers
}

fn modern_headers() -> HeaderMap {
    headers(&[
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "=?base64?Z3LDvMOfZQ==?="),
    ])
}

fn rejected(headers: &HeaderMap, body: &str) -> i64 {
    let rejection = classify(headers, body.as_bytes()).expect_err(body);
    assert_eq!(rejection.status, StatusCode::BAD_REQUEST);
    let rendered: Value = serde_json::from_slice(&rejection.render()).expect("JSON");
    assert_eq!(rendered["error"]["code"], rejection.error.code);
    rejection.error.code
}

#[test]
fn the_scanner_and_serde_agree_on_what_json_is() {
    let seeds = [
        MODERN_CALL,
        r#"{"a":[1,-0,0.5,1e5,-1.25E-7,true,false,null,"",{}],"\u0041\n":"\ud83d\ude00","b":[[],[[]]]}"#,
        " [ 1 , { \"x\" : \"y\" } ] ",
        "\"a long string without any escape, longer than one step of the search for special bytes\"",
    ];
    let alphabet = b"{}[]\",:\\u0019eE+-.tfn \n\x01\x7fax";
    let mut random = 88_172_645_463_325_252_u64;
    let mut next = |bound: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % bound as u64).expect("small")
    };
    for seed in seeds {
        assert!(Raw::parse(seed).is_ok(), "{seed}");
        for _ in 0..4000 {
            let mut bytes = seed.as_bytes().to_vec();
            for _ in 0..=next(3) {
                let at = next(bytes.len());
                match next(3) {
                    0 => bytes[at] = alphabet[next(alphabet.len())],
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, alphabet[next(alphabet.len())]),
                }
            }
            let ours = Raw::parse_bytes(&bytes);
            let theirs = serde_json::from_slice::<Box<serde_json::value::RawValue>>(&bytes);
            let text = String::from_utf8_lossy(&bytes);
            // A name that is half a surrogate pair is no text; serde does not look when it skips.
            if !text.contains("\\ud8") || ours.is_ok() {
                assert_eq!(ours.is_ok(), theirs.is_ok(), "{text}");
            }
            if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
                assert_eq!(ours.get(), theirs.get());
                walk_all(ours);
            }
        }
    }
}

/// Visits every value by the walkers for checked text.
fn walk_all(value: Raw<'_>) {
    if value.is_object() {
        let bytes: Vec<_> = raw::ByteMembers::of(value.as_bytes()).map(|member| member.value).collect();
        let texts: Vec<_> = value.members().map(|member| member.value.as_bytes()).collect();
        assert_eq!(bytes, texts);
    }
    for member in value.members() {
        assert!(Raw::parse(member.value.get()).is_ok());
        walk_all(member.value);
    }
    for element in value.elements() {
        assert!(Raw::parse(element.get()).is_ok());
        walk_all(element);
    }
}

#[test]
fn edits_change_one_member_for_every_reader() {
    let texts = [
        r#"{"a":1,"b":{"a":[{"a":2}]},"c":"}\"a\":"}"#,
        r#"{ "\u0061" : "x" , "b":1.50 }"#,
        r#"{"b":[],"c":{}}"#,
        "{}",
    ];
    for text in texts {
        let raw = Raw::parse(text).expect("JSON");
        let mut expected: Value = serde_json::from_str(text).expect("JSON");

        let set = edit::set_member(raw, "a", "[1]");
        let removed = edit::remove_member(raw, "a");

        expected["a"] = serde_json::json!([1]);
        assert_eq!(serde_json::from_str::<Value>(&set).expect("JSON"), expected);
        expected.as_object_mut().expect("an object").remove("a");
        assert_eq!(serde_json::from_str::<Value>(&removed).expect("JSON"), expected);
        if let Some(span) = edit::member_span(raw, "b") {
            assert_eq!(edit::set_member(raw, "b", &text[span]), text);
        }
    }
}

#[test]
fn ten_thousand_levels_are_refused_without_a_stack() {
    for open in ["[", "{\"a\":", r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"a":"#] {
        let body = open.repeat(10_000);
        assert_eq!(
            Message::parse(body.as_bytes()).expect_err("too deep"),
            ParseError::Scan(ScanError::TooDeep),
            "{open}"
        );
    }
    let deepest = format!("{}{}", "[".repeat(DEPTH_MAX as usize), "]".repeat(DEPTH_MAX as usize));
    assert!(Raw::parse(&deepest).is_ok());
    assert_eq!(Raw::parse(&format!("[{deepest}]")), Err(ScanError::TooDeep));
    let call = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"arguments":{deepest}}}}}"#);
    assert_eq!(Message::parse(call.as_bytes()).expect_err("too deep"), ParseError::Scan(ScanError::TooDeep));
}

#[test]
fn a_message_is_read_without_being_changed() {
    let message = Message::parse(MODERN_CALL.as_bytes()).expect("a message");

    let params = message.params.expect("params");
    let meta = params.meta.expect("meta");
    assert!(message.is_request());
    assert_eq!(message.id.map(Raw::get), Some("7"));
    assert_eq!(message.method.as_deref(), Some("tools/call"));
    assert_eq!(params.arguments.map(Raw::get), Some(r#"{"n":1.0}"#));
    assert_eq!(params.name.and_then(Raw::as_str).as_deref(), Some("grüße"));
    assert_eq!(meta.progress_token.map(Raw::get), Some("\"p1\""));
    assert_eq!(meta.client_capabilities.map(Raw::get), Some("{}"));
}

#[test]
fn what_is_no_single_message_is_refused() {
    let cases = [
        ("", codes::PARSE),
        ("{", codes::PARSE),
        ("nonsense", codes::PARSE),
        ("[{}", codes::PARSE),
        ("7", codes::INVALID_REQUEST),
        ("{}", codes::INVALID_REQUEST),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, codes::INVALID_REQUEST),
        ("[]", codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, codes::INVALID_REQUEST),
        (r#"{"id":1,"method":"ping"}"#, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","id":1.0,"method":"ping"}"#, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","id":1e3,"method":"ping"}"#, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","id":1,"id":1,"method":"ping"}"#, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","meth\u006fd":"x"}"#, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"name":"a","name":"b"}}"#, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"a":1,"a":2}}}"#, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","id":1,"method":"x","result":{}}"#, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","result":{}}"#, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"} x"#, codes::PARSE),
    ];
    for (body, code) in cases {
        let error = Message::parse(body.as_bytes()).expect_err(body);
        assert_eq!(error.to_error().code, code, "{body}");
    }
    assert_eq!(Message::parse(b"\"\xff\"").expect_err("no text").to_error().code, codes::PARSE);
    let many: String = (0..=MEMBERS_MAX).map(|index| format!(r#","m{index}":1"#)).collect();
    let body = format!(r#"{{"jsonrpc":"2.0"{many}}}"#);
    assert_eq!(
        Message::parse(body.as_bytes()).expect_err("too many"),
        ParseError::Scan(ScanError::TooManyMembers)
    );
}

#[test]
fn an_error_about_an_unreadable_message_has_no_id() {
    let body = br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}"#;

    let message = Message::parse(body).expect("an answer");

    assert!(message.is_answer());
    assert!(message.id.is_none());
}

#[test]
fn a_modern_call_is_known_by_its_body_and_checked_by_its_headers() {
    let inbound = classify(&modern_headers(), MODERN_CALL.as_bytes()).expect("modern");

    assert_eq!(inbound.era, Era::Modern);
    assert_eq!(inbound.revision, Some(Revision::V2026_07_28));
    for missing in ["mcp-protocol-version", "mcp-method", "mcp-name"] {
        let mut without = modern_headers();
        without.remove(missing);
        assert_eq!(rejected(&without, MODERN_CALL), codes::HEADER_MISMATCH, "without {missing}");

        let mut other = modern_headers();
        other.insert(missing, HeaderValue::from_static("2025-11-25"));
        assert_eq!(rejected(&other, MODERN_CALL), codes::HEADER_MISMATCH, "another {missing}");

        let mut twice = modern_headers();
        let value = twice[missing].clone();
        twice.append(missing, value);
        assert_eq!(rejected(&twice, MODERN_CALL), codes::HEADER_MISMATCH, "{missing} twice");
    }
}

#[test]
fn a_malformed_modern_claim_is_never_taken_for_legacy() {
    let cases = [
        (r#""io.modelcontextprotocol/protocolVersion":7"#, codes::INVALID_PARAMS),
        (r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#, codes::INVALID_PARAMS),
        (
            r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":[]"#,
            codes::INVALID_PARAMS,
        ),
        (r#""x":1"#, codes::INVALID_PARAMS),
    ];
    for (meta, code) in cases {
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{"_meta":{{{meta}}}}}}}"#);
        let headers = headers(&[("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/list")]);
        assert_eq!(rejected(&headers, &body), code, "{meta}");
    }
    assert_eq!(
        rejected(&headers(&[]), r#"{"jsonrpc":"2.0","id":1,"method":"x","params":[]}"#),
        codes::INVALID_PARAMS
    );
}

#[test]
fn a_version_nobody_serves_is_answered_with_those_that_are() {
    let body = MODERN_CALL.replace("2026-07-28", "2099-01-01");
    let mut future = modern_headers();
    future.insert("mcp-protocol-version", HeaderValue::from_static("2099-01-01"));

    let rejection = classify(&future, body.as_bytes()).expect_err("unsupported");

    let rendered: Value = serde_json::from_slice(&rejection.render()).expect("JSON");
    assert_eq!(rendered["id"], 7);
    assert_eq!(rendered["error"]["code"], codes::UNSUPPORTED_VERSION);
    assert_eq!(rendered["error"]["data"]["requested"], "2099-01-01");
    assert_eq!(rendered["error"]["data"]["supported"][0], "2026-07-28");
    let legacy = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert_eq!(
        rejected(&headers(&[("mcp-protocol-version", "1999-01-01")]), legacy),
        codes::UNSUPPORTED_VERSION
    );
}

#[test]
fn legacy_messages_are_known_by_the_absence_of_a_claim() {
    let ping = r#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#;
    let initialize =
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2026-07-28"}}"#;
    let none = HeaderMap::new();
    let named = headers(&[("mcp-protocol-version", "2025-06-18")]);
    let modern = headers(&[("mcp-protocol-version", "2026-07-28")]);

    assert_eq!(classify(&none, ping.as_bytes()).expect("legacy").revision, None);
    assert_eq!(classify(&named, ping.as_bytes()).expect("legacy").revision, Some(Revision::V2025_06_18));
    assert_eq!(classify(&modern, initialize.as_bytes()).expect("legacy").era, Era::Legacy);
    assert_eq!(rejected(&modern, ping), codes::INVALID_PARAMS);
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    assert_eq!(classify(&modern, notification.as_bytes()).expect("modern").era, Era::Modern);
    assert_eq!(classify(&none, notification.as_bytes()).expect("legacy").era, Era::Legacy);
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    assert_eq!(classify(&none, answer.as_bytes()).expect("legacy").era, Era::Legacy);
}

#[test]
fn errors_echo_the_id_they_answer() {
    let id = Raw::parse("\"a\\\"b\"").expect("JSON");

    let with = ErrorObject::new(codes::METHOD_NOT_FOUND, "no \"x\"").render(Some(id));
    let without = ErrorObject::new(codes::PARSE, "x").render(None);

    assert_eq!(with, r#"{"jsonrpc":"2.0","id":"a\"b","error":{"code":-32601,"message":"no \"x\""}}"#);
    assert_eq!(without, r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}"#);
    let error = Raw::parse(r#"{"code":1,"x":1.0}"#).expect("JSON");
    assert_eq!(error::relay(id, error), r#"{"jsonrpc":"2.0","id":"a\"b","error":{"code":1,"x":1.0}}"#);
    assert_eq!(response(id, b"{}"), r#"{"jsonrpc":"2.0","id":"a\"b","result":{}}"#);
}

//! Mistakes other gateways have made, each with the test that keeps it out of here. Those that need a
//! network are tested where the network is.

use bytes::Bytes;

use super::*;
use crate::mcp::translate::{CallEnd, call_end, result_end};

fn raw(text: &str) -> Raw<'_> {
    Raw::parse(text).expect("JSON")
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// Returns the result that a caller gets of a tool call.
fn told(caller: Revision, source: Revision, result: &str, wraps_output: bool) -> String {
    let end = call_end(caller, source, raw("1"), &Bytes::copy_from_slice(result.as_bytes()), wraps_output);
    let CallEnd::Complete { answer, .. } = end else { panic!("it is complete: {end:?}") };
    let answer = String::from_utf8(answer.whole().to_vec()).expect("text");
    raw(&answer).member("result").expect("a result").get().to_owned()
}

/// Every revision that a caller or a source may speak, with every other.
fn pairs() -> impl Iterator<Item = (Revision, Revision)> {
    const ALL: [Revision; 5] = [
        Revision::V2024_11_05,
        Revision::V2025_03_26,
        Revision::V2025_06_18,
        Revision::V2025_11_25,
        Revision::V2026_07_28,
    ];
    ALL.into_iter().flat_map(|caller| ALL.into_iter().map(move |source| (caller, source)))
}

#[test]
fn a_keep_alive_comment_is_no_event_wherever_it_stands() {
    let mut decoder = sse::Decoder::new(1000);
    let event = sse::encode(b"{}");

    for part in [sse::KEEP_ALIVE, &event[..], sse::KEEP_ALIVE, sse::KEEP_ALIVE, &event[..]] {
        decoder.push(part).expect("small");
    }

    let events: Vec<_> = std::iter::from_fn(|| decoder.next_event().expect("small")).collect();
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event.data == "{}"));
}

#[test]
fn the_number_one_and_the_text_one_are_two_ids() {
    let cancel = |id: &str| {
        let body = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
        );
        let message = Message::parse(body.as_bytes()).expect("a message");
        message.params.and_then(|params| params.request_id()).map(|id| id.get().to_owned())
    };

    assert_eq!(cancel("1").as_deref(), Some("1"));
    assert_eq!(cancel("\"1\"").as_deref(), Some("\"1\""));
    assert_eq!(cancel("null"), None);
    assert_eq!(cancel("1.0"), None);
    assert_eq!(response(raw("\"1\""), b"{}"), r#"{"jsonrpc":"2.0","id":"1","result":{}}"#);
}

#[test]
fn a_progress_token_comes_back_with_the_type_it_had() {
    for token in ["7", "\"7\"", "\"p\\u0031\"", "9007199254740993"] {
        let body = MODERN_CALL.replace("\"p1\"", token);
        let message = Message::parse(body.as_bytes()).expect("a message");
        let asked = message.meta().and_then(|meta| meta.progress_token).expect("a token");

        let told =
            edit::set_member(raw(r#"{"progressToken":1,"progress":0.50}"#), "progressToken", asked.get());

        assert_eq!(told, format!(r#"{{"progressToken":{token},"progress":0.50}}"#));
    }
}

#[test]
fn no_member_is_lost_between_any_two_revisions() {
    let result = r#"{"content":[{"type":"text","text":"a","annotations":{"audience":["system"],"x":1}}],"structuredContent":{"big":9007199254740993,"f":1.0},"rows":[1,2],"tools":[],"_meta":{"com.example/k":{"a":null}}}"#;
    for (caller, source) in pairs() {
        let told = told(caller, source, result, false);
        let told = raw(&told);

        for member in raw(result).members() {
            let kept = told.member(&member.name()).map(Raw::get);
            assert_eq!(kept, Some(member.value.get()), "{} for {caller} from {source}", member.name());
        }
    }
}

#[test]
fn a_slightly_unusual_result_is_still_that_result() {
    let list =
        raw(r#"{"resultType":"complete","ttlMs":5,"cacheScope":"","tools":[{"name":"a","inputSchema":{}}]}"#);
    let read = r#"{"resultType":"complete","contents":[],"ttlMs":"soon","cacheScope":""}"#;

    let page = source_page(ListKind::Tools, list).expect("a page");
    let end = result_end(
        Method::ResourcesRead,
        Revision::LATEST,
        Revision::LATEST,
        raw("1"),
        &Bytes::from_static(read.as_bytes()),
        CacheScope::Public,
    );

    assert_eq!((page.entries.len(), page.scope), (1, CacheScope::Private));
    let CallEnd::Complete { answer, .. } = end else { panic!("it is complete") };
    assert_eq!(
        answer.whole(),
        r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","contents":[],"ttlMs":0,"cacheScope":"private"}}"#
    );
}

#[test]
fn a_mapped_uri_keeps_its_tool_its_page_and_its_links_together() {
    let rename = |uri: &str| uri.strip_prefix("ui://").map(|rest| format!("ui://files/{rest}"));
    let tool = raw(r#"{"name":"a","_meta":{"ui":{"resourceUri":"ui://page","csp":{}}}}"#);
    let link = r#"{"content":[{"type":"resource_link","uri":"ui://page","name":"n"}]}"#;

    let tool = uris::rewritten(tool, rename).expect("a page");
    let link = uris::rewritten(raw(link), rename).expect("a link");

    let page = uris::app_uri(raw(&tool)).expect("a page");
    assert_eq!(page, "ui://files/page");
    assert_eq!(value(&link)["content"][0]["uri"], page);
}

#[test]
fn what_a_legacy_caller_gets_matches_the_output_schema_it_was_shown() {
    let cases = [
        (r##"{"type":"array","items":{"$ref":"#/$defs/n"},"$defs":{"n":{"type":"integer"}}}"##, "[1,2]"),
        (r#"{"type":"string"}"#, "\"a\""),
        (r#"{"anyOf":[{"type":"object"},{"type":"null"}]}"#, "null"),
        (r#"{"anyOf":[{"type":"object"},{"type":"null"}]}"#, r#"{"a":1}"#),
        (r#"{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}"#, r#"{"a":1}"#),
    ];
    for (schema, structured) in cases {
        let definition = format!(r#"{{"name":"t","inputSchema":{{}},"outputSchema":{schema}}}"#);
        let result = format!(r#"{{"resultType":"complete","content":[],"structuredContent":{structured}}}"#);
        let tool = exposed(raw(&definition), "t", None).expect("a tool");

        let legacy = told(Revision::V2025_11_25, Revision::LATEST, &result, tool.wraps_output);

        let shown: Value = serde_json::from_slice(&tool.legacy).expect("JSON");
        let got = value(&legacy)["structuredContent"].clone();
        assert!(got.is_object(), "{structured}");
        assert!(jsonschema::is_valid(&shown["outputSchema"], &got), "{got} does not match {schema}");
    }
    let failed = r#"{"content":[{"type":"text","text":"no"}],"isError":true}"#;
    assert_eq!(told(Revision::V2025_11_25, Revision::LATEST, failed, true), failed);
}

#[test]
fn numbers_stay_as_they_were_written() {
    let structured = r#"{"a":9007199254740993,"b":1.0,"c":-0.0,"d":1E400,"e":18446744073709551616,"f":1.10}"#;
    let result = format!(r#"{{"content":[],"structuredContent":{structured}}}"#);
    for (caller, source) in pairs().filter(|(caller, _)| *caller >= Revision::V2025_06_18) {
        assert!(told(caller, source, &result, false).contains(structured), "{caller} from {source}");
    }
}

#[test]
fn a_schema_is_neither_resolved_nor_sorted_nor_too_deep() {
    let schema = r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"z":{"$ref":"https://example.com/never.json"},"a":{"$ref":"#/$defs/x"}},"$defs":{"x":{"$anchor":"x","const":1.0}},"additionalProperties":false}"##;
    let definition = format!(r#"{{"name":"t","inputSchema":{schema}}}"#);

    let tool = exposed(raw(&definition), "renamed", Some("d")).expect("a tool");

    for shown in [&tool.modern, &tool.legacy] {
        let shown = std::str::from_utf8(shown).expect("text");
        assert_eq!(raw(shown).member("inputSchema").map(Raw::get), Some(schema));
    }
    let deep = format!(r#"{{"name":"t","inputSchema":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
    assert_eq!(Raw::parse(&deep), Err(ScanError::TooDeep));
}

#[test]
fn news_without_parameters_has_no_params_at_all() {
    let news = listen::untagged(raw("[]")).into_owned();

    assert_eq!(
        notification(notifications::TOOLS_CHANGED, news.as_bytes()),
        r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#
    );
}

#[test]
fn a_list_keeps_the_order_it_was_given() {
    let entries: [&[u8]; 3] = [br#"{"name":"z"}"#, br#"{"name":"a"}"#, br#"{"name":"m"}"#];
    for era in [Era::Modern, Era::Legacy] {
        let page = list_page(ListKind::Prompts, era, &entries, None);
        let page = raw(std::str::from_utf8(&page).expect("text"));
        let names = page.member("prompts").expect("prompts").elements();
        assert_eq!(names.map(Raw::as_bytes).collect::<Vec<_>>(), entries);
    }
}

#[test]
fn a_caller_who_takes_one_form_only_is_answered_in_it() {
    let of = |text: &str| headers::accepts(&headers(&[("accept", text)]));

    assert!(of("text/event-stream").sse && !of("text/event-stream").json);
    assert!(of("application/json").json && !of("application/json").sse);
    assert!(of("text/event-stream, application/json").json, "the order refuses nothing");
    assert!(of("*/*").json && of("*/*").sse);
}

#[test]
fn a_batch_is_refused_before_anything_else() {
    let batches = [format!("[{MODERN_CALL}]"), "[]".to_owned(), format!(" [{MODERN_CALL},{MODERN_CALL}]")];
    for batch in batches {
        for headers in
            [modern_headers(), HeaderMap::new(), headers(&[("mcp-protocol-version", "2025-03-26")])]
        {
            assert_eq!(rejected(&headers, &batch), codes::INVALID_REQUEST, "{batch}");
        }
    }
}

#[test]
fn a_header_that_is_sent_twice_names_nothing() {
    for name in ["mcp-protocol-version", "mcp-method", "mcp-name"] {
        let mut twice = modern_headers();
        let value = twice[name].clone();
        twice.append(name, value);
        assert_eq!(rejected(&twice, MODERN_CALL), codes::HEADER_MISMATCH, "{name}");
    }
    let smuggled = MODERN_CALL.replace("grüße", "other");
    assert_eq!(rejected(&modern_headers(), &smuggled), codes::HEADER_MISMATCH);
}

#[test]
fn an_error_echoes_the_id_wherever_it_can_be_read() {
    let id_of = |headers: &HeaderMap, body: &str| {
        let rejection = classify(headers, body.as_bytes()).expect_err(body);
        let rendered: Value = serde_json::from_slice(&rejection.render()).expect("JSON");
        rendered["id"].clone()
    };
    let none = HeaderMap::new();

    assert_eq!(id_of(&none, MODERN_CALL), 7, "a header is missing");
    assert_eq!(id_of(&none, r#"{"jsonrpc":"1.0","id":"a","method":"x"}"#), "a");
    assert_eq!(id_of(&none, r#"{"jsonrpc":"2.0","id":7}"#), 7);
    assert_eq!(id_of(&none, r#"{"jsonrpc":"2.0","id":7,"method":"x","params":{"a":1,"a":2}}"#), 7);
    assert_eq!(id_of(&none, r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}"#), Value::Null);
    assert_eq!(id_of(&none, r#"{"jsonrpc":"2.0","id":1.5,"method":"x"}"#), Value::Null);
    assert_eq!(id_of(&none, "{"), Value::Null);
    assert_eq!(id_of(&none, "[]"), Value::Null);
}

#[test]
fn a_page_for_the_user_outlives_the_error_that_named_it() {
    // A source's call to sign in reaches every caller in some form: never as an error of the link.
    let error = raw(
        r#"{"code":-32042,"message":"sign in","data":{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://a.example","message":"m"}]}}"#,
    );

    let entries = translate::url_entries(error).expect("pages");
    let result = translate::input_required_result(&entries, None);

    let result = raw(std::str::from_utf8(&result).expect("text"));
    let read = translate::InputRequired::read(result).expect("questions");
    assert_eq!(read.questions[0].url().as_deref(), Some("https://a.example"));
    assert!(translate::error_for(Revision::V2025_11_25, error).is_some());
}

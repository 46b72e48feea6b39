//! Eras, sessions, and one request per call.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use http::{HeaderName, HeaderValue};
use serde_json::json;

use super::{
    echo, result, result_text,
    scripted::{NOW, Scripted, Seen, Sessions, limits, modern_answer, upstreams, upstreams_with, verdict},
};
use crate::{
    clock::Clock,
    mcp::{ListKind, Revision},
    model::{Auth, Era, EraSetting, EraVerdict},
    secret::Secret,
    upstream::{Answer, Call, LinkState, ReplyBody, Target, UpstreamError},
};

#[tokio::test]
async fn a_modern_source_is_recognised_and_each_call_is_one_request() {
    let source = Scripted::modern().await;
    let link = source.link();

    for number in 0..5 {
        let answer = link.call(echo(&format!("{{\"n\":{number}}}"))).await;
        assert_eq!(result(answer).await["echo"]["n"], number);
    }

    assert_eq!(
        source.methods(),
        ["server/discover", "tools/call", "tools/call", "tools/call", "tools/call", "tools/call"]
    );
    let found = link.verdict().unwrap();
    assert_eq!((found.era, found.server.as_str()), (Era::Modern, "scripted 1"));
}

#[tokio::test]
async fn a_modern_request_carries_its_headers_and_the_credential() {
    let source = Scripted::modern().await;
    let mut target = source.target();
    target.credential.auth = Auth::Bearer(Secret::new("t0ken"));
    let call = Call {
        name: Some("größe".to_owned()),
        param_headers: vec![(HeaderName::from_static("mcp-param-region"), HeaderValue::from_static("eu"))],
        ..echo("{}")
    };

    result(upstreams().link(&target).call(call).await).await;

    let seen = source.seen().into_iter().find(|seen| seen.method() == "tools/call").unwrap();
    assert_eq!(seen.header("mcp-protocol-version"), "2026-07-28");
    assert_eq!(seen.header("mcp-method"), "tools/call");
    assert_eq!(seen.header("mcp-name"), "=?base64?Z3LDtsOfZQ==?=");
    assert_eq!(seen.header("mcp-param-region"), "eu");
    assert_eq!(seen.header("authorization"), "Bearer t0ken");
    assert_eq!(seen.header("accept"), "application/json, text/event-stream");
    assert_eq!(seen.body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
}

#[tokio::test]
async fn a_legacy_source_gets_one_session_and_then_one_request_per_call() {
    let sessions = Sessions::default();
    let source = sessions.serve().await;
    let link = source.link();

    for number in 0..3 {
        let answer = link.call(echo(&format!("[{number}]"))).await.unwrap().finish().await.unwrap();
        assert_eq!(answer.revision, Revision::V2025_06_18);
    }

    assert_eq!(
        source.methods(),
        [
            "server/discover",
            "initialize",
            "notifications/initialized",
            "tools/call",
            "tools/call",
            "tools/call"
        ]
    );
    let last = source.seen().pop().unwrap();
    assert_eq!(last.header("mcp-session-id"), "session-1");
    assert_eq!(last.header("mcp-protocol-version"), "2025-06-18");
    assert_eq!(last.header("mcp-method"), "");
    assert!(last.body["params"].get("_meta").is_none());
}

#[tokio::test]
async fn a_result_is_passed_on_byte_for_byte() {
    let odd = r#"{ "z":1.0, "a" : 9007199254740993,"content":[ ],"unknown":{"b":1e2} }"#;
    let source = Scripted::start(move |seen| async move {
        match seen.method() {
            "tools/call" => {
                let body = format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{odd}}}", seen.body["id"]);
                axum::response::IntoResponse::into_response(([("content-type", "application/json")], body))
            }
            _ => modern_answer(&seen),
        }
    })
    .await;

    let text = result_text(source.link().call(echo("{}")).await).await;

    assert_eq!(text, odd);
}

#[tokio::test]
async fn a_fresh_verdict_saves_the_probe_and_an_old_one_does_not() {
    let source = Scripted::modern().await;
    let clock = Clock::manual(NOW);
    let target = Target { verdict: Some(verdict("modern", "2026-07-28", NOW)), ..source.target() };
    let link = upstreams_with(limits(), &clock).link(&target);

    result(link.call(echo("{}")).await).await;
    assert_eq!(source.methods(), ["tools/call"]);

    clock.advance(EraVerdict::LIFETIME);
    result(link.call(echo("{}")).await).await;
    assert_eq!(source.methods(), ["tools/call", "server/discover", "tools/call"]);
}

#[tokio::test]
async fn a_modern_verdict_that_has_become_wrong_is_found_out_by_the_next_call() {
    let sessions = Sessions::default();
    let source = sessions.serve().await;
    let target = Target { verdict: Some(verdict("modern", "2026-07-28", NOW)), ..source.target() };
    let link = upstreams().link(&target);

    let value = result(link.call(echo("7")).await).await;

    assert_eq!(value["echo"], 7);
    assert_eq!(link.verdict().unwrap().era, Era::Legacy);
}

#[tokio::test]
async fn a_legacy_verdict_that_has_become_wrong_is_found_out_when_a_session_is_opened() {
    let source = Scripted::modern().await;
    let target = Target { verdict: Some(verdict("legacy", "2025-06-18", NOW)), ..source.target() };
    let link = upstreams().link(&target);

    let value = result(link.call(echo("7")).await).await;

    assert_eq!(value["echo"], 7);
    assert_eq!(source.methods(), ["initialize", "server/discover", "tools/call"]);
}

#[tokio::test]
async fn the_owner_may_settle_the_era() {
    let sessions = Sessions::default();
    let old = sessions.serve().await;
    let new = Scripted::modern().await;

    let legacy = upstreams().link(&Target { era: EraSetting::Legacy, ..old.target() });
    result(legacy.call(echo("{}")).await).await;
    let modern = upstreams().link(&Target { era: EraSetting::Modern, ..new.target() });
    result(modern.call(echo("{}")).await).await;
    let wrong = upstreams().link(&Target { era: EraSetting::Modern, ..old.target() });

    assert_eq!(old.methods(), ["initialize", "notifications/initialized", "tools/call"]);
    assert!(!new.methods().contains(&"initialize".to_owned()));
    assert!(matches!(wrong.call(echo("{}")).await, Err(UpstreamError::NotMcp { .. })));
}

#[tokio::test]
async fn a_lost_session_is_opened_again_once_for_many_callers_and_each_call_is_sent_again() {
    let sessions = Sessions::default();
    let source = sessions.serve().await;
    let link = source.link();
    result(link.call(echo("{}")).await).await;
    sessions.forget_all();

    let calls = (0..20).map(|number| link.call(echo(&number.to_string())));
    let answers = join_all(calls).await;

    for (number, answer) in answers.into_iter().enumerate() {
        assert_eq!(result(answer).await["echo"], number);
    }
    assert_eq!(sessions.opened(), 2);
    assert_eq!(source.methods().iter().filter(|method| *method == "initialize").count(), 2);
}

#[tokio::test]
async fn a_session_that_stays_unknown_is_an_error_and_no_endless_loop() {
    let sessions = Sessions::default();
    let script = sessions.clone();
    let source = Scripted::start(move |seen| {
        let answer = script.answer(&seen);
        if seen.method() == "initialize" {
            script.forget_all();
        }
        async move { answer.unwrap_or_else(|| seen.result(json!({}))) }
    })
    .await;

    let reply = source.link().call(echo("{}")).await.unwrap().finish().await.unwrap();

    assert!(matches!(reply.body, ReplyBody::Error(_)));
    assert_eq!(sessions.opened(), 2);
}

#[tokio::test]
async fn closing_a_link_ends_the_session_at_the_source() {
    let sessions = Sessions::default();
    let source = sessions.serve().await;
    let upstreams = upstreams();
    let target = source.target();
    result(upstreams.link(&target).call(echo("{}")).await).await;
    assert_eq!(upstreams.status(target.source).unwrap().state, LinkState::Up);

    upstreams.shutdown().await;

    assert_eq!(sessions.open(), 0);
    assert!(upstreams.status(target.source).is_none());
}

#[tokio::test]
async fn a_link_is_shared_until_its_source_is_edited() {
    let source = Scripted::modern().await;
    let upstreams = upstreams();
    let target = source.target();

    let first = upstreams.link(&target);
    let same = upstreams.link(&target);
    let other = upstreams.link(&Target { version: 2, ..target });

    assert!(std::sync::Arc::ptr_eq(&first, &same));
    assert!(!std::sync::Arc::ptr_eq(&first, &other));
}

#[tokio::test]
async fn a_thousand_calls_at_once_get_their_own_answers() {
    let sessions = Sessions::default();
    for source in [Scripted::modern().await, sessions.serve().await] {
        let link = source.link();

        let answers = join_all((0..1000).map(|number| link.call(echo(&number.to_string())))).await;

        for (number, answer) in answers.into_iter().enumerate() {
            assert_eq!(result(answer).await["echo"], number);
        }
        let mut ids: Vec<String> = source.seen().iter().map(|seen| seen.body["id"].to_string()).collect();
        ids.retain(|id| id != "null");
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}

#[tokio::test]
async fn tools_are_listed_page_after_page() {
    let source = Scripted::start(|seen| async move { paged(&seen) }).await;

    let listing = source.link().list(ListKind::Tools).await.unwrap();

    let tools: Vec<&str> = listing.items.iter().map(|tool| tool.get()).collect();
    assert_eq!(tools, [r#"{"name":"a"}"#, r#"{"name":"b"}"#, r#"{"name":"c"}"#]);
    assert_eq!(listing.revision, Revision::LATEST);
}

fn paged(seen: &Seen) -> axum::response::Response {
    match (seen.method(), seen.body["params"]["cursor"].as_str()) {
        ("tools/list", None) => seen.result(json!({"tools": [{"name": "a"}], "nextCursor": ""})),
        ("tools/list", Some("")) => seen.result(json!({"tools": [{"name": "b"}], "nextCursor": "2\""})),
        ("tools/list", Some("2\"")) => seen.result(json!({"tools": [{"name": "c"}]})),
        _ => modern_answer(seen),
    }
}

#[tokio::test]
async fn a_list_without_end_is_given_up() {
    let endless = Scripted::start(|seen| async move {
        match seen.method() {
            "tools/list" => {
                let next = seen.body["params"]["cursor"].as_str().unwrap_or_default().to_owned() + "x";
                seen.result(json!({"tools": [], "nextCursor": next}))
            }
            _ => modern_answer(&seen),
        }
    })
    .await;
    let looping = Scripted::start(|seen| async move {
        match seen.method() {
            "tools/list" => seen.result(json!({"tools": [], "nextCursor": "same"})),
            _ => modern_answer(&seen),
        }
    })
    .await;

    for source in [endless, looping] {
        let outcome = source.link().list(ListKind::Tools).await;
        assert!(matches!(outcome, Err(UpstreamError::Protocol { .. })), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_source_without_tools_has_none() {
    let source = Scripted::modern().await;

    assert_eq!(source.link().list(ListKind::Tools).await.unwrap().items.len(), 0);
}

#[tokio::test]
async fn what_a_caller_keeps_in_meta_travels_beside_what_the_era_needs() {
    let source = Scripted::modern().await;
    let call = Call {
        params: Bytes::from_static(br#"{"name":"echo","_meta":{"traceparent":"00-abc"},"arguments":{}}"#),
        progress: true,
        timeout: Duration::from_secs(5),
        ..echo("{}")
    };

    let answer = source.link().call(call).await;

    assert!(matches!(answer, Ok(Answer::Complete(_))));
    let seen = source.seen().pop().unwrap();
    let meta = &seen.body["params"]["_meta"];
    assert_eq!(meta["traceparent"], "00-abc");
    assert_eq!(meta["progressToken"], seen.body["id"]);
    assert_eq!(meta["io.modelcontextprotocol/clientCapabilities"], json!({}));
}

//! Calls that take their time: progress, cancellation, callers who leave.

use std::sync::Arc;

use futures::StreamExt;
use http::StatusCode;
use serde_json::json;

use super::{
    door::{Ask, Door, Got, read},
    script::Script,
};
use crate::{
    model::{Era, KeyScope, Outcome},
    proxy::ProxyBody,
};

#[tokio::test]
async fn progress_arrives_under_the_callers_own_token() {
    for era in [Era::Modern, Era::Legacy] {
        let (door, source) = Door::with_source(era).await;
        let key = door.key(KeyScope::Everything).await;
        let session = door.session(&key, "2025-11-25").await;
        let params = |token: serde_json::Value| json!({"name":"streams","_meta":{"progressToken":token}});
        let asks = [
            (Ask::modern("tools/call", params(json!("p1"))), json!("p1")),
            (Ask::legacy(Some(&session), "tools/call", params(json!(7))), json!(7)),
        ];
        for (ask, token) in asks {
            let got = door.ask(&ask.key(&key)).await;

            assert_eq!(got.headers["content-type"], "text/event-stream", "{}", got.text);
            let methods: Vec<_> = got.messages.iter().map(|message| message["method"].clone()).collect();
            // A legacy caller who set no level leaves it to the source which messages it hears.
            let progress = got.messages.iter().filter(|said| said["method"] == "notifications/progress");
            let progress: Vec<_> = progress.collect();
            assert_eq!(progress.len(), 2, "{methods:?}");
            assert_eq!(progress[0]["params"]["progressToken"], token);
            assert_eq!(progress[1]["params"]["progress"], 2);
            assert!(got.answer()["result"]["content"].is_array());
        }
        let silent = door.ask(&Ask::modern_call("streams", json!({})).key(&key)).await;
        assert_eq!(silent.headers["content-type"], "application/json", "nobody asked for progress");
        assert!(source.script.bodies().last().is_some_and(|body| !body.contains("progressToken")));
    }
}

#[tokio::test]
async fn log_messages_arrive_only_where_they_were_asked_for() {
    let (door, _source) = Door::with_source(Era::Modern).await;
    let key = door.key(KeyScope::Everything).await;
    let call = |level: &str| {
        let meta = json!({"io.modelcontextprotocol/logLevel":level});
        Ask::modern("tools/call", json!({"name":"streams","_meta":meta})).key(&key)
    };

    let info = door.ask(&call("info")).await;
    let error = door.ask(&call("error")).await;

    assert_eq!(info.messages[0]["method"], "notifications/message");
    assert_eq!(error.messages.len(), 1, "{}", error.text);
}

#[tokio::test]
async fn a_log_message_beside_the_call_reaches_the_caller_who_asked_and_nobody_else() {
    let (door, source) = Door::with_source(Era::Legacy).await;
    let key = door.key(KeyScope::Everything).await;
    let call = |level: &str| {
        let meta = json!({"io.modelcontextprotocol/logLevel":level});
        Ask::modern("tools/call", json!({"name":"logs_beside","_meta":meta})).key(&key)
    };
    let said = |got: &Got| {
        let logs = got.messages.iter().filter(|said| said["method"] == "notifications/message");
        logs.map(|said| said["params"]["data"].clone()).collect::<Vec<_>>()
    };

    let info = door.ask(&call("info")).await;
    assert_eq!(said(&info), ["beside"], "also the first one: {}", info.text);
    assert_eq!(info.content_text(), "1", "one stream is open at the source");
    let silent = door.ask(&Ask::modern_call("logs_beside", json!({})).key(&key)).await;
    assert!(said(&silent).is_empty(), "{}", silent.text);
    // Its answer waits for what comes late beside it, also of the call before.
    let error = door.ask(&call("error")).await;
    assert!(said(&error).is_empty(), "{}", error.text);

    let session = door.session(&key, "2025-11-25").await;
    let legacy = |method: &str, params| Ask::legacy(Some(&session), method, params).key(&key);
    door.ask(&legacy("logging/setLevel", json!({"level":"debug"}))).await;
    let got = door.ask(&legacy("tools/call", json!({"name":"logs_beside"}))).await;
    assert_eq!(said(&got), ["beside"], "{}", got.text);

    let door = Arc::new(door);
    let (waiting, asked) =
        (Arc::clone(&door), Ask::legacy(Some(&session), "tools/call", json!({"name":"waits"})));
    let other = door.session(&key, "2025-11-25").await;
    let waits = tokio::spawn({
        let asked = asked.key(&key).header("mcp-session-id", &other);
        async move { waiting.ask(&asked).await }
    });
    Script::wait(&source.script.waiting).await;
    let got = door.ask(&call("info")).await;
    assert_eq!(said(&got), ["beside"], "{}", got.text);
    source.script.go_on.notify_one();
    let got = waits.await.expect("no panics");
    assert!(said(&got).is_empty(), "it asked for none: {}", got.text);
}

#[tokio::test]
async fn a_modern_caller_who_leaves_cancels_the_call() {
    for era in [Era::Modern, Era::Legacy] {
        let (door, source) = Door::with_source(era).await;
        let key = door.key(KeyScope::Everything).await;
        let ask = Ask::modern_call("waits", json!({})).key(&key);

        tokio::select! {
            _ = door.send(&ask) => panic!("nobody lets it end"),
            () = Script::wait(&source.script.waiting) => {}
        }

        Script::wait(&source.script.cancelled).await;
        let events = door.events().await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].outcome, Outcome::Cancelled);
        assert_eq!(events[0].reason, "the caller went away");
    }
}

#[tokio::test]
async fn a_silent_call_becomes_a_stream_that_shows_it_lives() {
    let (door, source) = Door::with_source(Era::Modern).await;
    let door = door.impatient();
    let key = door.key(KeyScope::Everything).await;
    let ask = Ask::modern_call("waits", json!({})).key(&key);

    let answer = door.send(&ask).await;

    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    let ProxyBody::Stream(mut pieces) = answer.body else { panic!("a stream") };
    assert_eq!(pieces.next().await.as_deref(), Some(&b":\n\n"[..]));
    assert_eq!(pieces.next().await.as_deref(), Some(&b":\n\n"[..]));
    source.script.go_on.notify_one();
    let mut rest = pieces.map(|piece| piece.to_vec()).concat().await;
    while rest.starts_with(b":\n\n") {
        rest.drain(..3);
    }
    assert!(rest.starts_with(b"event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":7,"), "{rest:?}");
    assert_eq!(door.events().await.len(), 1);
}

#[tokio::test]
async fn a_modern_caller_who_leaves_a_stream_cancels_the_call() {
    let (door, source) = Door::with_source(Era::Modern).await;
    let door = door.impatient();
    let key = door.key(KeyScope::Everything).await;
    let answer = door.send(&Ask::modern_call("waits", json!({})).key(&key)).await;
    assert!(matches!(answer.body, ProxyBody::Stream(_)));

    drop(answer);

    Script::wait(&source.script.cancelled).await;
}

#[tokio::test]
async fn a_legacy_caller_who_leaves_is_counted_when_the_call_ends() {
    let (door, source) = Door::with_source(Era::Legacy).await;
    let key = door.key(KeyScope::Everything).await;
    let session = door.session(&key, "2025-11-25").await;
    let ask = Ask::legacy(Some(&session), "tools/call", json!({"name":"waits"})).key(&key);
    let mut tail = door.engine.audit.tail();

    tokio::select! {
        _ = door.send(&ask) => panic!("nobody lets it end"),
        () = Script::wait(&source.script.waiting) => {}
    }
    source.script.go_on.notify_one();

    let event = tail.recv().await.expect("an event");
    assert_eq!(event.outcome, Outcome::Ok, "{}", event.reason);
    assert_eq!(source.script.cancelled.available_permits(), 0);
}

#[tokio::test]
async fn a_legacy_caller_cancels_by_notification() {
    let (door, source) = Door::with_source(Era::Legacy).await;
    let key = door.key(KeyScope::Everything).await;
    let session = door.session(&key, "2025-11-25").await;
    let ask = Ask::legacy(Some(&session), "tools/call", json!({"name":"waits"})).key(&key);
    let cancel = |id: &str| {
        let body = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
        );
        Ask::raw(body).header("mcp-session-id", &session).key(&key)
    };

    let cancelling = async {
        Script::wait(&source.script.waiting).await;
        assert_eq!(door.ask(&cancel("1")).await.status, StatusCode::ACCEPTED);
        assert_eq!(door.ask(&cancel("\"a\"")).await.status, StatusCode::ACCEPTED);
    };
    let (answer, ()) = tokio::join!(door.send(&ask), cancelling);

    let got = read(answer).await;
    assert!(got.messages.is_empty(), "{}", got.text);
    Script::wait(&source.script.cancelled).await;
    let events = door.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].outcome, events[0].reason.as_str()),
        (Outcome::Cancelled, "cancelled by the caller")
    );
}

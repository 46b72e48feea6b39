//! The sessions of legacy callers: their streams, what is kept of them, what they watch.

use http::{Method, StatusCode};
use serde_json::json;

use super::{
    door::{Ask, Door, Events},
    script::Script,
};
use crate::{
    model::{Era, KeyScope},
    proxy::ProxyBody,
};

#[tokio::test]
async fn a_stream_belongs_to_a_session_of_an_earlier_revision() {
    let (door, _source) = Door::with_source(Era::Legacy).await;
    let key = door.key(KeyScope::Everything).await;
    let session = door.session(&key, "2025-11-25").await;
    let get = |session: Option<&str>| Ask::get(session).key(&key);
    let cases = [
        (get(Some(&session)).header("mcp-protocol-version", "2026-07-28"), StatusCode::METHOD_NOT_ALLOWED),
        (
            get(Some(&session)).by(Method::DELETE).header("mcp-protocol-version", "2026-07-28"),
            StatusCode::METHOD_NOT_ALLOWED,
        ),
        (get(None), StatusCode::BAD_REQUEST),
        (get(Some(&"0".repeat(32))), StatusCode::NOT_FOUND),
        (get(Some(&session)).header("accept", "application/json"), StatusCode::NOT_ACCEPTABLE),
        (get(Some(&session)).header("last-event-id", "9-9"), StatusCode::BAD_REQUEST),
        (Ask::get(Some(&session)), StatusCode::UNAUTHORIZED),
    ];
    for (ask, status) in cases {
        let got = door.ask(&ask).await;
        assert_eq!(got.status, status, "{}", got.text);
    }
}

#[tokio::test]
async fn a_stream_opens_with_an_id_to_come_back_with_and_shows_that_it_lives() {
    let (door, _source) = Door::with_source(Era::Legacy).await;
    let door = door.impatient();
    let key = door.key(KeyScope::Everything).await;
    let session = door.session(&key, "2025-11-25").await;

    let answer = door.send(&Ask::get(Some(&session)).key(&key)).await;

    assert_eq!(answer.headers["cache-control"], "no-cache, no-transform");
    assert_eq!(answer.headers["x-accel-buffering"], "no");
    let ProxyBody::Stream(mut pieces) = answer.body else { panic!("a stream") };
    let mut next = async || futures::StreamExt::next(&mut pieces).await.expect("it lives");
    assert_eq!(next().await, "id: 0-0\nretry: 1000\ndata:\n\n");
    assert_eq!(next().await, ":\n\n");
}

#[tokio::test]
async fn revisions_that_know_no_empty_event_get_none() {
    let (door, _source) = Door::with_source(Era::Legacy).await;
    let door = door.impatient();
    let key = door.key(KeyScope::Everything).await;
    let session = door.session(&key, "2025-06-18").await;

    let answer = door.send(&Ask::get(Some(&session)).key(&key)).await;

    let ProxyBody::Stream(mut pieces) = answer.body else { panic!("a stream") };
    assert_eq!(futures::StreamExt::next(&mut pieces).await.as_deref(), Some(&b":\n\n"[..]));
}

#[tokio::test]
async fn whoever_opens_the_stream_again_takes_it_over() {
    let (door, _source) = Door::with_source(Era::Legacy).await;
    let key = door.key(KeyScope::Everything).await;
    let session = door.session(&key, "2025-11-25").await;
    let get = Ask::get(Some(&session)).key(&key);

    let mut first = Events::of(door.send(&get).await);
    let mut second = Events::of(door.send(&get).await);

    assert!(first.next().await.is_some_and(|event| event.data.is_empty()));
    assert!(first.next().await.is_none(), "the first one ends");
    assert!(second.next().await.is_some());
    let delete = Ask::raw("").header("mcp-session-id", &session).key(&key).by(Method::DELETE);
    assert_eq!(door.ask(&delete).await.status, StatusCode::NO_CONTENT);
    assert!(second.next().await.is_none(), "the session ends its stream");
}

#[tokio::test]
async fn a_session_that_prefers_streams_can_come_back_from_the_first_moment() {
    let (door, _source) = Door::with_source(Era::Legacy).await;
    let key = door.key(KeyScope::Everything).await;
    let session = door.session(&key, "2025-11-25").await;
    let ask = |accept| {
        let call = json!({"name":"echo","arguments":{}});
        Ask::legacy(Some(&session), "tools/call", call).header("accept", accept).key(&key)
    };

    let mut stream = Events::of(door.send(&ask("text/event-stream, application/json")).await);
    let object = door.send(&ask("application/json, text/event-stream")).await;

    let primed = stream.next().await.expect("an event to come back with");
    assert!(primed.data.is_empty() && primed.id.is_some());
    assert!(stream.message().await.expect("the answer")["result"].is_object());
    assert_eq!(object.headers["content-type"], "application/json");
}

#[tokio::test]
async fn an_answer_whose_stream_broke_is_fetched_by_its_last_event() {
    let (door, source) = Door::with_source(Era::Legacy).await;
    let door = door.impatient();
    let key = door.key(KeyScope::Everything).await;
    let session = door.session(&key, "2025-11-25").await;
    let ask = Ask::legacy(Some(&session), "tools/call", json!({"name":"waits"})).key(&key);
    let mut broken = Events::of(door.send(&ask).await);
    let primed = broken.next().await.expect("an event to come back with");
    assert!(primed.data.is_empty());
    let id = primed.id.expect("its id");
    drop(broken);

    let resume = Ask::get(Some(&session)).header("last-event-id", &id).key(&key);
    let mut resumed = Events::of(door.send(&resume).await);
    Script::wait(&source.script.waiting).await;
    source.script.go_on.notify_one();

    let answer = resumed.message().await.expect("the answer");
    assert_eq!(answer["id"], "a", "{answer}");
    assert!(answer["result"]["content"].is_array());
    assert!(resumed.next().await.is_none());
    let again = door.ask(&resume).await;
    assert_eq!(again.answer(), &answer, "it is kept for a while");
    assert_eq!(door.events().await.len(), 1);
    assert_eq!(source.script.cancelled.available_permits(), 0);
}

#[tokio::test]
async fn a_session_says_which_log_messages_it_wants() {
    let (door, source) = Door::with_source(Era::Modern).await;
    let key = door.key(KeyScope::Everything).await;
    let session = door.session(&key, "2025-11-25").await;
    let set = |level: &str| Ask::legacy(Some(&session), "logging/setLevel", json!({"level":level})).key(&key);
    let call = Ask::legacy(Some(&session), "tools/call", json!({"name":"streams"})).key(&key);

    assert_eq!(door.ask(&set("loud")).await.answer()["error"]["code"], -32602);
    assert_eq!(door.ask(&set("info")).await.answer()["result"], json!({}));
    let heard = door.ask(&call).await;
    door.ask(&set("error")).await;
    let unheard = door.ask(&call).await;

    assert_eq!(heard.messages[0]["method"], "notifications/message", "{}", heard.text);
    assert_eq!(unheard.messages.len(), 1, "{}", unheard.text);
    let bodies = source.script.bodies();
    assert!(bodies[0].contains(r#""io.modelcontextprotocol/logLevel":"info""#), "{}", bodies[0]);
}

#[tokio::test]
async fn a_revoked_key_ends_its_stream() {
    let (door, _source) = Door::with_source(Era::Legacy).await;
    let (id, key) = door.key_of(&door.ada, KeyScope::Everything).await;
    let session = door.session(&key, "2025-11-25").await;
    let mut events = Events::of(door.send(&Ask::get(Some(&session)).key(&key)).await);
    assert!(events.next().await.is_some());

    assert!(door.engine.identity.revoke_key(&door.ada, id).await.expect("a store"));

    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn experimental_tasks_of_the_last_legacy_revision_are_not_offered() {
    let (door, source) = Door::with_source(Era::Legacy).await;
    let key = door.key(KeyScope::Everything).await;
    let session = door.session(&key, "2025-11-25").await;

    let call = json!({"name":"echo","arguments":{"n":1},"task":{"ttl":1000}});
    let got = door.ask(&Ask::legacy(Some(&session), "tools/call", call).key(&key)).await;
    let list = door.ask(&Ask::legacy(Some(&session), "tasks/list", json!({})).key(&key)).await;

    assert_eq!(got.content_text(), r#"{"n":1}"#, "the call is answered at once");
    assert!(!source.script.bodies()[0].contains("task"));
    assert_eq!(list.answer()["error"]["code"], -32601);
}

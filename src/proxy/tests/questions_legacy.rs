//! Questions in the middle of a call, for legacy callers.

use std::time::Duration;

use futures::FutureExt;
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    asking::answer,
    door::{Ask, Door, Events},
    script::Script,
};
use crate::model::{Era, KeyScope, Outcome};

fn call(session: &str, key: &str, tool: &str) -> Ask {
    Ask::legacy(Some(session), "tools/call", json!({"name":tool})).key(key)
}

fn can() -> Value {
    json!({"elicitation":{},"roots":{}})
}

fn content_text(message: &Value) -> &str {
    message["result"]["content"][0]["text"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_legacy_caller_is_asked_on_its_own_stream() {
    for era in [Era::Modern, Era::Legacy] {
        let (door, source) = Door::with_source(era).await;
        let key = door.key(KeyScope::Everything).await;
        let session = door.session_with(&key, "2025-06-18", can()).await;

        let mut events = Events::of(door.send(&call(&session, &key, "asks_form")).await);
        let question = events.message().await.expect("a question");
        assert_eq!(question["method"], "elicitation/create");
        assert_eq!(question["params"]["message"], "Who?");
        assert_eq!(question["params"].get("_meta"), None, "{question}");
        let said = json!({"action":"accept","content":{"name":"x"}});
        let answered = door.ask(&Ask::answer(&session, &question, said).key(&key)).await;
        let last = events.message().await.expect("the answer");

        assert_eq!(answered.status, StatusCode::ACCEPTED);
        assert_eq!(last["id"], "a");
        assert!(content_text(&last).contains(r#"{"action":"accept","content":{"name":"x"}}"#), "{last}");
        assert!(events.next().await.is_none());
        let calls = if era == Era::Modern { 2 } else { 1 };
        assert_eq!(source.script.bodies().len(), calls);
        let written = door.events().await;
        assert_eq!((written.len(), written[0].outcome), (1, Outcome::Ok), "one call, whatever it asked");
        assert_eq!(door.engine.quota.usage(door.ada.user).await.expect("a store").used, 1);
    }
}

#[tokio::test]
async fn several_questions_and_several_rounds_come_one_after_the_other() {
    for (era, tool) in [
        (Era::Modern, "asks_two"),
        (Era::Modern, "asks_twice"),
        (Era::Legacy, "asks_two"),
        (Era::Legacy, "asks_twice"),
    ] {
        let (door, _source) = Door::with_source(era).await;
        let key = door.key(KeyScope::Everything).await;
        let session = door.session_with(&key, "2025-11-25", can()).await;

        let mut events = Events::of(door.send(&call(&session, &key, tool)).await);
        let mut ids = Vec::new();
        for _ in 0..2 {
            let question = events.message().await.expect("a question");
            ids.push(question["id"].clone());
            let said = match question["method"].as_str() {
                Some("roots/list") => json!({"roots":[]}),
                _ => json!({"action":"decline"}),
            };
            door.ask(&Ask::answer(&session, &question, said).key(&key)).await;
        }
        let last = events.message().await.expect("the answer");

        assert_ne!(ids[0], ids[1]);
        assert!(content_text(&last).contains("decline"), "{era:?} {tool}: {last}");
    }
}

#[tokio::test]
async fn a_legacy_caller_who_cannot_be_asked_is_told_what_was_wanted() {
    let (door, _source) = Door::with_source(Era::Modern).await;
    let key = door.key(KeyScope::Everything).await;
    let session = door.session(&key, "2025-06-18").await;

    let got = door.ask(&call(&session, &key, "asks_form")).await;

    assert_eq!(got.answer()["result"]["isError"], true, "{}", got.text);
    assert!(got.content_text().contains("elicitation/create"), "{}", got.text);
}

#[tokio::test]
async fn a_source_that_never_stops_asking_is_stopped() {
    let (mut door, source) = Door::with_source(Era::Modern).await;
    door.replace_proxy(|patience| patience.again = Duration::from_millis(1));
    let key = door.key(KeyScope::Everything).await;
    let session = door.session_with(&key, "2025-06-18", can()).await;

    let got = door.ask(&call(&session, &key, "asks")).await;

    assert_eq!(got.answer()["result"]["isError"], true, "{}", got.text);
    assert_eq!(source.script.bodies().len(), 1 + 8);
}

#[tokio::test]
async fn a_legacy_caller_who_does_not_answer_is_given_up() {
    for era in [Era::Modern, Era::Legacy] {
        let (mut door, source) = Door::with_source(era).await;
        door.replace_proxy(|patience| patience.answer = Duration::from_millis(20));
        let key = door.key(KeyScope::Everything).await;
        let session = door.session_with(&key, "2025-06-18", can()).await;

        let mut events = Events::of(door.send(&call(&session, &key, "asks_form")).await);
        let question = events.message().await.expect("a question");
        let taken_back = events.message().await.expect("a notification");
        let last = events.message().await.expect("the answer");

        assert_eq!(taken_back["method"], "notifications/cancelled");
        assert_eq!(taken_back["params"]["requestId"], question["id"]);
        assert!(content_text(&last).contains(r#"{"action":"cancel"}"#), "{last}");
        if era == Era::Legacy {
            assert_eq!(answer(&source.script, 900).await, json!({"action":"cancel"}));
        }
    }
}

#[tokio::test]
async fn a_caller_who_cancels_while_it_is_asked_ends_the_call_at_the_source() {
    let (door, source) = Door::with_source(Era::Legacy).await;
    let key = door.key(KeyScope::Everything).await;
    let session = door.session_with(&key, "2025-06-18", can()).await;
    let mut events = Events::of(door.send(&call(&session, &key, "asks_form")).await);
    let question = events.message().await.expect("a question");
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}"#;

    door.ask(&Ask::raw(cancel).header("mcp-session-id", &session).key(&key)).await;

    assert!(events.next().await.is_none());
    Script::wait(&source.script.cancelled).await;
    let late = door.ask(&Ask::answer(&session, &question, json!({"action":"accept"})).key(&key)).await;
    assert_eq!(late.status, StatusCode::ACCEPTED);
    assert_eq!(door.events().await[0].outcome, Outcome::Cancelled);
}

#[tokio::test]
async fn nobody_answers_for_another_session() {
    let (door, _source) = Door::with_source(Era::Legacy).await;
    let key = door.key(KeyScope::Everything).await;
    let session = door.session_with(&key, "2025-06-18", can()).await;
    let other = door.session_with(&key, "2025-06-18", can()).await;
    let mut events = Events::of(door.send(&call(&session, &key, "asks_form")).await);
    let question = events.message().await.expect("a question");

    door.ask(&Ask::answer(&other, &question, json!({"action":"accept"})).key(&key)).await;
    door.ask(&Ask::answer(&session, &question, json!({"action":"decline"})).key(&key)).await;

    let last = events.message().await.expect("the answer");
    assert!(content_text(&last).contains("decline"), "{last}");
}

#[tokio::test]
async fn a_legacy_caller_hears_when_the_page_it_was_sent_to_is_done() {
    let (door, source) = Door::with_source(Era::Legacy).await;
    let key = door.key(KeyScope::Everything).await;
    let session = door.session_with(&key, "2025-11-25", json!({"elicitation":{"url":{}}})).await;
    let other = door.session_with(&key, "2025-11-25", json!({"elicitation":{"url":{}}})).await;
    let get = |session: &str| Ask::get(Some(session)).key(&key);
    let mut own = Events::of(door.send(&get(&session)).await);
    let mut others = Events::of(door.send(&get(&other)).await);

    let got = door.ask(&call(&session, &key, "asks_pages")).await;
    assert_eq!(got.answer()["error"]["data"]["elicitations"][0]["elicitationId"], "e1", "{}", got.text);
    let done = |id: &str| json!({"elicitationId":id,"x":1.5});
    // The watch at the source follows the answer: what was told too early is told again.
    let mut heard = None;
    for _ in 0..200 {
        for id in ["e2", "e1"] {
            let method = "notifications/elicitation/complete".to_owned();
            let _ = source.script.news.send((method, done(id)));
        }
        heard = tokio::time::timeout(Duration::from_millis(50), own.message()).await.ok().flatten();
        if heard.is_some() {
            break;
        }
    }
    let news = heard.expect("it is told");

    assert_eq!(news["method"], "notifications/elicitation/complete");
    assert_eq!(news["params"], done("e1"), "and not of one it was never sent to");
    assert!(others.message().now_or_never().is_none(), "another session was not sent there");
}

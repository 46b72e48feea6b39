//! Streams of calls that break off and go on.

use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    echo, last,
    scripted::{Pens, Scripted, Seen, Sessions, Underway, modern_answer},
    stream,
};
use crate::upstream::{Call, Event, UpstreamError};

fn progress(seen: &Seen, step: u32) -> Value {
    let token = seen.body["params"]["_meta"]["progressToken"].clone();
    json!({"jsonrpc": "2.0", "method": "notifications/progress",
        "params": {"progressToken": token, "progress": step}})
}

fn done(seen: &Seen) -> Value {
    json!({"jsonrpc": "2.0", "id": seen.body["id"], "result": {"done": true}})
}

/// A legacy source whose streams a test writes, those that go on included, as long as it lets them.
async fn numbered(pens: &Arc<Pens>, resumes: bool) -> Scripted {
    let (sessions, pens) = (Sessions::default(), Arc::clone(pens));
    Scripted::start(move |seen| {
        let is_get = seen.http_method == Method::GET;
        let answer = if is_get { None } else { sessions.answer(&seen) };
        let pens = Arc::clone(&pens);
        async move {
            match answer {
                Some(answer) => answer,
                None if is_get && !resumes => {
                    axum::response::IntoResponse::into_response(StatusCode::METHOD_NOT_ALLOWED)
                }
                None => pens.open(),
            }
        }
    })
    .await
}

fn is_get(seen: &Seen) -> bool {
    seen.http_method == Method::GET
}

#[tokio::test]
async fn a_stream_that_breaks_off_goes_on_after_the_last_event() {
    let pens = Pens::new();
    let call = Call { progress: true, ..echo("{}") };
    let Underway { source, pen, request, calling } =
        Underway::begin(numbered(&pens, true).await, &pens, call).await;
    pen.write("id: a-1\n");
    pen.say(&progress(&request, 1));
    let mut stream = stream(calling.await.unwrap());
    assert!(matches!(stream.next().await, Some(Ok(Event::Notification { .. }))));
    // Half an event is sent again by the source.
    pen.write("id: a-2\ndata: {\"jsonrpc\"");

    drop(pen);
    let reading = tokio::spawn(async move {
        let second = stream.next().await;
        assert!(matches!(second, Some(Ok(Event::Notification { .. }))), "{second:?}");
        last(&mut stream).await
    });
    let pen = pens.next().await;
    pen.write("id: a-2\n");
    pen.say(&progress(&request, 2));
    pen.say(&done(&request));

    assert_eq!(reading.await.unwrap()["done"], true);
    let resumed = source.wait_for(is_get).await;
    assert_eq!(resumed.header("last-event-id"), "a-1");
    assert_eq!(resumed.header("mcp-session-id"), "session-1");
    assert!(!source.methods().contains(&"notifications/cancelled".to_owned()));
    assert_eq!(source.seen().iter().filter(|seen| seen.method() == "tools/call").count(), 1);
}

#[tokio::test]
async fn a_source_may_end_the_stream_on_purpose_and_be_asked_again() {
    let pens = Pens::new();
    let Underway { source, mut pen, request, calling } =
        Underway::begin(numbered(&pens, true).await, &pens, echo("{}")).await;
    // More often than a broken stream is asked for again: each brings something new.
    for number in 0..10 {
        pen.write(format!("id: {number}\nretry: 20\ndata:\n\n"));
        drop(pen);
        pen = pens.next().await;
    }
    pen.say(&done(&request));

    let reply = calling.await.unwrap().unwrap().finish().await.unwrap();

    assert!(matches!(reply.body, crate::upstream::ReplyBody::Result(result) if result == r#"{"done":true}"#));
    let ids: Vec<String> = source
        .seen()
        .iter()
        .filter(|seen| is_get(seen))
        .map(|seen| seen.header("last-event-id").to_owned())
        .collect();
    assert_eq!(ids, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
}

#[tokio::test]
async fn a_stream_that_cannot_be_resumed_is_a_death_and_nothing_is_called_twice() {
    for (resumes, text) in [(false, "id: 1\ndata:\n\n"), (true, ":\n\n")] {
        let pens = Pens::new();
        let Underway { source, pen, calling, .. } =
            Underway::begin(numbered(&pens, resumes).await, &pens, echo("{}")).await;
        pen.write(text);
        drop(pen);

        let outcome = calling.await.unwrap();

        assert!(matches!(outcome, Err(UpstreamError::Died { .. })), "{outcome:?}");
        assert_eq!(source.seen().iter().filter(|seen| seen.method() == "tools/call").count(), 1);
    }
}

#[tokio::test]
async fn a_stream_that_brings_nothing_new_is_given_up() {
    let pens = Pens::new();
    let Underway { pen, calling, .. } = Underway::begin(numbered(&pens, true).await, &pens, echo("{}")).await;
    pen.write("id: 1\ndata:\n\n");
    drop(pen);
    let closing = tokio::spawn(async move {
        loop {
            drop(pens.next().await);
        }
    });

    let outcome = calling.await.unwrap();

    assert!(
        matches!(&outcome, Err(UpstreamError::Died { detail }) if detail.contains("resumed")),
        "{outcome:?}"
    );
    closing.abort();
}

#[tokio::test]
async fn a_modern_stream_is_never_resumed() {
    let source = Scripted::start(|seen| async move {
        match seen.method() {
            "tools/call" => super::scripted::events("id: 1\ndata:\n\n"),
            _ => modern_answer(&seen),
        }
    })
    .await;

    let told = source.link().call(echo("{}")).await;

    assert!(matches!(told, Err(UpstreamError::Died { .. })), "{told:?}");
    assert!(!source.seen().iter().any(is_get));
}

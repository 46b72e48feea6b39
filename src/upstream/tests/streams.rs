//! Answers in pieces, and calls given up in the middle.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{
    echo, pieces, result,
    scripted::{Scripted, Seen, Sessions, event, events, modern_answer},
};
use crate::upstream::{Answer, Call, Event};

fn progress(token: &Value, progress: u32) -> String {
    let params = json!({"progressToken": token, "progress": progress});
    event(&json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}))
}

fn reply(seen: &Seen) -> String {
    event(&json!({"jsonrpc": "2.0", "id": seen.body["id"], "result": {"done": true}}))
}

/// A modern source whose answer to `tools/call` is a test's.
async fn streaming(answer: impl Fn(&Seen) -> Response + Clone + Send + Sync + 'static) -> Scripted {
    Scripted::start(move |seen| {
        let answer = answer.clone();
        async move {
            match seen.method() {
                "tools/call" => answer(&seen),
                _ => modern_answer(&seen),
            }
        }
    })
    .await
}

/// A body that begins with this text and then stays open until it is dropped.
fn open_ended(text: String, dropped: Arc<Notify>) -> Body {
    struct Bell(Arc<Notify>);
    impl Drop for Bell {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let bell = Bell(dropped);
    let state = Some((text, bell));
    Body::from_stream(stream::unfold(state, |state| async move {
        let (text, bell) = state?;
        if text.is_empty() {
            let _held = bell;
            return std::future::pending().await;
        }
        Some((Ok::<_, std::io::Error>(Bytes::from(text)), Some((String::new(), bell))))
    }))
}

#[tokio::test]
async fn notifications_of_the_call_come_before_the_answer_and_others_not_at_all() {
    let source = streaming(|seen| {
        let log = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info"}});
        let strange = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
        let other = json!({"jsonrpc": "2.0", "id": 999_999, "result": {}});
        let text = [
            ": hello\n\nid: 1\ndata:\n\n".to_owned(),
            progress(&seen.body["id"], 1),
            progress(&json!(999_999), 2),
            event(&log),
            event(&strange),
            event(&other),
            reply(seen),
            progress(&seen.body["id"], 3),
        ];
        events(text.concat())
    })
    .await;

    let told = pieces(source.link().call(Call { progress: true, ..echo("{}") }).await).await;

    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with("notifications/progress"));
    assert_eq!(told[1], r#"notifications/message {"level":"info"}"#);
    assert_eq!(told[2], "reply");
}

#[tokio::test]
async fn an_answer_of_one_piece_is_whole_although_it_came_as_a_stream() {
    let source = streaming(|seen| events(reply(seen))).await;

    let answer = source.link().call(echo("{}")).await;

    assert!(matches!(answer, Ok(Answer::Complete(_))));
}

#[tokio::test]
async fn pieces_are_told_as_they_arrive_and_not_at_the_end() {
    let dropped: Arc<Notify> = Arc::default();
    let bell = Arc::clone(&dropped);
    let source =
        streaming(move |seen| events(open_ended(progress(&seen.body["id"], 1), Arc::clone(&bell)))).await;

    let answer = source.link().call(Call { progress: true, ..echo("{}") }).await.unwrap();

    let Answer::Stream(mut stream) = answer else { panic!("a stream") };
    assert!(matches!(stream.next().await, Some(Ok(Event::Notification { .. }))));
}

#[tokio::test]
async fn leaving_a_modern_call_closes_its_stream() {
    let dropped: Arc<Notify> = Arc::default();
    let bell = Arc::clone(&dropped);
    let source =
        streaming(move |seen| events(open_ended(progress(&seen.body["id"], 1), Arc::clone(&bell)))).await;
    let answer = source.link().call(Call { progress: true, ..echo("{}") }).await.unwrap();

    drop(answer);

    dropped.notified().await;
    assert!(!source.methods().contains(&"notifications/cancelled".to_owned()));
}

#[tokio::test]
async fn leaving_a_legacy_call_tells_the_source_its_own_request_id() {
    let sessions = Sessions::default();
    let script = sessions.clone();
    let dropped: Arc<Notify> = Arc::default();
    let source = Scripted::start(move |seen| {
        let answer = script.answer(&seen);
        let bell = Arc::clone(&dropped);
        async move { answer.unwrap_or_else(|| events(open_ended(progress(&seen.body["id"], 1), bell))) }
    })
    .await;
    let answer = source.link().call(Call { progress: true, ..echo("{}") }).await.unwrap();
    let call = source.wait_for(|seen| seen.method() == "tools/call").await;

    drop(answer);

    let cancelled = source.wait_for(|seen| seen.method() == "notifications/cancelled").await;
    assert_eq!(cancelled.body["params"]["requestId"], call.body["id"]);
    assert_eq!(cancelled.header("mcp-session-id"), "session-1");
}

#[tokio::test]
async fn leaving_before_the_first_byte_cancels_too() {
    let sessions = Sessions::default();
    let script = sessions.clone();
    let source = Scripted::start(move |seen| {
        let answer = script.answer(&seen);
        async move {
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        }
    })
    .await;
    let link = source.link();
    let calling = tokio::spawn(async move { link.call(echo("{}")).await.map(drop) });
    source.wait_for(|seen| seen.method() == "tools/call").await;

    calling.abort();

    source.wait_for(|seen| seen.method() == "notifications/cancelled").await;
}

#[tokio::test]
async fn a_finished_call_cancels_nothing() {
    let sessions = Sessions::default();
    let source = sessions.serve().await;
    let link = source.link();

    result(link.call(echo("1")).await).await;
    result(link.call(echo("2")).await).await;

    assert!(!source.methods().contains(&"notifications/cancelled".to_owned()));
}

#[tokio::test]
async fn a_ping_in_a_stream_is_answered_and_a_request_for_sampling_refused() {
    let sessions = Sessions::default();
    let script = sessions.clone();
    let may_end: Arc<Notify> = Arc::default();
    let end = Arc::clone(&may_end);
    let asked = Arc::new(AtomicBool::new(false));
    let source = Scripted::start(move |seen| {
        let answer = script.answer(&seen);
        let (end, asked) = (Arc::clone(&end), Arc::clone(&asked));
        async move {
            if let Some(answer) = answer {
                return answer;
            }
            if seen.method() != "tools/call" {
                return axum::response::IntoResponse::into_response(http::StatusCode::ACCEPTED);
            }
            asked.store(true, Ordering::SeqCst);
            let first = [
                event(&json!({"jsonrpc": "2.0", "id": "p", "method": "ping"})),
                event(&json!({"jsonrpc": "2.0", "id": 7, "method": "sampling/createMessage", "params": {}})),
            ]
            .concat();
            let last = reply(&seen);
            let parts = stream::unfold(Some(first), move |part| {
                let (end, last) = (Arc::clone(&end), last.clone());
                async move {
                    let part = part?;
                    if part.is_empty() {
                        end.notified().await;
                        return Some((Ok::<_, std::io::Error>(Bytes::from(last)), None));
                    }
                    Some((Ok(Bytes::from(part)), Some(String::new())))
                }
            });
            events(Body::from_stream(parts))
        }
    })
    .await;
    let link = source.link();
    let calling = tokio::spawn(async move { result(link.call(echo("{}")).await).await });

    let pong = source.wait_for(|seen| seen.body["id"] == "p" && seen.method().is_empty()).await;
    let refusal = source.wait_for(|seen| seen.body["error"]["code"] == -32601).await;
    may_end.notify_one();

    assert_eq!(pong.body["result"], json!({}));
    assert_eq!(refusal.body["id"], 7);
    assert_eq!(calling.await.unwrap()["done"], true);
}

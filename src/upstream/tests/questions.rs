//! Sources that ask in the middle of a call.

use std::sync::{Arc, Mutex};

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    answer, asking, echo, last, question, result,
    scripted::{Pens, Scripted, Sessions, Underway},
    stream,
};
use crate::upstream::{Answer, Call, Event};

fn elicitation(id: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "elicitation/create",
        "params": {"message": "Which?", "requestedSchema": {"type": "object", "properties": {}}}})
}

/// A call of a legacy source that opens a stream for it, which the test writes. Streams of sessions
/// are refused.
async fn curious(call: Call) -> Underway {
    let (sessions, pens) = (Sessions::default(), Pens::new());
    let opened = Arc::clone(&pens);
    let source = Scripted::start(move |seen| {
        let (answer, pens) = (sessions.answer(&seen), Arc::clone(&pens));
        async move {
            match answer {
                Some(answer) => answer,
                None if seen.http_method == Method::GET => {
                    axum::response::IntoResponse::into_response(StatusCode::METHOD_NOT_ALLOWED)
                }
                None => pens.open(),
            }
        }
    })
    .await;
    Underway::begin(source, &opened, call).await
}

/// A call whose caller can be asked to fill in forms.
fn with_forms() -> Call {
    asking("{}", "ada", json!({"elicitation": {}}))
}

#[tokio::test]
async fn a_question_in_the_stream_of_a_call_is_told_and_its_answer_posted() {
    let mut call = curious(with_forms()).await;
    call.pen.say(&json!({"jsonrpc": "2.0", "id": "p", "method": "ping"}));
    call.pen.say(&elicitation(json!("q-1")));
    let mut stream = stream(call.answer().await);

    let (id, method, params) = question(&mut stream).await;
    stream.reply(&id, answer(json!({"action": "accept"}))).await.unwrap();
    let again = stream.reply(&id, answer(json!({"action": "decline"}))).await;
    call.end(json!({"done": true}));

    assert_eq!((method.as_str(), &params["message"]), ("elicitation/create", &json!("Which?")));
    let posted = call.source.wait_for(|seen| seen.body["id"] == "q-1").await;
    assert_eq!(posted.body["result"], json!({"action": "accept"}));
    assert_eq!(posted.header("mcp-session-id"), "session-1");
    assert_eq!(call.source.wait_for(|seen| seen.body["id"] == "p").await.body["result"], json!({}));
    assert!(again.is_err(), "a question is answered once");
    assert_eq!(last(&mut stream).await["done"], true);
    assert!(stream.next().await.is_none());
    let declared =
        &call.source.wait_for(|seen| seen.method() == "initialize").await.body["params"]["capabilities"];
    assert_eq!(declared["elicitation"], json!({"form": {}}));
}

#[tokio::test]
async fn what_the_caller_did_not_declare_is_refused_without_asking() {
    let mut call = curious(with_forms()).await;
    call.pen.say(&json!({"jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage", "params": {}}));
    call.pen.say(&json!({"jsonrpc": "2.0", "id": 2, "method": "elicitation/create",
        "params": {"mode": "url", "url": "https://example.org"}}));
    call.pen.say(&json!({"jsonrpc": "2.0", "id": 3, "method": "vendor/anything"}));
    call.end(json!({}));

    let whole = call.answer().await.unwrap();

    assert!(matches!(whole, Answer::Complete(_)));
    for id in 1..=3 {
        let refusal =
            call.source.wait_for(|seen| seen.body["id"] == id && !seen.body["error"].is_null()).await;
        assert_eq!(refusal.body["error"]["code"], -32601);
    }
}

#[tokio::test]
async fn several_questions_wait_side_by_side_and_one_may_be_withdrawn() {
    let mut call = curious(with_forms()).await;
    // Their ids are of different types.
    call.pen.say(&elicitation(json!(1)));
    call.pen.say(&elicitation(json!("1")));
    call.pen.say(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}));
    let mut stream = stream(call.answer().await);

    let (first, ..) = question(&mut stream).await;
    let (second, ..) = question(&mut stream).await;
    let withdrawn = stream.next().await;

    assert!(matches!(withdrawn, Some(Ok(Event::Withdrawn { id })) if id == first));
    assert!(stream.reply(&first, answer(json!({}))).await.is_err());
    stream.reply(&second, answer(json!({"action": "decline"}))).await.unwrap();
    let posted = call.source.wait_for(|seen| seen.body["result"]["action"] == "decline").await;
    assert_eq!(posted.body["id"], "1");
}

#[tokio::test]
async fn leaving_answers_what_was_asked_and_cancels_the_call() {
    let mut call = curious(with_forms()).await;
    call.pen.say(&elicitation(json!(8)));
    let mut stream = stream(call.answer().await);
    question(&mut stream).await;

    drop(stream);

    let answered = call.source.wait_for(|seen| seen.body["id"] == 8).await;
    assert_eq!(answered.body["error"]["code"], -32603);
    call.source.wait_for(|seen| seen.method() == "notifications/cancelled").await;
    call.pen.left().await;
}

#[tokio::test]
async fn nobody_who_does_not_listen_is_asked() {
    let mut call = curious(with_forms()).await;
    call.pen.say(&elicitation(json!(8)));
    let answer = call.answer().await;
    let finishing = tokio::spawn(result(answer));

    let refusal = call.source.wait_for(|seen| seen.body["id"] == 8).await;
    call.end(json!({"done": 1}));

    assert_eq!(refusal.body["error"]["code"], -32601);
    assert_eq!(finishing.await.unwrap()["done"], 1);
}

/// A legacy source that puts its questions into the stream of the session, and holds back even the
/// head of the answer until they are answered.
async fn roundabout(pens: &Arc<Pens>) -> Scripted {
    let (sessions, pens) = (Sessions::default(), Arc::clone(pens));
    let waiting: Arc<Mutex<Option<tokio::sync::oneshot::Sender<Value>>>> = Arc::default();
    Scripted::start(move |seen| {
        let (answer, pens, waiting) = (sessions.answer(&seen), Arc::clone(&pens), Arc::clone(&waiting));
        async move {
            // The answer to the question.
            if seen.method().is_empty() && !seen.body["result"].is_null() {
                if let Some(waiting) = waiting.lock().unwrap().take() {
                    let _ = waiting.send(seen.body["result"].clone());
                }
                return axum::response::IntoResponse::into_response(StatusCode::ACCEPTED);
            }
            match answer {
                Some(answer) => answer,
                None if seen.http_method == Method::GET => pens.open(),
                None => {
                    let (sender, receiver) = tokio::sync::oneshot::channel();
                    *waiting.lock().unwrap() = Some(sender);
                    seen.result(json!({"told": receiver.await.unwrap()}))
                }
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_question_beside_the_call_finds_the_call_before_its_answer_has_begun() {
    let pens = Pens::new();
    let mut call = Underway::begin(roundabout(&pens).await, &pens, with_forms()).await;
    call.pen.say(&elicitation(json!("beside")));
    let mut stream = stream(call.answer().await);

    let (id, ..) = question(&mut stream).await;
    stream.reply(&id, answer(json!({"action": "accept"}))).await.unwrap();

    assert_eq!(last(&mut stream).await["told"], json!({"action": "accept"}));
}

#[tokio::test]
async fn the_stream_of_a_session_is_there_before_its_first_call() {
    let pens = Pens::new();
    let mut call = Underway::begin(roundabout(&pens).await, &pens, with_forms()).await;
    call.pen.say(&elicitation(json!("early")));
    let mut stream = stream(call.answer().await);
    let (id, ..) = question(&mut stream).await;
    stream.reply(&id, answer(json!({"action": "decline"}))).await.unwrap();

    let seen = call.source.seen();
    let listening = seen.iter().position(|seen| seen.http_method == Method::GET);
    let calling = seen.iter().position(|seen| seen.method() == "tools/call");

    assert!(listening.is_some() && listening < calling, "{listening:?} {calling:?}");
}

#[tokio::test]
async fn a_plain_call_opens_no_stream_beside_it_and_is_never_asked() {
    let mut call = curious(echo("{}")).await;
    call.pen.say(&elicitation(json!(1)));
    call.end(json!({}));

    call.answer().await.unwrap();

    assert!(call.source.seen().iter().all(|seen| seen.http_method != Method::GET));
    let opened = call.source.seen().into_iter().find(|seen| seen.method() == "initialize").unwrap();
    assert_eq!(opened.body["params"]["capabilities"], json!({}));
    call.source.wait_for(|seen| seen.body["error"]["code"] == -32601).await;
}

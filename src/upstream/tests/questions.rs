//! Sources that ask in the middle of a call.

use std::sync::{Arc, Mutex};

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    answer, asking, echo, last, question, result,
    scripted::{Pens, Scripted, Seen, Sessions},
    stream,
};
use crate::upstream::{Answer, Event};

fn elicitation(id: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "elicitation/create",
        "params": {"message": "Which?", "requestedSchema": {"type": "object", "properties": {}}}})
}

fn reply(seen: &Seen, result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": seen.body["id"], "result": result})
}

/// A legacy source that opens a stream for each call, which the test writes. Streams of sessions are
/// refused.
async fn curious(pens: &Arc<Pens>) -> Scripted {
    let (sessions, pens) = (Sessions::default(), Arc::clone(pens));
    Scripted::start(move |seen| {
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
    .await
}

fn forms() -> Value {
    json!({"elicitation": {}})
}

#[tokio::test]
async fn a_question_in_the_stream_of_a_call_is_told_and_its_answer_posted() {
    let pens = Pens::new();
    let source = curious(&pens).await;
    let link = source.link();
    let calling = tokio::spawn(async move { link.call(asking("{}", "ada", forms())).await });
    let pen = pens.next().await;
    let call = source.wait_for(|seen| seen.method() == "tools/call").await;
    pen.say(&json!({"jsonrpc": "2.0", "id": "p", "method": "ping"}));
    pen.say(&elicitation(json!("q-1")));
    let mut stream = stream(calling.await.unwrap());

    let (id, method, params) = question(&mut stream).await;
    stream.reply(&id, answer(json!({"action": "accept"}))).await.unwrap();
    let again = stream.reply(&id, answer(json!({"action": "decline"}))).await;
    pen.say(&reply(&call, json!({"done": true})));

    assert_eq!((method.as_str(), &params["message"]), ("elicitation/create", &json!("Which?")));
    let posted = source.wait_for(|seen| seen.body["id"] == "q-1").await;
    assert_eq!(posted.body["result"], json!({"action": "accept"}));
    assert_eq!(posted.header("mcp-session-id"), "session-1");
    assert_eq!(source.wait_for(|seen| seen.body["id"] == "p").await.body["result"], json!({}));
    assert!(again.is_err(), "a question is answered once");
    assert_eq!(last(&mut stream).await["done"], true);
    assert!(stream.next().await.is_none());
    let declared =
        &source.wait_for(|seen| seen.method() == "initialize").await.body["params"]["capabilities"];
    assert_eq!(declared["elicitation"], json!({"form": {}}));
}

#[tokio::test]
async fn what_the_caller_did_not_declare_is_refused_without_asking() {
    let pens = Pens::new();
    let source = curious(&pens).await;
    let link = source.link();
    let calling = tokio::spawn(async move { link.call(asking("{}", "ada", forms())).await });
    let pen = pens.next().await;
    let call = source.wait_for(|seen| seen.method() == "tools/call").await;
    pen.say(&json!({"jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage", "params": {}}));
    pen.say(&json!({"jsonrpc": "2.0", "id": 2, "method": "elicitation/create",
        "params": {"mode": "url", "url": "https://example.org"}}));
    pen.say(&json!({"jsonrpc": "2.0", "id": 3, "method": "vendor/anything"}));
    pen.say(&reply(&call, json!({})));

    let whole = calling.await.unwrap().unwrap();

    assert!(matches!(whole, Answer::Complete(_)));
    for id in 1..=3 {
        let refusal = source.wait_for(|seen| seen.body["id"] == id && !seen.body["error"].is_null()).await;
        assert_eq!(refusal.body["error"]["code"], -32601);
    }
}

#[tokio::test]
async fn several_questions_wait_side_by_side_and_one_may_be_withdrawn() {
    let pens = Pens::new();
    let source = curious(&pens).await;
    let link = source.link();
    let calling = tokio::spawn(async move { link.call(asking("{}", "ada", forms())).await });
    let pen = pens.next().await;
    // Their ids are of different types.
    pen.say(&elicitation(json!(1)));
    pen.say(&elicitation(json!("1")));
    pen.say(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}));
    let mut stream = stream(calling.await.unwrap());

    let (first, ..) = question(&mut stream).await;
    let (second, ..) = question(&mut stream).await;
    let withdrawn = stream.next().await;

    assert!(matches!(withdrawn, Some(Ok(Event::Withdrawn { id })) if id == first));
    assert!(stream.reply(&first, answer(json!({}))).await.is_err());
    stream.reply(&second, answer(json!({"action": "decline"}))).await.unwrap();
    let posted = source.wait_for(|seen| seen.body["result"]["action"] == "decline").await;
    assert_eq!(posted.body["id"], "1");
}

#[tokio::test]
async fn leaving_answers_what_was_asked_and_cancels_the_call() {
    let pens = Pens::new();
    let source = curious(&pens).await;
    let link = source.link();
    let calling = tokio::spawn(async move { link.call(asking("{}", "ada", forms())).await });
    let pen = pens.next().await;
    pen.say(&elicitation(json!(8)));
    let mut stream = stream(calling.await.unwrap());
    question(&mut stream).await;

    drop(stream);

    let answered = source.wait_for(|seen| seen.body["id"] == 8).await;
    assert_eq!(answered.body["error"]["code"], -32603);
    source.wait_for(|seen| seen.method() == "notifications/cancelled").await;
    pen.left().await;
}

#[tokio::test]
async fn nobody_who_does_not_listen_is_asked() {
    let pens = Pens::new();
    let source = curious(&pens).await;
    let link = source.link();
    let calling = tokio::spawn(async move { result(link.call(asking("{}", "ada", forms())).await).await });
    let pen = pens.next().await;
    let call = source.wait_for(|seen| seen.method() == "tools/call").await;
    pen.say(&elicitation(json!(8)));

    let refusal = source.wait_for(|seen| seen.body["id"] == 8).await;
    pen.say(&reply(&call, json!({"done": 1})));

    assert_eq!(refusal.body["error"]["code"], -32601);
    assert_eq!(calling.await.unwrap()["done"], 1);
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
    let source = roundabout(&pens).await;
    let link = source.link();
    let calling = tokio::spawn(async move { link.call(asking("{}", "ada", forms())).await });
    let session = pens.next().await;
    source.wait_for(|seen| seen.method() == "tools/call").await;
    session.say(&elicitation(json!("beside")));
    let mut stream = stream(calling.await.unwrap());

    let (id, ..) = question(&mut stream).await;
    stream.reply(&id, answer(json!({"action": "accept"}))).await.unwrap();

    assert_eq!(last(&mut stream).await["told"], json!({"action": "accept"}));
}

#[tokio::test]
async fn a_plain_call_opens_no_stream_beside_it_and_is_never_asked() {
    let pens = Pens::new();
    let source = curious(&pens).await;
    let link = source.link();
    let calling = tokio::spawn(async move { link.call(echo("{}")).await });
    let pen = pens.next().await;
    let call = source.wait_for(|seen| seen.method() == "tools/call").await;
    pen.say(&elicitation(json!(1)));
    pen.say(&reply(&call, json!({})));

    calling.await.unwrap().unwrap();

    assert!(source.seen().iter().all(|seen| seen.http_method != Method::GET));
    let opened = source.seen().into_iter().find(|seen| seen.method() == "initialize").unwrap();
    assert_eq!(opened.body["params"]["capabilities"], json!({}));
    source.wait_for(|seen| seen.body["error"]["code"] == -32601).await;
}

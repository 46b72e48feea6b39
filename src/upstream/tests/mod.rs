//! Links against scripted sources on the loopback address and scripted processes.

mod apart;
mod bad_sources;
mod eras;
mod faults;
mod lanes;
mod old;
mod processes;
mod questions;
mod resuming;
mod scripted;
mod streams;
mod watching;

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::mcp::{Capabilities, Raw};

use super::{Answer, Call, Event, EventStream, Partition, QuestionId, Reply, ReplyBody, UpstreamError};

/// Returns a call of the tool `echo` with these arguments.
fn echo(arguments: &str) -> Call {
    Call {
        method: "tools/call",
        params: Bytes::from(format!(r#"{{"name":"echo","arguments":{arguments}}}"#)),
        name: Some("echo".to_owned()),
        param_headers: Vec::new(),
        progress: false,
        log_level: None,
        timeout: Duration::from_secs(20),
        capabilities: Capabilities::default(),
        partition: None,
    }
}

/// Returns a call of the tool `echo` whose caller, named so, can be asked these things.
fn asking(arguments: &str, who: &str, capabilities: Value) -> Call {
    let declared = capabilities.to_string();
    Call {
        capabilities: Capabilities::read(Raw::parse(&declared).unwrap()),
        partition: Some(Partition::new(who)),
        ..echo(arguments)
    }
}

/// Returns the stream of an answer that begins with something else than the answer.
fn stream(answer: Result<Answer, UpstreamError>) -> EventStream {
    match answer.unwrap() {
        Answer::Complete(reply) => panic!("a whole answer: {reply:?}"),
        Answer::Stream(stream) => stream,
    }
}

/// Returns the question that comes next.
async fn question(stream: &mut EventStream) -> (QuestionId, String, Value) {
    match stream.next().await {
        Some(Ok(Event::Question { id, method, params, .. })) => {
            (id, method, serde_json::from_slice(&params).unwrap())
        }
        other => panic!("no question: {other:?}"),
    }
}

/// Returns the result that comes next.
async fn last(stream: &mut EventStream) -> Value {
    match stream.next().await {
        Some(Ok(Event::Reply(Reply { body: ReplyBody::Result(result), .. }))) => {
            serde_json::from_slice(&result).unwrap()
        }
        other => panic!("no result: {other:?}"),
    }
}

/// Returns an answer to a question.
fn answer(result: Value) -> ReplyBody {
    ReplyBody::Result(Bytes::from(result.to_string()))
}

/// Returns the result as sent.
async fn result_text(answer: Result<Answer, UpstreamError>) -> String {
    match answer.unwrap().finish().await.unwrap().body {
        ReplyBody::Result(result) => String::from_utf8(result.to_vec()).unwrap(),
        ReplyBody::Error(error) => panic!("an error: {}", String::from_utf8_lossy(&error)),
    }
}

async fn result(answer: Result<Answer, UpstreamError>) -> Value {
    serde_json::from_str(&result_text(answer).await).unwrap()
}

/// Returns each piece as the method of a notification, or `reply`.
async fn pieces(answer: Result<Answer, UpstreamError>) -> Vec<String> {
    let mut stream = match answer.unwrap() {
        Answer::Complete(_) => return vec!["whole".to_owned()],
        Answer::Stream(stream) => stream,
    };
    let mut pieces = Vec::new();
    while let Some(event) = stream.next().await {
        pieces.push(match event {
            Ok(Event::Notification { method, params }) => {
                format!("{method} {}", String::from_utf8_lossy(&params))
            }
            Ok(Event::Question { id, method, .. }) => {
                format!("{method} {}", String::from_utf8_lossy(id.as_json()))
            }
            Ok(Event::Withdrawn { id }) => format!("withdrawn {}", String::from_utf8_lossy(id.as_json())),
            Ok(Event::Reply(_)) => "reply".to_owned(),
            Err(error) => format!("error: {error}"),
        });
    }
    pieces
}

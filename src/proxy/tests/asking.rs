//! Tools of scripted sources that ask their caller something before they answer.

use std::sync::{Arc, atomic::Ordering};

use axum::{body::Body, response::Response};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::script::{Script, error, event, result, sse};
use crate::model::Era;

/// Answers a call of a tool that asks; `None` if the tool is another.
pub fn call(script: &Arc<Script>, message: &Value, name: &str) -> Option<Response> {
    let response = match (name, script.era) {
        ("asks_form" | "asks_two" | "asks_twice", Era::Modern) => modern(message, name),
        ("asks_form" | "asks_two" | "asks_twice", Era::Legacy) => legacy(Arc::clone(script), message, name),
        ("asks_pages", _) if script.bodies().len() == 1 => {
            let mut response = error(message, -32042, "visit first");
            let page = json!({"mode":"url","elicitationId":"e1","url":"https://a.example/x","message":"Go"});
            let body = json!({"jsonrpc":"2.0","id":message["id"],"error":{"code":-32042,"message":"visit first",
                "data":{"elicitations":[page]}}});
            *response.body_mut() = Body::from(body.to_string());
            response
        }
        _ => return None,
    };
    Some(response)
}

pub fn form(text: &str) -> Value {
    let schema = json!({"type":"object","properties":{"name":{"type":"string"}}});
    json!({"mode":"form","message":text,"requestedSchema":schema})
}

fn done(message: &Value, era: Era, said: &Value) -> Value {
    let mut value = json!({"content":[{"type":"text","text":said.to_string()}]});
    if era == Era::Modern {
        value["resultType"] = json!("complete");
    }
    json!({"jsonrpc":"2.0","id":message["id"],"result":value})
}

fn modern(message: &Value, name: &str) -> Response {
    let params = &message["params"];
    let elicit = |text: &str| json!({"method":"elicitation/create","params":form(text)});
    let ask = |requests: Value, state: &str| {
        result(message, json!({"resultType":"input_required","inputRequests":requests,"requestState":state}))
    };
    match (name, params["requestState"].as_str()) {
        ("asks_form", None) => ask(json!({"name":elicit("Who?")}), "inner 1"),
        ("asks_two", None) => ask(json!({"a":elicit("A?"),"b":{"method":"roots/list"}}), "inner 1"),
        ("asks_twice", None) => ask(json!({"a":elicit("A?")}), "inner 0"),
        ("asks_twice", Some("inner 0")) => ask(json!({"b":elicit("B?")}), "inner 1"),
        (_, Some("inner 1")) => {
            let done = done(message, Era::Modern, &params["inputResponses"]);
            result(message, done["result"].clone())
        }
        _ => error(message, -32602, "this is not my state"),
    }
}

fn legacy(script: Arc<Script>, message: &Value, name: &str) -> Response {
    let (sender, receiver) = mpsc::channel(8);
    let (message, name) = (message.clone(), name.to_owned());
    tokio::spawn(async move {
        let mut said = Vec::new();
        let questions: &[(&str, Value)] = match name.as_str() {
            "asks_form" => &[("elicitation/create", form("Who?"))],
            _ => &[("elicitation/create", form("A?")), ("roots/list", json!({}))],
        };
        let mut open = Vec::new();
        for (method, params) in questions {
            let id = script.asked.fetch_add(1, Ordering::SeqCst);
            let mut params = params.clone();
            params["_meta"] = json!({"progressToken":id});
            let question = json!({"jsonrpc":"2.0","id":id,"method":method,"params":params});
            let _ = sender.send(event(&question)).await;
            open.push(id);
            if name != "asks_two" {
                said.push(answer(&script, open.remove(0)).await);
            }
        }
        for id in open {
            said.push(answer(&script, id).await);
        }
        let _ = sender.send(event(&done(&message, Era::Legacy, &json!(said)))).await;
    });
    sse(Body::from_stream(ReceiverStream::new(receiver).map(Ok::<_, std::io::Error>)))
}

/// Waits for what is answered to a question: the result, or the error.
pub async fn answer(script: &Script, id: u64) -> Value {
    let mut answers = script.answers.subscribe();
    let answers = answers.wait_for(|answers| answers.contains_key(&id)).await.expect("the script lives");
    let answer = &answers[&id];
    answer.get("result").or(answer.get("error")).cloned().unwrap_or_default()
}

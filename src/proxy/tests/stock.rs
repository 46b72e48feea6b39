//! What scripted sources have beside tools: resources, prompts, completions, and news of them.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio_stream::wrappers::BroadcastStream;

use super::{
    asking::form,
    script::{Script, error, event, result, sse},
};
use crate::model::Era;

/// What a source says it can do.
pub fn capabilities() -> Value {
    json!({"tools":{"listChanged":true},"prompts":{"listChanged":true},"completions":{},"logging":{},
        "resources":{"subscribe":true,"listChanged":true},
        "extensions":{"io.modelcontextprotocol/tasks":{},"io.modelcontextprotocol/skills":{}}})
}

/// Answers what has to do with resources, prompts and completions; `None` if the method is another.
pub fn answer(script: &Arc<Script>, message: &Value, method: &str) -> Option<Response> {
    let modern = script.era == Era::Modern;
    let params = &message["params"];
    let complete = |mut value: Value| {
        if modern {
            value["resultType"] = json!("complete");
            if method != "prompts/get" && method != "completion/complete" {
                value["ttlMs"] = json!(5);
                value["cacheScope"] = json!("public");
            }
        }
        result(message, value)
    };
    let response = match method {
        "resources/list" => {
            let mut resources = vec![json!({"uri":"test://a","name":"a","x":1.5})];
            if *script.grown.lock().expect("no panics") {
                resources.push(json!({"uri":"test://new","name":"new"}));
            }
            complete(json!({ "resources": resources }))
        }
        "resources/templates/list" => {
            complete(json!({"resourceTemplates":[{"uriTemplate":"test://item/{id}","name":"item"}]}))
        }
        "prompts/list" => complete(json!({"prompts":[{"name":"greet","arguments":[{"name":"who"}]}]})),
        "resources/read" => match params["uri"].as_str() {
            Some("test://item/missing") => {
                error(message, if modern { -32602 } else { -32002 }, "no such resource")
            }
            Some("test://item/asks") if modern && params.get("inputResponses").is_none() => result(
                message,
                json!({"resultType":"input_required","requestState":"inner",
                    "inputRequests":{"a":{"method":"elicitation/create","params":form("A?")}}}),
            ),
            uri => complete(json!({"contents":[{"uri":uri,"text":params.to_string(),"n":1.0}]})),
        },
        "prompts/get" => complete(
            json!({"messages":[{"role":"user","content":{"type":"text","text":params["arguments"].to_string()}}]}),
        ),
        "completion/complete" => complete(json!({"completion":{"values":[params["ref"].to_string()]}})),
        "resources/subscribe" | "resources/unsubscribe" if !modern => {
            let uri = params["uri"].as_str().unwrap_or_default();
            script.watched.send_modify(|watched| {
                if method == "resources/subscribe" {
                    watched.push(uri.to_owned());
                } else {
                    watched.retain(|watched| watched != uri);
                }
            });
            result(message, json!({}))
        }
        "subscriptions/listen" if modern => {
            let wanted = params["notifications"].clone();
            let uris = wanted["resourceSubscriptions"].as_array().cloned().unwrap_or_default();
            let uris = uris.iter().filter_map(|uri| uri.as_str().map(str::to_owned)).collect();
            script.watched.send_replace(uris);
            let id = message["id"].clone();
            let acknowledged = json!({"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged",
                "params":{"notifications":wanted,"_meta":{"io.modelcontextprotocol/subscriptionId":id}}});
            let news = BroadcastStream::new(script.news.subscribe()).filter_map(move |news| {
                let (method, mut params): (String, Value) = news.expect("few");
                params["_meta"] = json!({"io.modelcontextprotocol/subscriptionId":id});
                std::future::ready(Some(event(&json!({"jsonrpc":"2.0","method":method,"params":params}))))
            });
            let first = stream::once(std::future::ready(event(&acknowledged)));
            let news = first.chain(news).take_until(script.stop.clone().cancelled_owned());
            sse(Body::from_stream(news.map(Ok::<Bytes, std::io::Error>)))
        }
        _ => return None,
    };
    Some(response)
}

/// Answers the GET of a legacy session's stream.
pub fn stream_of(script: &Arc<Script>) -> Response {
    let news = BroadcastStream::new(script.news.subscribe()).map(|news| {
        let (method, params) = news.expect("few");
        Ok::<_, std::io::Error>(event(&json!({"jsonrpc":"2.0","method":method,"params":params})))
    });
    sse(Body::from_stream(news.take_until(script.stop.clone().cancelled_owned())))
}

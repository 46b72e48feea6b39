//! A source that asks back, and calls of its tool.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Json, Router, extract::State, response::IntoResponse as _, routing::post};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{call::Call, running::Door};

const CAN_BE_ASKED: &str = "io.modelcontextprotocol/clientCapabilities";

/// Calls a tool that asks; returns what it asks, and what the answer is to carry.
pub(crate) async fn ask(front: &Door, key: &str) -> (Value, String) {
    let call = asking(json!({ "name": "asks", "arguments": {} }));
    let asked = front.send(call.key(key).request()).await.unwrap().json();
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    (asked["result"]["inputRequests"].clone(), asked["result"]["requestState"].as_str().unwrap().to_owned())
}

pub(crate) fn answer_to(asks: &Value, state: &str) -> Call {
    let name = asks.as_object().unwrap().keys().next().unwrap();
    let answer = json!({ "action": "accept", "content": {} });
    asking(
        json!({"name":"asks","arguments":{},"requestState":state,"inputResponses":{ name.as_str(): answer }}),
    )
}

fn asking(params: Value) -> Call {
    let mut call = Call::modern("tools/call", params).at("/mcp/ada/asks");
    let mut body: Value = serde_json::from_str(&call.body).unwrap();
    body["params"]["_meta"][CAN_BE_ASKED] = json!({ "elicitation": { "form": {} } });
    call.body = body.to_string();
    call
}

/// Starts an MCP server of the legacy era whose only tool asks before it answers; returns its address.
pub(crate) async fn asking_source() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let asked = Arc::new(Asked::default());
    let router = Router::new().route("/mcp", post(source_answer)).with_state(asked);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[derive(Default)]
struct Asked {
    waiting: std::sync::Mutex<std::collections::HashMap<String, oneshot::Sender<Value>>>,
    count: AtomicUsize,
}

async fn source_answer(
    State(asked): State<Arc<Asked>>,
    _: HeaderMap,
    body: Bytes,
) -> axum::response::Response {
    let message: Value = serde_json::from_slice(&body).unwrap();
    let result = match message["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
            "serverInfo": {"name": "asks", "version": "1"},
        }),
        Some("tools/list") => json!({"tools": [{"name": "asks", "inputSchema": {"type": "object"}}]}),
        Some("tools/call") => return asked.ask(&message),
        None => {
            let waiting = asked.waiting.lock().unwrap().remove(message["id"].as_str().unwrap_or_default());
            if let Some(waiting) = waiting {
                let _ = waiting.send(message["result"]["action"].clone());
            }
            return StatusCode::ACCEPTED.into_response();
        }
        Some(_) if message["id"].is_null() => return StatusCode::ACCEPTED.into_response(),
        Some(_) => {
            let error = json!({"code": -32601, "message": "no such method"});
            return Json(json!({"jsonrpc": "2.0", "id": message["id"], "error": error})).into_response();
        }
    };
    Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result})).into_response()
}

impl Asked {
    fn ask(&self, call: &Value) -> axum::response::Response {
        let name = format!("q{}", self.count.fetch_add(1, Ordering::SeqCst));
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().unwrap().insert(name.clone(), sender);
        let params = json!({"message": "may I?", "requestedSchema": {"type": "object", "properties": {}}});
        let question =
            json!({"jsonrpc": "2.0", "id": name, "method": "elicitation/create", "params": params});
        let id = call["id"].clone();
        let event = |message: Value| {
            Ok::<_, std::io::Error>(Bytes::from(format!("event: message\ndata: {message}\n\n")))
        };
        let question = stream::iter([event(question)]);
        let told = stream::once(async move {
            let action = answer.await.unwrap_or_default();
            let text = format!("told: {}", action.as_str().unwrap_or_default());
            event(
                json!({"jsonrpc": "2.0", "id": id, "result": {"content": [{"type": "text", "text": text}]}}),
            )
        });
        let body = axum::body::Body::from_stream(question.chain(told));
        ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
    }
}

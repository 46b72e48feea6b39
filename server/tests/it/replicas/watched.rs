//! A source of the legacy era with resources that change.

use std::{net::Ipv4Addr, sync::Arc};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
    routing::post,
};
use bytes::Bytes;
use futures::StreamExt as _;
use http::{StatusCode, header};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::broadcast};
use tokio_stream::wrappers::BroadcastStream;

/// The resources of the source.
const URIS: [&str; 3] = ["note:1", "note:2", "note:3"];

pub(crate) struct Watched {
    pub(crate) url: String,
    news: Arc<broadcast::Sender<String>>,
}

impl Watched {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let news = Arc::new(broadcast::channel(64).0);
        let router = Router::new().route("/mcp", post(answer).get(stream)).with_state(Arc::clone(&news));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, news }
    }

    /// Tells whoever listens that a resource has changed.
    pub(crate) fn change(&self, uri: &str) {
        let told = json!({"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":uri}});
        self.news.send(told.to_string()).expect("the source is listened to");
    }
}

async fn stream(State(news): State<Arc<broadcast::Sender<String>>>) -> Response {
    let events = BroadcastStream::new(news.subscribe())
        .map(|told| told.map(|told| Bytes::from(format!("event: message\ndata: {told}\n\n"))));
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response()
}

async fn answer(body: Bytes) -> Response {
    let message: Value = serde_json::from_slice(&body).unwrap();
    let result = match message["method"].as_str().unwrap_or_default() {
        "initialize" => json!({
            "protocolVersion": "2025-11-25", "serverInfo": {"name": "watched", "version": "1"},
            "capabilities": {"resources": {"subscribe": true}},
        }),
        "resources/list" => {
            let list = URIS.map(|uri| json!({"uri": uri, "name": uri}));
            json!({ "resources": list })
        }
        "resources/templates/list" => json!({"resourceTemplates": []}),
        "resources/subscribe" | "resources/unsubscribe" | "ping" => json!({}),
        _ if message["id"].is_null() => return StatusCode::ACCEPTED.into_response(),
        _ => {
            let error = json!({"code": -32601, "message": "no such method"});
            return Json(json!({"jsonrpc": "2.0", "id": message["id"], "error": error})).into_response();
        }
    };
    let answer = Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result}));
    ([("mcp-session-id", "the-only-one")], answer).into_response()
}

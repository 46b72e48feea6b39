//! A data source that does what its tools are called, and remembers what it was sent.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use axum::{Router, body::Body, extract::State, response::Response};
use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore};

use crate::world::{Person, World};

/// The tools of the source.
const TOOLS: [&str; 8] = ["echo", "strict", "silent", "html", "garbage", "dies", "slow", "huge"];

/// How much `huge` answers with, in bytes.
const HUGE_BYTES: usize = 300_000;

pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    script: Arc<Script>,
}

struct Script {
    /// The headers and the body of every call of a tool.
    calls: Mutex<Vec<(HeaderMap, String)>>,
    /// The headers of every request.
    heads: Mutex<Vec<HeaderMap>>,
    /// One for every call of `slow` that has arrived.
    arrived: Semaphore,
    /// One for every call of `slow` that may end.
    go_on: Semaphore,
}

impl Scripted {
    pub(crate) async fn start() -> Self {
        let script = Arc::new(Script {
            calls: Mutex::default(),
            heads: Mutex::default(),
            arrived: Semaphore::new(0),
            go_on: Semaphore::new(0),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, script }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Returns the headers and bodies of the calls so far.
    pub(crate) fn calls(&self) -> Vec<(HeaderMap, String)> {
        self.script.calls.lock().unwrap().clone()
    }

    /// Returns the headers of everything that was ever sent here.
    pub(crate) fn heads(&self) -> Vec<HeaderMap> {
        self.script.heads.lock().unwrap().clone()
    }

    /// Waits until a call of `slow` has arrived.
    pub(crate) async fn slow_call_arrived(&self) {
        self.script.arrived.acquire().await.unwrap().forget();
    }

    /// Lets a call of `slow` end.
    pub(crate) fn let_slow_call_end(&self) {
        self.script.go_on.add_permits(1);
    }
}

async fn answer(State(script): State<Arc<Script>>, headers: HeaderMap, body: Bytes) -> Response {
    script.heads.lock().unwrap().push(headers.clone());
    let Ok(message) = serde_json::from_slice::<Value>(&body) else {
        return respond(StatusCode::BAD_REQUEST, "text/plain", "no JSON");
    };
    match message["method"].as_str().unwrap_or_default() {
        "server/discover" => result(
            &message,
            json!({"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},
                "ttlMs":1,"cacheScope":"private"}),
        ),
        "tools/list" => {
            let tools: Vec<Value> = TOOLS.iter().map(|name| tool(name)).collect();
            result(&message, json!({"resultType":"complete","ttlMs":1,"cacheScope":"private","tools":tools}))
        }
        "tools/call" => {
            script.calls.lock().unwrap().push((headers, String::from_utf8(body.into()).unwrap()));
            call(&script, &message).await
        }
        _ => respond(
            StatusCode::NOT_FOUND,
            "application/json",
            json!({"jsonrpc":"2.0","id":message["id"],"error":{"code":-32601,"message":"no such method"}})
                .to_string(),
        ),
    }
}

fn tool(name: &str) -> Value {
    let schema = match name {
        "strict" => json!({"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}),
        _ => json!({"type":"object"}),
    };
    json!({"name":name,"description":name,"inputSchema":schema})
}

async fn call(script: &Script, message: &Value) -> Response {
    match message["params"]["name"].as_str().unwrap_or_default() {
        "silent" => std::future::pending().await,
        "html" => respond(StatusCode::OK, "text/html", "<html><script>alert(1)</script></html>"),
        "garbage" => respond(StatusCode::OK, "application/json", "{\"jsonrpc\":"),
        "dies" => {
            let half = stream::iter([
                Ok(Bytes::from(": hello\n\ndata: {\"json")),
                Err(std::io::Error::other("gone")),
            ]);
            respond(StatusCode::OK, "text/event-stream", Body::from_stream(half))
        }
        "slow" => {
            script.arrived.add_permits(1);
            script.go_on.acquire().await.unwrap().forget();
            text(message, "at last")
        }
        "huge" => text(message, &"x".repeat(HUGE_BYTES)),
        _ => text(message, &message["params"]["arguments"].to_string()),
    }
}

fn text(message: &Value, text: &str) -> Response {
    result(message, json!({"resultType":"complete","content":[{"type":"text","text":text}]}))
}

fn result(message: &Value, result: Value) -> Response {
    let body = json!({"jsonrpc":"2.0","id":message["id"],"result":result}).to_string();
    respond(StatusCode::OK, "application/json", body)
}

fn respond(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}

/// Connects the source for somebody, and gives them the preset `tools` with everything of it, the
/// arguments of `strict` checked. Returns the ids of both.
pub(crate) async fn give_tools(
    world: &World,
    person: &Person,
    source: &Scripted,
    more: Value,
) -> (String, String) {
    let new = json!({"name":"scripted","kind":"mcp_http","url":source.url()});
    let made = world.api(person, Method::POST, "/api/v1/datasources", Some(new)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let source = made.json()["source"]["id"].as_str().unwrap().to_owned();
    let strict = json!({"name":"strict","check_arguments":true});
    let mut new = json!({"slug":"tools","sources":[{"source":source,"all":true,"tools":[strict]}]});
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = world.api(person, Method::POST, "/api/v1/presets", Some(new)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    (source, made.json()["id"].as_str().unwrap().to_owned())
}

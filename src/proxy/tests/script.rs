//! A source that does what a test says: an MCP server of either era on the loopback address.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, atomic::AtomicU64},
};

use axum::{Router, body::Body, extract::State, response::Response};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::{
    sync::{Notify, Semaphore, broadcast, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{asking, stock};
use crate::model::Era;

/// The tools every scripted source lists.
const TOOLS: &str = r#"[
    {"name":"echo","description":"Says it again","inputSchema":{"type":"object","properties":{"n":{"type":"number"}},"x-kept":1.0}},
    {"name":"list","inputSchema":{"type":"object"},"outputSchema":{"type":"array"}},
    {"name":"region","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}},
    {"name":"fails","inputSchema":{"type":"object"}},
    {"name":"refuses","inputSchema":{"type":"object"}},
    {"name":"asks","inputSchema":{"type":"object"}},
    {"name":"asks_form","inputSchema":{"type":"object"}},
    {"name":"asks_two","inputSchema":{"type":"object"}},
    {"name":"asks_twice","inputSchema":{"type":"object"}},
    {"name":"asks_pages","inputSchema":{"type":"object"}},
    {"name":"begins_task","inputSchema":{"type":"object"}},
    {"name":"wants_tasks","inputSchema":{"type":"object"}},
    {"name":"logs_beside","inputSchema":{"type":"object"}},
    {"name":"streams","inputSchema":{"type":"object"}},
    {"name":"waits","inputSchema":{"type":"object"}},
    {"name":"unauthorized","inputSchema":{"type":"object"}},
    {"name":"dies","inputSchema":{"type":"object"}}
]"#;

/// What happened at the source.
pub struct Script {
    pub era: Era,
    /// Every call of a tool: its headers and its body.
    pub calls: Mutex<Vec<(HeaderMap, String)>>,
    /// One for every call of `waits` that has arrived.
    pub waiting: Semaphore,
    /// Lets calls of `waits` end.
    pub go_on: Notify,
    /// One for every call that was cancelled, by closing its stream or by a notification.
    pub cancelled: Arc<Semaphore>,
    /// What was answered to the source's own questions, by id.
    pub answers: watch::Sender<HashMap<u64, Value>>,
    /// How many questions of its own a legacy source has asked.
    pub asked: AtomicU64,
    /// What is told on streams of news: methods and parameters.
    pub news: broadcast::Sender<(String, Value)>,
    /// Which resources are watched.
    pub watched: watch::Sender<Vec<String>>,
    /// Whether there is one resource more.
    pub grown: Mutex<bool>,
    /// Every request for tasks: its headers and its body.
    pub tasks: Mutex<Vec<(HeaderMap, String)>>,
    /// Ends it, and every stream of news with it.
    pub stop: CancellationToken,
}

/// A scripted source and where it is.
pub struct Scripted {
    pub script: Arc<Script>,
    pub address: SocketAddr,
    served: JoinHandle<std::io::Result<()>>,
}

impl Scripted {
    pub async fn start(era: Era) -> Self {
        Self::start_at("127.0.0.1:0", era).await
    }

    /// Ends it and puts one of another era in its place.
    pub async fn restart(self, era: Era) -> Self {
        self.script.stop.cancel();
        self.served.await.expect("no panics").expect("it was served");
        Self::start_at(&self.address.to_string(), era).await
    }

    async fn start_at(address: &str, era: Era) -> Self {
        let script = Arc::new(Script {
            era,
            calls: Mutex::default(),
            waiting: Semaphore::new(0),
            go_on: Notify::new(),
            cancelled: Arc::new(Semaphore::new(0)),
            answers: watch::Sender::new(HashMap::new()),
            asked: AtomicU64::new(900),
            news: broadcast::Sender::new(16),
            watched: watch::Sender::new(Vec::new()),
            grown: Mutex::default(),
            tasks: Mutex::default(),
            stop: CancellationToken::new(),
        });
        let listener = tokio::net::TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let stopped = script.stop.clone().cancelled_owned();
        let serving = axum::serve(listener, router).with_graceful_shutdown(stopped);
        let served = tokio::spawn(async move { serving.await });
        Self { script, address, served }
    }
}

impl Script {
    /// Returns the bodies of the calls so far.
    pub fn bodies(&self) -> Vec<String> {
        self.calls.lock().expect("no panics").iter().map(|(_, body)| body.clone()).collect()
    }

    /// Waits until this many permits were given, and takes them.
    pub async fn wait(semaphore: &Semaphore) {
        semaphore.acquire().await.expect("it is never closed").forget();
    }
}

async fn answer(
    State(script): State<Arc<Script>>,
    method: http::Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if method == http::Method::GET && script.era == Era::Legacy {
        return stock::stream_of(&script);
    }
    let Ok(message) = serde_json::from_slice::<Value>(&body) else {
        return plain(StatusCode::BAD_REQUEST, "no JSON");
    };
    let method = message["method"].as_str().unwrap_or_default().to_owned();
    if let Some(refusal) = in_the_wrong_era(script.era, &headers, &message, &method) {
        return refusal;
    }
    match (method.as_str(), script.era) {
        ("server/discover", Era::Modern) => result(
            &message,
            json!({"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":stock::capabilities(),
                "ttlMs":1,"cacheScope":"private"}),
        ),
        ("initialize", Era::Legacy) => {
            let mut response = result(
                &message,
                json!({"protocolVersion":"2025-11-25","capabilities":stock::capabilities(),
                    "serverInfo":{"name":"scripted","version":"1"}}),
            );
            response.headers_mut().insert("mcp-session-id", "s1".parse().expect("visible"));
            response
        }
        ("notifications/cancelled", Era::Legacy) => {
            script.cancelled.add_permits(1);
            plain(StatusCode::ACCEPTED, "")
        }
        (_, Era::Legacy) if message.get("id").is_none() => plain(StatusCode::ACCEPTED, ""),
        ("", Era::Legacy) => {
            let id = message["id"].as_u64().expect("an id of ours");
            script.answers.send_modify(|answers| drop(answers.insert(id, message)));
            plain(StatusCode::ACCEPTED, "")
        }
        ("tasks/get" | "tasks/update" | "tasks/cancel", Era::Modern) => {
            let text = String::from_utf8_lossy(&body).into_owned();
            script.tasks.lock().expect("no panics").push((headers, text));
            let task = json!({"resultType":"complete","taskId":message["params"]["taskId"],"status":"working",
                "createdAt":"2026-11-21T00:00:00Z","lastUpdatedAt":"2026-11-21T00:00:00Z","ttlMs":null});
            result(&message, task)
        }
        ("tools/list", era) => {
            let tools: Value = serde_json::from_str(TOOLS).expect("JSON");
            match era {
                Era::Modern => result(
                    &message,
                    json!({"resultType":"complete","ttlMs":1,"cacheScope":"private","tools":tools}),
                ),
                Era::Legacy => result(&message, json!({ "tools": tools })),
            }
        }
        ("tools/call", _) => {
            let text = String::from_utf8_lossy(&body).into_owned();
            script.calls.lock().expect("no panics").push((headers, text));
            call(script, &message).await
        }
        ("logging/setLevel", Era::Legacy) => result(&message, json!({})),
        (method, _) => stock::answer(&script, &message, method)
            .unwrap_or_else(|| error(&message, -32601, "no such method")),
    }
}

/// Refuses what a server of this era would not take, in the words of some.
fn in_the_wrong_era(era: Era, headers: &HeaderMap, message: &Value, method: &str) -> Option<Response> {
    let mut refusal = match era {
        Era::Legacy if method == "initialize" || headers.contains_key("mcp-session-id") => return None,
        Era::Legacy => return Some(plain(StatusCode::BAD_REQUEST, "no session")),
        Era::Modern => match &message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] {
            Value::String(_) => return None,
            _ => error(message, -32602, "io.modelcontextprotocol/protocolVersion is missing"),
        },
    };
    *refusal.status_mut() = StatusCode::BAD_REQUEST;
    Some(refusal)
}

async fn call(script: Arc<Script>, message: &Value) -> Response {
    let name = message["params"]["name"].as_str().unwrap_or_default().to_owned();
    let complete = |mut value: Value| {
        if script.era == Era::Modern {
            value["resultType"] = json!("complete");
        }
        value
    };
    if let Some(response) = asking::call(&script, message, &name) {
        return response;
    }
    match name.as_str() {
        "fails" => result(message, complete(json!({"content":[{"type":"text","text":"no"}],"isError":true}))),
        "refuses" => error(message, -32602, "not these"),
        "asks" => result(message, json!({"resultType":"input_required","requestState":"x"})),
        "begins_task" => result(
            message,
            json!({"resultType":"task","taskId":"t 1","status":"working","createdAt":"2026-11-21T00:00:00Z",
                "lastUpdatedAt":"2026-11-21T00:00:00Z","ttlMs":null}),
        ),
        "wants_tasks" => error_with(
            message,
            -32021,
            json!({"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}),
        ),
        // What a legacy source logs may come on the stream of the session.
        "logs_beside" => {
            let said = ("notifications/message".to_owned(), json!({"level":"info","data":"beside"}));
            let heard = script.news.send(said).unwrap_or_default();
            result(message, complete(json!({"content":[{"type":"text","text":heard.to_string()}]})))
        }
        "list" => result(message, complete(json!({"content":[],"structuredContent":[1,2]}))),
        "unauthorized" => {
            let mut response = plain(StatusCode::UNAUTHORIZED, "who?");
            response.headers_mut().insert("www-authenticate", "Bearer".parse().expect("visible"));
            response
        }
        "streams" => {
            let token = &message["params"]["_meta"]["progressToken"];
            let progress = |n: u32| json!({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":token,"progress":n}});
            let log = json!({"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}});
            let mut events = vec![event(&log)];
            if !token.is_null() {
                events.extend([event(&progress(1)), event(&progress(2))]);
            }
            events.push(event(
                &json!({"jsonrpc":"2.0","id":message["id"],"result":complete(json!({"content":[]}))}),
            ));
            sse(Body::from_stream(stream::iter(events.into_iter().map(Ok::<_, std::io::Error>))))
        }
        "dies" => {
            let half = stream::iter([
                Ok(Bytes::from(": hello\n\ndata: {\"json")),
                Err(std::io::Error::other("gone")),
            ]);
            sse(Body::from_stream(half))
        }
        "waits" => {
            let last =
                event(&json!({"jsonrpc":"2.0","id":message["id"],"result":complete(json!({"content":[]}))}));
            let guard = CancelGuard(Some(Arc::clone(&script.cancelled)), script.era);
            let stream = stream::once(async move {
                let mut guard = guard;
                script.waiting.add_permits(1);
                script.go_on.notified().await;
                guard.0 = None;
                Ok::<_, std::io::Error>(last)
            });
            sse(Body::from_stream(stream.boxed()))
        }
        _ => {
            let text = serde_json::to_string(&message["params"]["arguments"]).expect("JSON");
            let mut value = complete(json!({"content":[{"type":"text","text":text}]}));
            value["kept"] = json!(1.5);
            result(message, value)
        }
    }
}

/// Counts a stream that was closed before its end. A legacy source hears of it by notification.
struct CancelGuard(Option<Arc<Semaphore>>, Era);

impl Drop for CancelGuard {
    fn drop(&mut self) {
        if let (Some(cancelled), Era::Modern) = (&self.0, self.1) {
            cancelled.add_permits(1);
        }
    }
}

pub fn event(message: &Value) -> Bytes {
    format!("event: message\ndata: {message}\n\n").into()
}

pub fn result(message: &Value, result: Value) -> Response {
    json_body(&json!({"jsonrpc":"2.0","id":message["id"],"result":result}))
}

pub fn error(message: &Value, code: i64, text: &str) -> Response {
    json_body(&json!({"jsonrpc":"2.0","id":message["id"],"error":{"code":code,"message":text}}))
}

fn error_with(message: &Value, code: i64, data: Value) -> Response {
    let error = json!({"code":code,"message":"no","data":data});
    json_body(&json!({"jsonrpc":"2.0","id":message["id"],"error":error}))
}

fn json_body(message: &Value) -> Response {
    let mut response = Response::new(Body::from(message.to_string()));
    response.headers_mut().insert("content-type", "application/json".parse().expect("visible"));
    response
}

pub fn sse(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", "text/event-stream".parse().expect("visible"));
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

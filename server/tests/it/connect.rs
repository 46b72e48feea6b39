//! `doorward connect` against a scripted gateway: what it sends, and what it does with answers.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::State, response::IntoResponse, routing::any};
use bytes::Bytes;
use doorward::{
    egress::{Egress, EgressLimits, EgressPolicy},
    secret::Secret,
};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use server::connect::{Target, run};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines},
    net::TcpListener,
};

#[tokio::test]
async fn a_legacy_session_is_kept_and_opened_again_when_it_is_forgotten() {
    let mut bridge = Bridge::open().await;

    bridge
        .say(&json!({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}))
        .await;
    let initialized = bridge.hear().await;
    bridge.say(&json!({"jsonrpc":"2.0","id":"a","method":"tools/list"})).await;
    let listed = bridge.hear().await;
    bridge.gateway.lock().unwrap().session += 1;
    bridge.say(&json!({"jsonrpc":"2.0","id":"b","method":"tools/list"})).await;
    let again = bridge.hear().await;
    let seen = bridge.close().await;

    assert_eq!(initialized["result"]["protocolVersion"], "2025-11-25");
    assert_eq!(listed["result"]["session"], "s0");
    assert_eq!((again["id"].as_str(), again["result"]["session"].as_str()), (Some("b"), Some("s1")));
    assert!(seen.iter().all(|request| request.key == "Bearer dw_test"));
    assert_eq!(seen.last().unwrap().method, Method::DELETE);
    assert!(seen.iter().any(|request| request.method == Method::POST && request.revision == "2025-11-25"));
}

#[tokio::test]
async fn a_modern_call_carries_its_headers_and_every_event_of_its_answer_is_a_line() {
    let mut bridge = Bridge::open().await;
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28"});

    bridge.say(&json!({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":meta}})).await;
    bridge.hear().await;
    let call = json!({"name":"stream","arguments":{"region":"eu"},"_meta":meta});
    bridge.say(&json!({"jsonrpc":"2.0","id":2,"method":"tools/call","params":call})).await;
    let progress = bridge.hear().await;
    let answer = bridge.hear().await;
    let seen = bridge.close().await;

    assert_eq!(progress["method"], "notifications/progress");
    assert_eq!((answer["id"].as_i64(), answer["result"]["ok"].as_bool()), (Some(2), Some(true)));
    let call = seen.iter().find(|request| request.name == "stream").unwrap();
    assert_eq!(
        (call.revision.as_str(), call.region.as_str(), call.session.as_str()),
        ("2026-07-28", "eu", "")
    );
}

#[tokio::test]
async fn a_refusal_is_answered_under_the_id_that_the_client_waits_for() {
    let mut bridge = Bridge::open().await;

    bridge.say(&json!({"jsonrpc":"2.0","id":"x","method":"refuse"})).await;
    let refused = bridge.hear().await;
    bridge.say(&json!({"jsonrpc":"2.0","id":"y","method":"page"})).await;
    let page = bridge.hear().await;
    bridge.input.write_all(b"[1]\n").await.unwrap();
    let unreadable = bridge.hear().await;

    assert_eq!((refused["id"].as_str(), refused["error"]["code"].as_i64()), (Some("x"), Some(-32001)));
    assert_eq!(page["id"], "y");
    assert!(page["error"]["message"].as_str().unwrap().contains("502"), "{page}");
    assert_eq!(unreadable["error"]["code"], -32700);
}

struct Bridge {
    input: DuplexStream,
    output: Lines<BufReader<DuplexStream>>,
    task: tokio::task::JoinHandle<()>,
    gateway: Arc<Mutex<Gateway>>,
}

#[derive(Default)]
struct Gateway {
    session: usize,
    seen: Vec<Seen>,
}

struct Seen {
    method: Method,
    key: String,
    session: String,
    revision: String,
    name: String,
    region: String,
}

impl Bridge {
    async fn open() -> Self {
        let gateway: Arc<Mutex<Gateway>> = Arc::default();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/mcp/ada/tools", listener.local_addr().unwrap());
        let router = Router::new().route("/mcp/ada/tools", any(answer)).with_state(Arc::clone(&gateway));
        tokio::spawn(async move { axum::serve(listener, router).await });

        let (input, bridge_input) = tokio::io::duplex(64 * 1024);
        let (bridge_output, output) = tokio::io::duplex(64 * 1024);
        let target = Target { url: url.parse().unwrap(), key: Some(Secret::new("dw_test")) };
        let policy = EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()] };
        let egress = Egress::new(policy, EgressLimits::default());
        let task = tokio::spawn(async move {
            run(target, egress, BufReader::new(bridge_input), bridge_output).await.unwrap();
        });
        Self { input, output: BufReader::new(output).lines(), task, gateway }
    }

    async fn say(&mut self, message: &Value) {
        self.input.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(10), self.output.next_line()).await;
        serde_json::from_str(&line.expect("an answer within ten seconds").unwrap().unwrap()).unwrap()
    }

    async fn close(self) -> Vec<Seen> {
        drop(self.input);
        self.task.await.unwrap();
        std::mem::take(&mut self.gateway.lock().unwrap().seen)
    }
}

async fn answer(
    State(gateway): State<Arc<Mutex<Gateway>>>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> axum::response::Response {
    let header =
        |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let current = {
        let mut gateway = gateway.lock().unwrap();
        gateway.seen.push(Seen {
            method: method.clone(),
            key: header("authorization"),
            session: header("mcp-session-id"),
            revision: header("mcp-protocol-version"),
            name: header("mcp-name"),
            region: header("mcp-param-region"),
        });
        format!("s{}", gateway.session)
    };
    if method != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let message: Value = serde_json::from_slice(&body).unwrap();
    let is_modern = message["params"]["_meta"].is_object();
    let method = message["method"].as_str().unwrap();
    if message["id"].is_null() {
        return StatusCode::ACCEPTED.into_response();
    }
    if !is_modern
        && !matches!(method, "initialize" | "refuse" | "page")
        && header("mcp-session-id") != current
    {
        return StatusCode::NOT_FOUND.into_response();
    }
    let result = match method {
        "initialize" => {
            let body = json!({"jsonrpc":"2.0","id":message["id"],"result":{"protocolVersion":"2025-11-25"}});
            // A line end between the parts must not become one between messages.
            let text = serde_json::to_string_pretty(&body).unwrap();
            return ([("content-type", "application/json"), ("mcp-session-id", current.as_str())], text)
                .into_response();
        }
        "refuse" => {
            let body = json!({"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"no"}}).to_string();
            return (StatusCode::UNAUTHORIZED, [("content-type", "application/json")], body).into_response();
        }
        "page" => return (StatusCode::BAD_GATEWAY, "<html>").into_response(),
        "tools/call" => {
            let progress = json!({"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}});
            let reply = json!({"jsonrpc":"2.0","id":message["id"],"result":{"ok":true}});
            let body = format!("data: {progress}\n\n: still here\n\ndata: {reply}\n\n");
            return ([("content-type", "text/event-stream")], body).into_response();
        }
        _ => json!({"session": current, "tools": [{
            "name": "stream",
            "inputSchema": {"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}},
        }]}),
    };
    let body = json!({"jsonrpc":"2.0","id":message["id"],"result":result}).to_string();
    ([("content-type", "application/json")], body).into_response()
}

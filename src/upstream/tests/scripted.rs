//! A source whose every answer a test writes.

use std::{
    collections::HashSet,
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use url::Url;

use crate::{
    clock::{Clock, Ms},
    egress::{Egress, EgressLimits, EgressPolicy},
    model::{Auth, Credential, EraSetting, EraVerdict, Reach, SourceId},
    upstream::{Answer, Call, GuardProgram, Link, Target, UpstreamError, UpstreamLimits, Upstreams},
};

/// A request that a scripted source has seen.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) http_method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Seen {
    pub(super) fn method(&self) -> &str {
        self.body["method"].as_str().unwrap_or_default()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Answers with a result.
    pub(super) fn result(&self, result: Value) -> Response {
        json_answer(StatusCode::OK, &json!({"jsonrpc": "2.0", "id": self.body["id"], "result": result}))
    }

    pub(super) fn error(&self, status: u16, code: i64, message: &str) -> Response {
        let error = json!({"code": code, "message": message});
        let status = StatusCode::from_u16(status).unwrap();
        json_answer(status, &json!({"jsonrpc": "2.0", "id": self.body["id"], "error": error}))
    }
}

pub(super) fn json_answer(status: StatusCode, body: &Value) -> Response {
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

/// Answers with these bytes as a stream.
pub(super) fn events(text: impl Into<Body>) -> Response {
    ([("content-type", "text/event-stream")], text.into()).into_response()
}

/// A stream that a test writes as it goes; it ends when the pen is dropped.
#[derive(Clone)]
pub(super) struct Pen(mpsc::UnboundedSender<String>);

impl Pen {
    /// Writes this text. Returns whether anybody still reads.
    pub(super) fn write(&self, text: impl Into<String>) -> bool {
        self.0.send(text.into()).is_ok()
    }

    pub(super) fn say(&self, message: &Value) -> bool {
        self.write(event(message))
    }

    /// Waits until nobody reads any more.
    pub(super) async fn left(&self) {
        self.0.closed().await;
    }
}

/// Returns a stream and what it is written with.
pub(super) fn written() -> (Pen, Response) {
    let (sender, receiver) = mpsc::unbounded_channel::<String>();
    let texts = futures::stream::unfold(receiver, |mut receiver| async move {
        let text = receiver.recv().await?;
        Some((Ok::<_, std::io::Error>(text), receiver))
    });
    (Pen(sender), events(Body::from_stream(texts)))
}

/// Where a script leaves the pens of the streams that it opens, for the test.
pub(super) struct Pens(mpsc::UnboundedSender<Pen>, tokio::sync::Mutex<mpsc::UnboundedReceiver<Pen>>);

impl Pens {
    pub(super) fn new() -> Arc<Self> {
        let (sender, receiver) = mpsc::unbounded_channel();
        Arc::new(Self(sender, tokio::sync::Mutex::new(receiver)))
    }

    /// Opens a stream.
    pub(super) fn open(&self) -> Response {
        let (pen, response) = written();
        // The head is sent with the first bytes.
        pen.write(":\n\n");
        self.0.send(pen).unwrap();
        response
    }

    /// Waits for the next stream that was opened.
    pub(super) async fn next(&self) -> Pen {
        self.1.lock().await.recv().await.unwrap()
    }
}

/// A call that a source has, and the stream that the source has opened since.
pub(super) struct Underway {
    pub(super) source: Scripted,
    pub(super) pen: Pen,
    /// The call as it has arrived.
    pub(super) request: Seen,
    pub(super) calling: JoinHandle<Result<Answer, UpstreamError>>,
}

impl Underway {
    pub(super) async fn begin(source: Scripted, pens: &Pens, call: Call) -> Self {
        let link = source.link();
        let calling = tokio::spawn(async move { link.call(call).await });
        let pen = pens.next().await;
        let request = source.wait_for(|seen| seen.method() == "tools/call").await;
        Self { source, pen, request, calling }
    }

    /// Ends the call with this result.
    pub(super) fn end(&self, result: Value) {
        self.pen.say(&json!({"jsonrpc": "2.0", "id": self.request.body["id"], "result": result}));
    }

    /// Returns what the caller gets.
    pub(super) async fn answer(&mut self) -> Result<Answer, UpstreamError> {
        (&mut self.calling).await.unwrap()
    }
}

pub(super) fn event(message: &Value) -> String {
    format!("event: message\ndata: {message}\n\n")
}

/// A source on the loopback address.
pub(super) struct Scripted {
    pub(super) url: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
    arrived: Arc<Notify>,
}

impl Scripted {
    pub(super) async fn start<F, A>(answer: F) -> Self
    where
        F: Fn(Seen) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Response> + Send + 'static,
    {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/mcp", listener.local_addr().unwrap())).unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let arrived: Arc<Notify> = Arc::default();
        let (log, bell) = (Arc::clone(&seen), Arc::clone(&arrived));
        let app = Router::new().fallback(move |request: Request| {
            let (answer, log, bell) = (answer.clone(), Arc::clone(&log), Arc::clone(&bell));
            async move {
                let (parts, body) = request.into_parts();
                let body = to_bytes(body, usize::MAX).await.unwrap();
                let seen = Seen {
                    http_method: parts.method,
                    path: parts.uri.path().to_owned(),
                    headers: parts.headers,
                    body: serde_json::from_slice(&body).unwrap_or(Value::Null),
                };
                log.lock().unwrap().push(seen.clone());
                bell.notify_waiters();
                answer(seen).await
            }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, seen, arrived }
    }

    /// A source of the modern era that answers every call with its arguments.
    pub(super) async fn modern() -> Self {
        Self::start(|seen| async move { modern_answer(&seen) }).await
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn methods(&self) -> Vec<String> {
        self.seen().iter().map(|seen| seen.method().to_owned()).collect()
    }

    /// Waits until so many requests satisfy the condition, and returns the last of them.
    pub(super) async fn wait_for_many(&self, count: usize, condition: impl Fn(&Seen) -> bool) -> Seen {
        loop {
            let arrived = self.arrived.notified();
            if let Some(seen) = self.seen().into_iter().filter(&condition).nth(count - 1) {
                return seen;
            }
            arrived.await;
        }
    }

    /// Waits until a request satisfies the condition.
    pub(super) async fn wait_for(&self, condition: impl Fn(&Seen) -> bool) -> Seen {
        loop {
            let arrived = self.arrived.notified();
            if let Some(seen) = self.seen().into_iter().find(&condition) {
                return seen;
            }
            arrived.await;
        }
    }

    pub(super) fn target(&self) -> Target {
        target(self.url.clone())
    }

    pub(super) fn link(&self) -> Arc<Link> {
        upstreams().link(&self.target())
    }
}

pub(super) fn modern_answer(seen: &Seen) -> Response {
    match seen.method() {
        "server/discover" => seen.result(json!({
            "resultType": "complete", "supportedVersions": ["2026-07-28"],
            "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "scripted", "version": "1"}},
        })),
        "tools/call" => {
            seen.result(json!({"resultType": "complete", "echo": seen.body["params"]["arguments"]}))
        }
        _ => seen.error(404, -32601, "Method not found"),
    }
}

/// A legacy source with sessions. `tools/call` is left to the test.
#[derive(Clone, Default)]
pub(super) struct Sessions {
    open: Arc<Mutex<HashSet<String>>>,
    opened: Arc<Mutex<u32>>,
}

impl Sessions {
    /// Answers everything but calls on a living session, which are `None`.
    pub(super) fn answer(&self, seen: &Seen) -> Option<Response> {
        if seen.method() == "initialize" {
            let mut opened = self.opened.lock().unwrap();
            *opened += 1;
            let id = format!("session-{opened}");
            self.open.lock().unwrap().insert(id.clone());
            let mut response = seen.result(json!({
                "protocolVersion": "2025-06-18", "capabilities": {"tools": {}, "logging": {}},
                "serverInfo": {"name": "old", "version": "0.9"},
            }));
            response.headers_mut().insert("mcp-session-id", id.parse().unwrap());
            return Some(response);
        }
        let session = seen.header("mcp-session-id");
        if session.is_empty() {
            return Some(seen.error(400, -32000, "Bad Request: Mcp-Session-Id header is required"));
        }
        if !self.open.lock().unwrap().contains(session) {
            let body = json!({"jsonrpc": "2.0", "id": null,
                "error": {"code": -32001, "message": "Session not found"}});
            return Some(json_answer(StatusCode::NOT_FOUND, &body));
        }
        if seen.http_method == Method::GET {
            return None;
        }
        if seen.http_method == Method::DELETE {
            self.open.lock().unwrap().remove(session);
            return Some(StatusCode::OK.into_response());
        }
        // Notifications, and answers to what the source asked.
        let is_request = !seen.body["id"].is_null() && !seen.method().is_empty();
        (!is_request).then(|| StatusCode::ACCEPTED.into_response())
    }

    /// Forgets every session, as a restart does.
    pub(super) fn forget_all(&self) {
        self.open.lock().unwrap().clear();
    }

    pub(super) fn opened(&self) -> u32 {
        *self.opened.lock().unwrap()
    }

    pub(super) fn open(&self) -> usize {
        self.open.lock().unwrap().len()
    }

    /// A legacy source that answers every call with its arguments.
    pub(super) async fn serve(&self) -> Scripted {
        let sessions = self.clone();
        Scripted::start(move |seen| {
            let answer = sessions.answer(&seen);
            async move {
                answer.unwrap_or_else(|| seen.result(json!({"echo": seen.body["params"]["arguments"]})))
            }
        })
        .await
    }
}

pub(super) fn target(url: Url) -> Target {
    Target {
        source: SourceId::new(),
        version: 1,
        reach: Reach::McpHttp { url },
        credential: Credential { auth: Auth::None, env: Default::default() },
        era: EraSetting::Auto,
        verdict: None,
        tunnel: None,
        ca_certificates: None,
    }
}

pub(super) const NOW: Ms = Ms(1_795_000_000_000);

pub(super) fn limits() -> UpstreamLimits {
    UpstreamLimits {
        guard: GuardProgram::None,
        answer_bytes_max: 1024 * 1024,
        resume_pause: Duration::from_millis(20),
        watch_pause: Duration::from_millis(20),
        watch_linger: Duration::ZERO,
        ..UpstreamLimits::default()
    }
}

pub(super) fn upstreams() -> Upstreams {
    upstreams_with(limits(), &Clock::manual(NOW))
}

pub(super) fn upstreams_with(limits: UpstreamLimits, clock: &Clock) -> Upstreams {
    let policy = EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()] };
    Upstreams::new(Egress::new(policy, EgressLimits::default()), clock.clone(), limits)
}

pub(super) fn verdict(era: &str, revision: &str, at: Ms) -> EraVerdict {
    EraVerdict {
        era: crate::model::Era::from_word(era).unwrap(),
        revision: revision.to_owned(),
        server: String::new(),
        at,
    }
}

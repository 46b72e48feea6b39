//! The callers: a closed loop per connection, each answer read and compared.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use crate::{Era, Order, source};

/// The size of the text that is sent and comes back.
const PAYLOAD: usize = 1024;

/// What one measurement found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    calls: usize,
    seconds: f64,
    p50_us: f64,
    p99_us: f64,
}

#[derive(Deserialize)]
struct Answer<'a> {
    id: u64,
    #[serde(borrow)]
    result: CallResult<'a>,
}

#[derive(Deserialize)]
struct CallResult<'a> {
    #[serde(borrow)]
    content: Vec<Part<'a>>,
}

#[derive(Deserialize)]
struct Part<'a> {
    text: &'a str,
}

/// Calls for the time that is asked for, after a short warm-up whose calls do not count.
pub(crate) async fn measure(order: Order) -> Result<Report> {
    let times = Rc::new(RefCell::new(Vec::with_capacity(1 << 18)));
    let begin = Instant::now();
    let warm = begin + order.duration / 8;
    let end = warm + order.duration;
    let order = Rc::new(order);
    let (arrived_before, made) = (source::arrived(), Rc::new(Cell::new(0)));

    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..order.connections {
        let (order, times, made) = (Rc::clone(&order), Rc::clone(&times), Rc::clone(&made));
        callers.spawn_local(async move { call_until(&order, warm, end, &times, &made).await });
    }
    while let Some(outcome) = callers.join_next().await {
        outcome??;
    }

    let (made, arrived) = (made.get(), source::arrived() - arrived_before);
    ensure!(made == arrived, "{made} calls became {arrived} at the source");

    let mut times = times.take();
    ensure!(!times.is_empty(), "no call was answered");
    times.sort_unstable();
    let at = |share: f64| micros(times[((times.len() - 1) as f64 * share) as usize]);
    let seconds = Instant::now().duration_since(warm).as_secs_f64();
    Ok(Report { calls: times.len(), seconds, p50_us: at(0.5), p99_us: at(0.99) })
}

async fn call_until(
    order: &Order,
    warm: Instant,
    end: Instant,
    times: &RefCell<Vec<Duration>>,
    made: &Cell<usize>,
) -> Result<()> {
    let mut caller = Caller::connect(order).await?;
    loop {
        let begin = Instant::now();
        if begin >= end {
            return Ok(());
        }
        caller.call().await?;
        made.set(made.get() + 1);
        if begin >= warm {
            times.borrow_mut().push(begin.elapsed());
        }
    }
}

struct Caller {
    sender: SendRequest<Full<Bytes>>,
    path: Uri,
    headers: HeaderMap,
    era: Era,
    next: u64,
    payload: String,
}

impl Caller {
    async fn connect(order: &Order) -> Result<Self> {
        let host = order.url.authority().context("an address has a host")?.to_string();
        let stream = TcpStream::connect(&host).await.with_context(|| format!("nobody listens on {host}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::task::spawn_local(connection);

        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse()?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(AUTHORIZATION, format!("Bearer {}", order.key).parse()?);
        let path = order.url.path().parse()?;
        let payload = "the quick brown fox, ".chars().cycle().take(PAYLOAD).collect();
        let mut caller = Self { sender, path, headers, era: order.era, next: 0, payload };
        caller.open().await?;
        Ok(caller)
    }

    /// The legacy handshake, or the headers that every modern call has.
    async fn open(&mut self) -> Result<()> {
        const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
        const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
        if self.era == Era::Modern {
            self.headers.insert(VERSION, HeaderValue::from_static("2026-07-28"));
            self.headers.insert("mcp-method", HeaderValue::from_static("tools/call"));
            self.headers.insert("mcp-name", HeaderValue::from_static("echo"));
            return Ok(());
        }
        let hello = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"load","version":"1"}}}"#;
        let (headers, _) = self.post(hello.to_owned()).await?;
        if let Some(session) = headers.get(&SESSION) {
            self.headers.insert(SESSION, session.clone());
        }
        self.headers.insert(VERSION, HeaderValue::from_static("2025-11-25"));
        self.post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_owned()).await?;
        Ok(())
    }

    async fn call(&mut self) -> Result<()> {
        self.next += 1;
        let (id, text) = (self.next, &self.payload);
        let meta = match self.era {
            Era::Legacy => "",
            Era::Modern => {
                r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"load","version":"1"}}"#
            }
        };
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"{text}"}}{meta}}}}}"#
        );
        let (_, bytes) = self.post(body).await?;
        let answer: Answer = serde_json::from_slice(message(&bytes))
            .with_context(|| format!("no answer: {}", String::from_utf8_lossy(&bytes)))?;
        let right = answer.id == id
            && answer.result.content.len() == 1
            && answer.result.content[0].text == self.payload;
        ensure!(right, "a wrong answer: {}", String::from_utf8_lossy(&bytes));
        Ok(())
    }

    async fn post(&mut self, body: String) -> Result<(HeaderMap, Bytes)> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.clone();
        *request.headers_mut() = self.headers.clone();
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let headers = response.headers().clone();
        let bytes = response.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "answered {status}: {}", String::from_utf8_lossy(&bytes));
        Ok((headers, bytes))
    }
}

/// The message itself, also when it comes as the one event of a stream.
fn message(bytes: &[u8]) -> &[u8] {
    let data = bytes.windows(6).position(|window| window == b"data: ");
    match data {
        Some(at) if !bytes.starts_with(b"{") => {
            let rest = &bytes[at + 6..];
            &rest[..rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())]
        }
        _ => bytes,
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

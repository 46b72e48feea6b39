//! The callers: a closed loop per connection, each answer read and compared.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::net::TcpStream;

use crate::{Era, Order, What, source};

/// The size of the text that is sent and comes back.
const PAYLOAD: usize = 1024;

const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// What a modern request carries.
const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"load","version":"1"}}"#;
const META_OF_ASKED: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}},"io.modelcontextprotocol/clientInfo":{"name":"load","version":"1"}}"#;

/// What one measurement found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    calls: usize,
    seconds: f64,
    p50_us: f64,
    p99_us: f64,
}

#[derive(Deserialize)]
struct Answer<T> {
    id: u64,
    result: T,
}

#[derive(Deserialize)]
struct ListPage<'a> {
    #[serde(borrow)]
    tools: Vec<&'a RawValue>,
    #[serde(rename = "nextCursor")]
    next_cursor: Option<String>,
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
    if order.what.reaches_source() {
        ensure!(made == arrived, "{made} calls became {arrived} at the source");
    }

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
    let mut caller = Caller::connect(&order.url, &order.key, order.era).await?;
    loop {
        let begin = Instant::now();
        match order.what {
            What::Echo | What::Blob(_) => caller.call(order.what).await?,
            What::List => caller.list().await?,
            What::Session => caller.session().await?,
        }
        made.set(made.get() + 1);
        if begin >= warm {
            times.borrow_mut().push(begin.elapsed());
        }
        if Instant::now() >= end {
            return Ok(());
        }
    }
}

/// One connection of a client.
pub(crate) struct Caller {
    sender: SendRequest<Full<Bytes>>,
    path: Uri,
    headers: HeaderMap,
    era: Era,
    next: u64,
    payload: String,
    /// Whether modern requests say that the caller answers questions.
    pub(crate) can_be_asked: bool,
}

impl Caller {
    /// Connects and opens what the era needs.
    pub(crate) async fn connect(url: &Uri, key: &str, era: Era) -> Result<Self> {
        let host = url.authority().context("an address has a host")?.to_string();
        let stream = TcpStream::connect(&host).await.with_context(|| format!("nobody listens on {host}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::task::spawn_local(connection);

        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse()?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(AUTHORIZATION, format!("Bearer {key}").parse()?);
        let path = url.path().parse()?;
        let payload = "the quick brown fox, ".chars().cycle().take(PAYLOAD).collect();
        let mut caller = Self { sender, path, headers, era, next: 0, payload, can_be_asked: false };
        caller.open().await?;
        Ok(caller)
    }

    /// The legacy handshake, or the headers that every modern call has.
    async fn open(&mut self) -> Result<()> {
        if self.era == Era::Modern {
            self.headers.insert(VERSION, HeaderValue::from_static("2026-07-28"));
            return Ok(());
        }
        let hello = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"load","version":"1"}}}"#;
        let (headers, body) = self.post(hello.to_owned()).await?;
        body.collect().await?;
        if let Some(session) = headers.get(&SESSION) {
            self.headers.insert(SESSION, session.clone());
        }
        self.headers.insert(VERSION, HeaderValue::from_static("2025-11-25"));
        let told = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        self.post(told.to_owned()).await?.1.collect().await?;
        Ok(())
    }

    /// Leaves the session as it is and opens another.
    pub(crate) async fn open_again(&mut self) -> Result<()> {
        self.headers.remove(&SESSION);
        self.headers.remove(&VERSION);
        self.open().await
    }

    async fn call(&mut self, what: What) -> Result<()> {
        let (name, arguments) = match what {
            What::Blob(bytes) => ("bytes", format!(r#"{{"bytes":{bytes}}}"#)),
            _ => ("echo", format!(r#"{{"text":"{}"}}"#, self.payload)),
        };
        let params = format!(r#""name":"{name}","arguments":{arguments}"#);
        let (id, bytes) = self.ask("tools/call", name, &params).await?;
        let answer: Answer<CallResult> = read(&bytes)?;
        let right = answer.id == id
            && answer.result.content.len() == 1
            && match what {
                What::Blob(bytes) => answer.result.content[0].text.len() == bytes,
                _ => answer.result.content[0].text == self.payload,
            };
        ensure!(right, "a wrong answer: {}", start_of(&bytes));
        Ok(())
    }

    /// Reads every page.
    async fn list(&mut self) -> Result<()> {
        let (mut found, mut params) = (0, String::new());
        loop {
            let (id, bytes) = self.ask("tools/list", "", &params).await?;
            let answer: Answer<ListPage> = read(&bytes)?;
            ensure!(answer.id == id, "a wrong answer: {}", start_of(&bytes));
            found += answer.result.tools.len();
            match answer.result.next_cursor {
                Some(cursor) => params = format!(r#""cursor":"{cursor}""#),
                None => break,
            }
        }
        ensure!(found == source::MANY, "{found} tools of {}", source::MANY);
        Ok(())
    }

    /// Opens a session, lists what there is and ends the session.
    async fn session(&mut self) -> Result<()> {
        self.open_again().await?;
        let (id, bytes) = self.ask("tools/list", "", "").await?;
        let answer: Answer<ListPage> = read(&bytes)?;
        ensure!(answer.id == id && !answer.result.tools.is_empty(), "a wrong answer: {}", start_of(&bytes));
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.method_mut() = Method::DELETE;
        self.send(request).await?.1.collect().await?;
        Ok(())
    }

    /// Sends one request, and returns its id and the answer's body.
    pub(crate) async fn ask(
        &mut self,
        method: &'static str,
        name: &'static str,
        params: &str,
    ) -> Result<(u64, Bytes)> {
        let (id, body) = self.begin(method, name, params).await?;
        Ok((id, body.collect().await?.to_bytes()))
    }

    /// Sends one request, and returns its id and the body as it comes.
    pub(crate) async fn begin(
        &mut self,
        method: &'static str,
        name: &'static str,
        params: &str,
    ) -> Result<(u64, Incoming)> {
        self.next += 1;
        let id = self.next;
        let meta = match self.era {
            Era::Legacy => "",
            Era::Modern => {
                self.headers.insert("mcp-method", HeaderValue::from_static(method));
                if name.is_empty() {
                    self.headers.remove("mcp-name");
                } else {
                    self.headers.insert("mcp-name", HeaderValue::from_static(name));
                }
                if self.can_be_asked { META_OF_ASKED } else { META }
            }
        };
        let comma = if meta.is_empty() || params.is_empty() { "" } else { "," };
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{params}{comma}{meta}}}}}"#
        );
        let (_, body) = self.post(body).await?;
        Ok((id, body))
    }

    async fn post(&mut self, body: String) -> Result<(HeaderMap, Incoming)> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        self.send(request).await
    }

    async fn send(&mut self, mut request: Request<Full<Bytes>>) -> Result<(HeaderMap, Incoming)> {
        *request.uri_mut() = self.path.clone();
        *request.headers_mut() = self.headers.clone();
        let (parts, body) = self.sender.send_request(request).await?.into_parts();
        if !parts.status.is_success() {
            let said = body.collect().await?.to_bytes();
            bail!("answered {}: {}", parts.status, start_of(&said));
        }
        Ok((parts.headers, body))
    }
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<Answer<T>> {
    serde_json::from_slice(message(bytes)).with_context(|| format!("no answer: {}", start_of(bytes)))
}

/// As much of an answer as an error has room for.
fn start_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(400)]).into_owned()
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

//! The source: an MCP server of both eras. Its tool `say` answers with what it was given, and `blob` with as many
//! bytes as it was asked for; both have a second name for callers who come without a gateway in between, since the
//! gateway renames them. At the path `/many` it has [`MANY`] tools. At `/asks` it is of the legacy era only, and its
//! one tool asks the caller something and waits for ever.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::net::TcpListener;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    method: &'a str,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Call<'a> {
    name: &'a str,
    #[serde(borrow)]
    arguments: Arguments<'a>,
}

#[derive(Deserialize)]
struct Arguments<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    bytes: Option<usize>,
}

thread_local! {
    /// How many calls have arrived.
    static ARRIVED: Cell<usize> = const { Cell::new(0) };
}

/// What the tool of `/asks` asks.
const QUESTION: &str = r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"Which one?","requestedSchema":{"type":"object","properties":{"which":{"type":"string"}}}}}"#;

/// How many tools there are at `/many`.
pub(crate) const MANY: usize = 500;

const TOOLS: &str = r#"{"name":"blob","description":"Answers with so many bytes.","inputSchema":{"type":"object","properties":{"bytes":{"type":"integer"}},"required":["bytes"]}},{"name":"say","description":"Answers with what it was given.","inputSchema":{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}}"#;

/// Definitions of the size that real ones have.
static MANY_TOOLS: LazyLock<String> = LazyLock::new(|| {
    let mut tools = String::new();
    for number in 0..MANY {
        let comma = if number == 0 { "" } else { "," };
        let _ = write!(
            tools,
            r#"{comma}{{"name":"tool_{number:03}","title":"Tool {number}","description":"Looks up records of the kind {number} by their key, newest first, and returns at most as many as asked for.","inputSchema":{{"type":"object","properties":{{"key":{{"type":"string","description":"The record's key, as shown in lists."}},"limit":{{"type":"integer","minimum":1,"maximum":100,"default":20}},"fields":{{"type":"array","items":{{"type":"string"}}}}}},"required":["key"]}},"annotations":{{"readOnlyHint":true}}}}"#
        );
    }
    tools
});

/// What blobs are cut from.
static BLOB: LazyLock<String> =
    LazyLock::new(|| "the quick brown fox, ".chars().cycle().take(1 << 20).collect());

/// Returns how many calls have arrived since the start.
pub(crate) fn arrived() -> usize {
    ARRIVED.get()
}

/// Answers every connection until the process ends.
pub(crate) async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::task::spawn_local(async move {
            let http = hyper::server::conn::http1::Builder::new();
            // A caller that leaves is none of the source's business.
            let _ = http.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
        });
    }
}

/// A stream of one event that then stays open.
struct Open(Option<Bytes>);

impl Body for Open {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.take().map_or(Poll::Pending, |event| Poll::Ready(Some(Ok(Frame::data(event)))))
    }
}

type Answer = Response<Either<Full<Bytes>, Open>>;

async fn answer(request: Request<Incoming>) -> Result<Answer, Infallible> {
    match *request.method() {
        Method::POST => {}
        Method::DELETE => return Ok(status(StatusCode::OK)),
        _ => return Ok(status(StatusCode::METHOD_NOT_ALLOWED)),
    }
    let has_many = request.uri().path() == "/many";
    let asks = request.uri().path() == "/asks";
    let Ok(body) = request.into_body().collect().await else { return Ok(status(StatusCode::BAD_REQUEST)) };
    let body = body.to_bytes();
    let Ok(message) = serde_json::from_slice::<Message>(&body) else {
        return Ok(status(StatusCode::BAD_REQUEST));
    };
    let Some(id) = message.id else { return Ok(status(StatusCode::ACCEPTED)) };

    let params = message.params.map_or("{}", RawValue::get);
    let modern = params.contains("io.modelcontextprotocol/protocolVersion");
    let complete = if modern { r#""resultType":"complete","# } else { "" };
    let result = match message.method {
        "server/discover" if asks => return Ok(no_such_method(id)),
        "tools/call" if asks => return Ok(stream(QUESTION)),
        "tools/list" if asks => r#"{"tools":[{"name":"ask","inputSchema":{"type":"object"}}]}"#.to_owned(),
        "subscriptions/listen" => {
            let id = id.get();
            return Ok(stream(&format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"notifications":{{"toolsListChanged":true}},"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
            )));
        }
        "tools/call" => {
            let Ok(Call { name, arguments }) = serde_json::from_str::<Call>(params) else {
                return Ok(status(StatusCode::BAD_REQUEST));
            };
            ARRIVED.set(arrived() + 1);
            let blob;
            let text = match (name, arguments.text, arguments.bytes) {
                ("say" | "echo", Some(text), _) => text.get(),
                ("blob" | "bytes", _, Some(bytes)) if bytes <= BLOB.len() => {
                    blob = format!("\"{}\"", &BLOB[..bytes]);
                    &blob
                }
                _ => return Ok(status(StatusCode::BAD_REQUEST)),
            };
            format!(r#"{{{complete}"content":[{{"type":"text","text":{text}}}],"isError":false}}"#)
        }
        "tools/list" => {
            let tools = if has_many { MANY_TOOLS.as_str() } else { TOOLS };
            let hints = if modern { r#","ttlMs":60000,"cacheScope":"public""# } else { "" };
            format!(r#"{{{complete}"tools":[{tools}]{hints}}}"#)
        }
        "server/discover" => format!(
            r#"{{{complete}"supportedVersions":["2026-07-28"],"capabilities":{{"tools":{{"listChanged":true}}}},"ttlMs":60000,"cacheScope":"public"}}"#
        ),
        "initialize" => r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"echo","version":"1"}}"#.to_owned(),
        "ping" => "{}".to_owned(),
        _ => return Ok(no_such_method(id)),
    };
    Ok(json(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, id.get())))
}

fn no_such_method(id: &RawValue) -> Answer {
    let id = id.get();
    json(format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"no such method"}}}}"#))
}

fn stream(message: &str) -> Answer {
    let mut response = Response::new(Either::Right(Open(Some(format!("data: {message}\n\n").into()))));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

fn json(text: String) -> Answer {
    let mut response = Response::new(Either::Left(Full::new(Bytes::from(text))));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn status(status: StatusCode) -> Answer {
    let mut response = Response::new(Either::Left(Full::default()));
    *response.status_mut() = status;
    response
}

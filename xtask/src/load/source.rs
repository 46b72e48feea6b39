//! The source: an MCP server of both eras with one tool, `say`, that answers with what it was given. It answers to
//! the name `echo` as well, which callers use who come without a gateway in between.

use std::cell::Cell;
use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
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
    text: &'a RawValue,
}

thread_local! {
    /// How many calls have arrived.
    static ARRIVED: Cell<usize> = const { Cell::new(0) };
}

const TOOL: &str = r#"{"name":"say","description":"Answers with what it was given.","inputSchema":{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}}"#;

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

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() != Method::POST {
        return Ok(status(StatusCode::METHOD_NOT_ALLOWED));
    }
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
        "tools/call" => match serde_json::from_str::<Call>(params) {
            Ok(call) if matches!(call.name, "say" | "echo") => {
                ARRIVED.set(arrived() + 1);
                format!(
                    r#"{{{complete}"content":[{{"type":"text","text":{}}}],"isError":false}}"#,
                    call.arguments.text.get()
                )
            }
            _ => return Ok(status(StatusCode::BAD_REQUEST)),
        },
        "tools/list" if modern => format!(r#"{{{complete}"tools":[{TOOL}],"ttlMs":60000,"cacheScope":"public"}}"#),
        "tools/list" => format!(r#"{{"tools":[{TOOL}]}}"#),
        "server/discover" => format!(
            r#"{{{complete}"supportedVersions":["2026-07-28"],"capabilities":{{"tools":{{}}}},"ttlMs":60000,"cacheScope":"public"}}"#
        ),
        "initialize" => r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"echo","version":"1"}}"#.to_owned(),
        "ping" => "{}".to_owned(),
        _ => {
            let id = id.get();
            let error = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"no such method"}}}}"#);
            return Ok(json(error));
        }
    };
    Ok(json(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, id.get())))
}

fn json(text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

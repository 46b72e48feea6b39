//! The source behind everything that is measured: an MCP server of both eras that answers as fast
//! as one thread can.

use std::{io, net::SocketAddr};

use tokio::net::TcpListener;

use super::http::{Wire, find};

/// How long the text of the answer is, per tool.
pub const SIZES: [(&str, usize); 3] = [("echo", 1024), ("blob_100k", 100 * 1024), ("blob_1m", 1024 * 1024)];
/// How many further tools are listed.
const OTHERS: usize = 500;

/// Serves until the process is ended.
pub async fn serve(address: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let texts: Vec<String> = SIZES.iter().map(|(_, size)| "x".repeat(*size)).collect();
    let tools: &'static str = tools().leak();
    let texts: &'static [String] = texts.leak();
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let Ok(mut wire) = Wire::new(stream) else { return };
            while let Ok(Some((_, body))) = wire.read().await {
                if wire.write(&answer(&body, tools, texts)).await.is_err() {
                    return;
                }
            }
        });
    }
}

fn answer(body: &[u8], tools: &str, texts: &[String]) -> Vec<u8> {
    let Some(id) = member(body, b"\"id\":") else {
        return b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".to_vec();
    };
    let id = String::from_utf8_lossy(id);
    let modern = find(body, b"io.modelcontextprotocol/protocolVersion").is_some();
    let method = member(body, b"\"method\":").unwrap_or_default();
    let extra = if modern { r#""resultType":"complete","# } else { "" };
    let result = match method {
        b"\"tools/call\"" => {
            let text = SIZES
                .iter()
                .position(|(name, _)| find(body, format!("\"name\":\"{name}\"").as_bytes()).is_some())
                .map_or("unknown tool", |index| &texts[index]);
            format!(r#"{{{extra}"content":[{{"type":"text","text":"{text}"}}],"isError":false}}"#)
        }
        b"\"tools/list\"" if modern => {
            format!(r#"{{{extra}"ttlMs":60000,"cacheScope":"public","tools":{tools}}}"#)
        }
        b"\"tools/list\"" => format!(r#"{{"tools":{tools}}}"#),
        b"\"server/discover\"" => concat!(
            r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"#,
            r#""ttlMs":60000,"cacheScope":"public","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"bench","version":"1"}}}"#
        )
        .into(),
        b"\"initialize\"" => concat!(
            r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"#,
            r#""serverInfo":{"name":"bench","version":"1"}}"#
        )
        .into(),
        _ => "{}".into(),
    };
    let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
    let length = body.len();
    let mut message =
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n")
            .into_bytes();
    message.extend_from_slice(body.as_bytes());
    message
}

/// Returns the scalar after the first occurrence of `name`. Good enough for requests without
/// nested members of that name before it, which are all that come here.
fn member<'a>(body: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = &body[find(body, name)? + name.len()..];
    let end = rest.iter().position(|byte| matches!(byte, b',' | b'}'))?;
    Some(rest[..end].trim_ascii())
}

fn tools() -> String {
    let schema =
        r#"{"type":"object","properties":{"text":{"type":"string","description":"What to send back"}}}"#;
    let named = SIZES.iter().map(|(name, _)| (*name).to_owned());
    let others = (0..OTHERS).map(|number| format!("tool_{number:03}"));
    let tools: Vec<String> = named
        .chain(others)
        .map(|name| {
            format!(r#"{{"name":"{name}","description":"Answers with a text","inputSchema":{schema}}}"#)
        })
        .collect();
    format!("[{}]", tools.join(","))
}

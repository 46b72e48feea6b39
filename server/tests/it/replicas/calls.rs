//! Requests of legacy sessions.

use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    call::Call,
    running::{Door, Running},
    world::Answer,
};

/// Returns which replica nginx asked last.
pub(crate) fn upstream(answer: &Answer) -> String {
    let asked = answer.headers["x-upstream"].to_str().unwrap();
    asked.rsplit(' ').next().unwrap().to_owned()
}

/// Begins a session of a legacy caller who can be asked.
pub(crate) async fn begin(door: &Door, key: &str) -> String {
    begin_on(door, key, "/mcp/ada/tools").await
}

/// Begins a session on a preset.
pub(crate) async fn begin_on(door: &Door, key: &str, path: &str) -> String {
    let params =
        json!({"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}});
    let body = json!({"jsonrpc":"2.0","id":1,"method":"initialize","params":params}).to_string();
    let begun = door.send(Call::raw(body).at(path).key(key).request()).await.unwrap();
    assert_eq!(begun.status, StatusCode::OK, "{}", begun.body);
    begun.headers["mcp-session-id"].to_str().unwrap().to_owned()
}

pub(crate) async fn begin_at(replica: &Running<'_>, key: &str) -> String {
    begin(&replica.door(), key).await
}

pub(crate) fn in_session(session: &str, key: &str, tool: &str, arguments: &Value) -> Call {
    of_session(session, key, "tools/call", json!({ "name": tool, "arguments": arguments }))
}

/// Asks something in a session.
pub(crate) fn of_session(session: &str, key: &str, method: &str, params: Value) -> Call {
    let body = json!({"jsonrpc":"2.0","id":2,"method":method,"params":params}).to_string();
    let call = Call::raw(body).key(key).header("mcp-session-id", session);
    call.header("mcp-protocol-version", "2025-11-25")
}

pub(crate) fn delete(session: &str, key: &str) -> http::Request<axum::body::Body> {
    let mut request = in_session(session, key, "echo", &json!({})).request();
    *request.method_mut() = Method::DELETE;
    *request.body_mut() = axum::body::Body::empty();
    request.headers_mut().remove(header::CONTENT_LENGTH);
    request
}

//! What the playground posts.

use std::sync::Arc;

use doorward::{
    model::{EventId, Member},
    proxy::{ProxyBody, ProxyRequest},
};
use http::{HeaderMap, HeaderValue, Method, header};
use leptos::{prelude::*, server_fn::ServerFn};
use serde_json::json;

use super::{
    fields::{ArgumentField, arguments},
    runs::{self, RESULT_BYTES_MAX, Run},
};
use crate::{
    context::{caller_address, console},
    form::{Form, Mistake, Onward, encode},
    session,
    trouble::Trouble,
};

/// Where a call is posted to.
pub(crate) const CALL: &str = <CallTool as ServerFn>::PATH;

/// The name of the form.
pub(crate) const FORM: &str = "playground";

/// The name of an argument's field in the form.
pub(super) fn argument(name: &str) -> String {
    format!("argument.{name}")
}

/// The revision the playground speaks.
const REVISION: &str = "2026-07-28";

/// Calls a tool of a preset as the person who is signed in.
#[server(prefix = "/do", endpoint = "playground-call")]
pub async fn call_tool(
    id: String,
    tool: String,
    #[server(default)] fields: Vec<ArgumentField>,
    #[server(default)] json: String,
) -> Result<(), ServerFnError> {
    let back = format!("/presets/{}/try?tool={}", encode(&id), encode(&tool));
    let mut form = Form::new(FORM).keep("json", &json);
    for field in &fields {
        form = form.keep(&argument(&field.name), &field.value);
    }
    form.answer(&back, call(&id, &tool, &fields, &json, &back).await)
}

async fn call(
    id: &str,
    tool: &str,
    fields: &[ArgumentField],
    json: &str,
    back: &str,
) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let console = console();
    let id = id.parse().map_err(|_| Trouble::NotFound)?;
    let editor = console.presets.editor(&member, Some(id)).await?.ok_or(Trouble::NotFound)?;
    let preset = editor.preset.ok_or(Trouble::NotFound)?;
    let arguments = if json.trim().is_empty() {
        arguments(fields).map_err(|wrong| Mistake::field(argument(&wrong.name), wrong.text))?
    } else {
        serde_json::from_str(json)
            .map_err(|error| Mistake::field("json", format!("the arguments are JSON: {error}")))?
    };
    let run = ask(&member, editor.owner.as_str(), preset.slug.as_str(), tool, arguments).await;
    let onward = Onward::to(format!("{back}&run={}", run.id));
    runs::keep(run);
    Ok(onward)
}

/// Sends the call down the same path as any agent's.
async fn ask(member: &Arc<Member>, owner: &str, slug: &str, tool: &str, arguments: serde_json::Value) -> Run {
    let console = console();
    let id = EventId::new();
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": tool, "arguments": &arguments, "_meta": {
            "io.modelcontextprotocol/protocolVersion": REVISION,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": { "name": "Doorward playground", "version": env!("CARGO_PKG_VERSION") },
        }},
    });
    let begun = console.now();
    let request = ProxyRequest {
        owner,
        slug,
        method: &Method::POST,
        headers: &headers(tool),
        body: body.to_string().into(),
        address: caller_address(),
        request_id: &id.to_string(),
    };
    let answer = console.proxy.answer_for(member, request).await;
    let mut text = match answer.body {
        ProxyBody::Full(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        // Streams are for callers that accept them, and this one asked for one object.
        ProxyBody::Stream(_) => String::new(),
    };
    if text.len() > RESULT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(RESULT_BYTES_MAX));
    }
    let at = console.now();
    Run {
        id,
        user: member.user,
        at,
        tool: tool.to_owned(),
        arguments: serde_json::to_string_pretty(&arguments).unwrap_or_default(),
        duration_us: i64::try_from(at.since(begun).as_micros()).unwrap_or(i64::MAX),
        status: answer.status.as_u16(),
        answer: text,
    }
}

fn headers(tool: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert("mcp-protocol-version", HeaderValue::from_static(REVISION));
    headers.insert("mcp-method", HeaderValue::from_static("tools/call"));
    headers.insert("mcp-name", doorward::mcp::headers::encode_value(tool));
    headers
}

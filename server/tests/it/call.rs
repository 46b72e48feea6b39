//! Requests to presets, as callers of both eras write them.

use axum::body::Body;
use http::{Method, Request, header};
use serde_json::{Value, json};

use crate::world::{Answer, request};

/// A request to a preset that can be bent in every way before it is sent.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Call {
    /// A request of revision 2026-07-28 to ada's preset `tools`.
    pub(crate) fn modern(method: &str, mut params: Value) -> Self {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let name = params["name"].as_str().map(str::to_owned);
        let body = json!({"jsonrpc":"2.0","id":1,"method":method,"params":params}).to_string();
        let call = Self::raw(body).header("mcp-protocol-version", "2026-07-28").header("mcp-method", method);
        match name {
            Some(name) => call.header("mcp-name", &name),
            None => call,
        }
    }

    /// A call of a tool.
    pub(crate) fn tool(name: &str, arguments: Value) -> Self {
        Self::modern("tools/call", json!({"name":name,"arguments":arguments}))
    }

    /// Any body.
    pub(crate) fn raw(body: impl Into<String>) -> Self {
        let headers =
            [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
        Self {
            path: "/mcp/ada/tools".to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            body: body.into(),
        }
    }

    pub(crate) fn at(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Adds a header, also where there is one of that name.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    pub(crate) fn request(&self) -> Request<Body> {
        let mut request = request(Method::POST, &self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.header(header::CONTENT_LENGTH, self.body.len()).body(Body::from(self.body.clone())).unwrap()
    }
}

impl Answer {
    /// Returns what a tool answered, and whether that is an error.
    pub(crate) fn tool_text(&self) -> (String, bool) {
        let json = self.json();
        let result = &json["result"];
        let text = result["content"][0]["text"].as_str().unwrap_or_default().to_owned();
        (text, result["isError"] == true)
    }

    /// Returns the code of a JSON-RPC error.
    pub(crate) fn code(&self) -> Option<i64> {
        self.json()["error"]["code"].as_i64()
    }
}

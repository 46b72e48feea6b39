//! The few parts of a message that the bridge looks at.

use std::borrow::Cow;

use doorward::mcp::headers::encode_value;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Params<'a> {
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    uri: Option<&'a RawValue>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "requestId")]
    request_id: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<Meta<'a>>,
}

#[derive(Default, Deserialize)]
struct Meta<'a> {
    #[serde(borrow, default, rename = "io.modelcontextprotocol/protocolVersion")]
    revision: Option<Cow<'a, str>>,
}

/// What the bridge knows of a message from the client.
pub(super) struct Envelope {
    id: Option<String>,
    method: Option<String>,
    name: Option<String>,
    cancelled: Option<String>,
    revision: Option<String>,
}

impl Envelope {
    /// Reads one; `None` if it is not a JSON object.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        if line.first() != Some(&b'{') {
            // An array would be read as the members in order.
            return None;
        }
        let whole: Whole<'_> = serde_json::from_slice(line).ok()?;
        let params: Params<'_> =
            whole.params.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        let text = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).ok();
        Some(Self {
            id: whole.id.map(|id| id.get().to_owned()),
            method: whole.method.map(Cow::into_owned),
            name: params.name.or(params.uri).and_then(text),
            cancelled: params.request_id.map(|id| id.get().to_owned()),
            revision: params.meta.and_then(|meta| meta.revision).map(Cow::into_owned),
        })
    }

    /// Returns the id as written if an answer is expected.
    pub(super) fn request_id(&self) -> Option<String> {
        self.method.as_ref().and(self.id.clone())
    }

    /// Says whether it is of the modern era, which repeats parts of the message in headers.
    pub(super) fn is_modern(&self) -> bool {
        self.revision.is_some()
    }

    /// Says whether its answer names the session that everything after it belongs to.
    pub(super) fn opens_session(&self) -> bool {
        !self.is_modern() && self.method.as_deref() == Some("initialize")
    }

    /// Says whether the client is ready for what the gateway says unasked.
    pub(super) fn is_initialized(&self) -> bool {
        self.method.as_deref() == Some("notifications/initialized")
    }

    /// Says whether it cancels a request of the modern era.
    pub(super) fn cancels_by_closing(&self) -> bool {
        self.is_modern() && self.method.as_deref() == Some("notifications/cancelled")
    }

    /// Returns the id, as written, of the request it cancels.
    pub(super) fn cancelled_id(&self) -> Option<String> {
        self.cancelled.clone()
    }

    /// Returns the headers that repeat parts of the message.
    pub(super) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let Some(revision) = &self.revision else { return Vec::new() };
        let parts = [
            ("mcp-protocol-version", Some(revision)),
            ("mcp-method", self.method.as_ref()),
            ("mcp-name", self.name.as_ref()),
        ];
        parts
            .into_iter()
            .filter_map(|(name, text)| Some((HeaderName::from_static(name), encode_value(text?))))
            .collect()
    }

    /// Says whether its answer holds tools of the modern era.
    pub(super) fn lists_tools(&self) -> bool {
        self.is_modern() && self.method.as_deref() == Some("tools/list")
    }

    /// Returns the tool it calls in the modern era.
    pub(super) fn called_tool(&self) -> Option<&str> {
        let is_call = self.is_modern() && self.method.as_deref() == Some("tools/call");
        self.name.as_deref().filter(|_| is_call)
    }
}

/// Returns the arguments of a call.
pub(super) fn arguments(line: &[u8]) -> Option<&RawValue> {
    let whole: Whole<'_> = serde_json::from_slice(line).ok()?;
    let params: Params<'_> = serde_json::from_str(whole.params?.get()).ok()?;
    params.arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modern_call_repeats_its_method_and_name_in_headers() {
        let line = br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"jira_search",
            "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;

        let envelope = Envelope::read(line).unwrap();

        assert!(envelope.is_modern() && !envelope.opens_session());
        assert_eq!(envelope.request_id().as_deref(), Some("7"));
        let headers: Vec<String> = envelope
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        assert_eq!(
            headers,
            ["mcp-protocol-version: 2026-07-28", "mcp-method: tools/call", "mcp-name: jira_search"]
        );
    }

    #[test]
    fn a_legacy_message_gets_no_headers_and_an_answer_expects_none() {
        let initialize =
            Envelope::read(br#"{"jsonrpc":"2.0","id":"a","method":"initialize","params":{}}"#).unwrap();
        let answer = Envelope::read(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#).unwrap();

        assert!(initialize.opens_session() && initialize.headers().is_empty());
        assert_eq!(initialize.request_id().as_deref(), Some("\"a\""));
        assert_eq!(answer.request_id(), None);
        assert!(Envelope::read(b"[]").is_none());
    }
}

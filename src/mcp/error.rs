//! JSON-RPC errors: their codes and their bytes.

use std::{borrow::Cow, fmt};

use bytes::Bytes;

use crate::mcp::{Raw, write};

/// The codes used on the wire.
pub mod codes {
    /// The body is not JSON.
    pub const PARSE: i64 = -32700;
    /// The body is not a request.
    pub const INVALID_REQUEST: i64 = -32600;
    /// Nobody knows the method.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// The parameters are wrong.
    pub const INVALID_PARAMS: i64 = -32602;
    /// Something failed inside.
    pub const INTERNAL: i64 = -32603;
    /// A resource is missing, as revisions before 2026-07-28 say it.
    pub const LEGACY_RESOURCE_NOT_FOUND: i64 = -32002;
    /// A header and the body disagree, or a header is missing.
    pub const HEADER_MISMATCH: i64 = -32020;
    /// The caller did not declare a capability that the request needs.
    pub const MISSING_CAPABILITY: i64 = -32021;
    /// The version asked for is not served.
    pub const UNSUPPORTED_VERSION: i64 = -32022;
    /// Pages must be visited before the call is worth another try (2025-11-25).
    pub const URL_ELICITATION_REQUIRED: i64 = -32042;
    /// Requests come faster than they may. One of our own, outside of what JSON-RPC reserves.
    pub const TOO_FAST: i64 = -31429;
    /// The codes that only the specification may give out.
    pub const RESERVED: std::ops::RangeInclusive<i64> = -32099..=-32020;
}

/// The error member of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorObject {
    /// What kind of error.
    pub code: i64,
    /// The same in words for people.
    pub message: Cow<'static, str>,
    /// More of it, as JSON.
    pub data: Option<String>,
}

impl ErrorObject {
    /// Makes one without data.
    pub fn new(code: i64, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// Makes the one that refuses a request whose caller did not declare what it needs: a
    /// ClientCapabilities object (2026-07-28).
    pub fn missing_capability(required: impl fmt::Display) -> Self {
        let mut error = Self::new(
            codes::MISSING_CAPABILITY,
            "the request needs a capability that the client did not declare",
        );
        error.data = Some(format!(r#"{{"requiredCapabilities":{required}}}"#));
        error
    }

    /// Returns the whole answer. An `id` of `None` is written as `null`: it could not be read.
    pub fn render(&self, id: Option<Raw<'_>>) -> Bytes {
        render(id, self.code, &self.message, self.data.as_deref())
    }
}

/// Returns an error answer; `data` is JSON. An `id` of `None` is written as `null`.
pub fn render(id: Option<Raw<'_>>, code: i64, message: &str, data: Option<&str>) -> Bytes {
    let mut out = Vec::with_capacity(96 + message.len() + data.map_or(0, str::len));
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id.unwrap_or(Raw::NULL).as_bytes());
    out.extend_from_slice(br#","error":{"code":"#);
    write::integer(&mut out, code);
    out.extend_from_slice(br#","message":"#);
    write::string(&mut out, message);
    if let Some(data) = data {
        out.extend_from_slice(br#","data":"#);
        out.extend_from_slice(data.as_bytes());
    }
    out.extend_from_slice(b"}}");
    out.into()
}

/// Returns an error answer around an error object that is JSON already.
pub fn relay(id: Raw<'_>, error: Raw<'_>) -> Bytes {
    let mut out = Vec::with_capacity(40 + id.get().len() + error.get().len());
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(br#","error":"#);
    out.extend_from_slice(error.as_bytes());
    out.push(b'}');
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_capability_is_named() {
        let error = ErrorObject::missing_capability(r#"{"roots":{}}"#);

        assert_eq!(
            error.render(None),
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32021,"message":"the request needs a capability that the client did not declare","data":{"requiredCapabilities":{"roots":{}}}}}"#
        );
    }
}

//! The issuer's addresses that programs use: metadata, registration, tokens. People meet it on the
//! consent page, which is one of the console's.
//!
//! None of them looks at a cookie, so pages of any origin may call them. Never decides anything
//! itself. The list of addresses is in `routes/mod.rs`.

pub(super) mod metadata;
pub(super) mod register;
pub(super) mod token;

use axum::response::Response;
use doorward::issuer::base_url;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::caller;
use crate::state::AppState;

/// Returns the address of this gateway as whoever asks knows it.
fn base(state: &AppState, headers: &HeaderMap) -> String {
    base_url(state.settings().public_base().as_deref(), headers)
}

/// Returns the text after `Bearer `; empty if there is none.
fn bearer(headers: &HeaderMap) -> &str {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    value.and_then(caller::bearer).unwrap_or_default()
}

/// Lets scripts of any page read the answer.
pub(super) async fn open_to_scripts(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("www-authenticate"));
    response
}

/// Answers a script's question whether it may send what it wants to.
pub(super) async fn preflight() -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-type, accept, mcp-protocol-version"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

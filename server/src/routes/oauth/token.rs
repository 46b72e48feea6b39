//! Tokens for clients.

use axum::{
    Json,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use doorward::issuer::IssuerError;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::base;
use crate::{
    respond::{Refused, refused},
    state::AppState,
};

/// Exchanges what a client has for tokens (RFC 6749, 3.2).
pub(in crate::routes) async fn token(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    check_form(&headers)?;
    let issuer = &state.engine().issuer;
    let given = issuer.token(&base(&state, &headers), headers.get(header::AUTHORIZATION), &body).await;
    // Caches of the first version of HTTP look at the second header (RFC 6749, 5.1).
    let unkept = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
    Ok((unkept, Json(given.map_err(refused)?)).into_response())
}

/// Ends a token (RFC 7009).
pub(in crate::routes) async fn revoke(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Refused> {
    check_form(&headers)?;
    let issuer = &state.engine().issuer;
    issuer.revoke_token(headers.get(header::AUTHORIZATION), &body).await.map_err(refused)?;
    Ok(StatusCode::OK)
}

fn check_form(headers: &HeaderMap) -> Result<(), Refused> {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    if kind.to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded") {
        return Ok(());
    }
    Err(refused(IssuerError::InvalidRequest("send a form, as application/x-www-form-urlencoded".into())))
}

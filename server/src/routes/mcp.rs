//! A preset's address: the thin way between HTTP and the engine's `proxy`.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{Extension, Path, Request, State},
    response::Response,
};
use bytes::Bytes;
use doorward::proxy::{ProxyAnswer, ProxyBody, ProxyRequest};
use futures::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use uuid::Uuid;

use crate::{
    layers::{Peer, wrong_host},
    respond::{Problem, ProblemKind},
    state::{AppState, as_usize},
};

/// What scripts of other pages may send and read, if the settings let them call at all.
const CORS_METHODS: HeaderValue = HeaderValue::from_static("POST, GET, DELETE");
const CORS_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, accept, last-event-id, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name",
);
const CORS_EXPOSED: HeaderValue =
    HeaderValue::from_static("mcp-session-id, mcp-protocol-version, www-authenticate");
const CORS_AGE_SECS: HeaderValue = HeaderValue::from_static("600");

pub(super) async fn answer(
    State(state): State<AppState>,
    Extension(peer): Extension<Peer>,
    Path((owner, slug)): Path<(String, String)>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let names = &state.keeper().names;
    if !names.is_ours(&parts.uri, &parts.headers) {
        return wrong_host().to_response();
    }
    let friend =
        parts.headers.get(header::ORIGIN).filter(|origin| names.is_foreign_friend(origin.as_bytes()));
    if parts.method == Method::OPTIONS && friend.is_some() {
        return preflight(friend);
    }
    let proxy = &state.engine().proxy;
    let limit = as_usize(state.settings().request_bytes_max);
    let answer = match read(body, limit).await {
        Ok(body) => {
            let mut id = Uuid::encode_buffer();
            let request = ProxyRequest {
                owner: &owner,
                slug: &slug,
                method: &parts.method,
                headers: &parts.headers,
                body,
                address: state.address(peer, &parts.headers),
                request_id: Uuid::now_v7().simple().encode_lower(&mut id),
            };
            proxy.answer(request).await
        }
        Err(Unread::TooLarge) => proxy.too_large(),
        // The caller went away in the middle, or takes for ever.
        Err(Unread::Broken) => {
            return Problem::new(ProblemKind::BadRequest, "the body broke off").to_response();
        }
    };
    let mut response = to_response(answer);
    if let Some(origin) = friend {
        allow(response.headers_mut(), origin);
    }
    response
}

/// How long a caller may take to send a body, so that bodies which never end hold no memory.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

enum Unread {
    TooLarge,
    Broken,
}

async fn read(body: Body, limit: usize) -> Result<Bytes, Unread> {
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, limit).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unread::TooLarge),
        Ok(Err(_)) | Err(_) => Err(Unread::Broken),
    }
}

fn to_response(answer: ProxyAnswer) -> Response {
    let body = match answer.body {
        ProxyBody::Full(bytes) => Body::from(bytes),
        ProxyBody::Stream(stream) => Body::from_stream(stream.map(Ok::<_, std::convert::Infallible>)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}

fn preflight(origin: Option<&HeaderValue>) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, CORS_METHODS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, CORS_HEADERS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, CORS_AGE_SECS);
    if let Some(origin) = origin {
        allow(headers, origin);
    }
    response
}

fn allow(headers: &mut HeaderMap, origin: &HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, CORS_EXPOSED);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
}

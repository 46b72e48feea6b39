//! A preset's address: the thin way between HTTP and the engine's `proxy`.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use doorward::{
    mcp::headers::PARAM_PREFIX,
    proxy::{ProxyAnswer, ProxyRequest},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use percent_encoding::percent_decode_str;
use uuid::Uuid;

use crate::{
    door::Reply,
    layers::{Peer, wrong_host},
    respond::{Problem, ProblemKind},
    state::{AppState, as_usize},
};

/// What scripts of other pages may send and read, if the settings let them call at all.
const CORS_METHODS: HeaderValue = HeaderValue::from_static("POST, GET, DELETE");
const CORS_HEADERS: &str = "authorization, content-type, accept, last-event-id, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name";
const CORS_EXPOSED: HeaderValue =
    HeaderValue::from_static("mcp-session-id, mcp-protocol-version, www-authenticate");
const CORS_AGE_SECS: HeaderValue = HeaderValue::from_static("600");

/// How many headers of a tool's own parameters a script may ask to send.
const CORS_PARAMS_MAX: usize = 64;

/// The largest body, in bytes, that is read before anybody has looked at who sends it. Most calls are smaller, and are
/// looked at once.
const READ_FOR_ANYBODY: u64 = 64 * 1024;

/// A preset's address in a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address<'a> {
    owner: Cow<'a, str>,
    slug: Cow<'a, str>,
}

impl<'a> Address<'a> {
    /// Reads `/mcp/<owner>/<slug>`, with a slash at the end or without: some clients add one and lose their key when
    /// they are redirected.
    pub(crate) fn of(path: &'a str) -> Option<Self> {
        let (owner, slug) = path.strip_prefix("/mcp/")?.split_once('/')?;
        let slug = slug.strip_suffix('/').unwrap_or(slug);
        if owner.is_empty() || slug.is_empty() || slug.contains('/') {
            return None;
        }
        let name = |text| percent_decode_str(text).decode_utf8().ok();
        Some(Self { owner: name(owner)?, slug: name(slug)? })
    }
}

/// Answers a request to a preset's address.
pub(crate) async fn answer<B>(state: &AppState, peer: Peer, request: Request<B>) -> Response<Reply>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<axum::BoxError>,
{
    let (parts, body) = request.into_parts();
    let names = &state.keeper().names;
    let address = Address::of(parts.uri.path()).filter(|_| names.is_ours(&parts.uri, &parts.headers));
    let Some(Address { owner, slug }) = address else {
        return wrong_host().to_response().map(Reply::Page);
    };
    let friend =
        parts.headers.get(header::ORIGIN).filter(|origin| names.is_foreign_friend(origin.as_bytes()));
    if parts.method == Method::OPTIONS && friend.is_some() {
        return preflight(friend, &parts.headers);
    }
    let proxy = &state.engine().proxy;
    let limit = as_usize(state.settings().request_bytes_max);
    let mut id = Uuid::encode_buffer();
    let vouched = state.engine().replicas.vouched(&parts.method, parts.uri.path(), &parts.headers);
    let head = ProxyRequest {
        owner: &owner,
        slug: &slug,
        method: &parts.method,
        headers: &parts.headers,
        body: Bytes::new(),
        address: vouched.unwrap_or_else(|| state.address(peer, &parts.headers)),
        request_id: Uuid::now_v7().simple().encode_lower(&mut id),
        stays: vouched.is_some(),
    };
    let is_small = body.size_hint().upper().is_some_and(|bytes| bytes <= READ_FOR_ANYBODY);
    let refused = if is_small { None } else { Box::pin(proxy.turn_away(&head)).await };
    let read = match refused {
        Some(refusal) => Err(Unread::Refused(refusal)),
        None => read(body, limit, state.keeper().body_timeout).await,
    };
    let answer = match read {
        Ok(body) => proxy.answer(ProxyRequest { body, ..head }).await,
        Err(Unread::Refused(refusal)) => refusal,
        Err(Unread::TooLarge) => proxy.too_large(),
        // The caller went away in the middle.
        Err(Unread::Broken) => return problem(ProblemKind::BadRequest, "the body broke off"),
        Err(Unread::TooSlow) => return problem(ProblemKind::TooSlow, "the body was not there in time"),
    };
    let mut response = to_response(answer);
    if let Some(origin) = friend {
        allow(response.headers_mut(), origin);
    }
    response
}

fn problem(kind: ProblemKind, detail: &str) -> Response<Reply> {
    Problem::new(kind, detail).to_response().map(Reply::Page)
}

enum Unread {
    Refused(ProxyAnswer),
    TooLarge,
    TooSlow,
    Broken,
}

/// Reads a body, for so long at most that bodies which never end hold no memory.
async fn read<B>(body: B, limit: usize, timeout: Duration) -> Result<Bytes, Unread>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<axum::BoxError>,
{
    match tokio::time::timeout(timeout, Limited::new(body, limit).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unread::TooLarge),
        Ok(Err(_)) => Err(Unread::Broken),
        Err(_) => Err(Unread::TooSlow),
    }
}

fn to_response(answer: ProxyAnswer) -> Response<Reply> {
    let mut response = Response::new(Reply::Preset(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}

fn preflight(origin: Option<&HeaderValue>, asked: &HeaderMap) -> Response<Reply> {
    let mut response = Response::new(Reply::whole(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, CORS_METHODS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed_headers(asked));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, CORS_AGE_SECS);
    if let Some(origin) = origin {
        allow(headers, origin);
    }
    response
}

/// Returns the headers that a script may send: the protocol's, and those that it asks for by the name of a tool's
/// parameter, which nobody can list beforehand.
fn allowed_headers(asked: &HeaderMap) -> HeaderValue {
    let asked = asked.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS);
    let names = asked.iter().flat_map(|names| names.as_bytes().split(|byte| *byte == b','));
    let params = names
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(|name| name.as_str().len() > PARAM_PREFIX.len() && name.as_str().starts_with(PARAM_PREFIX))
        .take(CORS_PARAMS_MAX);
    let allowed = params.fold(CORS_HEADERS.to_owned(), |allowed, name| allowed + ", " + name.as_str());
    HeaderValue::try_from(allowed).expect("names of headers are made of visible characters")
}

fn allow(headers: &mut HeaderMap, origin: &HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, CORS_EXPOSED);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_names_after_mcp_are_an_address() {
        let address =
            |path| Address::of(path).map(|address| (address.owner.into_owned(), address.slug.into_owned()));

        let some = |owner: &str, slug: &str| Some((owner.to_owned(), slug.to_owned()));

        assert_eq!(address("/mcp/ada/notes"), some("ada", "notes"));
        assert_eq!(address("/mcp/%61da/notes/"), some("ada", "notes"));
        assert_eq!(address("/mcp/ada/..%2fnotes"), some("ada", "../notes"));
        for none in [
            "/mcp",
            "/mcp/",
            "/mcp/ada",
            "/mcp/ada/",
            "/mcp//notes",
            "/mcp/a/b/c",
            "/mcpx/a/b",
            "/MCP/a/b",
            "/mcp/%FF/b",
        ] {
            assert_eq!(address(none), None, "{none}");
        }
    }
}

//! Answers to callers: one object, a stream, or a refusal.

use std::borrow::Cow;

use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::mcp::{
    ErrorObject, Pieces, Raw, Rejection,
    headers::{self, Accepts},
    sse,
};

/// What a caller is answered.
#[derive(Debug)]
pub struct ProxyAnswer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The HTTP headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: ProxyBody,
}

/// The body of an answer.
pub enum ProxyBody {
    /// All of it.
    Full(Pieces),
    /// Server-sent events as they come. Dropping it tells that the caller has gone.
    Stream(BoxStream<'static, Bytes>),
}

impl std::fmt::Debug for ProxyBody {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full(bytes) => write!(formatter, "Full({} bytes)", bytes.len()),
            Self::Stream(_) => formatter.write_str("Stream"),
        }
    }
}

impl ProxyAnswer {
    fn new(status: StatusCode, body: ProxyBody) -> Self {
        Self { status, headers: HeaderMap::new(), body }
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// Nothing in between may hold a stream back to compress or collect it.
const NO_TRANSFORM: HeaderValue = HeaderValue::from_static("no-cache, no-transform");
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// Methods that the address answers; modern callers have only the first.
const ALLOW: HeaderValue = HeaderValue::from_static("POST, GET, DELETE");

/// Returns one JSON-RPC message, in the form the caller prefers.
pub(super) fn message(accepts: Accepts, message: impl Into<Pieces>) -> ProxyAnswer {
    let message = message.into();
    if accepts.json && !accepts.sse_first {
        return json(StatusCode::OK, message);
    }
    let event = sse::encode(&message.whole());
    let mut answer = ProxyAnswer::new(StatusCode::OK, ProxyBody::Full(event.into()));
    stream_headers(&mut answer.headers);
    answer
}

/// Returns one JSON object.
pub(super) fn json(status: StatusCode, body: impl Into<Pieces>) -> ProxyAnswer {
    let mut answer = ProxyAnswer::new(status, ProxyBody::Full(body.into()));
    answer.headers.insert(header::CONTENT_TYPE, JSON);
    answer.headers.insert(header::CACHE_CONTROL, NO_STORE);
    answer
}

/// Returns a stream of events.
pub(super) fn stream(pieces: mpsc::Receiver<Bytes>) -> ProxyAnswer {
    let pieces = ReceiverStream::new(pieces).boxed();
    let mut answer = ProxyAnswer::new(StatusCode::OK, ProxyBody::Stream(pieces));
    stream_headers(&mut answer.headers);
    answer
}

/// Returns a stream that begins with what was missed; it ends there if nothing is to come.
pub(super) fn stream_after(missed: Vec<Bytes>, coming: Option<mpsc::Receiver<Bytes>>) -> ProxyAnswer {
    let coming = futures::stream::iter(coming).flat_map(ReceiverStream::new);
    let pieces = futures::stream::iter(missed).chain(coming).boxed();
    let mut answer = ProxyAnswer::new(StatusCode::OK, ProxyBody::Stream(pieces));
    stream_headers(&mut answer.headers);
    answer
}

fn stream_headers(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(sse::MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, NO_TRANSFORM);
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
}

/// Returns an answer without a body.
pub(super) fn empty(status: StatusCode) -> ProxyAnswer {
    ProxyAnswer::new(status, ProxyBody::Full(Pieces::default()))
}

/// Returns an error outside of a call. The code of an error that is no protocol's own is the status.
pub(super) fn error(
    status: StatusCode,
    id: Option<Raw<'_>>,
    text: impl Into<Cow<'static, str>>,
) -> ProxyAnswer {
    json(status, ErrorObject::new(i64::from(status.as_u16()), text).render(id))
}

/// Returns an error with a code of the protocol.
pub(super) fn protocol_error(
    status: StatusCode,
    id: Option<Raw<'_>>,
    code: i64,
    text: impl Into<Cow<'static, str>>,
) -> ProxyAnswer {
    json(status, ErrorObject::new(code, text).render(id))
}

/// Returns the refusal of a message that could not be classified.
pub(super) fn rejected(rejection: &Rejection) -> ProxyAnswer {
    json(rejection.status, rejection.render())
}

/// Asks for a credential, or for another one.
pub(super) fn challenge(id: Option<Raw<'_>>, was_refused: bool, challenge: HeaderValue) -> ProxyAnswer {
    let text = if was_refused {
        "the API key or access token is not valid here"
    } else {
        "sign in, or send an API key as `Authorization: Bearer dw_…`"
    };
    with_challenge(error(StatusCode::UNAUTHORIZED, id, text), challenge)
}

/// Says with an answer which credential is asked for.
pub(super) fn with_challenge(mut answer: ProxyAnswer, challenge: HeaderValue) -> ProxyAnswer {
    answer.headers.insert(header::WWW_AUTHENTICATE, challenge);
    answer
}

/// Says with an answer when to try again.
pub(super) fn with_retry_after(mut answer: ProxyAnswer, secs: u64) -> ProxyAnswer {
    answer.headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
    answer
}

/// Refuses a method that is none of the address's.
pub(super) fn method_not_allowed() -> ProxyAnswer {
    let text = "send messages with POST; only sessions of earlier revisions have a stream to GET";
    let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, None, text);
    answer.headers.insert(header::ALLOW, ALLOW);
    answer
}

/// Adds the session to the answer of `initialize`.
pub(super) fn with_session(mut answer: ProxyAnswer, id: HeaderValue) -> ProxyAnswer {
    answer.headers.insert(headers::SESSION_ID, id);
    answer
}

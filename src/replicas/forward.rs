//! A request for what lies in the memory of another process, handed on to it as it came.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use thiserror::Error;

use super::{FORWARDED, Replicas};
use crate::{
    egress::{EgressError, next_data, read_body},
    mcp::sse,
    model::ReplicaNumber,
};

/// Headers that are about one connection (RFC 9110, 7.6.1), and the length, which is known anew.
const OF_THE_CONNECTION: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::CONTENT_LENGTH,
];

/// A request that is handed on.
#[derive(Clone, Copy, Debug)]
pub struct Handed<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path, encoded.
    pub path: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a Bytes,
    /// Where the caller is.
    pub address: IpAddr,
}

/// What another process answered.
pub struct HandedBack {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: BackBody,
}

/// The body of what another process answered.
pub enum BackBody {
    /// All of it.
    Whole(Bytes),
    /// A stream of events as they come. One that breaks off ends; callers take it up again.
    Events(BoxStream<'static, Bytes>),
}

/// Says why a request could not be handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CannotForward {
    /// It was not sent: the process is not reached.
    #[error("the replica is not reached")]
    Away,
    /// It was sent, and nobody knows what became of it.
    #[error("the replica did not answer")]
    Silent,
}

impl Replicas {
    /// Hands a request on and returns what is answered.
    pub async fn forward(
        &self,
        to: ReplicaNumber,
        handed: Handed<'_>,
        timeout: Duration,
    ) -> Result<HandedBack, CannotForward> {
        let address = self.address_of(to).ok_or(CannotForward::Away)?;
        let uri: Uri = format!("{address}{}", handed.path).parse().map_err(|_| CannotForward::Away)?;
        let mut headers = end_to_end(handed.headers);
        headers.insert(FORWARDED, self.vouch(to, handed.address, handed.method, handed.path, &headers));
        let make = |uri: &Uri| {
            let mut request = Request::new(Full::new(handed.body.clone()));
            *request.method_mut() = handed.method.clone();
            *request.uri_mut() = uri.clone();
            *request.headers_mut() = headers.clone();
            request
        };
        match self.0.egress.request(&uri, make, timeout).await {
            Ok(answered) => {
                let (parts, pieces) = answered.response.into_parts();
                let kind = parts.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
                let body = if kind.is_some_and(|kind| kind.starts_with(sse::MEDIA_TYPE.as_bytes())) {
                    let events = stream::unfold(pieces, async |mut pieces| {
                        let piece = next_data(&mut pieces).await.ok().flatten()?;
                        Some((piece, pieces))
                    });
                    BackBody::Events(events.boxed())
                } else {
                    // The other process has bounded what it answers.
                    let whole = read_body(pieces, usize::MAX).await;
                    BackBody::Whole(whole.map_err(|_| CannotForward::Silent)?)
                };
                Ok(HandedBack { status: parts.status, headers: end_to_end(&parts.headers), body })
            }
            Err(error) => {
                tracing::debug!(replica = to.0, %error, "could not hand a request on");
                Err(if was_sent(&error) { CannotForward::Silent } else { CannotForward::Away })
            }
        }
    }
}

fn was_sent(error: &EgressError) -> bool {
    match error {
        EgressError::BadUrl { .. }
        | EgressError::Refused { .. }
        | EgressError::Resolve { .. }
        | EgressError::Connect { .. }
        | EgressError::Tls { .. }
        | EgressError::NotListed { .. }
        | EgressError::Tunnel { .. } => false,
        EgressError::Timeout { step, .. } => *step == EgressError::ANSWER,
        EgressError::Redirect { .. } | EgressError::Broken { .. } | EgressError::TooLarge { .. } => true,
    }
}

/// Returns the headers that are for the other end.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value: &HeaderValue| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let mut kept = headers.clone();
    for name in OF_THE_CONNECTION.iter().chain(&named).chain([&FORWARDED]) {
        kept.remove(name);
    }
    kept
}

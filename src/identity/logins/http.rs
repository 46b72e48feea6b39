//! How providers are asked: through `egress`, bounded in time and size.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;

use crate::egress::{Egress, EgressError, read_body};

/// How long one request to a provider may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer taken from a provider, in bytes. Its keys are a few kilobytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Sends one request and reads its answer whole.
pub(super) async fn send(
    egress: Egress,
    request: Request<Vec<u8>>,
) -> Result<Response<Vec<u8>>, EgressError> {
    let (parts, body) = request.into_parts();
    let body = Bytes::from(body);
    let make = |uri: &http::Uri| {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = parts.headers.clone();
        // GitHub answers nobody who does not say what they are.
        request.headers_mut().insert(header::USER_AGENT, header::HeaderValue::from_static("doorward"));
        request
    };
    let answered = egress.request(&parts.uri, make, TIMEOUT).await?;
    let (parts, body) = answered.response.into_parts();
    let body = tokio::time::timeout(TIMEOUT, read_body(body, ANSWER_BYTES_MAX)).await.map_err(|_| {
        EgressError::Timeout { host: String::new(), step: EgressError::ANSWER, after: TIMEOUT }
    })??;
    Ok(Response::from_parts(parts, body.to_vec()))
}

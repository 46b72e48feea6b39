//! Small JSON documents over `egress`.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use serde::de::DeserializeOwned;
use url::Url;

use super::{OauthError, Result, error::untrusted};
use crate::egress::{self, Egress};

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 128 * 1024;
/// How much of a stranger's words is quoted.
const QUOTE_MAX: usize = 200;

/// An answer, read to its end.
pub(super) struct Got {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl Got {
    pub(super) fn json<T: DeserializeOwned>(&self, what: &'static str) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|_| self.odd(what))
    }

    pub(super) fn odd(&self, what: &'static str) -> OauthError {
        let answer = if self.status.is_success() {
            "with something that is not what it should be".to_owned()
        } else {
            self.status.to_string()
        };
        OauthError::Odd { what, answer }
    }
}

/// Gets a document.
pub(super) async fn get(egress: &Egress, what: &'static str, url: &Url) -> Result<Got> {
    send(egress, what, Method::GET, url, HeaderMap::new(), Bytes::new()).await
}

/// Sends a request.
pub(super) async fn send(
    egress: &Egress,
    what: &'static str,
    method: Method,
    url: &Url,
    mut headers: HeaderMap,
    body: Bytes,
) -> Result<Got> {
    let failed = |error| OauthError::Unreachable { what, error };
    egress.check_url(url).map_err(failed)?;
    let uri: Uri =
        url.as_str().parse().map_err(|_| untrusted(format!("the address of {what} cannot be read")))?;
    headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("application/json"));
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("doorward/", env!("CARGO_PKG_VERSION"))),
    );
    let make = |uri: &Uri| {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers.clone();
        request
    };
    let answered = egress.request(&uri, make, PATIENCE).await.map_err(failed)?;
    let (parts, body) = answered.response.into_parts();
    let reading = tokio::time::timeout(PATIENCE, egress::read_body(body, ANSWER_BYTES_MAX)).await;
    let late = || OauthError::Odd { what, answer: "too slowly".to_owned() };
    let body = reading.map_err(|_| late())?.map_err(failed)?;
    Ok(Got { status: parts.status, body })
}

/// Returns a stranger's words as they are quoted: short, and without what is not visible.
pub(super) fn quoted(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(QUOTE_MAX).collect()
}

//! Warnings as one request to the operator's webhook, signed as Standard Webhooks 1.0 says.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Method, Request, Uri, header};
use http_body_util::Full;
use serde::Serialize;
use sha2::Sha256;
use thiserror::Error;
use uuid::Uuid;

use super::{link, sentence};
use crate::{
    clock::Ms,
    egress::{Egress, EgressError},
    model::Warning,
    secret::Secret,
};

/// How long the webhook may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What a secret begins with whose rest is base64.
const SECRET_PREFIX: &str = "whsec_";

/// Says why a webhook did not take warnings.
#[derive(Debug, Error)]
pub(super) enum NotTaken {
    /// It cannot be reached.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// It answered with another status than one of success.
    #[error("it answered with the status {0}")]
    Status(u16),
    /// Its address or what is sent cannot be written.
    #[error("its address cannot be used")]
    Address,
}

#[derive(Serialize)]
struct Told<'a> {
    r#type: &'static str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    warnings: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    kind: &'static str,
    /// The handle of the organisation it belongs to.
    owner: &'a str,
    name: &'a str,
    message: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<String>,
    link: String,
}

/// Sends warnings, and returns once the webhook has taken them.
pub(super) async fn send(
    egress: &Egress,
    address: &Secret,
    secret: Option<&Secret>,
    warnings: &[Warning],
    base_url: &str,
    now: Ms,
) -> Result<(), NotTaken> {
    let entry = |warning| Entry::of(warning, base_url);
    let told = Told {
        r#type: "doorward.warnings",
        timestamp: now.to_string(),
        data: Data { warnings: warnings.iter().map(entry).collect() },
    };
    let body = Bytes::from(serde_json::to_vec(&told).map_err(|_| NotTaken::Address)?);
    let id = format!("msg_{}", Uuid::now_v7().simple());
    let seconds = (now.0 / 1000).to_string();
    let signature = secret.map(|secret| sign(secret, &id, &seconds, &body));
    let uri: Uri = address.expose().parse().map_err(|_| NotTaken::Address)?;
    let make = |uri: &Uri| {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", &seconds);
        if let Some(signature) = &signature {
            request = request.header("webhook-signature", signature);
        }
        request.body(Full::new(body.clone())).expect("headers of ours are well-formed")
    };
    let status = egress.request(&uri, make, TIMEOUT).await?.response.status();
    if status.is_success() { Ok(()) } else { Err(NotTaken::Status(status.as_u16())) }
}

impl<'a> Entry<'a> {
    fn of(warning: &'a Warning, base_url: &str) -> Self {
        Self {
            kind: warning.kind.word(),
            owner: warning.owner.as_str(),
            name: &warning.name,
            message: sentence(warning),
            detail: &warning.detail,
            ends_at: warning.ends_at.map(|end| end.to_string()),
            link: link(warning, base_url),
        }
    }
}

/// Signs id, time and body (Standard Webhooks 1.0, "Signature scheme", symmetric).
fn sign(secret: &Secret, id: &str, seconds: &str, body: &[u8]) -> String {
    let text = secret.expose();
    let decoded = text.strip_prefix(SECRET_PREFIX).and_then(|rest| BASE64.decode(rest).ok());
    let key = decoded.unwrap_or_else(|| text.as_bytes().to_vec());
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length of key will do for HMAC");
    for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
        mac.update(part);
    }
    format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the specification's reference implementations.
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let signature =
            sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#);

        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}

//! Warnings as one request to the operator's webhook, signed as Standard Webhooks 1.0 says.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Uri, header};
use http_body_util::Full;
use serde::Serialize;
use thiserror::Error;
use uuid::Uuid;

use super::{link, sentence};
use crate::{
    clock::Ms,
    egress::{Egress, EgressError},
    model::Warning,
    secret::Secret,
    signed,
};

/// How long the webhook may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

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
    let signature = secret.map(|secret| signed::sign(secret, &id, &seconds, &body));
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

//! Getting tokens, renewing them, giving them back.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde::{Deserialize, Deserializer};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::{
    Client, ClientAuth, Issuer, OauthError, OwnNames, Result,
    error::untrusted,
    fetch::{self, Got, quoted},
};
use crate::{egress::Egress, secret::Secret};

const TOKENS: &str = "the issuer's token endpoint";
/// The longest token that is kept, in bytes: it has to fit into a header.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// What an issuer gives.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Goes with every request to the source.
    pub access: Secret,
    /// Gets the next ones; `None` if there are none to be had without the person.
    pub refresh: Option<Secret>,
    /// How long the access token works; `None` = not said.
    pub lasts: Option<Duration>,
    /// What was granted, if that is another than was asked for.
    pub scope: Option<String>,
}

/// Redeems a code.
pub async fn exchange(
    egress: &Egress,
    issuer: &Issuer,
    client: &Client,
    names: &OwnNames,
    code: &Secret,
    verifier: &Secret,
) -> Result<Tokens> {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.expose()),
        ("redirect_uri", names.callback.as_str()),
        ("code_verifier", verifier.expose()),
        ("resource", &issuer.resource),
    ];
    ask(egress, &issuer.token, client, &fields).await
}

/// Gets the next tokens by the refresh token of the last ones.
pub async fn renew(egress: &Egress, issuer: &Issuer, client: &Client, refresh: &Secret) -> Result<Tokens> {
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.expose()),
        ("resource", &issuer.resource),
    ];
    ask(egress, &issuer.token, client, &fields).await
}

/// Gives a token back (RFC 7009), where the issuer takes them.
pub async fn revoke(egress: &Egress, issuer: &Issuer, client: &Client, token: &Secret) -> Result<()> {
    let Some(place) = &issuer.revocation else { return Ok(()) };
    let got = post(egress, place, client, &[("token", token.expose())]).await?;
    if got.status.is_success() { Ok(()) } else { Err(refusal(&got, TOKENS)) }
}

async fn ask(egress: &Egress, place: &Url, client: &Client, fields: &[(&str, &str)]) -> Result<Tokens> {
    #[derive(Deserialize)]
    struct Given {
        access_token: Secret,
        token_type: Option<String>,
        #[serde(default, deserialize_with = "seconds")]
        expires_in: Option<u64>,
        refresh_token: Option<Secret>,
        scope: Option<String>,
    }
    let got = post(egress, place, client, fields).await?;
    if !got.status.is_success() {
        return Err(refusal(&got, TOKENS));
    }
    let given: Given = got.json(TOKENS)?;
    if given.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(untrusted("the issuer gave a token of a kind that sources of MCP do not take"));
    }
    let fits = |token: &Secret| {
        let text = token.expose();
        !text.is_empty() && text.len() <= TOKEN_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if !fits(&given.access_token) || given.refresh_token.as_ref().is_some_and(|token| !fits(token)) {
        return Err(got.odd(TOKENS));
    }
    Ok(Tokens {
        access: given.access_token,
        refresh: given.refresh_token,
        lasts: given.expires_in.map(Duration::from_secs),
        scope: given.scope,
    })
}

async fn post(egress: &Egress, place: &Url, client: &Client, fields: &[(&str, &str)]) -> Result<Got> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let mut fields = fields.to_vec();
    match (client.auth, &client.secret) {
        (ClientAuth::ClientSecretBasic, Some(secret)) => {
            headers.insert(header::AUTHORIZATION, basic(&client.id, secret)?);
        }
        (ClientAuth::ClientSecretPost, Some(secret)) => {
            fields.extend([("client_id", client.id.as_str()), ("client_secret", secret.expose())]);
        }
        (ClientAuth::None, _) | (_, None) => {
            fields.push(("client_id", &client.id));
        }
    }
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    fetch::send(egress, TOKENS, Method::POST, place, headers, Bytes::from(form)).await
}

/// RFC 6749 section 2.3.1: both halves are encoded as in a form first.
fn basic(id: &str, secret: &Secret) -> Result<HeaderValue> {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = Zeroizing::new(format!("{}:{}", encoded(id), encoded(secret.expose())));
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair.as_bytes())))
        .map_err(|_| untrusted("the client's secret does not fit into a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Reads a number, also where it is written as text.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(f64),
        Text(String),
        Null,
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::Number(number) if number >= 0.0 => Some(number as u64),
        Written::Text(text) => text.trim().parse().ok(),
        Written::Number(_) | Written::Null => None,
    })
}

/// Returns the error of an answer that is none: what the issuer says, if it says it as issuers do.
pub(super) fn refusal(got: &Got, what: &'static str) -> OauthError {
    #[derive(Deserialize)]
    struct Said {
        error: String,
        #[serde(default)]
        error_description: String,
    }
    match got.json::<Said>(what) {
        Ok(said) if got.status.is_client_error() && got.status.as_u16() != 429 => {
            OauthError::Refused { code: quoted(&said.error), detail: quoted(&said.error_description) }
        }
        _ => got.odd(what),
    }
}

//! Who we are at an issuer.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use super::{Issuer, OauthError, Result, fetch, token::refusal};
use crate::{clock::Ms, egress::Egress, secret::Secret};

const REGISTRATION: &str = "the issuer's registration of clients";
/// The longest name or secret an issuer may give, in bytes.
const GIVEN_BYTES_MAX: usize = 4096;

/// How a client proves itself at the token endpoint (RFC 7591 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// Not at all; PKCE has to do.
    None,
    /// By a header.
    ClientSecretBasic,
    /// By two fields of the form.
    ClientSecretPost,
}

impl ClientAuth {
    fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
        }
    }
}

/// A client, as one issuer knows it, and no other.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its name there.
    pub id: String,
    /// Its secret.
    pub secret: Option<Secret>,
    /// How it proves itself.
    pub auth: ClientAuth,
    /// When its secret ends; `None` = never.
    pub ends_at: Option<Ms>,
}

/// Our own addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnNames {
    /// Where issuers send people back to.
    pub callback: Url,
    /// Where the document that describes us is; `None` if issuers cannot read it, because it is not at
    /// a public https address.
    pub document: Option<Url>,
}

impl OwnNames {
    /// Returns our addresses below this one, which has no slash at its end.
    pub fn at(base_url: &str) -> Option<Self> {
        let callback = Url::parse(&format!("{base_url}/connections/callback")).ok()?;
        let is_public =
            callback.scheme() == "https" && callback.domain().is_some_and(|name| name.contains('.'));
        let document = Url::parse(&format!("{base_url}/connections/client.json")).ok().filter(|_| is_public);
        Some(Self { callback, document })
    }

    /// Returns the document that describes us (Client ID Metadata Document); `None` if nobody could
    /// read it.
    pub fn document(&self) -> Option<serde_json::Value> {
        let mut document = self.metadata(ClientAuth::None);
        document["client_id"] = json!(self.document.as_ref()?);
        Some(document)
    }

    fn metadata(&self, auth: ClientAuth) -> serde_json::Value {
        json!({
            "client_name": "Doorward",
            "redirect_uris": [self.callback],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": auth.word(),
            // OpenID Connect wants https of web applications; only programs on one's own machine have less.
            "application_type": if self.callback.scheme() == "https" { "web" } else { "native" },
        })
    }
}

/// How we may be known at an issuer already.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The id and secret that the owner of the source was given there.
    pub given: Option<(String, Option<Secret>)>,
    /// The client that was registered there earlier.
    pub earlier: Option<Client>,
}

/// Says who we are at an issuer: whom the owner named, else by our document, else as registered
/// earlier, else as registered now.
pub async fn identify(egress: &Egress, issuer: &Issuer, names: &OwnNames, known: Known) -> Result<Client> {
    if let Some((id, secret)) = known.given {
        let auth = auth_for(issuer, secret.is_some());
        return Ok(Client { id, secret, auth, ends_at: None });
    }
    if issuer.takes_documents
        && let Some(document) = &names.document
    {
        return Ok(Client { id: document.to_string(), secret: None, auth: ClientAuth::None, ends_at: None });
    }
    match known.earlier {
        Some(client) => Ok(client),
        None => register(egress, issuer, names).await,
    }
}

/// Registers us (RFC 7591), with a secret where that is possible: some issuers give clients without
/// one nothing but loopback addresses.
async fn register(egress: &Egress, issuer: &Issuer, names: &OwnNames) -> Result<Client> {
    #[derive(Deserialize)]
    struct Registered {
        client_id: String,
        client_secret: Option<Secret>,
        #[serde(default)]
        client_secret_expires_at: i64,
        token_endpoint_auth_method: Option<String>,
    }
    let Some(place) = &issuer.registration else {
        return Err(OauthError::NoClient { issuer: issuer.name.clone() });
    };
    let wanted = auth_for(issuer, true);
    let body = serde_json::to_vec(&names.metadata(wanted)).expect("a tree of JSON is JSON");
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let got = fetch::send(egress, REGISTRATION, Method::POST, place, headers, Bytes::from(body)).await?;
    if !got.status.is_success() {
        return Err(refusal(&got, REGISTRATION));
    }
    let registered: Registered = got.json(REGISTRATION)?;
    let secret = registered.client_secret.filter(|secret| !secret.is_empty());
    let is_long = |text: &str| text.is_empty() || text.len() > GIVEN_BYTES_MAX;
    if is_long(&registered.client_id) || secret.as_ref().is_some_and(|secret| is_long(secret.expose())) {
        return Err(got.odd(REGISTRATION));
    }
    let auth = match (registered.token_endpoint_auth_method.as_deref(), &secret) {
        (_, None) | (Some("none"), _) => ClientAuth::None,
        (Some("client_secret_post"), _) => ClientAuth::ClientSecretPost,
        (Some("client_secret_basic"), _) => ClientAuth::ClientSecretBasic,
        (_, Some(_)) => auth_for(issuer, true),
    };
    let ends_at = Some(registered.client_secret_expires_at).filter(|at| *at > 0);
    let ends_at = ends_at.map(|at| Ms(at.saturating_mul(1000)));
    Ok(Client { id: registered.client_id, secret, auth, ends_at })
}

/// Returns how a client proves itself where the issuer did not say: by a header, unless that is not
/// among what it supports (RFC 8414 section 2).
fn auth_for(issuer: &Issuer, has_secret: bool) -> ClientAuth {
    let supports = |auth: ClientAuth| issuer.auth_methods.iter().any(|method| method == auth.word());
    if !has_secret {
        return ClientAuth::None;
    }
    let wished = [ClientAuth::ClientSecretBasic, ClientAuth::ClientSecretPost, ClientAuth::None];
    if issuer.auth_methods.is_empty() {
        return ClientAuth::ClientSecretBasic;
    }
    wished.into_iter().find(|auth| supports(*auth)).unwrap_or(ClientAuth::ClientSecretBasic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_public_address_has_a_document() {
        let names = OwnNames::at("https://gate.example.org").unwrap();
        assert_eq!(
            names.document().unwrap()["client_id"],
            "https://gate.example.org/connections/client.json"
        );
        assert_eq!(names.document().unwrap()["application_type"], "web");
        for hidden in ["http://gate.example.org", "https://localhost:8080", "https://127.0.0.1"] {
            let names = OwnNames::at(hidden).unwrap();
            assert_eq!(names.document, None, "{hidden}");
            assert_eq!(names.document(), None, "{hidden}");
        }
    }
}

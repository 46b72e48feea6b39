//! Clients: what they say of themselves, and how they prove who they are.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use url::{Url, form_urlencoded};

use crate::{
    clock::Ms,
    identity::digest,
    issuer::{Issuer, IssuerError, RedirectUri, params::Params},
    store::ClientRow,
};

/// How clients prove who they are at the token endpoint.
pub(super) const AUTH_METHODS: [&str; 3] = ["none", "client_secret_basic", "client_secret_post"];
/// The longest name of a client, in characters.
const NAME_MAX: usize = 100;
/// How many redirect addresses a client may have.
const REDIRECTS_MAX: usize = 20;
/// The longest address that stands for a client or describes it, in bytes.
pub(super) const ID_BYTES_MAX: usize = 2000;

/// What a client says of itself (RFC 7591, 2), as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientMetadata {
    /// Where it may be sent back to, as it wrote them.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// What it calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// Its page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// How it proves who it is; absent = `client_secret_basic` (RFC 7591).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_method: Option<String>,
    /// The ways it gets tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_types: Option<Vec<String>>,
    /// What it asks for at the authorization endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_types: Option<Vec<String>>,
    /// `web` or `native`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_type: Option<String>,
    /// What it usually asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

impl ClientMetadata {
    /// Checks what a client says of itself.
    pub(super) fn check(&self) -> Result<(), IssuerError> {
        let wrong = |why: &'static str| Err(IssuerError::InvalidClientMetadata(why.into()));
        if self.redirect_uris.is_empty() || self.redirect_uris.len() > REDIRECTS_MAX {
            let why = format!("`redirect_uris` holds 1 to {REDIRECTS_MAX} addresses");
            return Err(IssuerError::InvalidRedirectUri(why.into()));
        }
        for uri in &self.redirect_uris {
            RedirectUri::parse(uri).map_err(|why| IssuerError::InvalidRedirectUri(why.into()))?;
        }
        let is_name = |name: &String| name.chars().count() <= NAME_MAX && !name.chars().any(char::is_control);
        if self.client_name.as_ref().is_some_and(|name| !is_name(name)) {
            return wrong("`client_name` has at most 100 characters, and no control characters");
        }
        let is_web = |uri: &String| {
            uri.len() <= ID_BYTES_MAX
                && Url::parse(uri).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        };
        if self.client_uri.as_ref().is_some_and(|uri| !is_web(uri)) {
            return wrong("`client_uri` is an address of the web");
        }
        if self.token_endpoint_auth_method.as_ref().is_some_and(|method| !AUTH_METHODS.contains(&&**method)) {
            return wrong("`token_endpoint_auth_method` is none, client_secret_basic or client_secret_post");
        }
        let has = |list: &Option<Vec<String>>, word: &str| {
            list.as_ref().is_none_or(|list| list.iter().any(|one| one == word))
        };
        if !has(&self.grant_types, "authorization_code") || !has(&self.response_types, "code") {
            return wrong(
                "a client registers for the grant type authorization_code and the response type code",
            );
        }
        Ok(())
    }

    /// Says whether the client keeps no secret.
    pub(super) fn is_public(&self) -> bool {
        self.token_endpoint_auth_method.as_deref() == Some("none")
    }

    /// Returns what people read for the client.
    pub(super) fn name(&self, id: &str) -> String {
        let name = self.client_name.as_deref().map(str::trim).filter(|name| !name.is_empty());
        name.map_or_else(|| format!("an unnamed client ({id})"), str::to_owned)
    }
}

/// A client that may ask people for access.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) metadata: ClientMetadata,
    pub(super) secret_hash: Option<[u8; 32]>,
}

impl Client {
    pub(super) fn of(row: ClientRow) -> Self {
        Self {
            // What was checked before it was kept is read again; a row that cannot be redirects nowhere.
            metadata: serde_json::from_str(&row.metadata).unwrap_or_default(),
            id: row.id,
            name: row.name,
            secret_hash: row.secret_hash,
        }
    }

    /// Returns what is kept of a client that did not register.
    pub(super) fn row(&self, now: Ms) -> ClientRow {
        ClientRow {
            id: self.id.clone(),
            name: self.name.clone(),
            metadata: serde_json::to_string(&self.metadata)
                .expect("texts and lists of texts are always JSON"),
            secret_hash: None,
            registration_hash: None,
            created_at: now,
            used_at: None,
        }
    }

    /// Returns the redirect address asked for, if it is one of the client's; the only one there is if
    /// none was asked for.
    pub(super) fn redirect(&self, asked: Option<&str>) -> Option<RedirectUri> {
        let registered = || self.metadata.redirect_uris.iter().filter_map(|uri| RedirectUri::parse(uri).ok());
        match asked {
            Some(asked) => {
                let asked = RedirectUri::parse(asked).ok()?;
                registered().any(|uri| uri.allows(&asked)).then_some(asked)
            }
            None => registered().next().filter(|_| self.metadata.redirect_uris.len() == 1),
        }
    }
}

impl Issuer {
    /// Finds a client that registered, or that somebody let in before.
    pub(super) async fn find_client(&self, id: &str) -> Result<Option<Client>, IssuerError> {
        if id.len() > ID_BYTES_MAX {
            return Ok(None);
        }
        let row = self.0.store.system_read().await?.find_client(id).await?;
        Ok(row.map(Client::of))
    }

    /// Returns the client that sends a request to the token or revocation endpoint (RFC 6749, 2.3).
    pub(super) async fn authenticate_client(
        &self,
        authorization: Option<&HeaderValue>,
        params: &Params,
    ) -> Result<Client, IssuerError> {
        let wrong = |why: &'static str| IssuerError::InvalidClient(why.into());
        let (id, secret) = credentials(authorization, params)?;
        let client = self.find_client(&id).await?.ok_or_else(|| wrong("there is no such client"))?;
        let proved = match (&client.secret_hash, secret) {
            (Some(hash), Some(secret)) => bool::from(digest(&secret).ct_eq(hash)),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if proved { Ok(client) } else { Err(wrong("the client did not prove who it is")) }
    }
}

/// Reads who a client says it is, and what it proves it with, from the header or the body.
pub(super) fn credentials(
    authorization: Option<&HeaderValue>,
    params: &Params,
) -> Result<(String, Option<String>), IssuerError> {
    let wrong = |why: &'static str| IssuerError::InvalidClient(why.into());
    let Some(value) = authorization else {
        let id = params.get("client_id").ok_or_else(|| wrong("`client_id` is missing"))?;
        return Ok((id.to_owned(), params.get("client_secret").map(str::to_owned)));
    };
    let (id, secret) = read_basic(value).ok_or_else(|| wrong("the header cannot be read"))?;
    let is_doubled =
        params.get("client_secret").is_some() || params.get("client_id").is_some_and(|other| other != id);
    if is_doubled {
        let why = "a client proves in one way who it is, in the header or in the body";
        return Err(IssuerError::InvalidRequest(why.into()));
    }
    Ok((id, Some(secret).filter(|secret| !secret.is_empty())))
}

/// Reads `Basic`, whose halves are form-encoded (RFC 6749, 2.3.1).
fn read_basic(value: &HeaderValue) -> Option<(String, String)> {
    let (scheme, text) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |half: &str| {
        form_urlencoded::parse(half.as_bytes()).next().map_or_else(String::new, |(half, _)| half.into_owned())
    };
    Some((decode(id), decode(secret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_halves_of_basic_are_decoded() {
        let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode("a%3Ab:s%20c"))).unwrap();

        assert_eq!(read_basic(&value), Some(("a:b".to_owned(), "s c".to_owned())));
        assert_eq!(read_basic(&HeaderValue::from_static("Bearer x")), None);
        assert_eq!(read_basic(&HeaderValue::from_static("Basic !")), None);
    }
}

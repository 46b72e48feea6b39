//! Assertions of identity providers: what a provider signed of a person for one client, which shows it
//! in place of the person (ID-JAG, of MCP's extension for enterprise-managed authorization).
//!
//! They are believed of providers whose settings say so. An assertion names a login; whose account that
//! is was said by the account's owner before. ID tokens are no assertions: they name no client, so
//! whoever came by one could show it.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use openidconnect::core::CoreJwsSigningAlgorithm;
use serde::{Deserialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::{Conversation, Identity, LoginError, openid::ALGORITHMS};
use crate::{clock::Ms, fault::Fault, model::User, store::StoreError};

/// The longest assertion looked at, in bytes.
const BYTES_MAX: usize = 16 * 1024;
/// How long an assertion may last: what is to work once need not be remembered for longer.
const LIFE_MAX: Duration = Duration::from_secs(3600);
/// How far the provider's clock may be ahead.
const LEEWAY: Duration = Duration::from_secs(60);
/// The type of an identity assertion (draft-ietf-oauth-identity-assertion-authz-grant, section 3).
const ID_JAG: &str = "oauth-id-jag+jwt";

/// What a provider asserts.
#[derive(Clone, Debug)]
pub struct Asserted {
    /// Whose login it is.
    pub user: User,
    /// The client that may show it.
    pub client: String,
    /// What the client may do; `None` = everything the person may.
    pub scope: Option<String>,
    /// What the client may do it at; `None` = it does not say.
    pub resource: Option<String>,
    /// What it is known by: it works once.
    pub name: [u8; 32],
    /// When it ends.
    pub expires_at: Ms,
}

/// Says why an assertion lets nobody in. The texts are for the people who write clients.
#[derive(Debug, Error)]
pub enum AssertionError {
    /// Something is wrong with it.
    #[error("{0}")]
    Refused(&'static str),
    /// Nobody here has the login it names.
    #[error("nobody here has this login: its owner adds it on their account page first")]
    Stranger,
    /// The provider could not be asked for its keys.
    #[error(transparent)]
    Provider(#[from] LoginError),
}

impl From<StoreError> for AssertionError {
    fn from(error: StoreError) -> Self {
        Self::Provider(error.into())
    }
}

impl AssertionError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Refused(_) | Self::Stranger => Fault::Refused,
            Self::Provider(error) => error.fault(),
        }
    }
}

/// RFC 7515, section 4.1.
#[derive(Deserialize)]
struct Header {
    alg: CoreJwsSigningAlgorithm,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<serde::de::IgnoredAny>,
}

/// RFC 7519, section 4.1, with what the draft adds.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: OneOrMore,
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
    jti: String,
    client_id: String,
    scope: Option<String>,
    resource: Option<OneOrMore>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    /// Returns it if there is one.
    fn only(&self) -> Option<&str> {
        match self {
            Self::One(one) => Some(one),
            Self::More(more) => match more.as_slice() {
                [one] => Some(one),
                _ => None,
            },
        }
    }
}

type Result<T, E = AssertionError> = std::result::Result<T, E>;

const UNREADABLE: AssertionError = AssertionError::Refused("the assertion cannot be read");

impl Identity {
    /// Says whether there is a provider whose assertions let clients in.
    pub fn takes_assertions(&self) -> bool {
        self.0.logins.providers.iter().any(|(provider, _)| provider.takes_assertions)
    }

    /// Returns what an assertion says, after everything that can be wrong with it by itself was looked
    /// at. `audience` is the address of our issuer. Whoever acts on it sees to it that what works once
    /// does, and that the client is who it is made for.
    pub async fn check_assertion(&self, text: &str, audience: &str) -> Result<Asserted> {
        let refuse = |why| Err(AssertionError::Refused(why));
        let parts: Vec<&str> = text.split('.').collect();
        let &[header, claims, signature] = parts.as_slice() else { return Err(UNREADABLE) };
        if text.len() > BYTES_MAX {
            return refuse("the assertion is too long");
        }
        let signed = &text[..header.len() + 1 + claims.len()];
        let (header, claims): (Header, Claims) = (read(header)?, read(claims)?);
        let signature = BASE64.decode(signature).map_err(|_| UNREADABLE)?;
        check_header(&header)?;

        let providers = &self.0.logins.providers;
        let from = providers
            .iter()
            .find(|(provider, _)| provider.takes_assertions && provider.issuer() == claims.iss);
        let Some(from) = from else {
            return refuse("no identity provider of this gateway is the assertion's issuer");
        };
        let Conversation::OpenId(openid) = self.speak(from, "") else { return Err(UNREADABLE) };
        let kid = header.kid.as_deref();
        if !openid.has_signed(&header.alg, kid, signed.as_bytes(), &signature).await? {
            return refuse("the assertion is not signed by its issuer");
        }
        let now = self.0.clock.now();
        let expires_at = check_claims(&claims, audience, now)?;
        let mut tx = self.0.store.system_read().await?;
        let login = tx.find_login(&claims.iss, &claims.sub).await?.ok_or(AssertionError::Stranger)?;
        let user = tx.find_user(login.user).await?.filter(|user| user.enabled);
        Ok(Asserted {
            user: user.ok_or(AssertionError::Stranger)?,
            client: claims.client_id,
            scope: claims.scope,
            resource: claims.resource.as_ref().and_then(OneOrMore::only).map(str::to_owned),
            name: name(&claims.iss, &claims.jti),
            expires_at,
        })
    }
}

fn read<T: DeserializeOwned>(part: &str) -> Result<T> {
    let json = BASE64.decode(part).map_err(|_| UNREADABLE)?;
    serde_json::from_slice(&json).map_err(|_| UNREADABLE)
}

/// Refuses what is signed by a secret that others know, or is a token of another kind: an access token
/// of the provider names people too.
fn check_header(header: &Header) -> Result<()> {
    if header.crit.is_some() || !ALGORITHMS.contains(&header.alg) {
        return Err(AssertionError::Refused("the assertion is signed in a way that is not believed"));
    }
    let typ = header.typ.as_deref().unwrap_or_default().to_ascii_lowercase();
    if typ.strip_prefix("application/").unwrap_or(&typ) != ID_JAG {
        return Err(AssertionError::Refused("the assertion is of another type than oauth-id-jag+jwt"));
    }
    Ok(())
}

/// Looks at everything but the issuer, and returns when it ends.
fn check_claims(claims: &Claims, audience: &str, now: Ms) -> Result<Ms> {
    let at = |seconds: f64| Ms((seconds * 1000.0) as i64);
    let (begins, expires_at) = (at(claims.iat.max(claims.nbf.unwrap_or(0.0))), at(claims.exp));
    let why = if claims.aud.only() != Some(audience) {
        "the assertion is for somebody else"
    } else if expires_at <= now {
        "the assertion has ended"
    } else if begins > now.plus(LEEWAY) {
        "the assertion does not hold yet"
    } else if expires_at > begins.plus(LIFE_MAX) {
        "the assertion lasts for too long"
    } else if claims.jti.is_empty() {
        "the assertion has no `jti`"
    } else {
        return Ok(expires_at);
    };
    Err(AssertionError::Refused(why))
}

/// Returns what an assertion is known by: two providers may give the same name.
fn name(issuer: &str, id: &str) -> [u8; 32] {
    let length = (issuer.len() as u64).to_be_bytes();
    Sha256::new().chain_update(length).chain_update(issuer).chain_update(id).finalize().into()
}

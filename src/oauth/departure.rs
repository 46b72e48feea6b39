//! The way of a person to the issuer and back.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;
use zeroize::Zeroizing;

use super::{Challenge, Client, Issuer, OauthError, OwnNames, Result, error::untrusted, fetch::quoted};
use crate::secret::Secret;

/// A person on the way to an issuer.
#[derive(Clone, Debug)]
pub struct Departure {
    /// Where the browser is sent to.
    pub url: Url,
    /// What the issuer hands back, so that the answer finds its question.
    pub state: Secret,
    /// What proves that whoever redeems the code is who asked for it (RFC 7636).
    pub verifier: Secret,
    /// What is asked for; empty = whatever the issuer gives.
    pub scope: String,
}

/// What the browser comes back with.
#[derive(Clone, Debug, Default)]
pub struct Arrival {
    /// The code to be redeemed.
    pub code: Option<Secret>,
    /// The state handed back.
    pub state: Option<Secret>,
    /// Whom the answer is from (RFC 9207).
    pub iss: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
    /// What is said of that.
    pub error_description: Option<String>,
}

/// Begins the way. The scope is what the owner of the source says, else what the source asks for beside
/// what it was granted before, else what it knows; without all of these none is named.
pub fn depart(
    issuer: &Issuer,
    client: &Client,
    names: &OwnNames,
    challenge: &Challenge,
    said: Option<&str>,
    granted: &str,
) -> Result<Departure> {
    let scope = scope(issuer, challenge, said, granted);
    let (state, verifier) = (random()?, random()?);
    let mut url = issuer.authorization.clone();
    {
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &client.id)
            .append_pair("redirect_uri", names.callback.as_str())
            .append_pair("state", state.expose())
            .append_pair("code_challenge", &BASE64.encode(Sha256::digest(verifier.expose().as_bytes())))
            .append_pair("code_challenge_method", "S256")
            .append_pair("resource", &issuer.resource);
        if !scope.is_empty() {
            query.append_pair("scope", &scope);
        }
        // OpenID Connect Core 1.0 section 11 gives no lasting access without asking.
        if scope.split(' ').any(|one| one == OFFLINE) {
            query.append_pair("prompt", "consent");
        }
    }
    Ok(Departure { url, state, verifier, scope })
}

const OFFLINE: &str = "offline_access";

fn scope(issuer: &Issuer, challenge: &Challenge, said: Option<&str>, granted: &str) -> String {
    let named = issuer.scopes.join(" ");
    let wanted = match (said, &challenge.scope) {
        (Some(said), _) => said.to_owned(),
        (None, Some(asked)) => format!("{granted} {asked}"),
        (None, None) => named,
    };
    let mut scopes: Vec<&str> = Vec::new();
    let offline = Some(OFFLINE).filter(|_| said.is_none() && issuer.offline_access);
    for one in wanted.split_ascii_whitespace().chain(offline) {
        if !scopes.contains(&one) {
            scopes.push(one);
        }
    }
    scopes.join(" ")
}

impl Arrival {
    /// Returns the code, if the answer is one of this issuer's and says yes. What an answer of somebody
    /// else says is not repeated.
    pub fn code(self, issuer: &Issuer) -> Result<Secret> {
        match &self.iss {
            Some(iss) if *iss != issuer.name => {
                return Err(untrusted("the answer is from another issuer than was asked"));
            }
            None if issuer.names_itself => {
                return Err(untrusted(
                    "the answer does not say which issuer it is from, which this issuer does",
                ));
            }
            _ => {}
        }
        if let Some(error) = self.error {
            let detail = quoted(self.error_description.as_deref().unwrap_or_default());
            return Err(OauthError::Refused { code: quoted(&error), detail });
        }
        self.code.filter(|code| !code.is_empty()).ok_or_else(|| untrusted("the answer holds no code"))
    }

    /// Says whether the answer belongs to this state.
    pub fn answers(&self, state: &Secret) -> bool {
        let given = self.state.as_ref().map(Secret::expose).unwrap_or_default();
        bool::from(given.as_bytes().ct_eq(state.expose().as_bytes()))
    }
}

/// Returns 256 random bits as text.
fn random() -> Result<Secret> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| OauthError::Random)?;
    Ok(Secret::new(BASE64.encode(bytes.as_slice())))
}

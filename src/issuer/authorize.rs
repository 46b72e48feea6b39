//! What a client asks a person for (RFC 6749, 4.1.1; RFC 7636; RFC 8707).

use crate::{
    issuer::{
        Issuer, IssuerError, RedirectUri,
        address::{Target, read_resource},
        clients::Client,
        documents::{self, Undescribed},
        params::Params,
    },
    model::Scopes,
};

/// How long a challenge is: SHA-256 as base64url.
const CHALLENGE_BYTES: usize = 43;
/// The longest state given back, in bytes.
const STATE_BYTES_MAX: usize = 4096;

/// A request that can be shown to a person.
#[derive(Clone, Debug)]
pub struct AuthorizeRequest {
    pub(super) client: Client,
    pub(super) redirect: RedirectUri,
    pub(super) state: Option<String>,
    pub(super) challenge: String,
    pub(super) scopes: Scopes,
    pub(super) target: Target,
    pub(super) base: String,
}

/// What became of a request.
#[derive(Debug)]
pub enum Asked {
    /// It can be shown.
    Request(Box<AuthorizeRequest>),
    /// Who asks, or where the answer would go, is not known: nobody is sent anywhere.
    Wrong {
        /// What is wrong, as a sentence without its full stop.
        why: String,
    },
    /// Something else is wrong, and the client may be told, if the person agrees to go there.
    Back {
        /// Where the client is told so.
        to: String,
        /// What the client calls itself.
        client: String,
        /// Who would be there.
        recipient: String,
        /// What is wrong, as a sentence without its full stop.
        why: String,
    },
}

impl AuthorizeRequest {
    /// Returns what the client calls itself.
    pub fn client_name(&self) -> &str {
        &self.client.name
    }

    /// Returns where the client says it is at home; `None` if it does not say.
    pub fn client_uri(&self) -> Option<&str> {
        self.client.metadata.client_uri.as_deref()
    }

    /// Returns the address of the client's own description, which only whoever owns that name can
    /// write; `None` if the client registered here and anybody could have.
    pub fn described_at(&self) -> Option<&str> {
        documents::is_address(&self.client.id).then_some(self.client.id.as_str())
    }

    /// Returns where the answer goes.
    pub fn redirect(&self) -> &RedirectUri {
        &self.redirect
    }

    /// Returns what the client asks for.
    pub fn scopes(&self) -> Scopes {
        self.scopes
    }

    /// Returns owner and slug of the preset asked for; `None` if the client asked for none.
    pub fn preset(&self) -> Option<(&str, &str)> {
        match &self.target {
            Target::Preset(owner, slug) => Some((owner, slug)),
            Target::Gateway => None,
        }
    }

    /// Returns where the client learns that the person did not agree (RFC 6749, 4.1.2.1; RFC 9207).
    pub fn denied(&self) -> String {
        self.answer(&[("error", "access_denied"), ("error_description", "the person did not agree")])
    }

    pub(super) fn answer(&self, answer: &[(&str, &str)]) -> String {
        let state = self.state.as_deref().map(|state| ("state", state));
        let rest = state.into_iter().chain([("iss", self.base.as_str())]);
        self.redirect.with(&answer.iter().copied().chain(rest).collect::<Vec<_>>())
    }
}

impl Issuer {
    /// Reads the query of a request to the authorization endpoint. Takes the address that this
    /// gateway has for whoever asks.
    pub async fn asked(&self, base: &str, query: &str) -> Result<Asked, IssuerError> {
        let wrong = |why: String| Ok(Asked::Wrong { why });
        let params = match Params::read(query.as_bytes()) {
            Ok(params) => params,
            Err(error) => return wrong(error.to_string()),
        };
        let Some(id) = params.get("client_id") else {
            return wrong("the link does not say which client it is from".to_owned());
        };
        let client = if documents::is_address(id) {
            match self.0.documents.client(id, self.0.clock.now()).await {
                Ok(client) => client,
                Err(Undescribed(why)) => return wrong(why),
            }
        } else {
            match self.find_client(id).await? {
                Some(client) => client,
                None => {
                    let why = "the client is not registered here, or its registration has expired";
                    return wrong(why.to_owned());
                }
            }
        };
        let Some(redirect) = client.redirect(params.get("redirect_uri")) else {
            return wrong(format!(
                "{} did not register the address that the answer would go to",
                client.name
            ));
        };
        let state = params.get("state").map(str::to_owned);
        match read(base, &params) {
            Ok((challenge, scopes, target)) => {
                let base = base.to_owned();
                let request = AuthorizeRequest { client, redirect, state, challenge, scopes, target, base };
                Ok(Asked::Request(Box::new(request)))
            }
            Err((error, why)) => {
                let state = state.iter().map(|state| ("state", state.as_str()));
                let answer = [("error", error), ("error_description", why)];
                let answer: Vec<_> = answer.into_iter().chain(state).chain([("iss", base)]).collect();
                Ok(Asked::Back {
                    to: redirect.with(&answer),
                    client: client.name,
                    recipient: redirect.recipient(),
                    why: why.to_owned(),
                })
            }
        }
    }
}

/// Reads what the client may be told about: the error's name and what is wrong.
fn read(base: &str, params: &Params) -> Result<(String, Scopes, Target), (&'static str, &'static str)> {
    if params.get("response_type") != Some("code") {
        return Err(("unsupported_response_type", "`response_type` is not `code`"));
    }
    if params.get("request").is_some() {
        return Err(("request_not_supported", "`request` is not supported"));
    }
    if params.get("request_uri").is_some() {
        return Err(("request_uri_not_supported", "`request_uri` is not supported"));
    }
    if params.get("state").is_some_and(|state| state.len() > STATE_BYTES_MAX) {
        return Err(("invalid_request", "`state` is too long"));
    }
    let challenge = params
        .get("code_challenge")
        .ok_or(("invalid_request", "`code_challenge` is missing: PKCE is needed"))?;
    // Absent means `plain` (RFC 7636, 4.3), which is not taken.
    if params.get("code_challenge_method") != Some("S256") {
        return Err(("invalid_request", "`code_challenge_method` is not `S256`"));
    }
    let is_hash = challenge.len() == CHALLENGE_BYTES
        && challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if !is_hash {
        return Err(("invalid_request", "`code_challenge` is not a SHA-256 as base64url"));
    }
    let target = match params.get("resource") {
        None => Target::Gateway,
        Some(resource) => read_resource(base, resource)
            .ok_or(("invalid_target", "`resource` is not the address of a preset of this gateway"))?,
    };
    Ok((challenge.to_owned(), Scopes::asked(params.get("scope")), target))
}

//! GitHub: OAuth 2 without discovery or ID tokens. Who somebody is says its REST API.

use http::{Method, Request, StatusCode, header};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, TokenResponse as _, TokenUrl,
    basic::BasicClient,
};
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use super::{Claimed, LoginError, LoginProvider, attempt::Ties, http::send, readable};
use crate::{egress::Egress, model::Email};

type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// One conversation with GitHub.
pub(super) struct GitHub<'a> {
    pub(super) provider: &'a LoginProvider,
    pub(super) site: &'a Url,
    pub(super) api: &'a Url,
    pub(super) egress: &'a Egress,
    /// Where the browser comes back to.
    pub(super) redirect: &'a str,
}

#[derive(Deserialize)]
struct Account {
    /// Never changes and is never given to another, unlike the name.
    id: u64,
    login: String,
}

#[derive(Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

impl GitHub<'_> {
    /// Returns where to send the browser.
    pub(super) fn address(&self, ties: &Ties) -> Result<Url, LoginError> {
        let verifier = PkceCodeVerifier::new(ties.verifier.expose().to_owned());
        let (url, _) = self
            .client()?
            .authorize_url(|| CsrfToken::new(ties.state.expose().to_owned()))
            .add_scope(Scope::new("read:user".to_owned()))
            .add_scope(Scope::new("user:email".to_owned()))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok(url)
    }

    /// Exchanges a code, and returns whose it is.
    pub(super) async fn exchange(&self, code: &str, ties: &Ties) -> Result<Claimed, LoginError> {
        let http = |request| send(self.egress.clone(), request);
        let answer = self
            .client()?
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(ties.verifier.expose().to_owned()))
            .request_async(&http)
            .await
            .map_err(|error| match error {
                RequestTokenError::ServerResponse(refusal) => {
                    self.provider.declined(refusal.error().as_ref())
                }
                RequestTokenError::Request(error) => self.provider.unreachable(error),
                // Refusals come with status 200, as JSON that is no token.
                RequestTokenError::Parse(_, body) => match serde_json::from_slice::<Refusal>(&body) {
                    Ok(refusal) => self.provider.declined(&refusal.error),
                    Err(error) => self.provider.unbelievable(error),
                },
                RequestTokenError::Other(words) => self.provider.unbelievable(words),
            })?;
        let token = answer.access_token().secret();

        let account: Account = self.ask("user", token).await?;
        let addresses: Vec<Address> = self.ask("user/emails", token).await?;
        let email = addresses.into_iter().find(|address| address.primary && address.verified);
        Ok(Claimed {
            issuer: self.provider.issuer(),
            subject: account.id.to_string(),
            shown: readable(&account.login),
            email: email.and_then(|address| Email::parse(&address.email).ok()),
        })
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str, token: &str) -> Result<T, LoginError> {
        let request = Request::builder()
            .method(Method::GET)
            .uri(self.below(self.api, path).as_str())
            .header(header::ACCEPT, "application/vnd.github+json")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Vec::new())
            .map_err(|error| self.provider.unbelievable(error))?;
        let answer =
            send(self.egress.clone(), request).await.map_err(|error| self.provider.unreachable(error))?;
        if answer.status() != StatusCode::OK {
            return Err(self.provider.unbelievable(format!("`{path}` answered {}", answer.status())));
        }
        serde_json::from_slice(answer.body()).map_err(|error| self.provider.unbelievable(error))
    }

    fn client(&self) -> Result<Client, LoginError> {
        let redirect =
            RedirectUrl::new(self.redirect.to_owned()).map_err(|error| self.provider.unbelievable(error))?;
        let client = BasicClient::new(ClientId::new(self.provider.client_id.clone()))
            .set_auth_uri(AuthUrl::from_url(self.below(self.site, "login/oauth/authorize")))
            .set_token_uri(TokenUrl::from_url(self.below(self.site, "login/oauth/access_token")))
            .set_auth_type(AuthType::RequestBody)
            .set_redirect_uri(redirect);
        Ok(match &self.provider.client_secret {
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose().to_owned())),
            None => client,
        })
    }

    fn below(&self, base: &Url, path: &str) -> Url {
        let mut url = base.clone();
        url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
        url
    }
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

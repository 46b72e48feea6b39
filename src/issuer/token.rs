//! The token endpoint (RFC 6749, 3.2): who asks, in which way, and the tokens made.

use std::fmt;

use http::HeaderValue;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    clock::Ms,
    identity::{ACCESS_PREFIX, digest, random_token},
    issuer::{
        ACCESS_AGE_MAX, ACCESS_TOKENS_MAX, Issuer, IssuerError, REFRESH_AGE_MAX,
        address::{Target, read_resource},
        exchange,
        params::Params,
    },
    model::{Grant, Scopes},
    secret::Secret,
    store::{NewToken, SystemTx, TokenKind},
};

/// The ways tokens are given.
pub(super) const GRANT_TYPES: &[&str] =
    &["authorization_code", "refresh_token", "client_credentials", exchange::EXCHANGE];

/// What a client gets (RFC 6749, 5.1).
#[derive(Serialize)]
pub struct TokenAnswer {
    access_token: String,
    token_type: &'static str,
    /// How long the access token holds, in seconds.
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    scope: String,
    /// What kind of token it is, where one was exchanged for it (RFC 8693, 2.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
}

impl TokenAnswer {
    /// Says what kind of token was given in exchange.
    pub(super) fn exchanged(self, kind: &'static str) -> Self {
        Self { issued_token_type: Some(kind), ..self }
    }
}

impl fmt::Debug for TokenAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TokenAnswer").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl Issuer {
    /// Answers a request to the token endpoint. Takes the address that this gateway has for whoever
    /// asks, the header `Authorization`, and the form.
    pub async fn token(
        &self,
        base: &str,
        authorization: Option<&HeaderValue>,
        form: &[u8],
    ) -> Result<TokenAnswer, IssuerError> {
        let params = Params::read(form)?;
        let kind = params.need("grant_type")?.to_owned();
        let client = async || self.authenticate_client(authorization, &params).await;
        match kind.as_str() {
            "authorization_code" => self.redeem(base, &client().await?, &params).await,
            "refresh_token" => self.refresh(base, &client().await?, &params).await,
            exchange::EXCHANGE => self.exchange(base, &client().await?, &params).await,
            exchange::ASSERTION if self.0.identity.takes_assertions() => {
                self.accept(base, &client().await?, &params).await
            }
            "client_credentials" => self.give_program(base, authorization, &params).await,
            _ => Err(IssuerError::UnsupportedGrantType(kind.chars().take(100).collect())),
        }
    }

    /// Refuses a request that names another resource than the one agreed to.
    pub(super) async fn check_target(
        &self,
        base: &str,
        params: &Params,
        grant: &Grant,
    ) -> Result<(), IssuerError> {
        const OTHER: IssuerError = IssuerError::InvalidTarget("this is for another resource");
        let Some(resource) = params.get("resource") else { return Ok(()) };
        match read_resource(base, resource).ok_or(OTHER)? {
            Target::Gateway => Ok(()),
            Target::Preset(owner, slug) => {
                let table = self.0.presets.route_table(&owner, &slug).await?;
                table.filter(|table| table.preset.id == grant.preset).map(drop).ok_or(OTHER)
            }
        }
    }
}

/// Adds an access token that ends at `end` at the latest, and the refresh token to go with it. The access
/// token has all the scopes of the grant, or `only` these of them.
pub(super) async fn give(
    tx: &mut SystemTx,
    grant: &Grant,
    family: Uuid,
    refresh: Option<Secret>,
    only: Option<Scopes>,
    now: Ms,
    end: Option<Ms>,
) -> Result<TokenAnswer, IssuerError> {
    let access = Secret::new(format!("{ACCESS_PREFIX}{}", random_token()?.expose()));
    let access_end = now.plus(ACCESS_AGE_MAX).min(end.unwrap_or(Ms(i64::MAX)));
    let fewer = only.filter(|only| !only.covers(grant.scopes)).map(|only| only.common(grant.scopes));
    let bound = fewer.map(|fewer| fewer.to_string()).unwrap_or_default();
    let new = |text: &Secret, kind, expires_at| NewToken {
        hash: digest(text.expose()),
        grant: grant.id,
        family,
        kind,
        bound: if kind == TokenKind::Access { bound.clone() } else { String::new() },
        created_at: now,
        expires_at,
    };
    tx.trim_access_tokens(family, ACCESS_TOKENS_MAX - 1).await?;
    tx.add_token(&new(&access, TokenKind::Access, access_end)).await?;
    if let Some(refresh) = &refresh {
        tx.add_token(&new(refresh, TokenKind::Refresh, now.plus(REFRESH_AGE_MAX))).await?;
    }
    Ok(TokenAnswer {
        access_token: access.expose().to_owned(),
        token_type: "Bearer",
        expires_in: access_end.since(now).as_secs(),
        refresh_token: refresh.map(|refresh| refresh.expose().to_owned()),
        scope: fewer.unwrap_or(grant.scopes).to_string(),
        issued_token_type: None,
    })
}

/// Returns the answer with a refresh token that was given before.
pub(super) fn with_refresh(answer: TokenAnswer, refresh: &Secret) -> TokenAnswer {
    TokenAnswer { refresh_token: Some(refresh.expose().to_owned()), ..answer }
}

//! Providers that speak OpenID Connect 1.0, discovered at their issuer.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::DateTime;
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalProviderMetadata, AuthType, AuthenticationFlow,
    AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, DiscoveryError,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, JsonWebKey as _, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, RedirectUrl,
    RequestTokenError, Scope, SignatureVerificationError, TokenResponse as _, UserInfoError,
    core::{
        CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod, CoreGrantType,
        CoreIdToken, CoreIdTokenClaims, CoreJsonWebKey, CoreJsonWebKeyUse, CoreJweContentEncryptionAlgorithm,
        CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType,
        CoreSubjectIdentifierType, CoreTokenResponse, CoreUserInfoClaims,
    },
};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Claimed, LoginError, LoginProvider, attempt::Ties, http::send, readable};
use crate::{clock::Ms, egress::Egress, model::Email, secret::Secret};

/// How long what was discovered of an issuer is believed.
const DISCOVERED_FOR: Duration = Duration::from_secs(600);
/// How long after its discovery an issuer is not asked again for a key that is not there.
const DISCOVERED_JUST_NOW: Duration = Duration::from_secs(10);
/// The longest subject that OpenID Connect allows, in bytes.
const SUBJECT_BYTES_MAX: usize = 255;

/// How ID tokens may be signed: by the issuer's own key, which nobody else has.
pub(super) const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// What we need to know of an issuer beyond OpenID Connect Discovery.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Extra {
    /// Whether its answers name it (RFC 9207).
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Extra {}

type Metadata = ProviderMetadata<
    Extra,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What was discovered of an issuer, and when.
#[derive(Debug, Default)]
pub(super) struct Discovered(Mutex<Option<(Ms, Arc<Metadata>)>>);

/// One conversation with an issuer.
pub(super) struct OpenId<'a> {
    pub(super) provider: &'a LoginProvider,
    pub(super) issuer: &'a str,
    pub(super) discovered: &'a Discovered,
    pub(super) egress: &'a Egress,
    /// Where the browser comes back to.
    pub(super) redirect: &'a str,
    pub(super) now: Ms,
}

impl OpenId<'_> {
    /// Returns where to send the browser.
    pub(super) async fn address(&self, ties: &Ties) -> Result<Url, LoginError> {
        let metadata = self.metadata().await?;
        let client = self.client(&metadata)?;
        let verifier = PkceCodeVerifier::new(ties.verifier.expose().to_owned());
        let (state, nonce) = (ties.state.clone(), ties.nonce.clone());
        let (url, _, _) = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                move || CsrfToken::new(state.expose().to_owned()),
                move || Nonce::new(nonce.expose().to_owned()),
            )
            .add_scope(Scope::new("email".to_owned()))
            .add_scope(Scope::new("profile".to_owned()))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok(url)
    }

    /// Checks who an answer says it comes from (RFC 9207): an issuer that says it names itself must,
    /// and whoever names one must name this one.
    pub(super) async fn check_issuer(&self, named: Option<&str>) -> Result<(), LoginError> {
        let metadata = self.metadata().await?;
        let must = metadata.additional_metadata().authorization_response_iss_parameter_supported;
        match named {
            Some(named) if named == metadata.issuer().as_str() => Ok(()),
            None if !must => Ok(()),
            Some(_) | None => Err(LoginError::WrongIssuer),
        }
    }

    /// Exchanges a code, and returns whom the issuer means.
    pub(super) async fn exchange(&self, code: &str, ties: &Ties) -> Result<Claimed, LoginError> {
        let metadata = self.metadata().await?;
        let client = self.client(&metadata)?;
        let http = |request| send(self.egress.clone(), request);
        let request = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|error| self.provider.unbelievable(error))?
            .set_pkce_verifier(PkceCodeVerifier::new(ties.verifier.expose().to_owned()));
        let answer: CoreTokenResponse = match request.request_async(&http).await {
            Ok(answer) => answer,
            Err(RequestTokenError::ServerResponse(refusal)) => {
                return Err(self.provider.declined(refusal.error().as_ref()));
            }
            Err(RequestTokenError::Request(error)) => return Err(self.provider.unreachable(error)),
            Err(RequestTokenError::Parse(error, _)) => return Err(self.provider.unbelievable(error)),
            Err(RequestTokenError::Other(words)) => return Err(self.provider.unbelievable(words)),
        };
        let token = answer.id_token().ok_or_else(|| self.provider.unbelievable("there is no ID token"))?;
        let claims = self.claims(&client, token, answer.access_token(), &ties.nonce).await?;
        let subject = claims.subject().as_str();
        if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX {
            return Err(self.provider.unbelievable("the subject is empty or too long"));
        }

        let mut person = Person::of_token(&claims);
        if person.email.is_none()
            && let Ok(request) = client.user_info(
                answer.access_token().clone(),
                // What is said of another is refused.
                Some(claims.subject().clone()),
            )
        {
            let more: CoreUserInfoClaims =
                request.request_async(&http).await.map_err(|error| match error {
                    UserInfoError::Request(error) => self.provider.unreachable(error),
                    other => self.provider.unbelievable(other),
                })?;
            person = person.or(Person::of_user_info(&more));
        }
        Ok(Claimed {
            issuer: metadata.issuer().as_str().to_owned(),
            shown: readable(person.name.as_deref().unwrap_or(subject)),
            subject: subject.to_owned(),
            email: person.email,
        })
    }

    /// Verifies an ID token: signature, issuer, audience, time, nonce, and that the access token came
    /// with it. A key that is not among those discovered is looked for once more, since issuers
    /// change theirs.
    async fn claims(
        &self,
        client: &Client,
        token: &CoreIdToken,
        access_token: &AccessToken,
        nonce: &Secret,
    ) -> Result<CoreIdTokenClaims, LoginError> {
        let nonce = Nonce::new(nonce.expose().to_owned());
        match verified(client, token, access_token, &nonce, self.now) {
            Err(Rejected::UnknownKey) => {}
            Err(Rejected::Forged(detail)) => return Err(self.provider.unbelievable(detail)),
            Ok(claims) => return Ok(claims),
        }
        let metadata = self.discover().await?;
        let client = self.client(&metadata)?;
        verified(&client, token, access_token, &nonce, self.now).map_err(|rejected| match rejected {
            Rejected::UnknownKey => self.provider.unbelievable("the ID token is signed by nobody known"),
            Rejected::Forged(detail) => self.provider.unbelievable(detail),
        })
    }

    /// Says whether the issuer has signed a text, with the key of this name if one is given. A key that is
    /// not among those discovered is looked for once more, unless they were discovered just now.
    pub(super) async fn has_signed(
        &self,
        algorithm: &CoreJwsSigningAlgorithm,
        key: Option<&str>,
        text: &[u8],
        signature: &[u8],
    ) -> Result<bool, LoginError> {
        let has = |metadata: &Metadata| {
            metadata.jwks().keys().iter().any(|one| {
                let named = key.is_none_or(|key| one.key_id().is_some_and(|id| id.as_str() == key));
                let signs = one.key_use().is_none_or(|purpose| *purpose == CoreJsonWebKeyUse::Signature);
                named && signs && one.verify_signature(algorithm, text, signature).is_ok()
            })
        };
        if has(self.metadata().await?.as_ref()) {
            return Ok(true);
        }
        let known = self.discovered.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if known.is_some_and(|(at, _)| self.now.since(at) < DISCOVERED_JUST_NOW) {
            return Ok(false);
        }
        Ok(has(self.discover().await?.as_ref()))
    }

    fn client(&self, metadata: &Metadata) -> Result<Client, LoginError> {
        let secret = self.provider.client_secret.as_ref();
        let redirect =
            RedirectUrl::new(self.redirect.to_owned()).map_err(|error| self.provider.unbelievable(error))?;
        let methods = metadata.token_endpoint_auth_methods_supported();
        let by_body = methods.is_some_and(|methods| {
            !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
                && methods.contains(&CoreClientAuthMethod::ClientSecretPost)
        });
        Ok(CoreClient::from_provider_metadata(
            metadata.clone(),
            ClientId::new(self.provider.client_id.clone()),
            secret.map(|secret| ClientSecret::new(secret.expose().to_owned())),
        )
        .set_auth_type(if by_body { AuthType::RequestBody } else { AuthType::BasicAuth })
        .set_redirect_uri(redirect))
    }

    async fn metadata(&self) -> Result<Arc<Metadata>, LoginError> {
        let known = self.discovered.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some((at, metadata)) if self.now.since(at) < DISCOVERED_FOR => Ok(metadata),
            _ => self.discover().await,
        }
    }

    /// Asks the issuer what it is, and for its keys. That it is the issuer asked for is checked.
    async fn discover(&self) -> Result<Arc<Metadata>, LoginError> {
        let issuer =
            IssuerUrl::new(self.issuer.to_owned()).map_err(|error| self.provider.unbelievable(error))?;
        let http = |request| send(self.egress.clone(), request);
        let found = Metadata::discover_async(issuer, &http).await.map_err(|error| match error {
            DiscoveryError::Request(error) => self.provider.unreachable(error),
            other => self.provider.unbelievable(other),
        })?;
        let found = Arc::new(found);
        *self.discovered.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((self.now, Arc::clone(&found)));
        Ok(found)
    }
}

/// Why an ID token is not believed.
enum Rejected {
    /// Its key is not among the issuer's.
    UnknownKey,
    /// Something is wrong with it.
    Forged(String),
}

fn verified(
    client: &Client,
    token: &CoreIdToken,
    access_token: &AccessToken,
    nonce: &Nonce,
    now: Ms,
) -> Result<CoreIdTokenClaims, Rejected> {
    let forged = |error: &dyn std::error::Error| {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        Rejected::Forged(format!("{error}{cause}"))
    };
    let verifier = client
        .id_token_verifier()
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(move || DateTime::from_timestamp_millis(now.0).unwrap_or_default());
    let claims = token.claims(&verifier, nonce).map_err(|error| match error {
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
            Rejected::UnknownKey
        }
        other => forged(&other),
    })?;
    if let Some(expected) = claims.access_token_hash() {
        let algorithm = token.signing_alg().map_err(|error| forged(&error))?;
        let key = token.signing_key(&verifier).map_err(|error| forged(&error))?;
        let actual =
            AccessTokenHash::from_token(access_token, algorithm, key).map_err(|error| forged(&error))?;
        if actual != *expected {
            return Err(Rejected::Forged("the access token is not the ID token's".to_owned()));
        }
    }
    Ok(claims.clone())
}

/// What an issuer says of a person.
struct Person {
    name: Option<String>,
    /// Only if the issuer has seen that it is theirs.
    email: Option<Email>,
}

impl Person {
    fn of_token(claims: &CoreIdTokenClaims) -> Self {
        Self::new(
            claims.email().map(|email| email.as_str()),
            claims.email_verified(),
            claims.preferred_username().map(|name| name.as_str()),
        )
    }

    fn of_user_info(claims: &CoreUserInfoClaims) -> Self {
        Self::new(
            claims.email().map(|email| email.as_str()),
            claims.email_verified(),
            claims.preferred_username().map(|name| name.as_str()),
        )
    }

    fn new(email: Option<&str>, verified: Option<bool>, username: Option<&str>) -> Self {
        let name = email.or(username).map(str::to_owned);
        let email = email.filter(|_| verified == Some(true)).and_then(|email| Email::parse(email).ok());
        Self { name, email }
    }

    fn or(self, other: Self) -> Self {
        Self { name: self.name.or(other.name), email: self.email.or(other.email) }
    }
}

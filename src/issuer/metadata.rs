//! What clients are told of the issuer and of presets before anything else. Pure.

use serde::Serialize;

use crate::{
    issuer::{address::preset_url, exchange, token},
    model::Scopes,
};

/// What the issuer says of itself (RFC 8414). The same document answers those who look for OpenID
/// Connect, with the members that their form requires; identity tokens are never given.
#[derive(Clone, Debug, Serialize)]
pub struct IssuerMetadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    registration_endpoint: String,
    revocation_endpoint: String,
    jwks_uri: String,
    scopes_supported: [&'static str; 3],
    response_types_supported: [&'static str; 1],
    response_modes_supported: [&'static str; 1],
    grant_types_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    authorization_grant_profiles_supported: &'static [&'static str],
    token_endpoint_auth_methods_supported: [&'static str; 3],
    revocation_endpoint_auth_methods_supported: [&'static str; 3],
    code_challenge_methods_supported: [&'static str; 1],
    authorization_response_iss_parameter_supported: bool,
    client_id_metadata_document_supported: bool,
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 1],
}

impl IssuerMetadata {
    /// Describes the issuer at this address, which has no slash at the end; `takes_assertions` is whether
    /// there is an identity provider whose assertions let clients in.
    pub(super) fn new(base: &str, takes_assertions: bool) -> Self {
        let assertion = takes_assertions.then_some(exchange::ASSERTION);
        let at = |path: &str| format!("{base}{path}");
        Self {
            issuer: base.to_owned(),
            authorization_endpoint: at("/oauth/authorize"),
            token_endpoint: at("/oauth/token"),
            registration_endpoint: at("/oauth/register"),
            revocation_endpoint: at("/oauth/revoke"),
            jwks_uri: at("/oauth/jwks"),
            scopes_supported: Scopes::WORDS,
            response_types_supported: ["code"],
            response_modes_supported: ["query"],
            grant_types_supported: token::GRANT_TYPES.iter().copied().chain(assertion).collect(),
            authorization_grant_profiles_supported: if takes_assertions {
                &[exchange::ID_JAG_PROFILE]
            } else {
                &[]
            },
            token_endpoint_auth_methods_supported: super::clients::AUTH_METHODS,
            revocation_endpoint_auth_methods_supported: super::clients::AUTH_METHODS,
            code_challenge_methods_supported: ["S256"],
            authorization_response_iss_parameter_supported: true,
            client_id_metadata_document_supported: true,
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: ["RS256"],
        }
    }
}

/// What is said of a preset's address, or of the gateway as a whole (RFC 9728).
#[derive(Clone, Debug, Serialize)]
pub struct ResourceMetadata {
    resource: String,
    authorization_servers: [String; 1],
    scopes_supported: [&'static str; 3],
    bearer_methods_supported: [&'static str; 1],
    resource_name: &'static str,
}

impl ResourceMetadata {
    /// Describes the address of a preset, given as owner and slug, or else the gateway. It says the
    /// same whether there is such a preset or not.
    pub fn new(base: &str, preset: Option<(&str, &str)>) -> Self {
        Self {
            resource: preset.map_or_else(|| base.to_owned(), |(owner, slug)| preset_url(base, owner, slug)),
            authorization_servers: [base.to_owned()],
            scopes_supported: Scopes::WORDS,
            bearer_methods_supported: ["header"],
            resource_name: "Doorward",
        }
    }
}

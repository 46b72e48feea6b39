use std::{borrow::Cow, time::Duration};

use thiserror::Error;

use crate::{
    fault::Fault,
    identity::{AssertionError, IdentityError},
    policy::Denied,
    presets::PresetError,
    store::StoreError,
};

/// Says why the issuer did not do as it was asked. The texts are for the people who write clients.
#[derive(Debug, Error)]
pub enum IssuerError {
    /// A parameter is missing, repeated or cannot be read.
    #[error("{0}")]
    InvalidRequest(Cow<'static, str>),
    /// The client is unknown, or did not prove who it is.
    #[error("{0}")]
    InvalidClient(Cow<'static, str>),
    /// The code or token does not hold, or belongs to another client.
    #[error("{0}")]
    InvalidGrant(&'static str),
    /// More is asked for than there is.
    #[error("{0}")]
    InvalidScope(&'static str),
    /// What an identity provider says could not be looked at, or does not hold.
    #[error(transparent)]
    Assertion(#[from] AssertionError),
    /// Tokens are not given in this way.
    #[error("this issuer does not know the grant type `{0}`")]
    UnsupportedGrantType(String),
    /// The resource is none of this gateway's presets, or not the one agreed to.
    #[error("{0}")]
    InvalidTarget(&'static str),
    /// A redirect address cannot be registered.
    #[error("{0}")]
    InvalidRedirectUri(Cow<'static, str>),
    /// What the client says of itself cannot be used.
    #[error("{0}")]
    InvalidClientMetadata(Cow<'static, str>),
    /// The registration access token is not the client's.
    #[error("this is not the registration access token of that client")]
    InvalidRegistrationToken,
    /// Too many clients register.
    #[error("too many registrations; try again in {} seconds", retry_after.as_secs().max(1))]
    TooMany {
        /// When the next one may come.
        retry_after: Duration,
    },
    /// The person may not do it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// No random text could be made.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The preset could not be looked up.
    #[error(transparent)]
    Preset(#[from] PresetError),
    /// The database failed.
    #[error("could not read or write clients and grants")]
    Store(#[from] StoreError),
}

impl IssuerError {
    /// Returns the error's name in the answer (RFC 6749 5.2, RFC 7591 3.2.2, RFC 8707 2).
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidClient(_) => "invalid_client",
            Self::InvalidGrant(_) => "invalid_grant",
            Self::InvalidScope(_) => "invalid_scope",
            Self::Assertion(error) if error.fault() == Fault::Refused => "invalid_grant",
            Self::Assertion(_) => "server_error",
            Self::UnsupportedGrantType(_) => "unsupported_grant_type",
            Self::InvalidTarget(_) => "invalid_target",
            Self::InvalidRedirectUri(_) => "invalid_redirect_uri",
            Self::InvalidClientMetadata(_) => "invalid_client_metadata",
            Self::InvalidRegistrationToken => "invalid_token",
            Self::TooMany { .. } => "temporarily_unavailable",
            Self::Denied(_) => "access_denied",
            Self::Identity(_) | Self::Preset(_) | Self::Store(_) => "server_error",
        }
    }

    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::InvalidRequest(_)
            | Self::UnsupportedGrantType(_)
            | Self::InvalidScope(_)
            | Self::InvalidTarget(_)
            | Self::InvalidRedirectUri(_)
            | Self::InvalidClientMetadata(_) => Fault::Caller,
            Self::InvalidClient(_)
            | Self::InvalidGrant(_)
            | Self::InvalidRegistrationToken
            | Self::TooMany { .. } => Fault::Refused,
            Self::Assertion(error) => error.fault(),
            Self::Denied(denied) => denied.fault(),
            Self::Identity(error) => error.fault(),
            Self::Preset(error) => error.fault(),
            Self::Store(error) => error.fault(),
        }
    }
}

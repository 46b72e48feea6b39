//! What can go wrong at an issuer.

use thiserror::Error;

use crate::{egress::EgressError, fault::Fault};

/// Says why somebody could not be signed in, or a token could not be renewed. The texts are for the
/// owner of the source; they hold no credential.
#[derive(Clone, Debug, Error)]
pub enum OauthError {
    /// Something could not be reached.
    #[error("{what} cannot be reached: {error}")]
    Unreachable {
        /// What was asked for.
        what: &'static str,
        /// How it failed.
        #[source]
        error: EgressError,
    },

    /// Source or issuer say something that must not be believed, or do not say what must be said.
    #[error("{0}")]
    Untrusted(String),

    /// The issuer knows no way in which we could be its client.
    #[error(
        "the issuer {issuer} registers no clients by itself: ask it for a client, and enter its id with the data \
         source"
    )]
    NoClient {
        /// The issuer.
        issuer: String,
    },

    /// The issuer refused.
    #[error("the issuer refused: {code}{}", if .detail.is_empty() { String::new() } else { format!(" ({detail})") })]
    Refused {
        /// The error's code (RFC 6749 section 5.2).
        code: String,
        /// What it says besides.
        detail: String,
    },

    /// The issuer did not answer as an issuer does, or has trouble of its own.
    #[error("{what} answered {answer}")]
    Odd {
        /// What was asked for.
        what: &'static str,
        /// What it answered.
        answer: String,
    },

    /// The machine gives no random numbers.
    #[error("the machine gives no random numbers")]
    Random,
}

impl OauthError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Unreachable { error, .. } => error.fault(),
            Self::NoClient { .. } => Fault::Caller,
            Self::Untrusted(_) | Self::Refused { .. } | Self::Odd { .. } => Fault::Upstream,
            Self::Random => Fault::Gateway,
        }
    }

    /// Says whether trying again cannot help: the issuer has said no, and nothing was in the way.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Refused { code, .. } => {
                !matches!(code.as_str(), "temporarily_unavailable" | "server_error" | "slow_down")
            }
            Self::Untrusted(_) | Self::NoClient { .. } => true,
            Self::Unreachable { .. } | Self::Odd { .. } | Self::Random => false,
        }
    }
}

pub(super) fn untrusted(why: impl Into<String>) -> OauthError {
    OauthError::Untrusted(why.into())
}

//! What can go wrong between Doorward and a source.

use std::time::Duration;

use thiserror::Error;

use crate::{egress::EgressError, fault::Fault};

/// Says why a source did not answer a request.
///
/// The texts are for the owner of the source. They name hosts and programs, never a credential.
#[derive(Clone, Debug, Error)]
pub enum UpstreamError {
    /// The source cannot be reached: no address, no connection, no TLS, or no process.
    #[error("the source cannot be reached: {detail}")]
    Unreachable {
        /// What was tried and how it failed.
        detail: String,
    },

    /// The source's address is not one that this gateway connects to.
    #[error("{0}")]
    Refused(EgressError),

    /// The source did not accept the credential, or wants one.
    #[error("the source answered {status}: it wants a credential, or another one")]
    Credential {
        /// The HTTP status, 401 or 403.
        status: u16,
        /// The `WWW-Authenticate` header, as sent.
        challenge: Option<String>,
    },

    /// What answered does not speak MCP.
    #[error("what answers there is not an MCP server: {answer}")]
    NotMcp {
        /// What it answered, in a few words.
        answer: String,
    },

    /// The source did not answer in time.
    #[error("the source did not answer within {} s", after.as_secs_f64())]
    Timeout {
        /// How long it was given.
        after: Duration,
    },

    /// The source went away in the middle of a call.
    #[error("the source went away in the middle of the call: {detail}")]
    Died {
        /// How it ended.
        detail: String,
    },

    /// The source's answer is larger than allowed.
    #[error("the source's answer is larger than {limit_bytes} bytes")]
    TooLarge {
        /// What is allowed.
        limit_bytes: usize,
    },

    /// The source broke the protocol.
    #[error("the source broke the protocol: {detail}")]
    Protocol {
        /// How.
        detail: String,
    },

    /// Everything that may run at once is running.
    #[error("too much is running at once: {what}")]
    Busy {
        /// What there is too much of.
        what: String,
    },
}

impl UpstreamError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Unreachable { .. }
            | Self::Credential { .. }
            | Self::NotMcp { .. }
            | Self::Timeout { .. }
            | Self::Died { .. }
            | Self::TooLarge { .. }
            | Self::Protocol { .. } => Fault::Upstream,
            Self::Refused(error) => error.fault(),
            Self::Busy { .. } => Fault::Gateway,
        }
    }
}

impl From<EgressError> for UpstreamError {
    fn from(error: EgressError) -> Self {
        match error {
            EgressError::Timeout { step: EgressError::ANSWER, after, .. } => Self::Timeout { after },
            EgressError::TooLarge { limit_bytes } => Self::TooLarge { limit_bytes },
            EgressError::Broken { detail } => Self::Died { detail },
            EgressError::Resolve { .. }
            | EgressError::Connect { .. }
            | EgressError::Tls { .. }
            | EgressError::Tunnel { .. }
            | EgressError::Timeout { .. } => Self::Unreachable { detail: error.to_string() },
            EgressError::Refused { .. }
            | EgressError::NotListed { .. }
            | EgressError::BadUrl { .. }
            | EgressError::Redirect { .. } => Self::Refused(error),
        }
    }
}

//! What can go wrong with a Spark History Server.

use thiserror::Error;

use crate::{egress::EgressError, fault::Fault};

/// Says why a question to a Spark History Server has no answer.
#[derive(Clone, Debug, Error)]
pub enum SparkError {
    /// It cannot be reached.
    #[error(transparent)]
    Egress(#[from] EgressError),

    /// It, or the proxy before it, did not accept the credential, or wants one.
    #[error("the history server answered {status}: it wants a credential, or another one")]
    Credential {
        /// The HTTP status, 401 or 403.
        status: u16,
    },

    /// The key that tokens are to be signed with is none.
    #[error("no token can be signed: {0}")]
    Key(&'static str),

    /// A proxy says that there is no history server behind it.
    #[error("the proxy before the history server answered {status}")]
    Down {
        /// The HTTP status.
        status: u16,
    },

    /// What answers is no Spark History Server, or not as one does.
    #[error("{path} does not answer as a Spark History Server does: {answer}")]
    Foreign {
        /// What was asked for.
        path: String,
        /// What came, in a few words.
        answer: String,
    },

    /// The answer is larger than allowed.
    #[error("the history server's answer is larger than {limit_bytes} bytes; ask for less")]
    TooLarge {
        /// What is allowed, unpacked.
        limit_bytes: usize,
    },

    /// It does not know what was asked for, or does not give it.
    #[error("the history server answered {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said, without markup.
        message: String,
    },

    /// A tool was called with an argument that it cannot take.
    #[error("{0}")]
    Argument(String),
}

impl SparkError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Egress(error) => error.fault(),
            Self::Credential { .. }
            | Self::Down { .. }
            | Self::Foreign { .. }
            | Self::TooLarge { .. }
            | Self::Refused { .. } => Fault::Upstream,
            Self::Key(_) | Self::Argument(_) => Fault::Caller,
        }
    }

    /// Says whether whoever called can do something about it by calling otherwise.
    pub(super) fn is_of_the_call(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Argument(_) | Self::TooLarge { .. } => true,
            Self::Egress(_)
            | Self::Credential { .. }
            | Self::Key(_)
            | Self::Down { .. }
            | Self::Foreign { .. } => false,
        }
    }
}

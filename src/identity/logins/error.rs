use thiserror::Error;

use crate::{egress::EgressError, fault::Fault, identity::IdentityError, store::StoreError};

/// Says why a login with another identity provider came to nothing.
#[derive(Debug, Error)]
pub enum LoginError {
    /// No provider of that name is set up.
    #[error("there is no such identity provider")]
    NoProvider,
    /// Nothing is under way in this browser: it took too long, was begun elsewhere, or is over.
    #[error("this sign-in was not begun in this browser, or took too long: please begin again")]
    NotBegun,
    /// The answer carries the state of another sign-in.
    #[error("this answer belongs to another sign-in: please begin again")]
    WrongState,
    /// The answer comes from another issuer than was asked (RFC 9207).
    #[error("this answer comes from another identity provider than was asked")]
    WrongIssuer,
    /// The provider did not sign the person in.
    #[error("{provider} did not sign you in ({code})")]
    Declined {
        /// The provider's name on buttons.
        provider: String,
        /// The error code it gave, cut to its letters.
        code: String,
    },
    /// The provider could not be asked.
    #[error("{provider} could not be reached")]
    Unreachable {
        /// The provider's name on buttons.
        provider: String,
        /// What went wrong on the way.
        source: EgressError,
    },
    /// The provider said what cannot be believed.
    #[error("what {provider} says cannot be believed")]
    Unbelievable {
        /// The provider's name on buttons.
        provider: String,
        /// What is wrong with it, for the log.
        detail: String,
    },
    /// The login belongs to another account here.
    #[error("this login belongs to another account: sign out first to sign in with it")]
    OfAnother,
    /// Nobody here is known by the login, and who it is may not make an account.
    #[error("nobody here is known by this login, and accounts are made by an administrator")]
    Stranger,
    /// The provider has not seen that the address is the person's.
    #[error("{provider} does not say that your e-mail address is yours")]
    NoAddress {
        /// The provider's name on buttons.
        provider: String,
    },
    /// It is the only way in to the account.
    #[error("this is your only way in: add another one first")]
    LastWayIn,
    /// The account has as many logins as it may.
    #[error("there are {max} logins: remove one first")]
    TooMany {
        /// How many there may be.
        max: usize,
    },
    /// What concerns accounts in general.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl From<StoreError> for LoginError {
    fn from(error: StoreError) -> Self {
        Self::Identity(error.into())
    }
}

impl LoginError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NoProvider | Self::NotBegun => Fault::Caller,
            Self::WrongState
            | Self::WrongIssuer
            | Self::Declined { .. }
            | Self::OfAnother
            | Self::Stranger
            | Self::NoAddress { .. }
            | Self::LastWayIn
            | Self::TooMany { .. } => Fault::Refused,
            Self::Unreachable { .. } | Self::Unbelievable { .. } => Fault::Upstream,
            Self::Identity(error) => error.fault(),
        }
    }
}

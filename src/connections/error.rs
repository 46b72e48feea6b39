//! What can go wrong with connections.

use thiserror::Error;

use crate::{
    fault::Fault, model::ConnectionId, oauth::OauthError, policy::Denied, store::StoreError,
    vault::VaultError,
};

/// Says why a connection was not found, made or kept alive.
#[derive(Debug, Error)]
pub enum ConnectionError {
    /// There is no such connection, or it is somebody else's.
    #[error("there is no such connection")]
    NotFound,

    /// The caller may not do this.
    #[error("not allowed")]
    Denied(#[from] Denied),

    /// The answer of an issuer belongs to no sign-in of this person in this browser: it is over, was
    /// finished before, or was never begun here.
    #[error("this sign-in was not begun in this browser, or is over; begin it again")]
    NotBegun,

    /// The issuer, or the way there, failed.
    #[error("{0}")]
    Oauth(#[from] OauthError),

    /// The tokens could not be sealed or opened.
    #[error("the tokens of connection {id} could not be used")]
    Vault {
        /// The connection.
        id: ConnectionId,
        /// Why.
        #[source]
        error: VaultError,
    },

    /// What was sealed is not what a connection keeps: the record is damaged.
    #[error("connection {id} is damaged")]
    Damaged {
        /// The connection.
        id: ConnectionId,
    },

    /// The database failed.
    #[error("could not read or write connections")]
    Store(#[from] StoreError),
}

impl ConnectionError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NotFound | Self::NotBegun => Fault::Caller,
            Self::Denied(_) => Fault::Refused,
            Self::Oauth(error) => error.fault(),
            Self::Vault { .. } | Self::Damaged { .. } => Fault::Gateway,
            Self::Store(error) => error.fault(),
        }
    }
}

//! What can go wrong with a source.

use thiserror::Error;

use crate::{
    clock::Ms,
    connections::ConnectionError,
    fault::Fault,
    model::{SourceId, SourceName},
    policy::Denied,
    sources::{SignedIn, TunnelEditError},
    store::StoreError,
    upstream::UpstreamError,
    vault::VaultError,
};

/// Says why a source was not found, kept or reached.
#[derive(Debug, Error)]
pub enum SourceError {
    /// There is no such source, or it belongs to somebody else.
    #[error("there is no such data source")]
    NotFound,

    /// The caller may not do this.
    #[error("not allowed")]
    Denied(#[from] Denied),

    /// A part of what was typed cannot be used.
    #[error("{part}: {reason}")]
    Invalid {
        /// The part, by the name of its field.
        part: &'static str,
        /// What is wrong with it.
        reason: String,
    },

    /// Another source of the same owner has the name.
    #[error("there is already a data source named `{name}`")]
    NameTaken {
        /// The name.
        name: SourceName,
    },

    /// The owner's plan holds no more sources.
    #[error(
        "the plan `{plan}` holds {limit} data sources and {used} are there: remove one, or ask an administrator of \
         this gateway for another plan"
    )]
    Limit {
        /// The plan.
        plan: String,
        /// How many it holds.
        limit: i64,
        /// How many there are.
        used: i64,
    },

    /// Somebody else edited it after this caller looked.
    #[error(
        "{} changed this data source at {at}; look at it again and repeat the change",
        .by.as_deref().unwrap_or("somebody else")
    )]
    Stale {
        /// Who, if the audit log knows.
        by: Option<String>,
        /// The version it has.
        version: i64,
        /// When it was edited.
        at: Ms,
    },

    /// It is switched off.
    #[error("the data source `{name}` is switched off")]
    Disabled {
        /// Its name.
        name: SourceName,
    },

    /// Somebody has to sign in to it first.
    #[error("{}", if .signed_in.of_caller {
        format!("the caller has not signed in to the data source `{name}`")
    } else {
        format!("nobody has signed in to the data source `{name}`")
    })]
    SignIn {
        /// Its name.
        name: SourceName,
        /// Who has to.
        signed_in: SignedIn,
    },

    /// What people sign in with failed.
    #[error("the sign-in to the data source failed: {0}")]
    Connection(#[from] ConnectionError),

    /// It could not be reached or did not speak MCP.
    #[error("the data source did not answer as it should")]
    Upstream(#[from] UpstreamError),

    /// Its credential could not be sealed or opened.
    #[error("the credential of data source {source_id} could not be used")]
    Vault {
        /// The source.
        source_id: SourceId,
        /// Why.
        #[source]
        error: VaultError,
    },

    /// Its sealed credential is not one: the record is damaged.
    #[error("the credential of data source {source_id} is damaged")]
    Credential {
        /// The source.
        source_id: SourceId,
    },

    /// Something is wrong with a tunnel.
    #[error("{0}")]
    Tunnel(#[from] TunnelEditError),

    /// The database failed.
    #[error("could not read or write data sources")]
    Store(#[from] StoreError),
}

impl SourceError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NotFound | Self::Invalid { .. } | Self::NameTaken { .. } | Self::Stale { .. } => {
                Fault::Caller
            }
            Self::Denied(_) | Self::Limit { .. } | Self::Disabled { .. } | Self::SignIn { .. } => {
                Fault::Refused
            }
            Self::Connection(error) => error.fault(),
            Self::Upstream(error) => error.fault(),
            Self::Tunnel(error) => error.fault(),
            Self::Vault { .. } | Self::Credential { .. } => Fault::Gateway,
            Self::Store(error) => error.fault(),
        }
    }
}

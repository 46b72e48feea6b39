//! What can go wrong with an organisation's tunnel.

use thiserror::Error;

use crate::{
    clock::Ms,
    fault::Fault,
    model::{SourceName, TunnelId, TunnelName},
    vault::VaultError,
};

/// Says why a tunnel was not found, kept or changed.
#[derive(Debug, Error)]
pub enum TunnelEditError {
    /// There is no such tunnel, or it belongs to somebody else.
    #[error("there is no such tunnel")]
    NotFound,

    /// Another tunnel of the same owner has the name.
    #[error("there is already a tunnel named `{name}`")]
    NameTaken {
        /// The name.
        name: TunnelName,
    },

    /// The organisation has as many as it may.
    #[error("an organisation has at most {limit} tunnels")]
    Limit {
        /// How many.
        limit: i64,
    },

    /// Sources go through it.
    #[error("these data sources go through it: {}; give them another way first", list(sources))]
    InUse {
        /// Their names.
        sources: Vec<SourceName>,
    },

    /// Credentials of sources would travel over another server.
    #[error(
        "these data sources keep credentials, which would travel over another server: {}; make a new tunnel and \
         choose it there, giving the credential again",
        list(sources)
    )]
    Diverts {
        /// Their names.
        sources: Vec<SourceName>,
    },

    /// Somebody else edited it after this caller looked.
    #[error("somebody else changed this tunnel at {at}; look at it again and repeat the change")]
    Stale {
        /// The version it has.
        version: i64,
        /// When it was edited.
        at: Ms,
    },

    /// What signs in at its servers could not be sealed or opened.
    #[error("the keys of tunnel {tunnel_id} could not be used")]
    Vault {
        /// The tunnel.
        tunnel_id: TunnelId,
        /// Why.
        #[source]
        error: VaultError,
    },

    /// What signs in at its servers is not readable: the record is damaged.
    #[error("the keys of tunnel {tunnel_id} are damaged")]
    Damaged {
        /// The tunnel.
        tunnel_id: TunnelId,
    },
}

impl TunnelEditError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NotFound | Self::NameTaken { .. } | Self::Stale { .. } => Fault::Caller,
            Self::Limit { .. } | Self::InUse { .. } | Self::Diverts { .. } => Fault::Refused,
            Self::Vault { .. } | Self::Damaged { .. } => Fault::Gateway,
        }
    }
}

fn list(sources: &[SourceName]) -> String {
    sources.iter().map(SourceName::as_str).collect::<Vec<_>>().join(", ")
}

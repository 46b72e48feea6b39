//! The check of host keys: what is not confirmed is not talked to.

use russh::{
    client,
    keys::{HashAlg, PublicKeyOrCertificate},
};

use crate::{
    model::{Fingerprint, Hop},
    tunnel::{TunnelError, error},
};

/// Stands at one server, and lets the session go on only if the host key is the one confirmed.
pub(super) struct Guard {
    host: String,
    confirmed: Option<Fingerprint>,
}

impl Guard {
    pub(super) fn of(hop: &Hop) -> Self {
        Self { host: hop.address(), confirmed: hop.host_key.clone() }
    }
}

/// Why a session did not come about or ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The guard did not let it go on.
    Guarded(TunnelError),
    /// The library gave up.
    Library(russh::Error),
}

impl From<russh::Error> for Ended {
    fn from(error: russh::Error) -> Self {
        Self::Library(error)
    }
}

impl Ended {
    pub(super) fn at(self, host: &str) -> TunnelError {
        match self {
            Self::Guarded(error) => error,
            Self::Library(error) => {
                TunnelError::Protocol { host: host.to_owned(), detail: error::words(&error) }
            }
        }
    }
}

impl client::Handler for Guard {
    type Error = Ended;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Ended> {
        let refuse = |detail: &str| {
            Ended::Guarded(TunnelError::Protocol { host: self.host.clone(), detail: detail.to_owned() })
        };
        // Certificates are never asked for, so one that comes is not looked into.
        if shown.certificate().is_some() {
            return Err(refuse("it shows a certificate although none was asked for"));
        }
        let key = shown.public_key();
        let found = Fingerprint::parse(&key.fingerprint(HashAlg::Sha256).to_string())
            .ok_or_else(|| refuse("its host key has no fingerprint"))?;
        match &self.confirmed {
            Some(confirmed) if *confirmed == found => Ok(true),
            Some(confirmed) => Err(Ended::Guarded(TunnelError::HostKeyChanged {
                host: self.host.clone(),
                shown: found,
                confirmed: confirmed.clone(),
            })),
            None => Err(Ended::Guarded(TunnelError::Unconfirmed {
                host: self.host.clone(),
                shown: found,
                algorithm: key.algorithm().to_string(),
            })),
        }
    }
}

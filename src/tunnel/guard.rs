//! The check of host keys: what is not confirmed is not talked to.

use std::sync::{Arc, OnceLock};

use russh::{
    client,
    keys::{HashAlg, PublicKeyOrCertificate},
};

use crate::{
    clock::Ms,
    model::{Fingerprint, Hop},
    tunnel::{
        TunnelError, error,
        known_hosts::{KnownHosts, Verdict},
    },
};

/// Stands at one server, and lets the session go on only if the host key is one that the operator knows, or, where the
/// operator knows nothing, the one that was confirmed.
pub(super) struct Guard {
    host: String,
    hop: Hop,
    known_hosts: KnownHosts,
    now: Ms,
    passed: Arc<OnceLock<String>>,
}

impl Guard {
    pub(super) fn of(hop: &Hop, known_hosts: &KnownHosts, now: Ms) -> Self {
        let (hop, known_hosts) = (hop.clone(), known_hosts.clone());
        Self { host: hop.address(), hop, known_hosts, now, passed: Arc::default() }
    }

    /// Returns where it is told why the server was let pass.
    pub(super) fn passed(&self) -> Arc<OnceLock<String>> {
        Arc::clone(&self.passed)
    }

    /// Says why a server that shows this may be talked to.
    fn judge(&self, shown: &PublicKeyOrCertificate) -> Result<String, TunnelError> {
        let key = shown.public_key();
        let found = Fingerprint::parse(&key.fingerprint(HashAlg::Sha256).to_string()).ok_or_else(|| {
            let detail = "its host key has no fingerprint".to_owned();
            TunnelError::Protocol { host: self.host.clone(), detail }
        })?;
        let Hop { host: name, port, host_key: confirmed, .. } = &self.hop;
        let verdict = match shown.certificate() {
            Some(certificate) => self.known_hosts.judge_certificate(name, *port, certificate, self.now),
            None => self.known_hosts.judge(name, *port, &key),
        };
        let host = self.host.clone();
        match (verdict, confirmed) {
            (Verdict::Listed(line), _) => {
                Ok(format!("{found}, as in line {line} of the operator's known_hosts"))
            }
            (Verdict::VouchedFor(line), _) => Ok(format!(
                "{found}, with a certificate of the authority in line {line} of the operator's known_hosts"
            )),
            (Verdict::Other(known), _) => Err(TunnelError::NotAsKnown { host, shown: found, known }),
            (Verdict::Revoked(line), _) => Err(TunnelError::Revoked { host, shown: found, line }),
            (Verdict::NotVouchedFor(reason), _) => Err(TunnelError::HostCertificate { host, reason }),
            (Verdict::Unknown, Some(confirmed)) if *confirmed == found => {
                Ok(format!("{found}, as confirmed"))
            }
            (Verdict::Unknown, Some(confirmed)) => {
                Err(TunnelError::HostKeyChanged { host, shown: found, confirmed: confirmed.clone() })
            }
            (Verdict::Unknown, None) => {
                Err(TunnelError::Unconfirmed { host, shown: found, algorithm: key.algorithm().to_string() })
            }
        }
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
        let why = self.judge(shown).map_err(Ended::Guarded)?;
        let _ = self.passed.set(why);
        Ok(true)
    }
}

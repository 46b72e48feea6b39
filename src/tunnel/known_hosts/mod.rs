//! What the operator knows of host keys: a file in the form of OpenSSH's `known_hosts`. Pure.
//!
//! Read strictly: a line that is not understood refuses the whole file, because what it meant to forbid would otherwise
//! be let through. Never writes one. A new kind of line is an arm in [`Entry::read`].

mod line;
mod pattern;

use std::{fmt, sync::Arc};

use russh::keys::{
    Algorithm, Certificate, HashAlg, PublicKey,
    ssh_key::{self, public::KeyData},
};
use thiserror::Error;

use self::line::{Entry, Marker};
use self::pattern::Name;
use crate::{clock::Ms, model::Fingerprint};

/// The longest file, in bytes.
const BYTES_MAX: usize = 4 << 20;
/// The most lines with a key.
const ENTRIES_MAX: usize = 20_000;

/// A line that was not understood, or a file that is too long.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {reason}")]
pub struct KnownHostsError {
    /// Its number, from one.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// The keys of SSH servers as the operator knows them; cheap to clone, empty by default.
#[derive(Clone, Default)]
pub struct KnownHosts(Arc<[Entry]>);

/// What the operator knows of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownHost {
    /// The keys it may show.
    pub keys: Vec<Fingerprint>,
    /// The authorities whose certificates it may show.
    pub authorities: Vec<Fingerprint>,
}

/// What the operator's file says of a key that a server shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is listed in this line.
    Listed(usize),
    /// It is vouched for by the authority in this line.
    VouchedFor(usize),
    /// Nothing: somebody else has to know.
    Unknown,
    /// The server is known by other keys.
    Other(Vec<Fingerprint>),
    /// It is revoked in this line.
    Revoked(usize),
    /// Its certificate does not hold.
    NotVouchedFor(String),
}

impl KnownHosts {
    /// Reads a file. The first line that is not understood refuses it.
    pub fn read(text: &str) -> Result<Self, KnownHostsError> {
        if text.len() > BYTES_MAX {
            return Err(KnownHostsError {
                line: 1,
                reason: format!("the file has more than {BYTES_MAX} bytes"),
            });
        }
        let mut entries = Vec::new();
        for (index, text) in text.lines().enumerate() {
            let line = index + 1;
            let wrong = |reason| KnownHostsError { line, reason };
            entries.extend(Entry::read(line, text).map_err(wrong)?);
            if entries.len() > ENTRIES_MAX {
                return Err(wrong(format!("the file has more than {ENTRIES_MAX} keys")));
            }
        }
        Ok(Self(entries.into()))
    }

    /// Says whether it knows nothing at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what is known of a server; `None` if nothing is.
    pub fn of(&self, host: &str, port: u16) -> Option<KnownHost> {
        let name = Name::of(host, port);
        let marked = |marker| self.about(&name, marker).filter_map(|entry| fingerprint(entry.key.key_data()));
        let known = KnownHost {
            keys: marked(Marker::None).collect(),
            authorities: marked(Marker::Authority).collect(),
        };
        (!known.keys.is_empty() || !known.authorities.is_empty()).then_some(known)
    }

    /// Returns the kinds of keys that a server is known by.
    pub(super) fn algorithms(&self, host: &str, port: u16) -> Vec<Algorithm> {
        let name = Name::of(host, port);
        self.about(&name, Marker::None).map(|entry| entry.key.algorithm()).collect()
    }

    /// Says whether a server may show certificates.
    pub(super) fn has_authority(&self, host: &str, port: u16) -> bool {
        self.about(&Name::of(host, port), Marker::Authority).next().is_some()
    }

    /// Says what is known of a key that a server shows.
    pub(super) fn judge(&self, host: &str, port: u16, shown: &PublicKey) -> Verdict {
        if let Some(line) = self.revoked(shown.key_data()) {
            return Verdict::Revoked(line);
        }
        let name = Name::of(host, port);
        let mut others = Vec::new();
        for entry in self.about(&name, Marker::None) {
            if entry.key.key_data() == shown.key_data() {
                return Verdict::Listed(entry.line);
            }
            others.extend(fingerprint(entry.key.key_data()));
        }
        if others.is_empty() { Verdict::Unknown } else { Verdict::Other(others) }
    }

    /// Says what is known of a certificate that a server shows at this time.
    pub(super) fn judge_certificate(&self, host: &str, port: u16, shown: &Certificate, now: Ms) -> Verdict {
        if let Some(line) = self.revoked(shown.public_key()).or_else(|| self.revoked(shown.signature_key())) {
            return Verdict::Revoked(line);
        }
        let name = Name::of(host, port);
        let mut authorities = self.about(&name, Marker::Authority);
        let Some(authority) = authorities.find(|entry| entry.key.key_data() == shown.signature_key()) else {
            let by = fingerprint(shown.signature_key()).map(|key| key.to_string()).unwrap_or_default();
            return Verdict::NotVouchedFor(format!(
                "it is signed by {by}, which is no authority for this server"
            ));
        };
        match flaw(shown, authority, host, now) {
            None => Verdict::VouchedFor(authority.line),
            Some(flaw) => Verdict::NotVouchedFor(flaw),
        }
    }

    /// Returns the line that revokes a key. It is refused everywhere, whatever servers the line names.
    fn revoked(&self, key: &KeyData) -> Option<usize> {
        let revoked = self.0.iter().filter(|entry| entry.marker == Marker::Revoked);
        revoked.into_iter().find(|entry| entry.key.key_data() == key).map(|entry| entry.line)
    }

    fn about<'a>(&'a self, name: &'a Name, marker: Marker) -> impl Iterator<Item = &'a Entry> {
        self.0.iter().filter(move |entry| entry.marker == marker && entry.hosts.name(name))
    }
}

impl fmt::Debug for KnownHosts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KnownHosts").field("entries", &self.0.len()).finish()
    }
}

/// Returns why a certificate that names this authority does not hold; `None` if it does.
fn flaw(shown: &Certificate, authority: &Entry, host: &str, now: Ms) -> Option<String> {
    if !shown.cert_type().is_host() {
        return Some("it is for users".to_owned());
    }
    if matches!(shown.signature().algorithm(), Algorithm::Rsa { hash: None }) {
        return Some("it is signed with SHA-1, which is broken".to_owned());
    }
    let host = host.to_ascii_lowercase();
    if !shown.valid_principals().iter().any(|name| pattern::matches(&name.to_ascii_lowercase(), &host)) {
        let names = shown.valid_principals().join(", ");
        return Some(format!("it is for other servers: {}", if names.is_empty() { "none" } else { &names }));
    }
    if let Some((name, _)) = shown.critical_options().iter().next() {
        return Some(format!("it holds under a condition that is not known here, `{name}`"));
    }
    let seconds = u64::try_from(now.0 / 1000).unwrap_or_default();
    if seconds < shown.valid_after() || seconds >= shown.valid_before() {
        return Some("it is not valid at this time".to_owned());
    }
    let trusted: ssh_key::Fingerprint = authority.key.fingerprint(HashAlg::Sha256);
    shown.validate_at(seconds, [&trusted]).err().map(|_| "its signature does not hold".to_owned())
}

fn fingerprint(key: &KeyData) -> Option<Fingerprint> {
    Fingerprint::parse(&key.fingerprint(HashAlg::Sha256).to_string())
}

#[cfg(test)]
mod tests;

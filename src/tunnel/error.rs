//! What can go wrong with a tunnel.

use std::{io::ErrorKind, time::Duration};

use thiserror::Error;

use crate::{egress::EgressError, model::Fingerprint, tunnel::KeyError};

/// Says why a server of a tunnel could not be passed, in words for whoever manages the tunnel. Names hosts, users and
/// fingerprints, never a key or a password.
#[derive(Clone, Debug, Error)]
pub enum TunnelError {
    /// The first server has no address that may be connected to, or does not answer there.
    #[error("{0}")]
    Way(#[from] EgressError),

    /// Nobody has confirmed the server's host key.
    #[error(
        "`{host}` shows the host key {shown} ({algorithm}), which nobody has confirmed; compare it with what \
         its operator says, and confirm it"
    )]
    Unconfirmed {
        /// Host and port.
        host: String,
        /// The key it shows.
        shown: Fingerprint,
        /// Its kind.
        algorithm: String,
    },

    /// The server shows another host key than the one confirmed.
    #[error(
        "`{host}` shows the host key {shown}, but {confirmed} was confirmed: either its keys were replaced, or \
         somebody else answers in its place; ask its operator before confirming the new one"
    )]
    HostKeyChanged {
        /// Host and port.
        host: String,
        /// The key it shows.
        shown: Fingerprint,
        /// The key confirmed.
        confirmed: Fingerprint,
    },

    /// The server shows another host key than those the operator knows it by.
    #[error(
        "`{host}` shows the host key {shown}, but the operator of this gateway knows it by {}: either its keys were \
         replaced, or somebody else answers in its place; tell the operator, who keeps `tunnel_known_hosts`",
        list(known)
    )]
    NotAsKnown {
        /// Host and port.
        host: String,
        /// The key it shows.
        shown: Fingerprint,
        /// The keys in the operator's file.
        known: Vec<Fingerprint>,
    },

    /// The server shows a host key that the operator's file revokes.
    #[error(
        "`{host}` shows the host key {shown}, which is revoked by line {line} of the operator's `tunnel_known_hosts`: \
         whoever has that key must not be trusted"
    )]
    Revoked {
        /// Host and port.
        host: String,
        /// The key it shows, or the one in its certificate.
        shown: Fingerprint,
        /// Which line says so.
        line: usize,
    },

    /// The server shows a certificate that does not hold.
    #[error("`{host}` shows a host certificate that does not hold: {reason}")]
    HostCertificate {
        /// Host and port.
        host: String,
        /// Why.
        reason: String,
    },

    /// The key that signs in cannot be used.
    #[error("the key for `{host}` cannot be used: {reason}")]
    Key {
        /// Host and port.
        host: String,
        /// Why.
        reason: KeyError,
    },

    /// The operator does not allow passwords.
    #[error(
        "signing in at `{host}` with a password is not allowed here; use a key, or ask the operator for DOORWARD_TUNNEL_PASSWORDS"
    )]
    NoPasswords {
        /// Host and port.
        host: String,
    },

    /// The server did not accept who signs in.
    #[error("`{host}` does not let `{user}` in with this {tried}; it offers: {offered}")]
    SignIn {
        /// Host and port.
        host: String,
        /// The user.
        user: String,
        /// What was tried.
        tried: &'static str,
        /// The methods it offers, or that it offers none.
        offered: String,
    },

    /// A step took too long.
    #[error("`{host}` did not {step} within {} s", after.as_secs_f64())]
    Timeout {
        /// Host and port.
        host: String,
        /// What it did not do.
        step: &'static str,
        /// How long it was given.
        after: Duration,
    },

    /// The server refuses to connect further.
    #[error("`{via}` does not forward to `{host}`: {reason}")]
    Forward {
        /// The server that was asked.
        via: String,
        /// Where to.
        host: String,
        /// What it said.
        reason: String,
    },

    /// What answers does not speak SSH as it should, or went away.
    #[error("the SSH session with `{host}` failed: {detail}")]
    Protocol {
        /// Host and port.
        host: String,
        /// How.
        detail: String,
    },

    /// It failed a moment ago and is not tried yet.
    #[error("{last} (next try in {} s)", after.as_secs() + 1)]
    Paused {
        /// Why it failed.
        last: String,
        /// How long it is not tried.
        after: Duration,
    },
}

fn list(keys: &[Fingerprint]) -> String {
    keys.iter().map(Fingerprint::as_str).collect::<Vec<_>>().join(", ")
}

/// Returns what a failure of the SSH library means to an engineer.
pub(super) fn words(error: &russh::Error) -> String {
    match error {
        russh::Error::HUP | russh::Error::Disconnect => "the server closed the connection".to_owned(),
        russh::Error::IO(error)
            if matches!(
                error.kind(),
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
            ) =>
        {
            "the server closed the connection; it may be overloaded, restarting, or refuse this address"
                .to_owned()
        }
        russh::Error::Version => "what answers there is not an SSH server; check the port".to_owned(),
        russh::Error::NoCommonAlgo { kind, theirs, .. } => {
            format!("no {kind:?} algorithm in common; the server offers {}", theirs.join(", "))
        }
        russh::Error::KeepaliveTimeout => "the server stopped answering".to_owned(),
        russh::Error::SendError | russh::Error::RecvError => "the session has ended".to_owned(),
        other => other.to_string(),
    }
}

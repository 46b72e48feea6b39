//! SSH: sessions to bastions, host keys, jump hosts, and streams over channels, as a way out for `egress`.
//!
//! A request goes over a `direct-tcpip` channel (RFC 4254, section 7.2) straight from the HTTP client: there is no
//! listening port, no key file and no `ssh` process. Each source has a session of its own, which connects when it is
//! needed, stays while it is used, and comes back by itself. The first server's address is checked by `egress`; what
//! lies behind the last one is resolved there, so a tunnel leads only to the places its owner listed.
//!
//! Never signs in at a server whose host key neither its owner confirmed nor the operator's `known_hosts` holds,
//! never decides who may use a tunnel, and never writes a key anywhere: its text stays in memory for the next
//! sign-in, as read it is dropped after each. A new way to sign in is an arm in `sign_in.rs`.

mod back_off;
mod error;
mod guard;
mod hops;
mod key;
mod known_hosts;
mod live;
mod prompt;
mod sign_in;
mod stream;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::sync::Semaphore;

use crate::{
    clock::{Clock, Ms},
    egress::Egress,
    model::{Destination, Hop, SourceId, TunnelId},
    secret::Secret,
};

pub use error::TunnelError;
pub use hops::{HopStep, HopTrace};
pub use key::{KeyError, KeyPair, certificate_for};
pub use known_hosts::{KnownHost, KnownHosts, KnownHostsError};
pub use live::LiveTunnel;

/// The bounds of tunnels.
#[derive(Clone, Debug)]
pub struct TunnelLimits {
    /// How long shaking hands with one server, and again how long signing in there, may take.
    pub handshake_timeout: Duration,
    /// How long opening a channel may take.
    pub channel_timeout: Duration,
    /// How long a silent server is left alone before it is asked whether it is there.
    pub keepalive_interval: Duration,
    /// How often it may leave that unanswered before the session is given up.
    pub keepalive_max: usize,
    /// How many channels one session has at once; further requests wait for one.
    pub channels_max: usize,
    /// How many packets, of at most 32 KiB each, are always read ahead of a slow reader.
    pub read_ahead_packets: usize,
    /// How many bytes beyond those are read ahead of one slow reader: the largest answer, with what travels around it.
    pub read_ahead_bytes: usize,
    /// How many bytes beyond those are read ahead of all slow readers of all tunnels together.
    pub read_ahead_bytes_total: usize,
    /// How long a reader may take nothing when there is no room for more. Its stream ends then, because the packets
    /// behind it belong to other streams of the session.
    pub stall_timeout: Duration,
    /// How long a session may be without a channel before it is ended.
    pub idle: Duration,
    /// The first wait before a server that could not be reached is tried again; doubled each time.
    pub pause: Duration,
    /// The longest such wait.
    pub pause_max: Duration,
    /// How many bytes go one way before the session agrees on new keys; at most 1 GiB (RFC 4253, section 9).
    pub rekey_bytes: usize,
    /// Whether somebody may sign in with a password.
    pub passwords: bool,
    /// What the operator knows of host keys.
    pub known_hosts: KnownHosts,
}

impl Default for TunnelLimits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(10),
            channel_timeout: Duration::from_secs(10),
            keepalive_interval: Duration::from_secs(15),
            keepalive_max: 2,
            channels_max: 256,
            read_ahead_packets: 64,
            read_ahead_bytes: Self::ahead_of(16 << 20),
            read_ahead_bytes_total: 128 << 20,
            stall_timeout: Duration::from_secs(1),
            idle: Duration::from_secs(10 * 60),
            pause: Duration::from_secs(1),
            pause_max: Duration::from_secs(60),
            rekey_bytes: 1 << 30,
            passwords: false,
            known_hosts: KnownHosts::default(),
        }
    }
}

impl TunnelLimits {
    /// Returns how many bytes are read ahead of a reader of answers of at most this many bytes: as many, and what TLS
    /// and the framing of HTTP add.
    pub fn ahead_of(answer_bytes_max: usize) -> usize {
        const AROUND_BYTES: usize = 1 << 20;
        answer_bytes_max.saturating_add(answer_bytes_max / 16).saturating_add(AROUND_BYTES)
    }
}

/// Everything needed to open a tunnel.
#[derive(Clone, Debug)]
pub struct TunnelTarget {
    /// The tunnel.
    pub id: TunnelId,
    /// Counts its edits; a session is made anew when it differs.
    pub version: i64,
    /// The servers, the first of which is connected to from here, each with what is secret of it.
    pub hops: Vec<(Hop, HopSecret)>,
    /// The only places it leads to.
    pub destinations: Vec<Destination>,
}

/// What somebody signs in with at one server.
#[derive(Clone, Debug)]
pub enum HopSecret {
    /// A key pair.
    Key {
        /// The private half, in the form of OpenSSH, PEM (PKCS#1) or PKCS#8.
        private: Secret,
        /// What it is encrypted with; `None` if it is not.
        passphrase: Option<Secret>,
        /// A certificate for it, as a line of OpenSSH; `None` if the key speaks for itself.
        certificate: Option<String>,
    },
    /// A password.
    Password(Secret),
}

/// What the owner of a tunnel may know of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelStatus {
    /// The source it is for.
    pub source: SourceId,
    /// Since when it is connected; `None` while it is not.
    pub up_since: Option<Ms>,
    /// How often it was connected again.
    pub reconnects: u64,
    /// How many channels are open.
    pub channels: usize,
    /// How many bytes came through it.
    pub bytes_in: u64,
    /// How many bytes went through it.
    pub bytes_out: u64,
    /// How long the servers took to answer when it was last connected; `None` before that.
    pub round_trip: Option<Duration>,
    /// Why it last failed; `None` if it has not since it was last connected.
    pub last_error: Option<String>,
}

/// Every live tunnel; cheap to clone.
#[derive(Clone)]
pub struct Tunnels(Arc<Inner>);

struct Inner {
    egress: Egress,
    clock: Clock,
    limits: Arc<TunnelLimits>,
    /// A permit for each byte that may be read ahead.
    ahead: Arc<Semaphore>,
    /// One for each source; held by the source's links.
    live: Mutex<HashMap<SourceId, Weak<LiveTunnel>>>,
}

impl Tunnels {
    /// Makes an empty set of tunnels whose first servers are reached through this door.
    pub fn new(egress: Egress, clock: Clock, limits: TunnelLimits) -> Self {
        let ahead = Arc::new(Semaphore::new(limits.read_ahead_bytes_total.min(Semaphore::MAX_PERMITS)));
        Self(Arc::new(Inner { egress, clock, limits: Arc::new(limits), ahead, live: Mutex::default() }))
    }

    /// Returns the bounds.
    pub fn limits(&self) -> &TunnelLimits {
        &self.0.limits
    }

    /// Returns the tunnel of a source, the same one until the target's version changes. Connects to nothing; the
    /// first request does.
    pub fn for_source(&self, source: SourceId, target: &Arc<TunnelTarget>) -> Arc<LiveTunnel> {
        let mut live = self.live();
        if let Some(tunnel) = live.get(&source).and_then(Weak::upgrade)
            && tunnel.is_for(target)
        {
            return tunnel;
        }
        live.retain(|_, tunnel| tunnel.strong_count() > 0);
        let tunnel = Arc::new(self.fresh(target));
        live.insert(source, Arc::downgrade(&tunnel));
        tunnel
    }

    /// Returns a tunnel of its own, which nobody else uses and nobody is told of.
    pub fn fresh(&self, target: &Arc<TunnelTarget>) -> LiveTunnel {
        LiveTunnel::new(&self.0.egress, &self.0.clock, &self.0.limits, &self.0.ahead, target)
    }

    /// Returns what the sessions of a tunnel are doing, by source.
    pub fn status(&self, id: TunnelId) -> Vec<TunnelStatus> {
        let mut found: Vec<_> = self
            .all()
            .into_iter()
            .filter(|(_, tunnel)| tunnel.id() == id)
            .map(|(source, tunnel)| tunnel.status(source))
            .collect();
        found.sort_by_key(|status| status.source);
        found
    }

    /// Ends sessions that have not been used for a while; called by a background job.
    pub fn end_idle(&self) {
        for (_, tunnel) in self.all() {
            tunnel.end_if_idle();
        }
    }

    /// Ends every session in order.
    pub async fn shutdown(&self) {
        let all = self.all();
        futures::future::join_all(all.iter().map(|(_, tunnel)| tunnel.close())).await;
    }

    fn all(&self) -> Vec<(SourceId, Arc<LiveTunnel>)> {
        self.live().iter().filter_map(|(source, tunnel)| Some((*source, tunnel.upgrade()?))).collect()
    }

    fn live(&self) -> MutexGuard<'_, HashMap<SourceId, Weak<LiveTunnel>>> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tunnels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tunnels").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

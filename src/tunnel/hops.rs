//! Passing the servers of a tunnel one after the other, each step with its time and its exact failure.

use std::{sync::Arc, time::Duration};

use russh::{
    ChannelOpenFailure, Disconnect, Preferred,
    client::{self, Handle},
    keys::Algorithm,
};
use tokio::time::Instant;

use crate::{
    clock::Ms,
    egress::{ByteStream, Egress},
    model::{Fingerprint, Hop},
    tunnel::{
        TunnelError, TunnelLimits, TunnelTarget, error,
        guard::{Ended, Guard},
        prompt::Prompt,
        sign_in,
    },
};

/// How long a server is given to take note that its session ends.
const GOODBYE: Duration = Duration::from_millis(500);

/// What passing the servers found, step by step. Steps after a failed one are missing.
#[derive(Clone, Debug, Default)]
pub struct HopTrace {
    /// Each step that was tried, in order.
    pub steps: Vec<HopStep>,
}

/// One step.
#[derive(Clone, Debug)]
pub struct HopStep {
    /// Which server it is about, from zero.
    pub hop: usize,
    /// What was tried, for people.
    pub name: String,
    /// What was found.
    pub outcome: Result<String, TunnelError>,
    /// How long it took.
    pub elapsed: Duration,
}

impl HopTrace {
    /// Returns why the step that failed did.
    pub fn error(&self) -> Option<&TunnelError> {
        self.steps.iter().find_map(|step| step.outcome.as_ref().err())
    }

    /// Returns the host key that somebody has to look at: which server shows it, and whether it is another one than
    /// was confirmed; `None` if every server that was reached shows the confirmed one.
    pub fn host_key(&self) -> Option<(usize, &Fingerprint, Option<&Fingerprint>)> {
        self.steps.iter().find_map(|step| match &step.outcome {
            Err(TunnelError::Unconfirmed { shown, .. }) => Some((step.hop, shown, None)),
            Err(TunnelError::HostKeyChanged { shown, confirmed, .. }) => {
                Some((step.hop, shown, Some(confirmed)))
            }
            _ => None,
        })
    }

    fn note<T>(
        &mut self,
        hop: usize,
        name: String,
        begun: Instant,
        outcome: Result<T, TunnelError>,
        found: impl FnOnce(&T) -> String,
    ) -> Result<T, TunnelError> {
        let noted = outcome.as_ref().map(found).map_err(Clone::clone);
        self.steps.push(HopStep { hop, name, outcome: noted, elapsed: begun.elapsed() });
        outcome
    }
}

/// The sessions with every server of a tunnel; channels are opened at the last.
pub(super) struct Session {
    handles: Vec<Handle<Guard>>,
    last: String,
    /// How long the last server took to answer over all the others.
    pub(super) round_trip: Duration,
}

impl Session {
    /// Passes every server. With `asks`, also asks each which methods it offers before signing in.
    pub(super) async fn connect(
        egress: &Egress,
        target: &TunnelTarget,
        limits: &TunnelLimits,
        now: Ms,
        asks: bool,
        trace: &mut HopTrace,
    ) -> Result<Self, TunnelError> {
        let mut handles: Vec<Handle<Guard>> = Vec::with_capacity(target.hops.len());
        let mut last = String::new();
        for (index, (hop, secret)) in target.hops.iter().enumerate() {
            let host = hop.address();
            let stream: Box<dyn ByteStream> = match handles.last() {
                None => Box::new(Prompt(reach(egress, hop, trace).await?)),
                Some(via) => {
                    let begun = Instant::now();
                    let opened = open(via, &last, &hop.host, hop.port, limits).await;
                    let name = format!("Channel to {host}");
                    let channel = trace
                        .note(index, name, begun, opened, |_| format!("{last} is connected to {host}"))?;
                    Box::new(channel.into_stream())
                }
            };

            let begun = Instant::now();
            let guard = Guard::of(hop, &limits.known_hosts, now);
            let passed = guard.passed();
            let shaking = client::connect_stream(Arc::new(config(hop, limits)), stream, guard);
            let shaken = within(limits.handshake_timeout, &host, "finish the SSH handshake", shaking).await;
            let mut handle = trace.note(index, format!("Host key of {host}"), begun, shaken, |_| {
                passed.get().cloned().unwrap_or_default()
            })?;

            let begun = Instant::now();
            let signing = async {
                let offered = match asks {
                    true => Some(sign_in::offered(&mut handle, hop).await?),
                    false => None,
                };
                Ok((sign_in::sign_in(&mut handle, hop, secret, limits).await?, offered))
            };
            let signed = match tokio::time::timeout(limits.handshake_timeout, signing).await {
                Ok(signed) => signed,
                Err(_) => Err(timed_out(&host, "finish the sign-in", limits.handshake_timeout)),
            };
            trace.note(
                index,
                format!("Sign in at {host}"),
                begun,
                signed,
                |(done, offered)| match offered {
                    Some(offered) => format!("{done}; the server offers: {offered}"),
                    None => done.clone(),
                },
            )?;
            last = host;
            handles.push(handle);
        }
        let begun = Instant::now();
        let mut session = Self { handles, last, round_trip: Duration::ZERO };
        if !session.answers(limits.handshake_timeout).await {
            return Err(timed_out(&session.last, "answer", limits.handshake_timeout));
        }
        session.round_trip = begun.elapsed();
        Ok(session)
    }

    /// Opens a channel from the last server to a place.
    pub(super) async fn open(
        &self,
        host: &str,
        port: u16,
        limits: &TunnelLimits,
    ) -> Result<russh::Channel<client::Msg>, TunnelError> {
        let Some(handle) = self.handles.last() else {
            return Err(TunnelError::Protocol {
                host: host.to_owned(),
                detail: "it has no server".to_owned(),
            });
        };
        open(handle, &self.last, host, port, limits).await
    }

    /// Says whether some session on the way has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.handles.iter().any(Handle::is_closed)
    }

    /// Says whether the last server answers.
    pub(super) async fn answers(&self, patience: Duration) -> bool {
        match self.handles.last() {
            Some(handle) => matches!(tokio::time::timeout(patience, handle.send_ping()).await, Ok(Ok(()))),
            None => false,
        }
    }

    /// Ends the sessions in order, the last server first.
    pub(super) async fn end(&self) {
        for handle in self.handles.iter().rev() {
            let goodbye = handle.disconnect(Disconnect::ByApplication, "", "");
            let _ = tokio::time::timeout(GOODBYE, goodbye).await;
        }
    }
}

async fn reach(
    egress: &Egress,
    hop: &Hop,
    trace: &mut HopTrace,
) -> Result<tokio::net::TcpStream, TunnelError> {
    let begun = Instant::now();
    let found = egress.find(&hop.host, hop.port).await.map_err(TunnelError::Way);
    let found = trace.note(0, format!("Resolve {}", hop.host), begun, found, |found| {
        let addresses: Vec<String> = found.addresses().iter().map(ToString::to_string).collect();
        format!("{} is at {}", hop.host, addresses.join(", "))
    })?;
    let begun = Instant::now();
    let stream = egress.dial(&found).await.map_err(TunnelError::Way);
    trace.note(0, format!("Connect to {}", hop.address()), begun, stream, |stream| {
        let peer = stream.peer_addr().map(|peer| peer.to_string());
        format!("connected to {}", peer.unwrap_or_else(|_| hop.address()))
    })
}

async fn open(
    handle: &Handle<Guard>,
    via: &str,
    host: &str,
    port: u16,
    limits: &TunnelLimits,
) -> Result<russh::Channel<client::Msg>, TunnelError> {
    // Nobody listens here, so there is nobody whose address could be told.
    let opening = handle.channel_open_direct_tcpip(host, u32::from(port), "127.0.0.1", 0);
    let place = crate::model::Destination::written(host, port);
    match tokio::time::timeout(limits.channel_timeout, opening).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(russh::Error::ChannelOpenFailure(failure))) => {
            Err(TunnelError::Forward { via: via.to_owned(), host: place, reason: reason(&failure) })
        }
        Ok(Err(error)) => Err(TunnelError::Protocol { host: via.to_owned(), detail: error::words(&error) }),
        Err(_) => Err(TunnelError::Forward {
            via: via.to_owned(),
            host: place,
            reason: format!("nothing happened within {} s", limits.channel_timeout.as_secs_f64()),
        }),
    }
}

fn reason(failure: &ChannelOpenFailure) -> String {
    match failure {
        ChannelOpenFailure::AdministrativelyProhibited => {
            "its configuration forbids it (`AllowTcpForwarding`, `PermitOpen` or the key's `restrict`)".to_owned()
        }
        ChannelOpenFailure::ConnectFailed => {
            "it could not connect there: the name is unknown to it, nothing listens on the port, or a firewall \
             says no"
                .to_owned()
        }
        ChannelOpenFailure::UnknownChannelType => "it forwards nothing at all".to_owned(),
        ChannelOpenFailure::ResourceShortage => "it has too much to do".to_owned(),
        ChannelOpenFailure::Other { code, reason } => format!("{reason} (code {code})"),
    }
}

async fn within<T>(
    patience: Duration,
    host: &str,
    step: &'static str,
    work: impl Future<Output = Result<T, Ended>>,
) -> Result<T, TunnelError> {
    match tokio::time::timeout(patience, work).await {
        Ok(done) => done.map_err(|ended| ended.at(host)),
        Err(_) => Err(timed_out(host, step, patience)),
    }
}

fn timed_out(host: &str, step: &'static str, after: Duration) -> TunnelError {
    TunnelError::Timeout { host: host.to_owned(), step, after }
}

fn config(hop: &Hop, limits: &TunnelLimits) -> client::Config {
    const HOUR: Duration = Duration::from_secs(3600);
    let (known, mut preferred) = (&limits.known_hosts, Preferred::default());
    if known.has_authority(&hop.host, hop.port) {
        preferred.host_key_certificates = preferred.key.clone();
    }
    // A server has keys of several kinds, and shows one of a kind it is known by if it is asked for it first.
    let kinds = known.algorithms(&hop.host, hop.port);
    let is_known = |kind: &Algorithm| kinds.iter().any(|known| is_same_kind(known, kind));
    preferred.key.to_mut().sort_by_key(|kind| !is_known(kind));
    client::Config {
        limits: russh::Limits::new(limits.rekey_bytes, limits.rekey_bytes, HOUR),
        channel_buffer_size: limits.read_ahead_packets,
        keepalive_interval: Some(limits.keepalive_interval),
        keepalive_max: limits.keepalive_max,
        preferred,
        nodelay: true,
        ..client::Config::default()
    }
}

/// Says whether keys of both kinds are the same; one RSA key signs with several hashes.
fn is_same_kind(one: &Algorithm, other: &Algorithm) -> bool {
    one == other || matches!((one, other), (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }))
}

//! One tunnel in use: connects when it is needed, once for all who wait, and comes back by itself.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwapOption;
use tokio::sync::Semaphore;

use crate::{
    clock::{Clock, Ms},
    egress::{Egress, EgressError, Opening, Route, RouteStream},
    model::{Destination, SourceId, TunnelId},
    tunnel::{
        HopTrace, TunnelError, TunnelLimits, TunnelStatus, TunnelTarget,
        back_off::BackOff,
        hops::Session,
        stream::{ChannelStream, Traffic},
    },
};

/// A tunnel of one source.
pub struct LiveTunnel {
    egress: Egress,
    clock: Clock,
    limits: Arc<TunnelLimits>,
    target: Arc<TunnelTarget>,
    current: ArcSwapOption<Session>,
    /// Held by whoever connects, so that many requests at once make one session.
    connecting: tokio::sync::Mutex<BackOff>,
    /// One permit for each channel that may be open.
    slots: Arc<Semaphore>,
    /// A permit for each byte that all tunnels together may read ahead.
    ahead: Arc<Semaphore>,
    traffic: Arc<Traffic>,
    /// When it was last connected; zero before that.
    since: AtomicI64,
    connects: AtomicU64,
    trouble: Mutex<Option<TunnelError>>,
}

impl LiveTunnel {
    pub(super) fn new(
        egress: &Egress,
        clock: &Clock,
        limits: &Arc<TunnelLimits>,
        ahead: &Arc<Semaphore>,
        target: &Arc<TunnelTarget>,
    ) -> Self {
        Self {
            egress: egress.clone(),
            clock: clock.clone(),
            limits: Arc::clone(limits),
            target: Arc::clone(target),
            current: ArcSwapOption::empty(),
            connecting: tokio::sync::Mutex::default(),
            slots: Arc::new(Semaphore::new(limits.channels_max)),
            ahead: Arc::clone(ahead),
            traffic: Arc::default(),
            since: AtomicI64::new(0),
            connects: AtomicU64::new(0),
            trouble: Mutex::default(),
        }
    }

    /// Names the tunnel.
    pub fn id(&self) -> TunnelId {
        self.target.id
    }

    pub(super) fn is_for(&self, target: &TunnelTarget) -> bool {
        self.target.id == target.id && self.target.version == target.version
    }

    /// Connects anew, whatever there is, and reports each step; what it makes is used from then on.
    pub async fn trace(&self) -> HopTrace {
        let mut trace = HopTrace::default();
        let connected =
            Session::connect(&self.egress, &self.target, &self.limits, self.clock.now(), true, &mut trace)
                .await;
        if let Ok(session) = connected {
            self.keep(session);
        }
        trace
    }

    /// Opens a channel to a listed place.
    pub async fn open_channel(&self, host: &str, port: u16) -> Result<RouteStream, TunnelError> {
        let place = || Destination::written(host, port);
        if !self.target.destinations.iter().any(|listed| listed.is(host, port)) {
            return Err(EgressError::NotListed { host: place() }.into());
        }
        let waiting =
            tokio::time::timeout(self.limits.channel_timeout, Arc::clone(&self.slots).acquire_owned());
        let Ok(Ok(permit)) = waiting.await else {
            let reason = format!("{} requests are under way", self.limits.channels_max);
            return Err(TunnelError::Forward { via: "this tunnel".to_owned(), host: place(), reason });
        };
        let session = self.session().await?;
        let channel = match session.open(host, port, &self.limits).await {
            Ok(channel) => channel,
            Err(error) if !self.is_lost(&session, &error).await => return Err(error),
            // Nothing of the request was sent, so it can go over another session.
            Err(_) => self.session().await?.open(host, port, &self.limits).await?,
        };
        let stream =
            ChannelStream::new(channel, permit, &self.limits, &self.ahead, &self.traffic, &self.clock);
        Ok(Box::new(stream))
    }

    /// Says whether a channel could not be opened because the session is no good any more, and forgets it then.
    async fn is_lost(&self, session: &Arc<Session>, error: &TunnelError) -> bool {
        // A server that says no is well; one that is silent may be gone.
        let is_well = match error {
            TunnelError::Forward { .. } => {
                !session.is_closed() && session.answers(self.limits.channel_timeout).await
            }
            _ => !session.is_closed(),
        };
        if is_well {
            return false;
        }
        let current = self.current.load();
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, session)) {
            self.current.compare_and_swap(&*current, None);
        }
        true
    }

    async fn session(&self) -> Result<Arc<Session>, TunnelError> {
        if let Some(session) = self.usable() {
            return Ok(session);
        }
        let mut back_off = self.connecting.lock().await;
        if let Some(session) = self.usable() {
            return Ok(session);
        }
        if let Some(after) = back_off.waits(self.clock.now())
            && let Some(last) = self.last_error()
        {
            return Err(TunnelError::Paused { last, after });
        }
        let mut trace = HopTrace::default();
        match Session::connect(&self.egress, &self.target, &self.limits, self.clock.now(), false, &mut trace)
            .await
        {
            Ok(session) => {
                back_off.worked();
                Ok(self.keep(session))
            }
            Err(error) => {
                let mut random = [0];
                // Without randomness everybody waits the longest.
                let random = getrandom::fill(&mut random).map_or(u8::MAX, |()| random[0]);
                back_off.failed(self.clock.now(), self.limits.pause, self.limits.pause_max, random);
                tracing::warn!(tunnel.id = %self.target.id, %error, "a tunnel could not be connected");
                *self.trouble() = Some(error.clone());
                Err(error)
            }
        }
    }

    fn usable(&self) -> Option<Arc<Session>> {
        self.current.load_full().filter(|session| !session.is_closed())
    }

    fn keep(&self, session: Session) -> Arc<Session> {
        let session = Arc::new(session);
        *self.trouble() = None;
        let now = self.clock.now();
        self.since.store(now.0, Ordering::Relaxed);
        self.traffic.used.store(now.0, Ordering::Relaxed);
        self.connects.fetch_add(1, Ordering::Relaxed);
        if let Some(before) = self.current.swap(Some(Arc::clone(&session))) {
            in_background(before);
        }
        session
    }

    fn trouble(&self) -> std::sync::MutexGuard<'_, Option<TunnelError>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last_error(&self) -> Option<String> {
        self.trouble().as_ref().map(ToString::to_string)
    }

    /// Returns what it is doing for a source.
    pub fn status(&self, source: SourceId) -> TunnelStatus {
        let session = self.usable();
        TunnelStatus {
            source,
            up_since: session.as_ref().map(|_| Ms(self.since.load(Ordering::Relaxed))),
            reconnects: self.connects.load(Ordering::Relaxed).saturating_sub(1),
            channels: self.traffic.channels.load(Ordering::Relaxed),
            bytes_in: self.traffic.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.traffic.bytes_out.load(Ordering::Relaxed),
            round_trip: session.map(|session| session.round_trip),
            last_error: self.last_error(),
        }
    }

    pub(super) fn end_if_idle(&self) {
        let is_idle = self.traffic.channels.load(Ordering::Relaxed) == 0
            && self.clock.now().since(Ms(self.traffic.used.load(Ordering::Relaxed))) >= self.limits.idle;
        if is_idle && let Some(session) = self.current.swap(None) {
            in_background(session);
        }
    }

    /// Ends the session in order. A further request connects again.
    pub async fn close(&self) {
        if let Some(session) = self.current.swap(None) {
            session.end().await;
        }
    }
}

fn in_background(session: Arc<Session>) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(async move { session.end().await });
    }
}

impl Drop for LiveTunnel {
    fn drop(&mut self) {
        if let Some(session) = self.current.swap(None) {
            in_background(session);
        }
    }
}

impl Route for LiveTunnel {
    fn open<'a>(&'a self, host: &'a str, port: u16) -> Opening<'a> {
        Box::pin(async move {
            self.open_channel(host, port).await.map_err(|error| match error {
                TunnelError::Way(error) => error,
                error => {
                    EgressError::Tunnel { host: Destination::written(host, port), detail: error.to_string() }
                }
            })
        })
    }
}

impl fmt::Debug for LiveTunnel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LiveTunnel").field("id", &self.target.id).finish_non_exhaustive()
    }
}

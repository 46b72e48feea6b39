//! Streamable HTTP, both eras: one request per call over pooled connections, and a stream beside
//! them only while somebody wants to hear of changes.

mod aside;
mod credential;
mod listen;
mod post;
mod session;
mod stream;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::{ArcSwap, ArcSwapOption};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use tokio::time::Instant;
use url::Url;

use super::{
    Answer, Call, Event, LinkState, LinkStatus, Offer, QuestionId, ReplyBody, Target, UpstreamError,
    UpstreamLimits, breaker::Breaker, era, watch::Hub, wire,
};
use crate::{
    clock::{Clock, Ms},
    egress::Egress,
    mcp::headers,
    model::{Era, EraSetting, EraVerdict},
};

use post::{Posted, Question};
use session::Session;
pub(super) use stream::HttpStream;

/// One source at one address.
pub(super) struct HttpLink {
    egress: Egress,
    limits: Arc<UpstreamLimits>,
    clock: Clock,
    /// Where requests go: the source's address, or where it redirects to within its origin.
    address: ArcSwap<Uri>,
    /// What every request carries, the credential included; an error if that cannot be written.
    headers: Result<HeaderMap, UpstreamError>,
    setting: EraSetting,
    /// What an earlier probe found; believed until the first contact says otherwise.
    known: Mutex<Option<EraVerdict>>,
    /// The terms that requests are sent on; `None` before the first contact.
    session: ArcSwapOption<Session>,
    /// Held by the one who shakes hands.
    handshake: tokio::sync::Mutex<()>,
    breaker: Breaker,
    ids: AtomicU64,
    /// What the source has said of itself; `None` before it was asked.
    offered: ArcSwapOption<Offer>,
    /// Who wants to hear of changes.
    hub: Arc<Hub>,
    since: Mutex<Ms>,
}

impl HttpLink {
    pub(super) fn new(
        egress: &Egress,
        clock: &Clock,
        limits: &Arc<UpstreamLimits>,
        url: &Url,
        target: &Target,
    ) -> Arc<Self> {
        let address: Result<Uri, UpstreamError> = egress
            .check_url(url)
            .map_err(UpstreamError::from)
            .and_then(|()| url.as_str().parse().map_err(|_| unusable("its address cannot be read")));
        let headers = match &address {
            Ok(_) => credential::headers(&target.credential.auth),
            Err(error) => Err(error.clone()),
        };
        Arc::new(Self {
            egress: egress.with_own_pool(),
            limits: Arc::clone(limits),
            clock: clock.clone(),
            address: ArcSwap::from_pointee(address.unwrap_or_default()),
            headers,
            setting: target.era,
            known: Mutex::new(target.verdict.clone()),
            session: ArcSwapOption::empty(),
            handshake: tokio::sync::Mutex::default(),
            breaker: Breaker::new(limits.breaker_failures, limits.breaker_pause),
            ids: AtomicU64::new(1),
            offered: ArcSwapOption::empty(),
            hub: Hub::new(),
            since: Mutex::new(clock.now()),
        })
    }

    /// Sends one call. When the source turns out not to know the session, or the era, on which the
    /// call was sent, nothing was done there: the terms are made anew and the call is sent again,
    /// once.
    pub(super) async fn call(self: &Arc<Self>, call: &Call) -> Result<Answer, UpstreamError> {
        let deadline = Instant::now() + call.timeout;
        if let Some(detail) = self.breaker.refuses(self.clock.now()) {
            return Err(UpstreamError::Unreachable { detail });
        }
        let session = self.session(deadline).await?;
        let posted = self.post_call(&session, call, deadline).await?;
        if !posted.shows_lost(&session, self.setting) {
            return posted.into_answer();
        }
        let session = self.renew(&session, deadline).await?;
        Box::pin(self.post_call(&session, call, deadline)).await?.into_answer()
    }

    async fn post_call(
        self: &Arc<Self>,
        session: &Arc<Session>,
        call: &Call,
        deadline: Instant,
    ) -> Result<Posted, UpstreamError> {
        let id = self.next_id();
        let envelope = wire::Envelope {
            id,
            revision: session.revision,
            progress: call.progress,
            log_level: call.log_level,
            capabilities: Some(&call.capabilities).filter(|capabilities| !capabilities.is_empty()),
        };
        let question = Question {
            id,
            body: wire::request(envelope, call.method, &call.params),
            method: call.method,
            name: call.name.as_deref(),
            param_headers: &call.param_headers,
            progress: call.progress,
            asks: Some(&call.capabilities).filter(|capabilities| capabilities.can_be_asked()),
            deadline,
            timeout: call.timeout,
        };
        self.post(session, question).await
    }

    /// Returns what is known of the source's era.
    pub(super) fn verdict(&self) -> Option<EraVerdict> {
        match self.session.load_full() {
            Some(session) => Some(session.verdict.clone()),
            None => self.lock_known().clone(),
        }
    }

    pub(super) fn status(&self) -> LinkStatus {
        let trouble = self.breaker.trouble(self.clock.now());
        let state = match &trouble {
            Some((_, true)) => LinkState::Paused,
            _ if self.session.load().is_some() => LinkState::Up,
            _ => LinkState::Idle,
        };
        LinkStatus {
            state,
            since: *self.since.lock().unwrap_or_else(PoisonError::into_inner),
            restarts: 0,
            pid: None,
            stderr: Vec::new(),
            last_error: trouble.map(|(error, _)| error),
        }
    }

    /// Finds out the era, and opens a session where there are sessions.
    pub(super) async fn open(self: &Arc<Self>, deadline: Instant) -> Result<(), UpstreamError> {
        self.session(deadline).await.map(drop)
    }

    /// Returns what the source says of itself.
    pub(super) async fn offer(self: &Arc<Self>, deadline: Instant) -> Result<Arc<Offer>, UpstreamError> {
        let session = self.session(deadline).await?;
        if let Some(offer) = self.offered.load_full() {
            return Ok(offer);
        }
        // What an earlier probe found is believed without asking, so it has to be asked for now.
        if session.era() == Era::Modern {
            self.discover(deadline).await?;
        }
        Ok(self.offered.load_full().unwrap_or_default())
    }

    /// Says whether these are the terms that calls are sent on.
    fn is_current(&self, session: &Arc<Session>) -> bool {
        self.session.load().as_ref().is_some_and(|current| Arc::ptr_eq(current, session))
    }

    fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    fn lock_known(&self) -> std::sync::MutexGuard<'_, Option<EraVerdict>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unusable(detail: &str) -> UpstreamError {
    UpstreamError::Unreachable { detail: detail.to_owned() }
}

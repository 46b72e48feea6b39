//! Streamable HTTP, both eras: one request per call over pooled connections, and a stream beside
//! them only while somebody wants to hear of changes.

mod aside;
mod asked;
mod attend;
mod credential;
mod listen;
mod old;
mod post;
mod session;
mod slot;
mod stream;

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use arc_swap::{ArcSwap, ArcSwapOption};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use tokio::time::Instant;
use url::Url;

use super::{
    Answer, Call, Event, LinkState, LinkStatus, Offer, QuestionId, ReplyBody, Target, Tokens, UpstreamError,
    UpstreamLimits, breaker::Breaker, era, mux, parts::Parts, watch::Hub, wire,
};
use crate::{
    clock::{Clock, Ms},
    egress::Egress,
    mcp::{Capabilities, headers},
    model::{Era, EraSetting, EraVerdict},
};

pub(super) use asked::AskedStream;
use post::{Posted, Question};
use session::Session;
use slot::Slot;
pub(super) use stream::HttpStream;

/// One source at one address.
pub(super) struct HttpLink {
    /// Itself, for what goes on when nobody waits any more.
    me: Weak<Self>,
    egress: Egress,
    limits: Arc<UpstreamLimits>,
    clock: Clock,
    /// Where requests go: the source's address, or where it redirects to within its origin.
    address: ArcSwap<Uri>,
    /// What every request carries, the credential included; an error if that cannot be written.
    headers: Result<HeaderMap, UpstreamError>,
    /// Where every request gets its token, if somebody keeps one alive for it.
    tokens: Option<Arc<dyn Tokens>>,
    setting: EraSetting,
    /// What an earlier probe found; believed until the first contact says otherwise.
    known: Mutex<Option<EraVerdict>>,
    /// The terms of calls that declare nothing, and of all calls to a modern source.
    plain: Arc<Slot>,
    /// Those of other calls to a legacy source.
    others: Parts<Slot>,
    /// Set once the source was found to speak the first HTTP transport.
    speaks_old: AtomicBool,
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
        tokens: Option<Arc<dyn Tokens>>,
    ) -> Arc<Self> {
        let address: Result<Uri, UpstreamError> = egress
            .check_url(url)
            .map_err(UpstreamError::from)
            .and_then(|()| url.as_str().parse().map_err(|_| unusable("its address cannot be read")));
        let headers = match &address {
            Ok(_) => credential::headers(&target.credential.auth),
            Err(error) => Err(error.clone()),
        };
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            egress: egress.with_own_pool(),
            limits: Arc::clone(limits),
            clock: clock.clone(),
            address: ArcSwap::from_pointee(address.unwrap_or_default()),
            headers,
            tokens,
            setting: target.era,
            known: Mutex::new(target.verdict.clone()),
            plain: Slot::new(Capabilities::default(), false, clock.now()),
            others: Parts::new(limits.sessions_max),
            speaks_old: AtomicBool::new(false),
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
        let now = self.clock.now();
        if let Some(detail) = self.breaker.refuses(now) {
            return Err(UpstreamError::Unreachable { detail });
        }
        if !call.is_plain() {
            return Box::pin(self.call_apart(call, deadline)).await;
        }
        let session = self.session(&self.plain, deadline).await?;
        if session.has_id {
            self.plain.touch(now);
        }
        self.call_on(&self.plain, session, call, deadline).await
    }

    /// Sends a call whose caller declares something: to a modern source like any other, to a legacy
    /// one on a session for such calls.
    async fn call_apart(self: &Arc<Self>, call: &Call, deadline: Instant) -> Result<Answer, UpstreamError> {
        if let Some(session) = self.modern_terms() {
            return self.call_on(&self.plain, session, call, deadline).await;
        }
        let slot = self.slot(call)?;
        let session = self.session(&slot, deadline).await?;
        if session.era() == Era::Modern {
            return self.call_on(&self.plain, session, call, deadline).await;
        }
        self.call_asked(slot, session, call.clone(), deadline).await
    }

    /// Sends one call on these terms, and once more on new ones if the source does not know them.
    async fn call_on(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        session: Arc<Session>,
        call: &Call,
        deadline: Instant,
    ) -> Result<Answer, UpstreamError> {
        if let Some(level) = call.log_level
            && session.era() == Era::Legacy
        {
            Box::pin(self.lower_level(slot, &session, level, deadline)).await;
        }
        let posted = self.post_call(&session, call, deadline).await?;
        if !posted.shows_lost(&session, self.setting) {
            return posted.into_answer();
        }
        // A source that has left the modern era keeps apart what it did not have to before.
        let session = match session.era() {
            Era::Modern => self.renew(&self.slot(call)?, &session, deadline).await?,
            Era::Legacy => self.renew(slot, &session, deadline).await?,
        };
        Box::pin(self.post_call(&session, call, deadline)).await?.into_answer()
    }

    async fn post_call(
        self: &Arc<Self>,
        session: &Arc<Session>,
        call: &Call,
        deadline: Instant,
    ) -> Result<Posted, UpstreamError> {
        if let Some(connection) = &session.old {
            return Box::pin(post_old(connection, session, call, deadline)).await;
        }
        let declared = Some(&call.capabilities).filter(|capabilities| !capabilities.is_empty());
        let id = self.next_id();
        let envelope = wire::Envelope {
            id,
            revision: session.revision,
            progress: call.progress,
            log_level: call.log_level,
            capabilities: declared,
        };
        let question = Question {
            id,
            body: wire::request(envelope, call.method, &call.params),
            method: call.method,
            name: call.name.as_deref(),
            param_headers: &call.param_headers,
            progress: call.progress,
            asks: declared.filter(|capabilities| session.era() == Era::Legacy && capabilities.can_be_asked()),
            deadline,
            timeout: call.timeout,
        };
        self.post(session, question).await
    }

    /// Returns what is known of the source's era.
    pub(super) fn verdict(&self) -> Option<EraVerdict> {
        match self.plain.terms.load_full() {
            Some(session) => Some(session.verdict.clone()),
            None => self.lock_known().clone(),
        }
    }

    pub(super) fn status(&self) -> LinkStatus {
        let trouble = self.breaker.trouble(self.clock.now());
        let state = match &trouble {
            Some((_, true)) => LinkState::Paused,
            _ if self.plain.terms.load().is_some() || !self.others.all().is_empty() => LinkState::Up,
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
        self.session(&self.plain, deadline).await.map(drop)
    }

    /// Returns what the source says of itself.
    pub(super) async fn offer(self: &Arc<Self>, deadline: Instant) -> Result<Arc<Offer>, UpstreamError> {
        let session = self.session(&self.plain, deadline).await?;
        if let Some(offer) = self.offered.load_full() {
            return Ok(offer);
        }
        // What an earlier probe found is believed without asking, so it has to be asked for now.
        if session.era() == Era::Modern {
            self.discover(deadline).await?;
        }
        Ok(self.offered.load_full().unwrap_or_default())
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

/// Sends one call over the first HTTP transport.
async fn post_old(
    connection: &old::Old,
    session: &Session,
    call: &Call,
    deadline: Instant,
) -> Result<Posted, UpstreamError> {
    let question = mux::Question {
        params: &call.params,
        progress: call.progress,
        log_level: call.log_level,
        asks: call.capabilities.can_be_asked(),
        is_call: true,
        cancels: true,
        deadline,
        ..mux::Question::own(session.revision, call.method, call.timeout)
    };
    match mux::ask(&connection.mux, question).await {
        Err(error) if old::is_forgotten(&error) => Ok(Posted::forgotten()),
        answer => Ok(Posted::told(answer?)),
    }
}

//! Where the terms of calls are kept: one place for plain calls, and one for each part that a legacy
//! source has to keep apart.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU8, Ordering},
};

use arc_swap::ArcSwapOption;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Call, Era, HttpLink, Session, UpstreamError, asked::Desk};
use crate::{
    clock::Ms,
    mcp::{Capabilities, LogLevel},
    upstream::{in_background, parts::Part},
};

/// The place of one session.
pub(super) struct Slot {
    /// What the source is told that it may ask.
    pub(super) capabilities: Capabilities,
    /// Whether all its calls are of one principal, so that what names no call can be for it only.
    pub(super) is_of_one: bool,
    /// The terms that requests are sent on; `None` before the first contact.
    pub(super) terms: ArcSwapOption<Session>,
    /// Held by the one who shakes hands.
    pub(super) handshake: tokio::sync::Mutex<()>,
    /// The least severe log message that anybody asked for, as its place among all levels.
    pub(super) level: AtomicU8,
    /// The calls that questions outside their own streams can be for.
    pub(super) desk: Desk,
    /// When it was last used, as far as it has to be known.
    used: AtomicI64,
    /// Cancelled when the slot is gone.
    pub(super) ended: CancellationToken,
}

/// What is less severe than nothing: nobody asked for log messages.
pub(super) const NO_LEVEL: u8 = u8::MAX;

impl Slot {
    pub(super) fn new(capabilities: Capabilities, is_of_one: bool, now: Ms) -> Arc<Self> {
        Arc::new(Self {
            capabilities,
            is_of_one,
            terms: ArcSwapOption::empty(),
            handshake: tokio::sync::Mutex::default(),
            level: AtomicU8::new(NO_LEVEL),
            desk: Desk::default(),
            used: AtomicI64::new(now.0),
            ended: CancellationToken::new(),
        })
    }

    /// Says whether these are the terms that calls are sent on.
    pub(super) fn is_current(&self, session: &Arc<Session>) -> bool {
        self.terms.load().as_ref().is_some_and(|current| Arc::ptr_eq(current, session))
    }

    pub(super) fn touch(&self, now: Ms) {
        self.used.store(now.0, Ordering::Relaxed);
    }

    pub(super) fn used(&self) -> Ms {
        Ms(self.used.load(Ordering::Relaxed))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

impl HttpLink {
    /// Returns the place of a call's terms.
    pub(super) fn slot(&self, call: &Call) -> Result<Arc<Slot>, UpstreamError> {
        let Some(part) = call.part() else {
            return Ok(Arc::clone(&self.plain));
        };
        let now = self.clock.now();
        let make = |part: &Part| Slot::new(part.capabilities.clone(), part.is_of_one(), now);
        let (slot, evicted) = self.others.take(part, now, |_| true, make)?;
        if let Some(evicted) = evicted {
            self.end_soon(evicted);
        }
        Ok(slot)
    }

    /// Returns the terms that every call shares, if the source is known to be modern.
    pub(super) fn modern_terms(&self) -> Option<Arc<Session>> {
        let known = self.plain.terms.load_full()?;
        (known.era() == Era::Modern && !self.is_stale(&known.verdict)).then_some(known)
    }

    /// Ends sessions that have not been used for a while.
    pub(in crate::upstream) fn end_if_idle(&self) {
        let (now, after) = (self.clock.now(), self.limits.session_idle);
        for slot in self.others.take_idle(now, after, |_| true) {
            self.end_soon(slot);
        }
        let is_idle = now.since(self.plain.used()) >= after && !self.hub.is_watched();
        let has_id = self.plain.terms.load().as_ref().is_some_and(|session| session.has_id);
        if is_idle
            && has_id
            && let Some(session) = self.plain.terms.swap(None)
        {
            self.delete_soon(session);
        }
    }

    fn end_soon(&self, slot: Arc<Slot>) {
        if let Some(session) = slot.terms.swap(None) {
            self.delete_soon(session);
        }
    }

    fn delete_soon(&self, session: Arc<Session>) {
        session.over.cancel();
        if session.has_id
            && let Some(link) = self.me.upgrade()
        {
            in_background(async move { link.end_session(&session).await });
        }
    }

    /// Makes a legacy source send log messages of this level, too. Nobody is told when it refuses.
    pub(super) async fn lower_level(
        self: &Arc<Self>,
        slot: &Slot,
        session: &Arc<Session>,
        level: LogLevel,
        deadline: Instant,
    ) {
        let place = u8::try_from(level as usize).unwrap_or(NO_LEVEL);
        slot.level.fetch_min(place, Ordering::Relaxed);
        self.tell_level(slot, session, deadline).await;
    }

    /// Makes what a session was told about log messages what its slot remembers.
    pub(super) async fn tell_level(self: &Arc<Self>, slot: &Slot, session: &Arc<Session>, deadline: Instant) {
        let wanted = slot.level.load(Ordering::Relaxed);
        if session.era() == Era::Modern || session.level.fetch_min(wanted, Ordering::Relaxed) <= wanted {
            return;
        }
        let Some(level) = LogLevel::ALL.get(usize::from(wanted)) else { return };
        if !self.offered.load().as_ref().is_some_and(|offer| offer.abilities().logging) {
            return;
        }
        let params = format!(r#"{{"level":"{}"}}"#, level.as_str());
        let telling = self.ask_aside(session, "logging/setLevel", params.as_bytes());
        if !matches!(tokio::time::timeout_at(deadline, telling).await, Ok(Ok(true))) {
            tracing::debug!(level = level.as_str(), "a source could not be told a log level");
        }
    }
}

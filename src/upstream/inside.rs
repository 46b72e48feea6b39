//! A source that is no MCP server: something inside this program answers for it.
//!
//! The seam is a trait, so that this room knows no kind of such a source; `sources` brings them.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;

use super::{
    Answer, Call, LinkState, LinkStatus, Offer, Reply, ReplyBody, Target, UpstreamError, UpstreamLimits,
    Watch, WatchFilter, breaker::Breaker, watch::Hub,
};
use crate::{
    clock::{Clock, Ms},
    egress::Egress,
    mcp::Revision,
    model::{Era, EraVerdict},
};

/// Answers requests of the protocol in place of a source that does not speak it, in the shape of
/// revision 2026-07-28. Dropping what it returns ends what it does.
pub trait Inside: fmt::Debug + Send + Sync {
    /// Returns the parts of a test, for people, in their order. The first is the cheapest that shows
    /// whether the source can be used at all.
    fn checks(&self) -> &'static [&'static str];

    /// Does one part of a test and says what was found. That of the first part is what the source
    /// calls itself.
    fn check<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<String, UpstreamError>>;

    /// Answers one request. Its list of tools is an error while the source cannot be used, so that
    /// looking at it shows how it is.
    fn answer<'a>(
        &'a self,
        method: &'a str,
        params: &'a [u8],
    ) -> BoxFuture<'a, Result<ReplyBody, UpstreamError>>;
}

/// Opens what answers in place of sources.
pub trait Insides: fmt::Debug + Send + Sync {
    /// Returns what answers for a source and reaches it through this door; `None` if nothing does.
    fn open(&self, egress: &Egress, target: &Target) -> Option<Arc<dyn Inside>>;
}

/// A link to what is inside this program.
pub(super) struct InsideLink {
    /// `None` if this program knows nothing that answers for the source.
    inside: Option<Arc<dyn Inside>>,
    clock: Clock,
    breaker: Breaker,
    known: Mutex<Option<EraVerdict>>,
    hub: Arc<Hub>,
    since: Ms,
}

impl InsideLink {
    pub(super) fn new(
        egress: &Egress,
        clock: &Clock,
        limits: &UpstreamLimits,
        insides: Option<&dyn Insides>,
        target: &Target,
    ) -> Self {
        Self {
            inside: insides.and_then(|insides| insides.open(&egress.with_own_pool(), target)),
            clock: clock.clone(),
            breaker: Breaker::new(limits.breaker_failures, limits.breaker_pause),
            known: Mutex::new(target.verdict.clone()),
            hub: Hub::new(),
            since: clock.now(),
        }
    }

    pub(super) async fn call(&self, call: &Call) -> Result<Answer, UpstreamError> {
        let body = self.guarded(self.inside()?.answer(call.method, &call.params), call.timeout).await?;
        Ok(Answer::Complete(Reply { body, revision: Revision::LATEST }))
    }

    /// Finds out whether the source can be used.
    pub(super) async fn open(&self, timeout: Duration) -> Result<(), UpstreamError> {
        let inside = self.inside()?;
        let first = inside.checks().first().copied().unwrap_or_default();
        let server = self.guarded(inside.check(first), timeout).await?;
        let verdict = EraVerdict {
            era: Era::Modern,
            revision: Revision::LATEST.as_str().to_owned(),
            server,
            at: self.clock.now(),
        };
        *self.lock_known() = Some(verdict);
        Ok(())
    }

    /// Returns the parts of a test beyond that of opening.
    pub(super) fn further_checks(&self) -> &'static [&'static str] {
        self.inside.as_ref().map_or(&[], |inside| inside.checks().get(1..).unwrap_or_default())
    }

    pub(super) async fn check(&self, name: &str, timeout: Duration) -> Result<String, UpstreamError> {
        self.guarded(self.inside()?.check(name), timeout).await
    }

    pub(super) async fn offer(&self, timeout: Duration) -> Result<Arc<Offer>, UpstreamError> {
        let answer = self.guarded(self.inside()?.answer("server/discover", b"{}"), timeout).await?;
        Ok(Arc::new(Offer::read(&answer)))
    }

    /// Tells of nothing: what is inside this program changes with the program alone.
    pub(super) fn watch(&self, filter: WatchFilter) -> Watch {
        let (watch, _) = self.hub.add(filter);
        self.hub.opened(u64::MAX);
        watch
    }

    pub(super) fn end_watches(&self) {
        self.hub.end();
    }

    pub(super) fn verdict(&self) -> Option<EraVerdict> {
        self.lock_known().clone()
    }

    pub(super) fn status(&self) -> LinkStatus {
        let trouble = self.breaker.trouble(self.clock.now());
        let state = match &trouble {
            Some((_, true)) => LinkState::Paused,
            Some((_, false)) => LinkState::Idle,
            None => LinkState::Up,
        };
        LinkStatus {
            state,
            since: self.since,
            restarts: 0,
            pid: None,
            stderr: Vec::new(),
            last_error: trouble.map(|(error, _)| error),
        }
    }

    /// Does something within a time, and not at all while the source is known not to be reachable.
    async fn guarded<T>(
        &self,
        work: BoxFuture<'_, Result<T, UpstreamError>>,
        timeout: Duration,
    ) -> Result<T, UpstreamError> {
        if let Some(detail) = self.breaker.refuses(self.clock.now()) {
            return Err(UpstreamError::Unreachable { detail });
        }
        let late = UpstreamError::Timeout { after: timeout };
        let outcome = tokio::time::timeout(timeout, work).await.unwrap_or(Err(late));
        match &outcome {
            Err(UpstreamError::Unreachable { detail }) => self.breaker.failed(self.clock.now(), detail),
            // That it took too long says neither.
            Err(UpstreamError::Timeout { .. }) => {}
            Ok(_) | Err(_) => self.breaker.worked(),
        }
        outcome
    }

    fn inside(&self) -> Result<&Arc<dyn Inside>, UpstreamError> {
        let detail = || "this program knows nothing that answers for this kind of source".to_owned();
        self.inside.as_ref().ok_or_else(|| UpstreamError::Unreachable { detail: detail() })
    }

    fn lock_known(&self) -> std::sync::MutexGuard<'_, Option<EraVerdict>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The terms that requests to one source are sent on, and how they are found out.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Method, Uri};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Era, EraSetting, EraVerdict, HttpLink, UpstreamError, era, headers,
    old::Old,
    post::{Finished, Question, assemble},
    slot::{NO_LEVEL, Slot},
    wire,
};
use crate::mcp::{Revision, write};

/// What both sides agreed on: an era, a revision and, for legacy sources that want one, a session.
pub(super) struct Session {
    pub(super) revision: Revision,
    /// What every request on these terms carries.
    pub(super) headers: HeaderMap,
    pub(super) verdict: EraVerdict,
    /// Whether the source has given the session an id.
    pub(super) has_id: bool,
    /// The connection of a source that speaks the first HTTP transport.
    pub(super) old: Option<Old>,
    /// The log level that the source was told, as its place among all levels.
    pub(super) level: AtomicU8,
    /// Cancelled when the session is given up.
    pub(super) over: CancellationToken,
    /// When its stream of changes was last given up.
    pub(super) left: Mutex<Option<Instant>>,
}

/// Listening on the stream of a session, noted as over when it is dropped.
pub(super) struct ListensAlone(Arc<Session>);

impl Drop for ListensAlone {
    fn drop(&mut self) {
        *self.0.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

impl Session {
    pub(super) fn new(slot: &Slot, revision: Revision, carried: HeaderMap, verdict: EraVerdict) -> Self {
        Self {
            revision,
            has_id: carried.contains_key(headers::SESSION_ID),
            headers: carried,
            verdict,
            old: None,
            level: AtomicU8::new(NO_LEVEL),
            over: slot.ended.child_token(),
            left: Mutex::default(),
        }
    }

    /// Gives the source some time to notice that the stream before this one is gone: it may tell
    /// nothing on a second one beside it.
    pub(super) async fn listen_alone(self: &Arc<Self>, rest: Duration) -> ListensAlone {
        let left = *self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = left {
            tokio::time::sleep_until(left + rest).await;
        }
        ListensAlone(Arc::clone(self))
    }

    pub(super) fn era(&self) -> Era {
        self.revision.era()
    }

    /// Says whether requests can still be sent on these terms, as far as that shows here.
    fn is_open(&self) -> bool {
        self.old.as_ref().is_none_or(Old::is_open)
    }
}

impl HttpLink {
    /// Returns the terms of a slot, made now if there are none or if they are too old to be believed.
    pub(super) async fn session(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        deadline: Instant,
    ) -> Result<Arc<Session>, UpstreamError> {
        match slot.terms.load_full() {
            Some(session) if !self.is_stale(&session.verdict) && session.is_open() => Ok(session),
            // Boxed, as what is rarely needed would otherwise take its room in every call.
            _ => Box::pin(self.establish(slot, None, deadline)).await,
        }
    }

    /// Returns new terms in place of some that the source does not know. Of many callers who find
    /// that out at once, one makes them and all use them.
    pub(super) async fn renew(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        lost: &Arc<Session>,
        deadline: Instant,
    ) -> Result<Arc<Session>, UpstreamError> {
        Box::pin(self.establish(slot, Some(lost), deadline)).await
    }

    async fn establish(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        lost: Option<&Arc<Session>>,
        deadline: Instant,
    ) -> Result<Arc<Session>, UpstreamError> {
        let begun = Instant::now();
        let deadline = deadline.min(begun + self.limits.handshake_timeout);
        let late = |_| UpstreamError::Timeout { after: deadline.saturating_duration_since(begun) };
        let _turn = tokio::time::timeout_at(deadline, slot.handshake.lock()).await.map_err(late)?;
        let is_lost = |session: &Arc<Session>| lost.is_some_and(|lost| Arc::ptr_eq(lost, session));
        if let Some(current) = slot.terms.load_full()
            && !is_lost(&current)
            && !self.is_stale(&current.verdict)
            && current.is_open()
        {
            return Ok(current);
        }
        // Somebody else may have found out meanwhile that nothing needs to be kept apart.
        if let Some(modern) = self.modern_terms().filter(|modern| !is_lost(modern)) {
            return Ok(modern);
        }
        let session = Arc::new(self.shake_hands(slot, lost, deadline).await?);
        *self.lock_known() = Some(session.verdict.clone());
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = self.clock.now();
        // A modern source has one set of terms for everybody.
        let home = if session.era() == Era::Modern { &self.plain } else { slot };
        if let Some(replaced) = home.terms.swap(Some(Arc::clone(&session))) {
            replaced.over.cancel();
        }
        if session.era() == Era::Legacy
            && lost.is_some_and(|lost| self.plain.is_current(lost) && lost.era() == Era::Modern)
        {
            self.plain.terms.store(None);
        }
        self.hub.ring();
        self.tell_level(slot, &session, deadline).await;
        if session.era() == Era::Legacy && session.old.is_none() && slot.is_of_one {
            self.attend(slot, &session).await;
        }
        Ok(session)
    }

    async fn shake_hands(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        lost: Option<&Arc<Session>>,
        deadline: Instant,
    ) -> Result<Session, UpstreamError> {
        match self.setting {
            EraSetting::Legacy => return self.initialize(slot, deadline).await,
            EraSetting::Modern => {
                return self.discover(deadline).await?.ok_or_else(|| UpstreamError::NotMcp {
                    answer: "it does not answer `server/discover` as revision 2026-07-28 asks".to_owned(),
                });
            }
            EraSetting::Sse => {
                return self.initialize_old(slot, deadline).await?.ok_or_else(|| UpstreamError::NotMcp {
                    answer: "it opens no stream that says where messages are to be posted, as the \
                             transport of 2024-11-05 does"
                        .to_owned(),
                });
            }
            EraSetting::Auto => {}
        }
        let believed = self.lock_known().clone().filter(|verdict| !self.is_stale(verdict));
        match (believed.map(|verdict| (verdict.era, verdict)), lost) {
            // Modern sources keep nothing, so that there is nothing to ask.
            (Some((Era::Modern, verdict)), None) => self.modern(verdict),
            (Some((Era::Legacy, _)), _) => match self.initialize(slot, deadline).await {
                // The source may have left the legacy era since.
                Err(UpstreamError::Protocol { .. } | UpstreamError::NotMcp { .. }) => {
                    self.probe(slot, deadline).await
                }
                outcome => outcome,
            },
            (Some((Era::Modern, _)), Some(_)) | (None, _) => self.probe(slot, deadline).await,
        }
    }

    async fn probe(self: &Arc<Self>, slot: &Arc<Slot>, deadline: Instant) -> Result<Session, UpstreamError> {
        match self.discover(deadline).await? {
            Some(session) => Ok(session),
            None => self.initialize(slot, deadline).await,
        }
    }

    /// Asks as a modern client; `None` = the source is not modern.
    pub(super) async fn discover(
        self: &Arc<Self>,
        deadline: Instant,
    ) -> Result<Option<Session>, UpstreamError> {
        let session = Arc::new(self.modern(self.verdict_of(Revision::LATEST, String::new()))?);
        let finished = self.ask(&session, "server/discover", b"{}", deadline).await?;
        let Finished::Reply { body, .. } = finished else {
            return Ok(None);
        };
        let Some(speech) = era::discovered(&body) else {
            return Ok(None);
        };
        self.offered.store(Some(speech.offer));
        self.modern(self.verdict_of(speech.revision, speech.server)).map(Some)
    }

    /// Opens a session as a legacy client. A source that wants no message posted to its address may
    /// speak the first HTTP transport.
    async fn initialize(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        deadline: Instant,
    ) -> Result<Session, UpstreamError> {
        if self.speaks_old.load(Ordering::Relaxed)
            && let Some(session) = self.initialize_old(slot, deadline).await?
        {
            return Ok(session);
        }
        let verdict = self.verdict_of(Revision::LATEST_LEGACY, String::new());
        let opening = Arc::new(Session::new(slot, Revision::LATEST_LEGACY, self.headers.clone()?, verdict));
        let params = era::initialize(&slot.capabilities);
        let (session_id, body) = match self.ask(&opening, "initialize", params.as_bytes(), deadline).await? {
            Finished::Reply { session, body } => (session, body),
            Finished::Foreign { status, what } => {
                if status.is_client_error()
                    && let Some(session) = self.initialize_old(slot, deadline).await?
                {
                    return Ok(session);
                }
                return Err(UpstreamError::NotMcp { answer: what });
            }
        };
        let speech = era::initialized(&body)?;
        self.offered.store(Some(Arc::clone(&speech.offer)));
        let mut headers = self.headers.clone()?;
        headers.insert(headers::PROTOCOL_VERSION, HeaderValue::from_static(speech.revision.as_str()));
        if let Some(id) = session_id {
            headers.insert(headers::SESSION_ID, id);
        }
        let verdict = self.verdict_of(speech.revision, speech.server);
        let session = Session::new(slot, speech.revision, headers, verdict);
        let notice = write::notification("notifications/initialized", b"");
        let status = self.tell(&session, notice, None, deadline).await?;
        if !status.is_success() {
            tracing::debug!(%status, "a source did not accept `notifications/initialized`");
        }
        Ok(session)
    }

    async fn ask(
        self: &Arc<Self>,
        session: &Arc<Session>,
        method: &'static str,
        params: &[u8],
        deadline: Instant,
    ) -> Result<Finished, UpstreamError> {
        let id = self.next_id();
        let envelope = wire::Envelope::own(id, session.revision);
        let question = Question {
            id,
            body: wire::request(envelope, method, params),
            method,
            name: None,
            param_headers: &[],
            progress: false,
            asks: None,
            deadline,
            timeout: self.limits.handshake_timeout,
        };
        self.post(session, question).await?.finish().await
    }

    fn modern(&self, verdict: EraVerdict) -> Result<Session, UpstreamError> {
        let mut headers = self.headers.clone()?;
        let revision = Revision::parse(&verdict.revision).unwrap_or(Revision::LATEST);
        headers.insert(headers::PROTOCOL_VERSION, HeaderValue::from_static(revision.as_str()));
        Ok(Session::new(&self.plain, revision, headers, verdict))
    }

    pub(super) fn verdict_of(&self, revision: Revision, server: String) -> EraVerdict {
        EraVerdict {
            era: revision.era(),
            revision: revision.as_str().to_owned(),
            server,
            at: self.clock.now(),
        }
    }

    /// Says whether a verdict is too old, in the only setting where that matters.
    pub(super) fn is_stale(&self, verdict: &EraVerdict) -> bool {
        self.setting == EraSetting::Auto && self.clock.now().since(verdict.at) >= EraVerdict::LIFETIME
    }

    /// Tells a legacy source that its session is over. Called when the link goes away.
    pub(super) async fn end_session(&self, session: &Session) {
        let make = |uri: &Uri| assemble(Method::DELETE, uri, session.headers.clone(), bytes::Bytes::new());
        let deadline = Instant::now() + Duration::from_secs(5);
        // Servers may refuse this; there is nothing to do about it.
        let _ = self.send(make, deadline).await;
    }

    /// Gives up all terms, and the sessions at the source with them.
    pub(in crate::upstream) async fn close(&self) {
        self.hub.end();
        let mut slots = self.others.take_all();
        slots.push(Arc::clone(&self.plain));
        let ending = slots.iter().filter_map(|slot| slot.terms.swap(None)).map(|session| async move {
            session.over.cancel();
            if session.has_id {
                self.end_session(&session).await;
            }
        });
        futures::future::join_all(ending).await;
    }
}

//! The terms that requests to one source are sent on, and how they are found out.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Uri};
use tokio::time::Instant;

use super::{
    Era, EraSetting, EraVerdict, HttpLink, UpstreamError, era, headers,
    post::{Finished, Question, assemble},
    wire,
};
use crate::mcp::{Revision, write};

/// What both sides agreed on: an era, a revision and, for legacy sources that want one, a session.
pub(super) struct Session {
    pub(super) revision: Revision,
    /// What every request on these terms carries.
    pub(super) headers: HeaderMap,
    pub(super) verdict: EraVerdict,
}

impl Session {
    pub(super) fn era(&self) -> Era {
        self.revision.era()
    }

    pub(super) fn has_id(&self) -> bool {
        self.headers.contains_key(headers::SESSION_ID)
    }
}

impl HttpLink {
    /// Returns the terms, made now if there are none or if they are too old to be believed.
    pub(super) async fn session(self: &Arc<Self>, deadline: Instant) -> Result<Arc<Session>, UpstreamError> {
        match self.session.load_full() {
            Some(session) if !self.is_stale(&session.verdict) => Ok(session),
            // Boxed, as what is rarely needed would otherwise take its room in every call.
            _ => Box::pin(self.establish(None, deadline)).await,
        }
    }

    /// Returns new terms in place of some that the source does not know. Of many callers who find
    /// that out at once, one makes them and all use them.
    pub(super) async fn renew(
        self: &Arc<Self>,
        lost: &Arc<Session>,
        deadline: Instant,
    ) -> Result<Arc<Session>, UpstreamError> {
        Box::pin(self.establish(Some(lost), deadline)).await
    }

    async fn establish(
        self: &Arc<Self>,
        lost: Option<&Arc<Session>>,
        deadline: Instant,
    ) -> Result<Arc<Session>, UpstreamError> {
        let begun = Instant::now();
        let deadline = deadline.min(begun + self.limits.handshake_timeout);
        let late = |_| UpstreamError::Timeout { after: deadline.saturating_duration_since(begun) };
        let _turn = tokio::time::timeout_at(deadline, self.handshake.lock()).await.map_err(late)?;
        if let Some(current) = self.session.load_full() {
            let is_lost = lost.is_some_and(|lost| Arc::ptr_eq(lost, &current));
            if !is_lost && !self.is_stale(&current.verdict) {
                return Ok(current);
            }
        }
        let session = Arc::new(self.shake_hands(lost, deadline).await?);
        *self.lock_known() = Some(session.verdict.clone());
        *self.since.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = self.clock.now();
        self.session.store(Some(Arc::clone(&session)));
        self.hub.ring();
        Ok(session)
    }

    async fn shake_hands(
        self: &Arc<Self>,
        lost: Option<&Arc<Session>>,
        deadline: Instant,
    ) -> Result<Session, UpstreamError> {
        match self.setting {
            EraSetting::Legacy | EraSetting::Sse => return self.initialize(deadline).await,
            EraSetting::Modern => {
                return self.discover(deadline).await?.ok_or_else(|| UpstreamError::NotMcp {
                    answer: "it does not answer `server/discover` as revision 2026-07-28 asks".to_owned(),
                });
            }
            EraSetting::Auto => {}
        }
        let believed = self.lock_known().clone().filter(|verdict| !self.is_stale(verdict));
        match (believed.map(|verdict| (verdict.era, verdict)), lost) {
            // Modern sources keep nothing, so that there is nothing to ask.
            (Some((Era::Modern, verdict)), None) => self.modern(verdict),
            (Some((Era::Legacy, _)), _) => match self.initialize(deadline).await {
                // The source may have left the legacy era since.
                Err(UpstreamError::Protocol { .. } | UpstreamError::NotMcp { .. }) => {
                    self.probe(deadline).await
                }
                outcome => outcome,
            },
            (Some((Era::Modern, _)), Some(_)) | (None, _) => self.probe(deadline).await,
        }
    }

    async fn probe(self: &Arc<Self>, deadline: Instant) -> Result<Session, UpstreamError> {
        match self.discover(deadline).await? {
            Some(session) => Ok(session),
            None => self.initialize(deadline).await,
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

    /// Opens a session as a legacy client.
    async fn initialize(self: &Arc<Self>, deadline: Instant) -> Result<Session, UpstreamError> {
        let verdict = self.verdict_of(Revision::LATEST_LEGACY, String::new());
        let opening =
            Arc::new(Session { revision: Revision::LATEST_LEGACY, headers: self.headers.clone()?, verdict });
        let finished = self.ask(&opening, "initialize", era::INITIALIZE.as_bytes(), deadline).await?;
        let (session_id, body) = match finished {
            Finished::Reply { session, body } => (session, body),
            Finished::Foreign { what } => return Err(UpstreamError::NotMcp { answer: what }),
        };
        let speech = era::initialized(&body)?;
        self.offered.store(Some(Arc::clone(&speech.offer)));
        let mut headers = self.headers.clone()?;
        headers.insert(headers::PROTOCOL_VERSION, HeaderValue::from_static(speech.revision.as_str()));
        if let Some(id) = session_id {
            headers.insert(headers::SESSION_ID, id);
        }
        let session = Session {
            revision: speech.revision,
            headers,
            verdict: self.verdict_of(speech.revision, speech.server),
        };
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
        Ok(Session { revision, headers, verdict })
    }

    fn verdict_of(&self, revision: Revision, server: String) -> EraVerdict {
        EraVerdict {
            era: revision.era(),
            revision: revision.as_str().to_owned(),
            server,
            at: self.clock.now(),
        }
    }

    /// Says whether a verdict is too old, in the only setting where that matters.
    fn is_stale(&self, verdict: &EraVerdict) -> bool {
        self.setting == EraSetting::Auto && self.clock.now().since(verdict.at) >= EraVerdict::LIFETIME
    }

    /// Tells a legacy source that its session is over. Called when the link goes away.
    pub(super) async fn end_session(&self, session: &Session) {
        let make = |uri: &Uri| assemble(Method::DELETE, uri, session.headers.clone(), bytes::Bytes::new());
        let deadline = Instant::now() + std::time::Duration::from_secs(5);
        // Servers may refuse this; there is nothing to do about it.
        let _ = self.send(make, deadline).await;
    }

    /// Gives up the terms, and the session at the source with them.
    pub(in crate::upstream) async fn close(&self) {
        self.hub.end();
        if let Some(session) = self.session.swap(None)
            && session.has_id()
        {
            self.end_session(&session).await;
        }
    }
}

//! Shaking hands with a process, and finding out its era on the way.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    Era, EraSetting, EraVerdict, Reply, ReplyBody, Running, StdioLink, UpstreamError,
    process::{Process, Voice},
};
use crate::{
    mcp::{Revision, write},
    upstream::{
        era::{self, Speech},
        mux::{Question, ask},
    },
};

impl StdioLink {
    /// Starts a process and finds out its era as far as that is not known.
    pub(super) async fn shake_hands(&self, deadline: Instant) -> Result<(Running, Speech), UpstreamError> {
        let believed = self
            .lock()
            .known
            .clone()
            .filter(|verdict| self.clock.now().since(verdict.at) < EraVerdict::LIFETIME);
        match (self.setting, believed.map(|verdict| verdict.era)) {
            (EraSetting::Legacy | EraSetting::Sse, _) => self.initialize(deadline).await,
            (EraSetting::Modern, _) => match self.discover(deadline).await? {
                Some(found) => Ok(found),
                None => Err(UpstreamError::NotMcp {
                    answer: "it does not answer `server/discover` as revision 2026-07-28 asks".to_owned(),
                }),
            },
            (EraSetting::Auto, Some(Era::Legacy)) => match self.initialize(deadline).await {
                // The program may have left the legacy era since.
                Err(UpstreamError::Protocol { .. }) => self.probe(deadline).await,
                outcome => outcome,
            },
            (EraSetting::Auto, Some(Era::Modern) | None) => self.probe(deadline).await,
        }
    }

    async fn probe(&self, deadline: Instant) -> Result<(Running, Speech), UpstreamError> {
        match self.discover(deadline).await? {
            Some(found) => Ok(found),
            None => self.initialize(deadline).await,
        }
    }

    fn spawn(&self) -> Result<Arc<Process>, UpstreamError> {
        let permit = Arc::clone(&self.slots).try_acquire_owned().map_err(|_| UpstreamError::Busy {
            what: format!("{} processes, which is as many as may run", self.limits.processes_max),
        })?;
        let voice = Voice { hub: Arc::clone(&self.hub), asks: self.capabilities.clone() };
        Process::start(&self.command, &self.limits, &self.ring, permit, voice, self.clock.now())
    }

    /// Asks a process as a modern client. One that is not modern is thrown away: some legacy servers
    /// die of a request before `initialize`, others are confused for the rest of their lives.
    /// `None` = not modern.
    async fn discover(&self, deadline: Instant) -> Result<Option<(Running, Speech)>, UpstreamError> {
        let process = self.spawn()?;
        let leash = Leash(Some(Arc::clone(&process)));
        let discovering = self.question(&process, Revision::LATEST, "server/discover", b"{}", deadline);
        tokio::pin!(discovering);
        let answer = tokio::select! {
            answer = &mut discovering => answer,
            () = tokio::time::sleep(self.limits.silence_timeout) => {
                // Slow, or deaf to what it does not know? A legacy server answers `initialize`.
                let params = era::initialize(&self.capabilities);
                let initializing = self.question(
                    &process,
                    Revision::LATEST_LEGACY,
                    "initialize",
                    params.as_bytes(),
                    deadline,
                );
                tokio::select! {
                    biased;
                    answer = &mut discovering => answer,
                    answer = initializing => {
                        leash.end().await;
                        return answer.map(|_| None);
                    }
                }
            }
        };
        let speech = match answer {
            Ok(body) => era::discovered(&body),
            Err(UpstreamError::Died { .. }) => None,
            Err(error) => return Err(error),
        };
        match speech {
            Some(speech) => {
                leash.release();
                let running = Running {
                    process: Arc::clone(&process),
                    revision: speech.revision,
                    offer: Arc::clone(&speech.offer),
                };
                Ok(Some((running, speech)))
            }
            None => {
                leash.end().await;
                Ok(None)
            }
        }
    }

    async fn initialize(&self, deadline: Instant) -> Result<(Running, Speech), UpstreamError> {
        let process = self.spawn()?;
        let leash = Leash(Some(Arc::clone(&process)));
        let params = era::initialize(&self.capabilities);
        let revision = Revision::LATEST_LEGACY;
        let body = self.question(&process, revision, "initialize", params.as_bytes(), deadline).await?;
        let speech = era::initialized(&body)?;
        process.mux.send(write::notification("notifications/initialized", b"")).await?;
        leash.release();
        Ok((Running { process, revision: speech.revision, offer: Arc::clone(&speech.offer) }, speech))
    }

    async fn question(
        &self,
        process: &Arc<Process>,
        revision: Revision,
        method: &str,
        params: &[u8],
        deadline: Instant,
    ) -> Result<ReplyBody, UpstreamError> {
        let question = Question {
            revision,
            method,
            params,
            progress: false,
            log_level: None,
            capabilities: None,
            asks: false,
            is_call: true,
            cancels: false,
            deadline,
            timeout: self.limits.start_timeout,
        };
        let Reply { body, .. } = ask(&process.mux, question).await?.finish().await?;
        Ok(body)
    }
}

/// Ends a process that nobody has taken over.
struct Leash(Option<Arc<Process>>);

impl Leash {
    fn release(mut self) {
        self.0 = None;
    }

    async fn end(mut self) {
        if let Some(process) = self.0.take() {
            process.stop();
            process.ended().await;
        }
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        if let Some(process) = &self.0 {
            process.stop();
        }
    }
}

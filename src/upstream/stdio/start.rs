//! The one process of a link: the one that runs, or a new one.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{EraVerdict, Running, StdioLink, UpstreamError, book::closed};

impl StdioLink {
    /// Returns the process that runs, and starts one if there is none.
    pub(super) async fn running(
        self: &Arc<Self>,
        deadline: Instant,
        timeout: Duration,
    ) -> Result<Running, UpstreamError> {
        if let Some(running) = self.alive() {
            return Ok(running);
        }
        // Starting goes on when the caller leaves: the next one will want it too, and a first start
        // may download a whole program.
        let link = Arc::clone(self);
        let starting = tokio::spawn(async move { link.start().await });
        match tokio::time::timeout_at(deadline, starting).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(UpstreamError::Died { detail: "starting its process broke off".to_owned() }),
            Err(_) => Err(UpstreamError::Timeout { after: timeout }),
        }
    }

    /// Returns the running process; one that has ended is noted and forgotten.
    pub(super) fn alive(&self) -> Option<Running> {
        let mut book = self.lock();
        let running = book.running.clone()?;
        let Some(death) = running.process.death() else {
            return Some(running);
        };
        let was_useful = running.process.useful.load(Ordering::Relaxed);
        book.ended(was_useful, death.to_string(), self.clock.now(), &self.limits);
        None
    }

    async fn start(self: Arc<Self>) -> Result<Running, UpstreamError> {
        let _turn = self.starting.lock().await;
        if let Some(running) = self.alive() {
            return Ok(running);
        }
        self.lock().may_start(self.clock.now())?;
        let deadline = Instant::now() + self.limits.start_timeout;
        let outcome = self.shake_hands(deadline).await.map_err(|error| match error {
            // No call was under way yet.
            UpstreamError::Died { detail } => UpstreamError::Unreachable { detail },
            other => other,
        });

        let mut book = self.lock();
        book.since = self.clock.now();
        match outcome {
            Ok((running, _)) if book.closed => {
                running.process.stop();
                Err(closed())
            }
            Ok((running, speech)) => {
                book.known = Some(EraVerdict {
                    era: speech.revision.era(),
                    revision: speech.revision.as_str().to_owned(),
                    server: speech.server,
                    at: self.clock.now(),
                });
                book.running = Some(running.clone());
                book.last_error = None;
                self.hub.ring();
                tracing::info!(pid = running.process.pid, "started the process of a source");
                Ok(running)
            }
            Err(error) => {
                book.last_error = Some(error.to_string());
                // That all slots are taken says nothing about this source.
                if !matches!(error, UpstreamError::Busy { .. }) {
                    book.failed(self.clock.now(), &self.limits);
                }
                Err(error)
            }
        }
    }
}

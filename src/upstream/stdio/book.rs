//! What is remembered of a link between its processes, and how long a process that fails is left alone.

use super::{Running, UpstreamError, UpstreamLimits};
use crate::{clock::Ms, model::EraVerdict};

/// What is remembered between processes.
pub(super) struct Book {
    pub(super) running: Option<Running>,
    pub(super) known: Option<EraVerdict>,
    pub(super) since: Ms,
    pub(super) restarts: u32,
    pub(super) last_error: Option<String>,
    /// Set for good when the link is closed.
    pub(super) closed: bool,
    /// Starts that led to nothing, in a row.
    failures: u32,
    not_before: Option<Ms>,
}

impl Book {
    pub(super) fn new(known: Option<EraVerdict>, now: Ms) -> Self {
        Self {
            running: None,
            known,
            since: now,
            restarts: 0,
            last_error: None,
            closed: false,
            failures: 0,
            not_before: None,
        }
    }

    /// Notes that the process has ended by itself. One that was of use may be started again at once.
    pub(super) fn ended(&mut self, was_useful: bool, how: String, now: Ms, limits: &UpstreamLimits) {
        self.running = None;
        self.since = now;
        self.restarts += 1;
        self.last_error = Some(how);
        if was_useful {
            self.failures = 0;
        } else {
            self.failed(now, limits);
        }
    }

    /// Notes a start that led to nothing: the next must wait, twice as long each time.
    pub(super) fn failed(&mut self, now: Ms, limits: &UpstreamLimits) {
        let doublings = self.failures.min(16);
        let pause = limits.restart_pause.saturating_mul(1 << doublings).min(limits.restart_pause_max);
        self.failures += 1;
        self.not_before = Some(now.plus(pause));
    }

    /// Refuses a start that comes too early, or after the link was closed.
    pub(super) fn may_start(&self, now: Ms) -> Result<(), UpstreamError> {
        if self.closed {
            return Err(closed());
        }
        match self.not_before.filter(|_| self.is_paused(now)) {
            Some(until) => {
                let seconds = until.since(now).as_secs() + 1;
                let last = self.last_error.as_deref().unwrap_or("its process ended");
                Err(UpstreamError::Unreachable { detail: format!("{last} (next try in {seconds} s)") })
            }
            None => Ok(()),
        }
    }

    /// Says whether the next start has to wait.
    pub(super) fn is_paused(&self, now: Ms) -> bool {
        self.failures > 0 && self.not_before.is_some_and(|until| now < until)
    }
}

/// Returns what a call hears that comes after the end of the link.
pub(super) fn closed() -> UpstreamError {
    UpstreamError::Unreachable { detail: "the source was closed".to_owned() }
}

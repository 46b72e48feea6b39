//! One source that is a process: as many processes as its calls need to be kept apart.
//!
//! A modern process keeps nothing between calls and serves everybody. A legacy one is told once what
//! it may ask, so callers who can be asked something get processes of their own.

use std::{path::PathBuf, sync::Arc};

use tokio::{sync::Semaphore, time::Instant};

use super::{
    Answer, Call, Clock, Command, Era, EraSetting, EraVerdict, LinkState, LinkStatus, Offer, StdioLink,
    Target, UpstreamError, UpstreamLimits,
};
use crate::upstream::{Watch, WatchFilter, in_background, parts::Parts};

/// One source that is a process.
pub(in crate::upstream) struct StdioSource {
    /// For calls that declare nothing, and for all calls to a modern process.
    plain: Arc<StdioLink>,
    /// For other calls to a legacy one.
    others: Parts<StdioLink>,
}

impl StdioSource {
    pub(in crate::upstream) fn new(
        clock: &Clock,
        limits: &Arc<UpstreamLimits>,
        slots: &Arc<Semaphore>,
        command: Command,
        target: &Target,
    ) -> Self {
        Self {
            plain: StdioLink::new(clock, limits, slots, command, target),
            others: Parts::new(limits.processes_per_source_max),
        }
    }

    /// Sends one call to the process it belongs to, and starts that if it does not run.
    pub(in crate::upstream) async fn call(&self, call: &Call) -> Result<Answer, UpstreamError> {
        if call.is_plain() || self.is_modern() {
            return self.plain.call(call).await;
        }
        let Some(part) = call.part_of_process() else {
            return self.plain.call(call).await;
        };
        let now = self.plain.clock.now();
        let make = |part: &crate::upstream::parts::Part| self.plain.beside(part.capabilities.clone());
        let (lane, evicted) = self.others.take(part, now, StdioLink::is_quiet, make)?;
        if let Some(evicted) = evicted {
            in_background(async move { evicted.close().await });
        }
        let answer = lane.call(call).await;
        self.plain.learn(lane.verdict());
        answer
    }

    fn is_modern(&self) -> bool {
        self.plain.setting == EraSetting::Modern
            || self.plain.verdict().is_some_and(|verdict| verdict.era == Era::Modern)
    }

    pub(in crate::upstream) async fn open(&self, deadline: Instant) -> Result<(), UpstreamError> {
        self.plain.open(deadline).await
    }

    pub(in crate::upstream) async fn offer(&self, deadline: Instant) -> Result<Arc<Offer>, UpstreamError> {
        self.plain.offer(deadline).await
    }

    pub(in crate::upstream) fn watch(&self, filter: WatchFilter) -> Watch {
        self.plain.watch(filter)
    }

    pub(in crate::upstream) fn end_watches(&self) {
        self.plain.end_watches();
    }

    pub(in crate::upstream) fn find_program(&self) -> Result<PathBuf, UpstreamError> {
        self.plain.find_program()
    }

    pub(in crate::upstream) fn verdict(&self) -> Option<EraVerdict> {
        self.plain.verdict()
    }

    /// Returns what the source's processes are doing; one that runs stands for all.
    pub(in crate::upstream) fn status(&self) -> LinkStatus {
        let status = self.plain.status();
        if status.state == LinkState::Up {
            return status;
        }
        let others = self.others.all().into_iter().map(|lane| lane.status());
        others.into_iter().find(|other| other.state == LinkState::Up).unwrap_or(status)
    }

    /// Ends the processes that nobody has used for a while.
    pub(in crate::upstream) fn end_if_idle(&self) {
        self.plain.end_if_idle();
        let (now, after) = (self.plain.clock.now(), self.plain.limits.process_idle);
        for lane in self.others.take_idle(now, after, StdioLink::is_quiet) {
            in_background(async move { lane.close().await });
        }
    }

    /// Waits until nobody waits for an answer.
    pub(in crate::upstream) async fn drained(&self) {
        let mut all = self.others.all();
        all.push(Arc::clone(&self.plain));
        futures::future::join_all(all.iter().map(|lane| lane.drained())).await;
    }

    /// Ends every process for good, and waits until they have ended.
    pub(in crate::upstream) async fn close(&self) {
        self.end_watches();
        let mut all = self.others.take_all();
        all.push(Arc::clone(&self.plain));
        futures::future::join_all(all.iter().map(|lane| lane.close())).await;
    }
}

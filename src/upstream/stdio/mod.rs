//! Processes as sources: started when needed, shared by all calls, ended when unused.
//!
//! A process gets an argument array, the environment its owner configured and nothing else, and an
//! empty folder of its own unless another is configured. Programs such as `npx` and `uvx` that look
//! for others need a `PATH` in that environment. Never runs a shell, and never passes anything of
//! the server's environment on.

mod book;
mod guard;
mod handshake;
mod lanes;
mod listen;
mod process;
mod program;
mod ring;
mod start;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU8, Ordering},
};

use tokio::{sync::Semaphore, time::Instant};

use super::{
    Answer, Call, LinkState, LinkStatus, Offer, Reply, ReplyBody, Target, UpstreamError, UpstreamLimits,
    mux::{Question, ask},
    watch::Hub,
};
use crate::{
    clock::Clock,
    mcp::{Capabilities, LogLevel, Revision},
    model::{Era, EraSetting, EraVerdict},
};

use book::Book;
pub use guard::{GUARD_WORD, guard_main, guard_requested};
pub(super) use lanes::StdioSource;
use process::Process;
pub(super) use program::Command;
use ring::Ring;

/// One process of a source, running or not.
pub(super) struct StdioLink {
    command: Arc<Command>,
    /// What the process is told that it may ask, if it is a legacy one.
    capabilities: Capabilities,
    /// The least severe log message that anybody asked for, as its place among all levels.
    level: AtomicU8,
    limits: Arc<UpstreamLimits>,
    clock: Clock,
    /// How many more processes may run, of all sources.
    slots: Arc<Semaphore>,
    setting: EraSetting,
    ring: Arc<Ring>,
    /// Who wants to hear of changes.
    hub: Arc<Hub>,
    /// Held by the one who starts the process.
    starting: tokio::sync::Mutex<()>,
    book: Mutex<Book>,
}

/// What is less severe than nothing: nobody asked for log messages.
const NO_LEVEL: u8 = u8::MAX;

/// A process that calls can be sent to.
#[derive(Clone)]
struct Running {
    process: Arc<Process>,
    revision: Revision,
    offer: Arc<Offer>,
}

/// Removes the working folders that servers which were killed have left behind.
pub(super) fn sweep_folders(parent: &std::path::Path) {
    program::Folder::sweep(parent);
}

impl StdioLink {
    pub(super) fn new(
        clock: &Clock,
        limits: &Arc<UpstreamLimits>,
        slots: &Arc<Semaphore>,
        command: Command,
        target: &Target,
    ) -> Arc<Self> {
        let ring = Ring::new(limits.stderr_lines_max, command.env.values().cloned());
        Arc::new(Self {
            command: Arc::new(command),
            capabilities: Capabilities::default(),
            level: AtomicU8::new(NO_LEVEL),
            limits: Arc::clone(limits),
            clock: clock.clone(),
            slots: Arc::clone(slots),
            setting: target.era,
            ring: Arc::new(ring),
            hub: Hub::new(),
            starting: tokio::sync::Mutex::default(),
            book: Mutex::new(Book::new(target.verdict.clone(), clock.now())),
        })
    }

    /// Returns another process of the same source, for calls that it has to keep apart.
    fn beside(&self, capabilities: Capabilities) -> Arc<Self> {
        Arc::new(Self {
            command: Arc::clone(&self.command),
            capabilities,
            level: AtomicU8::new(NO_LEVEL),
            limits: Arc::clone(&self.limits),
            clock: self.clock.clone(),
            slots: Arc::clone(&self.slots),
            setting: self.setting,
            ring: Arc::clone(&self.ring),
            hub: Arc::clone(&self.hub),
            starting: tokio::sync::Mutex::default(),
            book: Mutex::new(Book::new(self.verdict(), self.clock.now())),
        })
    }

    /// Sends one call, and starts the process if none runs.
    pub(super) async fn call(self: &Arc<Self>, call: &Call) -> Result<Answer, UpstreamError> {
        let deadline = Instant::now() + call.timeout;
        let running = self.running(deadline, call.timeout).await?;
        running.process.touch(self.clock.now());
        if let Some(level) = call.log_level {
            self.level.fetch_min(u8::try_from(level as usize).unwrap_or(NO_LEVEL), Ordering::Relaxed);
        }
        self.tell_level(&running).await?;
        let question = Question {
            revision: running.revision,
            method: call.method,
            params: &call.params,
            progress: call.progress,
            log_level: call.log_level,
            capabilities: Some(&call.capabilities).filter(|capabilities| !capabilities.is_empty()),
            asks: running.revision.era() == Era::Legacy && call.capabilities.can_be_asked(),
            is_call: true,
            cancels: true,
            deadline,
            timeout: call.timeout,
        };
        let answer = ask(&running.process.mux, question).await?;
        running.process.useful.store(true, Ordering::Relaxed);
        running.process.touch(self.clock.now());
        Ok(answer)
    }

    /// Tells a legacy process which log messages are wanted, if it was not told yet.
    async fn tell_level(&self, running: &Running) -> Result<(), UpstreamError> {
        let wanted = self.level.load(Ordering::Relaxed);
        if running.revision.era() == Era::Modern
            || running.process.level.fetch_min(wanted, Ordering::Relaxed) <= wanted
        {
            return Ok(());
        }
        let Some(level) = LogLevel::ALL.get(usize::from(wanted)) else { return Ok(()) };
        if running.offer.abilities().logging {
            let params = format!(r#"{{"level":"{}"}}"#, level.as_str());
            let own = Question::own(running.revision, "logging/setLevel", self.limits.list_timeout);
            let telling = Question { params: params.as_bytes(), ..own };
            ask(&running.process.mux, telling).await?.finish().await?;
        }
        Ok(())
    }

    /// Starts the process if none runs, and shakes hands.
    pub(super) async fn open(self: &Arc<Self>, deadline: Instant) -> Result<(), UpstreamError> {
        self.running(deadline, self.limits.start_timeout).await.map(drop)
    }

    /// Returns what the source says of itself.
    pub(super) async fn offer(self: &Arc<Self>, deadline: Instant) -> Result<Arc<Offer>, UpstreamError> {
        Ok(self.running(deadline, self.limits.start_timeout).await?.offer)
    }

    /// Returns the program's file.
    pub(super) fn find_program(&self) -> Result<std::path::PathBuf, UpstreamError> {
        self.command.find(&self.limits.program_path)
    }

    pub(super) fn verdict(&self) -> Option<EraVerdict> {
        self.lock().known.clone()
    }

    pub(super) fn status(&self) -> LinkStatus {
        let running = self.alive();
        let book = self.lock();
        let paused = book.is_paused(self.clock.now());
        LinkStatus {
            state: match (&running, paused) {
                (Some(_), _) => LinkState::Up,
                (None, true) => LinkState::Paused,
                (None, false) => LinkState::Idle,
            },
            since: book.since,
            restarts: book.restarts,
            pid: running.map(|running| running.process.pid),
            stderr: self.ring.lines(),
            last_error: book.last_error.clone(),
        }
    }

    /// Ends the process if nobody has used it for a while.
    pub(super) fn end_if_idle(&self) {
        let mut book = self.lock();
        let now = self.clock.now();
        if let Some(running) = &book.running
            && running.process.is_idle(now, self.limits.process_idle)
            && !self.hub.is_watched()
        {
            running.process.stop();
            book.running = None;
            book.since = now;
            tracing::info!("ended the process of a source that nobody used");
        }
    }

    /// Says whether nobody uses the process.
    fn is_quiet(&self) -> bool {
        self.starting.try_lock().is_ok()
            && self.lock().running.as_ref().is_none_or(|running| running.process.mux.is_quiet())
    }

    /// Takes over what another process of the source was found to be.
    fn learn(&self, verdict: Option<EraVerdict>) {
        let mut book = self.lock();
        if book.known.is_none() {
            book.known = verdict;
        }
    }

    /// Waits until nobody waits for an answer.
    pub(super) async fn drained(&self) {
        let running = self.lock().running.clone();
        if let Some(running) = running {
            running.process.mux.drained().await;
        }
    }

    /// Ends the process for good, and waits until it has ended.
    pub(super) async fn close(&self) {
        let running = {
            let mut book = self.lock();
            book.closed = true;
            book.since = self.clock.now();
            book.running.take()
        };
        if let Some(running) = running {
            running.process.stop();
            running.process.ended().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StdioLink {
    fn drop(&mut self) {
        if let Some(running) = self.lock().running.take() {
            running.process.stop();
        }
    }
}

//! Processes as sources: started when needed, shared by all calls, ended when unused.
//!
//! A process gets an argument array, the environment its owner configured and nothing else, and an
//! empty folder of its own unless another is configured. Programs such as `npx` and `uvx` that look
//! for others need a `PATH` in that environment. Never runs a shell, and never passes anything of
//! the server's environment on.

mod guard;
mod lanes;
mod listen;
mod process;
mod program;
mod ring;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Semaphore, time::Instant};

use super::{
    Answer, Call, LinkState, LinkStatus, Offer, Reply, ReplyBody, Target, UpstreamError, UpstreamLimits,
    era::{self, Speech},
    mux::{Question, ask},
    watch::Hub,
};
use crate::{
    clock::{Clock, Ms},
    mcp::{Capabilities, LogLevel, Revision, write},
    model::{Era, EraSetting, EraVerdict},
};

pub use guard::{GUARD_WORD, guard_main, guard_requested};
pub(super) use lanes::StdioSource;
use process::{Process, Voice};
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

/// What is remembered between processes.
struct Book {
    running: Option<Running>,
    known: Option<EraVerdict>,
    since: Ms,
    restarts: u32,
    /// Starts that led to nothing, in a row.
    failures: u32,
    not_before: Option<Ms>,
    last_error: Option<String>,
    /// Set for good when the link is closed.
    closed: bool,
}

impl Book {
    fn new(known: Option<EraVerdict>, now: Ms) -> Self {
        Self {
            running: None,
            known,
            since: now,
            restarts: 0,
            failures: 0,
            not_before: None,
            last_error: None,
            closed: false,
        }
    }
}

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

    async fn running(
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
    fn alive(&self) -> Option<Running> {
        let mut book = self.lock();
        let running = book.running.clone()?;
        let Some(death) = running.process.death() else {
            return Some(running);
        };
        book.running = None;
        book.since = self.clock.now();
        book.restarts += 1;
        book.last_error = Some(death.to_string());
        if running.process.useful.load(Ordering::Relaxed) {
            book.failures = 0;
        } else {
            self.note_failure(&mut book);
        }
        None
    }

    async fn start(self: Arc<Self>) -> Result<Running, UpstreamError> {
        let _turn = self.starting.lock().await;
        if let Some(running) = self.alive() {
            return Ok(running);
        }
        self.refuse_if_too_early()?;
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
                    self.note_failure(&mut book);
                }
                Err(error)
            }
        }
    }

    fn note_failure(&self, book: &mut Book) {
        let doublings = book.failures.min(16);
        let pause =
            self.limits.restart_pause.saturating_mul(1 << doublings).min(self.limits.restart_pause_max);
        book.failures += 1;
        book.not_before = Some(self.clock.now().plus(pause));
    }

    fn refuse_if_too_early(&self) -> Result<(), UpstreamError> {
        let book = self.lock();
        if book.closed {
            return Err(closed());
        }
        let now = self.clock.now();
        match book.not_before {
            Some(until) if now < until && book.failures > 0 => {
                let seconds = until.since(now).as_secs() + 1;
                let last = book.last_error.as_deref().unwrap_or("its process ended");
                Err(UpstreamError::Unreachable { detail: format!("{last} (next try in {seconds} s)") })
            }
            _ => Ok(()),
        }
    }

    /// Starts a process and finds out its era as far as that is not known.
    async fn shake_hands(&self, deadline: Instant) -> Result<(Running, Speech), UpstreamError> {
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

    pub(super) fn verdict(&self) -> Option<EraVerdict> {
        self.lock().known.clone()
    }

    pub(super) fn status(&self) -> LinkStatus {
        let running = self.alive();
        let book = self.lock();
        let paused = book.failures > 0 && book.not_before.is_some_and(|until| self.clock.now() < until);
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

fn closed() -> UpstreamError {
    UpstreamError::Unreachable { detail: "the source was closed".to_owned() }
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

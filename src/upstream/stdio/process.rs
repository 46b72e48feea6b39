//! One running process: its three pipes, its waiters and its end.

use std::{
    process::{ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, ChildStdout},
    sync::{OwnedSemaphorePermit, mpsc, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        GuardProgram, UpstreamError, UpstreamLimits,
        mux::{Mux, OUTBOX_MAX},
        watch::Hub,
        wire,
    },
    guard,
    program::{Command, Folder},
    ring::Ring,
};
use crate::{clock::Ms, mcp::Capabilities};

/// How long the last answers of a process that has ended may take to be read.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// One running process.
pub(super) struct Process {
    pub(super) pid: u32,
    /// Everything said over its pipes.
    pub(super) mux: Arc<Mux>,
    last_used: AtomicI64,
    /// The log level that it was told, as its place among all levels.
    pub(super) level: AtomicU8,
    /// Set once it has answered a request after the handshake.
    pub(super) useful: AtomicBool,
    stop: CancellationToken,
    ended: watch::Receiver<bool>,
    ring: Arc<Ring>,
    /// How many lines earlier processes have written.
    lines_before: u64,
}

/// How a process is spoken with.
pub(super) struct Voice {
    /// Who wants to hear of changes.
    pub(super) hub: Arc<Hub>,
    /// What it is told that it may ask.
    pub(super) asks: Capabilities,
}

impl Process {
    /// Starts a process. It lives until it ends by itself or [`Process::stop`] is called.
    pub(super) fn start(
        command: &Command,
        limits: &UpstreamLimits,
        ring: &Arc<Ring>,
        permit: OwnedSemaphorePermit,
        voice: Voice,
        now: Ms,
    ) -> Result<Arc<Self>, UpstreamError> {
        let program = command.find(&limits.program_path)?;
        let folder = Folder::open(command, &limits.working_dirs)?;
        let mut child = spawn(command, &program, &folder, limits).map_err(|error| {
            UpstreamError::Unreachable { detail: format!("`{}` did not start: {error}", program.display()) }
        })?;
        let (Some(stdin), Some(stdout), Some(stderr), Some(pid)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take(), child.id())
        else {
            return Err(UpstreamError::Unreachable { detail: "its process has no pipes".to_owned() });
        };

        let (outbox, inbox) = mpsc::channel(OUTBOX_MAX);
        let (end, ended) = watch::channel(false);
        let process = Arc::new(Self {
            pid,
            mux: Arc::new(Mux::new(outbox, voice.hub, voice.asks)),
            last_used: AtomicI64::new(now.0),
            level: AtomicU8::new(u8::MAX),
            useful: AtomicBool::new(false),
            stop: CancellationToken::new(),
            ended,
            ring: Arc::clone(ring),
            lines_before: ring.pushed(),
        });
        let errors = Arc::clone(ring);
        let keeper = Keeper {
            process: Arc::clone(&process),
            child,
            writer: tokio::spawn(write(stdin, inbox)),
            reader: tokio::spawn(read(stdout, Arc::clone(&process), limits.answer_bytes_max)),
            errors: tokio::spawn(async move { errors.fill(stderr).await }),
            line_bytes_max: limits.answer_bytes_max,
            grace: limits.process_grace,
            guarded: limits.guard != GuardProgram::None,
            _folder: folder,
            _permit: permit,
        };
        tokio::spawn(async move {
            keeper.keep().await;
            end.send_replace(true);
        });
        Ok(process)
    }

    pub(super) fn touch(&self, now: Ms) {
        self.last_used.fetch_max(now.0, Ordering::Relaxed);
    }

    pub(super) fn is_idle(&self, now: Ms, after: Duration) -> bool {
        now.since(Ms(self.last_used.load(Ordering::Relaxed))) >= after && self.mux.is_quiet()
    }

    /// Returns why it ended; `None` while it runs.
    pub(super) fn death(&self) -> Option<UpstreamError> {
        self.mux.death()
    }

    /// Ends it. Returns at once; see [`Process::ended`].
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until it and everything it started has ended.
    pub(super) async fn ended(&self) {
        // The sender is gone only when the runtime is ending, and with it everything else.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    /// Takes one line of standard output.
    fn take(&self, line: &Bytes) {
        if self.mux.take(line).is_err() {
            // Programs print greetings where only messages belong; the owner may want to see them.
            self.ring.push(&[b"(stdout) ", &line[..]].concat());
        }
    }
}

fn died(detail: &str) -> UpstreamError {
    UpstreamError::Died { detail: detail.to_owned() }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that starts processes")]
fn spawn(
    command: &Command,
    program: &std::path::Path,
    folder: &Folder,
    limits: &UpstreamLimits,
) -> std::io::Result<Child> {
    let guard = match &limits.guard {
        GuardProgram::None => None,
        GuardProgram::CurrentExe => Some(guard::current_exe()?),
        GuardProgram::Path(path) => Some(path.clone()),
    };
    let mut child = match &guard {
        Some(guard) => {
            let mut child = tokio::process::Command::new(guard);
            // What process lists show.
            child.arg0("doorward").args(guard::arguments(limits.process_grace)).arg(program);
            child
        }
        None => tokio::process::Command::new(program),
    };
    child
        .args(&command.arguments[1..])
        .env_clear()
        .envs(command.env.iter().map(|(name, value)| (name, value.expose())))
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: signals reach everything that it starts, and nothing else.
        .process_group(0)
        // A guard ends everything when the server is gone; killed itself, it could not.
        .kill_on_drop(guard.is_none());
    child.spawn()
}

/// Writes messages, one a line, as many at once as are waiting.
async fn write(mut stdin: ChildStdin, mut inbox: mpsc::Receiver<Bytes>) {
    let mut messages = Vec::new();
    let mut lines = Vec::new();
    while inbox.recv_many(&mut messages, OUTBOX_MAX).await > 0 {
        lines.clear();
        for message in messages.drain(..) {
            // Line breaks in JSON are white space between values.
            lines.extend(message.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
            lines.push(b'\n');
        }
        if stdin.write_all(&lines).await.is_err() {
            return;
        }
        lines.shrink_to(64 * 1024);
    }
}

/// How standard output ended.
enum Silence {
    Closed,
    LineTooLong,
}

async fn read(mut stdout: ChildStdout, process: Arc<Process>, line_bytes_max: usize) -> Silence {
    let mut buffer = BytesMut::with_capacity(64 * 1024);
    let mut searched = 0;
    loop {
        while let Some(found) = memchr::memchr(b'\n', &buffer[searched..]) {
            let line = buffer.split_to(searched + found + 1).freeze();
            searched = 0;
            if !line.trim_ascii().is_empty() {
                process.take(&line);
            }
        }
        searched = buffer.len();
        if buffer.len() > line_bytes_max {
            return Silence::LineTooLong;
        }
        buffer.reserve(16 * 1024);
        match stdout.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return Silence::Closed,
            Ok(_) => {}
        }
    }
}

/// Holds everything that lives as long as the process.
struct Keeper {
    process: Arc<Process>,
    child: Child,
    writer: JoinHandle<()>,
    reader: JoinHandle<Silence>,
    errors: JoinHandle<()>,
    line_bytes_max: usize,
    grace: Duration,
    guarded: bool,
    _folder: Folder,
    _permit: OwnedSemaphorePermit,
}

impl Keeper {
    /// Waits for the end, whoever brings it about, and tells everybody who waits.
    async fn keep(mut self) {
        let stop = self.process.stop.clone();
        let error = tokio::select! {
            status = self.child.wait() => {
                let _ = tokio::time::timeout(LAST_WORDS, &mut self.reader).await;
                self.epitaph(status.ok()).await
            }
            silence = &mut self.reader => match silence {
                Ok(Silence::LineTooLong) => {
                    let error = UpstreamError::TooLarge { limit_bytes: self.line_bytes_max };
                    self.process.mux.die(error.clone());
                    self.end().await;
                    error
                }
                Ok(Silence::Closed) | Err(_) => {
                    let status = self.end().await;
                    self.epitaph(status).await
                }
            },
            () = stop.cancelled() => {
                self.end().await;
                died("its process was ended")
            }
        };
        self.clean_up().await;
        self.process.mux.die(error);
    }

    /// Asks the process to end, more firmly each time.
    async fn end(&mut self) -> Option<ExitStatus> {
        // The end of its input is how MCP says good-bye.
        self.writer.abort();
        if let Ok(status) = tokio::time::timeout(self.grace, self.child.wait()).await {
            return status.ok();
        }
        let pid = pid(self.process.pid)?;
        // A guard passes the signal on, waits as long itself, and kills what is left.
        let (signalled, patience) = match self.guarded {
            true => (kill_process(pid, Signal::TERM), self.grace + Duration::from_secs(2)),
            false => (kill_process_group(pid, Signal::TERM), self.grace),
        };
        if signalled.is_ok()
            && let Ok(status) = tokio::time::timeout(patience, self.child.wait()).await
        {
            return status.ok();
        }
        let _ = kill_process_group(pid, Signal::KILL);
        self.child.wait().await.ok()
    }

    /// Says how it ended, with its own last words.
    async fn epitaph(&mut self, status: Option<ExitStatus>) -> UpstreamError {
        let _ = tokio::time::timeout(LAST_WORDS, &mut self.errors).await;
        let how = match status.map(|status| (status, guard::signal_of(status))) {
            None => "ended".to_owned(),
            Some((_, Some(signal))) => format!("was ended by signal {signal}"),
            Some((status, None)) => format!("ended with {status}"),
        };
        let words = self
            .process
            .ring
            .last_words(self.process.lines_before)
            .map(|line| format!("; the last it said: {}", wire::clip(&line, 300)));
        died(&format!("its process {how}{}", words.unwrap_or_default()))
    }

    /// Kills what the process left behind. A guard that ended in order has done so already.
    async fn clean_up(&mut self) {
        let guard_did_it = self.guarded
            && self.child.try_wait().ok().flatten().is_some_and(|status| status.code().is_some());
        if !guard_did_it && let Some(pid) = pid(self.process.pid) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        self.writer.abort();
        self.reader.abort();
        self.errors.abort();
    }
}

fn pid(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().and_then(Pid::from_raw)
}

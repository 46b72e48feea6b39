//! The guard: a small program between the server and a source's process, so that nothing which the
//! process started outlives the server, however the server ends.
//!
//! The guard is the `doorward` program itself, called with [`GUARD_WORD`]. It leads the process
//! group, adopts whatever in it loses its parent, and waits for one of three things: the process
//! ends, the server asks it to stop (SIGTERM), or the server is gone (its pidfd says so). Then it
//! ends the group and every process it has adopted, also those that left the group. Input and
//! output are not its business: the process has the server's pipes themselves.

use std::{
    ffi::OsString,
    fs, io,
    os::fd::OwnedFd,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::PathBuf,
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, getpgrp, getpid, getppid, kill_process,
    kill_process_group, pidfd_open, set_child_subreaper, wait,
};
use tokio::{
    io::unix::AsyncFd,
    signal::unix::{Signal as SignalStream, SignalKind, signal},
};

/// The first argument that makes the program a guard.
pub const GUARD_WORD: &str = "__guard";

/// How often the parent is looked at where no pidfd can be had.
const PARENT_POLL: Duration = Duration::from_millis(200);

/// How long a process that ended by itself, or whose server is gone, leaves to what it started.
const ORPHANS_GRACE: Duration = Duration::from_millis(200);

/// How many rounds of killing adopted processes are made; each round may bring up their children.
const SWEEPS_MAX: u32 = 100;

/// What shells add to the number of the signal that ended a program.
const SIGNAL_CODE: i32 = 128;

/// The code for a program that could not be started.
const NOT_STARTED: u8 = 127;

/// Returns the running program, also when its file has been replaced since it was started.
pub(super) fn current_exe() -> io::Result<PathBuf> {
    let image = PathBuf::from("/proc/self/exe");
    if image.exists() { Ok(image) } else { std::env::current_exe() }
}

/// Returns the arguments of a guard; the program and its arguments follow them.
pub(super) fn arguments(grace: Duration) -> [String; 3] {
    [GUARD_WORD.to_owned(), std::process::id().to_string(), grace.as_millis().to_string()]
}

/// Returns the signal that ended a guarded process, if one did.
pub(super) fn signal_of(status: ExitStatus) -> Option<i32> {
    status
        .signal()
        .or_else(|| status.code()?.checked_sub(SIGNAL_CODE).filter(|signal| (1..=64).contains(signal)))
}

/// Says whether these are the arguments of a guard. The server's `main` asks this first, before it
/// reads settings or starts threads, and then calls [`guard_main`].
pub fn guard_requested(mut arguments: impl Iterator<Item = OsString>) -> bool {
    arguments.nth(1).is_some_and(|word| word == GUARD_WORD)
}

/// Runs as a guard until the guarded process, and everything it started, has ended.
pub fn guard_main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(order) = Order::read(arguments) else {
        eprintln!("doorward: `{GUARD_WORD}` is not for calling by hand");
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(order.keep())) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("doorward: the process did not start: {error}");
            ExitCode::from(NOT_STARTED)
        }
    }
}

/// What a guard is told.
struct Order {
    server: Pid,
    grace: Duration,
    program: OsString,
    arguments: Vec<OsString>,
}

impl Order {
    fn read(arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let mut arguments = arguments.skip(2);
        let number = |text: Option<OsString>| text?.to_str()?.parse::<u32>().ok();
        let server = Pid::from_raw(i32::try_from(number(arguments.next())?).ok()?)?;
        let grace = Duration::from_millis(u64::from(number(arguments.next())?));
        Some(Self { server, grace, program: arguments.next()?, arguments: arguments.collect() })
    }

    async fn keep(self) -> io::Result<u8> {
        // All of this is in place before there is anything to guard.
        let mut children = signal(SignalKind::child())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let _interrupt = signal(SignalKind::interrupt())?;
        let _hangup = signal(SignalKind::hangup())?;
        set_child_subreaper(Some(getpid()))?;
        let server = Server::watch(self.server)?;

        let child = self.start()?;
        let mut remains = Remains { child, code: None };
        let grace = tokio::select! {
            () = remains.child_ended(&mut children) => ORPHANS_GRACE,
            _ = terminate.recv() => self.grace,
            () = server.gone() => self.grace,
        };

        // This reaches the guard too, which has a handler and goes on.
        let _ = kill_process_group(getpgrp(), Signal::TERM);
        if tokio::time::timeout(grace, remains.all_ended(&mut children)).await.is_err() {
            remains.sweep();
        }
        Ok(remains.code.unwrap_or(0))
    }

    #[expect(clippy::disallowed_methods, reason = "a guard starts the process it guards")]
    fn start(&self) -> io::Result<Pid> {
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.arguments);
        // The name that programs look at to see how they were called.
        command.arg0(&self.program);
        let child = command.spawn()?;
        let number = i32::try_from(child.id()).map_err(io::Error::other)?;
        Pid::from_raw(number).ok_or_else(|| io::Error::other("a process without a number"))
    }
}

/// The server, as the guard sees it.
struct Server {
    pid: Pid,
    pidfd: Option<AsyncFd<OwnedFd>>,
}

impl Server {
    fn watch(pid: Pid) -> io::Result<Self> {
        // Older kernels and some sandboxes have no pidfd.
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok().map(watched).transpose()?;
        // Asked after the pidfd was opened: it cannot be another process of the same number.
        if getppid() != Some(pid) {
            return Err(io::Error::other("the server is gone"));
        }
        Ok(Self { pid, pidfd })
    }

    async fn gone(&self) {
        if let Some(pidfd) = &self.pidfd
            && pidfd.readable().await.is_ok()
        {
            return;
        }
        while getppid() == Some(self.pid) {
            tokio::time::sleep(PARENT_POLL).await;
        }
    }
}

#[expect(deprecated, reason = "its rival is unsafe for the sake of descriptors that others may close")]
fn watched(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(pidfd)
}

/// What is left to bury: the child, and the processes adopted since.
struct Remains {
    child: Pid,
    /// The child's exit code, once it has ended.
    code: Option<u8>,
}

impl Remains {
    /// Waits until the child ends, and buries adopted processes on the way.
    async fn child_ended(&mut self, children: &mut SignalStream) {
        self.reap();
        while self.code.is_none() {
            children.recv().await;
            self.reap();
        }
    }

    /// Waits until the child and everything adopted has ended.
    async fn all_ended(&mut self, children: &mut SignalStream) {
        while self.reap() {
            children.recv().await;
        }
    }

    /// Buries what has ended; returns whether anything is left.
    fn reap(&mut self) -> bool {
        loop {
            // Any child, not only those of this group: some have left it.
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => self.note(pid, status),
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Kills everything that is left, whether it stayed in the group or not. The children of what
    /// is killed are adopted, and killed in the next round.
    fn sweep(&mut self) {
        for _ in 0..SWEEPS_MAX {
            for pid in adopted() {
                let _ = kill_process(pid, Signal::KILL);
            }
            // Waits for one: each has been killed, so that none keeps it waiting.
            match wait(WaitOptions::empty()) {
                Ok(Some((pid, status))) => self.note(pid, status),
                Ok(None) => {}
                Err(_) => return,
            }
        }
    }

    fn note(&mut self, pid: Pid, status: WaitStatus) {
        if pid == self.child {
            self.code = Some(exit_code(status));
        }
    }
}

fn exit_code(status: WaitStatus) -> u8 {
    let code = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => SIGNAL_CODE + signal,
        (None, None) => 0,
    };
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// Returns the processes whose parent is this one.
fn adopted() -> Vec<Pid> {
    let me = getpid().as_raw_nonzero().get();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| parent_of(*pid) == Some(me))
        .filter_map(Pid::from_raw)
        .collect()
}

fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything; after it come the state and the parent.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

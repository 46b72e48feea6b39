//! Real programs that run beside the gateway: Redis, and whatever a test starts.

use std::{
    net::Ipv4Addr,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{ports::free_port, running::until};

/// A program beside the gateway, with a folder of its own. It ends with this value.
pub(crate) struct Beside {
    _folder: TempDir,
    running: Child,
}

impl Beside {
    /// Returns a command whose program is looked for where administrators' programs are, too.
    #[expect(clippy::disallowed_methods, reason = "the tests need the real programs")]
    pub(crate) fn command(program: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(program);
        command.env("PATH", format!("{path}:/usr/sbin")).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Starts what is told of the folder, and waits until it listens on the port.
    #[expect(clippy::disallowed_methods, reason = "a test is a caller")]
    pub(crate) async fn start(port: u16, command: impl FnOnce(&Path) -> Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let running = command(folder.path()).spawn().expect("it is installed: see `xtask/src/machine.rs`");
        let beside = Self { running, _folder: folder };
        until("it listens", async || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok()).await;
        beside
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.running.id()).unwrap()).unwrap();
        // nginx ends its workers when it is asked to.
        let _ = kill_process(pid, Signal::TERM);
        let _ = self.running.wait();
    }
}

/// A Redis that keeps nothing.
pub(crate) struct Redis {
    _beside: Beside,
    port: u16,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        let port = free_port();
        let beside = Beside::start(port, |folder| {
            let mut redis = Beside::command("redis-server");
            redis.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]);
            redis.arg(folder);
            redis
        });
        Self { _beside: beside.await, port }
    }

    /// Returns its address, as settings name it.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }
}

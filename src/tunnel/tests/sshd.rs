//! The real OpenSSH server, one process for each connection, and keys made by the real `ssh-keygen`.

use std::{
    fs,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::{
    model::{Fingerprint, Hop, HopAuthKind},
    secret::Secret,
    tunnel::{HopSecret, KeyPair},
};

/// Where Debian and its relatives have it.
const SSHD: &str = "/usr/sbin/sshd";

/// An SSH server that answers on a port of its own.
pub(crate) struct Sshd {
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
    processes: Arc<Mutex<Vec<Pid>>>,
    /// How many connections were accepted.
    pub(crate) accepted: Arc<AtomicUsize>,
    /// While set, connections are closed at once.
    pub(crate) is_down: Arc<AtomicBool>,
}

impl Sshd {
    /// Starts one with these further lines of configuration. It lets in whoever has the key `user` of its folder.
    pub(crate) async fn start(lines: &str) -> Self {
        assert!(Path::new(SSHD).exists(), "openssh-server is not installed; `cargo xtask test` installs it");
        // Where it wants an empty folder to lock its unprivileged half into.
        let _ = fs::create_dir_all("/run/sshd");
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        keygen(&["-t", "ed25519", "-N", "", "-f", path("host").to_str().unwrap()]);
        keygen(&["-t", "ed25519", "-N", "", "-f", path("ca").to_str().unwrap()]);
        keygen(&["-t", "ed25519", "-N", "", "-f", path("user").to_str().unwrap()]);
        fs::copy(path("user.pub"), path("authorized_keys")).unwrap();
        let shown = folder.path().display();
        let config = format!(
            "HostKey {shown}/host\nAuthorizedKeysFile {shown}/authorized_keys\nTrustedUserCAKeys {shown}/ca.pub\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin yes\nPidFile none\nLogLevel ERROR\nUseDNS no\n{lines}\n"
        );
        fs::write(path("config"), config).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sshd = Self {
            port: listener.local_addr().unwrap().port(),
            processes: Arc::default(),
            accepted: Arc::default(),
            is_down: Arc::default(),
            folder,
        };
        let (processes, accepted, is_down) =
            (Arc::clone(&sshd.processes), Arc::clone(&sshd.accepted), Arc::clone(&sshd.is_down));
        let config = sshd.folder.path().join("config");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                if !is_down.load(Ordering::SeqCst) {
                    let pid = serve(&config, stream.into_std().unwrap());
                    processes.lock().unwrap().push(pid);
                }
            }
        });
        sshd
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Adds a line of configuration, which holds for connections from then on.
    pub(crate) fn configure(&self, line: &str) {
        let before = fs::read_to_string(self.path("config")).unwrap();
        fs::write(self.path("config"), format!("{before}{line}\n")).unwrap();
    }

    /// Sends a signal to everything that serves a connection.
    pub(crate) fn signal(&self, signal: Signal) {
        for pid in self.processes.lock().unwrap().iter() {
            let _ = kill_process_group(*pid, signal);
        }
    }

    /// Returns this server as a hop whose host key is confirmed, and what signs in there.
    pub(crate) fn hop(&self) -> (Hop, HopSecret) {
        self.hop_with("user", None)
    }

    /// As [`Sshd::hop`], with another key of its folder.
    pub(crate) fn hop_with(&self, key: &str, passphrase: Option<&str>) -> (Hop, HopSecret) {
        let private = Secret::new(fs::read_to_string(self.path(key)).unwrap());
        let hop = Hop {
            host: "127.0.0.1".into(),
            port: self.port,
            user: user(),
            auth: HopAuthKind::Key,
            public_key: None,
            made_here: false,
            host_key: Some(self.host_key()),
        };
        (hop, HopSecret::Key { private, passphrase: passphrase.map(Secret::new), certificate: None })
    }

    /// Returns what its operator would say of its host key.
    pub(crate) fn host_key(&self) -> Fingerprint {
        self.fingerprint("host")
    }

    /// Returns the fingerprint of a key of its folder.
    pub(crate) fn fingerprint(&self, key: &str) -> Fingerprint {
        let private = Secret::new(fs::read_to_string(self.path(key)).unwrap());
        KeyPair::read(&private, None).unwrap().fingerprint().unwrap()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.signal(Signal::CONT);
        self.signal(Signal::KILL);
    }
}

/// Serves one connection in a process group of its own, which is reaped when it ends.
#[expect(clippy::disallowed_methods, reason = "the server under test")]
fn serve(config: &Path, stream: std::net::TcpStream) -> Pid {
    use std::os::unix::process::CommandExt as _;
    stream.set_nonblocking(false).unwrap();
    let input: OwnedFd = stream.try_clone().unwrap().into();
    let output: OwnedFd = stream.into();
    let mut child = Command::new(SSHD)
        .args(["-i", "-e", "-f", config.to_str().unwrap()])
        .stdin(Stdio::from(input))
        .stdout(Stdio::from(output))
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let pid = Pid::from_child(&child);
    std::thread::spawn(move || child.wait());
    pid
}

#[expect(clippy::disallowed_methods, reason = "keys as people make them")]
pub(crate) fn keygen(arguments: &[&str]) {
    let done = Command::new("ssh-keygen").args(["-q"]).args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Returns who runs the tests: the only one that a server without privileges lets in.
#[expect(clippy::disallowed_methods, reason = "asks the machine who this is")]
pub(crate) fn user() -> String {
    let id = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(id.stdout).unwrap().trim().to_owned()
}

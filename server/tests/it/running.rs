//! The program itself as a process, for tests that hurt it.

use std::{
    marker::PhantomData,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    net::TcpStream,
    process::{Child, Command},
    sync::mpsc,
};

use crate::world::{Answer, PASSWORD};

/// How long anything here may take before the test has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// How long to wait before something that should become true is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The folder of an installation, with the settings it is started with.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    variables: Vec<(String, String)>,
    /// What starts the program, when that is not the program itself.
    pub(crate) through: Vec<String>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new(), through: Vec::new() };
        std::fs::write(place.path("password"), PASSWORD).unwrap();
        let data = place.path("data").display().to_string();
        place
            .with("DOORWARD_DATA_DIR", &data)
            .with("DOORWARD_LISTEN", "127.0.0.1:0")
            .with("DOORWARD_METRICS_LISTEN", "off")
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path("data/doorward.db")
    }

    /// Applies a document of an installation in which ada, an administrator, has the key `ada.key`.
    pub(crate) async fn prepare(&self, rest: &str) {
        let document = format!(
            "version: 1\nusers:\n  - {{handle: ada, email: ada@example.org, password_file: password, role: admin}}\n{rest}"
        );
        std::fs::write(self.path("door.yaml"), document).unwrap();
        let (status, said) = self.run(&["apply", "door.yaml"]).await;
        assert!(status.success(), "{said}");
    }

    /// Returns the text of a key that the document named a file for.
    pub(crate) fn key(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap().trim().to_owned()
    }

    /// Runs a command to its end. Returns how it ended and all it said.
    pub(crate) async fn run(&self, arguments: &[&str]) -> (ExitStatus, String) {
        self.run_within(PATIENCE, arguments).await
    }

    /// Runs a command to its end, which may take so long.
    pub(crate) async fn run_within(&self, patience: Duration, arguments: &[&str]) -> (ExitStatus, String) {
        let output = self.command(arguments).output();
        let output = tokio::time::timeout(patience, output).await.unwrap().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status, String::from_utf8(said).unwrap())
    }

    /// Starts a command whose output is read while it runs.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "the program under test is a process")]
    fn command(&self, arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_doorward");
        let mut words =
            self.through.iter().map(String::as_str).chain([program]).chain(arguments.iter().copied());
        let mut command = Command::new(words.next().unwrap());
        command
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Starts the server and waits until it listens. Whatever it says if it does not is the error.
    pub(crate) async fn try_serve(&self) -> Result<Running<'_>, String> {
        let mut child = self.command(&["serve"]).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (line, mut lines) = mpsc::unbounded_channel();
        let readers = [
            tokio::spawn(keep(child.stdout.take().unwrap(), Arc::clone(&log), Some(line))),
            tokio::spawn(keep(child.stderr.take().unwrap(), Arc::clone(&log), None)),
        ];
        loop {
            match tokio::time::timeout(PATIENCE, lines.recv()).await.unwrap() {
                Some(said) => {
                    if let Some(address) = said.strip_prefix("Doorward listens on http://") {
                        let address = address.trim().to_owned();
                        return Ok(Running { child, address, log, place: PhantomData });
                    }
                }
                None => {
                    for reader in readers {
                        reader.await.unwrap();
                    }
                    return Err(log.lock().unwrap().clone());
                }
            }
        }
    }

    pub(crate) async fn serve(&self) -> Running<'_> {
        self.try_serve().await.unwrap()
    }
}

/// Keeps what the program says.
async fn keep(
    from: impl AsyncRead + Unpin,
    log: Arc<Mutex<String>>,
    each: Option<mpsc::UnboundedSender<String>>,
) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        log.lock().unwrap().push_str(&format!("{line}\n"));
        if let Some(each) = &each {
            let _ = each.send(line);
        }
    }
}

/// A server that runs. It borrows its place, whose folder is gone when the place is.
pub(crate) struct Running<'place> {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
    place: PhantomData<&'place Place>,
}

impl Running<'_> {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Returns where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Returns what sends requests, also from other tasks.
    pub(crate) fn door(&self) -> Door {
        Door(self.address.clone())
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        self.door().send(request).await.unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap()
    }

    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.ended().await;
        assert!(status.success(), "{status}: {}", self.log());
    }
}

/// The way to a server.
#[derive(Clone)]
pub(crate) struct Door(String);

impl Door {
    /// Returns the way to another listener.
    pub(crate) fn at(address: &str) -> Self {
        Self(address.to_owned())
    }

    /// Returns where it leads.
    pub(crate) fn address(&self) -> &str {
        &self.0
    }

    /// Sends a request over a connection of its own, which ends with the body that is returned. `None` if there was no
    /// answer.
    #[expect(clippy::disallowed_methods, reason = "a test is a caller")]
    pub(crate) async fn open(&self, request: Request<Body>) -> Option<Response<Incoming>> {
        let stream = TcpStream::connect(&self.0).await.ok()?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        sender.send_request(request).await.ok()
    }

    /// Sends a request over a connection of its own. `None` if there was no whole answer.
    pub(crate) async fn send(&self, request: Request<Body>) -> Option<Answer> {
        let asked = async {
            let (parts, body) = self.open(request).await?.into_parts();
            let body = body.collect().await.ok()?.to_bytes();
            let body = String::from_utf8_lossy(&body).into_owned();
            Some(Answer { status: parts.status, headers: parts.headers, body })
        };
        tokio::time::timeout(PATIENCE, asked).await.expect("an answer in time")
    }
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Says whether a process is there and has not ended.
pub(crate) fn lives(pid: u32) -> bool {
    std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with(['Z', 'X']))
}

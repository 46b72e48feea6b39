//! The guard of processes, with real processes: whatever way the server ends, nothing that a
//! source has started outlives it.
//!
//! This program is the test, the server under test and the guard, as its arguments say; so it
//! brings its own `main`. Whether everything is gone is not asked of the process table: each
//! process holds one end of a pipe open, and the pipe ends with the last of them.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    sync::mpsc,
    time::Duration,
};

use bytes::Bytes;
use doorward::{
    clock::Clock,
    egress::{Egress, EgressLimits, EgressPolicy},
    model::{Credential, EraSetting, Reach, SourceId},
    secret::Secret,
    upstream::{Call, GuardProgram, Target, UpstreamLimits, Upstreams, stdio},
};

/// How long everything may take to be gone, and how long a test may wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// A source that starts a child, a child that leaves the process group, and a grandchild that loses
/// its parent; all of them, and itself, hold the pipe. It ignores every kind request to end.
const SOURCE: &str = r#"
import json, os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pipe = open(os.environ["PIPE"], "w")
for line in sys.stdin:
    message = json.loads(line)
    if message["method"] == "tools/call":
        sleep = ["/bin/sleep", "1000"]
        subprocess.Popen(sleep, stdout=pipe)
        subprocess.Popen(sleep, stdout=pipe, start_new_session=True)
        subprocess.Popen(["/bin/sh", "-c", "setsid sleep 1000 & exit"], stdout=pipe).wait()
    result = {"resultType": "complete", "supportedVersions": ["2026-07-28"]}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
signal.pause()
"#;

type Test = fn() -> Result<(), String>;

const TESTS: [(&str, Test); 4] = [
    ("nothing_outlives_a_server_that_is_killed", nothing_outlives_a_server_that_is_killed),
    ("nothing_outlives_a_server_that_ends_in_order", nothing_outlives_a_server_that_ends_in_order),
    ("a_guard_without_its_server_starts_nothing", a_guard_without_its_server_starts_nothing),
    ("a_guard_passes_the_end_of_its_process_on", a_guard_passes_the_end_of_its_process_on),
];

fn main() -> ExitCode {
    if stdio::guard_requested(std::env::args_os()) {
        return stdio::guard_main(std::env::args_os());
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    if arguments.first().is_some_and(|word| word == "serve") {
        serve(Path::new(&arguments[1]));
        return ExitCode::SUCCESS;
    }
    if has("--list") {
        for (name, _) in TESTS.iter().filter(|_| !has("--ignored")) {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    run(|name| {
        let mut filters = arguments.iter().filter(|argument| !argument.starts_with("--")).peekable();
        filters.peek().is_none() || filters.any(|filter| name.contains(filter.as_str()))
    })
}

fn run(chosen: impl Fn(&str) -> bool) -> ExitCode {
    let mut failed = false;
    for (name, test) in TESTS.iter().filter(|(name, _)| chosen(name)) {
        match test() {
            Ok(()) => println!("test {name} ... ok"),
            Err(why) => {
                println!("test {name} ... FAILED\n{why}");
                failed = true;
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn nothing_outlives_a_server_that_is_killed() -> Result<(), String> {
    let mut server = Server::start()?;

    // SIGKILL: the server learns nothing and can do nothing.
    server.child.kill().map_err(words)?;
    server.child.wait().map_err(words)?;

    server.everything_ends()
}

fn nothing_outlives_a_server_that_ends_in_order() -> Result<(), String> {
    let mut server = Server::start()?;

    server.child.stdin.take().ok_or("no input")?.write_all(b"end\n").map_err(words)?;
    let status = server.child.wait().map_err(words)?;

    assert!(status.success());
    server.everything_ends()
}

fn a_guard_without_its_server_starts_nothing() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(words)?;
    let trace = folder.path().join("started");
    let somebody_else = "1";

    let status = guard(somebody_else, &["/usr/bin/touch", &trace.display().to_string()])?;

    assert!(!status.success());
    assert!(!trace.exists());
    Ok(())
}

fn a_guard_passes_the_end_of_its_process_on() -> Result<(), String> {
    let me = std::process::id().to_string();

    assert_eq!(guard(&me, &["/bin/sh", "-c", "exit 5"])?.code(), Some(5));
    assert_eq!(guard(&me, &["/bin/sh", "-c", "kill -9 $$"])?.code(), Some(128 + 9));
    assert_eq!(guard(&me, &["/no/such/program"])?.code(), Some(127));
    assert_eq!(guard("not a number", &["/bin/true"])?.code(), Some(2));
    Ok(())
}

/// Runs a guard as the server would, in a process group of its own.
#[expect(clippy::disallowed_methods, reason = "the test is the server's operator")]
fn guard(server: &str, program: &[&str]) -> Result<std::process::ExitStatus, String> {
    use std::os::unix::process::CommandExt;
    let exe = std::env::current_exe().map_err(words)?;
    let mut command = Command::new(exe);
    command.args([stdio::GUARD_WORD, server, "200"]).args(program).process_group(0);
    command.stderr(Stdio::null()).status().map_err(words)
}

/// A server with one source whose processes are running.
struct Server {
    child: Child,
    /// Ends when the last process has closed its end of the pipe.
    gone: mpsc::Receiver<()>,
    _folder: tempfile::TempDir,
}

impl Server {
    #[expect(clippy::disallowed_methods, reason = "the test is the server's operator")]
    fn start() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(words)?;
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .map_err(words)?;
        let mut child = Command::new(std::env::current_exe().map_err(words)?)
            .arg("serve")
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(words)?;
        let (tell_gone, gone) = mpsc::channel();
        let (tell_open, open) = mpsc::channel();
        std::thread::spawn(move || {
            // Opening waits for the first writer, reading for the end of the last.
            let Ok(mut pipe) = File::open(pipe) else { return };
            let _ = tell_open.send(());
            if pipe.read_to_end(&mut Vec::new()).is_ok() {
                let _ = tell_gone.send(());
            }
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line).map_err(words)?;
        if line != "ready\n" {
            return Err(format!("the server said {line:?}"));
        }
        open.recv_timeout(PATIENCE).map_err(words)?;
        assert!(gone.try_recv().is_err());
        Ok(Self { child, gone, _folder: folder })
    }

    fn everything_ends(self) -> Result<(), String> {
        self.gone.recv_timeout(PATIENCE).map_err(|_| "a process is still there".to_owned())
    }
}

/// The server under test: opens the source, says so, and ends in order when told to.
fn serve(folder: &Path) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let limits = UpstreamLimits {
            guard: GuardProgram::CurrentExe,
            working_dirs: folder.join("run"),
            process_grace: Duration::from_millis(200),
            ..UpstreamLimits::default()
        };
        let egress = Egress::new(EgressPolicy::default(), EgressLimits::default());
        let upstreams = Upstreams::new(egress, Clock::system(), limits);
        let mut credential = Credential::default();
        credential.env.insert("PIPE".to_owned(), Secret::new(folder.join("pipe").display().to_string()));
        let command = ["python3", "-I", "-S", "-c", SOURCE];
        let target = Target {
            source: SourceId::new(),
            version: 1,
            reach: Reach::McpStdio { command: command.map(str::to_owned).to_vec(), working_dir: None },
            credential,
            era: EraSetting::Auto,
            verdict: None,
            tunnel: None,
            ca_certificates: None,
        };
        let call = Call {
            method: "tools/call",
            params: Bytes::from_static(b"{}"),
            name: None,
            param_headers: Vec::new(),
            progress: false,
            log_level: None,
            timeout: PATIENCE,
            capabilities: Default::default(),
            partition: None,
        };
        match upstreams.link(&target).call(call).await {
            Ok(_) => println!("ready"),
            Err(error) => println!("{error}"),
        }
        let told = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await;
        if matches!(told, Ok(Ok(1..))) {
            upstreams.shutdown().await;
        }
    });
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

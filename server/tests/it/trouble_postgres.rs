//! PostgreSQL restarted and killed under load, and fed what it does not take: a cluster of our own,
//! since the one of the other tests must not go away.

use std::{
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use http::StatusCode;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    call::Call,
    running::{Door, Place, until},
    scripted::Scripted,
};

/// How many calls the plan of the one who calls has.
const CALLS_MAX: i64 = 120;

/// Whom PostgreSQL runs as when the tests run as root, which it refuses: `nobody`.
const UNPRIVILEGED: u32 = 65_534;

#[tokio::test(flavor = "multi_thread")]
async fn calls_recover_when_postgres_is_restarted_or_killed_and_no_quota_is_exceeded() {
    let Some(cluster) = Cluster::start().await else { return };
    let source = Scripted::start().await;
    let place = cluster.place(&source).await;
    let key = place.key("bob.key");
    let server = place.serve().await;
    let tally = Arc::new(Tally::default());

    let load: Vec<_> = (0..4)
        .map(|_| tokio::spawn(call_until_used_up(server.door(), key.clone(), Arc::clone(&tally))))
        .collect();
    for (calls, how) in [(CALLS_MAX / 6, "fast"), (CALLS_MAX / 2, "immediate")] {
        until("calls go on", async || tally.ok.load(Ordering::Relaxed) >= calls).await;
        cluster.control(&["--mode", how, "restart"]).await;
    }
    for task in load {
        task.await.unwrap();
    }

    let (ok, written) = (tally.ok.load(Ordering::Relaxed), tally.written.load(Ordering::Relaxed));
    let reached = i64::try_from(source.calls().len()).unwrap();
    assert!(reached <= CALLS_MAX, "{reached} calls reached the source");
    // A charge whose answer was lost with the connection is kept: better than one call too many.
    assert!(ok <= reached && ok > CALLS_MAX * 3 / 4, "{ok} of {CALLS_MAX} calls were answered");
    until("every call is written down once", async || cluster.count(CALLS).await == written).await;
    server.stop().await;
    assert_eq!(cluster.count(CALLS).await, written);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_that_a_caller_invents_stops_the_audit_log() {
    let Some(cluster) = Cluster::start().await else { return };
    let source = Scripted::start().await;
    let place = cluster.place(&source).await;
    let key = place.key("bob.key");
    let server = place.serve().await;
    // Longer than an index of PostgreSQL takes, and not to be compressed below that.
    let long: String = (0..400).map(|_| Uuid::new_v4().simple().to_string()).collect();

    let begin = json!({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",
        "capabilities":{},"clientInfo":{"name":format!("a\0{long}"),"version":"\u{0}"}}});
    let begun = server.send(Call::raw(begin.to_string()).key(&key).request()).await;
    let session = begun.headers["mcp-session-id"].to_str().unwrap().to_owned();
    for name in [long.as_str(), "a\0b", "\u{202e}", ""] {
        let call = json!({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":name}});
        let call = Call::raw(call.to_string()).key(&key).header("mcp-session-id", &session);
        let answer = server.send(call.request()).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::OK, Some(-32602)), "{}", answer.body);
    }
    let good = server.send(Call::tool("echo", json!({})).key(&key).request()).await;

    assert!(!good.tool_text().1, "{}", good.body);
    until("all five calls are written down", async || cluster.count(CALLS).await == 5).await;
    server.stop().await;
}

const CALLS: &str = "select count(*) from audit_events where action = 'tool_call'";

#[derive(Default)]
struct Tally {
    /// Calls that the tool answered.
    ok: AtomicI64,
    /// Calls that were answered as calls, well or not, and so must be written down.
    written: AtomicI64,
}

async fn call_until_used_up(door: Door, key: String, tally: Arc<Tally>) {
    loop {
        let call = Call::tool("echo", json!({})).key(&key).request();
        let answer = door.send(call).await.expect("the gateway itself stays");
        if answer.status != StatusCode::OK {
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
            continue;
        }
        tally.written.fetch_add(1, Ordering::Relaxed);
        let (text, is_error) = answer.tool_text();
        if !is_error {
            tally.ok.fetch_add(1, Ordering::Relaxed);
        } else if text.contains("used up") {
            return;
        } else {
            assert!(text.contains("quota cannot be read"), "{text}");
        }
    }
}

struct Cluster {
    programs: PathBuf,
    folder: TempDir,
}

impl Cluster {
    /// Starts a cluster; `None`, with a word about it, if this machine has no PostgreSQL.
    async fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(!is_required(), "DOORWARD_REQUIRE_PG is 1, and there is no initdb and pg_ctl");
            eprintln!("SKIPPED postgres: no initdb and pg_ctl on this machine");
            return None;
        };
        let cluster = Self { programs, folder: tempfile::tempdir().unwrap() };
        if rustix::process::getuid().is_root() {
            chown(cluster.folder.path(), Some(UNPRIVILEGED), Some(UNPRIVILEGED)).unwrap();
        }
        let data = cluster.data();
        let flags =
            ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"];
        run(cluster.command("initdb").args(flags).arg(&data)).await;
        let options = format!("-c listen_addresses= -c unix_socket_directories={}", data.display());
        cluster.control(&["--options", &options, "start"]).await;
        for statement in [
            "create role doorward_owner login createrole",
            "create role doorward_app login noinherit",
            "create database doorward owner doorward_owner",
        ] {
            let mut admin = cluster.connect("postgres").await;
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut admin).await.unwrap();
        }
        Some(cluster)
    }

    /// Makes an installation on it in which bob, who has few calls, may call ada's tools.
    async fn place(&self, source: &Scripted) -> Place {
        let place = Place::new()
            .with("DOORWARD_DATABASE_URL", &self.url("doorward_app", "doorward"))
            .with("DOORWARD_DATABASE_OWNER_URL", &self.url("doorward_owner", "doorward"));
        let document = format!(
            "  - {{handle: bob, email: bob@example.org, password_file: password, plan: few}}
plans: [{{name: few, calls_per_month: {CALLS_MAX}}}]
sources: [{{owner: ada, name: scripted, kind: mcp_http, url: '{url}'}}]
presets: [{{owner: ada, slug: tools, visibility: public, tools: [{{source: scripted, allow: all}}]}}]
keys: [{{owner: bob, name: bob, secret_file: bob.key}}]
",
            url = source.url()
        );
        place.prepare(&document).await;
        place
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn url(&self, role: &str, database: &str) -> String {
        format!("postgres:///{database}?host={}&user={role}", self.data().display())
    }

    async fn connect(&self, database: &str) -> PgConnection {
        PgConnection::connect(&self.url("postgres", database)).await.unwrap()
    }

    async fn count(&self, of: &'static str) -> i64 {
        let mut admin = self.connect("doorward").await;
        sqlx::query_scalar(of).fetch_one(&mut admin).await.unwrap()
    }

    async fn control(&self, arguments: &[&str]) {
        let log = self.folder.path().join("server.log");
        let mut command = self.command("pg_ctl");
        run(command
            .args(["--wait", "--timeout=60", "--log"])
            .arg(log)
            .arg("-D")
            .arg(self.data())
            .args(arguments))
        .await;
    }

    #[expect(clippy::disallowed_methods, reason = "the tests' own database is not a source")]
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir("/").env("LC_ALL", "C");
        if rustix::process::getuid().is_root() {
            std::os::unix::process::CommandExt::uid(&mut command, UNPRIVILEGED);
            std::os::unix::process::CommandExt::gid(&mut command, UNPRIVILEGED);
        }
        // A server that is left behind must not hold the test runner's pipe.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut stop = self.command("pg_ctl");
        let _ = stop.args(["--mode", "immediate", "-D"]).arg(self.data()).arg("stop").status();
    }
}

/// Runs a program to its end without holding up the others on this thread.
async fn run(command: &mut Command) {
    let mut child = command.spawn().unwrap();
    let shown = format!("{command:?}");
    let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{shown}: {status}");
}

/// Returns the folder with PostgreSQL's programs: where distributions put it, or on the path.
fn programs() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    folders.sort();
    folders.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    folders.into_iter().find(|folder: &PathBuf| has(folder, "initdb") && has(folder, "pg_ctl"))
}

fn has(folder: &Path, program: &str) -> bool {
    folder.join(program).exists()
}

fn is_required() -> bool {
    std::env::var_os("DOORWARD_REQUIRE_PG").is_some_and(|value| value == "1")
}

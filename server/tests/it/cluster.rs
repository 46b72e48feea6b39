//! A PostgreSQL cluster of a test's own, for what must not happen to the one of the other tests.

use std::{
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

use crate::ports::free_port;

/// Whom PostgreSQL runs as when the tests run as root, which it refuses: `nobody`.
const UNPRIVILEGED: u32 = 65_534;

/// A cluster of one test, which ends with the test's process, however that ends.
pub(crate) struct Cluster {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    /// Waits for the end of what it is told, which is when this process ends, and stops the cluster.
    watcher: Option<Child>,
}

/// Where connections over the network are expected, if they are.
const SOCKET_ONLY: u16 = 5432;

impl Cluster {
    /// Starts a cluster with the roles and the database of an installation; `None`, with a word about
    /// it, if this machine has no PostgreSQL.
    pub(crate) async fn start() -> Option<Self> {
        let cluster = Self::bare("-c listen_addresses=", SOCKET_ONLY).await?;
        for statement in [
            "create role doorward_owner login createrole",
            "create role doorward_app login noinherit",
            "create database doorward owner doorward_owner",
        ] {
            cluster.execute(statement).await;
        }
        Some(cluster)
    }

    /// Starts a cluster with nothing in it that listens on the loopback address too and wants
    /// passwords there; `None`, with a word about it, if this machine has no PostgreSQL.
    pub(crate) async fn start_with_passwords() -> Option<Self> {
        let port = free_port();
        Self::bare(&format!("-c listen_addresses=127.0.0.1 -c port={port}"), port).await
    }

    async fn bare(options: &str, port: u16) -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(!is_required(), "DOORWARD_REQUIRE_PG is 1, and there is no initdb and pg_ctl");
            eprintln!("SKIPPED postgres: no initdb and pg_ctl on this machine");
            return None;
        };
        let mut cluster = Self { programs, folder: tempfile::tempdir().unwrap(), port, watcher: None };
        if rustix::process::getuid().is_root() {
            chown(cluster.folder.path(), Some(UNPRIVILEGED), Some(UNPRIVILEGED)).unwrap();
        }
        let data = cluster.data();
        let flags = ["--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"];
        let auth = ["--auth-local=trust", "--auth-host=scram-sha-256"];
        run(cluster.command("initdb").args(auth).args(flags).arg(&data)).await;
        let script = "cat > /dev/null; \"$1/pg_ctl\" --mode immediate -D \"$2/data\" stop; rm -rf \"$2\"";
        let mut watcher = cluster.command("/bin/sh");
        watcher.args(["-c", script, "sh"]).arg(&cluster.programs).arg(cluster.folder.path());
        cluster.watcher = Some(watcher.process_group(0).stdin(Stdio::piped()).spawn().unwrap());
        let options = format!("{options} -c unix_socket_directories={}", data.display());
        cluster.control(&["--options", &options, "start"]).await;
        Some(cluster)
    }

    /// Returns the port of the loopback address.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Does what a superuser says.
    pub(crate) async fn execute(&self, statement: &str) {
        self.execute_in("postgres", statement).await;
    }

    /// Does what a superuser says in a database.
    pub(crate) async fn execute_in(&self, database: &str, statement: &str) {
        let mut admin = self.connect(database).await;
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut admin).await.unwrap();
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn url(&self, role: &str, database: &str) -> String {
        format!("postgres:///{database}?host={}&port={}&user={role}", self.data().display(), self.port)
    }

    async fn connect(&self, database: &str) -> PgConnection {
        PgConnection::connect(&self.url("postgres", database)).await.unwrap()
    }

    pub(crate) async fn count(&self, of: &'static str) -> i64 {
        let mut admin = self.connect("doorward").await;
        sqlx::query_scalar(of).fetch_one(&mut admin).await.unwrap()
    }

    pub(crate) async fn control(&self, arguments: &[&str]) {
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
            command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
        }
        // A server that is left behind must not hold the test runner's pipe.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut watcher) = self.watcher.take() {
            drop(watcher.stdin.take());
            let _ = watcher.wait();
        }
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

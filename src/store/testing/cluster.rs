//! The PostgreSQL cluster of the tests.
//!
//! Every test is a process of its own, so the cluster belongs to none: the first test to need it
//! starts it under a lock, and the others find it. Whoever uses it holds a second lock, shared, until
//! their end, which the system lets go of however they end. A watcher beside the cluster waits until
//! nobody holds that one any more, and stops the cluster and empties its folder unless somebody
//! comes in the meantime. It holds a third lock while it lives, so that a test which finds the
//! cluster without its watcher starts another.
//!
//! The cluster listens on a socket in its folder only, and forgets everything with it, so nothing is
//! synced to disk.

use std::{
    collections::hash_map::DefaultHasher,
    fs::{self, File},
    hash::{Hash, Hasher},
    io,
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::{
    secret::Secret,
    store::{Store, postgres},
};

/// Whom PostgreSQL runs as when the tests run as root, which it refuses: `nobody`.
const UNPRIVILEGED: u32 = 65_534;

/// How long the cluster waits for another test after the last one has ended, in seconds. Between two
/// that need it there are others that do not.
const IDLE_SECS_MAX: u32 = 20;

/// Held shared by every test that uses the cluster, until its process ends.
static IN_USE: OnceLock<File> = OnceLock::new();

/// A running cluster with its roles and its migrated template.
pub(super) struct Cluster {
    /// The superuser's address.
    pub(super) admin: Secret,
    /// The database to copy.
    pub(super) template: String,
}

/// Returns the address of a database for the superuser, whose address `admin` is.
pub(super) fn database(admin: &Secret, database: &str) -> Secret {
    let mut url = url::Url::parse(admin.expose()).expect("the superuser's address is a URL");
    url.set_path(database);
    Secret::new(String::from(url))
}

/// Returns the address of a database for a role of the tests.
pub(super) fn url(admin: &Secret, role: &str, database: &str) -> Secret {
    let mut url = url::Url::parse(admin.expose()).expect("the superuser's address is a URL");
    url.set_path(database);
    let in_query: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| {
            let value = if name == "user" { role.to_owned() } else { value.into_owned() };
            (name.into_owned(), value)
        })
        .collect();
    if url.host_str().is_some_and(|host| !host.is_empty()) {
        url.set_username(role).expect("a URL with a host takes a user");
        url.set_password(Some(PASSWORD)).expect("a URL with a host takes a password");
    }
    if !in_query.is_empty() {
        url.query_pairs_mut().clear().extend_pairs(in_query);
    }
    Secret::new(String::from(url))
}

/// The password of the tests' roles, for clusters given by address; our own trusts its socket.
const PASSWORD: &str = "doorward-test";

/// Finds the cluster, starting it if need be. `None`, with a word about it, if this machine has no
/// PostgreSQL.
pub(super) async fn find() -> Option<Cluster> {
    let (admin, lock) = match variable("DOORWARD_TEST_DATABASE_URL") {
        Some(url) => (Secret::new(url), lock(&std::env::temp_dir())),
        None => {
            let Some(programs) = programs() else {
                let required = variable("DOORWARD_REQUIRE_PG").is_some_and(|value| value == "1");
                assert!(!required, "DOORWARD_REQUIRE_PG is 1, and there is no initdb and pg_ctl");
                eprintln!("SKIPPED postgres: no initdb and pg_ctl on this machine");
                return None;
            };
            let folder = folder();
            let lock = lock(&folder);
            use_until_the_end(&folder);
            (start(&programs, &folder).expect("PostgreSQL starts"), lock)
        }
    };
    let template = prepare(&admin).await;
    drop(lock);
    Some(Cluster { admin, template })
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where PostgreSQL is")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns the folder with `initdb` and `pg_ctl`: on the path, or where distributions put it, the
/// newest first.
fn programs() -> Option<PathBuf> {
    let path = variable("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    folders.sort();
    folders.reverse();
    folders.extend(std::env::split_paths(&path));
    folders.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists())
}

/// Returns the cluster's folder, one for each checkout, made if absent and ours alone.
fn folder() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    env!("CARGO_MANIFEST_DIR").hash(&mut hasher);
    let uid = rustix::process::getuid().as_raw();
    // A socket's address has room for about a hundred characters, so the folder is not in `target`.
    let folder = std::env::temp_dir().join(format!("doorward-test-pg-{uid}-{:x}", hasher.finish()));
    match fs::DirBuilder::new().mode(0o711).create(&folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => panic!("could not make {}: {error}", folder.display()),
    }
    let owner = fs::symlink_metadata(&folder).expect("the folder is there");
    assert!(owner.is_dir() && owner.uid() == uid, "{} belongs to somebody else", folder.display());
    folder
}

/// Waits until no other test starts or prepares the cluster.
fn lock(folder: &Path) -> File {
    let file = File::create(folder.join("doorward-pg.lock")).expect("the lock file can be made");
    file.lock().expect("the lock can be had");
    file
}

/// Keeps the watcher from stopping the cluster as long as this process lives.
fn use_until_the_end(folder: &Path) {
    IN_USE.get_or_init(|| {
        let file = File::create(folder.join("in-use.lock")).expect("the lock file can be made");
        file.lock_shared().expect("the lock can be had");
        file
    });
}

fn start(programs: &Path, folder: &Path) -> io::Result<Secret> {
    let data = folder.join("data");
    if !is_running(programs, &data) {
        remove_folder(&data)?;
        let mut maker = fs::DirBuilder::new();
        maker.mode(0o700).create(&data)?;
        if rustix::process::getuid().is_root() {
            std::os::unix::fs::chown(&data, Some(UNPRIVILEGED), Some(UNPRIVILEGED))?;
            fs::set_permissions(folder, fs::Permissions::from_mode(0o711))?;
        }
        let flags =
            ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"];
        run(command(&programs.join("initdb")).args(flags).arg(&data))?;
        // The socket lies in the data folder, which only its owner may enter; root may always.
        let options = format!(
            "-c listen_addresses= -c unix_socket_directories={} -c fsync=off -c synchronous_commit=off \
             -c full_page_writes=off -c max_connections=400",
            data.display()
        );
        run(command(&programs.join("pg_ctl"))
            .args(["--wait", "--timeout=60", "--options", &options, "--log"])
            .arg(data.join("server.log"))
            .arg("-D")
            .arg(&data)
            .arg("start"))?;
    }
    watch(programs, folder, IDLE_SECS_MAX)?;
    let host = data.display().to_string();
    let mut url = url::Url::parse("postgres:///postgres").map_err(io::Error::other)?;
    url.query_pairs_mut().append_pair("host", &host).append_pair("user", "postgres");
    Ok(Secret::new(String::from(url)))
}

fn is_running(programs: &Path, data: &Path) -> bool {
    data.join("PG_VERSION").exists()
        && run(command(&programs.join("pg_ctl")).arg("-D").arg(data).arg("status")).is_ok()
}

fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Leaves a watcher behind that ends the cluster when the tests have, unless there is one.
fn watch(programs: &Path, folder: &Path, idle_secs: u32) -> io::Result<()> {
    if File::create(folder.join("watcher.lock"))?.try_lock().is_err() {
        return Ok(());
    }
    for name in ["watcher.lock", "in-use.lock", "doorward-pg.lock"] {
        // The watcher runs as whom PostgreSQL runs as, and opens them too.
        let file = fs::OpenOptions::new().append(true).create(true).open(folder.join(name))?;
        file.set_permissions(fs::Permissions::from_mode(0o666))?;
    }
    let mut watcher = command(Path::new("/bin/sh"));
    watcher.args(["-c", WATCHER, "sh"]).arg(folder).arg(programs).arg(idle_secs.to_string());
    watcher.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Nobody waits for it: it outlives this test by design.
    watcher.spawn().map(drop)
}

/// Takes the folder, the folder of PostgreSQL's programs, and how long to wait for another test.
const WATCHER: &str = r#"
exec 8>>"$1/watcher.lock" && flock -n 8 || exit
echo $$ >&8
while :; do
    flock "$1/in-use.lock" true 8>&-
    sleep "$3" 8>&-
    # Under the lock of those who start the cluster, so that nobody begins to use it meanwhile.
    exec 9>>"$1/doorward-pg.lock" && flock 9
    if flock -n "$1/in-use.lock" true; then
        "$2/pg_ctl" -D "$1/data" -m immediate stop
        rm -rf "$1/data/"*
        exit
    fi
    exec 9>&-
done
"#;

/// Prepares a program to run as somebody PostgreSQL accepts, in a folder that user may be in.
#[expect(clippy::disallowed_methods, reason = "the tests' own database is not a source")]
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").env("LC_ALL", "C");
    if rustix::process::getuid().is_root() {
        command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
    }
    command
}

/// Runs a program to its end. What it prints goes to files nobody keeps open afterwards, so that a
/// server it leaves behind does not hold our test runner's pipe.
fn run(command: &mut Command) -> io::Result<()> {
    let log = tempfile::tempfile()?;
    let status = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?).status()?;
    if status.success() {
        return Ok(());
    }
    let mut log = log;
    let mut said = String::new();
    io::Seek::rewind(&mut log)?;
    io::Read::read_to_string(&mut log, &mut said)?;
    Err(io::Error::other(format!("{command:?}: {status}: {said}")))
}

/// Makes roles and the migrated template unless they are there. Returns the template's name, which
/// changes with the migrations.
async fn prepare(admin_url: &Secret) -> String {
    let mut hasher = DefaultHasher::new();
    for migration in postgres::MIGRATOR.iter() {
        (migration.version, &migration.checksum).hash(&mut hasher);
    }
    let template = format!("template_{:x}", hasher.finish());

    let mut admin = PgConnection::connect(admin_url.expose()).await.expect("the superuser may connect");
    let ready: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = $1 and datistemplate)")
            .bind(&template)
            .fetch_one(&mut admin)
            .await
            .expect("databases can be listed");
    if !ready {
        // A template that was begun and not finished is not marked as one.
        let statements = [
            format!("drop database if exists {template}"),
            ROLES.to_owned(),
            format!("create database {template} owner doorward_owner"),
        ];
        for statement in statements {
            sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&mut admin)
                .await
                .expect("the cluster is prepared");
        }
        let owner = url(admin_url, "doorward_owner", &template);
        let app = url(admin_url, "doorward_app", &template);
        Store::open_postgres(&app, Some(&owner)).await.expect("the template migrates").close().await;
        sqlx::raw_sql(AssertSqlSafe(format!("alter database {template} is_template true")))
            .execute(&mut admin)
            .await
            .expect("the template is marked");
    }
    admin.close().await.ok();
    template
}

const ROLES: &str = "do $$
begin
    if not exists (select from pg_roles where rolname = 'doorward_owner') then
        create role doorward_owner login createrole password 'doorward-test';
    end if;
    if not exists (select from pg_roles where rolname = 'doorward_app') then
        create role doorward_app login noinherit password 'doorward-test';
    end if;
end
$$";

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn the_last_test_turns_off_the_light_also_when_it_is_killed() {
        let home = tempfile::tempdir().unwrap();
        let (folder, programs) = (home.path().join("cluster"), home.path().join("bin"));
        for made in [&folder, &programs, &folder.join("data")] {
            fs::create_dir(made).unwrap();
            fs::set_permissions(made, fs::Permissions::from_mode(0o777)).unwrap();
        }
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(programs.join("pg_ctl"), "#!/bin/sh\necho \"$@\" > \"$2/../stopped\"\n").unwrap();
        fs::set_permissions(programs.join("pg_ctl"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.join("data/kept"), "").unwrap();
        let mut tests = [user_of(&folder), user_of(&folder)];

        watch(&programs, &folder, 0).unwrap();
        // Not by trying its lock, which would keep the watcher from taking it.
        until("the watcher is there", || !fs::read(folder.join("watcher.lock")).unwrap().is_empty());
        watch(&programs, &folder, 0).unwrap();
        tests[0].kill().unwrap();
        tests[0].wait().unwrap();
        assert!(!folder.join("stopped").exists(), "one still uses it");
        tests[1].kill().unwrap();
        tests[1].wait().unwrap();

        until("the cluster is stopped", || is_free(&folder.join("watcher.lock")));
        let said = fs::read_to_string(folder.join("stopped")).unwrap();
        assert!(said.contains("-m immediate stop"), "{said}");
        assert!(!folder.join("data/kept").exists());
    }

    /// Starts a process that uses the cluster until it is killed.
    fn user_of(folder: &Path) -> std::process::Child {
        let lock = folder.join("in-use.lock");
        let mut user = command(Path::new("/usr/bin/env"));
        let child = user
            .args(["flock", "--shared", "--no-fork"])
            .arg(&lock)
            .args(["sleep", "1000"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        until("it is in use", || lock.exists() && !is_free(&lock));
        child
    }

    fn is_free(lock: &Path) -> bool {
        File::open(lock).unwrap().try_lock().is_ok()
    }

    fn until(what: &str, mut holds: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < PATIENCE, "{what}");
            std::thread::yield_now();
        }
    }
}

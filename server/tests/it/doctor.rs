//! `doorward doctor`: what is broken is named with its cure, and nothing is made worse by looking.

use std::{fs, os::unix::fs::PermissionsExt};

use doorward::{
    clock::{Clock, Ms},
    model::{Action, RunEvent},
    store::Store,
};

use crate::{running::Place, scripted::Scripted};

/// Whom a test that runs as root stands for, since nothing is shut to root: `nobody`.
const UNPRIVILEGED: &str = "65534";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_order_is_said_to_be() {
    let source = Scripted::start().await;
    let place = with_source(&source.url()).await;
    let before = source.heads().len();

    let (good, said) = doctor(&place).await;

    assert!(good && !said.contains("BAD"), "{said}");
    for part in ["settings", "data folder", "clock", "database", "vault", "ada/scripted"] {
        assert!(said.lines().any(|line| line.starts_with("ok  ") && line.contains(part)), "{part}: {said}");
    }
    assert!(source.heads().len() > before, "the source was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_source_is_named_with_the_step_that_failed() {
    let place = with_source("http://127.0.0.1:9/mcp").await;

    let (good, said) = doctor(&place).await;

    assert!(!good, "{said}");
    let line = line(&said, "BAD", "ada/scripted");
    assert!(line.contains("http://127.0.0.1:9/mcp") && line.contains("at `Connect`"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_or_missing_vault_key_is_told_from_a_broken_database() {
    let (place, other) = (with_source("http://127.0.0.1:9/mcp").await, Place::new());
    other.prepare("").await;
    let file = place.path("data/vault.key");

    fs::copy(other.path("data/vault.key"), &file).unwrap();
    let (_, wrong) = doctor(&place).await;
    fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    let (_, open) = doctor(&place).await;
    fs::remove_file(&file).unwrap();
    let (_, gone) = doctor(&place).await;

    assert!(line(&wrong, "BAD", "vault").contains("belongs to this database"), "{wrong}");
    assert!(line(&open, "BAD", "vault key file").contains("chmod 600"), "{open}");
    assert!(line(&gone, "BAD", "vault").contains("put the file back from your backup"), "{gone}");
    assert!(!file.exists(), "no other key was made in its place");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_gone_or_damaged_is_told_and_not_replaced() {
    let place = Place::new();
    place.prepare("").await;
    let file = place.database();

    fs::write(&file, "this is no database, and it is long enough to be looked at as one").unwrap();
    let (_, damaged) = doctor(&place).await;
    for name in ["doorward.db", "doorward.db-wal", "doorward.db-shm"] {
        let _ = fs::remove_file(place.path("data").join(name));
    }
    let (_, gone) = doctor(&place).await;

    assert!(line(&damaged, "BAD", "database").contains("put the file back from your backup"), "{damaged}");
    assert!(line(&gone, "BAD", "database").contains("is gone"), "{gone}");
    assert!(!file.exists(), "an empty one was made in its place");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_server_that_does_not_answer_is_told_with_the_setting_to_look_at() {
    let place = Place::new().with("DOORWARD_DATABASE_URL", "postgres://app:secret-4711@127.0.0.1:9/doorward");

    let (good, said) = doctor(&place).await;

    assert!(!good && line(&said, "BAD", "database").contains("`database_url`"), "{said}");
    assert!(!said.contains("secret-4711"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_that_cannot_be_used_is_told() {
    let mut place = Place::new();
    fs::write(place.path("data"), "a file").unwrap();
    let (_, no_folder) = doctor(&place).await;
    fs::remove_file(place.path("data")).unwrap();
    place.prepare("").await;
    fs::set_permissions(place.path("data"), PermissionsExt::from_mode(0o700)).unwrap();
    fs::set_permissions(place.folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    if rustix::process::getuid().is_root() {
        let reuid = format!("--reuid={UNPRIVILEGED}");
        place.through = ["setpriv", "--clear-groups", &reuid].map(str::to_owned).into();
    } else {
        fs::set_permissions(place.path("data"), PermissionsExt::from_mode(0o000)).unwrap();
    }
    let (_, shut) = doctor(&place).await;
    fs::set_permissions(place.path("data"), PermissionsExt::from_mode(0o700)).unwrap();

    assert!(line(&no_folder, "BAD", "data folder").contains("data"), "{no_folder}");
    assert!(line(&shut, "BAD", "data folder").contains("run as its owner"), "{shut}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_set_back_is_told() {
    let place = Place::new();
    place.prepare("").await;
    let store = Store::open_sqlite(&place.database()).await.unwrap();
    let mut tx = store.system().await.unwrap();
    let ada = tx.list_users(None, 1).await.unwrap().remove(0);
    let later = Ms(Clock::system().now().0 + 3_600_000);
    tx.append_events(&[RunEvent::new(ada.tenant, later, Action::SignIn)]).await.unwrap();
    tx.commit().await.unwrap();
    store.close().await;

    let (good, said) = doctor(&place).await;

    assert!(!good && line(&said, "BAD", "clock").contains("still to come"), "{said}");
}

/// Returns an installation in which ada has a source at this address.
async fn with_source(url: &str) -> Place {
    let place = Place::new();
    place
        .prepare(&format!("sources: [{{owner: ada, name: scripted, kind: mcp_http, url: '{url}'}}]\n"))
        .await;
    place
}

/// Asks the doctor. Returns whether nothing is bad, and what was said.
async fn doctor(place: &Place) -> (bool, String) {
    let (status, said) = place.run(&["doctor"]).await;
    (status.success(), said)
}

/// Returns the line with this mark about this thing.
fn line<'a>(said: &'a str, mark: &str, what: &str) -> &'a str {
    said.lines()
        .find(|line| line.strip_prefix(mark).is_some_and(|rest| rest.trim_start().starts_with(what)))
        .unwrap_or_else(|| panic!("no line `{mark} {what}`: {said}"))
}

use std::{collections::BTreeMap, path::Path};

use futures::future::join_all;

use super::*;
use crate::{
    audit::{Audit, retain},
    chain::{PublicKey, Verifier},
    egress::{EgressLimits, EgressPolicy},
    metrics::Metrics,
    model::RunEvent,
    secret::Secret,
    store::testing::{TestStore, store_test},
    vault::{KeySource, Vault},
};

/// Noon of a day.
const NOON: Ms = Ms(1_795_262_400_000);
const HOUR: i64 = 3_600_000;

store_test!(each_hour_that_is_over_is_one_file_although_several_processes_export, |test| async move {
    let (ada, bob) = (test.add_user("ada").await, test.add_user("bob").await);
    let clock = Clock::manual(NOON);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let exporters = join_all((0..3).map(|_| exporter(test, &clock, folder.path()))).await;
    let at = |hour: i64, tenant| RunEvent { at: Ms(NOON.0 + hour * HOUR), ..RunEvent::example(tenant) };
    record(test, &[at(0, ada.tenant), at(0, bob.tenant), at(0, ada.tenant), at(1, ada.tenant)]).await;
    let export = async || {
        let written = join_all(exporters.iter().map(Exporter::export_due)).await;
        written.into_iter().map(|written| written.expect("exports are looked for")).sum::<usize>()
    };

    assert_eq!(export().await, 0, "no hour is over");
    clock.advance(Duration::from_secs(3600));
    assert_eq!(export().await, 0, "what belongs to it may still wait for its commit");
    clock.advance(GRACE);
    assert_eq!(export().await, 2);
    clock.advance(Duration::from_secs(5 * 3600));
    assert_eq!(export().await, 1);
    assert_eq!(export().await, 0);

    let files = files(folder.path());
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let hours = ["ada/audit-2026-11-21T12-1-2.jsonl", "ada/audit-2026-11-21T13-3-3.jsonl"];
    assert_eq!(names, [hours[0], hours[1], "bob/audit-2026-11-21T12-1-1.jsonl"]);
    let keys: Vec<PublicKey> = exporters[0].0.notary.keys().await.expect("there is a key");
    let mut verifier = Verifier::new(keys);
    let reports = hours.map(|name| verifier.file(name, files[name].as_bytes()).expect("it holds"));
    assert_eq!(reports.map(|report| (report.tally.events, report.checkpoints)), [(2, 1), (1, 1)]);
    assert_eq!(verifier.unsigned(), 0);
});

store_test!(what_fails_is_told_and_kept_until_it_was_exported, |test| async move {
    let ada = test.add_user("ada").await;
    let clock = Clock::manual(NOON);
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Nothing can be made in what is a file.
    let target = folder.path().join("target");
    fs::write(&target, "a file").expect("a file is written");
    let exporter = exporter(test, &clock, &target).await;
    record(test, &[RunEvent { at: NOON, ..RunEvent::example(ada.tenant) }]).await;
    clock.advance(Duration::from_secs(400 * 86_400));

    assert_eq!(exporter.export_due().await.expect("exports are looked for"), 0);
    let failures = exporter.failures().await.expect("failures are read");
    assert_eq!((exporter.failing(), failures[0].tenant_id), (1, ada.tenant));
    assert!(failures[0].failure.starts_with("could not write into"), "{failures:?}");
    retain(&test.store, clock.now(), true).await.expect("retention runs");
    fs::remove_file(&target).expect("the file is removed");
    // Not at once.
    assert_eq!(exporter.export_due().await.expect("exports are looked for"), 0);
    clock.advance(RETRY);

    assert_eq!(exporter.export_due().await.expect("exports are looked for"), 1);
    assert_eq!(exporter.failing(), 0);
    let left = || async { test.store.read(ada.tenant).await?.list_links(0, 9, 9).await };
    assert_eq!(left().await.expect("events are read").len(), 1);
    retain(&test.store, clock.now(), true).await.expect("retention runs");
    assert!(left().await.expect("events are read").is_empty(), "the plan keeps them no longer");
    assert_eq!(files(&target).len(), 1);
});

store_test!(a_process_that_died_in_the_middle_leaves_the_same_file_to_the_next, |test| async move {
    let ada = test.add_user("ada").await;
    let clock = Clock::manual(NOON);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (dead, next) =
        (exporter(test, &clock, folder.path()).await, exporter(test, &clock, folder.path()).await);
    let event = |at| RunEvent { at, ..RunEvent::example(ada.tenant) };
    record(test, &[event(NOON)]).await;
    clock.advance(Duration::from_secs(2 * 3600));
    let plan = dead.claim(ada.tenant).await.expect("the database answers").expect("there is one to write");
    // Of the same hour, and later than all thought.
    record(test, &[event(NOON)]).await;

    assert_eq!(next.export_due().await.expect("exports are looked for"), 0, "it may be at it");
    clock.advance(LEASE);
    assert_eq!(next.export_due().await.expect("exports are looked for"), 2);
    assert_eq!((plan.behind, plan.last), (0, 1));
    let files = files(folder.path());
    let names: Vec<&String> = files.keys().collect();
    assert_eq!(names, ["ada/audit-2026-11-21T12-1-1.jsonl", "ada/audit-2026-11-21T12-2-2.jsonl"]);
});

async fn exporter(test: &TestStore, clock: &Clock, folder: &Path) -> Exporter {
    let key = KeySource::Settings(Secret::new("07a1".repeat(16)));
    let vault = Vault::open(test.store.clone(), key).await.expect("the key is one");
    let audit = Audit::new(test.store.clone(), Metrics::new(test.store.clone()));
    let notary = Notary::new(test.store.clone(), vault, audit, clock.clone());
    let egress = Egress::new(EgressPolicy::default(), EgressLimits::default());
    let target = Some(ExportTarget::Folder(folder.to_owned()));
    let settings = ExportSettings { target, every: Every::Hour };
    Exporter::new(test.store.clone(), notary, egress, clock.clone(), settings)
}

async fn record(test: &TestStore, events: &[RunEvent]) {
    let mut tx = test.store.system().await.expect("a transaction begins");
    tx.append_events(events).await.expect("the events are added");
    tx.commit().await.expect("the events are kept");
}

/// Returns the files of every organisation by their names, whatever they are called.
fn files(root: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for folder in fs::read_dir(root).expect("the folder is there") {
        let folder = folder.expect("a folder").path();
        for file in fs::read_dir(&folder).expect("the folder is there") {
            let file = file.expect("a file").path();
            let name = file.strip_prefix(root).expect("it is in there").display().to_string();
            files.insert(name, fs::read_to_string(&file).expect("a file is text"));
        }
    }
    files
}

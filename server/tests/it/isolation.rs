//! `doorward doctor --isolation`: the proof that organisations are kept apart, as the owner of an installation runs it.

use std::time::Duration;

use crate::{cluster::Cluster, running::Place};

/// How long everything may take to be tried on both databases, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_crosses_from_one_organisation_to_another_on_either_database() {
    let Some(cluster) = Cluster::start().await else { return };
    let (app, owner) = (cluster.url("doorward_app", "doorward"), cluster.url("doorward_owner", "doorward"));
    let place = Place::new().with("DOORWARD_DATABASE_URL", &app).with("DOORWARD_DATABASE_OWNER_URL", &owner);

    // The role of an installation may not make databases, and is told what to do about it.
    let (ended, refused) = place.run(&["doctor", "--isolation"]).await;
    assert!(!ended.success() && refused.contains("createdb"), "{refused}");
    cluster.execute("alter role doorward_owner createdb").await;
    let (ended, said) = place.run_within(PATIENCE, &["doctor", "--isolation"]).await;

    assert!(ended.success(), "{said}");
    assert!(!said.contains("BAD") && !said.contains("NOT TRIED"), "{said}");
    for part in [
        "GET /api/v1/datasources/{id}",
        "page /presets/{id}",
        "form /do/preset-delete",
        "MCP 2026-07-28 tools/call",
        "MCP 2025-11-25 DELETE",
        "source_tools",
        "organisations ",
    ] {
        assert!(said.lines().any(|line| line.starts_with(part)), "{part}: {said}");
    }
    assert!(!place.path("data/doorward.db").exists(), "the installation was not touched");
    let left =
        cluster.count("select count(*) from pg_database where starts_with(datname::text, 'doorward_')");
    assert_eq!(left.await, 0, "the database of the proof is gone");
}

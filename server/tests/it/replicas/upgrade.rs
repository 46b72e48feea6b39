//! A new version with a new migration, one process after the other.

use futures::future::join_all;

use super::{load::Load, scene::Scene};
use crate::running::Running;

/// What the newest migration made, taken back: the database is as the version before left it.
const BEFORE: &str = "drop table sign_in_attempts; delete from _sqlx_migrations where version = 30;";

/// What a version after this one would add, while this one runs.
const ADDED: [&str; 3] = [
    "alter table audit_blocks add column of_a_newer_program text",
    "create index concurrently audit_blocks_newer on audit_blocks (tenant_id, of_a_newer_program)",
    "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
     values (9998, 'of a newer program', true, '', 0)",
];

const TAKEN_AWAY: &str =
    "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
     values (9999, 'contract of a newer program', true, '', 0)";

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_is_made_while_the_others_answer_and_no_call_fails() {
    let Some(scene) = Scene::start().await else { return };
    let mut running: Vec<Option<Running<'_>>> = scene.serve_all().await.into_iter().map(Some).collect();
    scene.all_know_each_other(running.iter().flatten()).await;
    scene.cluster.execute_in("doorward", BEFORE).await;
    let load = Load::begin(&scene, &scene.key("ada.key"), 6).await;

    for (place, replica) in scene.places.iter().zip(&mut running) {
        replica.take().unwrap().stop().await;
        *replica = Some(place.serve().await);
    }
    let (calls, failed) = load.end_after(200).await;

    assert_eq!(failed, 0, "of {calls} calls");
    assert_eq!(scene.cluster.count("select count(*) from _sqlx_migrations where version = 30").await, 1);
    join_all(running.into_iter().flatten().map(Running::stop)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_before_serves_what_a_newer_one_has_added_to_until_that_takes_something_away() {
    let Some(scene) = Scene::start().await else { return };
    let mut running: Vec<Option<Running<'_>>> = scene.serve_all().await.into_iter().map(Some).collect();
    scene.all_know_each_other(running.iter().flatten()).await;
    let load = Load::begin(&scene, &scene.key("ada.key"), 6).await;

    for statement in ADDED {
        scene.cluster.execute_in("doorward", statement).await;
    }
    // One that crashed, or the way back to the version before.
    for (place, replica) in scene.places.iter().zip(&mut running) {
        replica.take().unwrap().stop().await;
        *replica = Some(place.serve().await);
    }
    let (calls, failed) = load.end_after(200).await;

    assert_eq!(failed, 0, "of {calls} calls");
    join_all(running.into_iter().flatten().map(Running::stop)).await;
    scene.cluster.execute_in("doorward", TAKEN_AWAY).await;
    let refused = scene.places[0].try_serve().await.err().unwrap();
    assert!(refused.contains("takes away what older programs need"), "{refused}");
}

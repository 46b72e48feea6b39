use std::collections::BTreeMap;

use url::Url;

use super::world::{Script, World, new_source};
use crate::{
    model::{Auth, Credential, HealthState, InstanceRole, Reach, SourceName, ToolState},
    secret::Secret,
    sources::{SourceChange, SourceError},
    store::testing::TestStore,
};

#[tokio::test]
async fn a_credential_reaches_its_source_and_is_never_kept_in_the_clear() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[("send", "Sends.")]).await;
    script.wants("hunter2");

    let mut new = new_source("mail", &script);
    new.credential.auth = Auth::Bearer(Secret::new("hunter2"));
    let added = world.sources.add(&ada, new).await.unwrap();

    assert!(added.report.passed());
    assert_eq!(added.source.auth_kind, "bearer");
    let sealed =
        world.db.store.read(ada.tenant).await.unwrap().source_credential(added.source.id).await.unwrap();
    assert!(!sealed.unwrap().contains("hunter2"));
    assert!(!format!("{added:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_credential_does_not_follow_its_source_to_another_host() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let (script, thief) = (Script::new(&[]).await, Script::new(&[]).await);
    let mut new = new_source("mail", &script);
    new.credential.auth = Auth::Bearer(Secret::new("hunter2"));
    let source = world.sources.add(&ada, new).await.unwrap().source;
    let moved = |auth| SourceChange {
        reach: Some(Reach::McpHttp { url: thief.url.clone() }),
        auth,
        ..SourceChange::default()
    };

    let refused = world.sources.update(&ada, source.id, moved(None), 1).await.unwrap_err();
    assert!(matches!(refused, SourceError::Invalid { part: "auth", .. }), "{refused}");
    let by_variables = SourceChange { env: Some(BTreeMap::new()), ..moved(None) };
    world.sources.update(&ada, source.id, by_variables, 1).await.unwrap();
    world.sources.refresh(&ada, source.id).await.unwrap();

    assert!(!thief.seen().is_empty());
    assert!(thief.seen().iter().all(Option::is_none), "the credential went along: {:?}", thief.seen());
}

#[tokio::test]
async fn a_credential_stays_when_only_the_path_changes() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[]).await;
    let mut new = new_source("mail", &script);
    new.credential.auth = Auth::Bearer(Secret::new("hunter2"));
    let source = world.sources.add(&ada, new).await.unwrap().source;
    let mut url = script.url.clone();
    url.set_query(Some("team=1"));

    let change = SourceChange { reach: Some(Reach::McpHttp { url }), ..SourceChange::default() };
    let after = world.sources.update(&ada, source.id, change, 1).await.unwrap();
    world.sources.refresh(&ada, source.id).await.unwrap();

    assert_eq!((after.version, after.auth_kind.as_str()), (2, "bearer"));
    assert_eq!(script.seen().last().unwrap().as_deref(), Some("Bearer hunter2"));
}

#[tokio::test]
async fn the_second_of_two_editors_is_told_who_was_first() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[]).await;
    let source = world.add(&ada, "mail", &script).await.source;
    let renamed =
        |name: &str| SourceChange { name: Some(SourceName::parse(name).unwrap()), ..SourceChange::default() };
    world.sources.update(&ada, source.id, renamed("post"), 1).await.unwrap();
    world.write_audit().await;

    let refused = world.sources.update(&ada, source.id, renamed("letters"), 1).await.unwrap_err();

    assert!(refused.to_string().starts_with("ada changed this data source at 2026-"), "{refused}");
    assert_eq!(world.sources.find(&ada, source.id).await.unwrap().unwrap().name.as_str(), "post");
}

#[tokio::test]
async fn a_plan_limits_the_sources_and_a_name_is_used_once() {
    let world = World::new().await;
    let ada = world.member("ada", InstanceRole::Member, "free").await;
    let bob = world.person("bob").await;
    let script = Script::new(&[]).await;
    world.add(&ada, "mail", &script).await;
    world.add(&bob, "mail", &script).await;

    let too_many = world.sources.add(&ada, new_source("post", &script)).await.unwrap_err();
    let taken = world.sources.add(&bob, new_source("mail", &script)).await.unwrap_err();

    assert!(matches!(too_many, SourceError::Limit { limit: 1, .. }), "{too_many}");
    assert!(matches!(taken, SourceError::NameTaken { .. }), "{taken}");
}

#[tokio::test]
async fn a_plan_limits_the_sources_though_two_processes_add_them() {
    let stores = [Some(TestStore::sqlite().await), TestStore::postgres().await];
    for db in stores.into_iter().flatten() {
        let world = World::on(db).await;
        let other = world.sources_of_another_process().await;
        let script = Script::new(&[]).await;

        for n in 0..10 {
            let ada = world.member(&format!("ada-{n}"), InstanceRole::Member, "free").await;
            let (one, two) = tokio::join!(
                world.sources.add(&ada, new_source("mail", &script)),
                other.add(&ada, new_source("post", &script)),
            );

            assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "{one:?} {two:?}");
        }
    }
}

#[tokio::test]
async fn a_source_switched_off_refuses_the_next_call() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[]).await;
    let source = world.add(&ada, "mail", &script).await.source;
    world.sources.link(ada.tenant, source.id).await.unwrap();

    world.sources.set_enabled(&ada, source.id, false).await.unwrap();
    let refused = world.sources.link(ada.tenant, source.id).await.unwrap_err();
    world.sources.set_enabled(&ada, source.id, true).await.unwrap();

    assert!(matches!(refused, SourceError::Disabled { .. }), "{refused}");
    assert!(world.sources.link(ada.tenant, source.id).await.is_ok());
}

#[tokio::test]
async fn a_link_is_found_without_the_database_and_outlives_a_new_name() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[]).await;
    let source = world.add(&ada, "mail", &script).await.source;
    let before = world.sources.link(ada.tenant, source.id).await.unwrap();
    let name = Some(SourceName::parse("post").unwrap());
    world.sources.update(&ada, source.id, SourceChange { name, ..SourceChange::default() }, 1).await.unwrap();
    let after = world.sources.link(ada.tenant, source.id).await.unwrap();
    world.db.store.close().await;

    let warm = world.sources.link(ada.tenant, source.id).await.unwrap();

    assert!(std::sync::Arc::ptr_eq(&before, &after) && std::sync::Arc::ptr_eq(&after, &warm));
}

#[tokio::test]
async fn another_address_is_held_against_what_was_accepted() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let (script, other) = (Script::new(&[("send", "one")]).await, Script::new(&[("send", "two")]).await);
    let source = world.add(&ada, "mail", &script).await.source;
    let reach = Some(Reach::McpHttp { url: other.url.clone() });
    let after = world
        .sources
        .update(&ada, source.id, SourceChange { reach, ..SourceChange::default() }, 1)
        .await
        .unwrap();
    assert_eq!(after.health.state, HealthState::Unknown);

    let change = world.sources.refresh(&ada, source.id).await.unwrap();

    assert_eq!(change.changed, ["send"]);
    assert_eq!(world.sources.tools(&ada, source.id).await.unwrap()[0].state, ToolState::Changed);
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_and_nothing_is_kept() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[]).await;
    let mut with_variables = new_source("mail", &script);
    with_variables.credential =
        Credential { env: BTreeMap::from([("A".into(), Secret::new("b"))]), ..Credential::default() };
    let mut odd_address = new_source("mail", &script);
    odd_address.reach = Reach::McpHttp { url: Url::parse("http://user:pw@127.0.0.1/").unwrap() };

    for new in [with_variables, odd_address] {
        let refused = world.sources.add(&ada, new).await.unwrap_err();
        assert!(matches!(refused, SourceError::Invalid { .. }), "{refused}");
    }

    assert!(world.sources.list(&ada).await.unwrap().is_empty());
    assert!(script.seen().is_empty(), "a refused source was reached");
}

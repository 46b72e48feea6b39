use super::world::{Script, World, new_process, new_source};
use crate::{
    model::{ApiKeyId, InstanceRole, KeyScope, Member, OrgRole, Outcome, Source, SourceId, SourceName, Via},
    policy::Denied,
    sources::{Accept, NewSource, SourceChange, SourceError, Subject},
};

#[tokio::test]
async fn nobody_but_an_instance_admin_has_a_process_started_whatever_the_way_in() {
    let world = World::new().await;
    let admin = world.member("root-ada", InstanceRole::Admin, "enterprise").await;
    let demoted = Member { instance_role: InstanceRole::Member, ..admin.clone() };
    let stdio = new_process("files", false);
    let kept = world.sources.add(&admin, stdio.clone()).await.unwrap().source;
    let script = Script::new(&[]).await;
    let http = world.add(&demoted, "mail", &script).await.source;
    let reach = Some(stdio.reach.clone());
    let sources = &world.sources;
    let (id, name) = (kept.id, Some(SourceName::parse("other").unwrap()));

    let refusals = [
        sources.add(&demoted, NewSource { name: name.clone().unwrap(), ..stdio }).await.err(),
        sources.update(&demoted, http.id, SourceChange { reach, ..SourceChange::default() }, 1).await.err(),
        sources.update(&demoted, id, SourceChange { name, ..SourceChange::default() }, 1).await.err(),
        sources.set_enabled(&demoted, id, true).await.err(),
        sources.test(&demoted, id).await.err(),
        sources.refresh(&demoted, id).await.err(),
        sources.accept_tools(&demoted, id, Accept::All).await.err(),
    ];

    for (way, refusal) in refusals.into_iter().enumerate() {
        let denied = matches!(refusal, Some(SourceError::Denied(Denied::InstanceAdmin)));
        assert!(denied, "way {way}: {refusal:?}");
    }
    let left: Vec<Source> =
        sources.list(&admin).await.unwrap().into_iter().map(|summary| summary.source).collect();
    assert_eq!(left, [kept, world.sources.find(&admin, http.id).await.unwrap().unwrap()]);
    assert!(world.upstreams.status(id).is_none(), "a process was started");
}

#[tokio::test]
async fn a_refused_process_is_in_the_audit_log() {
    let world = World::new().await;
    let eve = world.person("eve").await;

    world.sources.add(&eve, new_process("shell", true)).await.unwrap_err();
    world.write_audit().await;

    let events = world.audit.search(&eve, &Default::default()).await.unwrap();
    assert_eq!((events[0].principal.as_str(), events[0].source_name.as_str()), ("eve", "shell"));
    assert_eq!(events[0].outcome, Outcome::Refused);
}

#[tokio::test]
async fn an_edit_whose_person_went_away_is_in_the_audit_log_too() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let subject = Subject::Source(SourceId::new(), "mail".to_owned());

    drop(world.sources.trail().begin(&ada, "edit", subject));
    world.write_audit().await;

    let events = world.audit.search(&ada, &Default::default()).await.unwrap();
    assert_eq!((events[0].outcome, events[0].subject.as_str()), (Outcome::Cancelled, "edit"));
}

#[tokio::test]
async fn a_process_may_be_switched_off_and_removed_by_those_who_may_not_start_it() {
    let world = World::new().await;
    let admin = world.member("root-ada", InstanceRole::Admin, "enterprise").await;
    let demoted = Member { instance_role: InstanceRole::Member, ..admin.clone() };
    let id = world.sources.add(&admin, new_process("files", false)).await.unwrap().source.id;

    assert!(world.sources.set_enabled(&demoted, id, false).await.is_ok());
    assert!(world.sources.remove(&demoted, id).await.is_ok());
}

#[tokio::test]
async fn somebody_elses_source_and_none_at_all_look_alike() {
    let world = World::new().await;
    let (ada, eve) = (world.person("ada").await, world.person("eve").await);
    let script = Script::new(&[("send", "Sends.")]).await;
    let id = world.add(&ada, "mail", &script).await.source.id;
    // It is in memory, where the next look finds it.
    world.sources.link(ada.tenant, id).await.unwrap();
    let sources = &world.sources;

    assert!(sources.find(&eve, id).await.unwrap().is_none());
    assert!(sources.detail(&eve, id).await.unwrap().is_none());
    assert!(sources.list(&eve).await.unwrap().is_empty());
    let refusals = [
        sources.update(&eve, id, SourceChange::default(), 1).await.err(),
        sources.set_enabled(&eve, id, false).await.err(),
        sources.remove(&eve, id).await.err(),
        sources.impact(&eve, id).await.err(),
        sources.test(&eve, id).await.err(),
        sources.refresh(&eve, id).await.err(),
        sources.tools(&eve, id).await.err(),
        sources.accept_tools(&eve, id, Accept::All).await.err(),
        sources.link(eve.tenant, id).await.err(),
    ];
    for (way, refusal) in refusals.into_iter().enumerate() {
        assert!(matches!(refusal, Some(SourceError::NotFound)), "way {way}: {refusal:?}");
    }
}

#[tokio::test]
async fn a_role_that_only_looks_changes_nothing_and_a_limited_key_sees_nothing() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[]).await;
    let id = world.add(&ada, "mail", &script).await.source.id;
    let viewer = Member { org_role: OrgRole::Viewer, ..ada.clone() };
    let via = Via::ApiKey {
        id: ApiKeyId::new(),
        name: "k".into(),
        scope: KeyScope::Presets(Vec::new()),
        rate: None,
    };
    let limited = Member { via, ..ada.clone() };

    assert!(world.sources.find(&viewer, id).await.unwrap().is_some());
    for refusal in [
        world.sources.add(&viewer, new_source("post", &script)).await.err(),
        world.sources.test(&viewer, id).await.err(),
        world.sources.remove(&viewer, id).await.err(),
        world.sources.detect(&viewer, &script.url, None, None).await.err(),
        world.sources.list(&limited).await.err(),
        world.sources.add(&limited, new_source("post", &script)).await.err(),
    ] {
        assert!(matches!(refusal, Some(SourceError::Denied(_))), "{refusal:?}");
    }
}

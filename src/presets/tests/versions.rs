//! What a preset was: kept edit by edit, compared, and gone back to.

use super::*;
use crate::{
    model::{AccessLevel, ChangeKind, Handle},
    presets::{MissingTool, NewGrantee},
};

#[tokio::test]
async fn each_edit_is_a_version_that_can_be_gone_back_to() {
    each_edit_is_a_version(TestStore::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_edit_is_a_version_that_can_be_gone_back_to_on_postgres() {
    if let Some(db) = TestStore::postgres().await {
        each_edit_is_a_version(db).await;
    }
}

async fn each_edit_is_a_version(db: TestStore) {
    let world = World::on(db).await;
    let (ada, bob) = (world.person("ada").await, world.person("bob").await);
    let (one, two) =
        (Script::new(&[("search", "one"), ("send", "two")]).await, Script::new(&[("x", "y")]).await);
    let mail = world.add(&ada, "mail", &one).await.source.id;
    let wiki = world.add(&ada, "wiki", &two).await.source.id;
    let some = |names: &[&str]| Selection {
        all: false,
        tools: names.iter().map(|name| tool(name, true)).collect(),
        ..all(mail)
    };
    let id = world
        .presets
        .add(&ada, new_preset("ops", vec![some(&["search", "send"]), all(wiki)]))
        .await
        .unwrap()
        .id;
    world.clock.advance(std::time::Duration::from_secs(60));
    world.presets.set_selections(&ada, id, vec![some(&["search"])], 1).await.unwrap();
    let public = PresetChange {
        title: Some("Operations".into()),
        visibility: Some(Visibility::Public),
        ..PresetChange::default()
    };
    world.presets.update(&ada, id, public, 2).await.unwrap();
    world.presets.set_status(&ada, id, PresetStatus::Disabled).await.unwrap();

    let (_, versions) = world.presets.versions(&ada, id).await.unwrap();
    let told: Vec<_> = versions.iter().map(|one| (one.version, one.summary.as_str())).collect();
    assert_eq!(
        told,
        [
            (4, "status changed"),
            (3, "title, visibility changed"),
            (2, "1 source removed; 1 tool removed; later tools changed"),
            (1, "made"),
        ]
    );
    assert!(versions.iter().all(|one| one.saved_by == "ada"));
    assert_eq!(versions[2].saved_at.since(versions[3].saved_at).as_secs(), 60);
    let compared = world.presets.compare_versions(&ada, id, Some(1), 3).await.unwrap();
    let kinds: Vec<_> = compared.changes.iter().map(|change| change.what).collect();
    assert_eq!(
        kinds,
        [
            ChangeKind::Setting,
            ChangeKind::Setting,
            ChangeKind::ToolRemoved,
            ChangeKind::SourceRemoved,
            ChangeKind::AllTools
        ]
    );
    let first = world.presets.compare_versions(&ada, id, None, 1).await.unwrap();
    assert!(first.before.is_none() && first.changes.is_empty());
    let none = world.presets.compare_versions(&ada, id, None, 9).await;
    assert!(matches!(none, Err(PresetError::NoVersion { version: 9 })), "{none:?}");

    // One tool is gone from its source since, and a whole source.
    one.lists(&[("search", "one")]);
    world.sources.refresh(&ada, mail).await.unwrap();
    world.sources.remove(&ada, wiki).await.unwrap();
    let stale = world.presets.roll_back(&ada, id, 1, 3).await;
    assert!(matches!(stale, Err(PresetError::Stale { version: 4, .. })), "{stale:?}");
    let back = world.presets.roll_back(&ada, id, 1, 4).await.unwrap();

    let missing: Vec<_> =
        back.missing.iter().map(|MissingTool { source, tool }| (source.as_str(), tool.as_deref())).collect();
    assert_eq!(missing, [("mail", Some("send")), ("wiki", None)]);
    let preset = &back.preset;
    assert_eq!((preset.version, preset.title.as_str()), (5, "ops"));
    assert_eq!(
        (preset.visibility, preset.status),
        (Visibility::Public, PresetStatus::Disabled),
        "nothing opens"
    );
    assert_eq!(world.presets.selections(&ada, id).await.unwrap(), [some(&["search", "send"])]);
    let (_, versions) = world.presets.versions(&ada, id).await.unwrap();
    assert_eq!(versions[0].summary, "back to version 1: 1 tool added; title changed");

    let changed = PresetChange { title: Some("No".into()), ..PresetChange::default() };
    world.presets.rehearse_update(&ada, id, changed, 5).await.unwrap();
    assert_eq!(world.presets.versions(&ada, id).await.unwrap().1.len(), 5, "a rehearsal keeps nothing");
    let hidden = world.presets.versions(&bob, id).await;
    assert!(matches!(hidden, Err(PresetError::NotFound)), "what is switched off is not there for him");
    world.presets.set_status(&ada, id, PresetStatus::Active).await.unwrap();
    assert!(
        matches!(world.presets.versions(&bob, id).await, Err(PresetError::Denied(_))),
        "public, and his to use"
    );
    let who = NewGrantee::User(Handle::parse("bob").unwrap());
    world.presets.share(&ada, id, who, AccessLevel::Editor).await.unwrap();
    assert_eq!(world.presets.roll_back(&bob, id, 3, 6).await.unwrap().preset.version, 7);
    assert_eq!(world.presets.versions(&bob, id).await.unwrap().1[0].saved_by, "bob");
    world.db.remove().await;
}

#[tokio::test]
async fn what_a_preset_was_before_versions_were_kept_is_kept_with_the_first_edit() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let id = world.presets.add(&ada, new_preset("ops", Vec::new())).await.unwrap().id;
    let mut tx = world.db.store.tenant(ada.tenant).await.unwrap();
    let mut preset = tx.find_preset(id).await.unwrap().unwrap();
    preset.title = "Before".into();
    // As a version of the program does that keeps none.
    assert!(tx.update_preset(&preset, 1).await.unwrap());
    tx.commit().await.unwrap();

    let change = PresetChange { title: Some("After".into()), ..PresetChange::default() };
    world.presets.update(&ada, id, change, 2).await.unwrap();

    let (_, versions) = world.presets.versions(&ada, id).await.unwrap();
    let told: Vec<_> = versions.iter().map(|one| (one.version, one.saved_by.as_str())).collect();
    assert_eq!(told, [(3, "ada"), (2, ""), (1, "ada")]);
    assert_eq!(world.presets.roll_back(&ada, id, 2, 3).await.unwrap().preset.title, "Before");
}

#[tokio::test]
async fn a_preset_ends_by_the_clock_alone_and_its_owner_says_when() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let id = world.presets.add(&ada, new_preset("ops", Vec::new())).await.unwrap().id;
    let hour = std::time::Duration::from_secs(3600);
    let end = world.clock.now().plus(hour);
    world.presets.set_expiry(&ada, id, Some(end)).await.unwrap();
    let table = table(&world, "ada", "ops").await.unwrap();
    let member = crate::model::Principal::Member(Arc::new(ada.clone()));
    let answers =
        || crate::policy::may_call(&member, &table.preset, &table.access, world.clock.now()).is_some();
    assert!(answers());

    world.clock.advance(hour);

    assert!(!answers(), "the table that was in memory says so itself");
    let later = world.presets.set_expiry(&ada, id, Some(end.plus(hour))).await.unwrap();
    assert!(later.answers(world.clock.now()));
    let (_, versions) = world.presets.versions(&ada, id).await.unwrap();
    assert_eq!(versions[0].summary, "expiry changed");
}

#[tokio::test]
async fn sharing_a_private_preset_is_a_version_too() {
    let world = World::new().await;
    let (ada, _) = (world.person("ada").await, world.person("bob").await);
    let id = world.presets.add(&ada, new_preset("ops", Vec::new())).await.unwrap().id;

    let who = NewGrantee::User(Handle::parse("bob").unwrap());
    world.presets.share(&ada, id, who, AccessLevel::Viewer).await.unwrap();

    let (_, versions) = world.presets.versions(&ada, id).await.unwrap();
    assert_eq!((versions[0].version, versions[0].summary.as_str()), (2, "visibility changed"));
}

//! Sharing with single people: who may what, and that taking it away holds at once.

use std::{collections::BTreeMap, sync::Arc};

use super::*;
use crate::{
    model::{AccessLevel, Email, Handle, OrgRole, Principal},
    policy,
    presets::{ACCESS_MAX, NewGrantee},
    store::testing::TestStore,
};

#[tokio::test]
async fn a_preset_is_shared_by_level_and_taken_away_at_once() {
    a_preset_is_shared_by_level(TestStore::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preset_is_shared_by_level_and_taken_away_at_once_on_postgres() {
    if let Some(db) = TestStore::postgres().await {
        a_preset_is_shared_by_level(db).await;
    }
}

async fn a_preset_is_shared_by_level(db: TestStore) {
    let world = World::on(db).await;
    let (ada, bob, eve) = (world.person("ada").await, world.person("bob").await, world.person("eve").await);
    let script = Script::new(&[("search", "one"), ("send", "two")]).await;
    let (mail, other) =
        (world.add(&ada, "mail", &script).await.source.id, world.add(&ada, "other", &script).await.source.id);
    let id = world.presets.add(&ada, new_preset("ops", vec![all(mail)])).await.unwrap().id;
    assert!(!may_call(&world, &bob).await, "a private preset is its owner's");

    let entry = world.presets.share(&ada, id, user("bob"), AccessLevel::Viewer).await.unwrap();
    let again = world.presets.share(&ada, id, user("bob"), AccessLevel::Viewer).await.unwrap();
    assert_eq!((entry.id, again.level), (again.id, AccessLevel::Viewer), "nobody is on it twice");
    assert!(may_call(&world, &bob).await && !may_call(&world, &eve).await);
    assert_eq!(
        world.presets.find(&bob, id).await.unwrap().unwrap().preset.visibility,
        Visibility::InviteOnly
    );
    let shared = world.presets.shared_with(&bob).await.unwrap();
    assert_eq!((shared.len(), shared[0].owner.as_str()), (1, "ada"));
    assert!(world.presets.shared_with(&eve).await.unwrap().is_empty());

    let title = || PresetChange { title: Some("Bob's".to_owned()), ..PresetChange::default() };
    let version = world.presets.find(&ada, id).await.unwrap().unwrap().preset.version;
    assert!(denied(world.presets.update(&bob, id, title(), version).await), "a viewer changes nothing");
    assert!(denied(world.presets.editor(&bob, id).await));
    assert!(denied(world.presets.share(&bob, id, user("eve"), AccessLevel::Viewer).await));

    world.presets.share(&ada, id, user("bob"), AccessLevel::Editor).await.unwrap();
    world.presets.update(&bob, id, title(), version).await.unwrap();
    let editor = world.presets.editor(&bob, id).await.unwrap().unwrap();
    let seen: Vec<_> = editor.sources.iter().map(|one| one.source.id).collect();
    assert_eq!((seen, editor.owner.as_str()), (vec![mail], "ada"), "only what it takes from already");
    let some = Selection { all: false, tools: vec![tool("send", true)], ..all(mail) };
    world.presets.set_selections(&bob, id, vec![some], version + 1).await.unwrap();
    let widened = world.presets.set_selections(&bob, id, vec![all(mail), all(other)], version + 2).await;
    assert!(denied(widened), "whose credential is opened is the owner's choice");
    let public = PresetChange { visibility: Some(Visibility::Public), ..PresetChange::default() };
    assert!(denied(world.presets.update(&bob, id, public.clone(), version + 2).await));

    world.presets.share(&ada, id, user("bob"), AccessLevel::Admin).await.unwrap();
    let moved = PresetChange { slug: Some(slug("mine")), ..PresetChange::default() };
    assert!(denied(world.presets.update(&bob, id, moved, version + 2).await), "its address is the owner's");
    assert!(denied(world.presets.set_status(&bob, id, PresetStatus::Disabled).await));
    assert!(denied(world.presets.remove(&bob, id).await));
    let his = world.presets.share(&bob, id, email("eve@example.org"), AccessLevel::Viewer).await.unwrap();
    assert!(may_call(&world, &eve).await, "an address reaches the account that has it");

    assert!(world.presets.unshare(&ada, id, his.id).await.unwrap());
    assert!(!world.presets.unshare(&ada, id, his.id).await.unwrap());
    assert!(!may_call(&world, &eve).await);
    let private = PresetChange { visibility: Some(Visibility::Private), ..PresetChange::default() };
    world.presets.update(&ada, id, private, version + 2).await.unwrap();
    assert!(!may_call(&world, &bob).await, "the list of a private preset opens nothing");
    assert!(matches!(world.presets.access(&bob, id).await, Err(PresetError::NotFound)));
    assert_eq!(world.presets.access(&ada, id).await.unwrap().1.len(), 1, "and is kept");
    world.db.remove().await;
}

#[tokio::test]
async fn an_address_waits_for_its_account_and_a_role_for_its_members() {
    an_address_waits_for_its_account(TestStore::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_waits_for_its_account_and_a_role_for_its_members_on_postgres() {
    if let Some(db) = TestStore::postgres().await {
        an_address_waits_for_its_account(db).await;
    }
}

async fn an_address_waits_for_its_account(db: TestStore) {
    let world = World::on(db).await;
    let (ada, eve) = (world.person("ada").await, world.person("eve").await);
    let id = world.presets.add(&ada, new_preset("ops", Vec::new())).await.unwrap().id;
    world.presets.share(&ada, id, email("bob@example.org"), AccessLevel::Viewer).await.unwrap();
    table(&world, "ada", "ops").await.unwrap();

    let bob = world.person("bob").await;
    world.changes.announce(Change::User(bob.user));
    assert!(may_call(&world, &bob).await);
    assert_eq!(world.presets.shared_with(&bob).await.unwrap().len(), 1);

    let team = NewGrantee::Members(Handle::parse("eve").unwrap(), OrgRole::Operator);
    world.presets.share(&ada, id, team, AccessLevel::Viewer).await.unwrap();
    let as_viewer = Member { org_role: OrgRole::Viewer, ..eve.clone() };
    assert!(may_call(&world, &eve).await && !may_call(&world, &as_viewer).await);
    assert_eq!(world.presets.shared_with(&eve).await.unwrap().len(), 1);
    assert!(world.presets.shared_with(&as_viewer).await.unwrap().is_empty());

    let nobody = world.presets.share(&ada, id, user("nobody"), AccessLevel::Viewer).await.unwrap_err();
    assert!(matches!(nobody, PresetError::Invalid { part: "user", .. }), "{nobody}");
    world.presets.remove(&ada, id).await.unwrap();
    assert!(world.presets.shared_with(&bob).await.unwrap().is_empty());
    world.db.remove().await;
}

#[tokio::test]
async fn a_list_is_replaced_as_a_whole_and_has_an_end() {
    let world = World::new().await;
    let (ada, _bob) = (world.person("ada").await, world.person("bob").await);
    let id = world.presets.add(&ada, new_preset("ops", Vec::new())).await.unwrap().id;
    let kept = world.presets.share(&ada, id, user("bob"), AccessLevel::Viewer).await.unwrap();
    world.presets.share(&ada, id, email("x@example.org"), AccessLevel::Viewer).await.unwrap();
    let list = |levels: &[(NewGrantee, AccessLevel)]| levels.iter().cloned().collect::<BTreeMap<_, _>>();

    let new = list(&[(user("bob"), AccessLevel::Editor), (email("y@example.org"), AccessLevel::Viewer)]);
    world.presets.check_access(&new).await.unwrap();
    let unknown = world.presets.check_access(&list(&[(user("nobody"), AccessLevel::Viewer)])).await;
    assert!(matches!(unknown, Err(PresetError::Invalid { part: "user", .. })));
    assert_eq!(world.presets.access(&ada, id).await.unwrap().1[0], kept, "a check changes nothing");
    world.presets.set_access(&ada, id, new).await.unwrap();

    let after = world.presets.access(&ada, id).await.unwrap().1;
    let named: BTreeMap<NewGrantee, _> =
        after.iter().map(|entry| (NewGrantee::from(&entry.who), entry.level)).collect();
    assert_eq!(
        named,
        list(&[(user("bob"), AccessLevel::Editor), (email("y@example.org"), AccessLevel::Viewer)])
    );
    assert_eq!(after[0].id, kept.id, "who stays keeps the entry");

    let many = (0..=ACCESS_MAX).map(|n| (email(&format!("p{n}@example.org")), AccessLevel::Viewer));
    let refused = world.presets.set_access(&ada, id, many.collect()).await.unwrap_err();
    assert!(matches!(refused, PresetError::Invalid { part: "access", .. }), "{refused}");
    assert_eq!(world.presets.access(&ada, id).await.unwrap().1.len(), 2, "half of it was kept");
}

#[tokio::test]
async fn what_the_invited_do_stands_in_the_owners_log() {
    let world = World::new().await;
    let (ada, bob) = (world.person("ada").await, world.person("bob").await);
    let id = world.presets.add(&ada, new_preset("ops", Vec::new())).await.unwrap().id;
    world.presets.share(&ada, id, user("bob"), AccessLevel::Editor).await.unwrap();
    let title = PresetChange { title: Some("Bob's".to_owned()), ..PresetChange::default() };
    world.presets.update(&bob, id, title, 2).await.unwrap();
    world.write_audit().await;

    let filter = crate::store::EventFilter { limit: 10, ..Default::default() };
    let events = world.db.store.read(ada.tenant).await.unwrap().list_events(&filter).await.unwrap();
    let told: Vec<_> =
        events.iter().map(|event| (event.principal.as_str(), event.subject.as_str())).collect();
    assert_eq!(told, [("bob", "edit"), ("ada", "share"), ("ada", "add")]);
    assert!(world.db.store.read(bob.tenant).await.unwrap().list_events(&filter).await.unwrap().is_empty());
}

pub(super) fn denied<T>(result: Result<T, PresetError>) -> bool {
    matches!(result, Err(PresetError::Denied(_)))
}

async fn may_call(world: &World, member: &Member) -> bool {
    let table = table(world, "ada", "ops").await.unwrap();
    let now = world.clock.now();
    policy::may_call(&Principal::Member(Arc::new(member.clone())), &table.preset, &table.access, now)
        .is_some()
}

fn user(handle: &str) -> NewGrantee {
    NewGrantee::User(Handle::parse(handle).unwrap())
}

fn email(address: &str) -> NewGrantee {
    NewGrantee::Email(Email::parse(address).unwrap())
}

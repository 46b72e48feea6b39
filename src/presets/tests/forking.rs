//! Forks, and presets that are handed over: what goes along, what never does, and that an offer holds no longer than
//! whoever made it may.

use std::collections::BTreeMap;

use super::*;
use crate::{
    model::{AccessLevel, Handle, PresetId, User},
    presets::{Forked, NewFork, NewGrantee, TRANSFER_AGE},
    store::testing::TestStore,
};

#[tokio::test]
async fn a_fork_takes_what_is_published_from_ones_own_sources() {
    a_fork_takes_what_is_published(TestStore::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_takes_what_is_published_from_ones_own_sources_on_postgres() {
    if let Some(db) = TestStore::postgres().await {
        a_fork_takes_what_is_published(db).await;
    }
}

async fn a_fork_takes_what_is_published(db: TestStore) {
    let world = World::on(db).await;
    let (ada, bob, eve) = (world.person("ada").await, world.person("bob").await, world.person("eve").await);
    let script = Script::new(&[("search", "one"), ("send", "two"), ("drop", "three")]).await;
    script.offers(&["file:///a"], &[], &[("review", "Reviews.")]);
    let theirs = world.add(&ada, "secret-name", &script).await.source.id;
    world.sources.accept_prompts(&ada, theirs, Accept::All).await.unwrap();
    let renamed =
        PresetTool { exposed_name: Some("find".into()), check_arguments: true, ..tool("search", true) };
    let takes = Selection { tools: vec![renamed, tool("drop", false)], ..whole(theirs) };
    let id = world.presets.add(&ada, new_preset("ops", vec![takes.clone()])).await.unwrap().id;
    assert!(matches!(world.presets.forkable(&bob, id).await, Err(PresetError::NotFound)));
    assert!(matches!(world.presets.fork(&bob, id, fork("mine", &[])).await, Err(PresetError::NotFound)));
    world.presets.share(&ada, id, NewGrantee::User(handle("bob")), AccessLevel::Viewer).await.unwrap();

    let small = Script::new(&[("search", "of bob")]).await;
    let other = Script::new(&[("nothing", "of it")]).await;
    let own = world.add(&bob, "own", &small).await.source.id;
    let unlike = world.add(&bob, "unlike", &other).await.source.id;
    let seen = world.presets.forkable(&bob, id).await.unwrap();
    assert!(!format!("{seen:?}").contains("secret-name"), "what a source is called is its owner's");
    let [part] = seen.parts.as_slice() else { panic!("{seen:?}") };
    assert_eq!(
        (part.tools.as_slice(), part.prompts.as_slice()),
        (&["find".to_owned(), "send".into()][..], &["review".to_owned()][..])
    );
    let [choice] = part.choices.as_slice() else { panic!("{part:?}") };
    assert_eq!((choice.source.id, choice.lacks.as_slice()), (own, &["send".to_owned(), "review".into()][..]));

    let Forked { preset, left_out } =
        world.presets.fork(&bob, id, fork("mine", &[(theirs, own)])).await.unwrap();

    assert_eq!(
        (preset.tenant, preset.visibility, preset.title.as_str()),
        (bob.tenant, Visibility::Private, "ops")
    );
    assert_eq!(left_out, ["send", "review"]);
    let taken = world.presets.selections(&bob, preset.id).await.unwrap();
    let [taken] = taken.as_slice() else { panic!("{taken:?}") };
    assert_eq!((taken.source, taken.all, &taken.prompts), (own, false, &Take::None));
    assert_eq!(
        (taken.tools[0].exposed_name.as_deref(), taken.tools[0].check_arguments),
        (Some("find"), true)
    );
    assert_eq!(exposed(&table(&world, "bob", "mine").await.unwrap()), ["find"]);

    // Of the very source, the owner has everything again, as it is chosen.
    let again = world.presets.fork(&ada, id, fork("again", &[(theirs, theirs)])).await.unwrap();
    assert_eq!(
        (world.presets.selections(&ada, again.preset.id).await.unwrap(), again.left_out),
        (vec![takes], vec![])
    );
    // And nobody has a source that is not theirs.
    for wrong in [&[(theirs, theirs)][..], &[(own, own)], &[(theirs, unlike), (unlike, own)]] {
        let refused = world.presets.fork(&bob, id, fork("wrong", wrong)).await;
        assert!(matches!(refused, Err(PresetError::Invalid { part: "sources", .. })), "{refused:?}");
    }
    let taken = world.presets.fork(&bob, id, fork("mine", &[])).await;
    assert!(matches!(taken, Err(PresetError::SlugTaken { .. })), "{taken:?}");
    assert!(matches!(world.presets.forkable(&eve, id).await, Err(PresetError::NotFound)));
    world.db.remove().await;
}

#[tokio::test]
async fn a_preset_is_handed_over_with_its_people_and_without_its_sources() {
    a_preset_is_handed_over(TestStore::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preset_is_handed_over_with_its_people_and_without_its_sources_on_postgres() {
    if let Some(db) = TestStore::postgres().await {
        a_preset_is_handed_over(db).await;
    }
}

async fn a_preset_is_handed_over(db: TestStore) {
    let world = World::on(db).await;
    let (ada, bob, eve) = (world.person("ada").await, world.person("bob").await, world.person("eve").await);
    let script = Script::new(&[("search", "one")]).await;
    let theirs = world.add(&ada, "docs", &script).await.source.id;
    let own = world.add(&bob, "docs", &script).await.source.id;
    let presets = &world.presets;
    let id = presets.add(&ada, new_preset("ops", vec![all(theirs)])).await.unwrap().id;
    presets.share(&ada, id, NewGrantee::User(handle("eve")), AccessLevel::Admin).await.unwrap();
    presets.share(&ada, id, NewGrantee::User(handle("bob")), AccessLevel::Viewer).await.unwrap();
    let not_owner = presets.offer_transfer(&eve, id, &handle("bob")).await;
    assert!(matches!(not_owner, Err(PresetError::Denied(Denied::Owner))), "{not_owner:?}");
    for (to, said) in [("ada", "own account"), ("nobody", "no account")] {
        let refused = presets.offer_transfer(&ada, id, &handle(to)).await.unwrap_err();
        assert!(refused.to_string().contains(said), "{refused}");
    }
    assert!(matches!(presets.take_over(&bob, id, fork("ops", &[])).await, Err(PresetError::NotFound)));

    // Of two offers the last one holds; one that was taken back or turned down opens nothing.
    presets.offer_transfer(&ada, id, &handle("eve")).await.unwrap();
    presets.offer_transfer(&ada, id, &handle("bob")).await.unwrap();
    assert!(presets.offered(&eve).await.unwrap().is_empty());
    assert_eq!(presets.offered(&bob).await.unwrap()[0].transfer.by_handle, ada.handle);
    assert!(presets.end_transfer(&bob, id).await.unwrap());
    assert!(matches!(presets.end_transfer(&bob, id).await, Err(PresetError::Denied(Denied::Owner))));
    presets.offer_transfer(&ada, id, &handle("bob")).await.unwrap();
    assert!(presets.end_transfer(&ada, id).await.unwrap() && !presets.end_transfer(&ada, id).await.unwrap());
    assert!(presets.offered(&bob).await.unwrap().is_empty());
    presets.offer_transfer(&ada, id, &handle("bob")).await.unwrap();

    // What cannot be made leaves everything as it is.
    let refused = presets.take_over(&bob, id, fork("ops", &[(theirs, theirs)])).await;
    assert!(matches!(refused, Err(PresetError::Invalid { part: "sources", .. })), "{refused:?}");
    assert!(presets.transfer(&ada, id).await.unwrap().is_some());
    table(&world, "ada", "ops").await.unwrap();

    let taken = presets.take_over(&bob, id, fork("ours", &[(theirs, own)])).await.unwrap().preset;

    assert_eq!((taken.tenant, taken.visibility), (bob.tenant, Visibility::InviteOnly));
    assert_ne!(taken.id, id);
    assert!(table(&world, "ada", "ops").await.is_none(), "the old address answers nobody from here on");
    assert_eq!(exposed(&table(&world, "bob", "ours").await.unwrap()), ["search"]);
    let (_, entries) = presets.access(&eve, taken.id).await.unwrap();
    assert_eq!(entries.len(), 1, "the new owner stands on no list: {entries:?}");
    assert!(presets.find(&ada, taken.id).await.unwrap().is_none());
    assert!(presets.offered(&bob).await.unwrap().is_empty());
    assert!(world.sources.find(&bob, theirs).await.unwrap().is_none());
    world.db.remove().await;
}

#[tokio::test]
async fn an_offer_ends_and_is_worth_no_more_than_whoever_made_it() {
    let world = World::new().await;
    let (ada, bob) = (world.person("ada").await, world.person("bob").await);
    let id = world.presets.add(&ada, new_preset("ops", Vec::new())).await.unwrap().id;
    world.presets.offer_transfer(&ada, id, &handle("bob")).await.unwrap();

    enable(&world, &ada, false).await;
    assert!(world.presets.offered(&bob).await.unwrap().is_empty());
    assert!(matches!(take(&world, &bob, id).await, Err(PresetError::NotFound)));
    enable(&world, &ada, true).await;
    assert_eq!(world.presets.offered(&bob).await.unwrap().len(), 1);

    world.clock.advance(TRANSFER_AGE);

    assert!(world.presets.offered(&bob).await.unwrap().is_empty());
    assert!(matches!(take(&world, &bob, id).await, Err(PresetError::NotFound)));
    assert_eq!(world.presets.remove_ended_transfers().await.unwrap(), 1);
}

async fn enable(world: &World, member: &Member, enabled: bool) {
    let mut tx = world.db.store.system().await.unwrap();
    let user = tx.find_user(member.user).await.unwrap().unwrap();
    assert!(tx.update_user(&User { enabled, ..user }).await.unwrap());
    tx.commit().await.unwrap();
}

async fn take(world: &World, member: &Member, id: PresetId) -> Result<Forked, PresetError> {
    world.presets.take_over(member, id, fork("taken", &[])).await
}

fn fork(name: &str, sources: &[(SourceId, SourceId)]) -> NewFork {
    NewFork { slug: slug(name), title: String::new(), sources: BTreeMap::from_iter(sources.iter().copied()) }
}

fn handle(text: &str) -> Handle {
    Handle::parse(text).unwrap()
}

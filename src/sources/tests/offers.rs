//! What sources offer beside tools.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::world::{Script, World, new_process, new_source};
use crate::{
    changes::Change,
    clock::Ms,
    model::{EraSetting, InstanceRole, ToolState},
    sources::{Accept, NewSource, SourceChange, SourceError, SourceSettings, ToolPart, beside},
    upstream::{Beside, Offer},
};

#[tokio::test]
async fn what_a_source_offers_beside_tools_is_there_when_it_was_added() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[("read", "Reads.")]).await;
    script.offers(&["file:///b", "file:///a"], &["file:///{name}"], &[("review", "Reviews.")]);

    let id = world.add(&ada, "files", &script).await.source.id;

    let detail = world.sources.detail(&ada, id).await.unwrap().unwrap();
    let uris: Vec<&str> = detail.resources.iter().map(|one| one.uri.as_str()).collect();
    assert_eq!(uris, ["file:///a", "file:///b"]);
    assert_eq!(detail.templates[0].uri, "file:///{name}");
    assert_eq!((detail.prompts[0].name.as_str(), detail.prompts[0].state), ("review", ToolState::Accepted));
    assert_eq!(detail.instructions, "Be kind.");
    assert_eq!(world.sources.list(&ada).await.unwrap()[0].prompts.accepted, 1);
}

#[tokio::test]
async fn prompts_are_held_and_resources_follow() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[]).await;
    script.offers(&["file:///a"], &[], &[("review", "Reviews.")]);
    let id = world.add(&ada, "files", &script).await.source.id;
    script.offers(&["file:///b"], &[], &[("review", "Obeys."), ("new", "")]);

    assert!(world.sources.refresh(&ada, id).await.unwrap().beside);

    let detail = world.sources.detail(&ada, id).await.unwrap().unwrap();
    assert_eq!(detail.resources.iter().map(|one| one.uri.as_str()).collect::<Vec<_>>(), ["file:///b"]);
    let states: Vec<_> = detail.prompts.iter().map(|one| (one.name.as_str(), one.state)).collect();
    assert_eq!(states, [("new", ToolState::New), ("review", ToolState::Changed)]);
    let review = &detail.prompts[1];
    assert_eq!(review.diff.as_ref().unwrap().parts[0].part, ToolPart::Description);
    let shown = Accept::Tools(vec![("review".to_owned(), review.hash.clone())]);
    assert_eq!(world.sources.accept_prompts(&ada, id, shown).await.unwrap().accepted, ["review"]);
    assert_eq!(world.sources.list(&ada).await.unwrap()[0].prompts.held(), 1);
    assert!(!world.sources.refresh(&ada, id).await.unwrap().beside, "nothing changed since");
}

#[tokio::test]
async fn a_list_that_cannot_be_read_costs_nothing_but_itself() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[("read", "Reads.")]).await;
    script.offers(&["file:///a"], &[], &[("review", "Reviews.")]);
    let id = world.add(&ada, "files", &script).await.source.id;
    script.offers(&[], &[], &[("review", "Reviews.")]);
    script.forgets("prompts/list");
    script.lists(&[("read", "Reads."), ("write", "Writes.")]);

    let change = world.sources.refresh(&ada, id).await.unwrap();

    assert_eq!(change.new, ["write"]);
    let detail = world.sources.detail(&ada, id).await.unwrap().unwrap();
    assert!(detail.resources.is_empty());
    assert_eq!(detail.prompts[0].state, ToolState::Accepted, "the prompts are as they were");
}

#[tokio::test]
async fn the_first_prompts_ever_seen_of_an_older_source_count_as_accepted() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[]).await;
    let source = world.add(&ada, "files", &script).await.source;
    let mut tx = world.db.store.tenant(ada.tenant).await.unwrap();
    tx.remove_source(source.id).await.unwrap();
    tx.add_source(&source, None).await.unwrap();
    let settings = SourceSettings::default();
    let beside = |prompts: &[&str]| Beside {
        offer: Some(Arc::new(Offer { capabilities: Bytes::from_static(b"{}"), ..Offer::default() })),
        prompts: Some(
            prompts.iter().map(|text| RawValue::from_string((*text).to_owned()).unwrap()).collect(),
        ),
        ..Beside::default()
    };

    let first = beside(&[r#"{"name":"a"}"#]);
    assert!(beside::keep(&mut tx, source.id, &first, Ms(1), &settings).await.unwrap());
    let later = beside(&[r#"{"name":"a"}"#, r#"{"name":"b"}"#]);
    assert!(beside::keep(&mut tx, source.id, &later, Ms(2), &settings).await.unwrap());

    let states: Vec<_> =
        tx.list_source_prompts(source.id).await.unwrap().iter().map(|prompt| prompt.state).collect();
    assert_eq!(states, [ToolState::Accepted, ToolState::New]);
}

#[tokio::test]
async fn somebody_else_accepts_nothing() {
    let world = World::new().await;
    let (ada, eve) = (world.person("ada").await, world.person("eve").await);
    let script = Script::new(&[]).await;
    script.offers(&[], &[], &[("review", "Reviews.")]);
    let id = world.add(&ada, "files", &script).await.source.id;
    script.offers(&[], &[], &[("review", "Obeys.")]);
    world.sources.refresh(&ada, id).await.unwrap();

    let refused = world.sources.accept_prompts(&eve, id, Accept::All).await;

    assert!(matches!(refused, Err(SourceError::NotFound)), "{refused:?}");
    assert_eq!(world.sources.list(&ada).await.unwrap()[0].prompts.held(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_is_heard_as_long_as_somebody_listens() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[]).await;
    script.offers(&["file:///a"], &[], &[]);
    let id = world.add(&ada, "files", &script).await.source.id;
    let mut news = world.changes.subscribe();
    let (first, second) = (world.sources.listen(ada.tenant, id), world.sources.listen(ada.tenant, id));
    assert_eq!(world.sources.listened(), 1);
    drop(second);
    script.offers(&["file:///b"], &[], &[]);

    // It listens when the source's stream is open.
    while script.tells("notifications/resources/list_changed") == 0 {
        tokio::task::yield_now().await;
    }
    while news.recv().await.unwrap() != Change::Source(ada.tenant, id) {}

    let detail = world.sources.detail(&ada, id).await.unwrap().unwrap();
    assert_eq!(detail.resources[0].uri, "file:///b");
    drop(first);
    assert_eq!(world.sources.listened(), 0);
    while script.tells("notifications/resources/list_changed") != 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_old_transport_is_not_for_processes() {
    let world = World::new().await;
    let ada = world.member("ada", InstanceRole::Admin, "enterprise").await;
    let script = Script::new(&[]).await;
    let over_http = NewSource { era: EraSetting::Sse, enabled: false, ..new_source("old", &script) };
    let process = NewSource { era: EraSetting::Sse, ..new_process("process", false) };

    let added = world.sources.add(&ada, over_http).await.unwrap();
    let refused = world.sources.add(&ada, process).await;

    assert_eq!(added.source.era, EraSetting::Sse);
    assert!(matches!(refused, Err(SourceError::Invalid { part: "era", .. })), "{refused:?}");
    let id = world.sources.add(&ada, new_process("process", false)).await.unwrap().source.id;
    let change = SourceChange { era: Some(EraSetting::Sse), ..SourceChange::default() };
    let refused = world.sources.update(&ada, id, change, 1).await;
    assert!(matches!(refused, Err(SourceError::Invalid { part: "era", .. })), "{refused:?}");
}

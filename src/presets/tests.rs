//! What presets promise, against a real database and a source on the loopback address.

mod forking;
mod inviting;
mod sharing;
mod versions;

use std::sync::Arc;

use crate::{
    changes::Change,
    mcp::ListKind,
    model::{
        CallRules, Era, InstanceRole, Member, Plan, PresetStatus, PresetTool, Selection, Slug, SourceId,
        Take, ToolState, Visibility,
    },
    policy::Denied,
    presets::{NameFlag, NewPreset, PresetChange, PresetError, RouteTable},
    sources::{
        Accept, SourceChange,
        tests::world::{Script, World, new_process},
    },
    store::testing::TestStore,
};

#[tokio::test]
async fn a_plan_limits_the_presets_though_several_are_made_at_once() {
    let stores = [Some(TestStore::sqlite().await), TestStore::postgres().await];
    for db in stores.into_iter().flatten() {
        let world = World::on(db).await;
        let ada = world.member("ada", InstanceRole::Member, "free").await;
        let mut tx = world.db.store.system().await.unwrap();
        let free = tx.find_plan(&ada.plan).await.unwrap().unwrap();
        tx.save_plan(&Plan { presets_max: Some(2), ..free }).await.unwrap();
        tx.commit().await.unwrap();

        let adding = (0..8).map(|n| world.presets.add(&ada, new_preset(&format!("ops-{n}"), Vec::new())));
        let added = futures::future::join_all(adding).await;

        assert_eq!(added.iter().filter(|added| added.is_ok()).count(), 2, "{added:?}");
        let refused = world.presets.add(&ada, new_preset("more", Vec::new())).await.unwrap_err();
        assert!(matches!(refused, PresetError::Limit { limit: 2, used: 2, .. }), "{refused}");
        assert!(refused.to_string().contains("an administrator of this gateway"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_story_runs_on_postgres_too() {
    let Some(db) = TestStore::postgres().await else { return };
    let world = World::on(db).await;
    let (ada, eve) = (world.person("ada").await, world.person("eve").await);
    let (one, two) = (Script::new(&[("search", "one")]).await, Script::new(&[("Search", "")]).await);
    let jira = world.add(&ada, "jira", &one).await.source.id;
    let wiki = world.add(&ada, "wiki", &two).await.source.id;
    one.lists(&[("search", "two"), ("new", "new")]);
    let change = world.sources.refresh(&ada, jira).await.unwrap();
    assert_eq!((change.changed.len(), change.new.len()), (1, 1));
    world.sources.accept_tools(&ada, jira, Accept::All).await.unwrap();

    let collides = new_preset("ops", vec![all(jira), all(wiki)]);
    assert!(matches!(world.presets.add(&ada, collides).await, Err(PresetError::Collision { .. })));
    one.offers(&["file:///a"], &["demo://{id}"], &[("review", "Reviews.")]);
    // Over a fresh connection: what a source can do is said when it is first spoken to.
    assert!(world.sources.test(&ada, jira).await.unwrap().passed());
    world.sources.accept_prompts(&ada, jira, Accept::All).await.unwrap();
    let id = world.presets.add(&ada, new_preset("ops", vec![whole(jira)])).await.unwrap().id;
    let beside = table(&world, "ada", "ops").await.unwrap();
    assert_eq!(beside.resource("demo://7").unwrap().source, jira);
    assert!(beside.resource("file:///a").is_some() && beside.prompt("review").is_some());
    let named = Selection {
        resources: Take::Only(vec!["file:///a".to_owned()]),
        prompts: Take::Only(vec!["review".to_owned()]),
        ..all(jira)
    };
    world.presets.set_selections(&ada, id, vec![named.clone()], 1).await.unwrap();
    assert_eq!(world.presets.selections(&ada, id).await.unwrap(), [named]);
    assert!(table(&world, "ada", "ops").await.unwrap().resource("demo://7").is_none());
    assert!(matches!(
        world.presets.add(&ada, new_preset("ops", Vec::new())).await,
        Err(PresetError::SlugTaken { .. })
    ));
    assert_eq!(exposed(&table(&world, "ada", "ops").await.unwrap()), ["new", "search"]);
    assert!(world.presets.find(&eve, id).await.unwrap().is_none());
    let edit = |title: &str| PresetChange { title: Some(title.to_owned()), ..PresetChange::default() };
    let (first, second) = tokio::join!(
        world.presets.update(&ada, id, edit("First"), 2),
        world.presets.update(&ada, id, edit("Second"), 2),
    );
    assert!(first.is_ok() != second.is_ok(), "both edits of one version were kept");
    assert_eq!(world.sources.remove(&ada, jira).await.unwrap().presets[0].tools, 2);
    assert!(exposed(&table(&world, "ada", "ops").await.unwrap()).is_empty());
    world.db.remove().await;
}

#[tokio::test]
async fn a_warm_address_is_resolved_without_the_database() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[("search", "Searches."), ("send", "Sends.")]).await;
    let source = world.add(&ada, "mail", &script).await.source.id;
    world.presets.add(&ada, new_preset("ops", vec![all(source)])).await.unwrap();
    let cold = table(&world, "ada", "ops").await.unwrap();
    world.db.store.close().await;

    let warm = table(&world, "ada", "ops").await.unwrap();

    assert!(Arc::ptr_eq(&cold, &warm));
    assert_eq!(exposed(&warm), ["search", "send"]);
}

#[tokio::test]
async fn every_change_holds_on_the_next_call() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[("a", "one"), ("b", "one")]).await;
    let source = world.add(&ada, "mail", &script).await.source.id;
    let preset = world.presets.add(&ada, new_preset("ops", vec![all(source)])).await.unwrap();
    assert_eq!(exposed(&table(&world, "ada", "ops").await.unwrap()), ["a", "b"]);

    script.lists(&[("a", "one"), ("b", "two"), ("c", "new")]);
    world.sources.refresh(&ada, source).await.unwrap();
    assert_eq!(exposed(&table(&world, "ada", "ops").await.unwrap()), ["a"], "a held tool is published");

    world.sources.accept_tools(&ada, source, Accept::All).await.unwrap();
    assert_eq!(exposed(&table(&world, "ada", "ops").await.unwrap()), ["a", "b", "c"]);

    script.lists(&[("b", "two"), ("c", "new")]);
    world.sources.refresh(&ada, source).await.unwrap();
    assert_eq!(exposed(&table(&world, "ada", "ops").await.unwrap()), ["b", "c"], "a gone tool is published");

    let without = Selection { tools: vec![tool("b", false)], ..all(source) };
    world.presets.set_selections(&ada, preset.id, vec![without], 1).await.unwrap();
    assert_eq!(exposed(&table(&world, "ada", "ops").await.unwrap()), ["c"]);

    world.presets.set_status(&ada, preset.id, PresetStatus::Disabled).await.unwrap();
    assert_eq!(table(&world, "ada", "ops").await.unwrap().preset.status, PresetStatus::Disabled);

    let moved = PresetChange { slug: Some(slug("other")), ..PresetChange::default() };
    world.presets.update(&ada, preset.id, moved, 3).await.unwrap();
    assert!(table(&world, "ada", "ops").await.is_none());
    assert!(table(&world, "ada", "other").await.is_some());

    world.presets.remove(&ada, preset.id).await.unwrap();
    assert!(table(&world, "ada", "other").await.is_none());
}

#[tokio::test]
async fn tools_of_a_dead_or_switched_off_source_stay_listed_and_of_a_removed_one_do_not() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[("send", "Sends.")]).await;
    let source = world.add(&ada, "mail", &script).await.source.id;
    world.presets.add(&ada, new_preset("ops", vec![all(source)])).await.unwrap();
    script.answers_html();
    world.sources.test(&ada, source).await.unwrap();
    assert_eq!(exposed(&table(&world, "ada", "ops").await.unwrap()), ["send"]);

    world.sources.set_enabled(&ada, source, false).await.unwrap();
    assert_eq!(exposed(&table(&world, "ada", "ops").await.unwrap()), ["send"]);
    let lost = world.sources.remove(&ada, source).await.unwrap().presets;

    assert_eq!((lost.len(), lost[0].tools), (1, 1));
    assert!(exposed(&table(&world, "ada", "ops").await.unwrap()).is_empty());
}

#[tokio::test]
async fn a_collision_names_both_sources_and_suggests_an_alias_that_ends_it() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let (one, two) = (Script::new(&[("Search", "")]).await, Script::new(&[("search", "")]).await);
    let jira = world.add(&ada, "jira", &one).await.source.id;
    let wiki = world.add(&ada, "wiki", &two).await.source.id;

    let refused = world.presets.add(&ada, new_preset("ops", vec![all(jira), all(wiki)])).await.unwrap_err();

    let text = refused.to_string();
    assert!(text.contains("`jira`") && text.contains("`wiki`"), "{text}");
    let PresetError::Collision { collisions } = refused else { panic!("{text}") };
    assert!(world.presets.list(&ada).await.unwrap().is_empty(), "half of it was kept");
    let aliased = PresetTool { exposed_name: Some(collisions[0].suggestion.clone()), ..tool("search", true) };
    let selections = vec![all(jira), Selection { tools: vec![aliased], ..all(wiki) }];
    world.presets.add(&ada, new_preset("ops", selections)).await.unwrap();
    assert_eq!(exposed(&table(&world, "ada", "ops").await.unwrap()), ["Search", "wiki_search"]);
}

#[tokio::test]
async fn a_name_that_comes_to_collide_later_stays_with_its_first_owner_and_is_shown() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let (one, two) = (Script::new(&[("search", "")]).await, Script::new(&[("find", "")]).await);
    let jira = world.add(&ada, "jira", &one).await.source.id;
    let wiki = world.add(&ada, "wiki", &two).await.source.id;
    let preset = world.presets.add(&ada, new_preset("ops", vec![all(wiki), all(jira)])).await.unwrap();
    two.lists(&[("find", ""), ("SEARCH", "")]);
    world.sources.refresh(&ada, wiki).await.unwrap();
    world.sources.accept_tools(&ada, wiki, Accept::All).await.unwrap();

    let table = table(&world, "ada", "ops").await.unwrap();

    assert_eq!(exposed(&table), ["find", "search"]);
    assert_eq!(table.route("search").unwrap().source, jira);
    let editor = world.presets.editor(&ada, preset.id).await.unwrap().unwrap();
    assert_eq!(editor.collisions[0].second, ("wiki".parse_name(), "SEARCH".to_owned()));
    assert_eq!(world.presets.list(&ada).await.unwrap()[0].collisions, 1);
}

#[tokio::test]
async fn two_organisations_with_the_same_names_never_cross() {
    let world = World::new().await;
    let (ada, eve) = (world.person("ada").await, world.person("eve").await);
    let (of_ada, of_eve) =
        (Script::new(&[("search", "ada's")]).await, Script::new(&[("search", "eve's")]).await);
    let mine = world.add(&ada, "jira", &of_ada).await.source.id;
    let hers = world.add(&eve, "jira", &of_eve).await.source.id;
    world.presets.add(&ada, new_preset("ops", vec![all(mine)])).await.unwrap();
    world.presets.add(&eve, new_preset("ops", vec![all(hers)])).await.unwrap();

    for (owner, source) in [("ada", mine), ("eve", hers)] {
        let table = table(&world, owner, "ops").await.unwrap();
        let route = table.route("search").unwrap();
        assert_eq!(route.source, source);
        let definition = String::from_utf8(route.definition(Era::Modern).to_vec()).unwrap();
        assert!(definition.contains(&format!("{owner}'s")), "{definition}");
    }
    let stolen = world.presets.add(&ada, new_preset("stolen", vec![all(hers)])).await.unwrap_err();
    assert!(matches!(stolen, PresetError::Invalid { part: "tools", .. }), "{stolen}");
}

#[tokio::test]
async fn somebody_elses_preset_and_none_at_all_look_alike() {
    let world = World::new().await;
    let (ada, eve) = (world.person("ada").await, world.person("eve").await);
    let id = world.presets.add(&ada, new_preset("ops", Vec::new())).await.unwrap().id;
    let presets = &world.presets;

    assert!(presets.find(&eve, id).await.unwrap().is_none());
    assert!(presets.editor(&eve, id).await.unwrap().is_none());
    assert!(presets.find_by_slug(&eve, &slug("ops")).await.unwrap().is_none());
    for refusal in [
        presets.update(&eve, id, PresetChange::default(), 1).await.err(),
        presets.set_selections(&eve, id, Vec::new(), 1).await.err(),
        presets.set_status(&eve, id, PresetStatus::Archived).await.err(),
        presets.selections(&eve, id).await.err(),
        presets.remove(&eve, id).await.err(),
    ] {
        assert!(matches!(refusal, Some(PresetError::NotFound)), "{refusal:?}");
    }
    for (owner, slug) in
        [("ada", ".."), ("ada", ""), ("", "ops"), ("ADA", "ops"), ("ada", "ops/"), ("a%64a", "ops")]
    {
        assert!(table(&world, owner, slug).await.is_none(), "{owner}/{slug} was found");
    }
}

#[tokio::test]
async fn the_second_of_two_editors_is_told_and_nothing_of_theirs_is_kept() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[("send", "")]).await;
    let source = world.add(&ada, "mail", &script).await.source.id;
    let id = world.presets.add(&ada, new_preset("ops", Vec::new())).await.unwrap().id;
    let titled = |title: &str, selections| PresetChange {
        title: Some(title.to_owned()),
        selections,
        ..PresetChange::default()
    };
    world.presets.update(&ada, id, titled("First", None), 1).await.unwrap();
    world.write_audit().await;

    let second = titled("Second", Some(vec![all(source)]));
    let refused = world.presets.update(&ada, id, second, 1).await.unwrap_err();

    assert!(refused.to_string().starts_with("ada changed this preset at 2026-"), "{refused}");
    assert_eq!(world.presets.find(&ada, id).await.unwrap().unwrap().preset.title, "First");
    assert!(world.presets.selections(&ada, id).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_slug_is_used_once_by_each_owner() {
    let world = World::new().await;
    let (ada, eve) = (world.person("ada").await, world.person("eve").await);
    world.presets.add(&ada, new_preset("ops", Vec::new())).await.unwrap();
    let other = world.presets.add(&ada, new_preset("other", Vec::new())).await.unwrap().id;

    let twice = world.presets.add(&ada, new_preset("ops", Vec::new())).await.unwrap_err();
    let onto = PresetChange { slug: Some(slug("ops")), ..PresetChange::default() };
    let renamed = world.presets.update(&ada, other, onto, 1).await.unwrap_err();

    assert!(matches!(twice, PresetError::SlugTaken { .. }), "{twice}");
    assert!(matches!(renamed, PresetError::SlugTaken { .. }), "{renamed}");
    assert!(world.presets.add(&eve, new_preset("ops", Vec::new())).await.is_ok());
}

#[tokio::test]
async fn only_a_public_preset_is_used_without_a_key() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let open = NewPreset { anonymous: true, ..new_preset("ops", Vec::new()) };
    let refused = world.presets.add(&ada, open.clone()).await.unwrap_err();
    assert!(matches!(refused, PresetError::Invalid { part: "anonymous", .. }), "{refused}");
    let open = NewPreset { visibility: Visibility::Public, ..open };
    let preset = world.presets.add(&ada, open).await.unwrap();

    let hidden = PresetChange { visibility: Some(Visibility::Private), ..PresetChange::default() };
    let preset = world.presets.update(&ada, preset.id, hidden, 1).await.unwrap();

    assert!(!preset.anonymous);
}

#[tokio::test]
async fn a_process_is_shared_by_those_who_may_start_it() {
    let world = World::new().await;
    let admin = world.member("root-ada", InstanceRole::Admin, "enterprise").await;
    let demoted = Member { instance_role: InstanceRole::Member, ..admin.clone() };
    let source = world.sources.add(&admin, new_process("files", false)).await.unwrap().source.id;

    let refused = world.presets.add(&demoted, new_preset("ops", vec![all(source)])).await.unwrap_err();
    let id = world.presets.add(&admin, new_preset("ops", vec![all(source)])).await.unwrap().id;
    let kept = world.presets.set_selections(&demoted, id, vec![all(source)], 1).await;

    assert!(matches!(refused, PresetError::Denied(Denied::InstanceAdmin)), "{refused}");
    assert!(kept.is_ok(), "an edit of something else is refused: {kept:?}");
}

#[tokio::test]
async fn the_editor_shows_every_tool_with_its_state_and_flags() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[("plain", "Plain."), ("dotted.name", "Dotted.")]).await;
    let source = world.add(&ada, "mail", &script).await.source.id;
    let selection =
        Selection { all: false, tools: vec![tool("plain", true), tool("vanished", true)], ..all(source) };
    let id = world.presets.add(&ada, new_preset("ops", vec![selection])).await.unwrap().id;
    script.lists(&[("plain", "Plain."), ("dotted.name", "Dotted."), ("new", "New.")]);
    world.sources.refresh(&ada, source).await.unwrap();

    let editor = world.presets.editor(&ada, id).await.unwrap().unwrap();
    let fresh = world.presets.new_editor(&ada).await.unwrap();

    let seen: Vec<_> = editor.sources[0]
        .tools
        .iter()
        .map(|tool| (tool.name.as_str(), tool.state, tool.enabled, tool.published, tool.flags.clone()))
        .collect();
    assert_eq!(
        seen,
        [
            ("dotted.name", ToolState::Accepted, false, false, vec![NameFlag::Dot]),
            ("new", ToolState::New, false, false, vec![]),
            ("plain", ToolState::Accepted, true, true, vec![]),
            ("vanished", ToolState::Gone, true, false, vec![]),
        ]
    );
    assert!(fresh.preset.is_none() && !fresh.sources[0].selected);
}

#[tokio::test]
async fn a_preview_shows_what_would_be_published_and_keeps_nothing() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[("send", "Sends."), ("Send", "Sends loudly.")]).await;
    let source = world.add(&ada, "mail", &script).await.source.id;

    let preview = world.presets.preview(&ada, None, &[all(source)]).await.unwrap();

    assert_eq!(preview.tools.len(), 1);
    assert_eq!(preview.collisions.len(), 1);
    assert!(world.presets.list(&ada).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_schema_that_cannot_be_checked_is_refused_when_checking_is_asked_for() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[]).await;
    let schema = serde_json::json!({ "properties": { "a": { "$ref": "https://evil.example/schema" } } });
    script.lists_json(vec![serde_json::json!({ "name": "send", "inputSchema": schema })]);
    let source = world.add(&ada, "mail", &script).await.source.id;
    let checked = PresetTool { check_arguments: true, ..tool("send", true) };
    let selection = Selection { tools: vec![checked], ..all(source) };

    let refused = world.presets.add(&ada, new_preset("ops", vec![selection])).await.unwrap_err();

    assert!(matches!(refused, PresetError::Invalid { part: "check_arguments", .. }), "{refused}");
}

#[tokio::test]
async fn a_health_change_keeps_the_table_and_an_unrelated_preset_stays_warm() {
    let world = World::new().await;
    let (ada, eve) = (world.person("ada").await, world.person("eve").await);
    for person in [&ada, &eve] {
        world.presets.add(person, new_preset("ops", Vec::new())).await.unwrap();
    }
    let before = table(&world, "ada", "ops").await.unwrap();

    world.changes.announce(Change::SourceHealth(ada.tenant, SourceId::new()));
    world.changes.announce(Change::Source(eve.tenant, SourceId::new()));
    assert!(Arc::ptr_eq(&before, &table(&world, "ada", "ops").await.unwrap()));
    world.changes.announce(Change::Everything);

    assert!(!Arc::ptr_eq(&before, &table(&world, "ada", "ops").await.unwrap()));
}

#[tokio::test]
async fn renaming_a_source_is_an_edit_that_presets_survive() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[("send", "")]).await;
    let source = world.add(&ada, "mail", &script).await.source.id;
    world.presets.add(&ada, new_preset("ops", vec![all(source)])).await.unwrap();
    table(&world, "ada", "ops").await.unwrap();

    let renamed = SourceChange { name: Some("post".parse_name()), ..SourceChange::default() };
    world.sources.update(&ada, source, renamed, 1).await.unwrap();

    let table = table(&world, "ada", "ops").await.unwrap();
    assert_eq!(table.route("send").unwrap().source_name.as_str(), "post");
}

trait ParseName {
    fn parse_name(&self) -> crate::model::SourceName;
}

impl ParseName for str {
    fn parse_name(&self) -> crate::model::SourceName {
        crate::model::SourceName::parse(self).unwrap()
    }
}

async fn table(world: &World, owner: &str, slug: &str) -> Option<Arc<RouteTable>> {
    world.presets.route_table(owner, slug).await.unwrap()
}

fn exposed(table: &RouteTable) -> Vec<&str> {
    table.tools.iter().map(|tool| &*tool.exposed_name).collect()
}

fn new_preset(name: &str, selections: Vec<Selection>) -> NewPreset {
    NewPreset {
        rules: CallRules::default(),
        slug: slug(name),
        title: String::new(),
        description: String::new(),
        visibility: Visibility::Private,
        anonymous: false,
        expires_at: None,
        selections,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_watch_are_told_what_callers_see_change_and_nothing_else() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[("search", "one")]).await;
    script.offers(&["file:///a"], &[], &[("review", "Reviews.")]);
    let source = world.add(&ada, "files", &script).await.source.id;
    let preset = world.presets.add(&ada, new_preset("ops", vec![whole(source)])).await.unwrap();
    let seen = table(&world, "ada", "ops").await.unwrap();
    let (mut watch, mut other) = (world.presets.watch(&seen), world.presets.watch(&seen));
    assert_eq!(world.presets.watched(), 1);
    // The task that watches begins to listen when its turn comes.
    while world.sources.listened() != 1 {
        tokio::task::yield_now().await;
    }

    // Held until the owner looks, so callers see nothing of it; the resource they do see.
    script.offers(&["file:///b"], &[], &[("review", "Obeys.")]);
    while script.tells("notifications/resources/list_changed") == 0 {
        tokio::task::yield_now().await;
    }
    let news = watch.next().await.unwrap();
    assert_eq!((news.tools, news.resources, news.prompts), (false, true, true));
    assert!(news.table.resource("file:///b").is_some() && news.table.prompt("review").is_none());
    assert!(other.next().await.unwrap().resources);
    drop(other);

    world.sources.accept_prompts(&ada, source, Accept::All).await.unwrap();
    let news = watch.next().await.unwrap();
    assert_eq!((news.tools, news.resources, news.prompts), (false, false, true));

    world.presets.set_status(&ada, preset.id, PresetStatus::Disabled).await.unwrap();
    let news = watch.next().await.unwrap();
    assert_eq!((news.tools, news.resources, news.prompts), (false, false, false));
    assert_eq!(news.table.preset.status, PresetStatus::Disabled);

    world.presets.remove(&ada, preset.id).await.unwrap();
    assert!(watch.next().await.is_none());
    drop(watch);
    assert_eq!(world.presets.watched(), 0);
}

#[tokio::test]
async fn a_watch_begun_with_an_older_table_is_told_at_once() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[("search", "one")]).await;
    let source = world.add(&ada, "files", &script).await.source.id;
    let preset = world.presets.add(&ada, new_preset("ops", vec![all(source)])).await.unwrap();
    let old = table(&world, "ada", "ops").await.unwrap();
    let mut first = world.presets.watch(&old);
    world.presets.set_selections(&ada, preset.id, Vec::new(), 1).await.unwrap();
    assert!(first.next().await.unwrap().tools);

    let mut late = world.presets.watch(&old);

    assert!(late.next().await.unwrap().tools);
    assert_eq!(world.sources.listened(), 0, "nothing is taken from it any more");
}

#[tokio::test]
async fn what_a_dead_source_offers_stays_listed() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[("search", "one")]).await;
    script.offers(&["file:///a"], &["demo://{id}"], &[("review", "Reviews.")]);
    let source = world.add(&ada, "files", &script).await.source.id;
    world.presets.add(&ada, new_preset("ops", vec![whole(source)])).await.unwrap();
    let before = table(&world, "ada", "ops").await.unwrap();
    script.answers_html();
    world.sources.refresh(&ada, source).await.unwrap_err();
    world.changes.announce(Change::Everything);

    let after = table(&world, "ada", "ops").await.unwrap();

    assert!(ListKind::ALL.iter().all(|kind| before.lists_alike(&after, *kind)));
    let editor = world.presets.editor(&ada, before.preset.id).await.unwrap().unwrap();
    assert!(!editor.sources[0].source.health.detail.is_empty(), "the page says why");
}

#[tokio::test]
async fn the_editor_shows_resources_and_prompts_with_those_that_are_gone() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[]).await;
    script.offers(&["file:///a"], &["demo://{id}"], &[("review", "Reviews."), ("other", "")]);
    let source = world.add(&ada, "files", &script).await.source.id;
    let take = |names: &[&str]| Take::Only(names.iter().map(|name| (*name).to_owned()).collect());
    let selection = Selection {
        resources: take(&["demo://{id}", "file:///gone"]),
        prompts: take(&["review", "gone"]),
        ..all(source)
    };
    let id = world.presets.add(&ada, new_preset("ops", vec![selection])).await.unwrap().id;

    let editor = world.presets.editor(&ada, id).await.unwrap().unwrap();

    let resources: Vec<_> = editor.sources[0]
        .resources
        .iter()
        .map(|one| (one.shown.uri.as_str(), one.kind.is_some(), one.taken))
        .collect();
    assert_eq!(
        resources,
        [("file:///a", true, false), ("demo://{id}", true, true), ("file:///gone", false, true)]
    );
    let prompts: Vec<_> =
        editor.sources[0].prompts.iter().map(|one| (one.name.as_str(), one.state, one.taken)).collect();
    assert_eq!(
        prompts,
        [
            ("other", ToolState::Accepted, false),
            ("review", ToolState::Accepted, true),
            ("gone", ToolState::Gone, true)
        ]
    );
    let summary = &world.presets.list(&ada).await.unwrap()[0];
    assert_eq!((summary.tools, summary.resources, summary.prompts), (0, 1, 1));
}

#[tokio::test]
async fn what_is_taken_by_name_is_checked() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[]).await;
    let source = world.add(&ada, "files", &script).await.source.id;
    let long = "x".repeat(3000);
    let many: Vec<String> = (0..1001).map(|n| n.to_string()).collect();
    let wrong = [vec![String::new()], vec!["a\0".to_owned()], vec!["a".to_owned(); 2], vec![long], many];
    for (part, names) in ["resources", "prompts"]
        .into_iter()
        .flat_map(|part| wrong.iter().map(move |names| (part, names.clone())))
    {
        let take = Take::Only(names);
        let selection = match part {
            "resources" => Selection { resources: take, ..all(source) },
            _ => Selection { prompts: take, ..all(source) },
        };
        let refused = world.presets.add(&ada, new_preset("ops", vec![selection])).await;
        assert!(
            matches!(&refused, Err(PresetError::Invalid { part: told, .. }) if *told == part),
            "{refused:?}"
        );
    }
}

fn whole(source: SourceId) -> Selection {
    Selection { resources: Take::All, prompts: Take::All, ..all(source) }
}

fn all(source: SourceId) -> Selection {
    Selection::all_tools(source)
}

fn tool(name: &str, enabled: bool) -> PresetTool {
    PresetTool {
        name: name.to_owned(),
        enabled,
        exposed_name: None,
        exposed_description: None,
        check_arguments: false,
    }
}

fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

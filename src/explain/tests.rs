use super::*;
use crate::{
    changes::Changes,
    model::{
        Auth, CallRules, Grant, GrantId, GrantedTool, InstanceRole, KeyScope, OauthClient, PlanName,
        PresetStatus, RunsAs, Scopes, Selection, Visibility,
    },
    presets::{NewGrantee, NewPreset, PresetChange},
    quota::{Quota, RateSettings},
    sources::{
        SourceChange,
        tests::world::{Script, World},
    },
    store::ClientRow,
};

#[tokio::test]
async fn every_layer_speaks_in_its_order_and_the_first_refusal_has_its_cure() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let bob = world.person("bob").await;
    let script = Script::new(&[("search", "Searches.")]).await;
    let source = world.add(&ada, "mail", &script).await.source.id;
    let id = preset(&world, &ada, source).await;
    let (explain, ada) = (explain(&world), Arc::new(ada));
    let ask = async |whom: &str, tool: Option<&str>| {
        explain.explain(&Asker::Person(Arc::clone(&ada)), &question(Some(whom), tool)).await.unwrap()
    };

    let keyless = ask("ada", Some("search")).await;
    assert_eq!(refused(&keyless), Some(Layer::Key));
    let order: Vec<Layer> = keyless.steps.iter().map(|step| step.layer).collect();
    assert_eq!(order, Layer::ALL);
    assert_eq!(keyless.cure.as_ref().unwrap().path, Some(format!("/presets/{id}/connect")));

    for member in [&*ada, &bob] {
        give_key(&world, member).await;
    }
    assert!(ask("ada", Some("search")).await.works());
    let stranger = ask("bob", Some("search")).await;
    assert_eq!(refused(&stranger), Some(Layer::Access));
    assert_eq!(stranger.cure.as_ref().unwrap().path, Some(format!("/presets/{id}/sharing")));
    let handle = NewGrantee::User(bob.handle.clone());
    world.presets.share(&ada, id, handle, AccessLevel::Viewer).await.unwrap();
    assert!(ask("bob", Some("search")).await.works());

    assert_eq!(refused(&ask("bob", Some("none-such")).await), Some(Layer::Hold));
    script.lists(&[("search", "Something else.")]);
    world.sources.refresh(&ada, source).await.unwrap();
    let held = ask("bob", Some("search")).await;
    assert_eq!(refused(&held), Some(Layer::Hold));
    assert!(held.steps.iter().any(|step| step.says.contains("held")), "{held:?}");

    script.answers_html();
    world.sources.test(&ada, source).await.unwrap();
    assert_eq!(refused(&ask("bob", Some("search")).await), Some(Layer::Health));
    world.presets.set_status(&ada, id, PresetStatus::Disabled).await.unwrap();
    assert_eq!(refused(&ask("bob", Some("search")).await), Some(Layer::Status));
    assert_eq!(refused(&ask("ada", None).await), Some(Layer::Status));
    world.presets.set_status(&ada, id, PresetStatus::Active).await.unwrap();
    world.presets.set_expiry(&ada, id, Some(world.clock.now())).await.unwrap();
    let ended = ask("ada", None).await;
    assert_eq!(refused(&ended), Some(Layer::Status));
    assert!(ended.steps.iter().any(|step| step.says.contains("come to its end")), "{ended:?}");
}

#[tokio::test]
async fn a_person_learns_of_themself_only_what_they_may_know() {
    let world = World::new().await;
    let (ada, bob) = (world.person("ada").await, Arc::new(world.person("bob").await));
    let script = Script::new(&[("search", "Searches.")]).await;
    let source = world.add(&ada, "mail", &script).await.source.id;
    let id = preset(&world, &ada, source).await;
    give_key(&world, &bob).await;
    let explain = explain(&world);
    let asker = Asker::Person(Arc::clone(&bob));
    let missing = Question { slug: Slug::parse("none").unwrap(), ..question(Some("bob"), Some("search")) };

    let not_his = explain.explain(&asker, &question(Some("bob"), Some("search"))).await.unwrap();
    let nowhere = explain.explain(&asker, &missing).await.unwrap();
    assert_eq!(
        (&not_his.steps, &not_his.cure),
        (&nowhere.steps, &nowhere.cure),
        "forbidden and missing are alike"
    );
    for whom in [Some("ada"), None] {
        let of_another = explain.explain(&asker, &question(whom, None)).await;
        assert!(matches!(of_another, Err(ExplainError::NotYours)), "{of_another:?}");
        let of_nothing =
            explain.explain(&asker, &Question { whom: question(whom, None).whom, ..missing.clone() }).await;
        assert!(matches!(of_nothing, Err(ExplainError::NotYours)), "{of_nothing:?}");
    }

    let handle = NewGrantee::User(bob.handle.clone());
    world.presets.share(&ada, id, handle, AccessLevel::Editor).await.unwrap();
    script.lists(&[("search", "Something else.")]);
    world.sources.refresh(&ada, source).await.unwrap();
    let held = explain.explain(&asker, &question(Some("bob"), Some("search"))).await.unwrap();
    let never = explain.explain(&asker, &question(Some("bob"), Some("nothing"))).await.unwrap();
    let told = |explained: &Explanation| format!("{explained:?}").replace("search", "nothing");
    assert_eq!(refused(&held), Some(Layer::Hold));
    assert_eq!(told(&held), told(&never), "what is held is as if it were not there");
}

#[tokio::test]
async fn a_missing_sign_in_at_a_source_is_named_with_the_page_to_sign_in_on() {
    let world = World::new().await;
    let (ada, bob) = (world.person("ada").await, world.person("bob").await);
    let script = Script::new(&[("search", "Searches.")]).await;
    let source = world.add(&ada, "mail", &script).await.source;
    let id = preset(&world, &ada, source.id).await;
    world.presets.share(&ada, id, NewGrantee::User(bob.handle.clone()), AccessLevel::Viewer).await.unwrap();
    give_key(&world, &ada).await;
    give_key(&world, &bob).await;
    let explain = explain(&world);
    let ask = async |asker: &Member, whom: &str| {
        let asker = Asker::Person(Arc::new(asker.clone()));
        explain.explain(&asker, &question(Some(whom), Some("search"))).await.unwrap()
    };
    let runs_as = |runs_as| SourceChange {
        auth: Some(Auth::Oauth(OauthClient::default())),
        runs_as: Some(runs_as),
        ..SourceChange::default()
    };

    world.sources.update(&ada, source.id, runs_as(RunsAs::Owner), source.version).await.unwrap();
    let (hers, his) = (ask(&ada, "ada").await, ask(&bob, "bob").await);
    assert_eq!([refused(&hers), refused(&his)], [Some(Layer::Credential); 2], "{hers:?} {his:?}");
    let path = hers.cure.unwrap().path.unwrap();
    let mended = world.connections.find(&ada, path.strip_prefix("/connections/").unwrap().parse().unwrap());
    assert_eq!(mended.await.unwrap().unwrap().user, None);
    let asked = his.cure.unwrap();
    assert!(asked.path.is_none() && asked.text.contains("ask ada"), "{asked:?}");

    let version = world.sources.find(&ada, source.id).await.unwrap().unwrap().version;
    world.sources.update(&ada, source.id, runs_as(RunsAs::Caller), version).await.unwrap();
    let (of_him, his) = (ask(&ada, "bob").await, ask(&bob, "bob").await);
    assert_eq!([refused(&of_him), refused(&his)], [Some(Layer::Credential); 2], "{of_him:?} {his:?}");
    assert_eq!(of_him.cure, his.cure, "the link to send is the one he needs");
    let path = his.cure.unwrap().path.unwrap();
    let id = path.strip_prefix("/connections/").unwrap().parse().unwrap();
    assert_eq!(world.connections.find(&bob, id).await.unwrap().unwrap().user, Some(bob.user));
    assert!(world.connections.find(&ada, id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_client_reaches_what_its_person_agreed_to() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[("search", "Searches."), ("send", "Sends.")]).await;
    let source = world.add(&ada, "mail", &script).await.source.id;
    let id = preset(&world, &ada, source).await;
    let explain = explain(&world);
    let asker = Asker::Person(Arc::new(ada.clone()));
    let ask = async |tool: Option<&str>| explain.explain(&asker, &question(Some("ada"), tool)).await.unwrap();
    let only = vec![GrantedTool { source, name: "search".to_owned() }];
    let tools = Scopes { tools: true, ..Scopes::NONE };
    let grants = async |scopes, tools: Option<Vec<GrantedTool>>| {
        let mut tx = world.db.store.system().await.unwrap();
        let client = ClientRow {
            id: "agent".to_owned(),
            name: "Agent".to_owned(),
            metadata: "{}".to_owned(),
            secret_hash: None,
            registration_hash: None,
            created_at: world.clock.now(),
            used_at: None,
        };
        tx.put_client(&client).await.unwrap();
        let grant = Grant {
            id: GrantId::new(),
            tenant: ada.tenant,
            user: ada.user,
            client: client.id,
            preset: id,
            preset_tenant: ada.tenant,
            scopes,
            tools: tools.map(Into::into),
            created_at: world.clock.now(),
            last_used_at: None,
        };
        tx.put_grant(&grant).await.unwrap();
        tx.commit().await.unwrap();
    };

    grants(tools, Some(only)).await;
    assert!(ask(Some("search")).await.works() && ask(None).await.works());
    let beyond = ask(Some("send")).await;
    assert_eq!(refused(&beyond), Some(Layer::Key));
    assert_eq!(beyond.cure.unwrap().path.as_deref(), Some("/grants"));
    grants(Scopes { resources: true, ..Scopes::NONE }, None).await;
    assert_eq!(refused(&ask(Some("search")).await), Some(Layer::Key));
    give_key(&world, &ada).await;
    let by_key = ask(Some("search")).await;
    let key = by_key.steps.iter().find(|step| step.layer == Layer::Key).unwrap();
    assert!(by_key.works() && key.verdict == Verdict::Warns, "{by_key:?}");
}

#[tokio::test]
async fn whoever_shares_a_preset_learns_nothing_that_is_somebody_elses_own() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let bob = world.member("bob", InstanceRole::Member, "free").await;
    let script = Script::new(&[("search", "Searches.")]).await;
    let source = world.add(&ada, "mail", &script).await.source.id;
    let id = preset(&world, &ada, source).await;
    let explain = explain(&world);
    let ask = async |asker: &Member, whom: &str| {
        let asker = Asker::Person(Arc::new(asker.clone()));
        explain.explain(&asker, &question(Some(whom), None)).await.unwrap()
    };

    let keyless = ask(&ada, "bob").await;
    give_key(&world, &bob).await;
    let stranger = ask(&ada, "bob").await;
    assert_eq!(refused(&stranger), Some(Layer::Access));
    assert_eq!(stranger.steps, keyless.steps, "whether a stranger has keys is not said");

    world.presets.share(&ada, id, NewGrantee::User(bob.handle.clone()), AccessLevel::Admin).await.unwrap();
    give_key(&world, &ada).await;
    let sharer = ask(&bob, "ada").await;
    let health = sharer.steps.iter().find(|step| step.layer == Layer::Health).unwrap();
    assert_eq!(health.says, "a data source works", "whoever shares it on learns nothing of its sources");
    let says = |explained: Explanation| {
        let quota = explained.steps.into_iter().find(|step| step.layer == Layer::Quota).unwrap();
        quota.says
    };
    let (of_him, his) = (says(ask(&ada, "bob").await), says(ask(&bob, "bob").await));
    assert!(his.contains("10000") && !of_him.contains("10000"), "{his} {of_him}");

    let mut tx = world.db.store.system().await.unwrap();
    let mut plan = tx.find_plan(&PlanName::parse("free").unwrap()).await.unwrap().unwrap();
    plan.calls_per_month = Some(0);
    tx.save_plan(&plan).await.unwrap();
    tx.commit().await.unwrap();
    let (of_him, his) = (ask(&ada, "bob").await, ask(&bob, "bob").await);
    assert_eq!([refused(&of_him), refused(&his)], [Some(Layer::Quota); 2], "{of_him:?} {his:?}");
}

#[tokio::test]
async fn one_dead_source_of_two_ends_nothing_unless_its_own_tool_is_asked_for() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let (good, bad) =
        (Script::new(&[("search", "Searches.")]).await, Script::new(&[("work", "Works.")]).await);
    let sources =
        [world.add(&ada, "mail", &good).await.source.id, world.add(&ada, "jobs", &bad).await.source.id];
    let id = preset(&world, &ada, sources[0]).await;
    let both = sources.into_iter().map(Selection::all_tools).collect();
    let change = PresetChange { selections: Some(both), ..PresetChange::default() };
    world.presets.update(&ada, id, change, 1).await.unwrap();
    give_key(&world, &ada).await;
    bad.answers_html();
    world.sources.test(&ada, sources[1]).await.unwrap();
    let explain = explain(&world);
    let asker = Asker::Person(Arc::new(ada));
    let ask = async |tool: Option<&str>| explain.explain(&asker, &question(Some("ada"), tool)).await.unwrap();

    let any = ask(None).await;
    assert!(any.works() && any.cure.is_none(), "{any:?}");
    assert!(any.steps.iter().any(|step| step.verdict == Verdict::Warns && step.says.contains("jobs fails")));
    assert!(ask(Some("search")).await.works());
    assert_eq!(refused(&ask(Some("work")).await), Some(Layer::Health));
    assert_eq!(refused(&ask(Some("none-such")).await), Some(Layer::Hold));
}

#[tokio::test]
async fn calls_without_a_key_are_explained_too() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let script = Script::new(&[("search", "Searches.")]).await;
    let source = world.add(&ada, "mail", &script).await.source.id;
    let id = preset(&world, &ada, source).await;
    let explain = explain(&world);

    let private = explain.explain(&Asker::Operator, &question(None, None)).await.unwrap();
    assert_eq!(refused(&private), Some(Layer::Key));
    let open = PresetChange {
        visibility: Some(Visibility::Public),
        anonymous: Some(true),
        ..PresetChange::default()
    };
    world.presets.update(&ada, id, open, 1).await.unwrap();
    let open = explain.explain(&Asker::Operator, &question(None, None)).await.unwrap();
    assert!(open.works() && open.cure.is_none(), "{open:?}");
    let nobody = explain.explain(&Asker::Operator, &question(Some("nobody-here"), None)).await;
    assert!(matches!(nobody, Err(ExplainError::Nobody(_))));
}

fn explain(world: &World) -> Explain {
    let quota =
        Quota::new(world.db.store.clone(), &Changes::new(), world.clock.clone(), RateSettings::default());
    Explain::new(
        world.db.store.clone(),
        world.sources.clone(),
        world.presets.clone(),
        quota,
        world.clock.clone(),
    )
}

async fn preset(world: &World, owner: &Member, source: crate::model::SourceId) -> crate::model::PresetId {
    let new = NewPreset {
        rules: CallRules::default(),
        slug: Slug::parse("ops").unwrap(),
        title: String::new(),
        description: String::new(),
        visibility: Visibility::Private,
        anonymous: false,
        expires_at: None,
        selections: vec![Selection::all_tools(source)],
    };
    world.presets.add(owner, new).await.unwrap().id
}

async fn give_key(world: &World, member: &Member) {
    let key = crate::model::ApiKey {
        id: crate::model::ApiKeyId::new(),
        tenant: member.tenant,
        user: member.user,
        name: "laptop".to_owned(),
        scope: KeyScope::Everything,
        rate: None,
        created_at: world.clock.now(),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    };
    let mut tx = world.db.store.tenant(member.tenant).await.unwrap();
    tx.add_api_key(&key, &[1; 32]).await.unwrap();
    tx.commit().await.unwrap();
}

fn question(whom: Option<&str>, tool: Option<&str>) -> Question {
    Question {
        whom: whom.map(|whom| Handle::parse(whom).unwrap()),
        owner: Handle::parse("ada").unwrap(),
        slug: Slug::parse("ops").unwrap(),
        tool: tool.map(str::to_owned),
    }
}

fn refused(explained: &Explanation) -> Option<Layer> {
    explained.steps.iter().find(|step| step.verdict == Verdict::Refuses).map(|step| step.layer)
}

//! A person's whole life with the program, the same on both databases.

use super::*;
use crate::{
    clock::Month,
    model::{
        Email, Era, EraVerdict, Handle, HealthState, InstanceRole, OrgRole, Plan, PlanName, PresetTool,
        Selection, SourceOffer, Take, UserId, Via,
    },
    store::{StoreError, testing::store_test},
};

store_test!(a_fresh_database_has_no_users_and_four_plans, |test| async move {
    let mut tx = test.store.system_read().await.unwrap();

    assert!(!tx.users_exist().await.unwrap());
    let names: Vec<String> =
        tx.list_plans().await.unwrap().iter().map(|plan| plan.name.to_string()).collect();
    assert_eq!(names, ["enterprise", "free", "pro", "team"]);
    let free = tx.find_plan(&PlanName::parse("free").unwrap()).await.unwrap().unwrap();
    assert_eq!(
        (free.calls_per_month, free.sources_max, free.retention_days),
        (Some(10_000), Some(1), Some(7))
    );
});

store_test!(accounts_are_found_by_handle_and_address_in_any_case, |test| async move {
    let ada = test.add_user("ada").await;
    let mut tx = test.store.system().await.unwrap();

    for login in ["ada", "ADA", " Ada@Example.org "] {
        let (user, hash) = tx.find_user_by_login(login).await.unwrap().unwrap();
        assert_eq!((&user, hash.as_str()), (&ada, "not a hash"));
    }
    assert!(tx.find_user_by_login("eve\0").await.unwrap().is_none());
    assert_eq!(tx.memberships(ada.id).await.unwrap()[0].role, OrgRole::Admin);
    assert_eq!(tx.find_organisation_by_handle(&ada.handle).await.unwrap().unwrap().personal_of, Some(ada.id));

    let mut changed = ada.clone();
    changed.email = Email::parse("countess@example.org").unwrap();
    changed.role = InstanceRole::Admin;
    changed.plan = PlanName::parse("pro").unwrap();
    assert!(tx.update_user(&changed).await.unwrap());
    assert!(tx.set_password(ada.id, "another").await.unwrap());
    assert_eq!(tx.find_user(ada.id).await.unwrap(), Some(changed));
    assert_eq!(tx.find_password(ada.id).await.unwrap().as_deref(), Some("another"));
    assert!(!tx.set_password(UserId::new(), "nobody's").await.unwrap());
});

store_test!(a_taken_name_says_which, |test| async move {
    let ada = test.add_user("ada").await;
    let mut twin = ada.clone();
    (twin.id, twin.tenant) = (UserId::new(), TenantId::new());

    let mut tx = test.store.system().await.unwrap();
    let same_handle = tx.add_user(&twin, "hash").await.unwrap_err();
    drop(tx);
    let mut tx = test.store.system().await.unwrap();
    twin.handle = Handle::parse("lovelace").unwrap();
    let same_address = tx.add_user(&twin, "hash").await.unwrap_err();
    drop(tx);
    let mut tx = test.store.system().await.unwrap();
    twin.email = Email::parse("l@example.org").unwrap();
    twin.plan = PlanName::parse("imaginary").unwrap();
    let no_plan = tx.add_user(&twin, "hash").await.unwrap_err();
    drop(tx);
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    tx.add_source(&source(ada.tenant, "files"), None).await.unwrap();
    let same_source = tx.add_source(&source(ada.tenant, "files"), None).await.unwrap_err();
    drop(tx);

    let what = |error: StoreError| match error {
        StoreError::Conflict { what } => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(what(same_handle), "organisations.handle");
    assert_eq!(what(same_address), "users.email");
    assert_eq!(what(same_source), "sources.name");
    assert!(matches!(no_plan, StoreError::Dangling(_)));
    assert_eq!(test.store.system_read().await.unwrap().count_users().await.unwrap(), 1);
});

store_test!(of_two_first_users_one_wins, |test| async move {
    let make = |handle: &'static str| async move {
        let user = User {
            id: UserId::new(),
            tenant: TenantId::new(),
            handle: Handle::parse(handle).unwrap(),
            email: Email::parse(&format!("{handle}@example.org")).unwrap(),
            role: InstanceRole::Admin,
            plan: PlanName::parse("enterprise").unwrap(),
            enabled: true,
            created_at: NOW,
        };
        let mut tx = test.store.system().await.unwrap();
        let first = tx.add_first_user(&user, "hash").await.unwrap();
        tx.commit().await.unwrap();
        first
    };

    let (ada, bob) = tokio::join!(make("ada"), make("bob"));

    assert!(ada ^ bob);
});

store_test!(a_cookie_finds_its_person_until_it_ends, |test| async move {
    let ada = test.add_user("ada").await;
    let (first, second) = (session(&ada), session(&ada));
    let mut tx = test.store.system().await.unwrap();
    tx.add_browser_session(&first, &[1; 32]).await.unwrap();
    tx.add_browser_session(&second, &[2; 32]).await.unwrap();
    tx.touch_browser_sessions(&[(first.id, Ms(NOW.0 + 5))]).await.unwrap();
    tx.commit().await.unwrap();

    let (found, member) = test.store.find_browser_session(&[1; 32], NOW).await.unwrap().unwrap();
    assert_eq!(found.seen_at, Ms(NOW.0 + 5));
    assert_eq!((member.user, &member.handle, member.tenant), (ada.id, &ada.handle, ada.tenant));
    assert_eq!(member.via, Via::BrowserSession(first.id));
    assert!(test.store.find_browser_session(&[9; 32], NOW).await.unwrap().is_none());
    assert!(test.store.find_browser_session(&[1; 32], first.expires_at).await.unwrap().is_none());

    let mut tx = test.store.system().await.unwrap();
    assert_eq!(tx.list_browser_sessions(ada.id, NOW).await.unwrap().len(), 2);
    assert_eq!(tx.revoke_browser_sessions(ada.id, Some(first.id)).await.unwrap(), [second.id]);
    assert!(!tx.revoke_browser_session(UserId::new(), first.id).await.unwrap());
    let mut off = ada.clone();
    off.enabled = false;
    tx.update_user(&off).await.unwrap();
    tx.commit().await.unwrap();
    assert!(test.store.find_browser_session(&[1; 32], NOW).await.unwrap().is_none());

    let mut tx = test.store.system().await.unwrap();
    assert!(tx.find_member(ada.id, ada.tenant, Via::Shell).await.unwrap().is_none());
    assert_eq!(tx.remove_ended_browser_sessions(first.expires_at, 10).await.unwrap(), 1);
});

store_test!(an_api_key_is_found_until_it_is_revoked_and_then_says_so, |test| async move {
    let ada = test.add_user("ada").await;
    let mut key = key(&ada);
    key.scope = KeyScope::Presets(vec![PresetId::new()]);
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    tx.add_api_key(&key, &[7; 32]).await.unwrap();
    assert!(tx.rename_api_key(key.id, "desk").await.unwrap());
    tx.commit().await.unwrap();
    key.name = "desk".into();

    let found = test.store.find_api_key(key.id).await.unwrap().unwrap();
    assert_eq!((&found.key, found.secret_hash, found.user_enabled), (&key, [7; 32], true));
    assert_eq!(found.member.org_role, OrgRole::Admin);

    let mut tx = test.store.system().await.unwrap();
    tx.touch_api_keys(&[(key.id, NOW)]).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    assert!(tx.revoke_api_key(key.id, NOW).await.unwrap());
    assert!(!tx.revoke_api_key(key.id, NOW).await.unwrap());
    assert_eq!(tx.list_api_keys().await.unwrap().len(), 1);
    tx.commit().await.unwrap();
    let found = test.store.find_api_key(key.id).await.unwrap().unwrap().key;
    assert_eq!((found.revoked_at, found.last_used_at), (Some(NOW), Some(NOW)));
    assert!(test.store.find_api_key(ApiKeyId::new()).await.unwrap().is_none());
});

store_test!(a_source_keeps_what_it_was_given, |test| async move {
    let ada = test.add_user("ada").await;
    let mut files = source(ada.tenant, "files");
    let sealed = r#"{"kid":"k1","ct":"…"}"#;
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    tx.add_source(&files, Some(sealed)).await.unwrap();
    assert_eq!(tx.find_source(files.id).await.unwrap().as_ref(), Some(&files));
    assert_eq!(tx.source_credential(files.id).await.unwrap().as_deref(), Some(sealed));

    files.verdict = Some(EraVerdict {
        era: Era::Legacy,
        revision: "2025-11-25".into(),
        server: "files 1".into(),
        at: NOW,
    });
    files.health = Health { state: HealthState::Failing, detail: "gone\0".into(), at: Some(NOW) };
    assert!(tx.set_source_verdict(files.id, files.verdict.as_ref()).await.unwrap());
    assert!(tx.set_source_health(files.id, &files.health).await.unwrap());
    files.health.detail = "gone\u{fffd}".into();
    assert_eq!(tx.find_source_by_name(&files.name).await.unwrap().as_ref(), Some(&files));

    files.name = SourceName::parse("papers").unwrap();
    files.reach = Reach::McpStdio { command: vec!["npx".into()], working_dir: Some("/srv".into()) };
    files.env_names = vec!["TOKEN".into()];
    assert!(tx.update_source(&files, 1).await.unwrap());
    assert!(!tx.update_source(&files, 1).await.unwrap(), "the second editor is told");
    files.version = 2;
    assert_eq!(tx.list_sources().await.unwrap(), [files.clone()]);
    assert_eq!(tx.count_sources().await.unwrap(), 1);
    tx.commit().await.unwrap();

    let mut tx = test.store.system_read().await.unwrap();
    assert_eq!(tx.find_source(files.id).await.unwrap().unwrap(), (files.clone(), Some(sealed.into())));
    assert_eq!(tx.list_enabled_sources(None, 10).await.unwrap(), [files.clone()]);
    assert!(tx.list_enabled_sources(Some(files.id), 10).await.unwrap().is_empty());
});

store_test!(a_definition_comes_back_byte_for_byte, |test| async move {
    let ada = test.add_user("ada").await;
    let files = source(ada.tenant, "files");
    keep_source(&test.store, &files).await;
    let odd =
        "{ \"z\":1.10e+2,\t\"a\" : \"\\u0000\\u00e9é\", \"z2\":[ ] ,\"big\":123456789012345678901234567890}";
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    let mut tools = vec![tool(files.id, "b", "{}"), tool(files.id, "a", odd)];
    tx.put_source_tools(files.id, &tools).await.unwrap();

    let found = tx.list_source_tools(files.id).await.unwrap();
    assert_eq!(found.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(found[0].definition.get(), odd);

    tools[1].accepted_definition = Some(tools[1].definition.clone());
    tools[1].definition = RawValue::from_string("{\"new\":true}".into()).unwrap();
    tools[1].state = ToolState::Changed;
    tx.put_source_tools(files.id, &tools[1..]).await.unwrap();
    assert!(tx.set_tool_state(files.id, "b", ToolState::Gone).await.unwrap());
    let found = tx.list_source_tools(files.id).await.unwrap();
    assert_eq!(found[0].accepted_definition.as_ref().unwrap().get(), odd);
    assert_eq!((found[0].state, found[1].state), (ToolState::Changed, ToolState::Gone));

    assert_eq!(tx.remove_source_tools(files.id, &["b".into(), "c".into()]).await.unwrap(), 1);
    let gone = tx.put_source_tools(SourceId::new(), &tools).await.unwrap_err();
    assert!(matches!(gone, StoreError::Dangling(_)), "{gone:?}");
});

store_test!(what_a_source_offers_beside_tools_comes_back_byte_for_byte, |test| async move {
    let ada = test.add_user("ada").await;
    let files = source(ada.tenant, "files");
    keep_source(&test.store, &files).await;
    let odd = "{ \"uri\" : \"a:\\u00e9\",\t\"n\":1.10e+2,\"big\":123456789012345678901234567890}";
    let long = format!("a:{}", "x".repeat(2046));
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    let mut listed = vec![
        resource(files.id, ResourceKind::Template, "a:{b}", "{}"),
        resource(files.id, ResourceKind::Resource, &long, "{}"),
        resource(files.id, ResourceKind::Resource, "a:é", odd),
    ];
    tx.put_source_resources(files.id, &listed).await.unwrap();
    let uris = |found: &[SourceResource]| -> Vec<(ResourceKind, String)> {
        found.iter().map(|one| (one.kind, one.uri.clone())).collect()
    };
    let found = tx.list_source_resources(files.id).await.unwrap();
    assert_eq!(found.len(), 3);
    let kept = found.iter().find(|one| one.uri == "a:é").unwrap();
    assert_eq!((kept.kind, kept.definition.get()), (ResourceKind::Resource, odd));
    assert_eq!(tx.list_resource_uris().await.unwrap().len(), 3);

    listed[0].definition = RawValue::from_string("{\"new\":true}".into()).unwrap();
    tx.put_source_resources(files.id, &listed[..1]).await.unwrap();
    let gone = [(ResourceKind::Resource, long.clone()), (ResourceKind::Template, long)];
    assert_eq!(tx.remove_source_resources(files.id, &gone).await.unwrap(), 1);
    let mut found = tx.list_source_resources(files.id).await.unwrap();
    found.sort_by(|a, b| a.uri.cmp(&b.uri));
    assert_eq!(
        uris(&found),
        [(ResourceKind::Template, "a:{b}".into()), (ResourceKind::Resource, "a:é".into())]
    );
    assert_eq!(found[0].definition.get(), "{\"new\":true}");

    let mut prompts = vec![tool(files.id, "b", "{}"), tool(files.id, "a", odd)];
    tx.put_source_prompts(files.id, &prompts).await.unwrap();
    prompts[1].accepted_definition = Some(prompts[1].definition.clone());
    prompts[1].state = ToolState::Changed;
    tx.put_source_prompts(files.id, &prompts[1..]).await.unwrap();
    let found = tx.list_source_prompts(files.id).await.unwrap();
    assert_eq!((found[0].name.as_str(), found[0].state), ("a", ToolState::Changed));
    assert_eq!(found[0].accepted_definition.as_ref().unwrap().get(), odd);
    assert!(tx.list_source_tools(files.id).await.unwrap().is_empty(), "a prompt is no tool");
    assert_eq!(
        tx.list_prompt_states().await.unwrap(),
        [(files.id, "a".to_owned(), ToolState::Changed), (files.id, "b".to_owned(), ToolState::Accepted)]
    );
    assert_eq!(tx.remove_source_prompts(files.id, &["b".into(), "c".into()]).await.unwrap(), 1);

    assert!(tx.source_offer(files.id).await.unwrap().is_none());
    for instructions in ["first", "second\0"] {
        let capabilities = RawValue::from_string("{ \"tools\":{}}".into()).unwrap();
        let offer = SourceOffer { capabilities, instructions: instructions.into(), seen_at: NOW };
        tx.set_source_offer(files.id, &offer).await.unwrap();
    }
    let offer = tx.source_offer(files.id).await.unwrap().unwrap();
    assert_eq!(
        (offer.capabilities.get(), offer.instructions.as_str()),
        ("{ \"tools\":{}}", "second\u{fffd}")
    );

    tx.commit().await.unwrap();
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    assert!(tx.remove_source(files.id).await.unwrap());
    assert!(tx.list_resource_uris().await.unwrap().is_empty());
    assert!(tx.source_offer(files.id).await.unwrap().is_none());
    let gone = tx.put_source_resources(SourceId::new(), &listed).await.unwrap_err();
    assert!(matches!(gone, StoreError::Dangling(_)), "{gone:?}");
});

store_test!(a_preset_keeps_its_selections_in_order, |test| async move {
    let ada = test.add_user("ada").await;
    let (files, mail) = (source(ada.tenant, "files"), source(ada.tenant, "mail"));
    keep_source(&test.store, &files).await;
    keep_source(&test.store, &mail).await;
    let mut notes = preset(ada.tenant, "notes");
    let picked = |name: &str, alias: Option<&str>| PresetTool {
        name: name.into(),
        enabled: true,
        exposed_name: alias.map(Into::into),
        exposed_description: None,
        check_arguments: alias.is_some(),
    };
    let selections = vec![
        Selection {
            all: false,
            tools: vec![picked("send", Some("post")), picked("read", None)],
            resources: Take::Only(vec!["b:".into(), "a:{x}".into()]),
            prompts: Take::All,
            ..Selection::all_tools(mail.id)
        },
        Selection { prompts: Take::Only(Vec::new()), ..Selection::all_tools(files.id) },
    ];
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    tx.add_preset(&notes).await.unwrap();
    tx.set_selections(notes.id, &selections).await.unwrap();
    tx.set_selections(notes.id, &selections).await.unwrap();
    assert_eq!(tx.selections(notes.id).await.unwrap(), selections);
    assert_eq!(tx.presets_using_source(mail.id).await.unwrap(), [notes.clone()]);

    notes.slug = Slug::parse("letters").unwrap();
    notes.visibility = Visibility::Public;
    notes.anonymous = true;
    assert!(tx.update_preset(&notes, 1).await.unwrap());
    assert!(!tx.update_preset(&notes, 1).await.unwrap(), "the second editor is told");
    notes.version = 2;
    tx.commit().await.unwrap();

    let at = test.store.find_preset_by_address(&ada.handle, &notes.slug).await.unwrap();
    assert_eq!(at.as_ref(), Some(&notes));
    let old = test.store.find_preset_by_address(&ada.handle, &Slug::parse("notes").unwrap()).await.unwrap();
    assert!(old.is_none());

    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    assert!(tx.remove_source(mail.id).await.unwrap());
    assert_eq!(tx.selections(notes.id).await.unwrap(), selections[1..]);
    assert!(tx.remove_preset(notes.id).await.unwrap());
    assert!(tx.list_presets().await.unwrap().is_empty());
    assert!(tx.selections(notes.id).await.unwrap().is_empty());
});

store_test!(a_dropped_transaction_leaves_nothing, |test| async move {
    let ada = test.add_user("ada").await;
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    tx.add_source(&source(ada.tenant, "files"), None).await.unwrap();
    drop(tx);

    assert_eq!(test.store.read(ada.tenant).await.unwrap().count_sources().await.unwrap(), 0);
});

store_test!(a_reading_transaction_cannot_write, |test| async move {
    let ada = test.add_user("ada").await;
    let mut tx = test.store.read(ada.tenant).await.unwrap();
    assert!(tx.add_source(&source(ada.tenant, "files"), None).await.is_err());
    drop(tx);
    let mut tx = test.store.system_read().await.unwrap();
    assert!(tx.set_password(ada.id, "stolen").await.is_err());
});

store_test!(plans_and_the_canary_are_kept, |test| async move {
    let plan = Plan {
        name: PlanName::parse("small").unwrap(),
        calls_per_month: Some(5),
        analyses_per_month: None,
        concurrent_analyses: Some(1),
        sources_max: Some(3),
        presets_max: None,
        stored_analyses_max: None,
        retention_days: None,
        rate: None,
    };
    let mut tx = test.store.system().await.unwrap();
    tx.save_plan(&plan).await.unwrap();
    let plan = Plan { calls_per_month: None, ..plan };
    tx.save_plan(&plan).await.unwrap();
    assert_eq!(tx.find_plan(&plan.name).await.unwrap(), Some(plan));

    assert_eq!(tx.vault_canary().await.unwrap(), None);
    assert!(tx.set_vault_canary(None, "first").await.unwrap());
    assert!(!tx.set_vault_canary(None, "second").await.unwrap());
    assert!(!tx.set_vault_canary(Some("other"), "second").await.unwrap());
    assert!(tx.set_vault_canary(Some("first"), "second").await.unwrap());
    assert_eq!(tx.vault_canary().await.unwrap().as_deref(), Some("second"));
});

store_test!(sealed_texts_are_listed_until_they_are_under_the_new_key, |test| async move {
    let ada = test.add_user("ada").await;
    let files = source(ada.tenant, "files");
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    tx.add_source(&files, Some(r#"{"kid":"old"}"#)).await.unwrap();
    tx.add_source(&source(ada.tenant, "open"), None).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = test.store.system().await.unwrap();
    assert!(tx.list_sealed_not_under("old", 10).await.unwrap().is_empty());
    let rows = tx.list_sealed_not_under("new", 10).await.unwrap();
    assert_eq!((rows.len(), rows[0].row, rows[0].tenant), (1, files.id.0, ada.tenant));
    assert!(tx.replace_sealed(&rows[0], r#"{"kid":"new"}"#).await.unwrap());
    assert!(!tx.replace_sealed(&rows[0], r#"{"kid":"new"}"#).await.unwrap(), "it was another text");
    assert!(tx.list_sealed_not_under("new", 10).await.unwrap().is_empty());
});

store_test!(lists_go_on_after_the_last_seen, |test| async move {
    for handle in ["ada", "bob", "cyd"] {
        test.add_user(handle).await;
    }
    let mut tx = test.store.system_read().await.unwrap();
    let first = tx.list_users(None, 2).await.unwrap();
    let rest = tx.list_users(Some(&first[1].handle), 2).await.unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].handle.as_str(), "cyd");
    let first = tx.list_organisations(None, 2).await.unwrap();
    assert_eq!(tx.list_organisations(Some(first[1].id), 2).await.unwrap().len(), 1);
    assert_eq!(tx.usage(rest[0].id, Month(202_611)).await.unwrap(), 0);
});

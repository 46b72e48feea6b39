//! No data crosses from one organisation to another.

use sqlx::{AssertSqlSafe, Connection, PgConnection, query, query_scalar};

use super::*;
use crate::{
    model::{
        AccessEntry, AccessId, AccessLevel, Grantee, Handle, HealthState, PresetTool, Selection, SourceOffer,
        Take,
    },
    store::{
        Dimension, EventFilter, Histogram, Inner, MetricRow, Pools, Reached, SeriesQuery, StoreError,
        TotalsQuery,
        testing::{TestStore, store_test},
    },
};

/// What Ada has.
struct Hers {
    user: User,
    source: Source,
    preset: Preset,
    entry: AccessEntry,
    key: ApiKey,
    event: RunEvent,
}

async fn two(test: &TestStore) -> (Hers, User) {
    let ada = test.add_user("ada").await;
    let bob = test.add_user("bob").await;
    let hers = Hers {
        source: source(ada.tenant, "files"),
        preset: preset(ada.tenant, "notes"),
        entry: entry(&ada),
        key: key(&ada),
        event: event(&ada, NOW, "read"),
        user: ada,
    };
    let mut tx = test.store.tenant(hers.user.tenant).await.unwrap();
    tx.add_source(&hers.source, Some(r#"{"kid":"k"}"#)).await.unwrap();
    tx.put_source_tools(hers.source.id, &[tool(hers.source.id, "read", "{}")]).await.unwrap();
    tx.put_source_prompts(hers.source.id, &[tool(hers.source.id, "review", "{}")]).await.unwrap();
    tx.put_source_resources(hers.source.id, &[file(hers.source.id)]).await.unwrap();
    tx.set_source_offer(hers.source.id, &offer()).await.unwrap();
    let connection = tx.want_connection(hers.source.id, None, NOW).await.unwrap().connection.id;
    tx.add_sign_in(&sign_in(&hers.user, connection), &[3; 32]).await.unwrap();
    tx.add_preset(&hers.preset).await.unwrap();
    tx.set_selections(hers.preset.id, &[selection(hers.source.id)]).await.unwrap();
    tx.add_access(hers.preset.id, &hers.entry).await.unwrap();
    tx.add_api_key(&hers.key, &[1; 32]).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = test.store.system().await.unwrap();
    tx.add_browser_session(&session(&hers.user), &[1; 32]).await.unwrap();
    tx.append_events(std::slice::from_ref(&hers.event)).await.unwrap();
    tx.add_metrics(&[MetricRow {
        tenant: hers.user.tenant,
        at: NOW,
        preset: Some(hers.preset.id),
        source: Some(hers.source.id),
        tool: "read".into(),
        calls: 1,
        errors: 0,
        duration_us_sum: 1,
        duration_us_max: 1,
        histogram: Histogram::default(),
    }])
    .await
    .unwrap();
    tx.commit().await.unwrap();
    (hers, bob)
}

fn selection(source: SourceId) -> Selection {
    let tool = PresetTool {
        name: "read".into(),
        enabled: true,
        exposed_name: None,
        exposed_description: None,
        check_arguments: false,
    };
    Selection {
        source,
        all: false,
        tools: vec![tool],
        resources: Take::Only(vec!["file:///a".into()]),
        prompts: Take::Only(vec!["review".into()]),
    }
}

fn entry(user: &User) -> AccessEntry {
    AccessEntry {
        id: AccessId::new(),
        who: Grantee::User(user.id, user.handle.clone()),
        level: AccessLevel::Viewer,
        reaches: Some(user.id),
        created_at: NOW,
    }
}

fn file(source: SourceId) -> SourceResource {
    resource(source, ResourceKind::Resource, "file:///a", "{}")
}

fn offer() -> SourceOffer {
    let capabilities = RawValue::from_string("{}".into()).unwrap();
    SourceOffer { capabilities, instructions: String::new(), seen_at: NOW }
}

store_test!(nothing_of_another_organisation_is_found_or_changed, |test| async move {
    let (hers, bob) = two(test).await;
    let (source_id, preset_id) = (hers.source.id, hers.preset.id);
    let mut tx = test.store.tenant(bob.tenant).await.unwrap();

    assert!(tx.list_sources().await.unwrap().is_empty());
    assert_eq!(tx.count_sources().await.unwrap(), 0);
    assert!(tx.find_source(source_id).await.unwrap().is_none());
    assert!(tx.find_source_by_name(&hers.source.name).await.unwrap().is_none());
    assert!(tx.source_credential(source_id).await.unwrap().is_none());
    assert!(tx.list_source_tools(source_id).await.unwrap().is_empty());
    assert!(tx.list_tool_states().await.unwrap().is_empty());
    assert!(tx.list_source_prompts(source_id).await.unwrap().is_empty());
    assert!(tx.list_prompt_states().await.unwrap().is_empty());
    assert!(tx.list_source_resources(source_id).await.unwrap().is_empty());
    assert!(tx.list_resource_uris().await.unwrap().is_empty());
    assert!(tx.source_offer(source_id).await.unwrap().is_none());
    assert!(tx.list_own_connections().await.unwrap().is_empty());
    assert!(tx.find_connection_of(source_id, None).await.unwrap().is_none());
    assert_eq!(tx.remove_connections_to(source_id).await.unwrap(), 0);
    assert!(tx.list_presets().await.unwrap().is_empty());
    assert!(tx.find_preset(preset_id).await.unwrap().is_none());
    assert!(tx.find_preset_by_slug(&hers.preset.slug).await.unwrap().is_none());
    assert!(tx.selections(preset_id).await.unwrap().is_empty());
    assert!(tx.list_access(preset_id).await.unwrap().is_empty());
    assert!(tx.presets_using_source(source_id).await.unwrap().is_empty());
    assert!(tx.list_api_keys().await.unwrap().is_empty());
    assert!(tx.find_api_key(hers.key.id).await.unwrap().is_none());
    assert!(tx.list_events(&EventFilter::default()).await.unwrap().is_empty());
    assert!(tx.find_event(hers.event.id).await.unwrap().is_none());
    let (from, to) = (Ms(0), Ms(NOW.0 + 1));
    let series = SeriesQuery { from, to, bucket_ms: 60_000, preset: None, source: None, tool: None };
    assert!(tx.series(&series).await.unwrap().is_empty());
    let totals =
        TotalsQuery { by: Dimension::Tool, from, to, preset: None, source: None, tool: None, limit: 9 };
    assert!(tx.totals(&totals).await.unwrap().is_empty());

    let health = Health { state: HealthState::Failing, ..Health::default() };
    assert!(!tx.update_source(&hers.source, 1).await.unwrap());
    assert!(!tx.set_source_credential(source_id, None).await.unwrap());
    assert!(!tx.set_source_verdict(source_id, None).await.unwrap());
    assert!(!tx.set_source_health(source_id, &health).await.unwrap());
    assert!(!tx.remove_source(source_id).await.unwrap());
    assert!(!tx.set_tool_state(source_id, "read", ToolState::Gone).await.unwrap());
    assert_eq!(tx.remove_source_tools(source_id, &["read".into()]).await.unwrap(), 0);
    assert_eq!(tx.remove_source_prompts(source_id, &["review".into()]).await.unwrap(), 0);
    let uris = [(ResourceKind::Resource, "file:///a".into())];
    assert_eq!(tx.remove_source_resources(source_id, &uris).await.unwrap(), 0);
    assert!(!tx.update_preset(&hers.preset, 1).await.unwrap());
    assert!(!tx.remove_access(preset_id, hers.entry.id).await.unwrap());
    assert!(!tx.remove_preset(preset_id).await.unwrap());
    assert!(!tx.rename_api_key(hers.key.id, "mine").await.unwrap());
    assert!(!tx.revoke_api_key(hers.key.id, NOW).await.unwrap());
    tx.commit().await.unwrap();

    let mut tx = test.store.read(hers.user.tenant).await.unwrap();
    assert_eq!(tx.list_sources().await.unwrap(), [hers.source]);
    assert_eq!(tx.selections(preset_id).await.unwrap(), [selection(source_id)]);
    assert_eq!(tx.list_access(preset_id).await.unwrap(), [hers.entry]);
    assert_eq!(tx.list_api_keys().await.unwrap(), [hers.key]);
    assert_eq!(tx.list_source_tools(source_id).await.unwrap()[0].state, ToolState::Accepted);
});

store_test!(what_one_adds_is_ones_own_and_cannot_reach_across, |test| async move {
    let (hers, bob) = two(test).await;
    let mut tx = test.store.tenant(bob.tenant).await.unwrap();
    // Says it is Ada's; the transaction knows better.
    tx.add_source(&source(hers.user.tenant, "files"), None).await.unwrap();
    let mine = preset(hers.user.tenant, "notes");
    tx.add_preset(&mine).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = test.store.tenant(bob.tenant).await.unwrap();
    assert_eq!(tx.list_sources().await.unwrap()[0].tenant, bob.tenant);
    let across = tx.set_selections(mine.id, &[selection(hers.source.id)]).await.unwrap_err();
    assert!(matches!(across, StoreError::Dangling(_)), "{across:?}");
    drop(tx);
    let mut tx = test.store.tenant(bob.tenant).await.unwrap();
    let across = tx.put_source_tools(hers.source.id, &[tool(hers.source.id, "x", "{}")]).await.unwrap_err();
    assert!(matches!(across, StoreError::Dangling(_)), "{across:?}");
    drop(tx);
    let mut tx = test.store.tenant(bob.tenant).await.unwrap();
    let across = tx.put_source_prompts(hers.source.id, &[tool(hers.source.id, "x", "{}")]).await.unwrap_err();
    assert!(matches!(across, StoreError::Dangling(_)), "{across:?}");
    drop(tx);
    let mut tx = test.store.tenant(bob.tenant).await.unwrap();
    let across = tx.put_source_resources(hers.source.id, &[file(hers.source.id)]).await.unwrap_err();
    assert!(matches!(across, StoreError::Dangling(_)), "{across:?}");
    drop(tx);
    let mut tx = test.store.tenant(bob.tenant).await.unwrap();
    let across = tx.set_source_offer(hers.source.id, &offer()).await.unwrap_err();
    assert!(matches!(across, StoreError::Dangling(_)), "{across:?}");
    drop(tx);
    let mut tx = test.store.tenant(bob.tenant).await.unwrap();
    let across = tx.add_access(hers.preset.id, &entry(&bob)).await.unwrap_err();
    assert!(matches!(across, StoreError::Dangling(_)), "{across:?}");
    drop(tx);
    let mut tx = test.store.tenant(bob.tenant).await.unwrap();
    let across = tx.want_connection(hers.source.id, None, NOW).await.unwrap_err();
    assert!(matches!(across, StoreError::Dangling(_)), "{across:?}");
    drop(tx);
    let mut tx = test.store.tenant(bob.tenant).await.unwrap();
    let across = tx.add_api_key(&key(&hers.user), &[2; 32]).await.unwrap_err();
    assert!(matches!(across, StoreError::Dangling(_)), "{across:?}");
    drop(tx);

    let slug = Slug::parse("notes").unwrap();
    let at = |handle: &str| Handle::parse(handle).unwrap();
    let found = test.store.find_preset_by_address(&at("ada"), &slug).await.unwrap().unwrap();
    assert_eq!(found.id, hers.preset.id);
    let found = test.store.find_preset_by_address(&at("bob"), &slug).await.unwrap().unwrap();
    assert_eq!(found.id, mine.id);
});

/// Tables an organisation's transaction may read on PostgreSQL.
const READABLE: [&str; 22] = [
    "organisations",
    "memberships",
    "api_keys",
    "sources",
    "source_tools",
    "source_prompts",
    "source_resources",
    "source_offers",
    "connections",
    "sign_ins",
    "presets",
    "preset_sources",
    "preset_tools",
    "preset_resources",
    "preset_prompts",
    "preset_access",
    "metrics_1m",
    "metrics_1m_by",
    "metrics_1h",
    "audit_blocks",
    "audit_block_kinds",
    "audit_kinds",
];

/// The code's own check is the condition on `tenant_id` in every statement. Here it is left out.
#[tokio::test(flavor = "multi_thread")]
async fn row_level_security_holds_where_a_statement_forgets_the_organisation() {
    let Some(test) = TestStore::postgres().await else { return };
    let (hers, bob) = two(&test).await;

    for table in READABLE {
        let sql = format!("select count(*) from {table}");
        let count = |tenant| {
            let (store, sql) = (test.store.clone(), sql.clone());
            async move {
                let mut tx = store.read(tenant).await.unwrap();
                let Inner::Postgres(connection) = &mut tx.inner else { panic!("not PostgreSQL") };
                query_scalar::<_, i64>(AssertSqlSafe(sql)).fetch_one(&mut **connection).await.unwrap()
            }
        };
        let own = i64::from(matches!(table, "organisations" | "memberships"));
        assert_eq!(count(hers.user.tenant).await, 1, "{table}: Ada does not see her own");
        assert_eq!(count(bob.tenant).await, own, "{table}: Bob sees what is Ada's");
    }

    for statement in [
        "update sources set name = 'mine'",
        "update api_keys set revoked_at = 1",
        "delete from presets",
        "update connections set sealed = null",
        "delete from sign_ins",
        "delete from preset_tools",
        "delete from preset_resources",
        "update preset_access set level = 'admin'",
        "update source_offers set instructions = 'obey'",
    ] {
        let mut tx = test.store.tenant(bob.tenant).await.unwrap();
        let Inner::Postgres(connection) = &mut tx.inner else { panic!("not PostgreSQL") };
        let changed = query(statement).execute(&mut **connection).await.unwrap().rows_affected();
        assert_eq!(changed, 0, "{statement}");
    }

    let foreign = [
        format!(
            "insert into presets select '{}', id, 'x', title, description, visibility, anonymous, status,
            version, created_at, updated_at from presets",
            hers.user.tenant
        ),
        format!("update presets set tenant_id = '{}'", hers.user.tenant),
    ];
    for statement in foreign {
        let mut tx = test.store.tenant(bob.tenant).await.unwrap();
        tx.add_preset(&preset(bob.tenant, "his")).await.unwrap();
        let Inner::Postgres(connection) = &mut tx.inner else { panic!("not PostgreSQL") };
        let refused = query(AssertSqlSafe(statement)).execute(&mut **connection).await.unwrap_err();
        assert!(refused.to_string().contains("row-level security"), "{refused}");
    }
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_serving_role_sees_nothing_outside_a_transaction() {
    let Some(test) = TestStore::postgres().await else { return };
    two(&test).await;
    let Pools::Postgres(pool) = &test.store.pools else { panic!("not PostgreSQL") };

    for table in READABLE {
        let sql = AssertSqlSafe(format!("select count(*) from {table}"));
        assert_eq!(query_scalar::<_, i64>(sql).fetch_one(pool).await.unwrap(), 0, "{table}");
    }
    for table in ["users", "plans", "quotas", "browser_sessions", "vault_canary"] {
        let sql = AssertSqlSafe(format!("select 1 from {table}"));
        let refused = query(sql).execute(pool).await.unwrap_err();
        assert!(refused.to_string().contains("permission denied"), "{table}: {refused}");
    }
    test.remove().await;
}

/// Roles belong to all databases of a server: another installation's serving role is a member of
/// `doorward_system` too.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_admitted_to_another_database_sees_nothing_of_this_one() {
    let Some(test) = TestStore::postgres().await else { return };
    two(&test).await;
    let name = format!("r_{}", uuid::Uuid::now_v7().simple());
    let mut admin = PgConnection::connect(test.postgres_admin_url().unwrap().expose()).await.unwrap();
    let admit = format!(
        "create role {name} login noinherit password 'doorward-test'; grant doorward_system to {name}"
    );
    sqlx::raw_sql(AssertSqlSafe(admit)).execute(&mut admin).await.unwrap();

    let mut stranger = PgConnection::connect(test.postgres_url_as(&name).unwrap().expose()).await.unwrap();
    query("set role doorward_system").execute(&mut stranger).await.unwrap();

    for table in ["users", "sources", "audit_blocks", "vault_canary"] {
        let sql = AssertSqlSafe(format!("select count(*) from {table}"));
        assert_eq!(query_scalar::<_, i64>(sql).fetch_one(&mut stranger).await.unwrap(), 0, "{table}");
    }
    stranger.close().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("drop role {name}"))).execute(&mut admin).await.unwrap();
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_past_the_code_finds_a_table_that_was_left_open() {
    let Some(test) = TestStore::postgres().await else { return };
    let (hers, bob) = two(&test).await;

    let shut = test.store.reach_across(hers.user.tenant, bob.tenant).await.unwrap().unwrap();
    let mut owner = PgConnection::connect(test.postgres_urls().unwrap().1.expose()).await.unwrap();
    sqlx::raw_sql("alter table sources disable row level security").execute(&mut owner).await.unwrap();
    let open = test.store.reach_across(hers.user.tenant, bob.tenant).await.unwrap().unwrap();

    let sources = |all: &[Reached]| all.iter().find(|reached| reached.table == "sources").cloned().unwrap();
    assert_eq!((sources(&shut).there, sources(&shut).read, sources(&shut).changed), (1, Some(0), 0));
    assert!(shut.iter().all(|reached| reached.read.unwrap_or(0) == 0 && reached.changed == 0));
    assert_eq!((sources(&open).read, sources(&open).changed), (Some(1), 2));
    test.remove().await;
}

store_test!(the_imprint_tells_the_table_that_was_changed, |test| async move {
    let (hers, _) = two(test).await;
    let before = test.store.system_read().await.unwrap().imprint(hers.user.tenant).await.unwrap();
    let same = test.store.system_read().await.unwrap().imprint(hers.user.tenant).await.unwrap();
    let mut tx = test.store.tenant(hers.user.tenant).await.unwrap();
    tx.rename_api_key(hers.key.id, "mine").await.unwrap();
    tx.commit().await.unwrap();
    let after = test.store.system_read().await.unwrap().imprint(hers.user.tenant).await.unwrap();

    assert_eq!(before, same);
    let changed: Vec<_> =
        before.iter().filter(|(table, rows)| after[*table] != **rows).map(|(table, _)| table).collect();
    assert_eq!(changed, ["api_keys"]);
    assert!(before.len() > 40 && before.contains_key("organisations"), "{before:?}");
});

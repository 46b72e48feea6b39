//! The two folders of migrations describe the same tables, and PostgreSQL guards every one.

use std::collections::BTreeSet;

use sqlx::{query_as, query_scalar};

use crate::store::{Pools, postgres, sqlite, testing::TestStore};

type Column = (String, String, bool);

#[tokio::test(flavor = "multi_thread")]
async fn both_databases_have_the_same_tables_and_columns() {
    let Some(pg) = TestStore::postgres().await else { return };
    let lite = TestStore::sqlite().await;
    let Pools::Postgres(pool) = &pg.store.pools else { panic!("not PostgreSQL") };
    let Pools::Sqlite { readers, .. } = &lite.store.pools else { panic!("not SQLite") };

    // From pg_attribute, since information_schema hides what the serving role may not touch.
    let in_postgres: BTreeSet<Column> = query_as::<_, Column>(
        "select c.relname::text, a.attname::text, a.attnotnull from pg_class c
            join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
           and c.relname <> '_sqlx_migrations'",
    )
    .fetch_all(pool)
    .await
    .unwrap()
    .into_iter()
    .collect();
    let in_sqlite: BTreeSet<Column> = query_as::<_, Column>(
        "select m.name, c.name, c.\"notnull\" from sqlite_master m join pragma_table_info(m.name) c
         where m.type = 'table' and m.name not like 'sqlite_%' and m.name <> '_sqlx_migrations'",
    )
    .fetch_all(readers)
    .await
    .unwrap()
    .into_iter()
    .collect();

    let apart: Vec<_> = in_postgres.symmetric_difference(&in_sqlite).collect();
    assert!(apart.is_empty(), "{apart:?}");
    assert!(in_sqlite.len() > 200);
    pg.remove().await;
}

#[test]
fn migrations_have_the_same_numbers_and_names() {
    let names = |migrator: &sqlx::migrate::Migrator| -> Vec<(i64, String)> {
        migrator.iter().map(|one| (one.version, one.description.to_string())).collect()
    };

    assert_eq!(names(&sqlite::MIGRATOR), names(&postgres::MIGRATOR));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_forces_row_level_security_and_every_tenant_table_names_its_organisation() {
    let Some(test) = TestStore::postgres().await else { return };
    let Pools::Postgres(pool) = &test.store.pools else { panic!("not PostgreSQL") };

    let unguarded: Vec<String> = query_scalar(
        "select relname::text from pg_class c
         where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
           and relname <> '_sqlx_migrations' and not (relrowsecurity and relforcerowsecurity)",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(unguarded.is_empty(), "{unguarded:?}");

    // A table that the serving role may touch shows it the rows of one organisation only.
    let open: Vec<String> = query_scalar(
        "select c.relname::text from pg_class c
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
           and c.relname <> '_sqlx_migrations'
           and has_table_privilege(c.oid, 'select, insert, update, delete')
           and (select count(*) from pg_policy p where p.polrelid = c.oid and 0 = any (p.polroles)
                and pg_get_expr(p.polqual, p.polrelid) like '%app.tenant_id%') <> 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(open.is_empty(), "{open:?}");

    // Every index of a table with organisations begins with the organisation, so that row-level
    // security can use it; these few serve the questions asked before it is known.
    let astray: Vec<String> = query_scalar(
        "select i.indexrelid::regclass::text from pg_index i
            join pg_attribute t on t.attrelid = i.indrelid and t.attname = 'tenant_id'
         where i.indkey[0] <> t.attnum order by 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert_eq!(
        astray,
        [
            "\"api_keys.id\"",
            "\"browser_sessions.token_hash\"",
            "\"oauth_grants.id\"",
            "\"org_invites.token_hash\"",
            "\"passkeys.credential_id\"",
            "\"preset_invites.token_hash\"",
            "\"sign_ins.state_hash\"",
            "\"sources.id\"",
            "\"user_logins.subject\"",
            "\"users.email\"",
            "\"users.handle\"",
            "analyses_running",
            "analyses_source",
            "browser_sessions_end",
            "browser_sessions_user",
            "calls_once_end",
            "connections_end",
            "connections_user",
            "memberships_user",
            "metrics_1m_by_at",
            "oauth_grants_client",
            "oauth_grants_preset",
            "oauth_grants_user",
            "org_invites_end",
            "org_invites_user",
            "org_quotas_month",
            "passkeys_user",
            "plan_changes_due",
            "plan_changes_pkey",
            "preset_access_mail",
            "preset_access_org",
            "preset_access_user",
            "preset_invites_end",
            "preset_transfers_by",
            "preset_transfers_end",
            "preset_transfers_to",
            "presets_id",
            "recovery_codes_user",
            "sign_ins_end",
            "sources_kid",
            "told_warnings_next",
            "tunnels_kid",
            "user_factors_kid",
            "user_factors_user",
            "user_logins_user",
            "users_pkey",
        ]
    );
    test.remove().await;
}

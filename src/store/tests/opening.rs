//! Opening is safe to repeat, and refuses what it should not serve.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::*;
use crate::{
    secret::Secret,
    store::{Backend, StoreError, testing::TestStore},
};

async fn as_superuser(test: &TestStore, statement: &str) {
    let mut admin = PgConnection::connect(test.postgres_admin_url().unwrap().expose()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut admin).await.unwrap();
}

#[tokio::test]
async fn a_file_opened_again_has_what_was_kept() {
    let test = TestStore::sqlite().await;
    let ada = test.add_user("ada").await;
    let path = test.sqlite_path().unwrap();
    test.store.close().await;

    let again = Store::open_sqlite(&path).await.unwrap();

    assert_eq!(again.backend(), Backend::Sqlite);
    again.ping().await.unwrap();
    assert_eq!(again.system_read().await.unwrap().find_user(ada.id).await.unwrap(), Some(ada));
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let test = TestStore::sqlite().await;
    test.add_user("ada").await;

    let folder = test.sqlite_path().unwrap().parent().unwrap().to_owned();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
    }
}

#[tokio::test]
async fn a_file_of_a_newer_program_is_served_until_that_takes_something_away() {
    let test = TestStore::sqlite().await;
    let path = test.sqlite_path().unwrap();
    let add = "insert into _sqlx_migrations
            (version, description, installed_on, success, checksum, execution_time)
         values ($1, $2, 0, true, x'00', 0)";
    let reopened_with = async |version: i64, name: &str| {
        let store = Store::open_sqlite(&path).await.unwrap();
        let crate::store::Pools::Sqlite { writer, .. } = &store.pools else { panic!("not SQLite") };
        sqlx::query(add).bind(version).bind(name).execute(writer).await.unwrap();
        store.close().await;
        Store::open_sqlite(&path).await
    };
    test.store.close().await;

    reopened_with(9998, "add something").await.unwrap().close().await;
    let refused = reopened_with(9999, "contract something").await.unwrap_err();

    assert!(matches!(refused, StoreError::NewerSchema { found: 9999, .. }), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_a_newer_program_is_served_until_that_takes_something_away() {
    let Some(test) = TestStore::postgres().await else { return };
    let (app, owner) = test.postgres_urls().unwrap();
    let add = async |version: i64, name: &str| {
        let values = format!("({version}, '{name}', now(), true, '\\x00', 0)");
        let add = "insert into _sqlx_migrations
            (version, description, installed_on, success, checksum, execution_time) values";
        as_superuser(&test, &format!("{add} {values}")).await;
    };

    add(9998, "add something").await;
    for owner in [None, Some(owner)] {
        Store::open_postgres(app, owner).await.unwrap().close().await;
    }
    add(9999, "contract something").await;
    for owner in [None, Some(owner)] {
        let refused = Store::open_postgres(app, owner).await.unwrap_err();
        assert!(matches!(refused, StoreError::NewerSchema { found: 9999, .. }), "{refused:?}");
    }
    test.remove().await;
}

#[tokio::test]
async fn a_file_that_is_no_database_or_in_no_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.db");
    std::fs::write(&text, "this is not a database, and it is long enough to be sure of that".repeat(20))
        .unwrap();

    assert!(Store::open_sqlite(&text).await.is_err());
    assert!(matches!(Store::open_sqlite(folder.path()).await.unwrap_err(), StoreError::Unavailable(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn migrating_again_changes_nothing() {
    let Some(test) = TestStore::postgres().await else { return };
    let ada = test.add_user("ada").await;
    let (app, owner) = test.postgres_urls().unwrap();

    for _ in 0..2 {
        let again = Store::open_postgres(app, Some(owner)).await.unwrap();
        assert_eq!(again.backend(), Backend::Postgres);
        again.ping().await.unwrap();
        assert!(again.system_read().await.unwrap().find_user(ada.id).await.unwrap().is_some());
        again.close().await;
    }
    test.remove().await;
}

/// Opens as it is and returns why that was refused, and what to do.
async fn refusal(app: &Secret) -> (String, String) {
    match Store::open_postgres(app, None).await {
        Err(StoreError::Unsafe { why, cure }) => (why, cure),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_for_which_row_level_security_does_not_hold_are_refused() {
    let Some(test) = TestStore::postgres().await else { return };
    let (_, owner) = test.postgres_urls().unwrap();

    let (why, cure) = refusal(test.postgres_admin_url().unwrap()).await;
    assert!(why.contains("row-level security does not hold"), "{why}");
    assert!(cure.contains("nosuperuser"), "{cure}");
    let (why, cure) = refusal(owner).await;
    assert!(why.contains("owns tables") && why.contains("sources"), "{why}");
    assert!(cure.contains("create role"), "{cure}");
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_without_row_level_security_are_refused_by_name() {
    let Some(test) = TestStore::postgres().await else { return };
    let (app, _) = test.postgres_urls().unwrap();

    as_superuser(&test, "alter table presets no force row level security").await;
    assert!(refusal(app).await.0.ends_with(": presets"));
    as_superuser(&test, "alter table presets force row level security; create table stray (id int)").await;
    assert!(refusal(app).await.0.ends_with(": stray"));
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_inherits_or_was_never_admitted_is_refused_and_told_the_sql() {
    let Some(test) = TestStore::postgres().await else { return };
    let name = format!("r_{}", uuid::Uuid::now_v7().simple());
    as_superuser(&test, &format!("create role {name} login inherit password 'doorward-test'")).await;
    let stranger = test.postgres_url_as(&name).unwrap();

    let (why, cure) = refusal(&stranger).await;
    assert!(why.contains("not been admitted"), "{why}");
    assert_eq!(cure, format!("run as the owner: select doorward_grant('{name}');"));

    as_superuser(&test, &format!("select doorward_grant('{name}'); alter role {name} inherit")).await;
    let (why, cure) = refusal(&stranger).await;
    assert!(why.contains("inherits"), "{why}");
    assert!(cure.contains("noinherit"), "{cure}");

    as_superuser(&test, &format!("alter role {name} noinherit")).await;
    Store::open_postgres(&stranger, None).await.unwrap().close().await;
    as_superuser(&test, &format!("drop owned by {name}; drop role {name}")).await;
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_never_migrated_is_refused() {
    let Some(test) = TestStore::postgres().await else { return };
    let (app, _) = test.postgres_urls().unwrap();
    as_superuser(&test, "drop table _sqlx_migrations").await;
    let refused = Store::open_postgres(app, None).await.unwrap_err();
    assert!(matches!(refused, StoreError::OlderSchema { found: 0, .. }), "{refused:?}");
    test.remove().await;
}

#[tokio::test]
async fn an_address_that_is_none_is_said_to_be_so_without_repeating_it() {
    let refused =
        Store::open_postgres(&Secret::new("postgres://ada:hunter2@:not a port/"), None).await.unwrap_err();

    assert!(matches!(refused, StoreError::Address(_)), "{refused:?}");
    assert!(!format!("{refused} {refused:?}").contains("hunter2"));
}

//! Full, locked and lost databases are told apart, and nothing is half-saved.

use std::time::Duration;

use sqlx::{Connection, PgConnection, SqliteConnection};

use super::*;
use crate::{
    fault::Fault,
    store::{Inner, Pools, StoreError, sqlite, testing::TestStore},
};

#[tokio::test]
async fn a_full_disk_is_said_to_be_full_and_what_is_stored_stays_readable() {
    let test = TestStore::sqlite().await;
    let ada = test.add_user("ada").await;
    let files = source(ada.tenant, "files");
    keep_source(&test.store, &files).await;
    let Pools::Sqlite { writer, .. } = &test.store.pools else { panic!("not SQLite") };
    sqlx::query("pragma max_page_count = 1").execute(writer).await.unwrap();

    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    let big = format!("\"{}\"", "x".repeat(2_000_000));
    let full = tx.put_source_tools(files.id, &[tool(files.id, "big", &big)]).await.unwrap_err();
    drop(tx);

    assert!(matches!(full, StoreError::Full(_)), "{full:?}");
    assert_eq!(full.fault(), Fault::Gateway);
    let mut tx = test.store.read(ada.tenant).await.unwrap();
    assert!(tx.list_source_tools(files.id).await.unwrap().is_empty());
    assert_eq!(tx.list_sources().await.unwrap(), [files]);
}

#[tokio::test]
async fn a_file_locked_by_another_process_is_busy_and_then_works() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("doorward.db");
    let (writer, readers) = sqlite::open_waiting(&path, Duration::from_millis(1)).await.unwrap();
    let store = Store { pools: Pools::Sqlite { writer, readers } };
    let mut other = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::raw_sql("begin immediate").execute(&mut other).await.unwrap();

    let busy = store.system().await.unwrap_err();
    assert!(matches!(busy, StoreError::Busy(_)) && busy.is_passing(), "{busy:?}");
    assert!(!store.system_read().await.unwrap().users_exist().await.unwrap(), "readers go on");

    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    store.system().await.unwrap().commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_locked_for_too_long_is_busy() {
    let Some(test) = TestStore::postgres().await else { return };
    let ada = test.add_user("ada").await;
    let files = source(ada.tenant, "files");
    keep_source(&test.store, &files).await;
    let mut holder = test.store.tenant(ada.tenant).await.unwrap();
    assert!(holder.set_source_verdict(files.id, None).await.unwrap());

    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    let Inner::Postgres(connection) = &mut tx.inner else { panic!("not PostgreSQL") };
    sqlx::query("set local lock_timeout = '5ms'").execute(&mut **connection).await.unwrap();
    let busy = tx.set_source_verdict(files.id, None).await.unwrap_err();

    assert!(matches!(busy, StoreError::Busy(_)), "{busy:?}");
    drop((tx, holder));
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_the_server_ended_are_replaced() {
    let Some(test) = TestStore::postgres().await else { return };
    let ada = test.add_user("ada").await;
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    let mut admin = PgConnection::connect(test.postgres_admin_url().unwrap().expose()).await.unwrap();
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and usename = 'doorward_app'",
    )
    .execute(&mut admin)
    .await
    .unwrap();

    let lost = tx.list_sources().await.unwrap_err();
    drop(tx);

    assert!(matches!(lost, StoreError::Unavailable(_)), "{lost:?}");
    test.store.ping().await.unwrap();
    assert_eq!(test.store.read(ada.tenant).await.unwrap().count_sources().await.unwrap(), 0);
    test.remove().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let url = crate::secret::Secret::new("postgres://nobody@127.0.0.1:1/nothing");

    let lost = Store::open_postgres(&url, Some(&url)).await.unwrap_err();

    assert!(matches!(lost, StoreError::Unavailable(_)), "{lost:?}");
}

#[tokio::test]
async fn a_closed_store_is_unavailable() {
    let test = TestStore::sqlite().await;
    test.store.close().await;

    let closed = test.store.system().await.unwrap_err();

    assert!(matches!(closed, StoreError::Unavailable(_)), "{closed:?}");
}

//! A caller who goes away while a transaction begins leaves nobody's identity behind.

use std::{future::Future, pin::pin, task::Poll};

use sqlx::{AssertSqlSafe, PgPool, query_as};

use super::*;
use crate::store::{Pools, testing::TestStore};

/// Polls a future so many times, letting the rest of the program run between, and drops it.
async fn abandon(future: impl Future, polls: usize) {
    let mut future = pin!(future);
    for _ in 0..polls {
        let done =
            std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await;
        if done {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Returns whose identity each connection carries, and whether it stands in the system's role.
async fn identities(pool: &PgPool) -> Vec<(String, bool)> {
    let mut connections = Vec::new();
    for _ in 0..pool.size().max(1) {
        connections.push(pool.acquire().await.unwrap());
    }
    let mut found = Vec::new();
    for connection in &mut connections {
        let identity = query_as(
            "select coalesce(current_setting('app.tenant_id', true), ''), current_user <> session_user",
        )
        .fetch_one(&mut **connection)
        .await
        .unwrap();
        found.push(identity);
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_begin_leaks_no_identity() {
    let Some(test) = TestStore::postgres().await else { return };
    let ada = test.add_user("ada").await;
    let Pools::Postgres(pool) = &test.store.pools else { panic!("not PostgreSQL") };

    for round in 0..300 {
        abandon(test.store.tenant(ada.tenant), round % 23).await;
        abandon(test.store.system(), round % 19).await;
        for identity in identities(pool).await {
            assert_eq!(identity, (String::new(), false), "round {round}");
        }
    }
    test.remove().await;
}

/// The second guard by itself: here the first, the task of its own, is left out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_released_with_an_identity_is_closed() {
    let Some(test) = TestStore::postgres().await else { return };
    let ada = test.add_user("ada").await;
    let Pools::Postgres(pool) = &test.store.pools else { panic!("not PostgreSQL") };

    for round in 0..300 {
        let begin = format!("begin; set local app.tenant_id = '{}'", ada.tenant);
        abandon(pool.begin_with(AssertSqlSafe(begin)), round % 23).await;
        let begin = "begin; set local role doorward_system";
        abandon(pool.begin_with(begin), round % 19).await;
        for identity in identities(pool).await {
            assert_eq!(identity, (String::new(), false), "round {round}");
        }
    }
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_begin_does_not_block_the_writer_of_sqlite() {
    let test = TestStore::sqlite().await;
    let ada = test.add_user("ada").await;

    for round in 0..200 {
        abandon(test.store.tenant(ada.tenant), round % 23).await;
        let mut tx = test.store.tenant(ada.tenant).await.unwrap();
        tx.add_source(&source(ada.tenant, &format!("s{round}")), None).await.unwrap();
        tx.commit().await.unwrap();
    }

    assert_eq!(test.store.read(ada.tenant).await.unwrap().count_sources().await.unwrap(), 200);
}

//! Databases for tests: each test gets one of its own, on SQLite in a temporary folder, on
//! PostgreSQL in a cluster that all tests of a run share.
//!
//! ```ignore
//! store_test!(a_removed_source_is_gone, |store| async move {
//!     // runs as `a_removed_source_is_gone::sqlite` and `a_removed_source_is_gone::postgres`
//! });
//! ```
//!
//! PostgreSQL comes from `DOORWARD_TEST_DATABASE_URL` (a superuser's address) or from the programs
//! found on this machine. Without either, its half of the tests prints `SKIPPED`, and fails if
//! `DOORWARD_REQUIRE_PG` is `1`.

mod cluster;

use std::path::PathBuf;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    clock::Ms,
    model::{Email, Handle, InstanceRole, PlanName, TenantId, User, UserId},
    secret::Secret,
    store::Store,
};

/// A database that vanishes with the test.
#[derive(Debug)]
pub struct TestStore {
    /// The store.
    pub store: Store,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Sqlite(TempDir),
    Postgres { server: Secret, admin: Secret, owner: Secret, app: Secret, name: String },
}

impl TestStore {
    /// Makes a SQLite database in a folder of its own.
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let store = Store::open_sqlite(&folder.path().join("doorward.db")).await.expect("a new file opens");
        Self { store, place: Place::Sqlite(folder) }
    }

    /// Makes a PostgreSQL database of its own; `None` if PostgreSQL is not installed.
    pub async fn postgres() -> Option<Self> {
        let cluster = cluster::find().await?;
        let name = format!("t_{}", Uuid::now_v7().simple());
        let mut admin = PgConnection::connect(cluster.admin.expose()).await.expect("the cluster answers");
        let template = &cluster.template;
        sqlx::raw_sql(AssertSqlSafe(format!(
            "create database {name} template {template} owner doorward_owner"
        )))
        .execute(&mut admin)
        .await
        .expect("a database is made from the template");
        admin.close().await.ok();

        let owner = cluster::url(&cluster.admin, "doorward_owner", &name);
        let app = cluster::url(&cluster.admin, "doorward_app", &name);
        let admin = cluster::database(&cluster.admin, &name);
        let store = Store::open_postgres(&app, None).await.expect("the template is served as it is");
        Some(Self { store, place: Place::Postgres { server: cluster.admin, admin, owner, app, name } })
    }

    /// Returns the address of the serving role and that of the owner; `None` on SQLite.
    pub fn postgres_urls(&self) -> Option<(&Secret, &Secret)> {
        match &self.place {
            Place::Sqlite(_) => None,
            Place::Postgres { app, owner, .. } => Some((app, owner)),
        }
    }

    /// Returns the superuser's address of this database; `None` on SQLite.
    pub fn postgres_admin_url(&self) -> Option<&Secret> {
        match &self.place {
            Place::Sqlite(_) => None,
            Place::Postgres { admin, .. } => Some(admin),
        }
    }

    /// Returns the address of this database for another role, with the tests' password; `None` on
    /// SQLite.
    pub fn postgres_url_as(&self, role: &str) -> Option<Secret> {
        match &self.place {
            Place::Sqlite(_) => None,
            Place::Postgres { admin, name, .. } => Some(cluster::url(admin, role, name)),
        }
    }

    /// Opens the database once more, as another process would.
    pub async fn reopen(&self) -> Store {
        let opened = match &self.place {
            Place::Sqlite(folder) => Store::open_sqlite(&folder.path().join("doorward.db")).await,
            Place::Postgres { app, .. } => Store::open_postgres(app, None).await,
        };
        opened.expect("the database opens again")
    }

    /// Returns the file; `None` on PostgreSQL.
    pub fn sqlite_path(&self) -> Option<PathBuf> {
        match &self.place {
            Place::Sqlite(folder) => Some(folder.path().join("doorward.db")),
            Place::Postgres { .. } => None,
        }
    }

    /// Removes the database. A test that fails leaves it to the end of the run.
    pub async fn remove(self) {
        self.store.close().await;
        if let Place::Postgres { server, name, .. } = self.place
            && let Ok(mut admin) = PgConnection::connect(server.expose()).await
        {
            let drop = format!("drop database if exists {name} with (force)");
            sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut admin).await.ok();
        }
    }

    /// Adds an account on the plan `free` whose handle and address are made of `handle`.
    pub async fn add_user(&self, handle: &str) -> User {
        let user = User {
            id: UserId::new(),
            tenant: TenantId::new(),
            handle: Handle::parse(handle).expect("a test's handle is one"),
            email: Email::parse(&format!("{handle}@example.org")).expect("a test's address is one"),
            role: InstanceRole::Member,
            plan: PlanName::parse("free").expect("a plan's name"),
            enabled: true,
            created_at: Ms(1_795_233_963_183),
        };
        let mut tx = self.store.system().await.expect("a transaction begins");
        tx.add_user(&user, "not a hash").await.expect("the account is new");
        tx.commit().await.expect("the account is kept");
        user
    }
}

/// Makes two tests of one body, on SQLite and on PostgreSQL. The body gets a [`TestStore`] by
/// reference.
#[macro_export]
macro_rules! store_test {
    ($(#[$meta:meta])* $name:ident, |$store:ident| $body:expr) => {
        $(#[$meta])*
        async fn $name($store: &$crate::store::testing::TestStore) {
            $body.await
        }

        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let store = $crate::store::testing::TestStore::sqlite().await;
                super::$name(&store).await;
                store.remove().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(store) = $crate::store::testing::TestStore::postgres().await {
                    super::$name(&store).await;
                    store.remove().await;
                }
            }
        }
    };
}
pub use store_test;

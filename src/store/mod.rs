//! Persistence: everything that outlives the process, on SQLite or PostgreSQL.
//!
//! A statement is written once and runs on both databases (`on!`); the two differ only in how a
//! pool is opened and a transaction begins (`sqlite.rs`, `postgres.rs`). All access goes through a
//! transaction that knows whose rows it may touch:
//!
//! * [`Tx`] belongs to one organisation. It binds that organisation in every statement, and on
//!   PostgreSQL row-level security holds even where a statement forgets it.
//! * [`SystemTx`] belongs to the instance: accounts, plans, retention, batches of many
//!   organisations. On PostgreSQL it steps into the role `doorward_system` for its duration.
//! * The look-ups on [`Store`] itself answer the one question that comes before the organisation is
//!   known (whose key, whose cookie, which preset), and charge calls. On PostgreSQL they are
//!   functions that can do nothing else.
//!
//! A dropped transaction is rolled back. Never decides who may do what (`policy`), never sees a
//! secret in the clear (`vault`), never asks for the time. A new aggregate is a table in both
//! folders of `migrations/` (same number, same columns, policies on PostgreSQL), a file here, and
//! a test in `tests/`.

mod api_keys;
mod audit;
mod error;
mod histogram;
mod metrics;
mod orgs;
mod plans;
mod presets;
mod quota;
mod sessions;
mod sources;
mod throttle;
mod users;
mod vault;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

use std::{path::Path, sync::Arc};

use crate::{model::TenantId, secret::Secret};

pub use api_keys::ApiKeyRow;
pub use audit::{ChainReport, EventFilter};
pub use error::{Result, StoreError};
pub use histogram::Histogram;
pub use metrics::{Dimension, MetricPoint, MetricRow, MetricTotal, SeriesQuery, TotalKey, TotalsQuery};
pub use quota::Taken;
pub use vault::SealedRow;

/// The most rows a list without a limit of its own returns.
pub const LIST_MAX: i64 = 10_000;

/// The two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A file in the data directory.
    Sqlite,
    /// A server shared by replicas.
    Postgres,
}

/// The open database; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store(Arc<()>);

/// A transaction inside one organisation.
#[derive(Debug)]
pub struct Tx {
    tenant: TenantId,
}

/// A transaction of the instance as a whole.
#[derive(Debug)]
pub struct SystemTx(());

impl Store {
    /// Opens the file, making it if absent, and migrates it.
    pub async fn open_sqlite(path: &Path) -> Result<Self> {
        let _ = path;
        todo!()
    }

    /// Opens the server. Migrates with the owner's role if its address is given, and serves with
    /// the other, which must be one that row-level security holds for.
    pub async fn open_postgres(app_url: &Secret, owner_url: Option<&Secret>) -> Result<Self> {
        let _ = (app_url, owner_url);
        todo!()
    }

    /// Says which database it is.
    pub fn backend(&self) -> Backend {
        todo!()
    }

    /// Begins a transaction that may write, inside one organisation.
    pub async fn tenant(&self, tenant: TenantId) -> Result<Tx> {
        let _ = tenant;
        todo!()
    }

    /// Begins a transaction that only reads, inside one organisation.
    pub async fn read(&self, tenant: TenantId) -> Result<Tx> {
        let _ = tenant;
        todo!()
    }

    /// Begins a transaction that may write, of the instance.
    pub async fn system(&self) -> Result<SystemTx> {
        todo!()
    }

    /// Begins a transaction that only reads, of the instance.
    pub async fn system_read(&self) -> Result<SystemTx> {
        todo!()
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<()> {
        todo!()
    }

    /// Waits for transactions under way and closes every connection.
    pub async fn close(&self) {
        todo!()
    }
}

impl Tx {
    /// Returns the organisation it belongs to.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Makes what was done hold.
    pub async fn commit(self) -> Result<()> {
        todo!()
    }
}

impl SystemTx {
    /// Makes what was done hold.
    pub async fn commit(self) -> Result<()> {
        todo!()
    }
}

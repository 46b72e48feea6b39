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
//! A dropped transaction is rolled back. One that may write is, on SQLite, the only one: hold it for
//! database work alone, and never begin a second while holding the first.
//!
//! Never decides who may do what (`policy`), never sees a
//! secret in the clear (`vault`), never asks for the time. A new aggregate is a table in both
//! folders of `migrations/` (same number, same columns, policies on PostgreSQL), a file here, and
//! a test in `tests/`.

mod access;
mod age;
mod analyses;
mod api_keys;
mod assertions;
mod attempts;
mod audit;
mod clients;
mod connections;
mod error;
mod factors;
mod gallery;
mod grants;
mod histogram;
mod insert;
mod invites;
mod isolation;
mod logins;
mod metrics;
mod metrics_add;
mod notify;
mod once;
mod org_invites;
mod orgs;
mod otlp_logs;
mod passkeys;
mod pinned;
mod plan_changes;
mod plans;
mod postgres;
mod preset_versions;
mod presets;
mod quota;
mod replicas;
mod scratch;
mod selections;
mod sessions;
mod sign_ins;
mod source_offers;
mod source_tools;
mod sources;
mod sqlite;
mod tokens;
mod transfers;
mod tunnels;
mod turn;
mod users;
mod vault;
mod warnings;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, path::Path};

use serde::{Serialize, de::DeserializeOwned};
use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction, query, query_scalar};
use uuid::Uuid;

use crate::{
    clock::Ms,
    model::{CallRules, Rate, TenantId},
    secret::Secret,
};

pub use analyses::{AnalysisEnd, AnalysisFilter, AnalysisRow, AnalysisText};
pub use api_keys::ApiKeyRow;
pub use attempts::AttemptBucket;
pub use audit::{
    AuditKeyRow, ChainEnd, ChainReport, ChainSpan, EventFilter, ExportFailure, ExportPlan, ExportState,
};
pub use clients::ClientRow;
pub use connections::{ConnectionRow, NewConnectionToken};
pub use error::{Result, StoreError};
pub use factors::{FactorRow, HalfRow};
pub use gallery::PublicFilter;
pub use grants::NamedGrant;
pub use histogram::Histogram;
pub use isolation::{Imprint, Reached};
pub use metrics::{Dimension, MetricPoint, MetricTotal, SeriesQuery, TotalKey, TotalsQuery};
pub use metrics_add::MetricRow;
pub use notify::{Heard, Words};
pub use once::{OnceClaim, OnceRoom, OnceRow, OnceState};
pub use otlp_logs::UnsentLogs;
pub use preset_versions::PRESET_VERSIONS_MAX;
pub use quota::{MonthUsage, Taken};
pub use scratch::ScratchDatabase;
pub use sign_ins::SignInRow;
pub use tokens::{NewToken, TokenKind, TokenRow};
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
pub struct Store {
    pools: Pools,
}

/// Connections. Each variant is a handle that clones share.
#[derive(Clone, Debug)]
enum Pools {
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres(PgPool),
}

/// A transaction inside one organisation.
#[derive(Debug)]
pub struct Tx {
    tenant: TenantId,
    inner: Inner,
}

/// A transaction of the instance as a whole.
#[derive(Debug)]
pub struct SystemTx {
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Runs one expression on whichever database the transaction is of: it is compiled once for each,
/// with `c` as the connection and, if asked for as `|c: Driver|`, the driver's type. The expression
/// must not borrow the transaction.
macro_rules! on {
    ($tx:expr, |$c:ident| $body:expr) => {
        match &mut $tx.inner {
            $crate::store::Inner::Sqlite(transaction) => {
                let $c = &mut **transaction;
                $body
            }
            $crate::store::Inner::Postgres(transaction) => {
                let $c = &mut **transaction;
                $body
            }
        }
    };
    ($tx:expr, |$c:ident: $driver:ident| $body:expr) => {
        match &mut $tx.inner {
            $crate::store::Inner::Sqlite(transaction) => {
                type $driver = sqlx::Sqlite;
                let $c = &mut **transaction;
                $body
            }
            $crate::store::Inner::Postgres(transaction) => {
                type $driver = sqlx::Postgres;
                let $c = &mut **transaction;
                $body
            }
        }
    };
}
use on;

/// Runs a statement on whichever database the transaction is of, and returns how many rows it
/// changed.
macro_rules! changed {
    ($tx:expr, $statement:expr) => {
        $crate::store::on!($tx, |c| $statement.execute(c).await.map(|done| done.rows_affected()))?
    };
}
use changed;

impl Store {
    /// Opens the file, making it if absent, and migrates it.
    pub async fn open_sqlite(path: &Path) -> Result<Self> {
        let (writer, readers) = sqlite::open(path).await?;
        Self::opened(Pools::Sqlite { writer, readers }).await
    }

    /// Opens the server. Migrates with the owner's role if its address is given, and serves with
    /// the other, which must be one that row-level security holds for.
    pub async fn open_postgres(app_url: &Secret, owner_url: Option<&Secret>) -> Result<Self> {
        Self::opened(Pools::Postgres(postgres::open(app_url, owner_url).await?)).await
    }

    /// Brings what a version before has left into the form of this one.
    async fn opened(pools: Pools) -> Result<Self> {
        let store = Self { pools };
        match store.pack_events().await {
            Ok(_) => Ok(store),
            Err(error) => {
                store.close().await;
                Err(error)
            }
        }
    }

    /// Says which database it is.
    pub fn backend(&self) -> Backend {
        match self.pools {
            Pools::Sqlite { .. } => Backend::Sqlite,
            Pools::Postgres(_) => Backend::Postgres,
        }
    }

    /// Begins a transaction that may write, inside one organisation.
    pub async fn tenant(&self, tenant: TenantId) -> Result<Tx> {
        let inner = match &self.pools {
            Pools::Sqlite { writer, .. } => Inner::Sqlite(sqlite::begin_write(writer).await?),
            Pools::Postgres(pool) => Inner::Postgres(postgres::begin_tenant(pool, tenant, true).await?),
        };
        Ok(Tx { tenant, inner })
    }

    /// Begins a transaction that only reads, inside one organisation.
    pub async fn read(&self, tenant: TenantId) -> Result<Tx> {
        let inner = match &self.pools {
            Pools::Sqlite { readers, .. } => Inner::Sqlite(readers.begin().await?),
            Pools::Postgres(pool) => Inner::Postgres(postgres::begin_tenant(pool, tenant, false).await?),
        };
        Ok(Tx { tenant, inner })
    }

    /// Begins a transaction that may write, of the instance.
    pub async fn system(&self) -> Result<SystemTx> {
        let inner = match &self.pools {
            Pools::Sqlite { writer, .. } => Inner::Sqlite(sqlite::begin_write(writer).await?),
            Pools::Postgres(pool) => Inner::Postgres(postgres::begin_system(pool, true).await?),
        };
        Ok(SystemTx { inner })
    }

    /// Begins a transaction that only reads, of the instance.
    pub async fn system_read(&self) -> Result<SystemTx> {
        let inner = match &self.pools {
            Pools::Sqlite { readers, .. } => Inner::Sqlite(readers.begin().await?),
            Pools::Postgres(pool) => Inner::Postgres(postgres::begin_system(pool, false).await?),
        };
        Ok(SystemTx { inner })
    }

    /// Begins a transaction that only reads, of the instance, and sees everything as it is at its first question,
    /// whatever others write meanwhile.
    pub async fn system_snapshot(&self) -> Result<SystemTx> {
        let mut tx = self.system_read().await?;
        // One of SQLite that only reads never sees anything else.
        if let Inner::Postgres(transaction) = &mut tx.inner {
            query("set transaction isolation level repeatable read").execute(&mut **transaction).await?;
        }
        Ok(tx)
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<()> {
        match &self.pools {
            Pools::Sqlite { readers, .. } => query("select 1 from plans").execute(readers).await.map(drop)?,
            Pools::Postgres(pool) => query("select 1").execute(pool).await.map(drop)?,
        }
        Ok(())
    }

    /// Returns the time as the database's server has it; `None` if the database is a file.
    pub async fn server_time(&self) -> Result<Option<Ms>> {
        match &self.pools {
            Pools::Sqlite { .. } => Ok(None),
            Pools::Postgres(pool) => {
                let now = "select (extract(epoch from clock_timestamp()) * 1000)::bigint";
                Ok(Some(query_scalar(now).fetch_one(pool).await?))
            }
        }
    }

    /// Waits for transactions under way and closes every connection.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Returns the organisation it belongs to.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Makes what was done hold.
    pub async fn commit(self) -> Result<()> {
        self.inner.commit().await
    }
}

impl SystemTx {
    /// Makes what was done hold.
    pub async fn commit(self) -> Result<()> {
        self.inner.commit().await
    }

    /// Notes when things were last used, by a statement that takes an id and a time.
    async fn touch<Id>(&mut self, statement: &'static str, used: &[(Id, Ms)]) -> Result<()>
    where
        Id: Copy + Into<Uuid>,
    {
        // In one order, so that two replicas never wait for each other.
        let mut used: Vec<(Uuid, Ms)> = used.iter().map(|(id, at)| ((*id).into(), *at)).collect();
        used.sort_unstable();
        for (id, at) in used {
            on!(self, |c| query(statement).bind(id).bind(at).execute(c).await.map(drop))?;
        }
        Ok(())
    }
}

impl Inner {
    async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await?,
            Self::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }
}

/// Reads a word of an enum as stored.
fn read_word<T>(what: &'static str, text: &str, from_word: fn(&str) -> Option<T>) -> Result<T> {
    from_word(text).ok_or_else(|| StoreError::Corrupt {
        what,
        detail: format!("unknown word `{}`", text.escape_debug()),
    })
}

/// Reads a rate as stored.
fn read_rate(what: &'static str, text: Option<&str>) -> Result<Option<Rate>> {
    let rate = text.map(Rate::parse).transpose();
    rate.map_err(|error| StoreError::Corrupt { what, detail: error.to_string() })
}

/// Reads the rules of calls as stored; nothing stored says nothing.
fn read_rules(what: &'static str, text: Option<&str>) -> Result<CallRules> {
    text.map_or_else(|| Ok(CallRules::default()), |text| read_json(what, text))
}

/// Writes the rules of calls to store; `None` if they say nothing.
fn write_rules(what: &'static str, rules: &CallRules) -> Result<Option<String>> {
    if rules.is_empty() { Ok(None) } else { write_json(what, rules).map(Some) }
}

/// Reads JSON as stored.
fn read_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt { what, detail: error.to_string() })
}

/// Writes JSON to store.
fn write_json<T: Serialize>(what: &'static str, value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt { what, detail: error.to_string() })
}

/// Reads a SHA-256 as stored.
fn read_hash(what: &'static str, bytes: &[u8]) -> Result<[u8; 32]> {
    bytes
        .try_into()
        .map_err(|_| StoreError::Corrupt { what, detail: format!("{} bytes are no SHA-256", bytes.len()) })
}

/// Returns the text without NUL characters, which PostgreSQL cannot keep.
fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// Returns a pattern that finds the text anywhere; `!` escapes what a pattern would read otherwise.
fn like_pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for character in clean(text).chars() {
        if matches!(character, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

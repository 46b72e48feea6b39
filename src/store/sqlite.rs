//! SQLite: one file, one writer, a few readers beside it.

use std::{path::Path, sync::LazyLock, time::Duration};

use sqlx::{
    Sqlite, SqlitePool, Transaction,
    migrate::Migrator,
    query_as, query_scalar,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::store::{Result, StoreError, age};

pub(super) static MIGRATOR: LazyLock<Migrator> =
    LazyLock::new(|| age::lenient(sqlx::migrate!("migrations/sqlite")));

/// Readers beside the one writer.
const READERS_MAX: u32 = 4;

/// Bytes of a page in a file that is made now: what is written together lies on fewer pages than with the default 4096,
/// which takes a tenth less processor time for an event.
const PAGE_BYTES: u32 = 8192;

/// How many pages of changes the journal holds before they are brought into the file, 16 MiB, where the default is 4:
/// the pages that every commit touches are then brought in less often.
const JOURNAL_PAGES: &str = "2000";

/// How long a statement waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a transaction waits for its turn.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens the file, making and migrating it as needed. Returns writer and readers.
pub(super) async fn open(path: &Path) -> Result<(SqlitePool, SqlitePool)> {
    open_waiting(path, BUSY_TIMEOUT).await
}

/// Opens the file; a statement waits so long for another process's lock.
pub(super) async fn open_waiting(path: &Path, busy_timeout: Duration) -> Result<(SqlitePool, SqlitePool)> {
    create_private(path).map_err(|error| StoreError::Unavailable(sqlx::Error::Io(error)))?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .page_size(PAGE_BYTES)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        // What a statement may have to take back is kept in memory, not in a file made and removed for each.
        .pragma("temp_store", "memory")
        .pragma("wal_autocheckpoint", JOURNAL_PAGES)
        .busy_timeout(busy_timeout);

    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        // A file does not go away like a server.
        .test_before_acquire(false)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.clone())
        .await?;
    if let Err(error) = migrate(&writer).await {
        writer.close().await;
        return Err(error);
    }
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS_MAX)
        .test_before_acquire(false)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.read_only(true))
        .await?;
    Ok((writer, readers))
}

async fn migrate(writer: &SqlitePool) -> Result<()> {
    let is_new = "select not exists (select 1 from sqlite_master where name = '_sqlx_migrations')";
    if !query_scalar::<_, bool>(is_new).fetch_one(writer).await? {
        let applied = query_as("select version, description from _sqlx_migrations").fetch_all(writer).await?;
        age::refuse_contracted(&MIGRATOR, &applied)?;
    }
    MIGRATOR.run(writer).await.map_err(StoreError::from_migration)
}

/// Begins a transaction that holds the write lock from its first moment, so that it never has to
/// be retried for having read before it wrote.
pub(super) async fn begin_write(writer: &SqlitePool) -> Result<Transaction<'static, Sqlite>> {
    Ok(writer.begin_with("begin immediate").await?)
}

/// Makes the file readable by its owner only before anything is in it; SQLite gives its side files
/// the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

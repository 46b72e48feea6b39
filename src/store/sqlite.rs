//! SQLite: one file, one writer, a few readers beside it.

use std::{path::Path, time::Duration};

use sqlx::{
    Sqlite, SqlitePool, Transaction,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::store::{Result, StoreError};

pub(super) static MIGRATOR: Migrator = sqlx::migrate!("migrations/sqlite");

/// Readers beside the one writer.
const READERS_MAX: u32 = 4;

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
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        // What a statement may have to take back is kept in memory, not in a file made and removed for each.
        .pragma("temp_store", "memory")
        .busy_timeout(busy_timeout);

    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.clone())
        .await?;
    if let Err(error) = MIGRATOR.run(&writer).await {
        writer.close().await;
        return Err(StoreError::from_migration(error, &MIGRATOR));
    }
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS_MAX)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.read_only(true))
        .await?;
    Ok((writer, readers))
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

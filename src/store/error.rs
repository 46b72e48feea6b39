//! What can go wrong with the database, as situations.

use sqlx::migrate::MigrateError;
use thiserror::Error;

use crate::fault::Fault;

/// The result of everything in this room.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Says why the database did not do it.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Somebody else holds the lock, or every connection is in use. Trying again makes sense.
    #[error("the database is busy, or does not answer")]
    Busy(#[source] sqlx::Error),

    /// The file or the server cannot be reached. Trying again makes sense after a while.
    #[error("the database cannot be reached")]
    Unavailable(#[source] sqlx::Error),

    /// What was given as the database's address is none.
    #[error("the database's address cannot be read; it looks like postgres://name:password@host/database")]
    Address(#[source] sqlx::Error),

    /// The disk is full, or a quota on it is used up. What is stored stays readable.
    #[error("the database's disk is full")]
    Full(#[source] sqlx::Error),

    /// Something of that name exists already.
    #[error("`{what}` is taken")]
    Conflict {
        /// What must be unique, as `table.column`, for example `sources.name`.
        what: String,
    },

    /// Something referred to does not exist, or exists no more.
    #[error("something referred to does not exist")]
    Dangling(#[source] sqlx::Error),

    /// A newer Doorward has taken away from this database what this program needs.
    #[error(
        "schema {found} of the database takes away what older programs need, and this one knows up to {known}: use the \
         newer program"
    )]
    NewerSchema {
        /// The migration that took it away.
        found: i64,
        /// The newest migration this program has.
        known: i64,
    },

    /// The database has not been migrated, and the role given may not do it.
    #[error("the database has schema {found}, this program needs {known}: give it the owner's address once")]
    OlderSchema {
        /// The newest migration applied.
        found: i64,
        /// The newest migration this program has.
        known: i64,
    },

    /// The role or the tables are such that organisations would not be kept apart.
    #[error("refusing to serve: {why}; {cure}")]
    Unsafe {
        /// What is wrong.
        why: String,
        /// What to do, including the SQL to run.
        cure: String,
    },

    /// The owner's role may not prepare the database.
    #[error("could not prepare the database: {cure}")]
    Prepare {
        /// What to do, including the SQL to run.
        cure: String,
        /// What the server said.
        #[source]
        source: sqlx::Error,
    },

    /// A migration failed.
    #[error("could not migrate the database")]
    Migrate(#[source] MigrateError),

    /// A row holds what this program never writes.
    #[error("the database holds a `{what}` that cannot be read: {detail}")]
    Corrupt {
        /// The table or member.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },

    /// Anything else.
    #[error("the database refused")]
    Database(#[source] sqlx::Error),
}

impl StoreError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Conflict { .. } | Self::Dangling(_) => Fault::Caller,
            Self::Busy(_)
            | Self::Unavailable(_)
            | Self::Address(_)
            | Self::Full(_)
            | Self::NewerSchema { .. }
            | Self::OlderSchema { .. }
            | Self::Unsafe { .. }
            | Self::Prepare { .. }
            | Self::Migrate(_)
            | Self::Corrupt { .. }
            | Self::Database(_) => Fault::Gateway,
        }
    }

    /// Says whether the same may work a moment later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Unavailable(_))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(said) if said.is_unique_violation() => {
                Self::Conflict { what: unique_column(said.constraint(), said.message()) }
            }
            sqlx::Error::Database(said) if said.is_foreign_key_violation() => Self::Dangling(error),
            sqlx::Error::Database(said) => match situation(said.code().as_deref().unwrap_or_default()) {
                Situation::Busy => Self::Busy(error),
                Situation::Unavailable => Self::Unavailable(error),
                Situation::Full => Self::Full(error),
                Situation::Other => Self::Database(error),
            },
            sqlx::Error::PoolTimedOut => Self::Busy(error),
            sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::StorageFull => Self::Full(error),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => Self::Unavailable(error),
            _ => Self::Database(error),
        }
    }
}

impl StoreError {
    /// Tells a database that does not answer from a migration that failed.
    pub(super) fn from_migration(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) => error.into(),
            MigrateError::ExecuteMigration(error, version) => match Self::from(error) {
                Self::Database(error) => Self::Migrate(MigrateError::ExecuteMigration(error, version)),
                situation => situation,
            },
            other => Self::Migrate(other),
        }
    }
}

enum Situation {
    Busy,
    Unavailable,
    Full,
    Other,
}

/// Reads the code of either database: SQLite says a number whose low byte is the kind, PostgreSQL
/// five characters of which the first two are the class.
fn situation(code: &str) -> Situation {
    if code.len() != 5
        && let Ok(number) = code.parse::<u32>()
    {
        return match number & 0xff {
            // SQLITE_BUSY, SQLITE_LOCKED.
            5 | 6 => Situation::Busy,
            // SQLITE_READONLY, SQLITE_IOERR, SQLITE_CANTOPEN.
            8 | 10 | 14 => Situation::Unavailable,
            // SQLITE_FULL.
            13 => Situation::Full,
            _ => Situation::Other,
        };
    }
    match code {
        "53100" => Situation::Full,
        // Serialisation, deadlock, a lock not had in time, a statement cancelled.
        "40001" | "40P01" | "55P03" | "57014" => Situation::Busy,
        // Out of memory or connections, shutting down, starting up, a standby.
        "53200" | "53300" | "57P01" | "57P02" | "57P03" | "25006" => Situation::Unavailable,
        _ if code.starts_with("08") => Situation::Unavailable,
        _ => Situation::Other,
    }
}

/// Returns `table.column` of what must be unique. PostgreSQL's constraints bear that name; SQLite
/// lists the columns, of which the last is the one people know.
fn unique_column(constraint: Option<&str>, message: &str) -> String {
    match constraint {
        Some(name) => name.to_owned(),
        None => message.rsplit([',', ':']).next().unwrap_or(message).trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_name_the_same_situations() {
        for busy in ["5", "261", "517", "6", "55P03", "40P01"] {
            assert!(matches!(situation(busy), Situation::Busy), "{busy}");
        }
        for full in ["13", "53100"] {
            assert!(matches!(situation(full), Situation::Full), "{full}");
        }
        for away in ["14", "10", "778", "57P01", "08006", "53300"] {
            assert!(matches!(situation(away), Situation::Unavailable), "{away}");
        }
        assert!(matches!(situation("42601"), Situation::Other));
    }

    #[test]
    fn what_is_taken_has_the_same_name_on_both_databases() {
        let sqlite = "UNIQUE constraint failed: sources.tenant_id, sources.name";
        assert_eq!(unique_column(None, sqlite), "sources.name");
        assert_eq!(unique_column(None, "UNIQUE constraint failed: users.email"), "users.email");
        assert_eq!(unique_column(Some("sources.name"), "duplicate key"), "sources.name");
    }
}

//! What can go wrong with the database, as situations.

use thiserror::Error;

use crate::fault::Fault;

/// The result of everything in this room.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Says why the database did not do it.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Somebody else holds the lock, or every connection is in use. Trying again makes sense.
    #[error("the database is busy")]
    Busy(#[source] sqlx::Error),

    /// The file or the server cannot be reached. Trying again makes sense after a while.
    #[error("the database cannot be reached")]
    Unavailable(#[source] sqlx::Error),

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

    /// A newer Doorward has written this database.
    #[error("the database has schema {found}, this program knows up to {known}: use the newer program")]
    NewerSchema {
        /// The newest migration applied.
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
    Migrate(#[source] sqlx::migrate::MigrateError),

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

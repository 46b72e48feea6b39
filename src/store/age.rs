//! Whether a program and a database fit when one of them is the older: while replicas are restarted one after another,
//! and after somebody goes back to the version before.
//!
//! A migration adds and leaves everything in place that the version before needs, so a program serves a database that a
//! newer one has migrated. What takes something away comes at least a release later, in a migration of its own whose
//! name begins with [`CONTRACT`]; programs that do not know it refuse the database from then on.

use sqlx::migrate::{MigrateError, Migrator};

use crate::store::{Result, StoreError};

/// How the names of migrations begin that take something away.
const CONTRACT: &str = "contract";

/// A migration of a database: its number and name.
pub(super) type Applied = (i64, String);

/// Returns migrations that do not mind those of newer programs; [`refuse_contracted`] does.
pub(super) fn lenient(mut migrator: Migrator) -> Migrator {
    migrator.set_ignore_missing(true);
    migrator
}

/// Refuses a database from which a newer program took something away, or that another line of programs has migrated.
pub(super) fn refuse_contracted(migrator: &Migrator, applied: &[Applied]) -> Result<()> {
    let known = newest(migrator);
    let unknown = applied.iter().filter(|(version, _)| !migrator.version_exists(*version));
    let mut newer = 0;
    for (version, name) in unknown {
        if name.starts_with(CONTRACT) {
            return Err(StoreError::NewerSchema { found: *version, known });
        }
        if *version < known {
            return Err(StoreError::Migrate(MigrateError::VersionMissing(*version)));
        }
        newer += 1;
    }
    if newer > 0 {
        tracing::warn!(newer, "a newer program has migrated the database; this one serves it as it is");
    }
    Ok(())
}

/// Refuses a database that lacks something this program needs.
pub(super) fn refuse_older(migrator: &Migrator, applied: &[Applied]) -> Result<()> {
    let is_applied = |version: i64| applied.iter().any(|(applied, _)| *applied == version);
    if migrator.iter().all(|migration| is_applied(migration.version)) {
        return Ok(());
    }
    let found = applied.iter().map(|(version, _)| *version).max().unwrap_or(0);
    Err(StoreError::OlderSchema { found, known: newest(migrator) })
}

fn newest(migrator: &Migrator) -> i64 {
    migrator.iter().map(|migration| migration.version).max().unwrap_or(0)
}

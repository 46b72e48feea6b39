//! Databases for tests.

use crate::store::Store;

/// A database that vanishes with the test.
#[derive(Debug)]
pub struct TestStore {
    /// The store.
    pub store: Store,
}

impl TestStore {
    /// Makes a SQLite database in a folder of its own.
    pub async fn sqlite() -> Self {
        todo!()
    }

    /// Makes a PostgreSQL database of its own; `None` if PostgreSQL is not installed.
    pub async fn postgres() -> Option<Self> {
        todo!()
    }
}

//! Processes that share a database.

use serde::{Deserialize, Serialize};

use crate::clock::Ms;

/// Names one process among those that share a database: random, and another one each time a process starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReplicaNumber(pub u32);

impl ReplicaNumber {
    /// Returns it as four bytes, which names begin with that a process gives.
    pub fn to_bytes(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }

    /// Reads the number that the first four bytes of such a name are.
    pub fn of_name(name: [u8; 16]) -> Self {
        let [first, second, third, fourth, ..] = name;
        Self(u32::from_be_bytes([first, second, third, fourth]))
    }
}

/// A process that shares the database, as it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// Which one.
    pub number: ReplicaNumber,
    /// Where the others reach it: scheme, host and port.
    pub address: String,
    /// Its version.
    pub program: String,
    /// How many signs of life it gave.
    pub beats: i64,
    /// When it joined.
    pub started_at: Ms,
    /// Its last sign of life, by its own clock.
    pub seen_at: Ms,
}

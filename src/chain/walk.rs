//! Going along a chain and saying what does not fit.

use thiserror::Error;

use super::{Hash, Link};
use crate::model::TenantId;

/// Says what does not fit in a chain.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Flaw {
    /// The contents of an event do not give its hash.
    #[error("event {seq} was altered: its contents do not give its hash")]
    Altered {
        /// Its number.
        seq: i64,
    },
    /// A part that was erased holds something.
    #[error("event {seq} was altered: something was written where something had been erased")]
    FilledIn {
        /// Its number.
        seq: i64,
    },
    /// An event belongs to another organisation.
    #[error("event {seq} is of another organisation")]
    Stranger {
        /// Its number.
        seq: i64,
    },
    /// Events are missing.
    #[error("{} missing", gap(*.first, *.last))]
    Missing {
        /// The number of the first.
        first: i64,
        /// The number of the last.
        last: i64,
    },
    /// An event stands where another one was expected.
    #[error("event {seq} was inserted, or stands there twice: event {expected} was to follow")]
    Inserted {
        /// Its number.
        seq: i64,
        /// The number of the one expected.
        expected: i64,
    },
    /// An event names another one before it than the one that stands there.
    #[error("the chain is cut before event {seq}: it does not follow from the event that stands before it")]
    Cut {
        /// Its number.
        seq: i64,
    },
    /// The last event is not the one that the chain is known to end with.
    #[error("the chain ends at event {seq} with another event than it should: the end was replaced")]
    End {
        /// Its number.
        seq: i64,
    },
    /// An event is another one than a checkpoint says.
    #[error("event {seq} is not the one that was signed for at {at}: the chain was rewritten")]
    Rewritten {
        /// Its number.
        seq: i64,
        /// When it was signed for.
        at: String,
    },
    /// An event is another one than in another file.
    #[error("event {seq} is another one than in {other}: the chain was rewritten")]
    Differs {
        /// Its number.
        seq: i64,
        /// The other file.
        other: String,
    },
    /// A checkpoint was signed with a key that is not known.
    #[error("the checkpoint of event {seq} is signed with the key {key}, which is none of those that count")]
    UnknownKey {
        /// The number of the event.
        seq: i64,
        /// The key's id.
        key: String,
    },
    /// The signature of a checkpoint does not fit.
    #[error("the signature of the checkpoint of event {seq} is not of the key {key}")]
    Signature {
        /// The number of the event.
        seq: i64,
        /// The key's id.
        key: String,
    },
}

impl Flaw {
    /// Returns the number of the event at which it shows.
    pub fn seq(&self) -> i64 {
        match self {
            Self::Missing { first: seq, .. }
            | Self::Altered { seq }
            | Self::FilledIn { seq }
            | Self::Stranger { seq }
            | Self::Inserted { seq, .. }
            | Self::Cut { seq }
            | Self::End { seq }
            | Self::Rewritten { seq, .. }
            | Self::Differs { seq, .. }
            | Self::UnknownKey { seq, .. }
            | Self::Signature { seq, .. } => *seq,
        }
    }
}

fn gap(first: i64, last: i64) -> String {
    if first == last { format!("event {first} is") } else { format!("events {first} to {last} are") }
}

/// What was counted on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events.
    pub events: i64,
    /// Those of which something was erased.
    pub erased: i64,
    /// Those among them that were hashed as a whole before, so that nobody can vouch for what is left of them.
    pub blank: i64,
}

/// A walk along the chain of one organisation.
#[derive(Clone, Debug)]
pub struct Walk {
    tenant: TenantId,
    seq: i64,
    hash: Hash,
    tally: Tally,
}

impl Walk {
    /// Begins behind the event of this number and hash.
    pub fn behind(tenant: TenantId, seq: i64, hash: Hash) -> Self {
        Self { tenant, seq, hash, tally: Tally::default() }
    }

    /// Returns the number of the last event.
    pub fn seq(&self) -> i64 {
        self.seq
    }

    /// Returns the hash of the last event.
    pub fn hash(&self) -> &Hash {
        &self.hash
    }

    /// Returns what was counted so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Goes on to the next event.
    pub fn step(&mut self, link: &Link) -> Result<(), Flaw> {
        let (seq, expected) = (link.seq, self.seq + 1);
        if link.event.tenant != self.tenant {
            return Err(Flaw::Stranger { seq });
        }
        if seq > expected {
            return Err(Flaw::Missing { first: expected, last: seq - 1 });
        }
        if seq < expected {
            return Err(Flaw::Inserted { seq, expected });
        }
        if link.is_filled_in() {
            return Err(Flaw::FilledIn { seq });
        }
        let own = link.expected();
        if link.prev != self.hash {
            return Err(Flaw::Cut { seq });
        }
        if own.is_some_and(|own| own != link.hash) {
            return Err(Flaw::Altered { seq });
        }
        self.seq = seq;
        self.hash = link.hash;
        self.tally.events += 1;
        self.tally.erased += i64::from(link.is_erased());
        self.tally.blank += i64::from(own.is_none());
        Ok(())
    }
}

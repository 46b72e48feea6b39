//! Whether what is remembered may still be believed.
//!
//! Every change moves a counter on and marks the thing changed with it; what was read before the
//! mark is out of date. Reading takes the counter *before* it asks the database, so an entry read
//! while a revocation was being committed is never believed afterwards, whoever was faster.

use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

/// Things share marks when their ids meet; that costs a look at the database, nothing else.
const MARKS: usize = 4096;

/// The point in the order of changes at which something was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Epoch(u64);

/// Orders the changes.
pub(super) struct Epochs {
    counter: AtomicU64,
    marks: Box<[AtomicU64]>,
    everything: AtomicU64,
}

impl Epochs {
    pub(super) fn new() -> Self {
        Self {
            counter: AtomicU64::new(0),
            marks: (0..MARKS).map(|_| AtomicU64::new(0)).collect(),
            everything: AtomicU64::new(0),
        }
    }

    /// Returns the point reached. Ask before reading what is to be remembered.
    pub(super) fn now(&self) -> Epoch {
        Epoch(self.counter.load(Ordering::SeqCst))
    }

    /// Notes that a thing is not what it was. Call after the change is committed.
    pub(super) fn changed(&self, id: Uuid) {
        let epoch = self.counter.fetch_add(1, Ordering::SeqCst) + 1;
        self.mark(id).fetch_max(epoch, Ordering::SeqCst);
    }

    /// Notes that anything may not be what it was.
    pub(super) fn everything_changed(&self) {
        let epoch = self.counter.fetch_add(1, Ordering::SeqCst) + 1;
        self.everything.fetch_max(epoch, Ordering::SeqCst);
    }

    /// Says whether none of these things changed since then.
    pub(super) fn is_current(&self, read: Epoch, ids: [Uuid; 2]) -> bool {
        let current = |mark: &AtomicU64| mark.load(Ordering::SeqCst) <= read.0;
        current(&self.everything) && ids.into_iter().all(|id| current(self.mark(id)))
    }

    /// The last bytes of an id are random.
    fn mark(&self, id: Uuid) -> &AtomicU64 {
        let bytes = id.as_bytes();
        &self.marks[usize::from(u16::from_be_bytes([bytes[14], bytes[15]])) % MARKS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_a_change_is_out_of_date() {
        let (epochs, key, user) = (Epochs::new(), Uuid::from_u128(1), Uuid::from_u128(2));
        let before = epochs.now();
        assert!(epochs.is_current(before, [key, user]));

        epochs.changed(user);

        assert!(!epochs.is_current(before, [key, user]));
        assert!(epochs.is_current(before, [key, Uuid::from_u128(3)]));
        assert!(epochs.is_current(epochs.now(), [key, user]));
    }

    #[test]
    fn when_everything_changed_nothing_is_believed() {
        let epochs = Epochs::new();
        let before = epochs.now();

        epochs.everything_changed();

        assert!(!epochs.is_current(before, [Uuid::from_u128(1), Uuid::from_u128(2)]));
    }
}

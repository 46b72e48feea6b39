//! Answers that are kept: those about finished applications for as long as there is room, as they
//! never change; all others for a moment.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use moka::sync::Cache;

use crate::clock::Ms;

/// How many bytes of answers are kept, of all history servers together.
const KEPT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How long an answer that may change is kept, in milliseconds.
const BRIEF_MS: i64 = 5_000;

/// How long an answer may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// It never changes.
    Always,
    /// It may change at any time.
    Briefly,
}

/// The answers that are kept; cheap to clone. Clones share one bound.
#[derive(Clone, Debug)]
pub struct Kept {
    answers: Cache<(u64, Arc<str>), Answer>,
    shelves: Arc<AtomicU64>,
}

#[derive(Clone, Debug)]
struct Answer {
    body: Bytes,
    keep: Keep,
    at: Ms,
}

impl Default for Kept {
    fn default() -> Self {
        let weigher = |key: &(u64, Arc<str>), answer: &Answer| {
            u32::try_from(key.1.len() + answer.body.len() + 64).unwrap_or(u32::MAX)
        };
        let answers = Cache::builder().weigher(weigher).max_capacity(KEPT_BYTES_MAX).build();
        Self { answers, shelves: Arc::default() }
    }
}

/// The part of what is kept that belongs to one link, so that an answer is never given over another
/// address or credential than it came by.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    kept: Kept,
    number: u64,
}

impl Kept {
    pub(super) fn shelf(&self) -> Shelf {
        Shelf { kept: self.clone(), number: self.shelves.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Shelf {
    /// Returns an answer that still holds.
    pub(super) fn find(&self, path: &str, now: Ms) -> Option<Bytes> {
        let answer = self.kept.answers.get(&(self.number, path.into()))?;
        let holds = answer.keep == Keep::Always || now.0.saturating_sub(answer.at.0) < BRIEF_MS;
        holds.then_some(answer.body)
    }

    pub(super) fn put(&self, path: &str, body: &Bytes, keep: Keep, now: Ms) {
        let answer = Answer { body: body.clone(), keep, at: now };
        self.kept.answers.insert((self.number, path.into()), answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_change_is_kept_for_a_moment_and_what_cannot_for_ever() {
        let shelf = Kept::default().shelf();
        shelf.put("a", &Bytes::from_static(b"1"), Keep::Briefly, Ms(0));
        shelf.put("b", &Bytes::from_static(b"2"), Keep::Always, Ms(0));

        assert!(shelf.find("a", Ms(BRIEF_MS - 1)).is_some());
        assert!(shelf.find("a", Ms(BRIEF_MS)).is_none());
        assert!(shelf.find("b", Ms(i64::MAX)).is_some());
    }

    #[test]
    fn one_link_does_not_see_what_another_was_told() {
        let kept = Kept::default();
        let (one, other) = (kept.shelf(), kept.shelf());
        one.put("a", &Bytes::from_static(b"1"), Keep::Always, Ms(0));

        assert!(other.find("a", Ms(0)).is_none());
    }
}

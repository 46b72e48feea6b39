//! What legacy sources remember is kept apart: by what callers can be asked, and by whose call it is.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Call, Partition, UpstreamError};
use crate::{clock::Ms, mcp::Capabilities};

/// Calls of one part may share a session, or a process, of a legacy source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Part {
    pub(super) capabilities: Capabilities,
    partition: Option<Partition>,
}

impl Part {
    /// Says whether all its calls are of one principal.
    pub(super) fn is_of_one(&self) -> bool {
        self.partition.is_some()
    }
}

impl Call {
    /// Says whether nothing is declared, so that a legacy source needs nothing of its own for it.
    pub(super) fn is_plain(&self) -> bool {
        self.partition.is_none() && self.capabilities.is_empty()
    }

    /// Returns what a legacy source's memory of it is kept apart by; `None` if by nothing.
    pub(super) fn part(&self) -> Option<Part> {
        self.part_of(self.partition.clone())
    }

    /// Returns the same for a process, which is too dear to have one of for log messages alone.
    pub(super) fn part_of_process(&self) -> Option<Part> {
        self.part_of(self.partition.clone().filter(|_| self.capabilities.can_be_asked()))
    }

    fn part_of(&self, partition: Option<Partition>) -> Option<Part> {
        let part = Part { capabilities: self.capabilities.legacy_key(), partition };
        (part != Part::default()).then_some(part)
    }
}

/// One thing for each part: a bounded number, the least recently used making room.
#[derive(Debug)]
pub(super) struct Parts<T> {
    max: usize,
    kept: Mutex<HashMap<Part, Kept<T>>>,
}

#[derive(Debug)]
struct Kept<T> {
    thing: Arc<T>,
    used: Ms,
}

impl<T> Parts<T> {
    pub(super) fn new(max: usize) -> Self {
        Self { max, kept: Mutex::default() }
    }

    /// Returns the thing of a part, made if there is none, and the one that made room for it.
    /// Whoever holds a thing uses it; `is_free` says whether it is used otherwise.
    pub(super) fn take(
        &self,
        part: Part,
        now: Ms,
        is_free: impl Fn(&T) -> bool,
        make: impl FnOnce(&Part) -> Arc<T>,
    ) -> Result<(Arc<T>, Option<Arc<T>>), UpstreamError> {
        let mut kept = self.lock();
        if let Some(found) = kept.get_mut(&part) {
            found.used = now;
            return Ok((Arc::clone(&found.thing), None));
        }
        let mut evicted = None;
        if kept.len() >= self.max {
            let free = kept.iter().filter(|(_, kept)| unused(&kept.thing, &is_free));
            let oldest = free.min_by_key(|(_, kept)| kept.used).map(|(part, _)| part.clone());
            let Some(oldest) = oldest else {
                let what =
                    format!("{} sessions or processes of one source, each for other callers", self.max);
                return Err(UpstreamError::Busy { what });
            };
            evicted = kept.remove(&oldest).map(|kept| kept.thing);
        }
        let thing = make(&part);
        kept.insert(part, Kept { thing: Arc::clone(&thing), used: now });
        Ok((thing, evicted))
    }

    /// Takes out what has not been used for a while.
    pub(super) fn take_idle(&self, now: Ms, after: Duration, is_free: impl Fn(&T) -> bool) -> Vec<Arc<T>> {
        let mut kept = self.lock();
        let mut idle = Vec::new();
        kept.retain(|_, kept| {
            let is_idle = now.since(kept.used) >= after && unused(&kept.thing, &is_free);
            if is_idle {
                idle.push(Arc::clone(&kept.thing));
            }
            !is_idle
        });
        idle
    }

    /// Takes everything out.
    pub(super) fn take_all(&self) -> Vec<Arc<T>> {
        self.lock().drain().map(|(_, kept)| kept.thing).collect()
    }

    /// Returns everything.
    pub(super) fn all(&self) -> Vec<Arc<T>> {
        self.lock().values().map(|kept| Arc::clone(&kept.thing)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Part, Kept<T>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unused<T>(thing: &Arc<T>, is_free: impl Fn(&T) -> bool) -> bool {
    Arc::strong_count(thing) == 1 && is_free(thing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str) -> Part {
        Part { partition: Some(Partition::new(name)), ..Part::default() }
    }

    fn take(
        parts: &Parts<String>,
        name: &str,
        now: i64,
    ) -> Result<(Arc<String>, Option<Arc<String>>), UpstreamError> {
        parts.take(part(name), Ms(now), |_| true, |_| Arc::new(name.to_owned()))
    }

    #[test]
    fn the_least_recently_used_makes_room_unless_somebody_holds_it() {
        let parts = Parts::new(2);
        let held = take(&parts, "held", 1).unwrap().0;
        take(&parts, "old", 2).unwrap();

        let (_, evicted) = take(&parts, "new", 3).unwrap();
        assert_eq!(evicted.as_deref().map(String::as_str), Some("old"));
        let second = take(&parts, "new", 4).unwrap().0;

        assert!(matches!(take(&parts, "third", 5), Err(UpstreamError::Busy { .. })));
        drop((held, second));
        assert_eq!(take(&parts, "third", 6).unwrap().1.as_deref().map(String::as_str), Some("held"));
    }

    #[test]
    fn what_nobody_uses_is_taken_out_after_a_while() {
        let parts = Parts::new(8);
        take(&parts, "a", 0).unwrap();
        take(&parts, "b", 900).unwrap();
        let _held = take(&parts, "c", 0).unwrap();

        let idle = parts.take_idle(Ms(1000), Duration::from_secs(1), |_| true);

        assert_eq!(idle, [Arc::new("a".to_owned())]);
        assert_eq!(parts.all().len(), 2);
    }
}

//! The buckets of this process.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    Standing, TooFast,
    checks::{Bucket, CHECKS_MAX, Checks},
    gcra,
};
use crate::clock::Ms;

/// How many buckets are remembered. A full one need not be; beyond this, the fullest of a few makes
/// room.
pub(super) const BUCKETS_MAX: usize = 100_000;

/// How many are looked at for one to make room.
const LOOKED_AT: usize = 16;

/// What is left in each bucket that is not full. One lock for all: it is held for some hundred
/// nanoseconds, and a call takes from all of its buckets or from none.
#[derive(Default)]
pub(super) struct Buckets(Mutex<HashMap<Bucket, i64>>);

impl Buckets {
    /// Takes one from each, or none from any.
    pub(super) fn take(&self, checks: &Checks, now: Ms) -> Result<(), TooFast> {
        let now_us = now.0 * 1000;
        let mut buckets = self.lock();
        let mut taken = [0; CHECKS_MAX];
        let mut refused: Option<TooFast> = None;
        for (check, taken) in checks.iter().zip(&mut taken) {
            let full_at = match buckets.get_mut(&check.bucket) {
                Some(full_at) => {
                    // Written also where the call is refused, so that an emptier one fills with time.
                    *full_at = gcra::under(*full_at, check.rate, now_us);
                    *full_at
                }
                None => now_us,
            };
            match gcra::take(full_at, check.rate, now_us) {
                Ok(full_at) => *taken = full_at,
                Err(wait_us) => {
                    let wait = Duration::from_micros(u64::try_from(wait_us).unwrap_or(0));
                    let refused = refused.get_or_insert_with(|| TooFast::of(check));
                    // Whoever waits for the most particular one would meet the others.
                    refused.retry_after = refused.retry_after.max(wait);
                }
            }
        }
        if let Some(refused) = refused {
            return Err(refused);
        }
        for (check, full_at) in checks.iter().zip(taken) {
            if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&check.bucket) {
                make_room(&mut buckets);
            }
            buckets.insert(check.bucket, full_at);
        }
        Ok(())
    }

    /// Returns how full each is.
    pub(super) fn standing(&self, checks: &Checks, now: Ms) -> Vec<Standing> {
        let (now_us, buckets) = (now.0 * 1000, self.lock());
        let standing = checks.iter().map(|check| {
            let full_at = buckets.get(&check.bucket).copied().unwrap_or(gcra::FULL);
            let full_at = gcra::under(full_at, check.rate, now_us);
            Standing::of(check, gcra::free(full_at, check.rate, now_us))
        });
        standing.collect()
    }

    /// Forgets those that are full.
    pub(super) fn forget_full(&self, now: Ms) {
        let now_us = now.0 * 1000;
        self.lock().retain(|_, full_at| *full_at > now_us);
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Bucket, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_room(buckets: &mut HashMap<Bucket, i64>) {
    let fullest = buckets.iter().take(LOOKED_AT).min_by_key(|(_, full_at)| **full_at);
    if let Some(bucket) = fullest.map(|(bucket, _)| *bucket) {
        buckets.remove(&bucket);
    }
}

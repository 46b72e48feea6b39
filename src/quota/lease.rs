//! Units charged ahead of time: the deciding part, free of I/O.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::clock::{Month, Ms};

/// The most units one lease holds, and so the most a crash can lose of a payer's month.
pub(super) const UNITS_MAX: i64 = 1000;

/// A lease takes at most this part of what is left, so that it shrinks to single calls near the
/// limit.
const PART_OF_LEFT: i64 = 8;

/// Stands in the counter of a lease that is over. Far from anything counting can reach.
const CLOSED: i64 = i64::MIN;

/// Returns how many units to take when this many are left. Of a month nothing is known of yet, one.
pub(super) fn size(left: Option<i64>) -> i64 {
    left.map_or(1, |left| (left / PART_OF_LEFT).clamp(1, UNITS_MAX))
}

/// Returns what to try after `size` units were refused; `None` if not even one was left.
pub(super) fn smaller(size: i64) -> Option<i64> {
    (size > 1).then_some(size / 2)
}

/// Calls of one payer in one month.
#[derive(Debug)]
pub(super) struct Lease {
    month: Month,
    ends: Ms,
    limit: Option<i64>,
    /// With a limit: units charged to the row and not spent. Without: units spent and not yet
    /// charged to the row.
    units: AtomicI64,
    touched: AtomicI64,
}

impl Lease {
    /// Makes a lease of units that are charged already.
    pub(super) fn of(month: Month, limit: i64, units: i64, now: Ms) -> Self {
        Self::new(month, Some(limit), units, now)
    }

    /// Makes a lease without a limit, which only counts.
    pub(super) fn unlimited(month: Month, now: Ms) -> Self {
        Self::new(month, None, 0, now)
    }

    /// Makes a lease that is over.
    pub(super) fn closed() -> Self {
        Self::new(Month(0), Some(0), CLOSED, Ms(0))
    }

    fn new(month: Month, limit: Option<i64>, units: i64, now: Ms) -> Self {
        let (units, touched) = (AtomicI64::new(units), AtomicI64::new(now.0));
        Self { month, ends: month.end(), limit, units, touched }
    }

    pub(super) fn month(&self) -> Month {
        self.month
    }

    /// Spends one call under this limit; `false` if the lease is empty, over, or of another limit.
    pub(super) fn spend(&self, limit: Option<i64>, now: Ms) -> bool {
        if !self.is_for(limit, now) {
            return false;
        }
        let spent = self.units.fetch_update(Ordering::AcqRel, Ordering::Acquire, |units| match limit {
            _ if units == CLOSED => None,
            Some(_) => (units > 0).then(|| units - 1),
            None => Some(units + 1),
        });
        self.touched.store(now.0, Ordering::Relaxed);
        spent.is_ok()
    }

    /// Takes a spent call back; `false` if the lease is over, and the row has to be told.
    pub(super) fn refund(&self) -> bool {
        let difference = if self.limit.is_some() { 1 } else { -1 };
        let refunded = self.units.fetch_update(Ordering::AcqRel, Ordering::Acquire, |units| {
            (units != CLOSED).then(|| units + difference)
        });
        refunded.is_ok()
    }

    /// Says whether it may serve this limit at this time.
    pub(super) fn is_for(&self, limit: Option<i64>, now: Ms) -> bool {
        self.limit == limit && now < self.ends
    }

    /// Says whether it was left alone for this long, or its month is over.
    pub(super) fn is_idle(&self, idle: std::time::Duration, now: Ms) -> bool {
        now >= self.ends || now.since(Ms(self.touched.load(Ordering::Relaxed))) > idle
    }

    pub(super) fn is_closed(&self) -> bool {
        self.units.load(Ordering::Acquire) == CLOSED
    }

    /// Ends it. From here on nothing is spent from it.
    pub(super) fn close(&self) -> Balance {
        self.balance(self.units.swap(CLOSED, Ordering::AcqRel))
    }

    /// Takes what was counted without a limit, leaving it open. Units under a limit stay.
    pub(super) fn drain(&self) -> Balance {
        let drained = self.units.fetch_update(Ordering::AcqRel, Ordering::Acquire, |units| {
            (units != CLOSED && self.limit.is_none()).then_some(0)
        });
        drained.map_or(Balance::Even, |units| self.balance(units))
    }

    /// Puts back what [`Lease::drain`] took or [`Lease::close`] ended, when it could not be written.
    pub(super) fn restore(&self, units: i64) {
        let _ = self.units.fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
            Some(if now == CLOSED { units } else { now + units })
        });
    }

    /// Returns how far the row is off: units charged and not spent, less than zero for units spent
    /// and not charged.
    pub(super) fn ahead(&self) -> i64 {
        match (self.units.load(Ordering::Acquire), self.limit) {
            (CLOSED, _) => 0,
            (units, Some(_)) => units,
            (units, None) => -units,
        }
    }

    fn balance(&self, units: i64) -> Balance {
        match (units, self.limit) {
            (CLOSED | 0, _) => Balance::Even,
            (units, Some(_)) => Balance::Unspent(units),
            (units, None) if units > 0 => Balance::Uncharged(units),
            (units, None) => Balance::Unspent(-units),
        }
    }
}

/// What the row has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Balance {
    /// Nothing.
    Even,
    /// Units charged and not spent: give them back.
    Unspent(i64),
    /// Units spent and not charged: charge them.
    Uncharged(i64),
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;

    const MONTH: Month = Month(202_611);
    const NOW: Ms = Ms(1_795_233_963_183);

    #[test]
    fn a_lease_shrinks_to_single_calls_near_the_limit() {
        assert_eq!(size(None), 1);
        assert_eq!(size(Some(1_000_000)), UNITS_MAX);
        assert_eq!(size(Some(800)), 100);
        assert_eq!(size(Some(15)), 1);
        assert_eq!(size(Some(0)), 1);
    }

    #[test]
    fn a_refused_size_is_halved_until_one_was_refused() {
        let mut sizes = vec![1000];
        while let Some(next) = smaller(sizes[sizes.len() - 1]) {
            sizes.push(next);
        }

        assert_eq!(sizes, [1000, 500, 250, 125, 62, 31, 15, 7, 3, 1]);
    }

    #[test]
    fn a_lease_serves_its_units_and_no_more() {
        let lease = Lease::of(MONTH, 10, 2, NOW);

        let served = (0..5).filter(|_| lease.spend(Some(10), NOW)).count();

        assert_eq!(served, 2);
        assert_eq!(lease.close(), Balance::Even);
    }

    #[test]
    fn eight_threads_spend_its_units_once_each() {
        let lease = Lease::of(MONTH, 10, 100_000, NOW);

        let served: usize = thread::scope(|scope| {
            let spenders: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..20_000).filter(|_| lease.spend(Some(10), NOW)).count()))
                .collect();
            spenders.into_iter().map(|spender| spender.join().unwrap()).sum()
        });

        assert_eq!(served, 100_000);
        assert_eq!(lease.close(), Balance::Even);
    }

    #[test]
    fn a_lease_dies_with_its_month_and_with_its_limit() {
        let lease = Lease::of(MONTH, 10, 5, NOW);

        assert!(!lease.spend(Some(10), MONTH.end()));
        assert!(!lease.spend(Some(9), NOW));
        assert!(!lease.spend(None, NOW));
        assert_eq!(lease.close(), Balance::Unspent(5));
    }

    #[test]
    fn nothing_is_spent_from_or_refunded_to_a_closed_lease() {
        for lease in [Lease::of(MONTH, 10, 5, NOW), Lease::unlimited(MONTH, NOW)] {
            let limit = lease.limit;
            assert!(lease.spend(limit, NOW));
            lease.close();

            assert!(!lease.refund());

            assert!(!lease.spend(limit, NOW));
            assert_eq!(lease.close(), Balance::Even);
            assert_eq!(lease.ahead(), 0);
        }
    }

    #[test]
    fn a_refund_can_be_spent_again() {
        let lease = Lease::of(MONTH, 10, 1, NOW);
        assert!(lease.spend(Some(10), NOW));

        assert!(lease.refund());

        assert!(lease.spend(Some(10), NOW));
        assert!(!lease.spend(Some(10), NOW));
    }

    #[test]
    fn calls_without_a_limit_are_counted() {
        let lease = Lease::unlimited(MONTH, NOW);
        for _ in 0..3 {
            assert!(lease.spend(None, NOW));
        }
        assert!(lease.refund());

        assert_eq!(lease.ahead(), -2);
        assert_eq!(lease.drain(), Balance::Uncharged(2));
        assert_eq!(lease.drain(), Balance::Even);
        assert!(lease.refund());
        assert_eq!(lease.drain(), Balance::Unspent(1));
    }

    #[test]
    fn what_could_not_be_written_is_kept() {
        let lease = Lease::unlimited(MONTH, NOW);
        assert!(lease.spend(None, NOW));
        assert_eq!(lease.drain(), Balance::Uncharged(1));
        assert!(lease.spend(None, NOW));

        lease.restore(1);

        assert_eq!(lease.close(), Balance::Uncharged(2));
        lease.restore(2);
        assert_eq!(lease.close(), Balance::Uncharged(2));
    }

    #[test]
    fn a_lease_left_alone_is_idle() {
        let lease = Lease::of(MONTH, 10, 5, NOW);
        let idle = Duration::from_secs(10);

        assert!(!lease.is_idle(idle, NOW.plus(idle)));
        assert!(lease.is_idle(idle, NOW.plus(idle + Duration::from_millis(1))));
    }
}

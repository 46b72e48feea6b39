//! One payer's meter: the lease that calls are served from, and the one place that renews it.

use std::{
    collections::BTreeMap,
    mem,
    sync::{
        Arc, Mutex as StdMutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use super::{
    QuotaError,
    lease::{self, Balance, Lease},
};
use crate::{
    clock::{Clock, Month, Ms},
    model::Payer,
    store::{Store, StoreError},
};

/// A lease that was not touched for this long is given back.
const IDLE: Duration = Duration::from_secs(10);

/// After a refusal, the row is not asked again for this long. Another replica may give units back
/// at any time, so it is short.
const REFUSAL_HOLDS: Duration = Duration::from_secs(1);

/// What one payer's calls are charged through.
#[derive(Debug)]
pub(super) struct Meter {
    payer: Payer,
    lease: ArcSwap<Lease>,
    /// Held by whoever talks to the row.
    row: Mutex<Row>,
    /// Calls given back after their lease was over, by the month they were charged to.
    late: StdMutex<BTreeMap<Month, i64>>,
    /// Until when the row is known to have nothing left, and under which limit.
    refused_until: AtomicI64,
    refused_limit: AtomicI64,
}

/// What is known of the database row.
#[derive(Debug, Default)]
struct Row {
    month: Option<Month>,
    left: Option<i64>,
}

impl Meter {
    pub(super) fn new(payer: Payer) -> Self {
        Self {
            payer,
            lease: ArcSwap::from_pointee(Lease::closed()),
            row: Mutex::default(),
            late: StdMutex::default(),
            refused_until: AtomicI64::new(0),
            refused_limit: AtomicI64::new(0),
        }
    }

    /// Charges one call without waiting; `None` if the lease has to be renewed first.
    pub(super) fn spend(&self, limit: Option<i64>, now: Ms) -> Option<Arc<Lease>> {
        let lease = self.lease.load();
        lease.spend(limit, now).then(|| Arc::clone(&lease))
    }

    /// Takes a call back that was spent from this lease. Of a lease that is over, the row is told with the next write.
    pub(super) fn take_back(&self, lease: &Lease) {
        if !lease.refund() {
            *self.late().entry(lease.month()).or_default() += 1;
        }
    }

    /// Says whether the row refused this limit a moment ago.
    pub(super) fn was_refused(&self, limit: i64, now: Ms) -> bool {
        self.refused_limit.load(Ordering::Acquire) == limit
            && now.0 < self.refused_until.load(Ordering::Acquire)
    }

    /// Renews the lease and charges one call to it. Must run to its end: units taken from the row
    /// would be lost with it.
    pub(super) async fn renew(
        &self,
        store: &Store,
        clock: &Clock,
        limit: Option<i64>,
    ) -> Result<Arc<Lease>, QuotaError> {
        let mut row = self.row.lock().await;
        let now = clock.now();
        if let Some(lease) = self.spend(limit, now) {
            // Somebody else renewed it while we waited.
            return Ok(lease);
        }
        self.settle(store, now).await?;

        let month = now.month();
        let lease = match limit {
            None => Lease::unlimited(month, now),
            Some(limit) if self.was_refused(limit, now) => return Err(self.exhausted(limit, month)),
            Some(limit) => {
                let units = self.take(store, &mut row, month, limit, now).await?;
                Lease::of(month, limit, units, now)
            }
        };
        let charged = lease.spend(limit, now);
        debug_assert!(charged, "a new lease holds at least one call");

        let lease = Arc::new(lease);
        self.lease.store(Arc::clone(&lease));
        Ok(lease)
    }

    /// Takes as many units from the row as are sensible and to be had.
    async fn take(
        &self,
        store: &Store,
        row: &mut Row,
        month: Month,
        limit: i64,
        now: Ms,
    ) -> Result<i64, QuotaError> {
        let known_left = row.left.filter(|_| row.month == Some(month));
        let mut units = lease::size(known_left.map(|left| left.min(limit)));
        loop {
            if let Some(taken) = store.take_calls(self.payer, month, units, Some(limit), now).await? {
                *row = Row { month: Some(month), left: taken.left };
                return Ok(units);
            }
            let Some(fewer) = lease::smaller(units) else {
                *row = Row { month: Some(month), left: Some(0) };
                self.refused_limit.store(limit, Ordering::Release);
                self.refused_until.store(now.plus(REFUSAL_HOLDS).min(month.end()).0, Ordering::Release);
                return Err(self.exhausted(limit, month));
            };
            units = fewer;
        }
    }

    /// Brings the row up to date, and gives the lease back if `give_back` says so.
    pub(super) async fn write(
        &self,
        store: &Store,
        clock: &Clock,
        give_back: GiveBack,
    ) -> Result<(), StoreError> {
        let mut row = self.row.lock().await;
        let now = clock.now();
        let late = mem::take(&mut *self.late());
        for (month, units) in late {
            self.give_back(store, month, units, now).await?;
        }
        let lease = self.lease.load_full();
        let over = match give_back {
            GiveBack::Idle => lease.is_idle(IDLE, now),
            GiveBack::Always => true,
        };
        if over {
            *row = Row::default();
            self.refused_until.store(0, Ordering::Release);
            self.settle(store, now).await
        } else {
            self.tell(store, &lease, lease.drain(), now).await
        }
    }

    /// Says whether nothing would be lost if it were forgotten.
    pub(super) fn is_empty(&self) -> bool {
        self.lease.load().is_closed() && self.late().is_empty()
    }

    /// Returns how far the row is off in this month, as in [`Lease::ahead`].
    pub(super) fn ahead(&self, month: Month) -> i64 {
        let late = self.late().get(&month).copied().unwrap_or(0);
        let lease = self.lease.load();
        late + if lease.month() == month { lease.ahead() } else { 0 }
    }

    /// Says that a month has nothing left.
    pub(super) fn exhausted(&self, limit: i64, month: Month) -> QuotaError {
        QuotaError::Exhausted { payer: self.payer, limit, resets_at: month.end() }
    }

    fn late(&self) -> MutexGuard<'_, BTreeMap<Month, i64>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the lease and brings the row up to date. The caller holds the row.
    async fn settle(&self, store: &Store, now: Ms) -> Result<(), StoreError> {
        let lease = self.lease.load_full();
        self.tell(store, &lease, lease.close(), now).await
    }

    async fn tell(&self, store: &Store, lease: &Lease, balance: Balance, now: Ms) -> Result<(), StoreError> {
        match balance {
            Balance::Even => Ok(()),
            Balance::Unspent(units) => self.give_back(store, lease.month(), units, now).await,
            Balance::Uncharged(units) => {
                let charged = store.take_calls(self.payer, lease.month(), units, None, now).await;
                if charged.is_err() {
                    lease.restore(units);
                }
                charged.map(drop)
            }
        }
    }

    async fn give_back(&self, store: &Store, month: Month, units: i64, now: Ms) -> Result<(), StoreError> {
        // Not tried again: an error may come after the row was written, and giving back twice would admit too many.
        // The units are lost to the payer until the month ends.
        let given = store.give_back_calls(self.payer, month, units, now).await;
        if given.is_err() {
            tracing::warn!(units, "lost {units} calls of a quota that could not be given back");
        }
        given
    }
}

/// When a lease goes back to the row.
#[derive(Clone, Copy, Debug)]
pub(super) enum GiveBack {
    /// When it lies idle or its month is over.
    Idle,
    /// In any case.
    Always,
}

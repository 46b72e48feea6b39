//! What a person may use in a month, charged exactly.
//!
//! Never admits more calls than the plan allows, whatever happens at the same time. Calls are
//! charged in *leases*: a few units are taken from the database row ahead of time and served from an
//! atomic counter, so that a warm call touches no database. Debit first, spend later: a crash loses
//! at most the unspent lease, to the caller's disadvantage.
//!
//! Never decides who may call, and never knows how a refusal is shown.

mod error;

use std::sync::Arc;

use crate::{
    changes::Changes,
    clock::{Clock, Ms},
    model::{Member, PlanName, TenantId, UserId},
    store::Store,
};

pub use error::QuotaError;

/// Whose month is charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaSubject {
    /// The person.
    pub user: UserId,
    /// The plan that limits them.
    pub plan: PlanName,
}

impl From<&Member> for QuotaSubject {
    fn from(member: &Member) -> Self {
        Self { user: member.user, plan: member.plan.clone() }
    }
}

/// What a person has used and has left in the month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Calls made.
    pub used: i64,
    /// Calls allowed; `None` = unlimited.
    pub limit: Option<i64>,
    /// Calls left; `None` = unlimited.
    pub left: Option<i64>,
    /// When the next month begins.
    pub resets_at: Ms,
}

/// Charges calls; cheap to clone.
#[derive(Clone)]
pub struct Quota(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
}

/// One call, charged. Dropping it leaves the call charged, however it ends.
#[derive(Debug)]
#[must_use = "a reservation is the proof that the call was charged"]
pub struct Reservation(());

impl Reservation {
    /// Gives the call back: it never left, by a fault of our own.
    pub fn refund(self) {
        todo!()
    }
}

impl Quota {
    /// Begins with nothing taken.
    pub fn new(store: Store, changes: &Changes, clock: Clock) -> Self {
        let _ = changes;
        Self(Arc::new(Inner { store, clock }))
    }

    /// Charges one call.
    pub async fn reserve(&self, subject: &QuotaSubject) -> Result<Reservation, QuotaError> {
        let _ = (subject, &self.0.store, &self.0.clock);
        todo!()
    }

    /// Returns who is charged when nobody is known: the person whose organisation owns the preset.
    pub async fn owner_of(&self, tenant: TenantId) -> Result<QuotaSubject, QuotaError> {
        let _ = tenant;
        todo!()
    }

    /// Returns what a person has used and has left in this month.
    pub async fn usage(&self, user: UserId) -> Result<Usage, QuotaError> {
        let _ = user;
        todo!()
    }

    /// Writes what was counted and gives back what lies idle or belongs to a past month. To be
    /// called every second or so.
    pub async fn flush(&self) -> Result<(), QuotaError> {
        todo!()
    }

    /// Writes what was counted and gives back everything, at the end of the process.
    pub async fn give_back(&self) -> Result<(), QuotaError> {
        todo!()
    }
}

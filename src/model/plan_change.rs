//! Changes of plans that come from outside.

use crate::{
    clock::Ms,
    model::{Handle, PlanName, TenantId, words},
};

/// What was answered to a change of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanChangeState {
    /// It holds.
    Applied,
    /// It holds from its time on.
    Waiting,
    /// A newer one held already.
    Superseded,
}
words!(PlanChangeState { Applied = "applied", Waiting = "waiting", Superseded = "superseded" });

/// A change of a plan, as a payment provider posted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanChange {
    /// As whoever posted it names it.
    pub id: String,
    /// The organisation whose plan it is: a team, or somebody's own.
    pub tenant: TenantId,
    /// The handle of that.
    pub handle: Handle,
    /// The plan from then on.
    pub plan: PlanName,
    /// From when on.
    pub effective_at: Ms,
    /// What was answered.
    pub answered: PlanChangeState,
}

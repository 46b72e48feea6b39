//! What a person may use in a month, charged exactly, how fast calls may come, and which are made once.
//!
//! Never admits more calls than the plan allows, whatever happens at the same time. Calls are
//! charged in *leases*: a few units are taken from the database row ahead of time and served from an
//! atomic counter, so that a warm call touches no database. Debit first, spend later: a crash loses
//! at most the unspent lease, to the caller's disadvantage.
//!
//! A call of what a team owns is charged to whoever calls and to the team, and both have to admit it: to both months
//! or to none.
//!
//! Never decides who may call, and never knows how a refusal is shown.

mod error;
mod forecast;
mod lease;
mod limits;
mod meter;
mod once;
mod rate;

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use redis::RedisError;

use crate::{
    apart,
    changes::Changes,
    clock::{Clock, Ms},
    model::{Member, Payer, PlanName, Principal, Rate, TenantId, UserId},
    store::Store,
};
use lease::Lease;
use limits::Limits;
use meter::{GiveBack, Meter};
use rate::Rates;

pub use crate::store::MonthUsage;
pub use error::QuotaError;
pub use forecast::forecast;
pub use once::{ANSWER_BYTES_MAX, Claim, Claimed, Once, OnceKey, ROOM as ONCE_ROOM};
pub use rate::{
    Asked, Limited, RateSettings, RedisSettings, RedisState, SetBy, Shown, Standing, TooFast, WhenAway,
};

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

/// What a payer has used and has left in the month.
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

/// How many months are told of.
const MONTHS_MAX: i64 = 24;

/// Charges calls; cheap to clone.
#[derive(Clone)]
pub struct Quota(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    limits: Arc<Limits>,
    meters: RwLock<HashMap<Payer, Arc<Meter>>>,
    rates: Rates,
}

/// A payer's meter, and how many calls its month may have.
type Metered = (Arc<Meter>, Option<i64>);

/// One call, charged to one payer.
#[derive(Debug)]
struct Charge {
    meter: Arc<Meter>,
    lease: Arc<Lease>,
}

impl Charge {
    fn refund(self) {
        self.meter.take_back(&self.lease);
    }
}

/// One call, charged. Dropping it leaves the call charged, however it ends.
#[derive(Debug)]
pub struct Reservation {
    person: Charge,
    /// Of one person's own organisation there is none.
    team: Option<Charge>,
}

impl Reservation {
    /// Gives the call back to everybody it was charged to: it never left, by a fault of our own.
    pub fn refund(self) {
        self.person.refund();
        if let Some(team) = self.team {
            team.refund();
        }
    }
}

impl Quota {
    /// Begins with nothing taken.
    pub fn new(store: Store, changes: &Changes, clock: Clock, rates: RateSettings) -> Self {
        Self::with(store, changes, clock, Rates::new(rates))
    }

    /// Begins with nothing taken, with buckets that all replicas share.
    pub fn sharing(
        store: Store,
        changes: &Changes,
        clock: Clock,
        rates: RateSettings,
        redis: &RedisSettings,
    ) -> Result<Self, RedisError> {
        Ok(Self::with(store, changes, clock, Rates::shared(rates, redis)?))
    }

    fn with(store: Store, changes: &Changes, clock: Clock, rates: Rates) -> Self {
        let (limits, meters) = (Limits::new(changes), RwLock::default());
        Self(Arc::new(Inner { store, clock, limits, meters, rates }))
    }

    /// Takes one from each bucket that limits how fast a call may come, or from none of them.
    pub async fn admit(&self, asked: &Asked<'_>) -> Result<(), QuotaError> {
        let Inner { limits, rates, clock, .. } = &*self.0;
        if rates.are_free(asked) && limits.are_without_rates() {
            return Ok(());
        }
        let plan = self.plan_rate(asked.caller).await?;
        Ok(rates.take(asked, plan, clock.now()).await?)
    }

    /// Takes one from the bucket of a person's requests to the REST API.
    pub async fn admit_rest(&self, user: UserId) -> Result<(), QuotaError> {
        Ok(self.0.rates.take_rest(user, self.0.clock.now()).await?)
    }

    /// Returns how full the buckets are that a call would take from.
    pub async fn standing(&self, asked: &Asked<'_>) -> Result<Vec<Standing>, QuotaError> {
        let plan = self.plan_rate(asked.caller).await?;
        Ok(self.0.rates.standing(asked, plan, self.0.clock.now()).await)
    }

    /// Returns how full the buckets of a key, preset or source are.
    pub async fn shown(&self, shown: Shown<'_>) -> Vec<Standing> {
        self.0.rates.shown(shown, self.0.clock.now()).await
    }

    /// Returns how many calls and requests came too fast since the start.
    pub fn too_fast(&self) -> u64 {
        self.0.rates.refused()
    }

    /// Says how Redis is; `None` if this process shares nothing.
    pub async fn redis(&self) -> Option<RedisState> {
        self.0.rates.redis().await
    }

    /// Says whether Redis did not answer the last time it was asked.
    pub fn redis_is_away(&self) -> bool {
        self.0.rates.redis_is_away()
    }

    async fn plan_rate(&self, caller: &Principal) -> Result<Option<Rate>, QuotaError> {
        match caller {
            Principal::Anonymous => Ok(None),
            Principal::Member(member) => {
                let Inner { store, limits, clock, .. } = &*self.0;
                Ok(limits.plan(store, &member.plan, clock.now()).await?.rate)
            }
        }
    }

    /// Charges one call of what this organisation owns to whoever calls, and if it is a team to that as well: to both
    /// or to none.
    pub async fn reserve(&self, subject: &QuotaSubject, owner: TenantId) -> Result<Reservation, QuotaError> {
        let Inner { store, clock, limits, .. } = &*self.0;
        let now = clock.now();
        let limits = limits.months(store, &subject.plan, owner, now).await?;
        let person = (self.meter(Payer::Person(subject.user)), limits.person);
        let Some(team) = limits.team.map(|limit| (self.meter(Payer::Team(owner)), limit)) else {
            return match spend(&person, now)? {
                Some(person) => Ok(Reservation { person, team: None }),
                None => {
                    let person = Box::pin(self.renew(person.0, person.1)).await?;
                    Ok(Reservation { person, team: None })
                }
            };
        };
        if let Some(of_person) = spend(&person, now)? {
            match spend(&team, now) {
                Ok(Some(of_team)) => return Ok(Reservation { person: of_person, team: Some(of_team) }),
                // Taken again together with the team's.
                Ok(None) => of_person.refund(),
                Err(refused) => {
                    of_person.refund();
                    return Err(refused);
                }
            }
        }
        Box::pin(self.join(person, team)).await
    }

    /// Returns who is charged when nobody is known: the person whose organisation owns the preset.
    pub async fn owner_of(&self, tenant: TenantId) -> Result<Arc<QuotaSubject>, QuotaError> {
        self.0.limits.owner(&self.0.store, tenant, self.0.clock.now()).await
    }

    /// Returns what a payer has used and has left in this month.
    pub async fn usage(&self, of: impl Into<Payer>) -> Result<Usage, QuotaError> {
        let (payer, month) = (of.into(), self.0.clock.now().month());
        let mut tx = self.0.store.system_read().await?;
        let plan = match payer {
            Payer::Person(user) => tx.find_user(user).await?.map(|user| user.plan),
            Payer::Team(team) => tx.find_organisation(team).await?.and_then(|team| team.plan),
        };
        let plan = match plan {
            Some(plan) => tx.find_plan(&plan).await?,
            None => None,
        };
        let charged = tx.usage(payer, month).await?;

        let ahead = self.find_meter(payer).map_or(0, |meter| meter.ahead(month));
        let used = (charged - ahead).max(0);
        let limit = plan.and_then(|plan| plan.calls_per_month);
        Ok(Usage { used, limit, left: limit.map(|limit| (limit - used).max(0)), resets_at: month.end() })
    }

    /// Returns what a payer has used month by month, the newest first.
    pub async fn months(&self, of: impl Into<Payer>) -> Result<Vec<MonthUsage>, QuotaError> {
        let (payer, now) = (of.into(), self.0.clock.now().month());
        let mut months = self.0.store.system_read().await?.usage_by_month(payer, MONTHS_MAX).await?;
        let ahead = self.find_meter(payer).map_or(0, |meter| meter.ahead(now));
        if let Some(this) = months.iter_mut().find(|month| month.month == now) {
            this.calls = (this.calls - ahead).max(0);
        }
        Ok(months)
    }

    /// Writes what was counted, gives back what lies idle or belongs to a past month, and looks at
    /// the plans again. To be called every second or so: this is how long calls without a limit may
    /// be missing from the usage shown, and are lost in a crash.
    pub async fn flush(&self) -> Result<(), QuotaError> {
        self.0.rates.forget_full(self.0.clock.now());
        self.0.limits.refresh(&self.0.store, self.0.clock.now()).await?;
        self.write(GiveBack::Idle).await
    }

    /// Writes what was counted and gives back everything, at the end of the process.
    pub async fn give_back(&self) -> Result<(), QuotaError> {
        self.write(GiveBack::Always).await
    }

    async fn write(&self, give_back: GiveBack) -> Result<(), QuotaError> {
        let meters: Vec<_> =
            self.0.meters.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let mut result = Ok(());
        for meter in meters {
            // One row that cannot be written must not keep the others from being.
            if let Err(error) = meter.write(&self.0.store, &self.0.clock, give_back).await {
                result = Err(error.into());
            }
        }
        // Whoever charges holds a second reference, and only `meter` hands those out.
        self.0
            .meters
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, meter| !meter.is_empty() || Arc::strong_count(meter) > 1);
        result
    }

    /// Renews in a task of its own: a caller who leaves in the middle must not take the units along.
    async fn renew(&self, meter: Arc<Meter>, limit: Option<i64>) -> Result<Charge, QuotaError> {
        let inner = Arc::clone(&self.0);
        apart::finish(async move { inner.charge(meter, limit).await }).await
    }

    /// Charges one call to both, the person first, in a task of its own: a caller who leaves in the middle is charged
    /// by both or by none.
    async fn join(&self, person: Metered, team: Metered) -> Result<Reservation, QuotaError> {
        let inner = Arc::clone(&self.0);
        apart::finish(async move {
            let person = inner.charge(person.0, person.1).await?;
            match inner.charge(team.0, team.1).await {
                Ok(team) => Ok(Reservation { person, team: Some(team) }),
                Err(refused) => {
                    person.refund();
                    Err(refused)
                }
            }
        })
        .await
    }

    fn meter(&self, payer: Payer) -> Arc<Meter> {
        self.find_meter(payer).unwrap_or_else(|| {
            let mut meters = self.0.meters.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(meters.entry(payer).or_insert_with(|| Arc::new(Meter::new(payer))))
        })
    }

    fn find_meter(&self, payer: Payer) -> Option<Arc<Meter>> {
        self.0.meters.read().unwrap_or_else(PoisonError::into_inner).get(&payer).cloned()
    }
}

impl Inner {
    async fn charge(&self, meter: Arc<Meter>, limit: Option<i64>) -> Result<Charge, QuotaError> {
        let lease = meter.renew(&self.store, &self.clock, limit).await?;
        Ok(Charge { meter, lease })
    }
}

/// Charges one call without waiting; `None` if the lease has to be renewed first.
fn spend((meter, limit): &Metered, now: Ms) -> Result<Option<Charge>, QuotaError> {
    if let Some(lease) = meter.spend(*limit, now) {
        return Ok(Some(Charge { meter: Arc::clone(meter), lease }));
    }
    match limit {
        Some(limit) if meter.was_refused(*limit, now) => Err(meter.exhausted(*limit, now.month())),
        Some(_) | None => Ok(None),
    }
}

#[cfg(test)]
mod tests;

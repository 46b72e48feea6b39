//! What plans allow, remembered.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use moka::sync::Cache;

use super::{QuotaError, QuotaSubject};
use crate::{
    changes::{Change, Changes},
    clock::Ms,
    model::{Plan, PlanName, Rate, TenantId},
    store::Store,
};

/// How many organisations' owners are remembered.
const OWNERS_MAX: u64 = 10_000;

/// What another process changed is noticed after this long.
const AGE_MAX: Duration = Duration::from_secs(10);

/// How many teams are read at once.
const TEAMS: i64 = 1000;

/// Remembers plans and owners until something about them changes.
pub(super) struct Limits {
    /// Counts the changes. What was read before the last of them is not believed.
    generation: AtomicU64,
    plans: ArcSwapOption<Plans>,
    owners: Cache<TenantId, Owner>,
}

struct Plans {
    generation: u64,
    read_at: Ms,
    of: HashMap<PlanName, PlanLimits>,
    /// The teams, each with its plan if it has one.
    teams: HashMap<TenantId, Option<PlanName>>,
    /// Whether any of them says how fast calls may come.
    some_rate: bool,
}

/// What a plan says of calls.
#[derive(Clone, Copy)]
pub(super) struct PlanLimits {
    /// In a month; `None` = unlimited.
    pub(super) calls: Option<i64>,
    /// How fast; `None` = as the settings say for all.
    pub(super) rate: Option<Rate>,
}

/// How many calls a month may have that one call is charged to.
#[derive(Clone, Copy)]
pub(super) struct MonthLimits {
    /// Of whoever calls; `None` = unlimited.
    pub(super) person: Option<i64>,
    /// Of the team whose preset is called; `None` = it is one person's own. Within, `None` = unlimited.
    pub(super) team: Option<Option<i64>>,
}

#[derive(Clone)]
struct Owner {
    generation: u64,
    read_at: Ms,
    subject: Arc<QuotaSubject>,
}

impl Limits {
    /// Begins with nothing remembered, and listens to what changes.
    pub(super) fn new(changes: &Changes) -> Arc<Self> {
        let limits = Arc::new(Self {
            generation: AtomicU64::new(0),
            plans: ArcSwapOption::empty(),
            owners: Cache::new(OWNERS_MAX),
        });
        let listener = Arc::downgrade(&limits);
        changes.listen(move |change| match change {
            Change::User(_) | Change::Plan(_) | Change::Everything => {
                if let Some(limits) = listener.upgrade() {
                    limits.generation.fetch_add(1, Ordering::AcqRel);
                }
            }
            Change::Source(..)
            | Change::SourceHealth(..)
            | Change::Connection(_)
            | Change::Preset(..)
            | Change::Key(_)
            | Change::Grant(_) => {}
        });
        limits
    }

    /// Says whether plans are known of which none says how fast calls may come.
    pub(super) fn are_without_rates(&self) -> bool {
        let plans = self.plans.load();
        let generation = self.generation.load(Ordering::Acquire);
        plans.as_ref().is_some_and(|plans| plans.generation == generation && !plans.some_rate)
    }

    /// Returns what a plan says of calls.
    pub(super) async fn plan(
        &self,
        store: &Store,
        plan: &PlanName,
        now: Ms,
    ) -> Result<PlanLimits, QuotaError> {
        if let Some(limits) = self.remembered(plan) {
            return Ok(limits);
        }
        // Boxed, as what is rarely needed would otherwise take its room in every call.
        Box::pin(self.read_plans(store, now)).await?;
        self.remembered(plan).ok_or_else(|| QuotaError::NoPlan { plan: plan.clone() })
    }

    /// Returns how many calls a month may have, of whoever calls and of the organisation whose preset is called.
    pub(super) async fn months(
        &self,
        store: &Store,
        plan: &PlanName,
        owner: TenantId,
        now: Ms,
    ) -> Result<MonthLimits, QuotaError> {
        if let Some(limits) = self.remembered_months(plan, owner) {
            return Ok(limits);
        }
        // Boxed, as what is rarely needed would otherwise take its room in every call.
        Box::pin(self.read_plans(store, now)).await?;
        self.remembered_months(plan, owner).ok_or_else(|| QuotaError::NoPlan { plan: plan.clone() })
    }

    /// Reads the plans again if they were read long ago. Done ahead of time, so that no call waits
    /// for it.
    pub(super) async fn refresh(&self, store: &Store, now: Ms) -> Result<(), QuotaError> {
        let due = self.plans.load().as_ref().is_some_and(|plans| now.since(plans.read_at) > AGE_MAX);
        if due { self.read_plans(store, now).await } else { Ok(()) }
    }

    /// Returns the person an organisation belongs to.
    pub(super) async fn owner(
        &self,
        store: &Store,
        tenant: TenantId,
        now: Ms,
    ) -> Result<Arc<QuotaSubject>, QuotaError> {
        let generation = self.generation.load(Ordering::Acquire);
        if let Some(owner) = self.owners.get(&tenant)
            && owner.generation == generation
            && now.since(owner.read_at) <= AGE_MAX
        {
            return Ok(owner.subject);
        }
        let subject = Arc::new(Box::pin(find_owner(store, tenant)).await?);
        self.owners.insert(tenant, Owner { generation, read_at: now, subject: Arc::clone(&subject) });
        Ok(subject)
    }

    /// Returns the same from memory; `None` if that is out of date, or does not know a plan.
    fn remembered_months(&self, plan: &PlanName, owner: TenantId) -> Option<MonthLimits> {
        let plans = self.plans.load();
        let plans = plans.as_ref()?;
        if plans.generation != self.generation.load(Ordering::Acquire) {
            return None;
        }
        let calls = |plan: &PlanName| Some(plans.of.get(plan)?.calls);
        let person = calls(plan)?;
        let team = match plans.teams.get(&owner) {
            None => None,
            Some(None) => Some(None),
            Some(Some(plan)) => Some(calls(plan)?),
        };
        Some(MonthLimits { person, team })
    }

    fn remembered(&self, plan: &PlanName) -> Option<PlanLimits> {
        let plans = self.plans.load();
        let plans = plans.as_ref()?;
        if plans.generation != self.generation.load(Ordering::Acquire) {
            return None;
        }
        plans.of.get(plan).copied()
    }

    async fn read_plans(&self, store: &Store, now: Ms) -> Result<(), QuotaError> {
        // Taken before the plans are read: a change in between makes what is read here out of date.
        let generation = self.generation.load(Ordering::Acquire);
        let mut tx = store.system_read().await?;
        let plans = tx.list_plans().await?;
        let mut teams = HashMap::new();
        let mut after = None;
        loop {
            let more = tx.list_team_plans(after, TEAMS).await?;
            let Some((last, _)) = more.last() else { break };
            after = Some(*last);
            teams.extend(more);
        }
        drop(tx);
        let some_rate = plans.iter().any(|plan| plan.rate.is_some());
        let limits = |plan: &Plan| PlanLimits { calls: plan.calls_per_month, rate: plan.rate };
        let of = plans.into_iter().map(|plan| (plan.name.clone(), limits(&plan))).collect();
        self.plans.store(Some(Arc::new(Plans { generation, read_at: now, of, teams, some_rate })));
        Ok(())
    }
}

async fn find_owner(store: &Store, tenant: TenantId) -> Result<QuotaSubject, QuotaError> {
    let mut tx = store.system_read().await?;
    let organisation = tx.find_organisation(tenant).await?;
    let owner = match organisation.and_then(|organisation| organisation.personal_of) {
        Some(user) => tx.find_user(user).await?,
        None => None,
    };
    owner
        .filter(|owner| owner.enabled)
        .map(|owner| QuotaSubject { user: owner.id, plan: owner.plan })
        .ok_or(QuotaError::NobodyToCharge { tenant })
}

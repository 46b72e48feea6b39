//! Forgetting: events, metrics and analyses older than a plan keeps them: that of the organisation, else that of whoever
//! manages it, and of several the one that keeps them longest.

use std::time::Duration;

use crate::{
    clock::Ms,
    model::{Plan, PlanName, TenantId},
    store::{Store, StoreError},
};

/// How many rows go in one transaction, so that calls never wait long for the database.
const CHUNK: i64 = 1000;
/// How many analyses do; each may be large.
const ANALYSES_CHUNK: i64 = 50;
/// How many organisations are looked at together.
const ORGANISATIONS: i64 = 500;
/// How long details by the minute are kept, whatever the plan says; the hours stay.
const MINUTE_DETAILS: Duration = Duration::from_secs(8 * 24 * 3600);

/// Removes what is past its retention, in small transactions; of events, where they `are_exported`, those that were.
pub async fn retain(store: &Store, now: Ms, are_exported: bool) -> Result<(), StoreError> {
    let plans = store.system_read().await?.list_plans().await?;
    let mut after = None;
    loop {
        let organisations = store.system_read().await?.list_keeping_plans(after, ORGANISATIONS).await?;
        let Some((last, _)) = organisations.last() else { break };
        after = Some(*last);
        forget(store, &plans, &organisations, now, are_exported).await?;
    }
    loop {
        let mut tx = store.system().await?;
        let removed = tx.prune_minute_details(now.minus(MINUTE_DETAILS), CHUNK).await?;
        tx.commit().await?;
        if removed == 0 {
            return Ok(());
        }
    }
}

async fn forget(
    store: &Store,
    plans: &[Plan],
    organisations: &[(TenantId, Vec<PlanName>)],
    now: Ms,
    are_exported: bool,
) -> Result<(), StoreError> {
    for (tenant, names) in organisations {
        let Some(days) = days(plans, names) else { continue };
        let before = now.minus(Duration::from_secs(u64::try_from(days).unwrap_or(0) * 24 * 3600));
        loop {
            let mut tx = store.system().await?;
            let exported = tx.find_export(*tenant, now).await?.map_or(0, |state| state.seq);
            let upto = if are_exported { exported } else { i64::MAX };
            let events = tx.prune_events(*tenant, before, upto, CHUNK).await?;
            let metrics = tx.prune_metrics(*tenant, before, CHUNK).await?;
            let analyses = tx.prune_analyses(*tenant, before, ANALYSES_CHUNK).await?;
            tx.commit().await?;
            if events + metrics + analyses == 0 {
                break;
            }
        }
    }
    Ok(())
}

/// Returns for how many days the most generous of these plans keeps what was recorded; `None` = for ever, also while
/// nobody has a plan to say.
fn days(plans: &[Plan], names: &[PlanName]) -> Option<i64> {
    let mut longest = None;
    for name in names {
        let plan = plans.iter().find(|plan| plan.name == *name)?;
        longest = longest.max(Some(plan.retention_days?));
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_plans_the_one_that_keeps_longest_counts() {
        let plan = |name: &str, retention_days| Plan {
            name: PlanName::parse(name).unwrap(),
            calls_per_month: None,
            analyses_per_month: None,
            concurrent_analyses: None,
            sources_max: None,
            presets_max: None,
            stored_analyses_max: None,
            retention_days,
            rate: None,
        };
        let plans = [plan("week", Some(7)), plan("month", Some(30)), plan("ever", None)];
        let kept = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| PlanName::parse(name).unwrap()).collect();
            days(&plans, &names)
        };

        assert_eq!(kept(&["week", "month"]), Some(30));
        assert_eq!(kept(&["week", "ever"]), None);
        assert_eq!(kept(&[]), None);
    }
}

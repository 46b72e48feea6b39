//! Forgetting: events, metrics and analyses older than their owner's plan keeps them.

use std::time::Duration;

use crate::{
    clock::Ms,
    model::{Plan, User},
    store::{Store, StoreError},
};

/// How many rows go in one transaction, so that calls never wait long for the database.
const CHUNK: i64 = 1000;
/// How many analyses do; each may be large.
const ANALYSES_CHUNK: i64 = 50;
/// How many people are looked at together.
const USERS: i64 = 500;
/// How long details by the minute are kept, whatever the plan says; the hours stay.
const MINUTE_DETAILS: Duration = Duration::from_secs(8 * 24 * 3600);

/// Removes what is past its retention, in small transactions.
pub async fn retain(store: &Store, now: Ms) -> Result<(), StoreError> {
    let plans = store.system_read().await?.list_plans().await?;
    let mut after = None;
    loop {
        let users = store.system_read().await?.list_users(after.as_ref(), USERS).await?;
        let Some(last) = users.last() else { break };
        after = Some(last.handle.clone());
        forget(store, &plans, &users, now).await?;
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

async fn forget(store: &Store, plans: &[Plan], users: &[User], now: Ms) -> Result<(), StoreError> {
    for user in users {
        let Some(days) =
            plans.iter().find(|plan| plan.name == user.plan).and_then(|plan| plan.retention_days)
        else {
            continue;
        };
        let before = now.minus(Duration::from_secs(u64::try_from(days).unwrap_or(0) * 24 * 3600));
        loop {
            let mut tx = store.system().await?;
            let events = tx.prune_events(user.tenant, before, CHUNK).await?;
            let metrics = tx.prune_metrics(user.tenant, before, CHUNK).await?;
            let analyses = tx.prune_analyses(user.tenant, before, ANALYSES_CHUNK).await?;
            tx.commit().await?;
            if events + metrics + analyses == 0 {
                break;
            }
        }
    }
    Ok(())
}

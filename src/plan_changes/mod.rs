//! Changes of plans that a payment provider posts, signed, so that a paid plan needs nobody to set it.
//!
//! Each change is done once, whatever is posted again, and holds from its time on; what was used of the month stays
//! used. A change that is older than one that holds changes nothing, so that posts may come in any order. Never takes
//! anything without a signature, and takes nothing at all while there is no secret.

mod error;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::{
    apart,
    audit::Audit,
    changes::{Change, Changes},
    clock::{Clock, Ms},
    model::{
        Action, Email, Handle, Organisation, PlanChange, PlanChangeState, PlanName, RunEvent, UserId, Whence,
    },
    secret::Secret,
    signed::{self, Post},
    store::{Store, StoreError, SystemTx},
};

pub use error::PlanChangeError;

/// The largest body of a change, in bytes.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// The longest id of a change, in characters.
const ID_MAX: usize = 200;
/// How many changes are remembered.
const CHANGES_MAX: i64 = 100_000;
/// How long a change is remembered after it was done, and answered alike when it is posted again.
const MEMORY: Duration = Duration::from_secs(90 * 24 * 3600);
/// How far ahead a change may be.
const AHEAD_MAX: Duration = Duration::from_secs(400 * 24 * 3600);
/// How many changes whose time has come are done in one round.
const BATCH: i64 = 100;
/// What the audit log calls whoever posts.
const PRINCIPAL: &str = "plan webhook";

/// The changes of everybody; cheap to clone.
#[derive(Clone)]
pub struct PlanChanges(Arc<Inner>);

struct Inner {
    store: Store,
    audit: Audit,
    changes: Changes,
    clock: Clock,
    secret: Option<Secret>,
}

/// What is posted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    id: String,
    subject: String,
    plan: PlanName,
    effective_at: Option<String>,
}

impl PlanChanges {
    /// Begins with what posts are signed with; `None` = none is taken.
    pub fn new(store: Store, audit: Audit, changes: Changes, clock: Clock, secret: Option<Secret>) -> Self {
        Self(Arc::new(Inner { store, audit, changes, clock, secret }))
    }

    /// Says whether posts are taken at all.
    pub fn are_on(&self) -> bool {
        self.0.secret.is_some()
    }

    /// Does what a post says, or remembers it until its time. The same post again is answered alike and changes
    /// nothing.
    pub async fn take(&self, post: &Post<'_>, whence: Whence) -> Result<PlanChange, PlanChangeError> {
        let Some(secret) = &self.0.secret else { return Err(PlanChangeError::Off) };
        if post.body.len() > BODY_BYTES_MAX {
            return Err(PlanChangeError::TooLarge);
        }
        let now = self.0.clock.now();
        signed::check(secret, post, now)?;
        let wanted: Wanted = serde_json::from_slice(post.body)
            .map_err(|error| PlanChangeError::Unreadable { why: error.to_string() })?;
        check_id(&wanted.id)?;
        let effective_at = effective_at(&wanted, now)?;
        let digest = Sha256::digest(post.body);

        let mut tx = self.0.store.system().await?;
        // Two posts of one id must not both be done, nor a plan be set that somebody is setting otherwise.
        tx.take_turn().await?;
        if let Some((before, of)) = tx.find_plan_change(&wanted.id).await? {
            return match of == digest.as_slice() {
                true => Ok(before),
                false => Err(PlanChangeError::OtherBody { id: wanted.id }),
            };
        }
        let found = find(&mut tx, &wanted.subject).await?;
        let subject = found.ok_or(PlanChangeError::NoSubject { subject: wanted.subject })?;
        if tx.find_plan(&wanted.plan).await?.is_none() {
            return Err(PlanChangeError::NoPlan { plan: wanted.plan });
        }
        if tx.count_plan_changes().await? >= CHANGES_MAX {
            return Err(PlanChangeError::TooMany { max: CHANGES_MAX });
        }
        let answered = if effective_at > now {
            PlanChangeState::Waiting
        } else if tx.newer_plan_change_holds(subject.id, effective_at).await? {
            PlanChangeState::Superseded
        } else {
            PlanChangeState::Applied
        };
        let Wanted { id, plan, .. } = wanted;
        let change =
            PlanChange { id, tenant: subject.id, handle: subject.handle, plan, effective_at, answered };
        tx.add_plan_change(&change, &digest, now).await?;
        let done = apply(&mut tx, &change).await?;
        self.commit(tx, &change, subject.personal_of, done, whence).await?;
        Ok(change)
    }

    /// Does what waited for its time; called by a background job.
    pub async fn apply_due(&self) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        let due = self.0.store.system_read().await?.list_due_plan_changes(now, BATCH).await?;
        for change in due {
            let mut tx = self.0.store.system().await?;
            tx.take_turn().await?;
            // Another process may have done it, and something newer may have been posted meanwhile.
            let answered = match tx.newer_plan_change_holds(change.tenant, change.effective_at).await? {
                true => PlanChangeState::Superseded,
                false => PlanChangeState::Applied,
            };
            if !tx.end_plan_change(&change.id, now).await? {
                continue;
            }
            let Some(subject) = tx.find_organisation(change.tenant).await? else { continue };
            let change = PlanChange { answered, ..change };
            let done = apply(&mut tx, &change).await?;
            self.commit(tx, &change, subject.personal_of, done, Whence::default()).await?;
        }
        Ok(())
    }

    /// Forgets what was done long ago; called by a background job.
    pub async fn forget_old(&self) -> Result<u64, StoreError> {
        let mut tx = self.0.store.system().await?;
        let forgotten = tx.forget_plan_changes(self.0.clock.now().minus(MEMORY)).await?;
        tx.commit().await?;
        Ok(forgotten)
    }

    /// Makes it hold, tells everybody and records it, also when whoever posts goes away meanwhile.
    async fn commit(
        &self,
        tx: SystemTx,
        change: &PlanChange,
        person: Option<UserId>,
        done: String,
        whence: Whence,
    ) -> Result<(), StoreError> {
        let (told, action) = match person {
            Some(user) => (Change::User(user), Action::UserChange),
            None => (Change::Plan(change.plan.clone()), Action::OrganisationChange),
        };
        let event = RunEvent {
            principal: PRINCIPAL.to_owned(),
            address: whence.address_text(),
            request_id: whence.request_text(),
            subject: format!("{done} ({})", change.id),
            ..RunEvent::new(change.tenant, self.0.clock.now(), action)
        };
        let (changes, audit) = (self.0.changes.clone(), self.0.audit.clone());
        apart::finish(async move {
            tx.commit().await?;
            changes.announce(told);
            audit.record(event);
            Ok(())
        })
        .await
    }
}

/// Sets the plan if that is what was answered, and says in words what was done.
async fn apply(tx: &mut SystemTx, change: &PlanChange) -> Result<String, StoreError> {
    let PlanChange { handle, plan, effective_at, .. } = change;
    Ok(match change.answered {
        PlanChangeState::Applied => {
            tx.set_plan(change.tenant, plan).await?;
            format!("give {handle} the plan {plan}")
        }
        PlanChangeState::Waiting => format!("give {handle} the plan {plan} from {effective_at} on"),
        PlanChangeState::Superseded => format!("leave {handle} its plan: {plan} is older"),
    })
}

/// Finds whose plan is meant: by the handle of a team or a person, or by a person's e-mail address.
async fn find(tx: &mut SystemTx, subject: &str) -> Result<Option<Organisation>, StoreError> {
    if let Ok(handle) = Handle::parse(subject) {
        return tx.find_organisation_by_handle(&handle).await;
    }
    if Email::parse(subject).is_err() {
        return Ok(None);
    }
    match tx.find_user_by_login(subject).await? {
        Some((user, _)) => tx.find_organisation(user.tenant).await,
        None => Ok(None),
    }
}

fn check_id(id: &str) -> Result<(), PlanChangeError> {
    let fits = !id.is_empty() && id.chars().count() <= ID_MAX && !id.chars().any(char::is_control);
    if fits {
        return Ok(());
    }
    let why = format!("`id` has 1 to {ID_MAX} characters and no control characters");
    Err(PlanChangeError::Unreadable { why })
}

fn effective_at(wanted: &Wanted, now: Ms) -> Result<Ms, PlanChangeError> {
    let Some(text) = &wanted.effective_at else { return Ok(now) };
    let unreadable = |why: &str| PlanChangeError::Unreadable { why: format!("`effective_at` {why}") };
    let at = Ms::parse(text).ok_or_else(|| unreadable("is a time in UTC, as in 2027-01-31T18:00:00Z"))?;
    if at > now.plus(AHEAD_MAX) {
        return Err(unreadable("is more than 400 days ahead"));
    }
    Ok(at)
}

//! What the audit log is told.

use std::{borrow::Cow, sync::PoisonError};

use super::{Identity, Origin, strangers::clipped};
use crate::{
    model::{Action, Member, Outcome, RunEvent, TenantId, User, Whence},
    policy::Actor,
    store::{StoreError, SystemTx},
};

/// How many events wait for the first organisation. A document makes its plans before its people.
const WAITING_MAX: usize = 100;

/// What happened, in the words of the audit log.
pub(super) struct Deed<'a> {
    pub(super) action: Action,
    pub(super) outcome: Outcome,
    /// Why it ended so; empty when it worked.
    pub(super) reason: Cow<'static, str>,
    /// The thing changed; empty if none.
    pub(super) subject: &'a str,
}

impl<'a> Deed<'a> {
    /// Describes a deed that worked.
    pub(super) fn done(action: Action, subject: &'a str) -> Self {
        Self { action, outcome: Outcome::Ok, reason: Cow::Borrowed(""), subject }
    }

    /// Describes a deed that was refused.
    pub(super) fn refused(action: Action, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { action, outcome: Outcome::Refused, reason: reason.into(), subject: "" }
    }
}

impl Identity {
    /// Records what somebody did who is known already.
    pub(super) fn record(&self, tenant: TenantId, actor: &Actor, deed: Deed<'_>) {
        let mut event = self.event(tenant, actor.whence, deed);
        event.user = actor.user;
        actor.principal().clone_into(&mut event.principal);
        event.key = actor.key;
        self.0.audit.record(event);
    }

    /// Records what somebody did to their own account.
    pub(super) fn record_of(&self, member: &Member, deed: Deed<'_>) {
        self.record(member.tenant, &Actor::of(member), deed);
    }

    /// Records what somebody did to the instance: in their own organisation, and what the operator
    /// did at the shell in that of the first administrator, who stands for the instance. What is
    /// done before there is one waits for the first.
    pub(super) fn record_of_the_instance(&self, home: Option<TenantId>, actor: &Actor, deed: Deed<'_>) {
        if let Some(tenant) = actor.tenant.or(home) {
            return self.record(tenant, actor, deed);
        }
        let mut event = self.event(TenantId(uuid::Uuid::nil()), actor.whence, deed);
        actor.principal().clone_into(&mut event.principal);
        let mut waiting = self.0.unrecorded.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING_MAX {
            waiting.push(event);
        }
    }

    /// Records what waited for the first administrator.
    pub(super) fn record_what_waited(&self, first: &User) {
        let waiting = std::mem::take(&mut *self.0.unrecorded.lock().unwrap_or_else(PoisonError::into_inner));
        for event in waiting {
            self.0.audit.record(RunEvent { tenant: first.tenant, ..event });
        }
    }

    /// Records a sign-in, or an attempt at one.
    pub(super) fn record_sign_in(&self, user: &User, origin: &Origin, deed: Deed<'_>) {
        self.record_for(user.tenant, user, origin, deed);
    }

    /// Records what somebody did who is not signed in yet, in that organisation.
    pub(super) fn record_for(&self, tenant: TenantId, user: &User, origin: &Origin, deed: Deed<'_>) {
        let mut event = self.event(tenant, origin.whence(), deed);
        event.user = Some(user.id);
        user.handle.as_str().clone_into(&mut event.principal);
        self.0.audit.record(event);
    }

    /// Records an attempt to sign in to an account that does not exist, for the administrators. What
    /// was typed may be a password, so only its beginning is kept; only so many are written down.
    pub(super) fn record_stranger(&self, home: Option<TenantId>, login: &str, origin: &Origin) {
        let Some(home) = home else { return };
        let Some(reason) = self.worth_recording("there is no such account") else { return };
        self.record_typed(home, login, origin, reason);
    }

    /// Records an attempt to sign in that was refused before the account was looked for: for whose
    /// account it is, or for the administrators if it is nobody's. Only so many are written down, so
    /// that the database is hardly asked.
    pub(super) async fn record_unchecked(&self, login: &str, origin: &Origin, reason: &str) {
        let Some(reason) = self.worth_recording(reason) else { return };
        let found = async {
            let mut tx = self.0.store.system_read().await?;
            Ok::<_, StoreError>((tx.find_user_by_login(login).await?, home(&mut tx).await?))
        };
        match found.await {
            Ok((Some((user, _)), _)) => {
                self.record_sign_in(&user, origin, Deed::refused(Action::SignIn, reason));
            }
            Ok((None, Some(home))) => self.record_typed(home, login, origin, reason),
            Ok((None, None)) => {}
            Err(error) => tracing::warn!(%error, "a refused sign-in could not be recorded"),
        }
    }

    fn record_typed(&self, home: TenantId, login: &str, origin: &Origin, reason: String) {
        self.record_by_nobody(home, &clipped(login), origin, reason);
    }

    /// Records an attempt to sign in by nobody who can be named.
    pub(super) fn record_by_nobody(&self, home: TenantId, subject: &str, origin: &Origin, reason: String) {
        let deed = Deed { subject, ..Deed::refused(Action::SignIn, reason) };
        let mut event = self.event(home, origin.whence(), deed);
        "anonymous".clone_into(&mut event.principal);
        self.0.audit.record(event);
    }

    /// Returns the reason as it is to be written down, with how many others were not; `None` if this
    /// one is not either.
    pub(super) fn worth_recording(&self, reason: &str) -> Option<String> {
        let now = self.0.clock.now();
        let left_out = self.0.strangers.lock().unwrap_or_else(PoisonError::into_inner).admit(now)?;
        Some(match left_out {
            0 => reason.to_owned(),
            left_out => format!("{reason}; {left_out} refused sign-ins before it were not written down"),
        })
    }

    fn event(&self, tenant: TenantId, whence: Whence, deed: Deed<'_>) -> RunEvent {
        RunEvent {
            outcome: deed.outcome,
            reason: deed.reason.into_owned(),
            subject: deed.subject.to_owned(),
            address: whence.address_text(),
            request_id: whence.request_text(),
            ..RunEvent::new(tenant, self.0.clock.now(), deed.action)
        }
    }
}

/// Returns the organisation in which is recorded what is of the instance; `None` before the owner
/// account is made.
pub(super) async fn home(tx: &mut SystemTx) -> Result<Option<TenantId>, StoreError> {
    Ok(tx.find_first_admin().await?.map(|admin| admin.tenant))
}

//! What the audit log is told.

use super::{Identity, Origin};
use crate::{
    model::{Action, EventId, Member, Outcome, RunEvent, TenantId, User},
    policy::Actor,
};

/// What happened, in the words of the audit log.
pub(super) struct Deed<'a> {
    pub(super) action: Action,
    pub(super) outcome: Outcome,
    /// Why it ended so; empty when it worked.
    pub(super) reason: &'static str,
    /// The thing changed; empty if none.
    pub(super) subject: &'a str,
}

impl<'a> Deed<'a> {
    /// Describes a deed that worked.
    pub(super) fn done(action: Action, subject: &'a str) -> Self {
        Self { action, outcome: Outcome::Ok, reason: "", subject }
    }

    /// Describes a deed that was refused.
    pub(super) fn refused(action: Action, reason: &'static str) -> Self {
        Self { action, outcome: Outcome::Refused, reason, subject: "" }
    }
}

impl Identity {
    /// Records what somebody did who is known already.
    pub(super) fn record(&self, tenant: TenantId, actor: &Actor, deed: Deed<'_>) {
        let mut event = self.event(tenant, deed);
        event.user = actor.user;
        actor.principal().clone_into(&mut event.principal);
        event.key = actor.key;
        self.0.audit.record(event);
    }

    /// Records what somebody did to their own account.
    pub(super) fn record_of(&self, member: &Member, deed: Deed<'_>) {
        self.record(member.tenant, &Actor::of(member), deed);
    }

    /// Records a sign-in, or an attempt at one.
    pub(super) fn record_sign_in(&self, user: &User, origin: &Origin, deed: Deed<'_>) {
        let mut event = self.event(user.tenant, deed);
        event.user = Some(user.id);
        user.handle.as_str().clone_into(&mut event.principal);
        event.address = origin.address.to_string();
        self.0.audit.record(event);
    }

    fn event(&self, tenant: TenantId, deed: Deed<'_>) -> RunEvent {
        RunEvent {
            id: EventId::new(),
            tenant,
            at: self.0.clock.now(),
            action: deed.action,
            outcome: deed.outcome,
            reason: deed.reason.to_owned(),
            user: None,
            principal: String::new(),
            key: None,
            address: String::new(),
            client: String::new(),
            revision: String::new(),
            preset: None,
            preset_slug: String::new(),
            source: None,
            source_name: String::new(),
            subject: deed.subject.to_owned(),
            duration_us: 0,
            request_bytes: 0,
            response_bytes: 0,
            argument_digest: String::new(),
            request_id: String::new(),
        }
    }
}

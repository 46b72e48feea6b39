//! Organisations of several people: making them, who belongs to them, and in which one somebody acts.
//!
//! Whoever acts in an organisation is a [`Member`] of it; a person belongs to several and acts in one at a time. What
//! an organisation owns is managed by the rooms of those things, which ask `policy` as for anybody.
//!
//! Never recognises anybody (`identity`), never reads what an organisation owns, and never leaves one without an
//! administrator. What is decided by who belongs to it is decided in the transaction that writes it, in the
//! organisation's turn. One more thing to manage of an organisation is a function here that ends in
//! [`Orgs::commit`], which is what audits it.

mod error;
mod instance;
mod invite;
mod members;

use std::sync::Arc;

use crate::{
    apart,
    audit::Audit,
    changes::{Change, Changes},
    clock::Clock,
    fault::Fault,
    mail::Mail,
    model::{
        Action, Handle, Member, Membership, OrgRole, Organisation, Outcome, RunEvent, TenantId, UserId, Via,
    },
    policy::{self, Actor, AuditPermit, Denied},
    store::{Store, StoreError, SystemTx},
    upstream::Upstreams,
};

pub use error::OrgError;
pub use instance::{Team, TeamChange};
pub use invite::{INVITES_MAX, NewOrgInvite, OrgOffer, Whom};

type Result<T, E = OrgError> = std::result::Result<T, E>;

/// How many organisations of those a person made may be there.
pub const ORGANISATIONS_MAX: i64 = 20;
/// How many people an organisation may have.
pub const MEMBERS_MAX: usize = 1000;

/// An organisation to be made.
#[derive(Clone, Debug)]
pub struct NewOrganisation {
    /// The owner's part of its presets' addresses; never changes.
    pub handle: Handle,
    /// What it is called in full; empty if the handle says it all.
    pub title: String,
}

/// The organisations of everybody; cheap to clone.
#[derive(Clone)]
pub struct Orgs(Arc<Inner>);

struct Inner {
    store: Store,
    audit: Audit,
    changes: Changes,
    mail: Mail,
    clock: Clock,
    upstreams: Upstreams,
}

impl Orgs {
    /// Begins with nothing remembered.
    pub fn new(
        store: Store,
        audit: Audit,
        changes: Changes,
        mail: Mail,
        clock: Clock,
        upstreams: Upstreams,
    ) -> Self {
        Self(Arc::new(Inner { store, audit, changes, mail, clock, upstreams }))
    }

    /// Returns the organisations the person may act in and those of theirs that are switched off, their own first.
    pub async fn memberships(&self, member: &Member) -> Result<Vec<Membership>> {
        policy::may_use_account(member)?;
        let mut memberships = self.0.store.system_read().await?.memberships(member.user).await?;
        if policy::may_act_elsewhere(member).is_err() {
            memberships.retain(|membership| membership.organisation.id == member.tenant);
        }
        Ok(memberships)
    }

    /// Returns the person acting in the organisation of this handle. `NotFound` also if they do not belong to it.
    pub async fn acting_in(&self, member: &Arc<Member>, handle: &Handle) -> Result<Arc<Member>> {
        if *handle == member.tenant_handle {
            return Ok(Arc::clone(member));
        }
        policy::may_act_elsewhere(member)?;
        let mut tx = self.0.store.system_read().await?;
        let found = tx.find_organisation_by_handle(handle).await?.ok_or(OrgError::NotFound)?;
        let acting = tx.find_member(member.user, found.id, member.via.clone()).await?;
        Ok(Arc::new(acting.ok_or(OrgError::NotFound)?.asking_from(member.whence)))
    }

    /// Returns somebody acting in the organisation of this handle as the operator at the shell: this member of it, or
    /// whoever administers it for longest. `None` if there is no such organisation, it is switched off, or nobody does.
    /// For the command line only.
    pub async fn at_the_shell(&self, handle: &Handle, who: Option<&Handle>) -> Result<Option<Arc<Member>>> {
        let mut tx = self.0.store.system_read().await?;
        let Some(found) = tx.find_organisation_by_handle(handle).await? else { return Ok(None) };
        let user = match who {
            Some(who) => tx.find_user_by_login(who.as_str()).await?.map(|(user, _)| user.id),
            None => tx.find_org_admin(found.id).await?,
        };
        let Some(user) = user else { return Ok(None) };
        Ok(tx.find_member(user, found.id, Via::Shell).await?.map(Arc::new))
    }

    /// Returns the organisation the person acts in.
    pub async fn find(&self, member: &Member) -> Result<Organisation> {
        let permit = policy::may_see(member, member.tenant)?;
        let found = self.0.store.system_read().await?.find_organisation(permit.tenant()).await?;
        found.ok_or(OrgError::NotFound)
    }

    /// Lets an auditor of the instance read the events of the organisation of this handle.
    pub async fn audit(&self, member: &Member, handle: &Handle) -> Result<AuditPermit> {
        policy::is_auditor(member)?;
        let mut tx = self.0.store.system_read().await?;
        let found = tx.find_organisation_by_handle(handle).await?.ok_or(OrgError::NotFound)?;
        Ok(policy::may_audit_any(member, found.id)?)
    }

    /// Makes an organisation, of which the person is the administrator.
    pub async fn create(&self, member: &Member, new: NewOrganisation) -> Result<Organisation> {
        let permit = policy::may_act_elsewhere(member)?;
        let made = self.new_organisation(new, Some(permit.user()))?;
        let mut tx = self.0.store.system().await?;
        tx.take_turn_of(permit.user()).await?;
        if tx.count_organisations_made(permit.user()).await? >= ORGANISATIONS_MAX {
            return Err(OrgError::TooManyMade { max: ORGANISATIONS_MAX });
        }
        self.add(tx, &made, permit.user(), permit.actor()).await?;
        Ok(made)
    }

    /// Calls the organisation acted in something else. Its handle stays.
    pub async fn rename(&self, member: &Member, title: &str) -> Result<Organisation> {
        let permit = policy::may_manage(member, member.tenant, OrgRole::Admin)?;
        let title = checked_title(title)?;
        let doing = async {
            let mut tx = self.0.store.system().await?;
            let found = team(&mut tx, permit.tenant()).await?;
            let renamed = Organisation { title, ..found };
            tx.update_organisation(&renamed).await?;
            let event = self.event(permit.tenant(), permit.actor(), "rename the organisation".to_owned());
            self.commit(tx, Vec::new(), event).await?;
            Ok(renamed)
        };
        self.refusals(permit.tenant(), permit.actor(), "rename the organisation", doing).await
    }

    /// Removes the organisation acted in with everything it owns. Its handle is nobody's from then on.
    pub async fn remove(&self, member: &Member) -> Result<()> {
        const REMOVE: &str = "remove the organisation";
        match policy::may_manage(member, member.tenant, OrgRole::Admin) {
            Ok(permit) => self.dissolve(permit.tenant(), permit.actor(), REMOVE).await,
            Err(denied) => {
                self.refusals(member.tenant, &Actor::of(member), REMOVE, async { Err(denied.into()) }).await
            }
        }
    }

    fn new_organisation(&self, new: NewOrganisation, by: Option<UserId>) -> Result<Organisation> {
        Ok(Organisation {
            id: TenantId::new(),
            handle: new.handle,
            title: checked_title(&new.title)?,
            personal_of: None,
            made_by: by,
            plan: None,
            enabled: true,
            created_at: self.0.clock.now(),
        })
    }

    async fn add(
        &self,
        mut tx: SystemTx,
        organisation: &Organisation,
        admin: UserId,
        actor: &Actor,
    ) -> Result<()> {
        tx.add_organisation(organisation, admin).await.map_err(|error| match error {
            StoreError::Conflict { .. } => OrgError::Taken { handle: organisation.handle.clone() },
            StoreError::Dangling(_) => OrgError::NotFound,
            other => other.into(),
        })?;
        let event = self.event(organisation.id, actor, "make the organisation".to_owned());
        self.commit(tx, vec![Change::User(admin)], event).await
    }

    async fn dissolve(&self, tenant: TenantId, actor: &Actor, done: &str) -> Result<()> {
        let mut tx = self.0.store.tenant(tenant).await?;
        let sources: Vec<_> = tx.list_sources().await?.into_iter().map(|source| source.id).collect();
        drop(tx);
        let mut tx = self.0.store.system().await?;
        tx.take_turn_in(tenant).await?;
        let found = team(&mut tx, tenant).await?;
        tx.send_browser_sessions_home(tenant, None).await?;
        tx.remove_organisation(tenant, self.0.clock.now()).await?;
        let mut events = vec![self.event(tenant, actor, done.to_owned())];
        // Nobody reads the log of what is gone, so whoever did it has it in the one of their own as well.
        if let Some(own) = actor.tenant.filter(|own| *own != tenant) {
            events.push(self.event(own, actor, format!("{done} {}", found.handle)));
        }
        let (changes, audit, upstreams) =
            (self.0.changes.clone(), self.0.audit.clone(), self.0.upstreams.clone());
        apart::finish(async move {
            tx.commit().await?;
            changes.announce(Change::Everything);
            for source in sources {
                upstreams.close(source);
            }
            events.into_iter().for_each(|event| audit.record(event));
            Ok(())
        })
        .await
    }

    /// Makes a transaction hold, tells everybody and records it, also when the caller goes away meanwhile.
    async fn commit(&self, tx: SystemTx, told: Vec<Change>, event: RunEvent) -> Result<()> {
        let (changes, audit) = (self.0.changes.clone(), self.0.audit.clone());
        apart::finish(async move {
            tx.commit().await?;
            told.into_iter().for_each(|change| changes.announce(change));
            audit.record(event);
            Ok(())
        })
        .await
    }

    /// Records in the organisation that something was refused there. A form filled in wrongly is nobody's business but
    /// the person's.
    async fn refusals<T>(
        &self,
        tenant: TenantId,
        actor: &Actor,
        done: &str,
        doing: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let result = doing.await;
        if let Err(error) = &result
            && error.fault() == Fault::Refused
        {
            let event = self.event(tenant, actor, done.to_owned());
            self.0.audit.record(RunEvent { outcome: Outcome::Refused, reason: error.to_string(), ..event });
        }
        result
    }

    fn event(&self, tenant: TenantId, actor: &Actor, done: String) -> RunEvent {
        RunEvent {
            user: actor.user,
            principal: actor.principal().to_owned(),
            key: actor.key,
            address: actor.whence.address_text(),
            request_id: actor.whence.request_text(),
            subject: done,
            ..RunEvent::new(tenant, self.0.clock.now(), Action::OrganisationChange)
        }
    }
}

/// Finds a team; one person's own organisation is managed by nobody.
async fn team(tx: &mut SystemTx, tenant: TenantId) -> Result<Organisation> {
    let found = tx.find_organisation(tenant).await?.ok_or(OrgError::NotFound)?;
    if found.is_personal() { Err(OrgError::Personal) } else { Ok(found) }
}

fn checked_title(title: &str) -> Result<String> {
    let title = title.trim();
    let reason = if title.chars().count() > Organisation::TITLE_MAX {
        format!("a name has at most {} characters", Organisation::TITLE_MAX)
    } else if title.chars().any(char::is_control) {
        "a name holds no control characters".to_owned()
    } else {
        return Ok(title.to_owned());
    };
    Err(OrgError::Invalid { part: "title", reason })
}

impl From<Denied> for OrgError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::OtherOrganisation => Self::NotFound,
            other => Self::Denied(other),
        }
    }
}

#[cfg(test)]
mod tests;

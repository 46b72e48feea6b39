//! Who belongs to an organisation, and as what.

use crate::{
    changes::Change,
    model::{Handle, Member, OrgMember, OrgRole, TenantId, UserId},
    orgs::{MEMBERS_MAX, OrgError, Orgs, Result, team},
    policy::{self, Actor},
    store::SystemTx,
};

impl Orgs {
    /// Returns who belongs to the organisation acted in, by handle.
    pub async fn members(&self, member: &Member) -> Result<Vec<OrgMember>> {
        let permit = policy::may_see(member, member.tenant)?;
        Ok(self.0.store.system_read().await?.list_members(permit.tenant()).await?)
    }

    /// Gives somebody of the organisation acted in another role. Holds on their next call.
    pub async fn set_role(&self, member: &Member, who: &Handle, role: OrgRole) -> Result<()> {
        let done = format!("give {who} the role {role}");
        let doing = async {
            let permit = policy::may_manage(member, member.tenant, OrgRole::Admin)?;
            let mut tx = self.0.store.system().await?;
            let members = self.turn(&mut tx, permit.tenant()).await?;
            let present = find(&members, who)?;
            if role < OrgRole::Admin {
                another_admin(&members, present.user)?;
            }
            tx.put_member(permit.tenant(), present.user, role, present.since).await?;
            let event = self.event(permit.tenant(), permit.actor(), done.clone());
            self.commit(tx, vec![Change::User(present.user)], event).await
        };
        self.refusals(member.tenant, &Actor::of(member), &done, doing).await
    }

    /// Takes somebody out of the organisation acted in. Their keys and grants there work no more, and their browsers
    /// act in their own organisation, from their next request on.
    pub async fn expel(&self, member: &Member, who: &Handle) -> Result<()> {
        let done = format!("remove {who}");
        let doing = async {
            let permit = policy::may_manage(member, member.tenant, OrgRole::Admin)?;
            self.take_out(permit.tenant(), permit.actor(), who, done.clone()).await
        };
        self.refusals(member.tenant, &Actor::of(member), &done, doing).await
    }

    /// Takes the person themselves out of the organisation acted in.
    pub async fn leave(&self, member: &Member) -> Result<()> {
        let doing = async {
            let permit = policy::may_use_account(member)?;
            self.take_out(permit.tenant(), permit.actor(), &member.handle, "leave".to_owned()).await
        };
        self.refusals(member.tenant, &Actor::of(member), "leave", doing).await
    }

    pub(super) async fn take_out(
        &self,
        tenant: TenantId,
        actor: &Actor,
        who: &Handle,
        done: String,
    ) -> Result<()> {
        let mut tx = self.0.store.system().await?;
        let members = self.turn(&mut tx, tenant).await?;
        let present = find(&members, who)?;
        another_admin(&members, present.user)?;
        let left = tx.remove_member(tenant, present.user).await?.unwrap_or_default();
        let mut told = vec![Change::User(present.user)];
        told.extend(left.into_iter().map(Change::Connection));
        let event = self.event(tenant, actor, done);
        self.commit(tx, told, event).await
    }

    /// Waits for the turn of a team, and returns who belongs to it from there on.
    pub(super) async fn turn(&self, tx: &mut SystemTx, tenant: TenantId) -> Result<Vec<OrgMember>> {
        tx.take_turn_in(tenant).await?;
        team(tx, tenant).await?;
        Ok(tx.list_members(tenant).await?)
    }
}

pub(super) fn find<'m>(members: &'m [OrgMember], who: &Handle) -> Result<&'m OrgMember> {
    let found = members.iter().find(|member| member.handle == *who);
    found.ok_or_else(|| OrgError::NoMember { handle: who.clone() })
}

/// Refuses what would leave nobody who manages the organisation, if this person did.
pub(super) fn another_admin(members: &[OrgMember], than: UserId) -> Result<()> {
    let manages = |member: &&OrgMember| member.role == OrgRole::Admin && member.enabled;
    let is_left = members.iter().filter(manages).any(|member| member.user != than);
    let was = members.iter().any(|member| member.user == than && member.role == OrgRole::Admin);
    if was && !is_left { Err(OrgError::LastAdmin) } else { Ok(()) }
}

pub(super) fn room_for_one(members: &[OrgMember]) -> Result<()> {
    match members.len() < MEMBERS_MAX {
        true => Ok(()),
        false => Err(OrgError::TooManyMembers { max: MEMBERS_MAX }),
    }
}

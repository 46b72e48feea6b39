//! Invitations to an organisation: for an account, which accepts on its own page, or a link as those to presets are.

use std::{sync::Arc, time::Duration};

use crate::{
    changes::Change,
    mail::Letter,
    model::{
        Email, Handle, InviteId, Invited, Invitee, Member, OrgInvite, OrgRole, Organisation, User, Via,
        check_invite_age, invitation_link,
    },
    orgs::{OrgError, Orgs, Result, members, team},
    policy::{self, Actor},
    secret::{Secret, digest},
    store::SystemTx,
};

/// How many invitations to one organisation may be open at once.
pub const INVITES_MAX: usize = 100;

/// Whom an invitation is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// An account.
    Account(Handle),
    /// Whoever has an account of this address, or makes one by the link.
    Address(Email),
    /// Whoever has the link, once.
    Link,
}

/// An invitation to be made.
#[derive(Clone, Debug)]
pub struct NewOrgInvite {
    /// Whom it is for.
    pub whom: Whom,
    /// What whoever accepts becomes.
    pub role: OrgRole,
    /// How long it is open.
    pub lasts: Duration,
}

/// What an invitation offers.
#[derive(Clone, Debug)]
pub struct OrgOffer {
    /// The invitation.
    pub invite: OrgInvite,
    /// The organisation.
    pub organisation: Organisation,
    /// Whom it is for, as far as accounts go.
    pub invitee: Invitee,
}

impl Orgs {
    /// Makes an invitation to the organisation acted in. Where e-mail is set up whoever it names is sent a letter, with
    /// a link below `base_url`, and it stands only if the mail server took that.
    pub async fn invite(
        &self,
        member: &Member,
        new: NewOrgInvite,
        base_url: &str,
    ) -> Result<Invited<OrgInvite>> {
        let whom = match &new.whom {
            Whom::Account(handle) => handle.to_string(),
            Whom::Address(email) => email.to_string(),
            Whom::Link => "whoever has the link".to_owned(),
        };
        let done = format!("invite {whom} as {}", new.role);
        let doing = self.make_invite(member, new, base_url, done.clone());
        self.refusals(member.tenant, &Actor::of(member), &done, doing).await
    }

    async fn make_invite(
        &self,
        member: &Member,
        new: NewOrgInvite,
        base_url: &str,
        done: String,
    ) -> Result<Invited<OrgInvite>> {
        let permit = policy::may_manage(member, member.tenant, OrgRole::Admin)?;
        check_invite_age(new.lasts)
            .map_err(|reason| OrgError::Invalid { part: "lasts", reason: reason.to_owned() })?;
        let now = self.0.clock.now();
        let token = Secret::random().map_err(OrgError::Random)?;
        let mut tx = self.0.store.system().await?;
        let members = self.turn(&mut tx, permit.tenant()).await?;
        members::room_for_one(&members)?;
        if tx.list_org_invites(permit.tenant(), now).await?.len() >= INVITES_MAX {
            let reason = format!("at most {INVITES_MAX} invitations may be open: withdraw some");
            return Err(OrgError::Invalid { part: "who", reason });
        }
        let account = match &new.whom {
            Whom::Account(handle) => Some(account(&mut tx, handle).await?),
            Whom::Address(_) | Whom::Link => None,
        };
        if let Some(account) = &account
            && members.iter().any(|member| member.user == account.id)
        {
            return Err(OrgError::IsMember { handle: account.handle.clone() });
        }
        let email = match new.whom {
            Whom::Address(email) => Some(email),
            Whom::Account(_) | Whom::Link => None,
        };
        let letter_to = account.as_ref().map(|account| account.email.clone()).or_else(|| email.clone());
        let letter_to = letter_to.filter(|_| self.0.mail.is_on());
        let invite = OrgInvite {
            id: InviteId::new(),
            tenant: permit.tenant(),
            sent: letter_to.is_some() && account.is_none(),
            user: account.map(|account| (account.id, account.handle)),
            email,
            role: new.role,
            by: member.user,
            by_handle: member.handle.clone(),
            claimed_by: None,
            created_at: now,
            expires_at: now.plus(new.lasts),
        };
        tx.add_org_invite(&invite, &digest(token.expose())).await?;
        let organisation = team(&mut tx, permit.tenant()).await?;
        let event = self.event(permit.tenant(), permit.actor(), done);
        self.commit(tx, Vec::new(), event).await?;
        let Some(to) = letter_to else {
            let token = invite.user.is_none().then_some(token);
            return Ok(Invited { invite, token });
        };
        let letter = letter(&to, &invite, &organisation, &invitation_link(base_url, &token));
        if let Err(error) = self.0.mail.send(member.user, letter, now).await {
            let mut tx = self.0.store.system().await?;
            tx.remove_org_invite(invite.tenant, invite.id).await?;
            tx.commit().await?;
            return Err(error.into());
        }
        Ok(Invited { invite, token: None })
    }

    /// Returns the invitations to the organisation acted in that are open.
    pub async fn invites(&self, member: &Member) -> Result<Vec<OrgInvite>> {
        let permit = policy::may_manage(member, member.tenant, OrgRole::Admin)?;
        let now = self.0.clock.now();
        Ok(self.0.store.system_read().await?.list_org_invites(permit.tenant(), now).await?)
    }

    /// Withdraws an invitation; `false` if it was accepted or withdrawn before.
    pub async fn withdraw(&self, member: &Member, invite: InviteId) -> Result<bool> {
        const WITHDRAW: &str = "withdraw an invitation";
        let doing = async {
            let permit = policy::may_manage(member, member.tenant, OrgRole::Admin)?;
            let mut tx = self.0.store.system().await?;
            if !tx.remove_org_invite(permit.tenant(), invite).await? {
                return Ok(false);
            }
            let event = self.event(permit.tenant(), permit.actor(), WITHDRAW.to_owned());
            self.commit(tx, Vec::new(), event).await?;
            Ok(true)
        };
        self.refusals(member.tenant, &Actor::of(member), WITHDRAW, doing).await
    }

    /// Returns what the link offers; `None` if there is no such invitation, it was accepted or withdrawn, it has ended,
    /// or whoever made it does not manage the organisation any more.
    pub async fn offer(&self, token: &Secret) -> Result<Option<OrgOffer>> {
        let now = self.0.clock.now();
        let mut tx = self.0.store.system_read().await?;
        let Some(invite) = tx.find_org_invite(&digest(token.expose()), now).await? else { return Ok(None) };
        standing(&mut tx, invite).await
    }

    /// Returns the invitations that name the person's account.
    pub async fn offered(&self, member: &Member) -> Result<Vec<OrgOffer>> {
        let permit = policy::may_act_elsewhere(member)?;
        let now = self.0.clock.now();
        let mut tx = self.0.store.system_read().await?;
        let mut offers = Vec::new();
        for invite in tx.list_org_invites_to(permit.user(), now).await? {
            offers.extend(standing(&mut tx, invite).await?);
        }
        Ok(offers)
    }

    /// Accepts the invitation of a link. Works once. Returns the person acting in the organisation.
    pub async fn accept(&self, member: &Member, token: &Secret) -> Result<Arc<Member>> {
        let offer = self.offer(token).await?.ok_or(OrgError::NoInvitation)?;
        self.join(member, offer).await
    }

    /// Accepts an invitation that names the person's account.
    pub async fn accept_offered(&self, member: &Member, invite: InviteId) -> Result<Arc<Member>> {
        let offers = self.offered(member).await?;
        let offer = offers.into_iter().find(|offer| offer.invite.id == invite);
        self.join(member, offer.ok_or(OrgError::NoInvitation)?).await
    }

    /// Turns down an invitation that names the person's account; `false` if there is none.
    pub async fn decline(&self, member: &Member, invite: InviteId) -> Result<bool> {
        let permit = policy::may_act_elsewhere(member)?;
        let offers = self.offered(member).await?;
        let Some(offer) = offers.into_iter().find(|offer| offer.invite.id == invite) else {
            return Ok(false);
        };
        let mut tx = self.0.store.system().await?;
        if !tx.remove_org_invite(offer.invite.tenant, invite).await? {
            return Ok(false);
        }
        let event = self.event(offer.invite.tenant, permit.actor(), "turn down an invitation".to_owned());
        self.commit(tx, Vec::new(), event).await?;
        Ok(true)
    }

    async fn join(&self, member: &Member, offer: OrgOffer) -> Result<Arc<Member>> {
        let permit = policy::may_act_elsewhere(member)?;
        let OrgOffer { invite, .. } = offer;
        let tenant = invite.tenant;
        let done = format!("join as {}", invite.role);
        let doing = async {
            let mut tx = self.0.store.system().await?;
            let members = self.turn(&mut tx, tenant).await?;
            let account = tx.find_user(permit.user()).await?.ok_or(OrgError::NotYours)?;
            if !invite.is_for(&account) {
                return Err(OrgError::NotYours);
            }
            if !tx.remove_org_invite(tenant, invite.id).await? {
                return Err(OrgError::NoInvitation);
            }
            // Who may more already keeps it.
            let present = members.iter().find(|member| member.user == account.id);
            match present {
                Some(present) if present.role >= invite.role => {}
                Some(present) => tx.put_member(tenant, account.id, invite.role, present.since).await?,
                None => {
                    members::room_for_one(&members)?;
                    tx.put_member(tenant, account.id, invite.role, self.0.clock.now()).await?;
                }
            }
            let acting = tx.find_member(account.id, tenant, member.via.clone()).await?;
            let acting = acting.ok_or(OrgError::NotFound)?.asking_from(member.whence);
            let event = self.event(tenant, permit.actor(), done.clone());
            self.commit(tx, vec![Change::User(account.id)], event).await?;
            Ok(Arc::new(acting))
        };
        self.refusals(tenant, permit.actor(), &done, doing).await
    }
}

async fn account(tx: &mut SystemTx, handle: &Handle) -> Result<User> {
    let found = tx.find_user_by_login(handle.as_str()).await?;
    found.map(|(user, _)| user).ok_or_else(|| OrgError::Nobody { handle: handle.clone() })
}

/// Returns what is offered, while whoever invited may.
async fn standing(tx: &mut SystemTx, invite: OrgInvite) -> Result<Option<OrgOffer>> {
    let Some(by) = tx.find_member(invite.by, invite.tenant, Via::Shell).await? else { return Ok(None) };
    if policy::may_manage(&by, invite.tenant, OrgRole::Admin).is_err() {
        return Ok(None);
    }
    let Some(organisation) = tx.find_organisation(invite.tenant).await? else { return Ok(None) };
    let proves_address = invite.sent || by.is_instance_admin();
    let invitee = Invitee { invite: invite.id, email: invite.email.clone(), proves_address };
    Ok(Some(OrgOffer { invite, organisation, invitee }))
}

fn letter(to: &Email, invite: &OrgInvite, organisation: &Organisation, link: &str) -> Letter {
    let (by, name, role, ends) = (&invite.by_handle, organisation.name(), invite.role, invite.expires_at);
    Letter {
        to: to.clone(),
        subject: format!("{by} invites you to “{name}”"),
        text: format!(
            "{by} invites you to the organisation “{name}” on Doorward, as {role}.\n\n\
             See what that means, and accept:\n{link}\n\n\
             The link is for you alone, works once, and ends at {ends}.\n\
             If you did not expect this, do nothing.\n",
        ),
    }
}

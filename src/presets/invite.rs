//! Invitations: a link, shown once or sent by e-mail, that puts whoever accepts on the access list.
//!
//! A link is a random text of which the hash is stored, so it cannot be shown again. It works once,
//! ends, can be withdrawn, and is worth no more than whoever made it: once they may not share the
//! preset any more, their invitations open nothing.

use std::time::Duration;

use crate::{
    mail::Letter,
    model::{
        Access, AccessEntry, AccessId, AccessLevel, Email, Grantee, Handle, Invite, InviteId, Invited,
        Invitee, Member, Preset, PresetId, Via, Visibility, check_invite_age, invitation_link,
    },
    policy,
    presets::{
        OpenPreset, PresetError, Presets, Result,
        share::{invite_only, put},
    },
    secret::{Secret, digest},
};

/// How many invitations to one preset may be open at once.
pub const INVITES_MAX: usize = 100;

/// An invitation to be made.
#[derive(Clone, Debug)]
pub struct NewInvite {
    /// Whose it is alone; `None` = whoever has the link, once.
    pub email: Option<Email>,
    /// What whoever accepts may do.
    pub level: AccessLevel,
    /// How long it is open.
    pub lasts: Duration,
}

/// What an invitation offers to whoever has its link.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The invitation.
    pub invite: Invite,
    /// The preset.
    pub preset: Preset,
    /// The owner's part of its address.
    pub owner: Handle,
    /// Whom it is for, as far as accounts go.
    pub invitee: Invitee,
}

impl Presets {
    /// Says whether an invitation for an address is sent there.
    pub fn sends_letters(&self) -> bool {
        self.0.mail.is_on()
    }

    /// Makes an invitation. If e-mail is set up and the invitation is for an address, it is sent
    /// there, with a link below `base_url`, and stands only if the mail server took it.
    pub async fn invite(
        &self,
        member: &Member,
        id: PresetId,
        new: NewInvite,
        base_url: &str,
    ) -> Result<Invited<Invite>> {
        let open = self.open(member, id, AccessLevel::Admin).await?;
        self.audited(member, "invite", &open, self.make_invite(member, &open, new, base_url)).await
    }

    async fn make_invite(
        &self,
        member: &Member,
        open: &OpenPreset,
        new: NewInvite,
        base_url: &str,
    ) -> Result<Invited<Invite>> {
        check_invite_age(new.lasts)
            .map_err(|reason| PresetError::Invalid { part: "lasts", reason: reason.to_owned() })?;
        let letter_to = new.email.clone().filter(|_| self.0.mail.is_on());
        let now = self.0.clock.now();
        let invite = Invite {
            id: InviteId::new(),
            tenant: open.preset.tenant,
            preset: open.preset.id,
            email: new.email,
            sent: letter_to.is_some(),
            claimed_by: None,
            level: new.level,
            by: member.user,
            by_handle: member.handle.clone(),
            created_at: now,
            expires_at: now.plus(new.lasts),
        };
        let token = Secret::random().map_err(PresetError::Random)?;
        let mut tx = self.0.store.tenant(invite.tenant).await?;
        tx.take_turn().await?;
        if tx.list_invites(invite.preset, now).await?.len() >= INVITES_MAX {
            let reason = format!("at most {INVITES_MAX} invitations may be open: withdraw some");
            return Err(PresetError::Invalid { part: "email", reason });
        }
        tx.add_invite(&invite, &digest(token.expose())).await?;
        let preset = invite_only(&mut tx, member, invite.preset, now).await?;
        self.commit(tx, &preset).await?;
        let Some(to) = letter_to else { return Ok(Invited { invite, token: Some(token) }) };
        let link = invitation_link(base_url, &token);
        if let Err(error) = self.0.mail.send(member.user, letter(&to, &invite, &preset, &link), now).await {
            let mut tx = self.0.store.tenant(invite.tenant).await?;
            tx.remove_invite(invite.preset, invite.id).await?;
            tx.commit().await?;
            return Err(error.into());
        }
        Ok(Invited { invite, token: None })
    }

    /// Returns the invitations to a preset that are open, for those who may share it on.
    pub async fn invites(&self, member: &Member, id: PresetId) -> Result<Vec<Invite>> {
        let open = self.open(member, id, AccessLevel::Admin).await?;
        let mut tx = self.0.store.read(open.permit.tenant()).await?;
        Ok(tx.list_invites(id, self.0.clock.now()).await?)
    }

    /// Withdraws an invitation; `false` if it was accepted or withdrawn before.
    pub async fn withdraw(&self, member: &Member, id: PresetId, invite: InviteId) -> Result<bool> {
        let open = self.open(member, id, AccessLevel::Admin).await?;
        let doing = async {
            let mut tx = self.0.store.tenant(open.permit.tenant()).await?;
            let removed = tx.remove_invite(id, invite).await?;
            tx.commit().await?;
            Ok(removed)
        };
        self.audited(member, "withdraw an invitation", &open, doing).await
    }

    /// Returns what the link offers; `None` if there is no such invitation, it was accepted or
    /// withdrawn, it has ended, the preset was made private again, or whoever made it may not share it
    /// any more.
    pub async fn offer(&self, token: &Secret) -> Result<Option<Offer>> {
        let now = self.0.clock.now();
        let mut tx = self.0.store.system_read().await?;
        let Some(invite) = tx.find_invite(&digest(token.expose()), now).await? else { return Ok(None) };
        let Some((preset, owner)) = tx.find_preset_anywhere(invite.preset).await? else { return Ok(None) };
        let Some(by) = tx.find_caller(invite.by, invite.tenant, Via::Shell).await? else { return Ok(None) };
        drop(tx);
        let entries = self.0.store.read(preset.tenant).await?.list_access(preset.id).await?;
        // An owner who shut the preset off after inviting has taken that back.
        if preset.visibility == Visibility::Private {
            return Ok(None);
        }
        if policy::may_open(&by, &preset, &Access::of(&entries), AccessLevel::Admin, now).is_err() {
            return Ok(None);
        }
        // Who was shown the link may come back with it in place of whose address it is for, unless they
        // make accounts for any address anyway.
        let proves_address = invite.sent || by.is_instance_admin();
        let invitee = Invitee { invite: invite.id, email: invite.email.clone(), proves_address };
        Ok(Some(Offer { invite, preset, owner, invitee }))
    }

    /// Accepts an invitation: from here on the member is on the access list. Works once.
    pub async fn accept(&self, member: &Member, token: &Secret) -> Result<OpenPreset> {
        policy::may_use_account(member)?;
        let Offer { invite, preset, .. } = self.offer(token).await?.ok_or(PresetError::NotFound)?;
        let account = self.0.store.system_read().await?.find_user(member.user).await?;
        if !account.is_some_and(|account| invite.is_for(&account)) {
            return Err(PresetError::NotYours);
        }
        let who = Grantee::User(member.user, member.handle.clone());
        let mut tx = self.0.store.tenant(preset.tenant).await?;
        tx.take_turn().await?;
        if !tx.remove_invite(preset.id, invite.id).await? {
            return Err(PresetError::NotFound);
        }
        let present = tx.list_access(preset.id).await?;
        // Who may more already keeps it.
        let kept = present.iter().filter(|old| old.who == who).map(|old| old.level).max();
        let level = kept.map_or(invite.level, |kept| kept.max(invite.level));
        let created_at = self.0.clock.now();
        put(&mut tx, &preset, AccessEntry { id: AccessId::new(), who, level, reaches: None, created_at })
            .await?;
        let preset = tx.find_preset(preset.id).await?.ok_or(PresetError::NotFound)?;
        self.commit(tx, &preset).await?;
        let open = self.open(member, preset.id, AccessLevel::Viewer).await?;
        self.audited(member, "accept an invitation", &open, async { Ok(()) }).await?;
        Ok(open)
    }

    /// Removes the invitations that have ended. To be called every hour or so.
    pub async fn remove_ended_invites(&self) -> Result<u64> {
        let mut tx = self.0.store.system().await?;
        let removed = tx.remove_ended_invites(self.0.clock.now()).await?;
        tx.commit().await?;
        Ok(removed)
    }
}

fn letter(to: &Email, invite: &Invite, preset: &Preset, link: &str) -> Letter {
    let ends = invite.expires_at;
    Letter {
        to: to.clone(),
        subject: format!("{} shares “{}” with you", invite.by_handle, preset.title),
        text: format!(
            "{by} invites you to use “{title}”: tools that your AI agent can call through Doorward.\n\n\
             See what it offers, and accept:\n{link}\n\n\
             The link is for {to} alone, works once, and ends at {ends}.\n\
             If you did not expect this, do nothing.\n",
            by = invite.by_handle,
            title = preset.title,
        ),
    }
}

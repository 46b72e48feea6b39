//! Handing a preset over: the owner offers it to somebody, who takes it over on sources of their own.
//!
//! Sources and credentials stay where they are, so what is handed over is made anew for the new owner, with who may
//! use it, and the old one is removed: its address has the old owner in it, so its clients lose it. An offer is worth
//! no more than whoever made it, and a kill in the middle leaves both presets and the offer, which is answered again.

use std::time::Duration;

use crate::{
    model::{
        Access, AccessEntry, AccessId, AccessLevel, Grantee, Handle, Member, Preset, PresetId, Transfer, Via,
    },
    policy,
    presets::{Forked, NewFork, PresetError, Presets, Result, edit::Run},
    sources::Subject,
    store::StoreError,
};

/// How long an offer to hand a preset over may be answered.
pub const TRANSFER_AGE: Duration = Duration::from_secs(14 * 24 * 3600);

/// A preset that is offered to somebody.
#[derive(Clone, Debug)]
pub struct OfferedPreset {
    /// The offer.
    pub transfer: Transfer,
    /// The preset.
    pub preset: Preset,
    /// The owner's part of its address.
    pub owner: Handle,
}

impl Presets {
    /// Offers a preset to somebody with an account, in place of the offer there was. Nothing changes until they take
    /// it over.
    pub async fn offer_transfer(&self, member: &Member, id: PresetId, to: &Handle) -> Result<Transfer> {
        let open = self.open(member, id, AccessLevel::Viewer).await?;
        let doing = async {
            open.permit.owner()?;
            let wrong = |reason: String| PresetError::Invalid { part: "to", reason };
            let found = self.0.store.system_read().await?.find_user_by_login(to.as_str()).await?;
            let found = found.map(|(user, _)| user).filter(|user| user.enabled && user.handle == *to);
            let user = found.ok_or_else(|| wrong(format!("there is no account `{to}`")))?;
            if user.id == member.user {
                return Err(wrong("this is your own account".to_owned()));
            }
            let now = self.0.clock.now();
            let transfer = Transfer {
                tenant: open.preset.tenant,
                preset: id,
                to: user.id,
                to_handle: user.handle,
                by: member.user,
                by_handle: member.handle.clone(),
                created_at: now,
                expires_at: now.plus(TRANSFER_AGE),
            };
            let mut tx = self.0.store.tenant(transfer.tenant).await?;
            tx.put_transfer(&transfer).await.map_err(|error| match error {
                StoreError::Dangling(_) => PresetError::NotFound,
                other => other.into(),
            })?;
            tx.commit().await?;
            Ok(transfer)
        };
        self.audited(member, "offer to hand over", &open, doing).await
    }

    /// Returns the offer to hand a preset over, for its owner; `None` if there is none that can be answered.
    pub async fn transfer(&self, member: &Member, id: PresetId) -> Result<Option<Transfer>> {
        let open = self.open(member, id, AccessLevel::Viewer).await?;
        open.permit.owner()?;
        let mut tx = self.0.store.read(open.permit.tenant()).await?;
        Ok(tx.find_transfer(id, self.0.clock.now()).await?)
    }

    /// Takes the offer to hand a preset over back, which its owner does, or turns it down, which whoever it is for
    /// does; `false` if there is none.
    pub async fn end_transfer(&self, member: &Member, id: PresetId) -> Result<bool> {
        if let Some(offered) = self.offered_to(member, id).await? {
            let (transfer, preset) = (&offered.transfer, &offered.preset);
            let doing = self.remove_transfer(transfer);
            return self.recorded(transfer.tenant, member, "turn down", preset.into(), doing).await;
        }
        let open = self.open(member, id, AccessLevel::Viewer).await?;
        let doing = async {
            open.permit.owner()?;
            let mut tx = self.0.store.tenant(open.permit.tenant()).await?;
            let removed = tx.remove_transfer(id, None).await?;
            tx.commit().await?;
            Ok(removed)
        };
        self.audited(member, "take back the offer to hand over", &open, doing).await
    }

    /// Returns the presets that are offered to this person, the newest offer first.
    pub async fn offered(&self, member: &Member) -> Result<Vec<OfferedPreset>> {
        policy::may_see(member, member.tenant)?;
        let now = self.0.clock.now();
        let transfers = self.0.store.system_read().await?.list_transfers_to(member.user, now).await?;
        let mut offered = Vec::with_capacity(transfers.len());
        for transfer in transfers {
            offered.extend(self.standing(transfer).await?);
        }
        Ok(offered)
    }

    /// Returns the preset if it is offered to this person.
    pub async fn offered_to(&self, member: &Member, id: PresetId) -> Result<Option<OfferedPreset>> {
        policy::may_see(member, member.tenant)?;
        let now = self.0.clock.now();
        let transfer = self.0.store.system_read().await?.find_transfer_to(member.user, id, now).await?;
        let Some(transfer) = transfer else { return Ok(None) };
        self.standing(transfer).await
    }

    /// Takes a preset over that is offered to this person: it is made on sources of theirs, used by those who may use
    /// it now, and the old one is removed.
    pub async fn take_over(&self, member: &Member, id: PresetId, new: NewFork) -> Result<Forked> {
        let offered = self.offered_to(member, id).await?.ok_or(PresetError::NotFound)?;
        let OfferedPreset { transfer, preset: original, .. } = &offered;
        let doing = async {
            let listed = self.0.store.read(original.tenant).await?.list_access(id).await?;
            let (new, left_out) = self.fork_of(member, original, new).await?;
            let is_theirs =
                |entry: &AccessEntry| matches!(entry.who, Grantee::User(user, _) if user == member.user);
            let access: Vec<AccessEntry> = listed
                .into_iter()
                .filter(|entry| !is_theirs(entry))
                .map(|entry| AccessEntry { id: AccessId::new(), ..entry })
                .collect();
            let taken = PresetId::new();
            let subject = Subject::Preset(taken, new.slug.to_string());
            let adding = self.add_new(member, taken, new, &access, Run::Real);
            let preset = self.recorded(member.tenant, member, "take over", subject, adding).await?;
            if self.hand_over(transfer, original).await? {
                return Ok(Forked { preset, left_out });
            }
            // The offer was taken back meanwhile.
            let mut tx = self.0.store.tenant(preset.tenant).await?;
            tx.remove_preset(preset.id).await?;
            self.commit(tx, &preset).await?;
            Err(PresetError::NotFound)
        };
        self.recorded(original.tenant, member, "take over", original.into(), doing).await
    }

    /// Removes a preset whose offer stands; `false` if it does not any more.
    async fn hand_over(&self, transfer: &Transfer, original: &Preset) -> Result<bool> {
        let mut tx = self.0.store.tenant(transfer.tenant).await?;
        if !tx.remove_transfer(transfer.preset, Some(transfer.to)).await? {
            return Ok(false);
        }
        tx.remove_preset(original.id).await?;
        self.commit(tx, original).await?;
        Ok(true)
    }

    async fn remove_transfer(&self, transfer: &Transfer) -> Result<bool> {
        let mut tx = self.0.store.tenant(transfer.tenant).await?;
        let removed = tx.remove_transfer(transfer.preset, Some(transfer.to)).await?;
        tx.commit().await?;
        Ok(removed)
    }

    /// Returns what is offered, while whoever offers it may.
    async fn standing(&self, transfer: Transfer) -> Result<Option<OfferedPreset>> {
        let mut tx = self.0.store.system_read().await?;
        let Some((preset, owner)) = tx.find_preset_anywhere(transfer.preset).await? else { return Ok(None) };
        let Some(by) = tx.find_member(transfer.by, transfer.tenant, Via::Shell).await? else {
            return Ok(None);
        };
        drop(tx);
        let now = self.0.clock.now();
        let permit = policy::may_open(&by, &preset, &Access::default(), AccessLevel::Viewer, now);
        let may = permit.is_ok_and(|permit| permit.owner().is_ok());
        Ok(may.then_some(OfferedPreset { transfer, preset, owner }))
    }

    /// Removes the offers that have ended. To be called every hour or so.
    pub async fn remove_ended_transfers(&self) -> Result<u64> {
        let mut tx = self.0.store.system().await?;
        let removed = tx.remove_ended_transfers(self.0.clock.now()).await?;
        tx.commit().await?;
        Ok(removed)
    }
}

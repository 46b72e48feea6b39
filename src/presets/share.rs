//! The access list of a preset: who is put on it, and taken off.

use std::collections::BTreeMap;

use crate::{
    clock::Ms,
    model::{
        AccessEntry, AccessId, AccessLevel, Email, Grantee, Handle, Member, OrgRole, Preset, PresetId,
        Visibility,
    },
    presets::{OpenPreset, PresetError, Presets, Result, versions},
    store::Tx,
};

/// How many entries an access list has at most.
pub const ACCESS_MAX: usize = 500;

/// Somebody to be put on an access list, as they are named by people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NewGrantee {
    /// A person, by handle.
    User(Handle),
    /// Whoever has the account of this address, now or later.
    Email(Email),
    /// Everybody who acts in an organisation with at least this role.
    Members(Handle, OrgRole),
}

impl NewGrantee {
    /// Returns whom these mean, as REST and documents name them; `None` unless exactly one of the first three is given.
    /// The role goes with the organisation, and is `viewer` if absent.
    pub fn one_of(
        user: Option<Handle>,
        email: Option<Email>,
        organisation: Option<Handle>,
        role: Option<OrgRole>,
    ) -> Option<Self> {
        match (user, email, organisation, role) {
            (Some(user), None, None, None) => Some(Self::User(user)),
            (None, Some(email), None, None) => Some(Self::Email(email)),
            (None, None, Some(handle), role) => Some(Self::Members(handle, role.unwrap_or(OrgRole::Viewer))),
            _ => None,
        }
    }
}

impl From<&Grantee> for NewGrantee {
    fn from(who: &Grantee) -> Self {
        match who {
            Grantee::User(_, handle) => Self::User(handle.clone()),
            Grantee::Email(email) => Self::Email(email.clone()),
            Grantee::Members(_, handle, role) => Self::Members(handle.clone(), *role),
        }
    }
}

impl Presets {
    /// Returns the access list of a preset, for those who may share it on.
    pub async fn access(&self, member: &Member, id: PresetId) -> Result<(OpenPreset, Vec<AccessEntry>)> {
        let open = self.open(member, id, AccessLevel::Admin).await?;
        let entries = self.0.store.read(open.preset.tenant).await?.list_access(id).await?;
        Ok((open, entries))
    }

    /// Puts somebody on the access list of a preset, or gives who is on it another level. A private
    /// preset is shared by invitation from then on.
    pub async fn share(
        &self,
        member: &Member,
        id: PresetId,
        who: NewGrantee,
        level: AccessLevel,
    ) -> Result<AccessEntry> {
        let open = self.open(member, id, AccessLevel::Admin).await?;
        let doing = async {
            let entry = self.entry(who, level).await?;
            let mut tx = self.0.store.tenant(open.preset.tenant).await?;
            tx.take_turn().await?;
            let entry = put(&mut tx, &open.preset, entry).await?;
            let preset = invite_only(&mut tx, member, id, self.0.clock.now()).await?;
            self.commit(tx, &preset).await?;
            Ok(entry)
        };
        self.audited(member, "share", &open, doing).await
    }

    /// Takes an entry off the access list of a preset; `false` if it is not on it. Holds on the next
    /// call.
    pub async fn unshare(&self, member: &Member, id: PresetId, entry: AccessId) -> Result<bool> {
        let open = self.open(member, id, AccessLevel::Admin).await?;
        let doing = async {
            let mut tx = self.0.store.tenant(open.preset.tenant).await?;
            let removed = tx.remove_access(id, entry).await?;
            if removed {
                self.commit(tx, &open.preset).await?;
            }
            Ok(removed)
        };
        self.audited(member, "stop sharing", &open, doing).await
    }

    /// Makes the access list of a preset this one, and leaves alone whoever is on both.
    pub async fn set_access(
        &self,
        member: &Member,
        id: PresetId,
        list: BTreeMap<NewGrantee, AccessLevel>,
    ) -> Result<()> {
        let open = self.open(member, id, AccessLevel::Admin).await?;
        let preset = &open.preset;
        let doing = async {
            let mut entries = Vec::with_capacity(list.len());
            for (who, level) in list {
                entries.push(self.entry(who, level).await?);
            }
            let mut tx = self.0.store.tenant(preset.tenant).await?;
            tx.take_turn().await?;
            for old in tx.list_access(preset.id).await? {
                if !entries.iter().any(|new| new.who == old.who) {
                    tx.remove_access(preset.id, old.id).await?;
                }
            }
            for entry in entries {
                put(&mut tx, preset, entry).await?;
            }
            self.commit(tx, preset).await
        };
        self.audited(member, "share", &open, doing).await
    }

    /// Says why a preset could not have this access list. Changes nothing.
    pub async fn check_access(&self, list: &BTreeMap<NewGrantee, AccessLevel>) -> Result<()> {
        if list.len() > ACCESS_MAX {
            return Err(too_long());
        }
        for (who, level) in list {
            self.entry(who.clone(), *level).await?;
        }
        Ok(())
    }

    /// Finds out whom a name means.
    async fn entry(&self, who: NewGrantee, level: AccessLevel) -> Result<AccessEntry> {
        let nobody = |part, handle: &Handle, what| PresetError::Invalid {
            part,
            reason: format!("there is no {what} `{handle}`"),
        };
        let who = match who {
            NewGrantee::Email(email) => Grantee::Email(email),
            NewGrantee::User(handle) => {
                let mut tx = self.0.store.system_read().await?;
                let found = tx.find_user_by_login(handle.as_str()).await?;
                let (user, _) = found.ok_or_else(|| nobody("user", &handle, "account"))?;
                Grantee::User(user.id, handle)
            }
            NewGrantee::Members(handle, role) => {
                let mut tx = self.0.store.system_read().await?;
                let found = tx.find_organisation_by_handle(&handle).await?;
                let found = found.ok_or_else(|| nobody("organisation", &handle, "organisation"))?;
                Grantee::Members(found.id, handle, role)
            }
        };
        let created_at = self.0.clock.now();
        Ok(AccessEntry { id: AccessId::new(), who, level, reaches: None, created_at })
    }
}

/// Puts an entry on the list. Whoever is on it already keeps the entry and gets the level.
pub(super) async fn put(tx: &mut Tx, preset: &Preset, mut entry: AccessEntry) -> Result<AccessEntry> {
    let present = tx.list_access(preset.id).await?;
    let is_same = |old: &&AccessEntry| match (&old.who, &entry.who) {
        (Grantee::Members(old, ..), Grantee::Members(new, ..)) => old == new,
        (old, new) => old == new,
    };
    if let Some(old) = present.iter().find(is_same) {
        if old.who == entry.who && old.level == entry.level {
            return Ok(old.clone());
        }
        (entry.id, entry.created_at) = (old.id, old.created_at);
        tx.remove_access(preset.id, old.id).await?;
    } else if present.len() >= ACCESS_MAX {
        return Err(too_long());
    }
    tx.add_access(preset.id, &entry).await?;
    // Whom an address reaches is for the database to say.
    let kept = tx.list_access(preset.id).await?.into_iter().find(|kept| kept.id == entry.id);
    kept.ok_or(PresetError::NotFound)
}

fn too_long() -> PresetError {
    let reason = format!("an access list has at most {ACCESS_MAX} entries");
    PresetError::Invalid { part: "access", reason }
}

/// Has a private preset listen to its access list from here on.
pub(super) async fn invite_only(tx: &mut Tx, member: &Member, id: PresetId, now: Ms) -> Result<Preset> {
    let mut preset = tx.find_preset(id).await?.ok_or(PresetError::NotFound)?;
    if preset.visibility == Visibility::Private {
        let (before, was) = (preset.clone(), versions::state(tx, &preset).await?);
        preset.visibility = Visibility::InviteOnly;
        preset.updated_at = now;
        tx.update_preset(&preset, preset.version).await?;
        preset.version += 1;
        versions::keep(tx, member, &preset, Some((&before, was)), None).await?;
    }
    Ok(preset)
}

//! What a person may do with a preset that may be somebody else's.

use crate::{
    model::{Access, AccessLevel, Handle, Member, Preset, PresetId},
    policy::{self, PresetPermit},
    presets::{PresetError, Presets, Result},
};

/// A preset as far as somebody may open it.
#[derive(Clone, Debug)]
pub struct OpenPreset {
    /// The preset.
    pub preset: Preset,
    /// The owner's part of its address.
    pub owner: Handle,
    /// What the person may do with it.
    pub permit: PresetPermit,
}

impl Presets {
    /// Returns a preset of the member's organisation, or one that is shared with the member so far;
    /// `NotFound` also if they may not know of it.
    pub async fn open(&self, member: &Member, id: PresetId, needs: AccessLevel) -> Result<OpenPreset> {
        let ours = policy::may_see(member, member.tenant)?.tenant();
        let found = self.0.store.read(ours).await?.find_preset(id).await?;
        let (preset, owner) = match found {
            Some(preset) => (preset, member.tenant_handle.clone()),
            None => {
                let mut tx = self.0.store.system_read().await?;
                tx.find_preset_anywhere(id).await?.ok_or(PresetError::NotFound)?
            }
        };
        let entries = self.0.store.read(preset.tenant).await?.list_access(id).await?;
        match policy::may_open(member, &preset, &Access::of(&entries), needs, self.0.clock.now()) {
            Ok(permit) => Ok(OpenPreset { preset, owner, permit }),
            // What belongs to others is not there.
            Err(policy::Denied::OtherOrganisation) => Err(PresetError::NotFound),
            Err(denied) => Err(denied.into()),
        }
    }

    /// Returns the presets of others whose access lists reach the member, by address.
    pub async fn shared_with(&self, member: &Member) -> Result<Vec<OpenPreset>> {
        policy::may_see(member, member.tenant)?;
        let listed = self.0.store.system_read().await?.presets_shared_with(member).await?;
        let mut shared = Vec::new();
        for (preset, owner) in listed {
            let entries = self.0.store.read(preset.tenant).await?.list_access(preset.id).await?;
            let access = Access::of(&entries);
            let now = self.0.clock.now();
            if let Ok(permit) = policy::may_open(member, &preset, &access, AccessLevel::Viewer, now) {
                shared.push(OpenPreset { preset, owner, permit });
            }
        }
        Ok(shared)
    }
}

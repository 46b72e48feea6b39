//! Presets and what they take.

use doorward::{
    model::{AccessLevel, Handle, Member, Plan, PresetId, PresetStatus, Selection, Visibility},
    presets::{NewGrantee, NewPreset, PresetError},
};
use serde_saphyr::Spanned;

use std::collections::BTreeMap;

use super::Run;
use crate::{
    apply::{
        Action, ApplyError, compare,
        document::{PresetItem, line, mistake},
    },
    take::Until,
};

impl Run<'_> {
    pub(super) async fn presets(&mut self) -> Result<(), ApplyError> {
        for item in &self.document.presets {
            let name = format!("{}/{}", item.value.owner, item.value.slug);
            let owner = self.owner(item, &item.value.owner).await?;
            let (action, detail) = self.preset(owner.as_deref(), item).await?;
            self.note(action, "preset", name, detail);
        }
        Ok(())
    }

    async fn preset(
        &mut self,
        owner: Option<&Member>,
        item: &Spanned<PresetItem>,
    ) -> Result<(Action, String), ApplyError> {
        let failed = |source| ApplyError::Preset { at: line(item), source };
        let declared = &item.value;
        let presets = self.rooms.presets.clone();
        if declared.anonymous == Some(true)
            && declared.visibility.is_some_and(|seen| seen != Visibility::Public)
        {
            return Err(mistake(item, "only a public preset may be used without a key".to_owned()).into());
        }
        let selections = self.selections(owner, declared).await?;
        let access = declared.access.as_ref().map(|_| access_list(declared));
        let present = match owner {
            Some(owner) => presets.find_by_slug(owner, &declared.slug).await.map_err(failed)?,
            None => None,
        };
        let (Some(owner), Some(present)) = (owner, present) else {
            let new = NewPreset {
                slug: declared.slug.clone(),
                title: declared.title.clone().unwrap_or_default(),
                description: declared.description.clone().unwrap_or_default(),
                visibility: declared.visibility.unwrap_or(
                    match access.as_ref().is_some_and(|list| !list.is_empty()) {
                        true => Visibility::InviteOnly,
                        false => Visibility::Private,
                    },
                ),
                anonymous: declared.anonymous.unwrap_or(false),
                expires_at: declared.expires_at.and_then(Until::end),
                rules: declared.rules.clone().unwrap_or_default(),
                selections: selections.unwrap_or_default(),
            };
            if self.dry_run {
                let plan = self.owning_plan(owner, &declared.owner).await;
                let plan = plan.map_err(|source| ApplyError::Source { at: line(item), source })?;
                self.check_room(owner, &declared.owner, plan).await.map_err(failed)?;
            }
            let made = self.new_preset(owner, declared, new).await.map_err(failed)?;
            match (owner, made, access) {
                (Some(owner), Some(id), Some(access)) => {
                    self.rooms.presets.set_access(owner, id, access).await.map_err(failed)?;
                }
                (_, None, Some(access)) => self.check_access(access).await.map_err(failed)?,
                (_, _, None) | (None, Some(_), _) => {}
            }
            return Ok((Action::Add, String::new()));
        };
        let chosen = presets.selections(owner, present.id).await.map_err(failed)?;
        let (change, mut parts) = compare::preset_change(declared, &present, selections, &chosen);
        let status = declared.status.filter(|status| *status != present.status);
        if !parts.is_empty() {
            let changed = if self.dry_run {
                presets.rehearse_update(owner, present.id, change, present.version).await
            } else {
                presets.update(owner, present.id, change, present.version).await
            };
            changed.map_err(failed)?;
        }
        if let Some(status) = status {
            if !self.dry_run {
                presets.set_status(owner, present.id, status).await.map_err(failed)?;
            }
            parts.push("status");
        }
        if let Some(access) = access
            && self.access(owner, present.id, access).await.map_err(failed)?
        {
            parts.push("access");
        }
        let action = if parts.is_empty() { Action::Same } else { Action::Change };
        Ok((action, parts.join(", ")))
    }

    /// Makes the access list of a preset this one; `false` if it is already.
    async fn access(
        &self,
        owner: &Member,
        id: PresetId,
        list: BTreeMap<NewGrantee, AccessLevel>,
    ) -> Result<bool, PresetError> {
        let presets = &self.rooms.presets;
        let (_, entries) = presets.access(owner, id).await?;
        let present: BTreeMap<NewGrantee, AccessLevel> =
            entries.iter().map(|entry| ((&entry.who).into(), entry.level)).collect();
        if list == present {
            return Ok(false);
        }
        if self.dry_run {
            self.check_access(list).await?;
        } else {
            presets.set_access(owner, id, list).await?;
        }
        Ok(true)
    }

    /// Says why nobody could be put on a list so, once everybody is there who is declared.
    async fn check_access(&self, mut list: BTreeMap<NewGrantee, AccessLevel>) -> Result<(), PresetError> {
        let declared = |handle: &Handle| self.document.users.iter().any(|user| user.value.handle == *handle);
        list.retain(|who, _| match who {
            NewGrantee::User(handle) | NewGrantee::Members(handle, _) => !declared(handle),
            NewGrantee::Email(_) => true,
        });
        self.rooms.presets.check_access(&list).await
    }

    /// Makes a preset, or says why it could not be made. `None` = it will be made.
    async fn new_preset(
        &mut self,
        owner: Option<&Member>,
        declared: &PresetItem,
        new: NewPreset,
    ) -> Result<Option<PresetId>, PresetError> {
        let presets = &self.rooms.presets;
        let Some(owner) = owner else {
            self.expected.preset(&declared.owner, &declared.slug);
            return new.check().map(|()| None);
        };
        if self.dry_run {
            self.expected.preset(&declared.owner, &declared.slug);
            return presets.rehearse_add(owner, new).await.map(|_| None);
        }
        let added = presets.add(owner, new).await?;
        if let Some(status) = declared.status.filter(|status| *status != PresetStatus::Active) {
            presets.set_status(owner, added.id, status).await?;
        }
        Ok(Some(added.id))
    }

    /// Says whether the plan that will bound what the owner has will have room for one more preset.
    async fn check_room(
        &self,
        owner: Option<&Member>,
        handle: &Handle,
        plan: Option<Plan>,
    ) -> Result<(), PresetError> {
        let Some((plan, limit)) = plan.and_then(|plan| Some((plan.name, plan.presets_max?))) else {
            return Ok(());
        };
        let there = match owner {
            Some(owner) => i64::try_from(self.rooms.presets.list(owner).await?.len()).unwrap_or(i64::MAX),
            None => 0,
        };
        let used = there.saturating_add(self.expected.presets_of(handle));
        if used < limit { Ok(()) } else { Err(PresetError::Limit { plan, limit, used }) }
    }

    /// Returns what a preset is declared to take; `None` if it says nothing of it.
    async fn selections(
        &self,
        owner: Option<&Member>,
        item: &PresetItem,
    ) -> Result<Option<Vec<Selection>>, ApplyError> {
        let Some(tools) = &item.tools else { return Ok(None) };
        let mut selections = Vec::new();
        for taken in tools {
            let name = &taken.value.source;
            let at = line(taken);
            let found = match owner {
                Some(owner) => self.rooms.sources.find_by_name(owner, name).await,
                None => Ok(None),
            };
            match found.map_err(|source| ApplyError::Source { at, source })? {
                Some(source) => selections.push(compare::selection(&taken.value, source.id)),
                // It will have been made by then.
                None if self.dry_run && self.expected.makes_source(&item.owner, name) => {}
                None => return Err(mistake(taken, format!("`{}` has no source `{name}`", item.owner)).into()),
            }
        }
        Ok(Some(selections))
    }
}

/// Returns the access list a preset is declared to have. The document has been checked.
fn access_list(item: &PresetItem) -> BTreeMap<NewGrantee, AccessLevel> {
    let entries = item.access.iter().flatten();
    entries.filter_map(|entry| Some((entry.value.who()?, entry.value.level))).collect()
}

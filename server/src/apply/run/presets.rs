//! Presets and what they take.

use doorward::{
    model::{Member, PresetStatus, Selection, Visibility},
    presets::{NewPreset, PresetError},
};
use serde_saphyr::Spanned;

use super::Run;
use crate::apply::{
    Action, ApplyError, compare,
    document::{PresetItem, line, mistake},
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
        if declared.anonymous == Some(true) && declared.visibility == Some(Visibility::Private) {
            return Err(mistake(item, "only a public preset may be used without a key".to_owned()).into());
        }
        let selections = self.selections(owner, declared).await?;
        let present = match owner {
            Some(owner) => presets.find_by_slug(owner, &declared.slug).await.map_err(failed)?,
            None => None,
        };
        let (Some(owner), Some(present)) = (owner, present) else {
            let new = NewPreset {
                slug: declared.slug.clone(),
                title: declared.title.clone().unwrap_or_default(),
                description: declared.description.clone().unwrap_or_default(),
                visibility: declared.visibility.unwrap_or(Visibility::Private),
                anonymous: declared.anonymous.unwrap_or(false),
                selections: selections.unwrap_or_default(),
            };
            self.new_preset(owner, declared, new).await.map_err(failed)?;
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
        let action = if parts.is_empty() { Action::Same } else { Action::Change };
        Ok((action, parts.join(", ")))
    }

    /// Makes a preset, or says why it could not be made.
    async fn new_preset(
        &mut self,
        owner: Option<&Member>,
        declared: &PresetItem,
        new: NewPreset,
    ) -> Result<(), PresetError> {
        let presets = &self.rooms.presets;
        let Some(owner) = owner else {
            self.expected.preset(&declared.owner, &declared.slug);
            return new.check();
        };
        if self.dry_run {
            self.expected.preset(&declared.owner, &declared.slug);
            return presets.rehearse_add(owner, new).await.map(drop);
        }
        let added = presets.add(owner, new).await?;
        if let Some(status) = declared.status.filter(|status| *status != PresetStatus::Active) {
            presets.set_status(owner, added.id, status).await?;
        }
        Ok(())
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

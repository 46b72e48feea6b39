//! Presets and what they take from sources.

use crate::{
    model::{Handle, Preset, PresetId, Selection, Slug, SourceId},
    store::{Result, Store, Tx},
};

impl Store {
    /// Finds the preset at an address, whatever its visibility and status. One round trip, no
    /// transaction.
    pub async fn find_preset_by_address(&self, owner: &Handle, slug: &Slug) -> Result<Option<Preset>> {
        let _ = (owner, slug);
        todo!()
    }
}

impl Tx {
    /// Returns the organisation's presets by slug, archived ones included.
    pub async fn list_presets(&mut self) -> Result<Vec<Preset>> {
        todo!()
    }

    /// Finds a preset.
    pub async fn find_preset(&mut self, id: PresetId) -> Result<Option<Preset>> {
        let _ = id;
        todo!()
    }

    /// Finds a preset by its slug.
    pub async fn find_preset_by_slug(&mut self, slug: &Slug) -> Result<Option<Preset>> {
        let _ = slug;
        todo!()
    }

    /// Adds a preset without selections. A taken slug is `Conflict { what: "presets.slug" }`.
    pub async fn add_preset(&mut self, preset: &Preset) -> Result<()> {
        let _ = preset;
        todo!()
    }

    /// Replaces everything an owner edits and sets the version to `expected_version + 1`. `false`
    /// if the preset is gone or has another version.
    pub async fn update_preset(&mut self, preset: &Preset, expected_version: i64) -> Result<bool> {
        let _ = (preset, expected_version);
        todo!()
    }

    /// Removes a preset and its selections. `false` if there is none.
    pub async fn remove_preset(&mut self, id: PresetId) -> Result<bool> {
        let _ = id;
        todo!()
    }

    /// Returns what a preset takes, in the order it was saved.
    pub async fn selections(&mut self, preset: PresetId) -> Result<Vec<Selection>> {
        let _ = preset;
        todo!()
    }

    /// Replaces what a preset takes. A source that is gone is `Dangling`.
    pub async fn set_selections(&mut self, preset: PresetId, selections: &[Selection]) -> Result<()> {
        let _ = (preset, selections);
        todo!()
    }

    /// Returns the presets that take something from a source, by slug.
    pub async fn presets_using_source(&mut self, source: SourceId) -> Result<Vec<Preset>> {
        let _ = source;
        todo!()
    }
}

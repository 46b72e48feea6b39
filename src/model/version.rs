//! What a preset was, edit by edit.

use serde::{Deserialize, Serialize};

use crate::{
    clock::Ms,
    model::{Preset, PresetStatus, Selection, Slug, SourceName, Visibility, words},
};

/// One saved change of a preset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresetVersion {
    /// The version the preset got by it.
    pub version: i64,
    /// When.
    pub saved_at: Ms,
    /// The handle of who saved it; empty if that is not known.
    pub saved_by: String,
    /// What changed, in a line.
    pub summary: String,
}

/// Everything that can be edited of a preset, as it was. Holds no credential, since a preset has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresetState {
    /// The last part of its address.
    pub slug: Slug,
    /// What people call it.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// Who may see it.
    pub visibility: Visibility,
    /// Whether a caller needs no key.
    pub anonymous: bool,
    /// Whether it answers.
    pub status: PresetStatus,
    /// From when on it answered nobody.
    pub expires_at: Option<Ms>,
    /// What it takes from which source.
    pub takes: Vec<PresetTake>,
}

/// What a preset took from a source, with what the source was called, which may be gone since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresetTake {
    /// What its owner called it.
    pub source: SourceName,
    /// What was taken.
    pub selection: Selection,
}

impl PresetState {
    /// Returns what a preset is that takes this.
    pub fn of(preset: &Preset, takes: Vec<PresetTake>) -> Self {
        Self {
            slug: preset.slug.clone(),
            title: preset.title.clone(),
            description: preset.description.clone(),
            visibility: preset.visibility,
            anonymous: preset.anonymous,
            status: preset.status,
            expires_at: preset.expires_at,
            takes,
        }
    }
}

/// One thing in which two versions of a preset differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionChange {
    /// What it is about.
    pub what: ChangeKind,
    /// The source; `None` for what is said of the preset as a whole.
    pub source: Option<SourceName>,
    /// The setting, tool, URI or prompt; empty for what is said of a source as a whole.
    pub name: String,
    /// What it was; empty if it was not there or nothing was said.
    pub before: String,
    /// What it is; empty if it is not there or nothing is said.
    pub after: String,
}

/// What a difference between two versions of a preset is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// A setting of the preset.
    Setting,
    /// The preset takes something from a source for the first time.
    SourceAdded,
    /// The preset takes nothing from a source any more.
    SourceRemoved,
    /// Whether tools of a source that are not named are taken.
    AllTools,
    /// A tool is taken.
    ToolAdded,
    /// A tool is not taken any more.
    ToolRemoved,
    /// Callers see a tool under another name.
    ToolRenamed,
    /// Callers see another description of a tool.
    ToolDescribed,
    /// Whether the arguments of a tool are checked.
    ArgumentsChecked,
    /// Which resources and resource templates are taken.
    Resources,
    /// Which prompts are taken.
    Prompts,
}
words!(ChangeKind {
    Setting = "setting",
    SourceAdded = "source_added",
    SourceRemoved = "source_removed",
    AllTools = "all_tools",
    ToolAdded = "tool_added",
    ToolRemoved = "tool_removed",
    ToolRenamed = "tool_renamed",
    ToolDescribed = "tool_described",
    ArgumentsChecked = "arguments_checked",
    Resources = "resources",
    Prompts = "prompts",
});

//! A choice of tools that could not be saved, kept for the page that says why.
//!
//! Hundreds of ticks and names are too much for a cookie, and nobody ticks them twice.

use std::time::Duration;

use doorward::{
    clock::Ms,
    model::{PresetId, UserId},
    presets::EditorSource,
};

use super::draft::{SourceField, Ticked, ToolField, given, take};
use crate::kept::Kept;

/// Everybody's choices: 8 MiB, for an hour each.
static TYPED: Kept<Typed> = Kept::new(8 * 1024 * 1024, Duration::from_secs(3600));

/// A choice as it was typed and not saved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Typed {
    /// What was said of the sources.
    pub sources: Vec<SourceField>,
    /// What was said of their tools.
    pub tools: Vec<ToolField>,
    /// The resources and templates ticked, each as `<place of its source> <uri>`.
    pub resources: Vec<String>,
    /// The prompts ticked, each as `<place of its source> <name>`.
    pub prompts: Vec<String>,
}

impl Typed {
    /// About how much room it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let tool = |tool: &ToolField| {
            size_of::<ToolField>() + tool.name.len() + tool.shown_as.len() + tool.description.len()
        };
        let ticked = self.resources.iter().chain(&self.prompts).map(|line| size_of::<String>() + line.len());
        self.sources.len() * size_of::<SourceField>()
            + self.tools.iter().map(tool).sum::<usize>()
            + ticked.sum::<usize>()
    }

    /// Returns what is ticked beside tools.
    pub(super) fn ticked(&self) -> Ticked<'_> {
        Ticked { resources: &self.resources, prompts: &self.prompts }
    }

    /// Shows in the editor what was typed in place of what is saved. What came to a source since then
    /// stays as it is.
    pub(super) fn show(&self, editor: &mut [EditorSource]) {
        for (place, field) in self.sources.iter().enumerate() {
            let Some(source) = editor.iter_mut().find(|source| source.source.id.to_string() == field.id)
            else {
                continue;
            };
            source.selected = field.take == "all" || field.take == "some";
            source.all = field.take == "all";
            source.takes_resources = take(&field.resources, place, &self.resources);
            source.takes_prompts = take(&field.prompts, place, &self.prompts);
            for resource in &mut source.resources {
                resource.taken = source.takes_resources.takes(&resource.shown.uri);
            }
            for prompt in &mut source.prompts {
                prompt.taken = source.takes_prompts.takes(&prompt.name);
            }
            for typed in self.tools.iter().filter(|tool| tool.source == place) {
                let Some(tool) = source.tools.iter_mut().find(|tool| tool.name == typed.name) else {
                    continue;
                };
                tool.enabled = typed.on == "on";
                tool.exposed_name = given(&typed.shown_as, &typed.name);
                tool.exposed_description = given(&typed.description, "");
                tool.check_arguments = typed.check == "on";
            }
        }
    }
}

/// The name of the choice for a preset; `None` = for one that is being made.
fn name(preset: Option<PresetId>) -> String {
    preset.map_or_else(|| "new".to_owned(), |id| id.to_string())
}

/// Keeps a choice until it is saved.
pub(super) fn keep(user: UserId, preset: Option<PresetId>, typed: Typed, now: Ms) {
    let bytes = typed.bytes();
    TYPED.put(user, &name(preset), typed, bytes, now);
}

/// Returns a person's choice; `None` if there is none.
pub(super) fn find(user: UserId, preset: Option<PresetId>, now: Ms) -> Option<Typed> {
    TYPED.find(user, &name(preset), now).map(|(_, typed)| typed)
}

/// Lets go of a choice that is saved.
pub(super) fn forget(user: UserId, preset: Option<PresetId>) {
    TYPED.forget(user, &name(preset));
}

//! What the pages, the API and `doorward apply` see of presets, and what they ask for.

use crate::{
    clock::Ms,
    model::{
        CallRules, Handle, Health, Preset, ResourceKind, Selection, Slug, SourceId, SourceKind, SourceName,
        Take, ToolState, Visibility,
    },
    presets::NameFlag,
    sources::ResourceView,
};

/// A preset in a list.
#[derive(Clone, Debug)]
pub struct PresetSummary {
    /// The preset.
    pub preset: Preset,
    /// The owner's part of its address.
    pub owner: Handle,
    /// How many tools it publishes.
    pub tools: usize,
    /// How many resources and resource templates it publishes.
    pub resources: usize,
    /// How many prompts it publishes.
    pub prompts: usize,
    /// How many of the tools and prompts it takes are held until their owner looks.
    pub held: usize,
    /// How many of the tools it takes are not published because another has their name.
    pub collisions: usize,
    /// The sources it takes tools from, by name.
    pub sources: Vec<SourceBrief>,
}

impl PresetSummary {
    /// Returns its address below the program's own, as in `/mcp/ada/release-notes`.
    pub fn path(&self) -> String {
        format!("/mcp/{}/{}", self.owner, self.preset.slug)
    }
}

/// A source as far as a preset shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceBrief {
    /// The source.
    pub id: SourceId,
    /// What its owner calls it.
    pub name: SourceName,
    /// What it is.
    pub kind: SourceKind,
    /// Whether it may be used.
    pub enabled: bool,
    /// Whether it can be used.
    pub health: Health,
}

/// A preset to be added.
#[derive(Clone, Debug)]
pub struct NewPreset {
    /// The last part of its address.
    pub slug: Slug,
    /// What people call it; the slug if empty.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// Who may see it.
    pub visibility: Visibility,
    /// Whether a caller needs no key. Only on public presets.
    pub anonymous: bool,
    /// From when on it answers nobody; `None` = it does not end.
    pub expires_at: Option<Ms>,
    /// How fast calls may come, and which are made once.
    pub rules: CallRules,
    /// What it takes from which source.
    pub selections: Vec<Selection>,
}

/// An edit of a preset; `None` leaves a part as it is.
#[derive(Clone, Debug, Default)]
pub struct PresetChange {
    /// The last part of its address. Clients that have the old address lose it.
    pub slug: Option<Slug>,
    /// What people call it.
    pub title: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Who may see it. Making it private ends `anonymous`.
    pub visibility: Option<Visibility>,
    /// Whether a caller needs no key. Only on public presets.
    pub anonymous: Option<bool>,
    /// From when on it answers nobody; `Some(None)` = it does not end.
    pub expires_at: Option<Option<Ms>>,
    /// How fast calls may come, and which are made once.
    pub rules: Option<CallRules>,
    /// What it takes from which source, as a whole.
    pub selections: Option<Vec<Selection>>,
}

/// Everything the editor of a preset shows.
#[derive(Clone, Debug)]
pub struct PresetEditor {
    /// The preset; `None` while it is being made.
    pub preset: Option<Preset>,
    /// The owner's part of its address.
    pub owner: Handle,
    /// Every source of the owner with its tools, by name; the ones not taken too.
    pub sources: Vec<EditorSource>,
    /// Names that two tools want. Saving is refused while there are any.
    pub collisions: Vec<Collision>,
}

/// A source in the editor of a preset.
#[derive(Clone, Debug)]
pub struct EditorSource {
    /// The source.
    pub source: SourceBrief,
    /// Whether the preset takes anything from it.
    pub selected: bool,
    /// Whether every accepted tool is taken unless switched off.
    pub all: bool,
    /// Its tools by name, with those the source does not list any more if the preset names them.
    pub tools: Vec<EditorTool>,
    /// Which resources and resource templates the preset takes.
    pub takes_resources: Take,
    /// Its resources and templates by kind and URI, with those the source does not list any more if
    /// the preset names them.
    pub resources: Vec<EditorResource>,
    /// Which prompts the preset takes.
    pub takes_prompts: Take,
    /// Its prompts by name, with those the source does not list any more if the preset names them.
    pub prompts: Vec<EditorPrompt>,
}

/// A resource or resource template in the editor of a preset.
#[derive(Clone, Debug)]
pub struct EditorResource {
    /// Its URI or template, as the source writes it, and what the source says of it.
    pub shown: ResourceView,
    /// What it is; `None` if the source does not list it any more.
    pub kind: Option<ResourceKind>,
    /// Whether the preset takes it.
    pub taken: bool,
}

/// A prompt in the editor of a preset.
#[derive(Clone, Debug)]
pub struct EditorPrompt {
    /// The name the source knows it by.
    pub name: String,
    /// Its title; empty if it has none.
    pub title: String,
    /// The source's description; empty if it has none.
    pub description: String,
    /// Whether it may be used.
    pub state: ToolState,
    /// Whether the preset takes it.
    pub taken: bool,
}

/// A tool in the editor of a preset.
#[derive(Clone, Debug)]
pub struct EditorTool {
    /// The name the source knows it by.
    pub name: String,
    /// Its title; empty if it has none.
    pub title: String,
    /// The source's description; empty if it has none.
    pub description: String,
    /// Whether it may be used.
    pub state: ToolState,
    /// Whether the preset takes it.
    pub enabled: bool,
    /// Whether callers see it: taken, accepted, and its name free.
    pub published: bool,
    /// The name callers see instead of the source's.
    pub exposed_name: Option<String>,
    /// The description callers see instead of the source's.
    pub exposed_description: Option<String>,
    /// Whether arguments are checked against the input schema before the source is asked.
    pub check_arguments: bool,
    /// What some clients would not like about its name.
    pub flags: Vec<NameFlag>,
}

/// What a preset with these selections would publish.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    /// The tools, by exposed name.
    pub tools: Vec<Exposed>,
    /// Names that two tools want.
    pub collisions: Vec<Collision>,
}

/// A tool as callers would see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// The name callers see.
    pub name: String,
    /// The description callers see; empty if there is none.
    pub description: String,
    /// The source.
    pub source: SourceId,
    /// What its owner calls it.
    pub source_name: SourceName,
    /// The name the source knows it by.
    pub tool: String,
    /// Whether it may be used; only accepted ones are published.
    pub state: ToolState,
    /// What some clients would not like about its name.
    pub flags: Vec<NameFlag>,
}

/// Two tools that want one name, compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collision {
    /// The name as the first of them has it.
    pub name: String,
    /// The source and tool that keep it if nothing is done.
    pub first: (SourceName, String),
    /// The source and tool that would not be published.
    pub second: (SourceName, String),
    /// A free name for the second.
    pub suggestion: String,
}

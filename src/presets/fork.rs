//! Forks: a preset of one's own that takes what another publishes, from one's own sources.
//!
//! A fork is told what any caller of the preset is told: names, descriptions, and which of them are of one source.
//! Nothing of the source itself goes along, no address and no credential: whoever forks says which of their own
//! sources stands in for it.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::{
    model::{
        AccessLevel, CallRules, Handle, Member, Preset, PresetId, PresetTool, Selection, Slug, SourceId,
        SourceTool, Take, ToolState, Visibility,
    },
    policy,
    presets::{
        NewPreset, PresetError, Presets, Result, SourceBrief,
        compose::{Composition, Stock, compose},
        edit::Run,
        show::{all_stocks, brief},
        stock, stocks,
    },
    sources::Subject,
};

/// A preset as whoever may fork it or take it over sees it.
#[derive(Clone, Debug)]
pub struct Forkable {
    /// The preset.
    pub preset: Preset,
    /// The owner's part of its address.
    pub owner: Handle,
    /// What it publishes, source by source.
    pub parts: Vec<ForkPart>,
}

/// What a preset publishes from one source.
#[derive(Clone, Debug)]
pub struct ForkPart {
    /// Names the part; nothing is to be had by it.
    pub of: SourceId,
    /// The names callers see of its tools.
    pub tools: Vec<String>,
    /// The names callers see of its prompts.
    pub prompts: Vec<String>,
    /// How many resources and resource templates there are.
    pub resources: usize,
    /// Which of the own sources can stand in for it, the best first.
    pub choices: Vec<ForkChoice>,
}

/// One of the own sources that has something of what a part publishes.
#[derive(Clone, Debug)]
pub struct ForkChoice {
    /// The source.
    pub source: SourceBrief,
    /// The names callers see of the tools and prompts it has not.
    pub lacks: Vec<String>,
}

/// A fork to be made.
#[derive(Clone, Debug)]
pub struct NewFork {
    /// The last part of its address.
    pub slug: Slug,
    /// What people call it; what the original is called if empty.
    pub title: String,
    /// The own source that stands in for each part; a part that is not named is left out.
    pub sources: BTreeMap<SourceId, SourceId>,
}

/// A fork that was made.
#[derive(Clone, Debug)]
pub struct Forked {
    /// The new preset.
    pub preset: Preset,
    /// The names of the tools and prompts that it does not have.
    pub left_out: Vec<String>,
}

impl Presets {
    /// Returns what somebody would fork who may use the preset, or take over to whom it is offered; `NotFound` for
    /// everybody else.
    pub async fn forkable(&self, member: &Member, id: PresetId) -> Result<Forkable> {
        let (preset, owner) = self.forkable_preset(member, id).await?;
        let parts = self.parts(&preset).await?;
        let ours = all_stocks(&mut self.read(member).await?).await?;
        let parts = parts.iter().map(|part| part.shown(&ours)).collect();
        Ok(Forkable { preset, owner, parts })
    }

    /// Makes a preset of one's own of what another publishes. It is private, whoever may use the original.
    pub async fn fork(&self, member: &Member, id: PresetId, new: NewFork) -> Result<Forked> {
        let (original, _) = self.forkable_preset(member, id).await?;
        let fork = PresetId::new();
        let subject = Subject::Preset(fork, new.slug.to_string());
        let doing = async {
            let (new, left_out) = self.fork_of(member, &original, new).await?;
            let new = NewPreset {
                visibility: Visibility::Private,
                anonymous: false,
                expires_at: None,
                rules: CallRules::default(),
                ..new
            };
            let preset = self.add_new(member, fork, new, &[], Run::Real).await?;
            Ok(Forked { preset, left_out })
        };
        self.recorded(member.tenant, member, "fork", subject, doing).await
    }

    /// Returns a preset that this person may fork or take over, with its owner.
    async fn forkable_preset(&self, member: &Member, id: PresetId) -> Result<(Preset, Handle)> {
        match self.open(member, id, AccessLevel::Viewer).await {
            Ok(open) => Ok((open.preset, open.owner)),
            Err(PresetError::NotFound) => {
                let offer = self.offered_to(member, id).await?.ok_or(PresetError::NotFound)?;
                Ok((offer.preset, offer.owner))
            }
            Err(error) => Err(error),
        }
    }

    /// Returns what a fork takes, with who may use it as with the original, and what it does not have of it.
    pub(super) async fn fork_of(
        &self,
        member: &Member,
        original: &Preset,
        new: NewFork,
    ) -> Result<(NewPreset, Vec<String>)> {
        let parts = self.parts(original).await?;
        if let Some(unknown) = new.sources.keys().find(|of| parts.iter().all(|part| part.source != **of)) {
            let reason = format!("the preset has no part `{unknown}`");
            return Err(PresetError::Invalid { part: "sources", reason });
        }
        let mut chosen = HashSet::new();
        if !new.sources.values().all(|own| chosen.insert(own)) {
            let reason = "each of your data sources can stand in for one part only".to_owned();
            return Err(PresetError::Invalid { part: "sources", reason });
        }
        let permit = policy::may_see(member, member.tenant)?;
        let mut tx = self.0.store.read(permit.tenant()).await?;
        let (mut selections, mut left_out) = (Vec::new(), Vec::new());
        for part in parts {
            let Some(own) = new.sources.get(&part.source) else {
                left_out.extend(part.names());
                continue;
            };
            let Some(source) = tx.find_source(*own).await? else {
                let reason = format!("you have no data source `{own}`");
                return Err(PresetError::Invalid { part: "sources", reason });
            };
            let own = stock(&mut tx, source).await?;
            left_out.extend(part.lacking(&own));
            selections.push(part.on(&own));
        }
        let title = Some(new.title).filter(|title| !title.trim().is_empty());
        let new = NewPreset {
            slug: new.slug,
            title: title.unwrap_or_else(|| original.title.clone()),
            description: original.description.clone(),
            visibility: original.visibility,
            anonymous: original.anonymous,
            expires_at: original.expires_at,
            rules: original.rules.clone(),
            selections,
        };
        Ok((new, left_out))
    }

    /// Returns what a preset publishes, source by source.
    async fn parts(&self, preset: &Preset) -> Result<Vec<Part>> {
        let mut tx = self.0.store.read(preset.tenant).await?;
        let selections = tx.selections(preset.id).await?;
        let stocks = stocks(&mut tx, &selections).await?;
        drop(tx);
        Ok(parts(&selections, &stocks))
    }
}

/// What a preset takes from one source, and publishes.
#[derive(Debug)]
struct Part {
    source: SourceId,
    selection: Selection,
    /// By the name callers see: the name of the source, and what the preset says of it.
    tools: BTreeMap<String, PresetTool>,
    /// By the name callers see: the name of the source.
    prompts: BTreeMap<String, String>,
    resources: usize,
}

fn parts(selections: &[Selection], stocks: &[Stock]) -> Vec<Part> {
    let Composition { published, prompts, .. } = compose(selections, stocks);
    let mut parts: HashMap<SourceId, Part> = HashMap::new();
    for selection in selections {
        let Some(stock) = stocks.iter().find(|stock| stock.source.id == selection.source) else { continue };
        let is_taken = |uri: &str| selection.resources.takes(uri);
        let part = Part {
            source: selection.source,
            selection: selection.clone(),
            tools: BTreeMap::new(),
            prompts: BTreeMap::new(),
            resources: stock.resources.iter().filter(|resource| is_taken(&resource.uri)).count(),
        };
        parts.insert(selection.source, part);
    }
    for chosen in published {
        let tool = PresetTool {
            name: chosen.tool.name.clone(),
            enabled: true,
            exposed_name: Some(chosen.name()).filter(|name| *name != chosen.tool.name).map(str::to_owned),
            exposed_description: chosen.description().map(str::to_owned),
            check_arguments: chosen.checks_arguments(),
        };
        if let Some(part) = parts.get_mut(&chosen.source.id) {
            part.tools.insert(chosen.name().to_owned(), tool);
        }
    }
    for chosen in prompts {
        if let Some(part) = parts.get_mut(&chosen.source.id) {
            part.prompts.insert(chosen.name, chosen.prompt.name.clone());
        }
    }
    selections.iter().filter_map(|selection| parts.remove(&selection.source)).collect()
}

impl Part {
    fn names(&self) -> impl Iterator<Item = String> {
        self.tools.keys().chain(self.prompts.keys()).cloned()
    }

    /// Returns what a source of whoever forks does not have, by the names callers see.
    fn lacking(&self, own: &Stock) -> Vec<String> {
        if own.source.id == self.source {
            return Vec::new();
        }
        let tools = self.tools.iter().filter(|(_, tool)| !lists(&own.tools, &tool.name));
        let prompts = self.prompts.iter().filter(|(_, name)| !lists(&own.prompts, name));
        tools.map(|(shown, _)| shown).chain(prompts.map(|(shown, _)| shown)).cloned().collect()
    }

    /// Returns what a fork takes of a source that stands in; of the very source, what the preset takes.
    fn on(self, own: &Stock) -> Selection {
        if own.source.id == self.source {
            return self.selection;
        }
        let tools = self.tools.into_values().filter(|tool| lists(&own.tools, &tool.name)).collect();
        let prompts: Vec<_> = self.prompts.into_values().filter(|name| lists(&own.prompts, name)).collect();
        let resources = match self.selection.resources {
            Take::Only(uris) => {
                let is_there = |uri: &String| own.resources.iter().any(|resource| resource.uri == *uri);
                only(uris.into_iter().filter(is_there).collect())
            }
            all_or_none => all_or_none,
        };
        Selection { source: own.source.id, all: false, tools, resources, prompts: only(prompts) }
    }

    fn shown(&self, ours: &[Stock]) -> ForkPart {
        let number = self.names().count();
        let mut choices: Vec<ForkChoice> = ours
            .iter()
            .map(|own| ForkChoice { source: brief(&own.source), lacks: self.lacking(own) })
            .filter(|choice| choice.source.id == self.source || choice.lacks.len() < number)
            .collect();
        choices.sort_by_key(|choice| (choice.lacks.len(), choice.source.id != self.source));
        ForkPart {
            of: self.source,
            tools: self.tools.keys().cloned().collect(),
            prompts: self.prompts.keys().cloned().collect(),
            resources: self.resources,
            choices,
        }
    }
}

fn lists(offered: &[SourceTool], name: &str) -> bool {
    offered.iter().any(|one| one.name == name && one.state != ToolState::Gone)
}

fn only(names: Vec<String>) -> Take {
    if names.is_empty() { Take::None } else { Take::Only(names) }
}

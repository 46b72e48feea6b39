//! From what owners choose to what callers see. Pure.
//!
//! A tool is a pair of source and name all the way through; the exposed name is only ever looked up
//! inside one preset.

use std::collections::{HashMap, HashSet};

use crate::{
    model::{
        PresetTool, Selection, Source, SourceId, SourceOffer, SourcePrompt, SourceResource, SourceTool,
        ToolState,
    },
    presets::{
        Collision,
        names::{folded, suggest},
    },
};

/// A source with what it offers.
#[derive(Clone, Debug)]
pub(super) struct Stock {
    /// The source.
    pub source: Source,
    /// Its tools by name.
    pub tools: Vec<SourceTool>,
    /// Its prompts by name.
    pub prompts: Vec<SourcePrompt>,
    /// Its resources and resource templates.
    pub resources: Vec<SourceResource>,
    /// What it says of itself; `None` until that was seen.
    pub offer: Option<SourceOffer>,
}

impl Stock {
    /// A source of which only the tools matter.
    #[cfg(test)]
    pub(super) fn of_tools(source: Source, tools: Vec<SourceTool>) -> Self {
        Self { source, tools, prompts: Vec::new(), resources: Vec::new(), offer: None }
    }
}

/// What a preset says of one tool it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen<'a> {
    /// The source.
    pub source: &'a Source,
    /// The tool.
    pub tool: &'a SourceTool,
    /// What the preset says of it; `None` if it only takes all.
    pub said: Option<&'a PresetTool>,
}

impl<'a> Chosen<'a> {
    /// Returns the name callers see.
    pub fn name(&self) -> &'a str {
        self.said.and_then(|said| said.exposed_name.as_deref()).unwrap_or(&self.tool.name)
    }

    /// Returns the description callers see instead of the source's.
    pub fn description(&self) -> Option<&'a str> {
        self.said.and_then(|said| said.exposed_description.as_deref())
    }

    /// Says whether arguments are checked.
    pub fn checks_arguments(&self) -> bool {
        self.said.is_some_and(|said| said.check_arguments)
    }
}

/// One prompt that a preset takes.
#[derive(Clone, Debug)]
pub(super) struct ChosenPrompt<'a> {
    /// The name callers see.
    pub name: String,
    /// The source.
    pub source: &'a Source,
    /// The prompt.
    pub prompt: &'a SourcePrompt,
}

/// What a preset is made of.
#[derive(Debug, Default)]
pub(super) struct Composition<'a> {
    /// What callers see, by exposed name. No two names are equal without regard to case.
    pub published: Vec<Chosen<'a>>,
    /// What is taken and held until the owner looks, by exposed name.
    pub held: Vec<Chosen<'a>>,
    /// What is not published because its name belongs to another tool.
    pub collisions: Vec<Collision>,
    /// The prompts callers see, by exposed name. No two names are equal without regard to case.
    pub prompts: Vec<ChosenPrompt<'a>>,
    /// The prompts that are taken and held until the owner looks, by source and name.
    pub held_prompts: Vec<(SourceId, &'a SourcePrompt)>,
}

/// Puts together what selections take from sources.
///
/// Where two tools want one name, the one the owner chose by hand keeps it, then the one whose
/// source was there first: a source cannot take a name away from another.
pub(super) fn compose<'a>(selections: &'a [Selection], stocks: &'a [Stock]) -> Composition<'a> {
    let stocks: HashMap<_, _> = stocks.iter().map(|stock| (stock.source.id, stock)).collect();
    let mut wanted = Vec::new();
    let mut composition = Composition::default();
    for selection in selections {
        let Some(stock) = stocks.get(&selection.source) else { continue };
        let said: HashMap<&str, &PresetTool> =
            selection.tools.iter().map(|tool| (tool.name.as_str(), tool)).collect();
        for tool in &stock.tools {
            let said = said.get(tool.name.as_str()).copied();
            if !said.map_or(selection.all, |said| said.enabled) {
                continue;
            }
            let chosen = Chosen { source: &stock.source, tool, said };
            match tool.state {
                ToolState::Accepted => wanted.push(chosen),
                ToolState::New | ToolState::Changed => composition.held.push(chosen),
                ToolState::Gone => {}
            }
        }
    }

    wanted.sort_by_key(|chosen| (chosen.said.is_none(), chosen.source.id, &chosen.tool.name));
    let mut names: HashMap<String, Chosen<'a>> = HashMap::new();
    let mut losers = Vec::new();
    for chosen in wanted {
        match names.get(&folded(chosen.name())) {
            Some(&first) => losers.push((first, chosen)),
            None => {
                names.insert(folded(chosen.name()), chosen);
                composition.published.push(chosen);
            }
        }
    }

    let mut taken: HashSet<String> = names.into_keys().collect();
    for (first, second) in losers {
        let suggestion = suggest(second.source.name.as_str(), &second.tool.name, &taken);
        taken.insert(folded(&suggestion));
        composition.collisions.push(Collision {
            name: first.name().to_owned(),
            first: (first.source.name.clone(), first.tool.name.clone()),
            second: (second.source.name.clone(), second.tool.name.clone()),
            suggestion,
        });
    }
    (composition.prompts, composition.held_prompts) = compose_prompts(selections, &stocks);
    composition.published.sort_by(|a, b| a.name().cmp(b.name()));
    composition.held.sort_by(|a, b| a.name().cmp(b.name()));
    composition
}

type Prompts<'a> = (Vec<ChosenPrompt<'a>>, Vec<(SourceId, &'a SourcePrompt)>);

/// Puts prompts together. Where two want one name, the one whose source was there first keeps it,
/// and the other gets its source's before its own: prompts are taken as a whole, so nobody is there
/// to be asked for another.
fn compose_prompts<'a>(selections: &'a [Selection], stocks: &HashMap<SourceId, &'a Stock>) -> Prompts<'a> {
    let (mut taken, mut held) = (Vec::new(), Vec::new());
    for selection in selections {
        let Some(stock) = stocks.get(&selection.source) else { continue };
        for prompt in stock.prompts.iter().filter(|prompt| selection.prompts.takes(&prompt.name)) {
            match prompt.state {
                ToolState::Accepted => taken.push((&stock.source, prompt)),
                ToolState::New | ToolState::Changed => held.push((stock.source.id, prompt)),
                ToolState::Gone => {}
            }
        }
    }
    taken.sort_by_key(|(source, prompt)| (source.id, &prompt.name));
    let mut names = HashSet::new();
    let (first, later): (Vec<_>, Vec<_>) =
        taken.into_iter().partition(|(_, prompt)| names.insert(folded(&prompt.name)));
    let plain = first
        .into_iter()
        .map(|(source, prompt)| ChosenPrompt { name: prompt.name.clone(), source, prompt })
        .collect::<Vec<_>>();
    let renamed = later.into_iter().map(|(source, prompt)| {
        let name = suggest(source.name.as_str(), &prompt.name, &names);
        names.insert(folded(&name));
        ChosenPrompt { name, source, prompt }
    });
    let mut published: Vec<_> = plain.into_iter().chain(renamed).collect();
    published.sort_by(|a, b| a.name.cmp(&b.name));
    (published, held)
}

#[cfg(test)]
pub(super) mod tests;

//! What differs between a thing as declared and as it is. Pure.

use std::collections::{BTreeMap, BTreeSet};

use doorward::{
    model::{Preset, PresetTool, Reach, Selection, Source, SourceId, SourceKind, Take},
    presets::PresetChange,
    sources::SourceChange,
};

use super::document::{Allow, AllowWord, PresetItem, SourceItem, ToolsItem};
use crate::take::Until;

/// Returns where a source is declared to be. The document has been checked.
pub(super) fn reach(item: &SourceItem) -> Option<Reach> {
    match item.kind {
        SourceKind::McpHttp => Some(Reach::McpHttp { url: item.url.clone()? }),
        SourceKind::SparkHistory => Some(Reach::SparkHistory { url: item.url.clone()? }),
        SourceKind::McpStdio => {
            Some(Reach::McpStdio { command: item.command.clone()?, working_dir: item.working_dir.clone() })
        }
    }
}

/// Returns what must change of a source beside its credential, and the names of those parts.
pub(super) fn source_change(item: &SourceItem, source: &Source) -> (SourceChange, Vec<&'static str>) {
    let mut change = SourceChange::default();
    let mut parts = Vec::new();
    if let Some(reach) = reach(item).filter(|reach| *reach != source.reach) {
        parts.push(match reach {
            Reach::McpHttp { .. } | Reach::SparkHistory { .. } => "url",
            Reach::McpStdio { .. } => "command",
        });
        change.reach = Some(reach);
    }
    if let Some(trusted) = item.ca_certificates.as_ref().filter(|trusted| **trusted != source.ca_certificates)
    {
        change.ca_certificates = Some(trusted.clone());
        parts.push("ca_certificates");
    }
    if let Some(era) = item.era.filter(|era| *era != source.era) {
        change.era = Some(era);
        parts.push("era");
    }
    if let Some(runs_as) = item.runs_as.filter(|runs_as| *runs_as != source.runs_as) {
        change.runs_as = Some(runs_as);
        parts.push("runs_as");
    }
    if let Some(enabled) = item.enabled.filter(|enabled| *enabled != source.enabled) {
        change.enabled = Some(enabled);
        parts.push("enabled");
    }
    if item.rules.as_ref().is_some_and(|rules| *rules != source.rules) {
        change.rules = item.rules.clone();
        parts.push("rules");
    }
    (change, parts)
}

/// Returns what must change of a preset beside its status, and the names of those parts.
pub(super) fn preset_change(
    item: &PresetItem,
    preset: &Preset,
    declared: Option<Vec<Selection>>,
    present: &[Selection],
) -> (PresetChange, Vec<&'static str>) {
    let mut change = PresetChange::default();
    let mut parts = Vec::new();
    if item.title.as_ref().is_some_and(|title| *title != preset.title) {
        change.title = item.title.clone();
        parts.push("title");
    }
    if item.description.as_ref().is_some_and(|text| *text != preset.description) {
        change.description = item.description.clone();
        parts.push("description");
    }
    if let Some(visibility) = item.visibility.filter(|visibility| *visibility != preset.visibility) {
        change.visibility = Some(visibility);
        parts.push("visibility");
    }
    if let Some(anonymous) = item.anonymous.filter(|anonymous| *anonymous != preset.anonymous) {
        change.anonymous = Some(anonymous);
        parts.push("anonymous");
    }
    if let Some(end) = item.expires_at.map(Until::end).filter(|end| *end != preset.expires_at) {
        change.expires_at = Some(end);
        parts.push("expires_at");
    }
    if item.rules.as_ref().is_some_and(|rules| *rules != preset.rules) {
        change.rules = item.rules.clone();
        parts.push("rules");
    }
    if let Some(declared) = declared
        && plain(&declared) != plain(present)
    {
        change.selections = Some(declared);
        parts.push("tools");
    }
    (change, parts)
}

/// Returns what a preset is declared to take from a source.
pub(super) fn selection(item: &ToolsItem, source: SourceId) -> Selection {
    let all = matches!(item.allow, Allow::Word(AllowWord::All));
    let allowed = match &item.allow {
        Allow::Word(AllowWord::All) => None,
        Allow::Names(names) => Some(names),
    };
    let mut names: Vec<&String> = allowed.into_iter().flatten().chain(&item.deny).collect();
    names.extend(item.rename.keys().chain(item.describe.keys()).chain(&item.check_arguments));
    names.sort();
    names.dedup();
    let tools = names
        .into_iter()
        .map(|name| PresetTool {
            name: name.clone(),
            enabled: allowed.map_or(!item.deny.contains(name), |allowed| allowed.contains(name)),
            exposed_name: item.rename.get(name).cloned(),
            exposed_description: item.describe.get(name).cloned(),
            check_arguments: item.check_arguments.contains(name),
        })
        .collect();
    Selection { source, all, tools, resources: (&item.resources).into(), prompts: (&item.prompts).into() }
}

type PlainTool<'a> = (bool, Option<&'a str>, Option<&'a str>, bool);

/// What a selection says.
type Plain<'a> =
    (bool, BTreeMap<&'a str, PlainTool<'a>>, Option<BTreeSet<&'a str>>, Option<BTreeSet<&'a str>>);

/// Returns what selections say, without order and without what says nothing.
fn plain(selections: &[Selection]) -> BTreeMap<SourceId, Plain<'_>> {
    let mut plain = BTreeMap::new();
    for selection in selections {
        let tools: BTreeMap<&str, PlainTool<'_>> = selection
            .tools
            .iter()
            .filter(|tool| tool.enabled != selection.all || says_more(tool))
            .map(|tool| {
                let names = (tool.exposed_name.as_deref(), tool.exposed_description.as_deref());
                (tool.name.as_str(), (tool.enabled, names.0, names.1, tool.check_arguments))
            })
            .collect();
        let (resources, prompts) = (names(&selection.resources), names(&selection.prompts));
        let takes = |names: &Option<BTreeSet<&str>>| names.as_ref().is_none_or(|names| !names.is_empty());
        if selection.all || !tools.is_empty() || takes(&resources) || takes(&prompts) {
            plain.insert(selection.source, (selection.all, tools, resources, prompts));
        }
    }
    plain
}

/// Returns the names taken; `None` if everything is.
fn names(take: &Take) -> Option<BTreeSet<&str>> {
    (*take != Take::All).then(|| take.names().iter().map(String::as_str).collect())
}

fn says_more(tool: &PresetTool) -> bool {
    tool.exposed_name.is_some() || tool.exposed_description.is_some() || tool.check_arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_that_mean_the_same_are_the_same() {
        let source = SourceId::new();
        let tool = |name: &str, enabled| PresetTool {
            name: name.into(),
            enabled,
            exposed_name: None,
            exposed_description: None,
            check_arguments: false,
        };
        let all =
            Selection { tools: vec![tool("a", true), tool("b", false)], ..Selection::all_tools(source) };
        let same = Selection { tools: vec![tool("b", false)], ..Selection::all_tools(source) };
        let some = Selection { all: false, tools: vec![tool("a", true)], ..Selection::all_tools(source) };
        let nothing =
            Selection { all: false, tools: vec![tool("a", false)], ..Selection::all_tools(SourceId::new()) };

        assert_eq!(plain(std::slice::from_ref(&all)), plain(&[same, nothing]));
        assert_ne!(plain(std::slice::from_ref(&all)), plain(&[some]));

        let only = |names: &[&str]| Selection {
            resources: Take::Only(names.iter().map(|name| (*name).to_owned()).collect()),
            ..all.clone()
        };
        assert_eq!(plain(&[only(&["a", "b"])]), plain(&[only(&["b", "a"])]));
        assert_eq!(plain(&[only(&[])]), plain(std::slice::from_ref(&all)));
        let prompts = Selection { prompts: Take::All, ..all.clone() };
        assert_ne!(plain(&[prompts]), plain(&[all]));
    }
}

//! In what two versions of a preset differ. Pure.

use std::collections::BTreeSet;

use crate::model::{
    ChangeKind, PresetState, PresetTake, PresetTool, Selection, SourceId, SourceName, Take, VersionChange,
};

/// Returns what is different in `after`, settings first, then source by source.
pub(super) fn difference(before: &PresetState, after: &PresetState) -> Vec<VersionChange> {
    let mut changes = Vec::new();
    let yes_or_no = |yes: bool| if yes { "yes" } else { "no" };
    let settings = [
        ("title", before.title.as_str(), after.title.as_str()),
        ("description", &before.description, &after.description),
        ("slug", before.slug.as_str(), after.slug.as_str()),
        ("visibility", before.visibility.word(), after.visibility.word()),
        ("anonymous", yes_or_no(before.anonymous), yes_or_no(after.anonymous)),
        ("status", before.status.word(), after.status.word()),
    ];
    for (name, before, after) in settings {
        push(&mut changes, ChangeKind::Setting, None, name, before, after);
    }
    let end = |state: &PresetState| state.expires_at.map(|end| end.to_string()).unwrap_or_default();
    push(&mut changes, ChangeKind::Setting, None, "expires_at", &end(before), &end(after));
    for new in &after.takes {
        let old = find(before, new.selection.source);
        if old.is_none() {
            push(&mut changes, ChangeKind::SourceAdded, Some(&new.source), "", "", new.source.as_str());
        }
        let nothing = nothing(new.selection.source);
        let old = old.map_or(&nothing, |old| &old.selection);
        of_source(&mut changes, &new.source, old, &new.selection);
    }
    for old in &before.takes {
        if find(after, old.selection.source).is_none() {
            push(&mut changes, ChangeKind::SourceRemoved, Some(&old.source), "", old.source.as_str(), "");
            of_source(&mut changes, &old.source, &old.selection, &nothing(old.selection.source));
        }
    }
    changes
}

/// Says in a line what changed.
pub(super) fn summary(changes: &[VersionChange]) -> String {
    let counted = [
        (ChangeKind::SourceAdded, "source", "added"),
        (ChangeKind::SourceRemoved, "source", "removed"),
        (ChangeKind::ToolAdded, "tool", "added"),
        (ChangeKind::ToolRemoved, "tool", "removed"),
        (ChangeKind::ToolRenamed, "tool", "renamed"),
        (ChangeKind::ToolDescribed, "tool", "described"),
    ];
    let mut parts = Vec::new();
    for (kind, noun, verb) in counted {
        match changes.iter().filter(|change| change.what == kind).count() {
            0 => {}
            1 => parts.push(format!("1 {noun} {verb}")),
            many => parts.push(format!("{many} {noun}s {verb}")),
        }
    }
    let plain = [
        (ChangeKind::AllTools, "later tools"),
        (ChangeKind::ArgumentsChecked, "checking of arguments"),
        (ChangeKind::Resources, "resources"),
        (ChangeKind::Prompts, "prompts"),
    ];
    let settings = changes.iter().filter(|change| change.what == ChangeKind::Setting);
    let mut changed: Vec<&str> = settings
        .map(|change| match change.name.as_str() {
            "expires_at" => "expiry",
            name => name,
        })
        .collect();
    let is_there = |kind: ChangeKind| changes.iter().any(|change| change.what == kind);
    changed.extend(plain.iter().filter(|(kind, _)| is_there(*kind)).map(|(_, word)| *word));
    if !changed.is_empty() {
        parts.push(format!("{} changed", changed.join(", ")));
    }
    if parts.is_empty() { "saved as it was".to_owned() } else { parts.join("; ") }
}

fn of_source(changes: &mut Vec<VersionChange>, source: &SourceName, before: &Selection, after: &Selection) {
    let yes_or_no = |yes: bool| if yes { "yes" } else { "no" };
    let all = (yes_or_no(before.all), yes_or_no(after.all));
    push(changes, ChangeKind::AllTools, Some(source), "", all.0, all.1);
    let named = before.tools.iter().chain(&after.tools).map(|tool| tool.name.as_str());
    for name in named.collect::<BTreeSet<_>>() {
        match (before.takes(name), after.takes(name)) {
            (false, false) => continue,
            (true, false) => {
                push(changes, ChangeKind::ToolRemoved, Some(source), name, name, "");
                continue;
            }
            (false, true) => push(changes, ChangeKind::ToolAdded, Some(source), name, "", name),
            (true, true) => {}
        }
        let (old, new) = (before.tool(name), after.tool(name));
        let text = |tool: Option<&PresetTool>, of: fn(&PresetTool) -> &Option<String>| {
            tool.and_then(|tool| of(tool).clone()).unwrap_or_default()
        };
        let names = (text(old, |tool| &tool.exposed_name), text(new, |tool| &tool.exposed_name));
        push(changes, ChangeKind::ToolRenamed, Some(source), name, &names.0, &names.1);
        let texts =
            (text(old, |tool| &tool.exposed_description), text(new, |tool| &tool.exposed_description));
        push(changes, ChangeKind::ToolDescribed, Some(source), name, &texts.0, &texts.1);
        let checks = |tool: Option<&PresetTool>| yes_or_no(tool.is_some_and(|tool| tool.check_arguments));
        push(changes, ChangeKind::ArgumentsChecked, Some(source), name, checks(old), checks(new));
    }
    taken(changes, ChangeKind::Resources, source, &before.resources, &after.resources);
    taken(changes, ChangeKind::Prompts, source, &before.prompts, &after.prompts);
}

fn taken(
    changes: &mut Vec<VersionChange>,
    what: ChangeKind,
    source: &SourceName,
    before: &Take,
    after: &Take,
) {
    push(changes, what, Some(source), "", before.word(), after.word());
    let names = before.names().iter().chain(after.names()).map(String::as_str);
    for name in names.collect::<BTreeSet<_>>() {
        let there = |take: &Take| if take.names().iter().any(|taken| taken == name) { "taken" } else { "" };
        // What is taken as a part of everything was not taken off.
        if *before != Take::All && *after != Take::All {
            push(changes, what, Some(source), name, there(before), there(after));
        }
    }
}

fn push(
    changes: &mut Vec<VersionChange>,
    what: ChangeKind,
    source: Option<&SourceName>,
    name: &str,
    before: &str,
    after: &str,
) {
    if before != after {
        changes.push(VersionChange {
            what,
            source: source.cloned(),
            name: name.to_owned(),
            before: before.to_owned(),
            after: after.to_owned(),
        });
    }
}

fn find(state: &PresetState, source: SourceId) -> Option<&PresetTake> {
    state.takes.iter().find(|take| take.selection.source == source)
}

fn nothing(source: SourceId) -> Selection {
    Selection { all: false, ..Selection::all_tools(source) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PresetStatus, Slug, Visibility};

    #[test]
    fn a_difference_names_tools_and_settings_and_its_summary_counts_them() {
        let source = SourceId::new();
        let tools = |tools: &[(&str, bool, Option<&str>)]| Selection {
            all: false,
            tools: tools.iter().map(|(name, enabled, exposed)| tool(name, *enabled, *exposed)).collect(),
            ..Selection::all_tools(source)
        };
        let before = state("One", vec![tools(&[("a", true, None), ("b", true, None)])]);
        let mut after =
            state("Two", vec![tools(&[("b", true, Some("bee")), ("c", true, None), ("d", false, None)])]);
        after.visibility = Visibility::Public;

        let changes = difference(&before, &after);

        let words: Vec<_> = changes
            .iter()
            .map(|change| {
                (change.what.word(), change.name.as_str(), change.before.as_str(), change.after.as_str())
            })
            .collect();
        assert_eq!(
            words,
            [
                ("setting", "title", "One", "Two"),
                ("setting", "visibility", "private", "public"),
                ("tool_removed", "a", "a", ""),
                ("tool_renamed", "b", "", "bee"),
                ("tool_added", "c", "", "c"),
            ]
        );
        assert_eq!(
            summary(&changes),
            "1 tool added; 1 tool removed; 1 tool renamed; title, visibility changed"
        );
        assert_eq!(summary(&difference(&after, &after)), "saved as it was");
    }

    #[test]
    fn what_is_taken_as_a_part_of_everything_is_not_told_tool_by_tool() {
        let source = SourceId::new();
        let some = Selection {
            all: false,
            tools: vec![tool("a", true, None)],
            resources: Take::Only(vec!["x:1".to_owned()]),
            ..Selection::all_tools(source)
        };
        let all = Selection { resources: Take::All, ..Selection::all_tools(source) };

        let more = difference(&state("", vec![some.clone()]), &state("", vec![all.clone()]));
        let none = difference(&state("", vec![some]), &state("", Vec::new()));

        assert_eq!(kinds(&more), [ChangeKind::AllTools, ChangeKind::Resources]);
        let gone = [
            ChangeKind::SourceRemoved,
            ChangeKind::ToolRemoved,
            ChangeKind::Resources,
            ChangeKind::Resources,
        ];
        assert_eq!(kinds(&none), gone);
        assert_eq!(difference(&state("", vec![all.clone()]), &state("", vec![all])), []);
    }

    fn kinds(changes: &[VersionChange]) -> Vec<ChangeKind> {
        changes.iter().map(|change| change.what).collect()
    }

    fn state(title: &str, selections: Vec<Selection>) -> PresetState {
        let source = SourceName::parse("docs").unwrap();
        let takes = selections.into_iter().map(|selection| PresetTake { source: source.clone(), selection });
        PresetState {
            slug: Slug::parse("notes").unwrap(),
            title: title.to_owned(),
            description: String::new(),
            visibility: Visibility::Private,
            anonymous: false,
            status: PresetStatus::Active,
            expires_at: None,
            takes: takes.collect(),
        }
    }

    fn tool(name: &str, enabled: bool, exposed: Option<&str>) -> PresetTool {
        PresetTool {
            name: name.to_owned(),
            enabled,
            exposed_name: exposed.map(str::to_owned),
            exposed_description: None,
            check_arguments: false,
        }
    }
}

//! From the fields of the form to what a preset takes. Pure.

use doorward::{
    model::{PresetTool, Selection, SourceId, Take},
    presets::Collision,
};
use serde::{Deserialize, Serialize};

/// What the form says of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceField {
    /// The source.
    pub id: String,
    /// `none`, `some` or `all` of its tools.
    pub take: String,
    /// `none`, `some` or `all` of its resources; none if the form does not ask.
    #[serde(default)]
    pub resources: String,
    /// `none`, `some` or `all` of its prompts; none if the form does not ask.
    #[serde(default)]
    pub prompts: String,
}

/// What the form says is ticked beside tools.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ticked<'a> {
    /// Resources and templates, each as `<place of its source> <uri>`.
    pub resources: &'a [String],
    /// Prompts, each as `<place of its source> <name>`.
    pub prompts: &'a [String],
}

/// What the form says of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolField {
    /// The place of its source in the list of sources.
    pub source: usize,
    /// The name the source knows it by.
    pub name: String,
    /// `on` if it is ticked.
    #[serde(default)]
    pub on: String,
    /// The name callers see; empty = the source's.
    #[serde(default)]
    pub shown_as: String,
    /// The description callers see; empty = the source's.
    #[serde(default)]
    pub description: String,
    /// `on` if arguments are checked.
    #[serde(default)]
    pub check: String,
}

/// Returns what the form asks for; `None` if a source's id cannot be read.
pub(super) fn selections(
    sources: &[SourceField],
    tools: &[ToolField],
    ticked: Ticked<'_>,
) -> Option<Vec<Selection>> {
    let mut selections = Vec::new();
    for (place, field) in sources.iter().enumerate() {
        let resources = take(&field.resources, place, ticked.resources);
        let prompts = take(&field.prompts, place, ticked.prompts);
        let takes_tools = matches!(field.take.as_str(), "all" | "some");
        if !takes_tools && resources == Take::None && prompts == Take::None {
            continue;
        }
        let source: SourceId = field.id.parse().ok()?;
        let all = field.take == "all";
        if !takes_tools {
            selections.push(Selection { source, all: false, tools: Vec::new(), resources, prompts });
            continue;
        }
        let tools = tools
            .iter()
            .filter(|tool| tool.source == place)
            .map(|tool| PresetTool {
                name: tool.name.clone(),
                enabled: tool.on == "on",
                exposed_name: given(&tool.shown_as, &tool.name),
                exposed_description: given(&tool.description, ""),
                check_arguments: tool.check == "on",
            })
            .filter(|tool| says_something(tool, all))
            .collect();
        selections.push(Selection { source, all, tools, resources, prompts });
    }
    Some(selections)
}

/// Returns what is taken of one kind from the source at this place.
pub(super) fn take(word: &str, place: usize, ticked: &[String]) -> Take {
    let of_place = |line: &String| {
        let (source, name) = line.split_once(' ')?;
        (source.parse() == Ok(place)).then(|| name.to_owned())
    };
    match word {
        "all" => Take::All,
        "some" => Take::Only(ticked.iter().filter_map(of_place).collect()),
        _ => Take::None,
    }
}

pub(super) fn given(text: &str, default: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text != default).then(|| text.to_owned())
}

/// A tool that is as its source's setting says needs no entry, so that new tools follow that too.
fn says_something(tool: &PresetTool, all: bool) -> bool {
    tool.enabled != all
        || tool.exposed_name.is_some()
        || tool.exposed_description.is_some()
        || tool.check_arguments
}

/// Gives the second tool of each collision the name suggested for it.
pub(super) fn rename(selections: &mut [Selection], collisions: &[(SourceId, &Collision)]) {
    for (source, collision) in collisions {
        let Some(selection) = selections.iter_mut().find(|selection| selection.source == *source) else {
            continue;
        };
        let name = &collision.second.1;
        let suggestion = Some(collision.suggestion.clone());
        match selection.tools.iter_mut().find(|tool| tool.name == *name) {
            Some(tool) => tool.exposed_name = suggestion,
            None => selection.tools.push(PresetTool {
                name: name.clone(),
                enabled: true,
                exposed_name: suggestion,
                exposed_description: None,
                check_arguments: false,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_gives_everything_keeps_entries_only_for_what_differs() {
        let id = SourceId::new();
        let sources = [SourceField { id: id.to_string(), take: "all".into(), ..SourceField::default() }];
        let tools = [
            ToolField { name: "echo".into(), on: "on".into(), ..ToolField::default() },
            ToolField { name: "add".into(), ..ToolField::default() },
            ToolField {
                name: "sum".into(),
                on: "on".into(),
                shown_as: " total ".into(),
                ..ToolField::default()
            },
        ];

        let selections = selections(&sources, &tools, Ticked::default()).expect("the id is one");

        let names: Vec<_> = selections[0]
            .tools
            .iter()
            .map(|tool| (tool.name.as_str(), tool.enabled, tool.exposed_name.as_deref()))
            .collect();
        assert!(selections[0].all);
        assert_eq!(names, [("add", false, None), ("sum", true, Some("total"))]);
    }

    #[test]
    fn a_source_not_taken_is_not_selected() {
        let id = SourceId::new().to_string();
        let sources = [SourceField { id, take: "none".into(), ..SourceField::default() }];

        assert_eq!(selections(&sources, &[], Ticked::default()), Some(Vec::new()));
    }

    #[test]
    fn resources_and_prompts_are_taken_without_tools_too() {
        let ids = [SourceId::new(), SourceId::new()];
        let field = |id: SourceId, resources: &str, prompts: &str| SourceField {
            id: id.to_string(),
            take: "none".into(),
            resources: resources.into(),
            prompts: prompts.into(),
        };
        let sources = [field(ids[0], "some", "none"), field(ids[1], "none", "all")];
        let resources = ["0 file:///a b".to_owned(), "1 file:///c".to_owned(), "x".to_owned()];

        let ticked = Ticked { resources: &resources, prompts: &[] };
        let selections = selections(&sources, &[], ticked).expect("the ids are some");

        assert_eq!(selections[0].resources, Take::Only(vec!["file:///a b".to_owned()]));
        assert_eq!((&selections[0].prompts, selections[0].all), (&Take::None, false));
        assert_eq!((&selections[1].resources, &selections[1].prompts), (&Take::None, &Take::All));
    }
}

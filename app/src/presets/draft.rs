//! From the fields of the form to what a preset takes. Pure.

use doorward::{
    model::{PresetTool, Selection, SourceId},
    presets::Collision,
};
use serde::{Deserialize, Serialize};

/// What the form says of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceField {
    /// The source.
    pub id: String,
    /// `none`, `some` or `all`.
    pub take: String,
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
pub(super) fn selections(sources: &[SourceField], tools: &[ToolField]) -> Option<Vec<Selection>> {
    let mut selections = Vec::new();
    for (place, field) in sources.iter().enumerate() {
        if field.take != "all" && field.take != "some" {
            continue;
        }
        let source: SourceId = field.id.parse().ok()?;
        let all = field.take == "all";
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
        selections.push(Selection { all, tools, ..Selection::all_tools(source) });
    }
    Some(selections)
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
        let sources = [SourceField { id: id.to_string(), take: "all".into() }];
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

        let selections = selections(&sources, &tools).expect("the id is one");

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
        let sources = [SourceField { id: SourceId::new().to_string(), take: "none".into() }];

        assert_eq!(selections(&sources, &[]), Some(Vec::new()));
    }
}

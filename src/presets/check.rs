//! What may be typed about a preset. Pure.

use std::collections::HashSet;

use crate::{
    mcp::Raw,
    model::{CallRules, Selection, Take, Visibility},
    presets::{
        ArgumentCheck, PresetError, Result,
        compose::{Composition, Stock, compose},
        names,
    },
    sources::visible,
};

const TITLE_MAX: usize = 100;
const DESCRIPTION_MAX: usize = 4000;
const TOOL_DESCRIPTION_MAX: usize = 8000;
const SELECTIONS_MAX: usize = 100;
/// Of one source, and of each kind.
const TOOLS_MAX: usize = 1000;
/// The longest URI that sources are kept with.
const URI_BYTES_MAX: usize = 2048;

/// Checks what people call it.
pub(super) fn title(text: &str) -> Result<()> {
    if text.trim().is_empty()
        || text.chars().count() > TITLE_MAX
        || text.contains('\n')
        || visible(text) != text
    {
        let reason = format!("a title is one line of 1 to {TITLE_MAX} characters, all of which show");
        return Err(PresetError::Invalid { part: "title", reason });
    }
    Ok(())
}

/// Checks what it is for.
pub(super) fn description(text: &str) -> Result<()> {
    long_text("description", text, DESCRIPTION_MAX)
}

/// Checks how fast calls may come, and which are made once.
pub(super) fn rules(rules: &CallRules) -> Result<()> {
    rules.check().map_err(|error| PresetError::Invalid { part: "rules", reason: error.to_string() })
}

/// Checks who may use it.
pub(super) fn visibility(visibility: Visibility, anonymous: bool) -> Result<()> {
    if anonymous && visibility != Visibility::Public {
        let reason = "only a public preset may be used without a key".to_owned();
        return Err(PresetError::Invalid { part: "anonymous", reason });
    }
    Ok(())
}

/// Checks what it takes, against the sources of its organisation. Returns what comes of it.
pub(super) fn selections<'a>(selections: &'a [Selection], stocks: &'a [Stock]) -> Result<Composition<'a>> {
    let wrong = |reason: String| Err(PresetError::Invalid { part: "tools", reason });
    if selections.len() > SELECTIONS_MAX {
        return wrong(format!("a preset takes tools from at most {SELECTIONS_MAX} data sources"));
    }
    let mut sources = HashSet::new();
    for selection in selections {
        if !stocks.iter().any(|stock| stock.source.id == selection.source) {
            return wrong("there is no such data source".to_owned());
        }
        if !sources.insert(selection.source) {
            return wrong("a data source is named twice".to_owned());
        }
        if selection.tools.len() > TOOLS_MAX {
            return wrong(format!("a preset names at most {TOOLS_MAX} tools of a data source"));
        }
        named("resources", &selection.resources, URI_BYTES_MAX)?;
        named("prompts", &selection.prompts, names::NAME_MAX * 4)?;
        let mut names = HashSet::new();
        for tool in &selection.tools {
            if tool.name.is_empty() || tool.name.chars().count() > names::NAME_MAX {
                return wrong(format!("a tool's name has 1 to {} characters", names::NAME_MAX));
            }
            if !names.insert(tool.name.as_str()) {
                return wrong(format!("the tool `{}` is named twice", tool.name));
            }
            if let Some(complaint) = tool.exposed_name.as_deref().and_then(names::complaint) {
                return Err(PresetError::Invalid { part: "exposed_name", reason: complaint });
            }
            if let Some(text) = &tool.exposed_description {
                long_text("exposed_description", text, TOOL_DESCRIPTION_MAX)?;
            }
        }
    }
    let composition = compose(selections, stocks);
    if !composition.collisions.is_empty() {
        return Err(PresetError::Collision { collisions: composition.collisions });
    }
    for chosen in composition.published.iter().filter(|chosen| chosen.checks_arguments()) {
        let check = ArgumentCheck::compile(Raw::of(&chosen.tool.definition));
        if let Some(reason) = check.unusable() {
            let reason = format!("the input schema of `{}` cannot be used: {reason}", chosen.tool.name);
            return Err(PresetError::Invalid { part: "check_arguments", reason });
        }
    }
    Ok(composition)
}

/// Checks what is taken by name.
fn named(part: &'static str, take: &Take, bytes_max: usize) -> Result<()> {
    let wrong = |reason: String| Err(PresetError::Invalid { part, reason });
    let names = take.names();
    if names.len() > TOOLS_MAX {
        return wrong(format!("a preset names at most {TOOLS_MAX} of a data source; take all, or fewer"));
    }
    let mut seen = HashSet::new();
    for name in names {
        if name.is_empty() || name.len() > bytes_max || name.chars().any(char::is_control) {
            return wrong(format!("each is a text of 1 to {bytes_max} bytes without control characters"));
        }
        if !seen.insert(name) {
            return wrong(format!("`{}` is named twice", visible(name)));
        }
    }
    Ok(())
}

fn long_text(part: &'static str, text: &str, max: usize) -> Result<()> {
    if text.chars().count() > max {
        return Err(PresetError::Invalid { part, reason: format!("it has more than {max} characters") });
    }
    // Forms send line ends with a carriage return.
    let text = text.replace("\r\n", "\n");
    if visible(&text) != text {
        return Err(PresetError::Invalid { part, reason: "it holds characters that do not show".to_owned() });
    }
    Ok(())
}

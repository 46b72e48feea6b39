//! What the page of versions posts.

use doorward::{
    model::PresetId,
    presets::{MissingTool, PresetError},
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{api::mistake, history_path, named::named};
use crate::{
    context::console,
    form::{Form, Mistake, Onward},
    session,
    trouble::Trouble,
};

/// Where going back to a version is posted to.
pub(crate) const ROLL_BACK: &str = <RollBackPreset as ServerFn>::PATH;

/// The name of the form that goes back.
pub(crate) const FORM_ROLL_BACK: &str = "preset-roll-back";

/// Takes a preset back to what it took and how it was called in a version.
#[server(prefix = "/do", endpoint = "preset-roll-back")]
pub async fn roll_back_preset(id: String, to: i64, version: i64) -> Result<(), ServerFnError> {
    let back = format!("/presets/{id}/history");
    Form::new(FORM_ROLL_BACK).answer(&back, roll_back(&id, to, version).await)
}

async fn roll_back(id: &str, to: i64, version: i64) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let id: PresetId = id.parse().map_err(|_| Trouble::NotFound)?;
    let done = console().presets.roll_back(&member, id, to, version).await.map_err(|error| match error {
        error @ (PresetError::Stale { .. } | PresetError::NoVersion { .. }) => Mistake::form(error),
        // Names that were free then are taken by what sources offer since.
        error @ PresetError::Collision { .. } => Mistake::form(error),
        other => mistake(other),
    })?;
    let said = format!("Back to version {to}, as version {}.", done.preset.version);
    let onward = Onward::to(history_path(id));
    if done.missing.is_empty() {
        return Ok(onward.saying(said));
    }
    Ok(onward.warning(format!("{said} Not there any more: {}.", names(&done.missing))))
}

/// Names what is missing, in a line.
fn names(missing: &[MissingTool]) -> String {
    let name = |one: &MissingTool| match &one.tool {
        Some(tool) => format!("{tool} of {}", one.source),
        None => format!("the data source {}", one.source),
    };
    named(missing.iter().map(name))
}

#[cfg(test)]
mod tests {
    use doorward::model::SourceName;

    use super::*;

    #[test]
    fn a_long_list_of_missing_tools_is_cut() {
        let source = SourceName::parse("docs").unwrap();
        let tool = |n: usize| MissingTool { source: source.clone(), tool: Some(format!("t{n}")) };
        let mut missing: Vec<_> = (0..12).map(tool).collect();
        missing[0].tool = None;

        let text = names(&missing);

        assert!(text.starts_with("the data source docs, t1 of docs, "), "{text}");
        assert!(text.ends_with("t9 of docs, and 2 more"), "{text}");
    }
}

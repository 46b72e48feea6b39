//! Presets: composing virtual MCP servers, and handing out their addresses.
//!
//! A preset has three tabs: its tools, the lines that connect a client, and its settings.

mod api;
mod beside;
mod choose;
mod connect;
mod draft;
mod list;
mod new;
mod settings;
mod tools;
mod typed;

use doorward::{
    model::{PresetId, PresetStatus},
    presets::PresetEditor,
};

use crate::{
    context::console,
    page::Visit,
    trouble::Trouble,
    ui::{Tab, Tone},
};

pub(crate) use connect::page as connect;
pub(crate) use list::page as list;
pub(crate) use new::page as new;
pub(crate) use settings::page as settings;
pub(crate) use tools::page as tools;

/// Returns everything about a preset of whoever looks.
pub(crate) async fn open(visit: &Visit, id: &str) -> Result<PresetEditor, Trouble> {
    let id: PresetId = id.parse().map_err(|_| Trouble::NotFound)?;
    console().presets.editor(&visit.member, Some(id)).await?.ok_or(Trouble::NotFound)
}

/// The tabs of a preset's page.
pub(crate) fn tabs(id: PresetId) -> Vec<Tab> {
    vec![
        Tab::new(tools_path(id), "Tools"),
        Tab::new(format!("/presets/{id}/connect"), "Connect"),
        Tab::new(format!("/presets/{id}/try"), "Playground"),
        Tab::new(format!("/presets/{id}/settings"), "Settings"),
    ]
}

/// Returns the path of a preset's first tab.
pub(crate) fn tools_path(id: PresetId) -> String {
    format!("/presets/{id}")
}

/// Returns the word for a status, and what it means to the reader.
fn status(status: PresetStatus) -> (Tone, &'static str) {
    match status {
        PresetStatus::Active => (Tone::Good, "active"),
        PresetStatus::Disabled => (Tone::Off, "switched off"),
        PresetStatus::Archived => (Tone::Off, "archived"),
    }
}

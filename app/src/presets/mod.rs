//! Presets: composing virtual MCP servers, and handing out their addresses.
//!
//! A preset's tabs are its tools, the lines that connect a client, the playground, who it is shared with, its
//! settings, and what it was; whoever has it shared with them sees those that their level opens. Whoever may use it
//! may fork it; whoever it is offered to takes it over.

mod api;
mod beside;
mod choose;
mod connect;
mod draft;
mod fork;
mod fork_api;
mod history;
mod history_api;
mod invites;
mod list;
mod named;
mod new;
mod published;
mod settings;
mod share_api;
mod sharing;
mod tools;
mod typed;

use std::time::Duration;

use doorward::{
    clock::Ms,
    model::{AccessLevel, Preset, PresetId, PresetStatus},
    presets::OpenPreset,
};

use crate::{
    context::console,
    page::Visit,
    trouble::Trouble,
    ui::{Tab, Tone, now},
};

pub(crate) use connect::{keyless_line, page as connect};
pub(crate) use fork::{offered_page as offered, page as fork};
pub(crate) use history::page as history;
pub(crate) use list::page as list;
pub(crate) use new::page as new;
pub(crate) use published::{Published, shown};
pub(crate) use settings::page as settings;
pub(crate) use sharing::page as sharing;
pub(crate) use tools::page as tools;

/// Returns a preset that whoever looks may do this much with.
pub(crate) async fn open(visit: &Visit, id: &str, needs: AccessLevel) -> Result<OpenPreset, Trouble> {
    let id: PresetId = id.parse().map_err(|_| Trouble::NotFound)?;
    Ok(console().presets.open(&visit.member, id, needs).await?)
}

/// The tabs of a preset's page.
pub(crate) fn tabs(open: &OpenPreset) -> Vec<Tab> {
    let id = open.preset.id;
    let mut tabs =
        vec![Tab::new(tools_path(id), "Tools"), Tab::new(format!("/presets/{id}/connect"), "Connect")];
    if open.permit.tries() {
        tabs.push(Tab::new(format!("/presets/{id}/try"), "Playground"));
    }
    if open.permit.level() >= AccessLevel::Admin {
        tabs.push(Tab::new(sharing_path(id), "Sharing"));
    }
    if open.permit.level() >= AccessLevel::Editor {
        tabs.push(Tab::new(format!("/presets/{id}/settings"), "Settings"));
        tabs.push(Tab::new(history_path(id), "History"));
    }
    tabs
}

/// Says whose the preset is, if it is somebody else's.
pub(crate) fn owned_by(open: &OpenPreset) -> Option<String> {
    let level = match open.permit.level() {
        AccessLevel::Viewer => "You may use it.",
        AccessLevel::Editor => "You may use and change it.",
        AccessLevel::Admin => "You may use, change and share it.",
    };
    (!open.permit.owns()).then(|| format!("Shared by {}. {level}", open.owner))
}

/// Returns the path of the tab with who it is shared with.
pub(crate) fn sharing_path(id: PresetId) -> String {
    format!("/presets/{id}/sharing")
}

/// Returns the path of the tab with what it was.
pub(crate) fn history_path(id: PresetId) -> String {
    format!("/presets/{id}/history")
}

/// Returns the path of a preset's first tab.
pub(crate) fn tools_path(id: PresetId) -> String {
    format!("/presets/{id}")
}

/// Returns the path of the page on which a preset is forked.
pub(crate) fn fork_path(id: PresetId) -> String {
    format!("/presets/{id}/fork")
}

/// Says when a preset ends or has ended, if it does.
fn ends(preset: &Preset) -> Option<String> {
    let end = preset.expires_at?;
    let (verb, last) = (if preset.has_expired(now()) { "ended" } else { "ends" }, last_day(end));
    Some(format!("{verb} with {last}"))
}

/// Returns the last day, in UTC, before an instant.
fn last_day(end: Ms) -> String {
    end.minus(Duration::from_millis(1)).to_string().chars().take(10).collect()
}

/// Returns the word for whether a preset answers, and what it means to the reader.
fn status(preset: &Preset) -> (Tone, &'static str) {
    match preset.status {
        PresetStatus::Active if preset.has_expired(now()) => (Tone::Warn, "expired"),
        PresetStatus::Active => (Tone::Good, "active"),
        PresetStatus::Disabled => (Tone::Off, "switched off"),
        PresetStatus::Archived => (Tone::Off, "archived"),
    }
}

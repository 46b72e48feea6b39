//! The list of presets.

use doorward::{
    model::{PresetStatus, Visibility},
    presets::{OfferedPreset, OpenPreset, PresetSummary},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{ends, status, tools_path};
use crate::{
    context::console,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{Badge, Column, Copyable, Empty, Icon, Notice, Tab, Table, Tabs, Tone},
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let show = use_query_map().with_untracked(|map| map.get("show")).unwrap_or_default();
    framed(Place::Presets, move |visit| load(visit, show))
}

async fn load(visit: Visit, show: String) -> Result<Page, Trouble> {
    let all = console().presets.list(&visit.member).await?;
    let shared = console().presets.shared_with(&visit.member).await?;
    let offered = console().presets.offered(&visit.member).await?;
    let (archived, shared_only) = (show == "archived", show == "shared");
    let any = !all.is_empty();
    let (put_away, in_use): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|item| item.preset.status == PresetStatus::Archived);
    let tabs = vec![
        Tab::new("/presets", "In use").counting(in_use.len()),
        Tab::new("/presets?show=shared", "Shared with you").counting(shared.len()),
        Tab::new("/presets?show=archived", "Archived").counting(put_away.len()),
    ];
    let open = match (archived, shared_only) {
        (true, _) => "/presets?show=archived",
        (_, true) => "/presets?show=shared",
        (false, false) => "/presets",
    };
    let shown = if archived { put_away } else { in_use };
    let manages = visit.manages();
    let body = if shared_only { draw_shared(&shared) } else { draw(shown, archived, manages) };
    let body = view! {
        <div class="grid grid-cols-1 gap-5">
            {offered.iter().map(offer).collect_view()}
            {(any || !shared.is_empty()).then(|| view! { <Tabs label="Which presets" tabs open/> })}
            {body}
        </div>
    };
    Ok(Page::new("Presets", body)
        .lead("A preset is a virtual MCP server: the tools you pick, at an address of its own.")
        .actions(manages.then(|| {
            view! { <a class="button button-primary" href="/presets/new">{Icon::Plus.draw()} "New preset"</a> }
        })))
}

fn offer(offered: &OfferedPreset) -> impl IntoView + use<> {
    let (by, title) = (offered.transfer.by_handle.to_string(), offered.preset.title.clone());
    let path = format!("/presets/{}/offered", offered.preset.id);
    view! {
        <Notice tone=Tone::Plain>
            <p>{by} " hands “" {title} "” over to you. " <a class="link" href=path>"See the offer"</a></p>
        </Notice>
    }
}

fn draw(presets: Vec<PresetSummary>, archived: bool, manages: bool) -> AnyView {
    if presets.is_empty() {
        let (title, text) = if archived {
            ("Nothing is archived", "Presets that you put away stand here, and can be taken out again.")
        } else if !manages {
            ("No presets yet", "An administrator of the organisation makes them.")
        } else {
            (
                "No presets yet",
                "Pick tools from your data sources, and connect your agent to them by one line.",
            )
        };
        return view! {
            <Empty icon=Icon::Layers title text>
                {(manages && !archived).then(|| view! { <a class="button button-primary" href="/presets/new">"Make a preset"</a> })}
            </Empty>
        }
        .into_any();
    }
    let base = console().settings.base_url.clone();
    let rows = presets.iter().map(|item| row(item, &base)).collect_view();
    let columns = vec![
        Column::text("Preset"),
        Column::text("Address").wide(),
        Column::text("State"),
        Column::number("Tools"),
        Column::text("Sources").wide(),
    ];
    view! { <Table caption="Presets" columns>{rows}</Table> }.into_any()
}

fn draw_shared(shared: &[OpenPreset]) -> AnyView {
    if shared.is_empty() {
        return view! {
            <Empty icon=Icon::Layers title="Nothing is shared with you" text="Presets of others that you are invited to stand here."/>
        }
        .into_any();
    }
    let base = console().settings.base_url.clone();
    let rows = shared
        .iter()
        .map(|open| {
            let preset = &open.preset;
            let (tone, word) = status(preset);
            let address = format!("{base}/mcp/{}/{}", open.owner, preset.slug);
            view! {
                <tr>
                    <td>
                        <a class="link font-medium" href=tools_path(preset.id)>{preset.title.clone()}</a>
                        <p class="text-xs text-muted">{open.owner.to_string()} "/" {preset.slug.to_string()}</p>
                    </td>
                    <td class="hidden sm:table-cell"><Copyable text=address/></td>
                    <td><Badge tone word/></td>
                    <td>{open.permit.level().word()}</td>
                </tr>
            }
        })
        .collect_view();
    let columns = vec![
        Column::text("Preset"),
        Column::text("Address").wide(),
        Column::text("State"),
        Column::text("You are its"),
    ];
    view! { <Table caption="Presets shared with you" columns>{rows}</Table> }.into_any()
}

fn row(item: &PresetSummary, base: &str) -> impl IntoView + use<> {
    let preset = &item.preset;
    let (tone, word) = status(preset);
    let who = match (preset.visibility, preset.anonymous) {
        (Visibility::Private, _) => "private",
        (Visibility::InviteOnly, _) => "people you invite",
        (Visibility::Public, false) => "public, with a key",
        (Visibility::Public, true) => "public, without a key",
    };
    let sources: Vec<_> = item.sources.iter().map(|source| source.name.to_string()).collect();
    let title = preset.title.clone();
    let slug = (preset.slug.as_str() != title).then(|| preset.slug.to_string());
    let held = (item.held > 0).then(|| view! { <Badge tone=Tone::Held word=format!("{} held", item.held)/> });
    let beside: Vec<String> = [(item.resources, "resources"), (item.prompts, "prompts")]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, kind)| format!("{number} {kind}"))
        .collect();
    let beside = (!beside.is_empty()).then(|| beside.join(", "));
    view! {
        <tr>
            <td>
                <a class="link font-medium" href=tools_path(preset.id)>{title}</a>
                {slug.map(|slug| view! { <p class="text-xs text-muted">{slug}</p> })}
            </td>
            <td class="hidden sm:table-cell"><Copyable text=format!("{base}{}", item.path())/></td>
            <td>
                <Badge tone word/>
                <p class="text-xs text-muted">{who}</p>
                {ends(preset).map(|text| view! { <p class="text-xs text-muted">{text}</p> })}
            </td>
            <td class="number">
                {item.tools} " " {held}
                {beside.map(|words| view! { <p class="text-xs text-muted">{words}</p> })}
            </td>
            <td class="hidden sm:table-cell">{sources.join(", ")}</td>
        </tr>
    }
}

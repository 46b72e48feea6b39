//! The first tab of a preset: which tools it publishes.

use doorward::presets::{Collision, PresetEditor};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    api::{CHOOSE, FORM_TOOLS},
    choose::Chooser,
    open, status, tabs, tools_path,
};
use crate::{
    context::console,
    form::Form,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{Badge, Copyable, Empty, FormMistake, Icon, Notice, Tabs, Tone},
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let id = use_params_map().with_untracked(|map| map.get("id").unwrap_or_default());
    framed(Place::Presets, move |visit| load(visit, id))
}

async fn load(visit: Visit, id: String) -> Result<Page, Trouble> {
    let editor = open(&visit, &id).await?;
    let PresetEditor { preset, owner, sources, collisions } = editor;
    let preset = preset.ok_or(Trouble::NotFound)?;
    let form = visit.form(FORM_TOOLS);
    let (tone, word) = status(preset.status);
    let address = format!("{}/mcp/{owner}/{}", console().settings.base_url, preset.slug);
    let (preset_id, version) = (preset.id, preset.version);
    let body = if sources.is_empty() {
        view! {
            <Empty icon=Icon::Plug title="No data sources yet" text="Connect one first; its tools then stand here to be picked.">
                <a class="button button-primary" href="/sources/new">"Connect a data source"</a>
            </Empty>
        }
        .into_any()
    } else {
        view! {
            <form class="grid grid-cols-1 gap-4" method="post" action=CHOOSE>
                <FormMistake form=form.clone()/>
                {trouble_of(form, &collisions)}
                <input type="hidden" name="id" value=preset_id.to_string()/>
                <input type="hidden" name="version" value=version.to_string()/>
                <Chooser sources/>
                <div class="sticky bottom-0 flex flex-wrap items-center gap-3 border-t border-line bg-canvas py-3">
                    <button class="button button-primary" type="submit">"Save the choice"</button>
                    <button class="button" type="submit" name="rename" value="on">"Save, renaming what collides"</button>
                </div>
            </form>
        }
        .into_any()
    };
    let body = view! {
        <div class="grid grid-cols-1 gap-5">
            <Tabs label="Parts of the preset" tabs=tabs(preset_id) open=tools_path(preset_id)/>
            {body}
        </div>
    };
    Ok(Page::new(preset.title, body)
        .above("/presets", "Presets")
        .lead(view! {
            <p class="mb-2">{preset.description}</p>
            <div class="flex flex-wrap items-center gap-2"><Badge tone word/> <Copyable text=address/></div>
        })
        .actions(
            view! { <a class="button" href=format!("/presets/{preset_id}/connect")>"Connect a client"</a> },
        ))
}

fn trouble_of(form: Form, collisions: &[Collision]) -> impl IntoView + use<> {
    let refused = form.is_refused().then(|| view! {
        <p class="text-[13px] text-muted">"Your browser's Back button brings back what you had ticked."</p>
    });
    let lines: Vec<_> = collisions
        .iter()
        .map(|Collision { name, first, second, suggestion }| {
            format!(
                "{name}: {} of {} keeps it; {} of {} is not published until it has another name, such as {suggestion}.",
                first.1, first.0, second.1, second.0
            )
        })
        .collect();
    let collisions = (!lines.is_empty()).then(|| {
        let lines = lines.into_iter().map(|line| view! { <li>{line}</li> }).collect_view();
        view! {
            <Notice tone=Tone::Warn>
                <p class="font-medium">"Two tools want one name"</p>
                <ul class="list-disc pl-5">{lines}</ul>
            </Notice>
        }
    });
    view! { {refused} {collisions} }
}

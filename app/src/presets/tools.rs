//! The first tab of a preset: which tools it publishes.

use doorward::{
    model::{AccessLevel, PresetId},
    presets::{Collision, OpenPreset, PresetEditor},
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    api::{CHOOSE, FORM_TOOLS},
    choose::Chooser,
    draft::selections,
    fork_path, open, owned_by,
    published::Published,
    status, tabs, tools_path, typed,
};
use crate::{
    context::console,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{Badge, Copyable, Empty, FormMistake, Icon, Notice, Tabs, Tone, now, prose},
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let id = use_params_map().with_untracked(|map| map.get("id").unwrap_or_default());
    framed(Place::Presets, move |visit| load(visit, id))
}

async fn load(visit: Visit, id: String) -> Result<Page, Trouble> {
    let open = open(&visit, &id, AccessLevel::Viewer).await?;
    if open.permit.level() < AccessLevel::Editor {
        return published(open).await;
    }
    let editor = console().presets.editor(&visit.member, open.preset.id).await?.ok_or(Trouble::NotFound)?;
    let PresetEditor { preset, owner, mut sources, mut collisions } = editor;
    let preset = preset.ok_or(Trouble::NotFound)?;
    let form = visit.form(FORM_TOOLS);
    let typed = if form.is_refused() { typed::find(visit.member.user, Some(preset.id), now()) } else { None };
    if let Some(typed) = &typed {
        typed.show(&mut sources);
        let wanted = selections(&typed.sources, &typed.tools, typed.ticked()).unwrap_or_default();
        collisions = console().presets.preview(&visit.member, Some(preset.id), &wanted).await?.collisions;
    }
    let (tone, word) = status(&preset);
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
                {trouble_of(typed.is_some().then_some(preset_id), &collisions)}
                <input type="hidden" name="id" value=preset_id.to_string()/>
                <input type="hidden" name="version" value=version.to_string()/>
                <Chooser sources typed=typed.is_some()/>
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
            <Tabs label="Parts of the preset" tabs=tabs(&open) open=tools_path(preset_id)/>
            {body}
        </div>
    };
    Ok(Page::new(preset.title, body)
        .above("/presets", "Presets")
        .lead(view! {
            <p class="mb-2">{preset.description}</p>
            {owned_by(&open).map(|whose| view! { <p class="mb-2 text-muted">{whose}</p> })}
            <div class="flex flex-wrap items-center gap-2"><Badge tone word/> <Copyable text=address/></div>
        })
        .actions(view! {
            <a class="button" href=fork_path(preset_id)>"Fork"</a>
            <a class="button" href=format!("/presets/{preset_id}/connect")>"Connect a client"</a>
        }))
}

/// What whoever may only use the preset sees: the tools it publishes.
async fn published(open: OpenPreset) -> Result<Page, Trouble> {
    let (owner, preset) = (&open.owner, &open.preset);
    let table = console().presets.route_table(owner.as_str(), preset.slug.as_str()).await?;
    let table = table.ok_or(Trouble::NotFound)?;
    let address = format!("{}/mcp/{owner}/{}", console().settings.base_url, preset.slug);
    let (tone, word) = status(preset);
    let body = view! {
        <div class="grid grid-cols-1 gap-5">
            <Tabs label="Parts of the preset" tabs=tabs(&open) open=tools_path(preset.id)/>
            <Published table/>
        </div>
    };
    let (id, description) = (preset.id, preset.description.clone());
    Ok(Page::new(preset.title.clone(), body)
        .above("/presets?show=shared", "Presets")
        .lead(view! {
            <p class="mb-2">{description}</p>
            {owned_by(&open).map(|whose| view! { <p class="mb-2 text-muted">{whose}</p> })}
            <div class="flex flex-wrap items-center gap-2"><Badge tone word/> <Copyable text=address/></div>
        })
        .actions(view! { <a class="button" href=fork_path(id)>"Fork"</a> }))
}

/// What stands between the choice and being saved. `unsaved` = what is shown was typed, not saved.
fn trouble_of(unsaved: Option<PresetId>, collisions: &[Collision]) -> impl IntoView + use<> {
    let saved = unsaved.map(|id| {
        view! { <p class="text-[13px]"><a class="link" href=tools_path(id)>"Show what is saved instead"</a></p> }
    });
    let lines = collisions
        .iter()
        .map(|Collision { name, first, second, suggestion }| {
            let text = format!(
                "`{name}` stays with `{}` of {}. `{}` of {} needs another name, such as `{suggestion}`.",
                first.1, first.0, second.1, second.0
            );
            view! { <li>{prose(&text)}</li> }
        })
        .collect_view();
    let collisions = (!collisions.is_empty()).then(|| {
        view! {
            <Notice tone=Tone::Warn>
                <p class="font-medium">"Two tools want one name"</p>
                <ul class="list-disc pl-5">{lines}</ul>
            </Notice>
        }
    });
    view! { {collisions} {saved} }
}

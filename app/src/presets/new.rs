//! The page that makes a preset: a name, who may use it, and its tools.

use doorward::model::OrgRole;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{
    api::{CREATE, FORM_NEW},
    choose::Chooser,
    settings::access_picks,
    typed,
};
use crate::{
    context::console,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{Choice, Empty, Field, FormMistake, Icon, Panel, TextArea, now},
};

/// Draws the page. The address may name a source (`?source=files`) that is taken as a whole.
pub(crate) fn page() -> AnyView {
    let suggested = use_query_map().with_untracked(|map| map.get("source"));
    framed(Place::Presets, move |visit| load(visit, suggested))
}

async fn load(visit: Visit, suggested: Option<String>) -> Result<Page, Trouble> {
    visit.needs(OrgRole::Admin)?;
    let mut editor = console().presets.new_editor(&visit.member).await?;
    let page = |body: AnyView| {
        Page::new("New preset", body)
            .above("/presets", "Presets")
            .lead("Name it, tick its tools, and it answers at its own address.")
    };
    if editor.sources.is_empty() {
        return Ok(page(
            view! {
                <Empty icon=Icon::Plug title="No data sources yet" text="A preset is made of tools, and tools come from data sources.">
                    <a class="button button-primary" href="/sources/new">"Connect a data source"</a>
                </Empty>
            }
            .into_any(),
        ));
    }
    // With one source there is nothing to choose between.
    let only = (editor.sources.len() == 1).then(|| editor.sources[0].source.name.to_string());
    let suggested = suggested.or(only).unwrap_or_default();
    let first_slug = suggested.clone();
    let form = visit.form(FORM_NEW);
    let typed = if form.is_refused() { typed::find(visit.member.user, None, now()) } else { None };
    if let Some(typed) = &typed {
        typed.show(&mut editor.sources);
    }
    let suggested = if typed.is_some() { String::new() } else { suggested };
    let address = format!("{}/mcp/{}/…", console().settings.base_url, editor.owner);
    let sources = editor.sources;
    Ok(page(
        view! {
            <form class="grid grid-cols-1 gap-5" method="post" action=CREATE>
                <FormMistake form=form.clone()/>
                <Panel title="Name and access">
                    <div class="grid max-w-xl gap-4">
                        <Field
                            form=form.clone()
                            name="slug"
                            label="Slug"
                            mono=true
                            first=first_slug
                            placeholder="release-notes"
                            hint=format!("The last part of its address, {address}: lower-case letters, digits and -")
                        />
                        <Field form=form.clone() name="title" label="Title" optional=true hint="What people see; the slug if left empty."/>
                        <TextArea
                            form=form.clone()
                            name="description"
                            label="Description"
                            optional=true
                            hint="What it is for. Clients hand it to the model as instructions."
                        />
                        <Choice form=form name="access" label="Who may use it" first="private" picks=access_picks()/>
                    </div>
                </Panel>
                <Chooser sources suggested typed=typed.is_some()/>
                <div class="sticky bottom-0 border-t border-line bg-canvas py-3">
                    <button class="button button-primary" type="submit">"Make the preset"</button>
                </div>
            </form>
        }
        .into_any(),
    ))
}

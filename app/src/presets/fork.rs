//! The pages on which a preset is forked, and taken over from who offers it.

use doorward::{
    model::{OrgRole, PresetId, Visibility},
    presets::{ForkPart, Forkable, OfferedPreset},
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    fork_api::{FORK, FORM_FORK, FORM_TAKE_OVER, TAKE_OVER, TURN_DOWN},
    tools_path,
};
use crate::{
    context::console,
    form::Form,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{Ago, Empty, Field, FormMistake, Icon, Notice, Panel, PostButton, Tone},
};

/// How many of the names that a data source lacks are shown.
const NAMED_MAX: usize = 6;

/// Draws the page on which a preset is forked.
pub(crate) fn page() -> AnyView {
    let id = use_params_map().with_untracked(|map| map.get("id").unwrap_or_default());
    framed(Place::Presets, move |visit| load(visit, id))
}

/// Draws the page on which a preset is taken over that is offered.
pub(crate) fn offered_page() -> AnyView {
    let id = use_params_map().with_untracked(|map| map.get("id").unwrap_or_default());
    framed(Place::Presets, move |visit| load_offered(visit, id))
}

async fn load(visit: Visit, id: String) -> Result<Page, Trouble> {
    let id: PresetId = id.parse().map_err(|_| Trouble::NotFound)?;
    let found = console().presets.forkable(&visit.member, id).await?;
    visit.needs(OrgRole::Admin)?;
    let form = visit.form(FORM_FORK);
    let title = format!("Fork “{}”", found.preset.title);
    let body = view! {
        <form class="grid grid-cols-1 gap-5" method="post" action=FORK>
            {fields(&found, &form)}
            <div class="flex flex-wrap gap-2">
                <button class="button button-primary" type="submit">"Make the fork"</button>
                <a class="button" href=tools_path(id)>"Cancel"</a>
            </div>
        </form>
    };
    Ok(Page::new(title, body).above("/presets", "Presets").lead(
        "A preset of your own that takes the same tools from your data sources. Only you may use it until you share it.",
    ))
}

async fn load_offered(visit: Visit, id: String) -> Result<Page, Trouble> {
    let id: PresetId = id.parse().map_err(|_| Trouble::NotFound)?;
    let console = console();
    let offered = console.presets.offered_to(&visit.member, id).await?.ok_or(Trouble::NotFound)?;
    let found = console.presets.forkable(&visit.member, id).await?;
    let form = visit.form(FORM_TAKE_OVER);
    let OfferedPreset { transfer, preset, owner } = offered;
    let title = format!("{} hands “{}” over to you", transfer.by_handle, preset.title);
    let who = match (preset.visibility, preset.anonymous) {
        (Visibility::Private, _) => "Only you may use it.",
        (Visibility::InviteOnly, _) => "Whoever is on its access list may use it, as now.",
        (Visibility::Public, false) => "Everybody with an account here may use it, as now.",
        (Visibility::Public, true) => {
            "Anybody may use it without a key, as now: their calls count on your quota."
        }
    };
    let old = format!("{}/mcp/{owner}/{}", console.settings.base_url, preset.slug);
    let (handle, at) = (visit.member.tenant_handle.to_string(), transfer.expires_at);
    let turn_down = vec![("id", id.to_string())];
    let body = view! {
        <Notice tone=Tone::Plain>
            <div class="grid gap-1">
                <p>{who} " You see to its tools from then on, with data sources and credentials of your own."</p>
                <p>
                    "Its address begins with its owner, so " <code class="break-all">{old}</code>
                    " ends: its clients connect to the new one, under " {handle} ", and sign in again."
                </p>
                <p class="text-muted">"The offer ends " <Ago at/> "."</p>
            </div>
        </Notice>
        <form class="grid grid-cols-1 gap-5" method="post" action=TAKE_OVER>
            {fields(&found, &form)}
            <div><button class="button button-primary" type="submit">"Take it over"</button></div>
        </form>
        <div class="border-t border-line pt-4">
            <PostButton action=TURN_DOWN fields=turn_down class=tw!("button")>"Turn the offer down"</PostButton>
        </div>
    };
    Ok(Page::new(title, body).above("/presets", "Presets").lead(preset.description))
}

fn fields(found: &Forkable, form: &Form) -> impl IntoView + use<> {
    let (form, preset) = (form.clone(), &found.preset);
    let (id, slug, title) = (preset.id.to_string(), preset.slug.to_string(), preset.title.clone());
    let parts = if found.parts.is_empty() {
        view! { <Empty icon=Icon::Plug title="It takes nothing" text="There are no tools to choose data sources for."/> }
            .into_any()
    } else {
        let parts = found.parts.iter().enumerate().map(|(place, one)| part(place, one, &form)).collect_view();
        view! { <div class="grid grid-cols-1 gap-5">{parts}</div> }.into_any()
    };
    view! {
        <FormMistake form=form.clone()/>
        <input type="hidden" name="id" value=id/>
        <Panel title="Name">
            <div class="grid max-w-xl gap-4">
                <Field
                    form=form.clone()
                    name="slug"
                    label="Slug"
                    mono=true
                    first=slug
                    hint="The last part of its address: lower-case letters, digits and -"
                />
                <Field form=form.clone() name="title" label="Title" first=title/>
            </div>
        </Panel>
        <Panel title="Data sources" lead="Which of yours gives the tools. Addresses and credentials of the original stay with its owner.">
            {parts}
        </Panel>
    }
}

fn part(place: usize, part: &ForkPart, form: &Form) -> impl IntoView + use<> {
    let names = part.tools.iter().chain(&part.prompts);
    let summary = summary(part);
    let names =
        names.map(|name| view! { <li><code class="break-all">{name.clone()}</code></li> }).collect_view();
    let (of, own) = (format!("sources[{place}][of]"), format!("sources[{place}][own]"));
    let id = format!("{}-part-{place}", form.name());
    let best = part.choices.first().map(|choice| choice.source.id.to_string()).unwrap_or_default();
    let chosen = form.value_or(&part.of.to_string(), &best);
    let control = if part.choices.is_empty() {
        view! {
            <input type="hidden" name=own value=""/>
            <p class="text-muted">
                "None of your data sources has any of it, so it is left out. "
                <a class="link" href="/sources/new">"Connect one"</a> " and come back to have it."
            </p>
        }
        .into_any()
    } else {
        let options = part
            .choices
            .iter()
            .map(|choice| {
                let value = choice.source.id.to_string();
                let selected = value == chosen;
                let label = match choice.lacks.len() {
                    0 => format!("{}: has all of it", choice.source.name),
                    1..=NAMED_MAX => format!("{}: lacks {}", choice.source.name, choice.lacks.join(", ")),
                    many => format!("{}: lacks {many} of it", choice.source.name),
                };
                view! { <option value=value selected=selected>{label}</option> }
            })
            .collect_view();
        let none = chosen.is_empty();
        view! {
            <div class="grid max-w-xl gap-1.5">
                <label for=id.clone()>"Taken from"</label>
                <select id=id name=own>
                    {options}
                    <option value="" selected=none>"nothing: leave it out"</option>
                </select>
            </div>
        }
        .into_any()
    };
    view! {
        <div class="grid grid-cols-1 gap-2">
            <input type="hidden" name=of value=part.of.to_string()/>
            <details>
                <summary class="link break-words font-medium">{summary}</summary>
                <ul class="mt-2 grid gap-1 text-[13px]">{names}</ul>
            </details>
            {control}
        </div>
    }
}

/// Says what a part holds, as in `3 tools, 1 prompt: echo, sum, …`.
fn summary(part: &ForkPart) -> String {
    let counts = [(part.tools.len(), "tool"), (part.prompts.len(), "prompt"), (part.resources, "resource")];
    let counted: Vec<String> = counts
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}{}", if number == 1 { "" } else { "s" }))
        .collect();
    let mut names: Vec<&str> =
        part.tools.iter().chain(&part.prompts).take(NAMED_MAX).map(String::as_str).collect();
    if part.tools.len() + part.prompts.len() > NAMED_MAX {
        names.push("…");
    }
    match (counted.is_empty(), names.is_empty()) {
        (true, _) => "Nothing at the moment".to_owned(),
        (false, true) => counted.join(", "),
        (false, false) => format!("{}: {}", counted.join(", "), names.join(", ")),
    }
}

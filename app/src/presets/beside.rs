//! Choosing resources and prompts of a source, below its tools.
//!
//! All texts were written by the source. They are shown as text, never as markup.

use doorward::{
    model::{ResourceKind, SourceName, Take, ToolState},
    presets::{EditorPrompt, EditorResource},
};
use leptos::prelude::*;

use crate::ui::{Badge, Tone, count};

/// How many resources of a source that are not taken by name are shown; a source may have thousands.
const SHOWN_MAX: usize = 200;

/// Draws the fields of one source; nothing for a kind it has none of.
pub(super) fn draw(
    place: usize,
    source: &SourceName,
    (takes_resources, resources): (Take, Vec<EditorResource>),
    (takes_prompts, prompts): (Take, Vec<EditorPrompt>),
) -> impl IntoView + use<> {
    let resources = (!resources.is_empty() || takes_resources != Take::None)
        .then(|| resource_fields(place, source, &takes_resources, resources));
    let prompts = (!prompts.is_empty() || takes_prompts != Take::None)
        .then(|| prompt_fields(place, source, &takes_prompts, prompts));
    view! { {resources} {prompts} }
}

fn resource_fields(
    place: usize,
    source: &SourceName,
    takes: &Take,
    resources: Vec<EditorResource>,
) -> impl IntoView + use<> {
    let total = resources.len();
    let by_name = matches!(takes, Take::Only(_));
    let (named, rest): (Vec<_>, Vec<_>) = resources.into_iter().partition(|one| by_name && one.taken);
    let hidden = rest.len().saturating_sub(SHOWN_MAX);
    let rows = named
        .into_iter()
        .chain(rest.into_iter().take(SHOWN_MAX))
        .map(|one| resource_row(place, one))
        .collect_view();
    let legend = format!("Which resources to take from {source}");
    view! {
        <div class="border-t border-line">
            {heading(format!("sources[{place}][resources]"), legend, takes, format!("{} resources", count(total as i64)), "Ticked resources", "All, also later ones")}
            <ul class="divide-y divide-line">{rows}</ul>
            {(hidden > 0).then(|| view! {
                <p class="px-4 py-2 text-[13px] text-muted">
                    {format!("{} more are not shown here: take all, or name them through the API or a document.", count(hidden as i64))}
                </p>
            })}
        </div>
    }
}

fn prompt_fields(
    place: usize,
    source: &SourceName,
    takes: &Take,
    prompts: Vec<EditorPrompt>,
) -> impl IntoView + use<> {
    let total = prompts.len();
    let rows = prompts.into_iter().map(|one| prompt_row(place, one)).collect_view();
    let legend = format!("Which prompts to take from {source}");
    view! {
        <div class="border-t border-line">
            {heading(format!("sources[{place}][prompts]"), legend, takes, format!("{} prompts", count(total as i64)), "Ticked prompts", "All, also later ones you accept")}
            <ul class="divide-y divide-line">{rows}</ul>
        </div>
    }
}

fn heading(
    name: String,
    legend: String,
    takes: &Take,
    total: String,
    some: &'static str,
    all: &'static str,
) -> impl IntoView + use<> {
    let taken = match takes {
        Take::None => "none",
        Take::Only(_) => "some",
        Take::All => "all",
    };
    let picks = [("none", "Nothing"), ("some", some), ("all", all)]
        .map(|(value, label)| {
            let checked = value == taken;
            view! {
                <label class="flex items-center gap-1.5">
                    <input type="radio" name=name.clone() value=value checked=checked/>
                    {label}
                </label>
            }
        })
        .collect_view();
    view! {
        <div class="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 border-b border-line px-4 py-2">
            <h3 class="text-[13px] text-muted">{total}</h3>
            <fieldset class="flex flex-wrap gap-x-4 gap-y-1 text-[13px]">
                <legend class="sr-only">{legend}</legend>
                {picks}
            </fieldset>
        </div>
    }
}

fn resource_row(place: usize, resource: EditorResource) -> impl IntoView {
    let EditorResource { shown, kind, taken } = resource;
    let badge = match kind {
        Some(ResourceKind::Resource) => None,
        Some(ResourceKind::Template) => Some((Tone::Off, "template")),
        None => Some((Tone::Off, "gone from the source")),
    };
    let search = format!("{} {} {}", shown.uri, shown.title, shown.description).to_lowercase();
    row(
        "resources[]",
        format!("{place} {}", shown.uri),
        taken,
        shown.uri,
        shown.title,
        shown.description,
        badge,
        search,
    )
}

fn prompt_row(place: usize, prompt: EditorPrompt) -> impl IntoView {
    let EditorPrompt { name, title, description, state, taken } = prompt;
    let badge = match state {
        ToolState::Accepted => None,
        ToolState::New => Some((Tone::Held, "new: held until you accept it")),
        ToolState::Changed => Some((Tone::Held, "changed: held until you accept it")),
        ToolState::Gone => Some((Tone::Off, "gone from the source")),
    };
    let search = format!("{name} {title} {description}").to_lowercase();
    row("prompts[]", format!("{place} {name}"), taken, name, title, description, badge, search)
}

#[expect(clippy::too_many_arguments, reason = "each is one part of the row")]
fn row(
    field: &'static str,
    value: String,
    taken: bool,
    name: String,
    title: String,
    description: String,
    badge: Option<(Tone, &'static str)>,
    search: String,
) -> impl IntoView {
    view! {
        <li class="px-4 py-2" data-filter=search>
            <label class="flex items-start gap-2.5">
                <input class="mt-0.5" type="checkbox" name=field value=value checked=taken/>
                <span class="min-w-0">
                    <code class="break-all">{name}</code>
                    {(!title.is_empty()).then(|| view! { <span class="text-muted">" " {title}</span> })}
                    {badge.map(|(tone, word)| view! { " " <Badge tone word/> })}
                    <span class="line-clamp-2 text-[13px] text-muted">{description}</span>
                </span>
            </label>
        </li>
    }
}

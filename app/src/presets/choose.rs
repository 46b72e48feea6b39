//! Choosing tools: every source of the owner with its tools, each with a box to tick.

use doorward::{
    model::{HealthState, Take, ToolState},
    presets::{EditorSource, EditorTool},
};
use leptos::prelude::*;

use super::beside;
use crate::{
    island::FilterBox,
    ui::{Badge, Icon, Tone, count},
};

/// The sources and tools as fields of the form around them.
#[component]
pub(super) fn Chooser(
    /// Every source of the owner.
    sources: Vec<EditorSource>,
    /// The source that is taken from although nothing was chosen yet: the one just added.
    #[prop(optional)]
    suggested: Option<String>,
    /// Whether the sources show what was typed and not saved.
    #[prop(optional)]
    typed: bool,
) -> impl IntoView {
    let mut next = 0;
    let blocks = sources
        .into_iter()
        .enumerate()
        .map(|(place, mut source)| {
            if suggested.as_deref() == Some(source.source.name.as_str()) && !source.selected {
                source.selected = true;
                source.all = true;
                for tool in &mut source.tools {
                    tool.enabled = tool.state == ToolState::Accepted;
                }
                (source.takes_resources, source.takes_prompts) = (Take::All, Take::All);
            }
            let first = next;
            next += source.tools.len();
            block(place, source, first, typed)
        })
        .collect_view();
    view! {
        <div class="grid grid-cols-1 gap-4">
            <FilterBox label="Find a tool, resource or prompt".to_owned()/>
            {blocks}
        </div>
    }
}

fn block(place: usize, source: EditorSource, first: usize, typed: bool) -> impl IntoView {
    let EditorSource { source, selected, all, tools, takes_resources, resources, takes_prompts, prompts } =
        source;
    let beside = beside::draw(place, &source.name, (takes_resources, resources), (takes_prompts, prompts));
    let why = (!source.health.detail.is_empty()).then(|| source.health.detail.clone());
    let take = match (selected, all) {
        (false, _) => "none",
        (true, true) => "all",
        (true, false) => "some",
    };
    let picks = [("none", "Nothing"), ("some", "Ticked tools"), ("all", "All, also later ones you accept")]
        .map(|(value, label)| {
            let checked = value == take;
            view! {
                <label class="flex items-center gap-1.5">
                    <input type="radio" name=format!("sources[{place}][take]") value=value checked=checked/>
                    {label}
                </label>
            }
        })
        .collect_view();
    let trouble = if !source.enabled {
        Some((Tone::Off, "switched off"))
    } else if source.health.state == HealthState::Failing {
        Some((Tone::Bad, "failing"))
    } else {
        None
    };
    let published = tools.iter().filter(|tool| tool.published).count();
    let total = tools.len();
    let rows = tools
        .into_iter()
        .enumerate()
        .map(|(offset, tool)| row(place, first + offset, tool, selected || typed))
        .collect_view();
    view! {
        <section class="panel">
            <header class="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 border-b border-line px-4 py-3">
                <div class="flex flex-wrap items-center gap-2">
                    {Icon::Plug.draw()}
                    <h2><a class="hover:underline" href=format!("/sources/{}", source.id)>{source.name.to_string()}</a></h2>
                    {trouble.map(|(tone, word)| view! { <Badge tone word/> })}
                    <span class="text-[13px] text-muted">
                        {format!("{} of {} tools published", count(published as i64), count(total as i64))}
                    </span>
                </div>
                <fieldset class="flex flex-wrap gap-x-4 gap-y-1 text-[13px]">
                    <legend class="sr-only">{format!("What to take from {}", source.name)}</legend>
                    <input type="hidden" name=format!("sources[{place}][id]") value=source.id.to_string()/>
                    {picks}
                </fieldset>
            </header>
            {why.map(|why| view! {
                <p class="border-b border-line px-4 py-2 text-[13px] text-bad break-words">
                    "It could not be used when it was last tried. What it offers stays listed; calls answer with the reason: " {why}
                </p>
            })}
            <ul class="divide-y divide-line">{rows}</ul>
            {beside}
        </section>
    }
}

fn row(place: usize, index: usize, tool: EditorTool, selected: bool) -> impl IntoView {
    let field = |name: &str| format!("tools[{index}][{name}]");
    let state = match tool.state {
        ToolState::Accepted => None,
        ToolState::New => Some((Tone::Held, "new: held until you accept it")),
        ToolState::Changed => Some((Tone::Held, "changed: held until you accept it")),
        ToolState::Gone => Some((Tone::Off, "gone from the source")),
    };
    let flags: Vec<_> = tool.flags.iter().map(ToString::to_string).collect();
    let flags = flags
        .into_iter()
        .map(|flag| view! { <p class="text-[13px] text-warn">{Icon::Alert.sized(tw!("inline size-3.5"))} " The name " {flag} "."</p> })
        .collect_view();
    let special = tool.exposed_name.is_some() || tool.exposed_description.is_some() || tool.check_arguments;
    let search = format!("{} {} {}", tool.name, tool.title, tool.description).to_lowercase();
    // A tool of a source that is not taken is ticked already, so that choosing the source is enough.
    let ticked = if selected { tool.enabled } else { tool.state == ToolState::Accepted };
    let shown_as = tool.exposed_name.clone().unwrap_or_default();
    let name_hint = tool.name.clone();
    view! {
        <li class="grid grid-cols-1 gap-1 px-4 py-2.5" data-filter=search>
            <input type="hidden" name=field("source") value=place.to_string()/>
            <input type="hidden" name=field("name") value=tool.name.clone()/>
            <label class="flex items-start gap-2.5">
                <input class="mt-0.5" type="checkbox" name=field("on") value="on" checked=ticked/>
                <span class="min-w-0">
                    <code class="font-medium">{tool.name.clone()}</code>
                    {(!shown_as.is_empty()).then(|| view! {
                        <span class="text-muted">" shown as " <code>{shown_as.clone()}</code></span>
                    })}
                    {state.map(|(tone, word)| view! { " " <Badge tone word/> })}
                    <span class="line-clamp-2 text-[13px] text-muted">{tool.description.clone()}</span>
                </span>
            </label>
            {flags}
            <details class="ml-6.5 text-[13px]" open=special>
                <summary class="link inline-block">"Rename, describe, check"</summary>
                <div class="mt-2 mb-1 grid gap-3 sm:grid-cols-2">
                    <label class="grid grid-cols-1 gap-1 text-muted">
                        "Name callers see"
                        <input class="font-mono" type="text" name=field("shown_as") value=tool.exposed_name.unwrap_or_default() placeholder=name_hint spellcheck="false"/>
                    </label>
                    <label class="grid grid-cols-1 gap-1 text-muted">
                        "Description callers see"
                        <input type="text" name=field("description") value=tool.exposed_description.unwrap_or_default() placeholder="as the source says"/>
                    </label>
                    <label class="flex items-center gap-2 sm:col-span-2">
                        <input type="checkbox" name=field("check") value="on" checked=tool.check_arguments/>
                        "Check arguments against the schema before the source is asked"
                    </label>
                </div>
            </details>
        </li>
    }
}

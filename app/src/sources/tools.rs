//! A source's tools, and its prompts in the same way: what is held and why, then everything there
//! is.
//!
//! All texts of a tool were written by the source. They are shown as text, never as markup.

use doorward::{
    model::{SourceId, ToolState},
    sources::{PartDiff, SourceDetail, ToolDiff, ToolView},
};
use leptos::prelude::*;

use super::{
    api::{ACCEPT, ACCEPT_PROMPTS},
    view::tool_badge,
};
use crate::ui::{Ago, Empty, Icon, Panel, PostButton};

/// The two kinds of thing drawn here.
#[derive(Clone, Copy)]
struct Kind {
    /// What they are called, and the last part of the tab's path.
    plural: &'static str,
    /// Where accepting is posted to.
    accept: &'static str,
    /// The name of the field with what is accepted.
    field: &'static str,
    /// Said when there are none.
    none: (&'static str, &'static str),
}

const TOOLS: Kind = Kind {
    plural: "tools",
    accept: ACCEPT,
    field: "tools[]",
    none: (
        "No tools are known yet",
        "They are read when the source is tested for the first time with success.",
    ),
};

const PROMPTS: Kind = Kind {
    plural: "prompts",
    accept: ACCEPT_PROMPTS,
    field: "prompts[]",
    none: (
        "It lists no prompts",
        "Prompts are texts a source writes for people to pick. What it lists later is held here until you look.",
    ),
};

/// Draws the tab of tools.
pub(super) fn draw(detail: SourceDetail, wanted: &str, manages: bool) -> impl IntoView + use<> {
    draw_kind(TOOLS, detail.source.id, detail.tools, wanted, manages)
}

/// Draws the tab of prompts.
pub(super) fn draw_prompts(detail: SourceDetail, wanted: &str, manages: bool) -> impl IntoView + use<> {
    draw_kind(PROMPTS, detail.source.id, detail.prompts, wanted, manages)
}

fn draw_kind(
    kind: Kind,
    id: SourceId,
    tools: Vec<ToolView>,
    wanted: &str,
    manages: bool,
) -> impl IntoView + use<> {
    let (held, rest): (Vec<_>, Vec<_>) =
        tools.into_iter().partition(|tool| matches!(tool.state, ToolState::New | ToolState::Changed));
    let total = rest.len();
    let shown: Vec<_> = rest.into_iter().filter(|tool| matches(tool, wanted)).collect();
    let nothing_at_all = held.is_empty() && total == 0;
    let (title, text) = kind.none;
    view! {
        <div class="grid gap-6">
            {(!held.is_empty()).then(|| waiting(kind, id, held, manages))}
            {if nothing_at_all {
                view! {
                    <Empty
                        icon=Icon::Wrench
                        title=title
                        text=text
                    />
                }.into_any()
            } else {
                catalogue(kind, id, shown, total, wanted).into_any()
            }}
        </div>
    }
}

fn matches(tool: &ToolView, wanted: &str) -> bool {
    let wanted = wanted.trim().to_lowercase();
    [&tool.name, &tool.title, &tool.description].into_iter().any(|text| text.to_lowercase().contains(&wanted))
}

/// What waits for the owner, with the difference.
fn waiting(kind: Kind, id: SourceId, held: Vec<ToolView>, manages: bool) -> impl IntoView {
    let all: Vec<_> = held.iter().map(shown_as).collect();
    let several = manages && held.len() > 1;
    let everything = several.then(|| {
        let mut fields = vec![("id", id.to_string())];
        fields.extend(all.into_iter().map(|tool| (kind.field, tool)));
        view! {
            <PostButton action=kind.accept fields=fields class="button button-small">{Icon::Check.draw()} "Accept all shown"</PostButton>
        }
        .into_any()
    });
    let rows = held.into_iter().map(|tool| held_tool(kind, id, tool, manages)).collect_view();
    view! {
        <Panel
            title="Held until you look"
            lead="Agents do not see these. A description can carry instructions to a model: read before you accept."
            actions=everything.into_any()
        >
            <ul class="grid gap-4">{rows}</ul>
        </Panel>
    }
}

fn held_tool(kind: Kind, id: SourceId, tool: ToolView, manages: bool) -> impl IntoView {
    let accept = shown_as(&tool);
    let fields = vec![("id", id.to_string()), (kind.field, accept)];
    let label = format!("Accept {}", tool.name);
    let body = match tool.diff {
        Some(diff) => difference(diff).into_any(),
        None => view! {
            <p class="whitespace-pre-wrap break-words">{described(&tool.description)}</p>
            {definition(tool.definition.clone())}
        }
        .into_any(),
    };
    view! {
        <li class="grid gap-3 rounded-md border border-line p-3">
            <div class="flex flex-wrap items-center justify-between gap-2">
                <div class="flex min-w-0 flex-wrap items-center gap-2">
                    <code class="font-medium break-all">{tool.name}</code>
                    {tool_badge(tool.state)}
                </div>
                {manages.then(|| view! {
                    <PostButton action=kind.accept fields=fields label=label>{Icon::Check.draw()} "Accept"</PostButton>
                })}
            </div>
            {body}
        </li>
    }
}

/// The fields that name a tool as it is shown on this page.
fn shown_as(tool: &ToolView) -> String {
    format!("{} {}", tool.hash.0, tool.name)
}

fn difference(diff: ToolDiff) -> impl IntoView {
    let parts = diff
        .parts
        .into_iter()
        .map(|PartDiff { part, old, new }| {
            view! {
                <div class="grid gap-1">
                    <h3 class="text-muted">{format!("The {} changed", part.label())}</h3>
                    <div class="grid gap-2 lg:grid-cols-2">
                        {side("Accepted", old, tw!("rounded-md border border-bad-line bg-bad-soft p-2"))}
                        {side("Now", new, tw!("rounded-md border border-good-line bg-good-soft p-2"))}
                    </div>
                </div>
            }
        })
        .collect_view();
    view! { <div class="grid gap-3">{parts}</div> }
}

fn side(label: &'static str, text: Option<String>, class: &'static str) -> impl IntoView {
    view! {
        <div class=class>
            <p class="mb-1 text-xs font-medium text-muted">{label}</p>
            <pre class="text-[13px] whitespace-pre-wrap break-words">{text.unwrap_or_else(|| "(nothing)".to_owned())}</pre>
        </div>
    }
}

fn catalogue(
    kind: Kind,
    id: SourceId,
    tools: Vec<ToolView>,
    total: usize,
    wanted: &str,
) -> impl IntoView + use<> {
    let action = format!("/sources/{id}/{}", kind.plural);
    let search = format!("Search the {}", kind.plural);
    let found = tools.len();
    let everything = action.clone();
    let wanted = wanted.to_owned();
    let narrowed = !wanted.trim().is_empty();
    let rows = tools.into_iter().map(listed).collect_view();
    view! {
        <div class="grid gap-3">
            <form class="flex flex-wrap items-center gap-2" method="get" action=action role="search">
                <input
                    class="min-w-0 flex-1 sm:max-w-72"
                    type="search"
                    name="q"
                    value=wanted
                    placeholder=search.clone()
                    aria-label=search
                />
                <button class="button" type="submit">{Icon::Search.draw()} "Search"</button>
                {narrowed.then(|| view! {
                    <a class="button button-quiet" href=everything>"Show all"</a>
                    <span class="text-muted">{format!("{found} of {total}")}</span>
                })}
            </form>
            <ul class="panel divide-y divide-line">{rows}</ul>
        </div>
    }
}

fn listed(tool: ToolView) -> impl IntoView {
    let gone = tool.state == ToolState::Gone;
    view! {
        <li>
            <details class="group">
                <summary class="flex items-start gap-3 px-4 py-2.5 hover:bg-hover">
                    <span class="mt-0.5 text-subtle group-open:rotate-90">{Icon::ChevronRight.draw()}</span>
                    <span class="grid min-w-0 flex-1">
                        <span class="flex flex-wrap items-center gap-2">
                            <code class="font-medium break-all">{tool.name}</code>
                            {(!tool.title.is_empty()).then(|| view! { <span class="text-muted">{tool.title.clone()}</span> })}
                            {gone.then(|| tool_badge(tool.state))}
                        </span>
                        <span class="line-clamp-1 text-muted group-open:hidden">{described(&tool.description)}</span>
                    </span>
                </summary>
                <div class="grid gap-3 px-4 pb-4 pl-11">
                    <p class="max-w-3xl whitespace-pre-wrap break-words">{described(&tool.description)}</p>
                    {definition(tool.definition)}
                    <p class="text-[13px] text-muted">"Last listed " <Ago at=tool.seen_at/></p>
                </div>
            </details>
        </li>
    }
}

fn described(description: &str) -> String {
    if description.is_empty() { "It says nothing about itself.".to_owned() } else { description.to_owned() }
}

fn definition(json: String) -> impl IntoView {
    let pretty = serde_json::from_str::<serde_json::Value>(&json)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or(json);
    view! {
        <details>
            <summary class="link inline-block">"Its definition"</summary>
            <pre class="snippet mt-2 max-h-96 select-text" tabindex="0">{pretty}</pre>
        </details>
    }
}

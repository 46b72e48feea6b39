//! A source's resources and resource templates. They follow the source: nothing of them is held.
//!
//! All texts of a resource were written by the source. They are shown as text, never as markup.

use doorward::sources::{ResourceView, SourceDetail};
use leptos::prelude::*;

use crate::ui::{Empty, Icon, Panel, count};

/// How many of each kind are shown at most; the search finds the others.
const SHOWN_MAX: usize = 500;

/// Draws the tab.
pub(super) fn draw(detail: SourceDetail, wanted: &str) -> impl IntoView + use<> {
    let SourceDetail { source, resources, templates, .. } = detail;
    if resources.is_empty() && templates.is_empty() {
        return view! {
            <Empty icon=Icon::Layers title="It lists no resources" text="Resources are documents a source lets agents read. What it lists from here on stands here after the next look."/>
        }
        .into_any();
    }
    let action = format!("/sources/{}/resources", source.id);
    let narrowed = !wanted.trim().is_empty();
    let everything = action.clone();
    let value = wanted.to_owned();
    let listed = list("Resources", "Documents with an address of their own.", resources, wanted);
    let patterns =
        list("Templates", "Patterns of addresses; whoever reads fills in the gaps.", templates, wanted);
    view! {
        <div class="grid gap-6">
            <form class="flex flex-wrap items-center gap-2" method="get" action=action role="search">
                <input
                    class="max-w-72"
                    type="search"
                    name="q"
                    value=value
                    placeholder="Search the resources"
                    aria-label="Search the resources"
                />
                <button class="button" type="submit">{Icon::Search.draw()} "Search"</button>
                {narrowed.then(|| view! { <a class="button button-quiet" href=everything>"Show all"</a> })}
            </form>
            {listed}
            {patterns}
        </div>
    }
    .into_any()
}

fn list(
    title: &'static str,
    lead: &'static str,
    resources: Vec<ResourceView>,
    wanted: &str,
) -> Option<impl IntoView + use<>> {
    if resources.is_empty() {
        return None;
    }
    let total = resources.len();
    let found: Vec<ResourceView> = resources.into_iter().filter(|one| matches(one, wanted)).collect();
    let (number, shown) = (found.len(), found.len().min(SHOWN_MAX));
    let words = if shown < number {
        format!("{} of {}; search for the others.", count(shown as i64), count(number as i64))
    } else {
        format!("{} of {}", count(number as i64), count(total as i64))
    };
    let rows = found.into_iter().take(SHOWN_MAX).map(row).collect_view();
    Some(view! {
        <Panel title=title lead=lead>
            <ul class="divide-y divide-line">{rows}</ul>
            <p class="text-[13px] text-muted">{words}</p>
        </Panel>
    })
}

fn matches(resource: &ResourceView, wanted: &str) -> bool {
    let wanted = wanted.trim().to_lowercase();
    let ResourceView { uri, title, description, mime_type } = resource;
    [uri, title, description, mime_type].into_iter().any(|text| text.to_lowercase().contains(&wanted))
}

fn row(resource: ResourceView) -> impl IntoView {
    let ResourceView { uri, title, description, mime_type } = resource;
    view! {
        <li class="grid gap-0.5 py-2">
            <span class="flex flex-wrap items-center gap-2">
                <code class="font-medium break-all">{uri}</code>
                <span class="text-muted">{title}</span>
                <span class="text-[13px] text-subtle">{mime_type}</span>
            </span>
            {(!description.is_empty()).then(|| view! {
                <span class="line-clamp-2 text-[13px] text-muted">{description}</span>
            })}
        </li>
    }
}

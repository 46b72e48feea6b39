//! Parts of a page with a hairline around them.

use leptos::prelude::*;

/// A titled part of a page.
#[component]
pub(crate) fn Panel(
    /// Its title.
    #[prop(into)]
    title: String,
    /// One sentence about it.
    #[prop(optional, into)]
    lead: String,
    /// What can be done, at the right of the title.
    #[prop(optional)]
    actions: Option<AnyView>,
    /// What is in it.
    children: Children,
) -> impl IntoView {
    view! {
        <section class="panel">
            <header class="flex flex-wrap items-start justify-between gap-3 border-b border-line px-4 py-3">
                <div class="min-w-0">
                    <h2>{title}</h2>
                    {(!lead.is_empty()).then(|| view! { <p class="text-muted">{lead}</p> })}
                </div>
                {actions.map(|actions| view! { <div class="flex flex-wrap gap-2">{actions}</div> })}
            </header>
            <div class="p-4">{children()}</div>
        </section>
    }
}

/// A list of facts: a word and what it is.
#[component]
pub(crate) fn Facts(
    /// The facts.
    children: Children,
) -> impl IntoView {
    view! { <dl class="grid gap-x-6 gap-y-0.5 sm:grid-cols-[10rem_minmax(0,1fr)] sm:gap-y-2">{children()}</dl> }
}

/// One fact.
#[component]
pub(crate) fn Fact(
    /// The word.
    #[prop(into)]
    term: String,
    /// What it is.
    children: Children,
) -> impl IntoView {
    view! {
        <dt class="text-muted">{term}</dt>
        <dd class="mb-2 min-w-0 last:mb-0 sm:mb-0">{children()}</dd>
    }
}

/// A number that is looked at first, with its word and a line below.
#[component]
pub(crate) fn Figure(
    /// What it counts.
    #[prop(into)]
    term: String,
    /// The number with its unit.
    #[prop(into)]
    value: String,
    /// What it is to be compared with.
    #[prop(optional, into)]
    note: String,
    /// A drawing below.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="panel flex flex-col gap-1 p-4">
            <p class="text-muted">{term}</p>
            <p class="text-2xl font-semibold tracking-tight">{value}</p>
            {(!note.is_empty()).then(|| view! { <p class="text-[13px] text-muted">{note}</p> })}
            {children.map(|children| view! { <div class="mt-1">{children()}</div> })}
        </div>
    }
}

//! The first journey as a list that goes away when it is done.

use leptos::prelude::*;

use crate::ui::Icon;

/// How far somebody has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// There is a data source.
    pub source: bool,
    /// There is a preset that publishes a tool.
    pub preset: bool,
    /// There is a key that works, or a preset that asks for none.
    pub key: bool,
    /// A tool was called.
    pub call: bool,
}

impl Progress {
    /// Says whether there is nothing left to do.
    pub(super) fn is_done(self) -> bool {
        self.source && self.preset && self.key && self.call
    }
}

/// Draws the list.
#[component]
pub(super) fn Checklist(
    /// How far somebody has come.
    progress: Progress,
    /// The page that says how to connect, once there is something to connect to.
    connect: String,
) -> impl IntoView {
    let steps = [
        (
            progress.source,
            "Connect a data source",
            "Paste the address of an MCP server.",
            "/sources/new".to_owned(),
            "Add a data source",
        ),
        (
            progress.preset,
            "Choose tools into a preset",
            "A preset is the address you give to an agent.",
            "/presets/new".to_owned(),
            "Make a preset",
        ),
        (
            progress.key,
            "Make an API key",
            "The agent shows it with every call.",
            "/keys".to_owned(),
            "Make a key",
        ),
        (
            progress.call,
            "Make the first call",
            "Copy one line into your agent and ask it something.",
            connect,
            "Connect an agent",
        ),
    ];
    let next = steps.iter().position(|(done, ..)| !done);
    let rows = steps
        .into_iter()
        .enumerate()
        .map(|(place, (done, title, text, path, button))| {
            let class = if Some(place) == next { tw!("button button-primary") } else { tw!("button") };
            let mark = if done {
                view! {
                    <span class="flex size-6 items-center justify-center rounded-full bg-good-soft text-good">
                        {Icon::Check.draw()}
                    </span>
                }
                .into_any()
            } else {
                view! {
                    <span class="flex size-6 items-center justify-center rounded-full border border-line-strong text-xs text-muted">
                        {place + 1}
                    </span>
                }
                .into_any()
            };
            view! {
                <li class="flex flex-wrap items-center gap-3 px-4 py-3">
                    {mark}
                    <div class="min-w-48 flex-1">
                        <p class=if done { "font-medium text-muted line-through" } else { "font-medium" }>{title}</p>
                        {(!done).then(|| view! { <p class="text-muted">{text}</p> })}
                        {done.then(|| view! { <span class="sr-only">"Done"</span> })}
                    </div>
                    {(!done).then(|| view! { <a class=class href=path>{button}</a> })}
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="panel">
            <header class="border-b border-line px-4 py-3">
                <h2>"From here to the first call"</h2>
            </header>
            <ol class="divide-y divide-line">{rows}</ol>
        </section>
    }
}

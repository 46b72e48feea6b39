//! What a list says when there is nothing in it: what would be there, and how to begin.

use leptos::prelude::*;

use crate::ui::Icon;

/// An empty list, with what to do next.
#[component]
pub(crate) fn Empty(
    /// The drawing.
    icon: Icon,
    /// What is not there.
    #[prop(into)]
    title: String,
    /// What it would be good for.
    #[prop(into)]
    text: String,
    /// The next step, as links or buttons.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="panel flex flex-col items-center gap-3 px-6 py-12 text-center">
            <span class="flex size-10 items-center justify-center rounded-full bg-sunken text-muted">
                {icon.sized(tw!("size-5"))}
            </span>
            <div class="grid gap-1">
                <h2>{title}</h2>
                <p class="max-w-md text-muted">{text}</p>
            </div>
            {children.map(|children| view! { <div class="mt-1 flex flex-wrap justify-center gap-2">{children()}</div> })}
        </div>
    }
}

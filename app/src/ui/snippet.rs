//! Text to take along: selectable by hand, copied by a button where scripts run.

use leptos::prelude::*;

use crate::island::CopyButton;

/// A short text on one line with its copy button.
#[component]
pub(crate) fn Copyable(
    /// The text.
    #[prop(into)]
    text: String,
) -> impl IntoView {
    view! {
        <span class="inline-flex max-w-full items-center gap-1.5">
            <code class="min-w-0 rounded bg-sunken px-1.5 py-0.5 break-all select-all">{text.clone()}</code>
            <CopyButton text=text/>
        </span>
    }
}

/// Several lines of text with their copy button.
#[component]
pub(crate) fn Snippet(
    /// The text.
    #[prop(into)]
    text: String,
) -> impl IntoView {
    view! {
        <div class="relative">
            <pre class="snippet pr-20" tabindex="0">{text.clone()}</pre>
            <div class="absolute top-2 right-2"><CopyButton text=text/></div>
        </div>
    }
}

//! Copies a text to the clipboard.

use leptos::prelude::*;

/// A button that copies; it is hidden where scripts do not run, as it would do nothing.
#[island]
pub fn CopyButton(
    /// What is copied.
    text: String,
) -> impl IntoView {
    let awake = RwSignal::new(false);
    let done = RwSignal::new(false);
    Effect::new(move || awake.set(true));
    let copy = move |_| {
        if to_clipboard(&text) {
            done.set(true);
            set_timeout(move || done.set(false), std::time::Duration::from_secs(2));
        }
    };
    view! {
        <button
            type="button"
            class="button button-small bg-surface"
            hidden=move || !awake.get()
            aria-live="polite"
            on:click=copy
        >
            {move || if done.get() { "Copied" } else { "Copy" }}
        </button>
    }
}

/// Says whether the text is on its way to the clipboard. Browsers have one only for pages that came
/// over TLS or from the machine itself.
#[cfg(feature = "hydrate")]
fn to_clipboard(text: &str) -> bool {
    let window = window();
    if !window.is_secure_context() {
        return window.prompt_with_message_and_default("Copy this text", text).is_ok();
    }
    // The promise is not waited for: the browser says itself when it refuses.
    let _promise = window.navigator().clipboard().write_text(text);
    true
}

#[cfg(not(feature = "hydrate"))]
fn to_clipboard(_text: &str) -> bool {
    false
}

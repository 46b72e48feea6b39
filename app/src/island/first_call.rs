//! Waits for the first call through a preset.

use leptos::prelude::*;

/// A line that turns green with the first call. Where scripts do not run it says to look again.
#[island]
pub fn FirstCall(
    /// The preset's slug.
    preset: String,
) -> impl IntoView {
    let arrived = RwSignal::new(None::<String>);
    let awake = RwSignal::new(false);
    Effect::new(move || {
        awake.set(true);
        let preset = preset.clone();
        super::tail::listen(move |line| {
            if line.preset == preset && arrived.read_untracked().is_none() {
                arrived.set(Some(format!("{} {}", line.who, line.what)));
            }
        });
    });
    view! {
        <p class="flex flex-wrap items-center gap-2" aria-live="polite">
            <span class=move || if arrived.read().is_some() { "badge badge-good" } else { "badge badge-held" }>
                {move || if arrived.read().is_some() { "connected" } else { "waiting" }}
            </span>
            <span>
                {move || match arrived.get() {
                    Some(text) => text,
                    None if awake.get() => "Waiting for the first call…".to_owned(),
                    None => "No call yet. Load this page again after the first.".to_owned(),
                }}
            </span>
        </p>
    }
}

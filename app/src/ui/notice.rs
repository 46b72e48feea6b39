//! A sentence across the page.

use leptos::prelude::*;

use crate::ui::Tone;

/// Says something across the page, for screen readers too.
#[component]
pub(crate) fn Notice(
    /// What it means.
    tone: Tone,
    /// The sentence, and what to do about it.
    children: Children,
) -> impl IntoView {
    let (class, colour) = match tone {
        Tone::Good => {
            (tw!("notice notice-good flex items-start gap-2.5"), tw!("mt-0.5 size-4 shrink-0 text-good"))
        }
        Tone::Warn | Tone::Held => {
            (tw!("notice notice-warn flex items-start gap-2.5"), tw!("mt-0.5 size-4 shrink-0 text-warn"))
        }
        Tone::Bad => {
            (tw!("notice notice-bad flex items-start gap-2.5"), tw!("mt-0.5 size-4 shrink-0 text-bad"))
        }
        Tone::Off | Tone::Plain => {
            (tw!("notice flex items-start gap-2.5"), tw!("mt-0.5 size-4 shrink-0 text-muted"))
        }
    };
    let role = if tone == Tone::Bad { "alert" } else { "status" };
    view! {
        <div class=class role=role>
            {tone.icon().sized(colour)}
            <div class="min-w-0 flex-1">{children()}</div>
        </div>
    }
}

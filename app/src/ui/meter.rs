//! How much of something is used.

use leptos::prelude::*;

/// A bar that fills up; it warns near the end.
#[component]
pub(crate) fn Meter(
    /// What is used, for screen readers.
    #[prop(into)]
    title: String,
    /// How much is used.
    part: i64,
    /// How much there is.
    whole: i64,
) -> impl IntoView {
    let share = if whole > 0 { (part as f64 / whole as f64).clamp(0.0, 1.0) } else { 1.0 };
    let class = match share {
        near if near >= 1.0 => tw!("fill-bad"),
        near if near >= 0.8 => tw!("fill-warn"),
        _ => tw!("fill-accent"),
    };
    view! {
        <svg
            class="h-2 w-full rounded-full"
            viewBox="0 0 100 4"
            preserveAspectRatio="none"
            role="img"
            aria-label=format!("{title}: {:.0} %", share * 100.0)
        >
            <rect class="fill-sunken" width="100" height="4"/>
            <rect class=class width=share * 100.0 height="4"/>
        </svg>
    }
}

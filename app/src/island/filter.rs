//! Shows only the rows of a page that hold what is typed.

use leptos::prelude::*;

/// A field that hides every element with a `data-filter` that does not hold what is typed. It is
/// hidden where scripts do not run: the browser's own search does the same there.
#[island]
pub fn FilterBox(
    /// What is looked for.
    label: String,
) -> impl IntoView {
    let awake = RwSignal::new(false);
    Effect::new(move || awake.set(true));
    view! {
        <label class="grid max-w-sm gap-1 text-[13px] text-muted" hidden=move || !awake.get()>
            {label}
            <input type="search" autocomplete="off" on:input:target=move |event| narrow(&event.target().value())/>
        </label>
    }
}

#[cfg(feature = "hydrate")]
fn narrow(text: &str) {
    let text = text.trim().to_lowercase();
    let Ok(rows) = document().query_selector_all("[data-filter]") else { return };
    for place in 0..rows.length() {
        use wasm_bindgen::JsCast;
        let Some(row) = rows.item(place).and_then(|row| row.dyn_into::<web_sys::HtmlElement>().ok()) else {
            continue;
        };
        let holds = row.get_attribute("data-filter").is_some_and(|held| held.contains(&text));
        row.set_hidden(!holds);
    }
}

#[cfg(not(feature = "hydrate"))]
fn narrow(_text: &str) {}

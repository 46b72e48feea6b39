//! The numbers of a drawing as a table that unfolds below it.

use leptos::prelude::*;

/// A table of what a drawing shows. The first column names the row; the others are numbers.
#[component]
pub(super) fn Numbers(
    /// What it shows, for screen readers.
    #[prop(into)]
    title: String,
    /// The heads of its columns.
    heads: Vec<&'static str>,
    /// Its rows: `<tr>` of `<th scope="row">` and `<td class="number">`.
    children: Children,
) -> impl IntoView {
    let heads = heads
        .into_iter()
        .enumerate()
        .map(|(place, head)| {
            let class = if place == 0 { "" } else { tw!("number") };
            view! { <th scope="col" class=class>{head}</th> }
        })
        .collect_view();
    let label = format!("{title}, in numbers");
    view! {
        <details class="text-[13px]">
            <summary class="link inline-block">"Show the numbers"</summary>
            <div class="table-frame mt-2 max-h-96 overflow-y-auto" tabindex="0" role="region" aria-label=label>
                <table class="data-table">
                    <caption class="sr-only">{title}</caption>
                    <thead><tr>{heads}</tr></thead>
                    <tbody>{children()}</tbody>
                </table>
            </div>
        </details>
    }
}

//! Going through a long list by links.

use leptos::prelude::*;

use crate::ui::Icon;

/// Links to the newer and older part of a list that begins with the newest.
#[component]
pub(crate) fn Pages(
    /// Where the newest part is; `None` = this is it.
    newest: Option<String>,
    /// Where the next older part is; `None` = there is none.
    older: Option<String>,
) -> impl IntoView {
    (newest.is_some() || older.is_some()).then(|| view! {
        <nav class="flex items-center justify-between gap-2" aria-label="Parts of the list">
            <span>
                {newest.map(|path| view! { <a class="button button-small" href=path>"Newest"</a> })}
            </span>
            <span>
                {older.map(|path| view! {
                    <a class="button button-small" href=path rel="next">"Older" {Icon::ChevronRight.draw()}</a>
                })}
            </span>
        </nav>
    })
}

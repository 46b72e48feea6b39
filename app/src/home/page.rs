//! The home page.

use leptos::prelude::*;

use crate::page::{Page, Place, page as framed};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    framed(Place::Home, |_visit| async { Ok(Page::new("Home", ())) })
}

//! Keeps a part of the page up to date.

use leptos::prelude::*;

/// Asks for the page again and again, and takes over the part with this id. Where the page has no such part any more,
/// it is loaded as a whole. Shows nothing; where scripts do not run the page has to ask the browser otherwise.
#[island]
pub fn Renew(
    /// The id of the part.
    part: String,
    /// How long it waits in between, in milliseconds.
    every_ms: u64,
) -> impl IntoView {
    Effect::new(move || begin(part.clone(), every_ms));
}

#[cfg(feature = "hydrate")]
fn begin(part: String, every_ms: u64) {
    use std::{cell::Cell, rc::Rc, time::Duration};

    let asking = Rc::new(Cell::new(false));
    set_interval(
        move || {
            // Nobody looks at a page that is hidden, and one question at a time will do.
            if document().hidden() || asking.replace(true) {
                return;
            }
            let (part, asking) = (part.clone(), Rc::clone(&asking));
            leptos::task::spawn_local(async move {
                // What fails is tried again the next time.
                let _ = renew(&part).await;
                asking.set(false);
            });
        },
        Duration::from_millis(every_ms),
    );
}

/// Asks for the page and takes over the part; `None` if there was no answer.
#[cfg(feature = "hydrate")]
async fn renew(part: &str) -> Option<()> {
    use wasm_bindgen::JsCast;
    use wasm_bindgen_futures::JsFuture;

    let location = window().location();
    let asked = window().fetch_with_str(&location.href().ok()?);
    let answer: web_sys::Response = JsFuture::from(asked).await.ok()?.dyn_into().ok()?;
    let text = JsFuture::from(answer.text().ok()?).await.ok()?.as_string()?;
    let parser = web_sys::DomParser::new().ok()?;
    let page = parser.parse_from_string(&text, web_sys::SupportedType::TextHtml).ok()?;
    let here = document().get_element_by_id(part)?;
    match page.get_element_by_id(part) {
        Some(there) if there.inner_html() != here.inner_html() => here.set_inner_html(&there.inner_html()),
        Some(_) => {}
        // A page that fails or is another is for the browser to show.
        None => location.reload().ok()?,
    }
    Some(())
}

#[cfg(not(feature = "hydrate"))]
fn begin(part: String, every_ms: u64) {
    // The server draws islands and never runs them.
    let _ = (part, every_ms);
}

//! Keeps what is typed on a page that was not sent yet.

use leptos::prelude::*;

/// Sends the named fields of the page's forms when one of them changed and when the page is left, and nothing more
/// once a form was sent. Where scripts do not run, what was sent last is what is kept.
#[island]
pub fn KeepDraft(
    /// Where it is sent.
    action: String,
    /// What is begun.
    kind: String,
    /// The names of the fields; a secret is none of them.
    fields: Vec<String>,
) -> impl IntoView {
    Effect::new(move || watch(action.clone(), kind.clone(), fields.clone()));
    view! { <span hidden></span> }
}

#[cfg(feature = "hydrate")]
fn watch(action: String, kind: String, fields: Vec<String>) {
    use std::{cell::Cell, rc::Rc};

    use wasm_bindgen::{JsCast, prelude::Closure};

    #[derive(Clone, Copy, PartialEq)]
    enum State {
        Untouched,
        Typed,
        Sent,
    }

    let state = Rc::new(Cell::new(State::Untouched));
    let hear = |target: &web_sys::EventTarget, event: &str, act: Box<dyn Fn()>| {
        let act = Closure::<dyn Fn()>::new(act);
        // A page without listeners keeps nothing, which is what it does without scripts.
        let _ = target.add_event_listener_with_callback(event, act.as_ref().unchecked_ref());
        act.forget();
    };
    let keep = {
        let state = Rc::clone(&state);
        move || {
            if state.get() == State::Typed {
                state.set(State::Untouched);
                send(&action, &kind, &fields);
            }
        }
    };
    let page = document();
    let typed = Rc::clone(&state);
    hear(
        &page,
        "input",
        Box::new(move || {
            if typed.get() == State::Untouched {
                typed.set(State::Typed);
            }
        }),
    );
    hear(&page, "submit", Box::new(move || state.set(State::Sent)));
    hear(&page, "change", Box::new(keep.clone()));
    hear(&window(), "pagehide", Box::new(keep));
}

#[cfg(feature = "hydrate")]
fn send(action: &str, kind: &str, fields: &[String]) {
    use wasm_bindgen::JsCast;

    let Ok(body) = web_sys::UrlSearchParams::new() else { return };
    body.append("kind", kind);
    let Ok(inputs) = document().query_selector_all("main form input[name]") else { return };
    let mut taken: Vec<String> = Vec::new();
    for place in 0..inputs.length() {
        let Some(input) =
            inputs.item(place).and_then(|node| node.dyn_into::<web_sys::HtmlInputElement>().ok())
        else {
            continue;
        };
        let name = input.name();
        let counts = input.type_() != "radio" || input.checked();
        if counts && fields.contains(&name) && !taken.contains(&name) {
            body.append(&name, &input.value());
            taken.push(name);
        }
    }
    // A browser that refuses keeps what was sent before.
    let _ = window().navigator().send_beacon_with_opt_url_search_params(action, Some(&body));
}

#[cfg(not(feature = "hydrate"))]
fn watch(action: String, kind: String, fields: Vec<String>) {
    // The server draws islands and never runs them.
    let _ = (action, kind, fields);
}

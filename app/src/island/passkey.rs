//! Asks the browser for a passkey.

use leptos::{html, prelude::*};
use serde::{Deserialize, Serialize};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PasskeyAsk {
    /// To make one.
    Make,
    /// To show one that was made before.
    Show,
}

/// A button that asks the browser for a passkey and sends the form it stands in with the field `answer`. Where scripts
/// do not run, or where passkeys are not for, it is a sentence.
#[island]
pub fn PasskeyButton(
    /// What is asked for.
    ask: PasskeyAsk,
    /// The same in detail, as the JSON of WebAuthn Level 3.
    options: String,
    /// The origin the passkeys are for, as `https://doorward.example.org`.
    origin: String,
    /// What stands on the button.
    label: String,
    /// What is said where scripts do not run.
    without: String,
) -> impl IntoView {
    let field = NodeRef::<html::Input>::new();
    let awake = RwSignal::new(false);
    let fits = RwSignal::new(false);
    let waiting = RwSignal::new(false);
    let trouble = RwSignal::new(String::new());
    let place = origin.clone();
    Effect::new(move || {
        awake.set(true);
        if is_here(&place) {
            fits.set(true);
        } else {
            trouble.set(format!("Passkeys are for {place}: open Doorward there to use them."));
        }
    });
    let start = move |_| {
        let options = options.clone();
        waiting.set(true);
        trouble.set(String::new());
        leptos::task::spawn_local(async move {
            match answer(ask, &options).await {
                Ok(json) => send(field, &json),
                Err(words) => {
                    trouble.set(words);
                    waiting.set(false);
                }
            }
        });
    };
    view! {
        <div class="grid gap-2">
            <input type="hidden" name="answer" node_ref=field/>
            <button
                type="button"
                class="button button-primary"
                hidden=move || !fits.get()
                disabled=move || waiting.get()
                on:click=start
            >
                {move || if waiting.get() { "Waiting for your device…".to_owned() } else { label.clone() }}
            </button>
            <p class="text-[13px] text-muted" hidden=move || awake.get()>{without}</p>
            <p class="field-error" role="alert" hidden=move || trouble.read().is_empty()>{move || trouble.get()}</p>
        </div>
    }
}

/// Says whether the page is open at that origin.
#[cfg(feature = "hydrate")]
fn is_here(origin: &str) -> bool {
    window().location().origin().is_ok_and(|here| here == origin)
}

/// Puts the answer into the form and sends it.
#[cfg(feature = "hydrate")]
fn send(field: NodeRef<html::Input>, answer: &str) {
    let Some(field) = field.get_untracked() else { return };
    field.set_value(answer);
    if let Some(form) = field.form() {
        // A form with a field of its own name can always be sent.
        let _ = form.submit();
    }
}

/// Asks the browser, and returns its answer as JSON, or in words why there is none.
#[cfg(feature = "hydrate")]
async fn answer(ask: PasskeyAsk, options: &str) -> Result<String, String> {
    use js_sys::{Function, JSON, Object, Promise, Reflect};
    use wasm_bindgen::{JsCast, JsValue};

    const OLD: &str = "This browser is too old for passkeys here. Take another browser, or another way.";
    let member =
        |of: &JsValue, name: &str| Reflect::get(of, &name.into()).ok().filter(|found| !found.is_undefined());
    let call = |of: &JsValue, name: &str, argument: &JsValue| {
        let function: Function = member(of, name)?.dyn_into().ok()?;
        Some(function.call1(of, argument))
    };
    let (read, run) = match ask {
        PasskeyAsk::Make => ("parseCreationOptionsFromJSON", "create"),
        PasskeyAsk::Show => ("parseRequestOptionsFromJSON", "get"),
    };
    let class = member(&window(), "PublicKeyCredential").ok_or(OLD)?;
    let options = JSON::parse(options).map_err(|error| words(&error))?;
    let options = call(&class, read, &options).ok_or(OLD)?.map_err(|error| words(&error))?;
    let asked = Object::new();
    Reflect::set(&asked, &"publicKey".into(), &options).map_err(|error| words(&error))?;
    let credentials = member(&window().navigator(), "credentials").ok_or(OLD)?;
    let promise = call(&credentials, run, &asked).ok_or(OLD)?.map_err(|error| words(&error))?;
    let promise: Promise = promise.dyn_into().map_err(|_| OLD)?;
    let credential = wasm_bindgen_futures::JsFuture::from(promise).await.map_err(|error| words(&error))?;
    // It is written by its own `toJSON`.
    JSON::stringify(&credential).ok().and_then(|json| json.as_string()).ok_or_else(|| OLD.to_owned())
}

/// Says what a browser's refusal means.
#[cfg(feature = "hydrate")]
fn words(error: &wasm_bindgen::JsValue) -> String {
    let of = |name: &str| js_sys::Reflect::get(error, &name.into()).ok().and_then(|text| text.as_string());
    match of("name").as_deref() {
        Some("NotAllowedError") => "Nothing was confirmed: it took too long, or was cancelled.".to_owned(),
        Some("InvalidStateError") => "This device has a passkey of yours already.".to_owned(),
        Some("SecurityError") => "The browser has no passkeys at this address.".to_owned(),
        _ => format!("The browser refused: {}", of("message").unwrap_or_default()),
    }
}

// The server draws islands and never runs them.
#[cfg(not(feature = "hydrate"))]
fn is_here(_origin: &str) -> bool {
    false
}

#[cfg(not(feature = "hydrate"))]
fn send(_field: NodeRef<html::Input>, _answer: &str) {}

#[cfg(not(feature = "hydrate"))]
async fn answer(_ask: PasskeyAsk, _options: &str) -> Result<String, String> {
    Err(String::new())
}

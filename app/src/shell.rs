//! The document around every page.

use leptos::{nonce::use_nonce, prelude::*};
use leptos_meta::MetaTags;

use crate::{
    context::{console, respond_instead, respond_with},
    routes::App,
};

/// Draws the document. Without an output name in the options there are no islands, and the page
/// asks for no script.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    guard_page();
    let settings = console().settings;
    let islands = (!options.output_name.is_empty()).then(
        || view! { <HydrationScripts options=options.clone() islands=true root=settings.base_path.clone()/> },
    );
    view! {
        <!DOCTYPE html>
        <html lang="en" data-base=settings.base_path.clone()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="stylesheet" href=settings.stylesheet.clone()/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                {islands}
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

/// Says what the page may load and who may frame it, and keeps it out of caches: it is somebody's.
fn guard_page() {
    respond_with(http::header::CONTENT_SECURITY_POLICY, &policy("'self'"));
    respond_with(http::header::CACHE_CONTROL, "no-store");
}

/// Lets what is posted from this page lead to one more place, given as a source of the policy:
/// browsers hold where a form is answered to against the page it was on.
pub(crate) fn let_forms_lead_to(source: &str) {
    respond_instead(http::header::CONTENT_SECURITY_POLICY, &policy(&format!("'self' {source}")));
}

fn policy(form_action: &str) -> String {
    let script = match use_nonce() {
        Some(nonce) => format!("'self' 'nonce-{nonce}' 'wasm-unsafe-eval'"),
        None => "'self'".to_owned(),
    };
    format!(
        "default-src 'self'; script-src {script}; style-src 'self'; img-src 'self' data:; object-src 'none'; \
         base-uri 'none'; frame-ancestors 'none'; form-action {form_action}"
    )
}

//! The document around every page.

use leptos::{nonce::use_nonce, prelude::*};
use leptos_meta::MetaTags;

use crate::{
    context::{console, respond_with},
    routes::App,
};

/// Draws the document. Without an output name in the options there are no islands, and the page
/// asks for no script.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    guard_page();
    let settings = console().settings;
    let islands = (!options.output_name.is_empty())
        .then(|| view! { <HydrationScripts options=options.clone() islands=true/> });
    view! {
        <!DOCTYPE html>
        <html lang="en">
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
    let script = match use_nonce() {
        Some(nonce) => format!("'self' 'nonce-{nonce}' 'wasm-unsafe-eval'"),
        None => "'self'".to_owned(),
    };
    let policy = format!(
        "default-src 'self'; script-src {script}; style-src 'self'; img-src 'self' data:; object-src 'none'; \
         base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    );
    respond_with(http::header::CONTENT_SECURITY_POLICY, &policy);
    respond_with(http::header::CACHE_CONTROL, "no-store");
}

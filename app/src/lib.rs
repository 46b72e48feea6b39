//! The console: Leptos pages drawn by the server, one folder per feature.
//!
//! A page is a function that loads what it shows and draws it; a change is a form posted to a
//! server function, which answers by sending the browser on. So everything works without
//! JavaScript, and the engine is called in the server only. What runs in the browser is in
//! [`island`], the one room that is also compiled to WebAssembly.
//!
//! Never decides who may do what (the engine asks `policy`), never keeps state of its own.
//!
//! To add a page: a folder with `page.rs` (loads and draws), `api.rs` (server functions, each with
//! an endpoint of its own and a check of the session), `view.rs` (what the page shows), and a line
//! in `routes.rs`.

// The views of a page are one type, which grows with everything in it.
#![recursion_limit = "512"]

/// Marks a list of classes that stands outside a `class` attribute, so that the style sheet has them.
#[cfg(feature = "ssr")]
macro_rules! tw {
    ($classes:literal) => {
        $classes
    };
}

pub mod island;

#[cfg(feature = "ssr")]
mod account;
#[cfg(feature = "ssr")]
mod admin;
#[cfg(feature = "ssr")]
mod analyses;
#[cfg(feature = "ssr")]
mod audit;
#[cfg(feature = "ssr")]
mod connections;
#[cfg(feature = "ssr")]
mod consent;
#[cfg(feature = "ssr")]
pub mod context;
#[cfg(feature = "ssr")]
mod explain;
#[cfg(feature = "ssr")]
mod form;
#[cfg(feature = "ssr")]
mod gallery;
#[cfg(feature = "ssr")]
mod grants;
#[cfg(feature = "ssr")]
mod home;
#[cfg(feature = "ssr")]
mod invitation;
#[cfg(feature = "ssr")]
mod kept;
#[cfg(feature = "ssr")]
mod keys;
#[cfg(feature = "ssr")]
mod limits;
#[cfg(feature = "ssr")]
mod metrics;
#[cfg(feature = "ssr")]
mod organisations;
#[cfg(feature = "ssr")]
mod page;
#[cfg(feature = "ssr")]
mod playground;
#[cfg(feature = "ssr")]
mod presets;
#[cfg(feature = "ssr")]
mod routes;
#[cfg(feature = "ssr")]
mod session;
#[cfg(feature = "ssr")]
mod setup;
#[cfg(feature = "ssr")]
mod shell;
#[cfg(feature = "ssr")]
mod sign_in;
#[cfg(feature = "ssr")]
mod sources;
#[cfg(feature = "ssr")]
mod trouble;
#[cfg(feature = "ssr")]
mod tunnels;
#[cfg(feature = "ssr")]
mod ui;
#[cfg(feature = "ssr")]
mod usage;

#[cfg(feature = "ssr")]
pub use audit::live_line;
#[cfg(feature = "ssr")]
pub use routes::App;
#[cfg(feature = "ssr")]
pub use shell::shell;

/// Wakes the islands of the page. Called by the page's script once the module is loaded.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_islands();
}

//! The one list of pages.

use leptos::prelude::*;
use leptos_meta::provide_meta_context;
use leptos_router::{
    SsrMode,
    components::{Route, Router, Routes},
    path,
};

use crate::{audit, home, keys, metrics, page, playground, presets, setup, sign_in};

/// The console. Every page is drawn as a whole before it is sent, so that it needs no script and
/// can still choose its status.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Router>
            <Routes fallback=page::nowhere>
                <Route path=path!("/") view=home::page ssr=SsrMode::Async/>
                <Route path=path!("/setup") view=setup::page ssr=SsrMode::Async/>
                <Route path=path!("/sign-in") view=sign_in::page ssr=SsrMode::Async/>
                <Route path=path!("/presets") view=presets::list ssr=SsrMode::Async/>
                <Route path=path!("/presets/new") view=presets::new ssr=SsrMode::Async/>
                <Route path=path!("/presets/:id") view=presets::tools ssr=SsrMode::Async/>
                <Route path=path!("/presets/:id/connect") view=presets::connect ssr=SsrMode::Async/>
                <Route path=path!("/presets/:id/try") view=playground::page ssr=SsrMode::Async/>
                <Route path=path!("/presets/:id/settings") view=presets::settings ssr=SsrMode::Async/>
                <Route path=path!("/keys") view=keys::page ssr=SsrMode::Async/>
                <Route path=path!("/metrics") view=metrics::page ssr=SsrMode::Async/>
                <Route path=path!("/audit") view=audit::page ssr=SsrMode::Async/>
                <Route path=path!("/audit/:id") view=audit::event ssr=SsrMode::Async/>
            </Routes>
        </Router>
    }
}

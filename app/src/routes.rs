//! The one list of pages.

use leptos::prelude::*;
use leptos_meta::provide_meta_context;
use leptos_router::{
    SsrMode,
    components::{Route, Router, Routes},
    path,
};

use crate::{
    account, admin, analyses, audit, connections, consent, explain, gallery, grants, home, invitation, keys,
    metrics, organisations, page, playground, presets, setup, sign_in, sources, tunnels, usage,
};

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
                <Route path=path!("/sign-in/code") view=sign_in::code_page ssr=SsrMode::Async/>
                <Route path=path!("/sign-up") view=sign_in::sign_up_page ssr=SsrMode::Async/>
                <Route path=path!("/login/:provider") view=sign_in::login_page ssr=SsrMode::Async/>
                <Route path=path!("/login/:provider/callback") view=sign_in::callback_page ssr=SsrMode::Async/>
                <Route path=path!("/sources") view=sources::list_page ssr=SsrMode::Async/>
                <Route path=path!("/sources/new") view=sources::new_page ssr=SsrMode::Async/>
                <Route path=path!("/sources/:id") view=sources::overview_page ssr=SsrMode::Async/>
                <Route path=path!("/sources/:id/tools") view=sources::tools_page ssr=SsrMode::Async/>
                <Route path=path!("/sources/:id/resources") view=sources::resources_page ssr=SsrMode::Async/>
                <Route path=path!("/sources/:id/prompts") view=sources::prompts_page ssr=SsrMode::Async/>
                <Route path=path!("/sources/:id/edit") view=sources::edit_page ssr=SsrMode::Async/>
                <Route path=path!("/sources/:id/process") view=sources::process_page ssr=SsrMode::Async/>
                <Route path=path!("/sources/:id/delete") view=sources::delete_page ssr=SsrMode::Async/>
                <Route path=path!("/tunnels") view=tunnels::list_page ssr=SsrMode::Async/>
                <Route path=path!("/tunnels/new") view=tunnels::new_page ssr=SsrMode::Async/>
                <Route path=path!("/tunnels/:id") view=tunnels::overview_page ssr=SsrMode::Async/>
                <Route path=path!("/tunnels/:id/edit") view=tunnels::edit_page ssr=SsrMode::Async/>
                <Route path=path!("/tunnels/:id/delete") view=tunnels::delete_page ssr=SsrMode::Async/>
                <Route path=path!("/connections") view=connections::list_page ssr=SsrMode::Async/>
                <Route path=path!("/connections/callback") view=connections::arrive_page ssr=SsrMode::Async/>
                <Route path=path!("/connections/going/:id") view=connections::going_page ssr=SsrMode::Async/>
                <Route path=path!("/connections/:id") view=connections::detail_page ssr=SsrMode::Async/>
                <Route path=path!("/account") view=account::page ssr=SsrMode::Async/>
                <Route path=path!("/account/add-login") view=account::add_login_page ssr=SsrMode::Async/>
                <Route path=path!("/account/second-factor") view=account::second_factor_page ssr=SsrMode::Async/>
                <Route path=path!("/account/passkeys/new") view=account::new_passkey_page ssr=SsrMode::Async/>
                <Route path=path!("/account/passkeys/:id") view=account::passkey_page ssr=SsrMode::Async/>
                <Route path=path!("/account/recovery-codes") view=account::recovery_codes_page ssr=SsrMode::Async/>
                <Route path=path!("/admin") view=admin::users_page ssr=SsrMode::Async/>
                <Route path=path!("/admin/users/new") view=admin::new_user_page ssr=SsrMode::Async/>
                <Route path=path!("/admin/users/:id") view=admin::user_page ssr=SsrMode::Async/>
                <Route path=path!("/admin/plans") view=admin::plans_page ssr=SsrMode::Async/>
                <Route path=path!("/admin/plans/new") view=admin::new_plan_page ssr=SsrMode::Async/>
                <Route path=path!("/admin/plans/:name") view=admin::plan_page ssr=SsrMode::Async/>
                <Route path=path!("/admin/organisations") view=admin::teams_page ssr=SsrMode::Async/>
                <Route path=path!("/admin/organisations/new") view=admin::new_team_page ssr=SsrMode::Async/>
                <Route path=path!("/admin/organisations/:organisation") view=admin::team_page ssr=SsrMode::Async/>
                <Route path=path!("/organisations") view=organisations::list_page ssr=SsrMode::Async/>
                <Route path=path!("/organisations/:organisation") view=organisations::detail_page ssr=SsrMode::Async/>
                <Route path=path!("/organisations/:organisation/remove") view=organisations::remove_page ssr=SsrMode::Async/>
                <Route path=path!("/presets") view=presets::list ssr=SsrMode::Async/>
                <Route path=path!("/presets/new") view=presets::new ssr=SsrMode::Async/>
                <Route path=path!("/presets/:id") view=presets::tools ssr=SsrMode::Async/>
                <Route path=path!("/presets/:id/connect") view=presets::connect ssr=SsrMode::Async/>
                <Route path=path!("/presets/:id/try") view=playground::page ssr=SsrMode::Async/>
                <Route path=path!("/presets/:id/sharing") view=presets::sharing ssr=SsrMode::Async/>
                <Route path=path!("/presets/:id/settings") view=presets::settings ssr=SsrMode::Async/>
                <Route path=path!("/presets/:id/history") view=presets::history ssr=SsrMode::Async/>
                <Route path=path!("/presets/:id/fork") view=presets::fork ssr=SsrMode::Async/>
                <Route path=path!("/presets/:id/offered") view=presets::offered ssr=SsrMode::Async/>
                <Route path=path!("/gallery") view=gallery::page ssr=SsrMode::Async/>
                <Route path=path!("/oauth/authorize") view=consent::page ssr=SsrMode::Async/>
                <Route path=path!("/grants") view=grants::page ssr=SsrMode::Async/>
                <Route path=path!("/invitation") view=invitation::page ssr=SsrMode::Async/>
                <Route path=path!("/explain") view=explain::page ssr=SsrMode::Async/>
                <Route path=path!("/keys") view=keys::page ssr=SsrMode::Async/>
                <Route path=path!("/analyses") view=analyses::list_page ssr=SsrMode::Async/>
                <Route path=path!("/analyses/new") view=analyses::new_page ssr=SsrMode::Async/>
                <Route path=path!("/analyses/:id") view=analyses::detail_page ssr=SsrMode::Async/>
                <Route path=path!("/analyses/:id/against") view=analyses::choose_other_page ssr=SsrMode::Async/>
                <Route path=path!("/analyses/:id/against/:other") view=analyses::against_page ssr=SsrMode::Async/>
                <Route path=path!("/metrics") view=metrics::page ssr=SsrMode::Async/>
                <Route path=path!("/usage") view=usage::page ssr=SsrMode::Async/>
                <Route path=path!("/audit") view=audit::page ssr=SsrMode::Async/>
                <Route path=path!("/audit/:id") view=audit::event ssr=SsrMode::Async/>
            </Routes>
        </Router>
    }
}

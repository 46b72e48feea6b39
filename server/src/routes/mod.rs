//! The one list of routes.
//!
//! A route is a line of [`table`]; pages and what they post come from the console, files from
//! `assets`. The access table of the tests fails when a route is missing from it. Never decides who
//! may do what beyond finding out who is calling.

pub mod api;
pub mod assets;
mod caller;
mod connections;
mod console;
mod events;
mod health;
pub(crate) mod mcp;
mod metrics;
mod oauth;

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Router,
    middleware::map_response,
    routing::{MethodRouter, any, delete, get, options, patch, post, put},
};
use http::Method;

use crate::{config::MetricsListen, layers, state::AppState};

pub use metrics::router as metrics_router;

/// One route: a method at a path.
pub struct Row {
    /// The method.
    pub method: Method,
    /// The path, with its parameters in braces.
    pub path: &'static str,
    handler: MethodRouter<AppState>,
}

fn row(method: Method, path: &'static str, handler: MethodRouter<AppState>) -> Row {
    Row { method, path, handler }
}

/// Returns every route that is neither a page, a form of one, nor a file.
pub fn table(metrics: MetricsListen) -> Vec<Row> {
    use api::{
        access, analyses, apply, audit, datasources, document, explain, forks, gallery, invitations, keys,
        organisations, plan_changes, presets, teams, transfers, tunnels, usage, versions,
    };
    let mut rows = vec![
        row(Method::GET, "/health", get(health::health)),
        row(Method::GET, "/ready", get(health::ready)),
        row(Method::GET, "/events", get(events::events)),
        row(Method::GET, "/connections/client.json", get(connections::client_document)),
        row(Method::GET, "/api/v1/openapi.json", get(document::openapi)),
        row(Method::GET, "/api/v1/datasources", get(datasources::list)),
        row(Method::POST, "/api/v1/datasources", post(datasources::create)),
        row(Method::GET, "/api/v1/datasources/{id}", get(datasources::read)),
        row(Method::PATCH, "/api/v1/datasources/{id}", patch(datasources::update)),
        row(Method::DELETE, "/api/v1/datasources/{id}", delete(datasources::remove)),
        row(Method::POST, "/api/v1/datasources/{id}/test", post(datasources::test)),
        row(Method::GET, "/api/v1/datasources/{id}/applications", get(analyses::applications)),
        row(Method::GET, "/api/v1/analyses", get(analyses::list)),
        row(Method::POST, "/api/v1/analyses", post(analyses::create)),
        row(Method::GET, "/api/v1/analyses/{id}", get(analyses::read)),
        row(Method::DELETE, "/api/v1/analyses/{id}", delete(analyses::remove)),
        row(Method::POST, "/api/v1/analyses/{id}/cancel", post(analyses::cancel)),
        row(Method::POST, "/api/v1/analyses/{id}/again", post(analyses::again)),
        row(Method::GET, "/api/v1/analyses/{id}/report.json", get(analyses::json)),
        row(Method::GET, "/api/v1/analyses/{id}/report.md", get(analyses::markdown)),
        row(Method::GET, "/api/v1/analyses/{id}/against/{other}", get(analyses::against)),
        row(Method::GET, "/api/v1/tunnels", get(tunnels::list)),
        row(Method::POST, "/api/v1/tunnels", post(tunnels::create)),
        row(Method::GET, "/api/v1/tunnels/{id}", get(tunnels::read)),
        row(Method::PATCH, "/api/v1/tunnels/{id}", patch(tunnels::update)),
        row(Method::DELETE, "/api/v1/tunnels/{id}", delete(tunnels::remove)),
        row(Method::POST, "/api/v1/tunnels/{id}/test", post(tunnels::test)),
        row(Method::POST, "/api/v1/tunnels/{id}/confirm", post(tunnels::confirm)),
        row(Method::POST, "/api/v1/tunnels/{id}/key", post(tunnels::generate)),
        row(Method::GET, "/api/v1/presets", get(presets::list)),
        row(Method::POST, "/api/v1/presets", post(presets::create)),
        row(Method::GET, "/api/v1/presets/{id}", get(presets::read)),
        row(Method::PATCH, "/api/v1/presets/{id}", patch(presets::update)),
        row(Method::DELETE, "/api/v1/presets/{id}", delete(presets::remove)),
        row(Method::GET, "/api/v1/presets/{id}/access", get(access::list)),
        row(Method::POST, "/api/v1/presets/{id}/access", post(access::create)),
        row(Method::DELETE, "/api/v1/presets/{id}/access/{entry}", delete(access::remove)),
        row(Method::GET, "/api/v1/presets/{id}/versions", get(versions::list)),
        row(Method::GET, "/api/v1/presets/{id}/versions/{version}", get(versions::read)),
        row(Method::POST, "/api/v1/presets/{id}/versions/{version}/restore", post(versions::restore)),
        row(Method::GET, "/api/v1/presets/{id}/invitations", get(invitations::list)),
        row(Method::POST, "/api/v1/presets/{id}/invitations", post(invitations::create)),
        row(Method::DELETE, "/api/v1/presets/{id}/invitations/{invitation}", delete(invitations::remove)),
        row(Method::GET, "/api/v1/presets/{id}/fork", get(forks::read)),
        row(Method::POST, "/api/v1/presets/{id}/fork", post(forks::create)),
        row(Method::GET, "/api/v1/presets/{id}/transfer", get(transfers::read)),
        row(Method::PUT, "/api/v1/presets/{id}/transfer", put(transfers::offer)),
        row(Method::POST, "/api/v1/presets/{id}/transfer", post(transfers::take_over)),
        row(Method::DELETE, "/api/v1/presets/{id}/transfer", delete(transfers::end)),
        row(Method::GET, "/api/v1/transfers", get(transfers::list)),
        row(Method::GET, "/api/v1/gallery", get(gallery::list)),
        row(Method::GET, "/api/v1/keys", get(keys::list)),
        row(Method::POST, "/api/v1/keys", post(keys::create)),
        row(Method::PATCH, "/api/v1/keys/{id}", patch(keys::update)),
        row(Method::DELETE, "/api/v1/keys/{id}", delete(keys::revoke)),
        row(Method::GET, "/api/v1/organisations", get(organisations::list)),
        row(Method::POST, "/api/v1/organisations", post(organisations::create)),
        row(Method::GET, "/api/v1/organisations/{organisation}", get(organisations::read)),
        row(Method::PATCH, "/api/v1/organisations/{organisation}", patch(organisations::update)),
        row(Method::DELETE, "/api/v1/organisations/{organisation}", delete(organisations::remove)),
        row(Method::GET, "/api/v1/organisations/{organisation}/members", get(organisations::members)),
        row(
            Method::PATCH,
            "/api/v1/organisations/{organisation}/members/{member}",
            patch(organisations::set_role),
        ),
        row(
            Method::DELETE,
            "/api/v1/organisations/{organisation}/members/{member}",
            delete(organisations::expel),
        ),
        row(Method::GET, "/api/v1/organisations/{organisation}/invitations", get(organisations::invitations)),
        row(Method::POST, "/api/v1/organisations/{organisation}/invitations", post(organisations::invite)),
        row(
            Method::DELETE,
            "/api/v1/organisations/{organisation}/invitations/{invitation}",
            delete(organisations::withdraw),
        ),
        row(Method::GET, "/api/v1/invitations", get(organisations::offered)),
        row(Method::POST, "/api/v1/invitations/{invitation}", post(organisations::accept)),
        row(Method::DELETE, "/api/v1/invitations/{invitation}", delete(organisations::decline)),
        row(Method::GET, "/api/v1/admin/organisations", get(teams::list)),
        row(Method::POST, "/api/v1/admin/organisations", post(teams::create)),
        row(Method::GET, "/api/v1/admin/organisations/{organisation}", get(teams::read)),
        row(Method::PATCH, "/api/v1/admin/organisations/{organisation}", patch(teams::update)),
        row(Method::DELETE, "/api/v1/admin/organisations/{organisation}", delete(teams::remove)),
        row(
            Method::PUT,
            "/api/v1/admin/organisations/{organisation}/members/{member}",
            put(teams::put_member),
        ),
        row(
            Method::DELETE,
            "/api/v1/admin/organisations/{organisation}/members/{member}",
            delete(teams::remove_member),
        ),
        row(Method::POST, "/api/v1/plan-changes", post(plan_changes::create)),
        row(Method::GET, "/api/v1/explain", get(explain::read)),
        row(Method::GET, "/api/v1/usage", get(usage::read)),
        row(Method::GET, "/api/v1/usage/months", get(usage::months)),
        row(Method::GET, "/api/v1/usage/months.csv", get(usage::csv)),
        row(Method::GET, "/api/v1/audit", get(audit::list)),
        row(Method::GET, "/api/v1/audit/{id}", get(audit::read)),
        row(Method::GET, "/api/v1/audit/export.jsonl", get(audit::export::jsonl)),
        row(Method::GET, "/api/v1/audit/export.csv", get(audit::export::csv)),
        row(Method::GET, "/api/v1/audit/proof.jsonl", get(audit::proof::file)),
        row(Method::GET, "/api/v1/audit/keys", get(audit::proof::keys)),
        row(Method::GET, "/api/v1/audit/checkpoints", get(audit::proof::list)),
        row(Method::POST, "/api/v1/audit/checkpoints", post(audit::proof::sign)),
        row(Method::POST, "/api/v1/admin/erasures", post(audit::proof::erase)),
        row(Method::POST, "/api/v1/apply", post(apply::apply)),
        row(Method::GET, "/api/v1/export", get(apply::export)),
    ];
    rows.extend(issuer());
    // Not `/metrics`, which is the page.
    if metrics == MetricsListen::Main {
        rows.push(row(Method::GET, "/metrics/prometheus", get(metrics::for_admins)));
    }
    rows
}

/// Returns what programs ask the issuer. None of it looks at a cookie.
fn issuer() -> Vec<Row> {
    use oauth::{metadata, register, token};
    let rows = vec![
        row(Method::GET, "/.well-known/oauth-authorization-server", get(metadata::issuer)),
        row(Method::GET, "/.well-known/openid-configuration", get(metadata::issuer)),
        row(Method::GET, "/.well-known/oauth-protected-resource", get(metadata::gateway)),
        row(Method::GET, "/.well-known/oauth-protected-resource/mcp/{owner}/{slug}", get(metadata::preset)),
        // Clients that were given the address with a slash at the end look there.
        row(Method::GET, "/.well-known/oauth-protected-resource/mcp/{owner}/{slug}/", get(metadata::preset)),
        row(Method::GET, "/oauth/jwks", get(metadata::keys)),
        row(Method::POST, "/oauth/register", post(register::register)),
        row(Method::GET, "/oauth/register/{client}", get(register::read)),
        row(Method::DELETE, "/oauth/register/{client}", delete(register::remove)),
        row(Method::POST, "/oauth/token", post(token::token)),
        row(Method::POST, "/oauth/revoke", post(token::revoke)),
    ];
    let asked: BTreeSet<_> = rows.iter().map(|row| row.path).collect();
    let asked = asked.into_iter().map(|path| row(Method::OPTIONS, path, options(oauth::preflight)));
    let open = |row: Row| Row { handler: row.handler.layer(map_response(oauth::open_to_scripts)), ..row };
    rows.into_iter().chain(asked).map(open).collect()
}

/// Returns everything the program answers beside presets, whose address [`Door`](crate::door::Door) knows.
pub fn router(state: AppState) -> Router {
    let mut routes = Router::new();
    for row in table(state.settings().metrics_listen) {
        routes = routes.route(row.path, row.handler);
    }
    let routes = console::add(routes.merge(assets::routes()), &state)
        .route("/api/{*path}", any(api::nowhere))
        .method_not_allowed_fallback(api::method_not_allowed);
    layers::around(routes, Arc::clone(state.keeper())).with_state(state)
}

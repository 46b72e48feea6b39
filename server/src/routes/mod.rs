//! The one list of routes.
//!
//! A route is a line of [`table`]; pages and what they post come from the console, files from
//! `assets`. The access table of the tests fails when a route is missing from it. Never decides who
//! may do what beyond finding out who is calling.

pub mod api;
pub mod assets;
mod caller;
mod console;
mod events;
mod health;
pub(crate) mod mcp;
mod metrics;

use std::sync::Arc;

use axum::{
    Router,
    routing::{MethodRouter, any, delete, get, patch, post},
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
    use api::{access, apply, datasources, document, keys, presets, usage};
    let mut rows = vec![
        row(Method::GET, "/health", get(health::health)),
        row(Method::GET, "/ready", get(health::ready)),
        row(Method::GET, "/events", get(events::events)),
        row(Method::GET, "/api/v1/openapi.json", get(document::openapi)),
        row(Method::GET, "/api/v1/datasources", get(datasources::list)),
        row(Method::POST, "/api/v1/datasources", post(datasources::create)),
        row(Method::GET, "/api/v1/datasources/{id}", get(datasources::read)),
        row(Method::PATCH, "/api/v1/datasources/{id}", patch(datasources::update)),
        row(Method::DELETE, "/api/v1/datasources/{id}", delete(datasources::remove)),
        row(Method::POST, "/api/v1/datasources/{id}/test", post(datasources::test)),
        row(Method::GET, "/api/v1/presets", get(presets::list)),
        row(Method::POST, "/api/v1/presets", post(presets::create)),
        row(Method::GET, "/api/v1/presets/{id}", get(presets::read)),
        row(Method::PATCH, "/api/v1/presets/{id}", patch(presets::update)),
        row(Method::DELETE, "/api/v1/presets/{id}", delete(presets::remove)),
        row(Method::GET, "/api/v1/presets/{id}/access", get(access::list)),
        row(Method::POST, "/api/v1/presets/{id}/access", post(access::create)),
        row(Method::DELETE, "/api/v1/presets/{id}/access/{entry}", delete(access::remove)),
        row(Method::GET, "/api/v1/keys", get(keys::list)),
        row(Method::POST, "/api/v1/keys", post(keys::create)),
        row(Method::DELETE, "/api/v1/keys/{id}", delete(keys::revoke)),
        row(Method::GET, "/api/v1/usage", get(usage::read)),
        row(Method::POST, "/api/v1/apply", post(apply::apply)),
        row(Method::GET, "/api/v1/export", get(apply::export)),
    ];
    // Not `/metrics`, which is the page.
    if metrics == MetricsListen::Main {
        rows.push(row(Method::GET, "/metrics/prometheus", get(metrics::for_admins)));
    }
    rows
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

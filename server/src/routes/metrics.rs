//! Metrics as Prometheus text, on a listener of their own or beside the console.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    response::{IntoResponse as _, Response},
    routing::get,
};
use doorward::policy;
use http::header;

use super::caller::Caller;
use crate::{layers, respond::Problem, state::AppState};

const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Returns the routes of the separate listener. Whoever can reach it may read it, so it is loopback
/// unless the settings say otherwise.
pub fn router(state: AppState) -> Router {
    let routes = Router::new().route("/metrics", get(for_everybody));
    layers::around(routes, Arc::clone(state.keeper())).with_state(state)
}

async fn for_everybody(State(state): State<AppState>) -> Response {
    let engine = state.engine();
    ([(header::CONTENT_TYPE, TEXT_FORMAT)], engine.metrics.text(&engine.gauges())).into_response()
}

/// Beside the console only those who manage the instance may read them: they name every tenant.
pub(super) async fn for_admins(
    State(state): State<AppState>,
    Caller(member): Caller,
) -> Result<Response, Problem> {
    policy::may_administer(&member)?;
    Ok(for_everybody(State(state)).await)
}

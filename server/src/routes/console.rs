//! The console: its pages, what their forms post to, and the page for addresses that are nowhere.

use app::context::provide;
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use leptos::{config::LeptosOptions, server_fn::error::SERVER_FN_ERROR_HEADER};
use leptos_axum::{LeptosRoutes as _, generate_route_list, render_app_async_with_context};

use crate::{
    layers::{BODY_BYTES_MAX, TooSlow},
    respond::{Problem, ProblemKind, refuse},
    state::AppState,
};

/// The most that is read of why a form could not be, in bytes.
const REASON_BYTES_MAX: usize = 16 * 1024;

/// Adds the console to the routes.
pub(super) fn add(routes: Router<AppState>, state: &AppState) -> Router<AppState> {
    let console = state.console();
    let options: LeptosOptions = axum::extract::FromRef::from_ref(state);
    routes
        .leptos_routes_with_context(
            state,
            generate_route_list(app::App),
            move || provide(console.clone()),
            move || app::shell(options.clone()),
        )
        .fallback(nowhere)
        .layer(from_fn(unreadable_form))
}

/// Says of a form that could not be read that it could not be read. The functions behind forms
/// never fail once they have read it, and what they say otherwise is that the program did.
async fn unreadable_form(request: Request, next: Next) -> Response {
    let headers = request.uri().path().starts_with("/do/").then(|| request.headers().clone());
    let response = next.run(request).await;
    let Some(headers) = headers else { return response };
    if response.status() != StatusCode::INTERNAL_SERVER_ERROR
        || !response.headers().contains_key(SERVER_FN_ERROR_HEADER)
    {
        return response;
    }
    let reason = axum::body::to_bytes(response.into_body(), REASON_BYTES_MAX).await.unwrap_or_default();
    let reason = String::from_utf8_lossy(&reason);
    let problem = match reason.split_once('|') {
        _ if reason.contains("length limit exceeded") => {
            Problem::new(ProblemKind::TooLarge, format!("{BODY_BYTES_MAX} bytes are the most"))
        }
        _ if reason.contains(&TooSlow.to_string()) => Problem::new(ProblemKind::TooSlow, TooSlow.to_string()),
        Some(("Deserialization" | "Args" | "MissingArg", _)) => {
            Problem::new(ProblemKind::BadRequest, "this is not what the form of that page sends")
        }
        _ => {
            tracing::error!("a form failed: {reason}");
            Problem::new(ProblemKind::Internal, "the log has more under this request's id")
        }
    };
    refuse(&headers, &problem)
}

async fn nowhere(State(state): State<AppState>, request: Request<Body>) -> Response {
    let console = state.console();
    let options: LeptosOptions = axum::extract::FromRef::from_ref(&state);
    let draw =
        render_app_async_with_context(move || provide(console.clone()), move || app::shell(options.clone()));
    draw(request).await.into_response()
}

//! The console: its pages, what their forms post to, and the page for addresses that are nowhere.

use app::context::{CallerAddress, provide};
use axum::{
    Extension, Router,
    body::Body,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use leptos::config::LeptosOptions;
use leptos_axum::{LeptosRoutes as _, generate_route_list, render_app_async_with_context};

use crate::{layers::Peer, state::AppState};

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
        .layer(from_fn_with_state(state.clone(), caller_address))
}

/// Tells the console where the request comes from: only the server knows the proxies it believes.
async fn caller_address(
    State(state): State<AppState>,
    Extension(peer): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let address = state.address(peer, request.headers());
    request.extensions_mut().insert(CallerAddress(address));
    next.run(request).await
}

async fn nowhere(State(state): State<AppState>, request: Request<Body>) -> Response {
    let console = state.console();
    let options: LeptosOptions = axum::extract::FromRef::from_ref(&state);
    let draw =
        render_app_async_with_context(move || provide(console.clone()), move || app::shell(options.clone()));
    draw(request).await.into_response()
}

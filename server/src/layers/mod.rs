//! What every request to the console and the REST API passes, in order.
//!
//! The one list of layers is [`around`]. Calls to presets pass none of them: their route does the
//! same refusals itself, in fewer steps. Never decides who may do what.

mod address;
mod body;
mod names;
mod security;

use std::{any::Any, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{Next, from_fn, from_fn_with_state},
    response::Response,
};
use doorward::model::Whence;
use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::respond::{Problem, ProblemKind, refuse};

pub use address::{Peer, client_address};
pub use body::{TooSlow, is_too_slow};
pub use names::Names;

/// The largest body of a form or of a request to the REST API, in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Names one request in answers and logs.
#[derive(Clone, Copy, Debug)]
pub struct RequestId(pub Uuid);

/// What programs ask the issuer, and what a payment provider posts. A cookie sent there is not looked at, so it does not
/// matter whose page sends it.
const NO_COOKIE: &[&str] = &["/oauth/token", "/oauth/revoke", "/oauth/register", "/api/v1/plan-changes"];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the layers need to know.
#[derive(Clone, Debug)]
pub struct Doorkeeper {
    /// The names of ours.
    pub names: Names,
    /// Whether browsers reach us over TLS.
    pub https: bool,
    /// The proxies whose word is taken for where a caller is.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a body may take.
    pub body_timeout: Duration,
}

/// Puts the layers around the routes. The first one named here is the outermost.
pub fn around<S: Clone + Send + Sync + 'static>(routes: Router<S>, keeper: Arc<Doorkeeper>) -> Router<S> {
    // `Router::layer` puts each one around those before it, so the list is written inside out and
    // read from its end.
    routes
        // Innermost, because it only tells extractors how much they may read.
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        // For whoever reads the body, whenever that is: a request that is refused first waits for none.
        .layer(from_fn_with_state(Arc::clone(&keeper), body_in_time))
        // After the request has its id, so that whoever acts by it is audited with both.
        .layer(from_fn_with_state(Arc::clone(&keeper), whence))
        // After the host is known to be ours, since it compares the page's origin with it.
        .layer(from_fn_with_state(Arc::clone(&keeper), same_site))
        // Before anything that believes the request's own words about where it came to.
        .layer(from_fn_with_state(Arc::clone(&keeper), our_host))
        // Around the refusals and the panics, since those are answers too.
        .layer(CatchPanicLayer::custom(after_panic))
        .layer(from_fn_with_state(keeper, security_headers))
        // Outermost, so that every answer carries an id and every line of the log is under it.
        .layer(from_fn(request_id))
}

async fn request_id(mut request: Request, next: Next) -> Response {
    // An id that a caller sends is not taken: it could be made to look like somebody else's.
    let id = RequestId(Uuid::now_v7());
    request.extensions_mut().insert(id);
    let span = tracing::info_span!(
        "request",
        request.id = %id.0.simple(),
        method = %request.method(),
        path = request.uri().path(),
    );
    let mut response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    span.in_scope(|| {
        if status.is_server_error() {
            tracing::warn!(status = status.as_u16(), "answered with a failure");
        } else {
            tracing::debug!(status = status.as_u16(), "answered");
        }
    });
    if let Ok(value) = HeaderValue::try_from(id.0.simple().to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

async fn body_in_time(State(keeper): State<Arc<Doorkeeper>>, request: Request, next: Next) -> Response {
    next.run(request.map(|body| body::in_time(body, keeper.body_timeout))).await
}

async fn whence(State(keeper): State<Arc<Doorkeeper>>, mut request: Request, next: Next) -> Response {
    let extensions = request.extensions();
    let peer = extensions.get::<Peer>().map(|peer| peer.0.ip());
    let address = peer.map(|peer| client_address(&keeper.trusted_proxies, peer, request.headers()));
    let whence = Whence { address, request: extensions.get::<RequestId>().map(|id| id.0) };
    request.extensions_mut().insert(whence);
    next.run(request).await
}

async fn security_headers(State(keeper): State<Arc<Doorkeeper>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    security::add(response.headers_mut(), keeper.https);
    response
}

async fn our_host(State(keeper): State<Arc<Doorkeeper>>, request: Request, next: Next) -> Response {
    if keeper.names.is_ours(request.uri(), request.headers()) {
        return next.run(request).await;
    }
    refuse(request.headers(), &wrong_host())
}

async fn same_site(State(keeper): State<Arc<Doorkeeper>>, request: Request, next: Next) -> Response {
    let takes_no_cookie = NO_COOKIE.iter().any(|path| request.uri().path().starts_with(path));
    if takes_no_cookie || keeper.names.is_same_site(request.method(), request.headers()) {
        return next.run(request).await;
    }
    let problem = Problem::new(ProblemKind::Forbidden, "this request was made by a page of another site");
    refuse(request.headers(), &problem)
}

/// Returns the refusal of a request that came to a name that is not ours.
pub fn wrong_host() -> Problem {
    Problem::new(
        ProblemKind::WrongHost,
        "if this name is right, add it to the setting allowed_hosts or make it the public_url",
    )
}

fn after_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without words");
    tracing::error!("a request ended in a panic: {words}");
    Problem::new(ProblemKind::Internal, "the log has more under this request's id").to_response()
}

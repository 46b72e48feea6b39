//! Turns what went wrong into an answer: the one place that picks a status code or shapes an error
//! body.
//!
//! Programs get problem details (RFC 9457), OAuth clients what RFC 6749 says, people a page. What MCP callers get is JSON-RPC and is
//! shaped by the engine's `proxy`; this room only adds what is refused before it. Never shows a
//! cause of ours: that goes to the log, under the request's id.

mod engine;
mod oauth;
mod page;
mod problem;

pub use oauth::{Refused, refused};
pub use page::page;
pub use problem::{Problem, ProblemBody, ProblemKind};

use axum::response::Response;
use http::{HeaderMap, header};

/// Answers with a page if a person is looking, and with problem details otherwise.
pub fn refuse(headers: &HeaderMap, problem: &Problem) -> Response {
    if wants_page(headers) { page(problem) } else { problem.to_response() }
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

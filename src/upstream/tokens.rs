//! Tokens that change while a link lives.

use std::{fmt, pin::Pin, sync::Arc};

use http::HeaderValue;
use uuid::Uuid;

/// A token that somebody else keeps alive. A link asks for it with every request, and tells when the
/// source does not take it.
pub trait Tokens: fmt::Debug + Send + Sync {
    /// Returns the value of `Authorization` for the next request; `None` if there is none any more.
    fn current(&self) -> Option<HeaderValue>;

    /// Hears that the source did not take a request that was sent with this value. Answers whether
    /// there is another one by now, with which the request is worth sending again.
    fn refused<'a>(&'a self, refusal: Refusal<'a>) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>>;
}

/// That a source did not take a request.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// The status: 401, or 403.
    pub status: u16,
    /// The `WWW-Authenticate` header; empty if there was none.
    pub challenge: &'a str,
    /// What the request was sent with; `None` = nothing.
    pub sent: Option<&'a HeaderValue>,
}

/// One of several links to one source, each with tokens of its own.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Tells it from the others.
    pub id: Uuid,
    /// What its requests are sent with. A lane with other tokens than before is another link.
    pub tokens: Arc<dyn Tokens>,
}

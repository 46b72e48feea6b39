//! REST under `/api/v1`: what the console does, for programs.
//!
//! A handler finds out who is calling, reads the body, asks the engine and turns the result into
//! what is sent. Everything refused is a problem (RFC 9457). Never says more of a thing of somebody
//! else than that it is not there. One more resource: a file, its lines in `routes/mod.rs`, and its
//! paths in `document.rs`, which a test compares with the routes.

pub(super) mod access;
pub(super) mod analyses;
pub(super) mod apply;
pub(super) mod audit;
pub(super) mod datasources;
pub mod document;
pub(super) mod explain;
pub(super) mod forks;
pub(super) mod gallery;
pub(super) mod invitations;
pub(super) mod keys;
pub(super) mod organisations;
pub(super) mod plan_changes;
pub(super) mod presets;
pub(super) mod teams;
pub(super) mod transfers;
pub(super) mod tunnels;
pub(super) mod usage;
pub(super) mod versions;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    response::{IntoResponse, Response},
};
use doorward::{clock::Ms, mcp::headers::is_json};
use http::{HeaderMap, request::Parts};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::{IntoParams, ToSchema};

use crate::{
    layers::{TooSlow, is_too_slow},
    respond::{Problem, ProblemKind, refuse},
};

/// How many things a page holds when nothing is said.
const PAGE_DEFAULT: usize = 50;

/// How many things a page holds at most.
const PAGE_MAX: usize = 200;

/// A body that was read as JSON. Members that nobody knows are refused.
pub(super) struct Body<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                ProblemKind::UnsupportedType,
                "send JSON with Content-Type: application/json",
            ));
        }
        let body = whole(request, state).await?;
        match serde_json::from_slice(&body) {
            Ok(value) => Ok(Self(value)),
            Err(error) => Err(Problem::new(ProblemKind::BadRequest, error.to_string())),
        }
    }
}

/// Reads a body of any type as text.
pub(super) struct Text(String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = whole(request, state).await?;
        match String::from_utf8(body.into()) {
            Ok(text) => Ok(Self(text)),
            Err(_) => Err(Problem::new(ProblemKind::BadRequest, "the body is not UTF-8")),
        }
    }
}

async fn whole<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
        http::StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            ProblemKind::TooLarge,
            format!("{} bytes are the most", crate::layers::BODY_BYTES_MAX),
        ),
        _ if is_too_slow(&rejection) => Problem::new(ProblemKind::TooSlow, TooSlow.to_string()),
        _ => Problem::new(ProblemKind::BadRequest, "the body broke off"),
    })
}

/// An identifier in the path. One that is none names nothing.
pub(super) struct Id<T>(T);

impl<T: std::str::FromStr + Send, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let nothing = || Problem::new(ProblemKind::NotFound, "");
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| nothing())?;
        text.parse().map(Self).map_err(|_| nothing())
    }
}

/// Two identifiers in the path. One that is none names nothing.
pub(super) struct Ids<A, B>(A, B);

impl<A, B, S> FromRequestParts<S> for Ids<A, B>
where
    A: std::str::FromStr + Send,
    B: std::str::FromStr + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let nothing = || Problem::new(ProblemKind::NotFound, "");
        let read = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((first, second)) = read.map_err(|_| nothing())?;
        Ok(Self(first.parse().map_err(|_| nothing())?, second.parse().map_err(|_| nothing())?))
    }
}

/// What the query says. Members that nobody knows are refused by its type.
pub(super) struct Asked<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(error) => Err(Problem::new(ProblemKind::BadRequest, error.body_text())),
        }
    }
}

/// What part of a list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    /// How many things, from 1 to 200; 50 if absent.
    limit: Option<usize>,
    /// The `next` of the page before.
    after: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for PageQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Asked(query) = Asked::<Self>::from_request_parts(parts, state).await?;
        page_limit(query.limit, PAGE_MAX)?;
        Ok(query)
    }
}

/// Returns how many things a page shows, where `max` may be asked for.
fn page_limit(asked: Option<usize>, max: usize) -> Result<usize, Problem> {
    match asked {
        None => Ok(PAGE_DEFAULT),
        Some(limit) if (1..=max).contains(&limit) => Ok(limit),
        Some(_) => Err(Problem::new(ProblemKind::BadRequest, format!("`limit` is from 1 to {max}"))),
    }
}

/// Part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The things.
    items: Vec<T>,
    /// What to send as `after` for the page that follows; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<T> Page<T> {
    /// Cuts a page out of a list that is in the order of its keys.
    fn cut(all: Vec<T>, query: &PageQuery, key: impl Fn(&T) -> String) -> Self {
        let limit = query.limit.unwrap_or(PAGE_DEFAULT);
        let mut rest =
            all.into_iter().skip_while(|item| query.after.as_ref().is_some_and(|after| key(item) <= *after));
        let items: Vec<T> = rest.by_ref().take(limit).collect();
        let next = rest.next().and(items.last()).map(&key);
        Self { items, next }
    }

    /// Makes a page of what was found, which is one more than a page shows where another page follows.
    fn of<F>(mut found: Vec<F>, limit: usize, key: impl Fn(&F) -> String) -> Self
    where
        T: From<F>,
    {
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(key);
        Self { items: found.into_iter().map(T::from).collect(), next }
    }
}

/// Writes a time as RFC 3339.
fn time(at: Ms) -> String {
    at.to_string()
}

/// Answers for an address under `/api` that is nowhere.
pub(super) async fn nowhere() -> Problem {
    Problem::new(ProblemKind::NotFound, "see /api/v1/openapi.json for what there is")
}

/// Answers for a method that an address does not take.
pub(super) async fn method_not_allowed(headers: HeaderMap) -> Response {
    refuse(&headers, &Problem::new(ProblemKind::MethodNotAllowed, "")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_gap_or_repeat() {
        let all = || vec!["a", "b", "c", "d", "e"];
        let page = |after: Option<&str>| {
            let query = PageQuery { limit: Some(2), after: after.map(str::to_owned) };
            Page::cut(all(), &query, |item| (*item).to_owned())
        };

        let first = page(None);
        let second = page(first.next.as_deref());
        let third = page(second.next.as_deref());

        assert_eq!((first.items, second.items, third.items), (vec!["a", "b"], vec!["c", "d"], vec!["e"]));
        assert_eq!(third.next, None);
    }
}

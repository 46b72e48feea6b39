//! Who is calling: an API key if one is given, else the browser's cookie; and in which organisation.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use doorward::{
    identity::KeyError,
    model::{Handle, Member, Whence},
};
use http::{HeaderMap, HeaderName, header, request::Parts};

use crate::{
    respond::{Problem, ProblemKind},
    state::AppState,
};

/// What names the organisation a request acts in, by its handle. Without it a key acts where it was made, and a browser
/// where its person has it act.
const ORGANISATION: HeaderName = HeaderName::from_static("doorward-organisation");

/// The person behind a request, in the organisation that it acts in. A route that takes one refuses everybody else.
pub(super) struct Caller(pub(super) Arc<Member>);

impl FromRequestParts<AppState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let found = find(&parts.headers, state).await?.ok_or_else(|| {
            Problem::new(ProblemKind::Unauthenticated, "send `Authorization: Bearer dw_…`, or sign in")
        })?;
        state.engine().quota.admit_rest(found.user).await?;
        let whence = parts.extensions.get::<Whence>().copied().unwrap_or_default();
        let member = Arc::new(found.asking_from(whence));
        match named(&parts.headers)? {
            Some(organisation) => Ok(Self(state.engine().orgs.acting_in(&member, &organisation).await?)),
            None => Ok(Self(member)),
        }
    }
}

/// Returns the organisation that the request names.
fn named(headers: &HeaderMap) -> Result<Option<Handle>, Problem> {
    let mut given = headers.get_all(ORGANISATION).iter();
    let Some(value) = given.next() else { return Ok(None) };
    let handle = value.to_str().ok().and_then(|text| Handle::parse(text.trim()).ok());
    match handle.filter(|_| given.next().is_none()) {
        Some(handle) => Ok(Some(handle)),
        None => Err(Problem::new(
            ProblemKind::BadRequest,
            "`Doorward-Organisation` holds the handle of one organisation",
        )),
    }
}

/// Returns who is calling; `None` if the request says nothing of it. A key that does not hold is
/// refused, also when there is a cookie beside it.
pub(super) async fn find(headers: &HeaderMap, state: &AppState) -> Result<Option<Arc<Member>>, Problem> {
    let identity = &state.engine().identity;
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    if let Some(value) = given.next() {
        let bearer = value.to_str().ok().and_then(bearer).filter(|_| given.next().is_none());
        let Some(bearer) = bearer else { return Err(refused(&KeyError::Malformed)) };
        return identity.authenticate_key(bearer).await.map(Some).map_err(|error| refused(&error));
    }
    let Some(cookie) = cookie(headers, state.cookie_name()) else { return Ok(None) };
    Ok(identity.find_session(cookie).await?)
}

/// Returns the text after `Bearer `.
pub(super) fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

fn refused(error: &KeyError) -> Problem {
    match error {
        KeyError::Store(_) => Problem::of(error, error.fault()),
        KeyError::Malformed
        | KeyError::Unknown
        | KeyError::Expired
        | KeyError::Revoked
        | KeyError::Disabled => Problem::new(ProblemKind::Unauthenticated, error.to_string()),
    }
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(';')).find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then_some(value)
    })
}

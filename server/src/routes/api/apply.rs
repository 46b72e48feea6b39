//! `/api/v1/apply` and `/api/v1/export`: a whole document at once.

#![expect(unused_qualifications, reason = "what the macro writes for the query has one")]

use axum::{
    Json,
    extract::{FromRequestParts, Query, State},
    response::{IntoResponse, Response},
};
use doorward::apart;
use http::{header, request::Parts};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Text;
use crate::{
    apply::{self, ApplyError, Authority, Plan},
    respond::{Problem, ProblemBody, ProblemKind},
    routes::caller::Caller,
    state::AppState,
};

/// How to apply.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct ApplyQuery {
    /// Only say what would be done.
    #[serde(default)]
    dry_run: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for ApplyQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Query::<Self>::from_request_parts(parts, state).await;
        read.map(|Query(query)| query)
            .map_err(|error| Problem::new(ProblemKind::BadRequest, error.body_text()))
    }
}

/// Makes the installation be as a document declares, as far as the caller may. The document is YAML
/// or JSON and names no files.
#[utoipa::path(post, path = "/api/v1/apply", tag = "documents", params(ApplyQuery),
    request_body(content = String, content_type = "application/yaml"),
    responses((status = 200, body = Plan), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn apply(
    State(state): State<AppState>,
    Caller(member): Caller,
    query: ApplyQuery,
    Text(text): Text,
) -> Result<Json<Plan>, Problem> {
    doorward::policy::may_use_account(&member)?;
    let document = apply::read(&text).map_err(ApplyError::from)?;
    apply::refuse_files(&document)?;
    let (rooms, authority) = (state.rooms(), Authority::Member(member));
    // In a task of its own, so that a caller who leaves in the middle does not leave half of it.
    let applied =
        apart::finish(async move { apply::apply(&rooms, &authority, &document, query.dry_run).await });
    Ok(Json(applied.await?))
}

/// Returns what the caller has, as a document without secrets.
#[utoipa::path(get, path = "/api/v1/export", tag = "documents",
    responses((status = 200, body = String, content_type = "application/yaml"), (status = 401, body = ProblemBody)))]
pub(in crate::routes) async fn export(
    State(state): State<AppState>,
    Caller(member): Caller,
) -> Result<Response, Problem> {
    let text = apply::export(&state.rooms(), &Authority::Member(member)).await?;
    Ok(([(header::CONTENT_TYPE, "application/yaml")], text).into_response())
}

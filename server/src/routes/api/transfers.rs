//! `/api/v1/presets/{id}/transfer` and `/api/v1/transfers`: handing a preset over.

use axum::{Json, extract::State, response::Response};
use doorward::{
    model::{Handle, PresetId, Slug, Transfer},
    presets::OfferedPreset,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Body, Id, Page, PageQuery,
    forks::{ForkedBody, NewForkBody, made},
    time,
};
use crate::{
    respond::{Problem, ProblemBody, ProblemKind},
    routes::caller::Caller,
    state::AppState,
};

/// An offer to hand a preset over.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct TransferBody {
    /// The handle of who may take it over.
    #[schema(value_type = String)]
    to: Handle,
    /// The handle of who offers it.
    #[schema(value_type = String)]
    by: Handle,
    created_at: String,
    expires_at: String,
}

/// A preset that is offered to the caller.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct OfferedBody {
    #[schema(value_type = String, format = "uuid")]
    preset: PresetId,
    #[schema(value_type = String)]
    owner: Handle,
    #[schema(value_type = String)]
    slug: Slug,
    title: String,
    #[serde(flatten)]
    transfer: TransferBody,
}

/// Whom a preset is offered to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct NewTransferBody {
    /// The handle of somebody with an account.
    #[schema(value_type = String)]
    to: Handle,
}

impl From<Transfer> for TransferBody {
    fn from(transfer: Transfer) -> Self {
        Self {
            to: transfer.to_handle,
            by: transfer.by_handle,
            created_at: time(transfer.created_at),
            expires_at: time(transfer.expires_at),
        }
    }
}

impl From<OfferedPreset> for OfferedBody {
    fn from(offered: OfferedPreset) -> Self {
        Self {
            preset: offered.preset.id,
            owner: offered.owner,
            slug: offered.preset.slug,
            title: offered.preset.title,
            transfer: offered.transfer.into(),
        }
    }
}

/// Lists the presets that are offered to the caller.
#[utoipa::path(get, path = "/api/v1/transfers", tag = "presets", params(PageQuery),
    responses((status = 200, body = Page<OfferedBody>), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody)))]
pub(in crate::routes) async fn list(
    State(state): State<AppState>,
    Caller(member): Caller,
    query: PageQuery,
) -> Result<Json<Page<OfferedBody>>, Problem> {
    let mut offered = state.engine().presets.offered(&member).await?;
    offered.sort_by_key(|offered| offered.preset.id);
    let all = offered.into_iter().map(OfferedBody::from).collect();
    Ok(Json(Page::cut(all, &query, |offered: &OfferedBody| offered.preset.to_string())))
}

/// Returns the offer to hand a preset over, for its owner.
#[utoipa::path(get, path = "/api/v1/presets/{id}/transfer", tag = "presets",
    params(("id" = String, Path, description = "the preset")),
    responses((status = 200, body = TransferBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn read(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<PresetId>,
) -> Result<Json<TransferBody>, Problem> {
    let transfer = state.engine().presets.transfer(&member, id).await?.ok_or_else(nothing)?;
    Ok(Json(transfer.into()))
}

/// Offers a preset to somebody, in place of the offer there was. Nothing changes until they take it over.
#[utoipa::path(put, path = "/api/v1/presets/{id}/transfer", tag = "presets",
    params(("id" = String, Path, description = "the preset")), request_body = NewTransferBody,
    responses((status = 200, body = TransferBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn offer(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<PresetId>,
    Body(new): Body<NewTransferBody>,
) -> Result<Json<TransferBody>, Problem> {
    let transfer = state.engine().presets.offer_transfer(&member, id, &new.to).await?;
    Ok(Json(transfer.into()))
}

/// Takes the offer back, which the owner of the preset does, or turns it down, which whoever it is for does.
#[utoipa::path(delete, path = "/api/v1/presets/{id}/transfer", tag = "presets",
    params(("id" = String, Path, description = "the preset")),
    responses((status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn end(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<PresetId>,
) -> Result<StatusCode, Problem> {
    if state.engine().presets.end_transfer(&member, id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(nothing())
    }
}

/// Takes a preset over that is offered to the caller: it is made anew on the caller's own data sources, for those who
/// may use it now, and the old one is removed with its address.
#[utoipa::path(post, path = "/api/v1/presets/{id}/transfer", tag = "presets",
    params(("id" = String, Path, description = "the preset")), request_body = NewForkBody,
    responses((status = 201, body = ForkedBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn take_over(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<PresetId>,
    Body(new): Body<NewForkBody>,
) -> Result<Response, Problem> {
    let taken = state.engine().presets.take_over(&member, id, new.into()).await?;
    Ok(made(&state, &member, taken))
}

fn nothing() -> Problem {
    Problem::new(ProblemKind::NotFound, "the preset is offered to nobody")
}

//! `/api/v1/keys`: the caller's own API keys.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use doorward::{
    identity::NewKey,
    model::{ApiKey, ApiKeyId, KeyScope, PresetId, Rate},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Body, Id, Page, PageQuery, time};
use crate::{
    respond::{Problem, ProblemBody, ProblemKind},
    routes::caller::Caller,
    state::AppState,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// An API key without its secret.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct KeyBody {
    #[schema(value_type = String, format = "uuid")]
    id: ApiKeyId,
    name: String,
    /// The presets it may call; absent = everything its owner may, and this API.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    presets: Option<Vec<PresetId>>,
    /// How fast calls with it may come, as `600/minute`; absent = as fast as other limits let them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    rate: Option<Rate>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
}

impl From<ApiKey> for KeyBody {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            presets: match key.scope {
                KeyScope::Everything => None,
                KeyScope::Presets(presets) => Some(presets),
            },
            rate: key.rate,
            created_at: time(key.created_at),
            expires_at: key.expires_at.map(time),
            last_used_at: key.last_used_at.map(time),
            revoked_at: key.revoked_at.map(time),
        }
    }
}

/// An API key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct NewKeyBody {
    name: String,
    /// The presets it may call; absent = everything the caller may, and this API.
    #[schema(value_type = Option<Vec<String>>)]
    presets: Option<Vec<PresetId>>,
    /// When it stops working; absent = never.
    expires_in_days: Option<u32>,
    /// How fast calls with it may come, as `600/minute` or `600/minute, 20 at once`.
    #[schema(value_type = Option<String>)]
    rate: Option<Rate>,
}

/// An edit of an API key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct KeyChange {
    /// How fast calls with it may come; `null` = as fast as other limits let them.
    #[schema(value_type = Option<String>)]
    rate: Option<Rate>,
}

/// An API key that was made.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct KeyAdded {
    key: KeyBody,
    /// The whole key, `dw_…`. It is not to be had again.
    secret: String,
}

/// Lists the caller's API keys, the newest first.
#[utoipa::path(get, path = "/api/v1/keys", tag = "keys", params(PageQuery),
    responses((status = 200, body = Page<KeyBody>), (status = 401, body = ProblemBody)))]
pub(in crate::routes) async fn list(
    State(state): State<AppState>,
    Caller(member): Caller,
    query: PageQuery,
) -> Result<Json<Page<KeyBody>>, Problem> {
    let mut all: Vec<KeyBody> =
        state.engine().identity.keys(&member).await?.into_iter().map(KeyBody::from).collect();
    // Ids begin with the time of making. The newest come first, so the order of the keys is turned
    // round by counting down from the largest.
    let place = |key: &KeyBody| format!("{:032x}", u128::MAX - key.id.0.as_u128());
    all.sort_by_key(place);
    Ok(Json(Page::cut(all, &query, place)))
}

/// Makes an API key.
#[utoipa::path(post, path = "/api/v1/keys", tag = "keys", request_body = NewKeyBody,
    responses((status = 201, body = KeyAdded), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn create(
    State(state): State<AppState>,
    Caller(member): Caller,
    Body(body): Body<NewKeyBody>,
) -> Result<Response, Problem> {
    let engine = state.engine();
    if let Some(presets) = &body.presets {
        let known = engine.presets.list(&member).await?;
        if let Some(id) = presets.iter().find(|id| !known.iter().any(|item| item.preset.id == **id)) {
            return Err(Problem::new(ProblemKind::Unprocessable, format!("there is no preset {id}")));
        }
    }
    let new = NewKey {
        name: body.name,
        scope: body.presets.map_or(KeyScope::Everything, KeyScope::Presets),
        expires_at: body.expires_in_days.map(|days| engine.clock.now().plus(DAY * days)),
        rate: body.rate,
    };
    let (key, secret) = engine.identity.create_key(&member, new).await?;
    let body = KeyAdded { key: key.into(), secret: secret.expose().to_owned() };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// Says how fast calls with an API key may come. Holds on the next call.
#[utoipa::path(patch, path = "/api/v1/keys/{id}", tag = "keys",
    params(("id" = String, Path, description = "the API key")), request_body = KeyChange,
    responses((status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn update(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<ApiKeyId>,
    Body(body): Body<KeyChange>,
) -> Result<StatusCode, Problem> {
    if state.engine().identity.set_key_rate(&member, id, body.rate).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::new(ProblemKind::NotFound, "there is no such API key in use"))
    }
}

/// Revokes an API key; its next use is refused.
#[utoipa::path(delete, path = "/api/v1/keys/{id}", tag = "keys",
    params(("id" = String, Path, description = "the API key")),
    responses((status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn revoke(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<ApiKeyId>,
) -> Result<StatusCode, Problem> {
    if state.engine().identity.revoke_key(&member, id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::new(ProblemKind::NotFound, "there is no such API key left to revoke"))
    }
}

//! `/api/v1/presets/{id}/fork`: a preset of one's own that takes what another publishes.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use doorward::{
    model::{Member, PresetId, Slug, SourceId, SourceName},
    presets::{ForkPart, Forkable, Forked, NewFork},
};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Body, Id,
    presets::{PresetBody, body},
};
use crate::{
    respond::{Problem, ProblemBody},
    routes::caller::Caller,
    state::AppState,
};

/// What a preset publishes, source by source.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct ForkableBody {
    title: String,
    description: String,
    parts: Vec<PartBody>,
}

/// What a preset publishes from one source.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct PartBody {
    /// Names the part in a fork.
    #[schema(value_type = String, format = "uuid")]
    of: SourceId,
    /// The names of its tools.
    tools: Vec<String>,
    /// The names of its prompts.
    prompts: Vec<String>,
    /// How many resources and resource templates there are.
    resources: usize,
    /// Which of the caller's data sources can stand in for it, the best first.
    choices: Vec<ChoiceBody>,
}

/// A data source of the caller's that can stand in.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct ChoiceBody {
    #[schema(value_type = String, format = "uuid")]
    source: SourceId,
    #[schema(value_type = String)]
    name: SourceName,
    /// The names of the tools and prompts it does not have.
    lacks: Vec<String>,
}

/// A fork to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct NewForkBody {
    #[schema(value_type = String)]
    slug: Slug,
    /// What the original is called if absent.
    #[serde(default)]
    title: String,
    /// What stands in for which part; a part that is not named is left out.
    #[serde(default)]
    sources: Vec<StandInBody>,
}

/// A data source that stands in for a part.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct StandInBody {
    #[schema(value_type = String, format = "uuid")]
    of: SourceId,
    #[schema(value_type = String, format = "uuid")]
    source: SourceId,
}

/// A fork that was made.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct ForkedBody {
    preset: PresetBody,
    /// The names of the tools and prompts that it does not have.
    left_out: Vec<String>,
}

impl From<ForkPart> for PartBody {
    fn from(part: ForkPart) -> Self {
        let ForkPart { of, tools, prompts, resources, choices } = part;
        let choices = choices.into_iter().map(|choice| ChoiceBody {
            source: choice.source.id,
            name: choice.source.name,
            lacks: choice.lacks,
        });
        Self { of, tools, prompts, resources, choices: choices.collect() }
    }
}

impl From<NewForkBody> for NewFork {
    fn from(body: NewForkBody) -> Self {
        let sources: BTreeMap<_, _> = body.sources.into_iter().map(|one| (one.of, one.source)).collect();
        Self { slug: body.slug, title: body.title, sources }
    }
}

/// Answers with a preset that was made for the caller.
pub(super) fn made(state: &AppState, member: &Member, forked: Forked) -> Response {
    let location = format!("/api/v1/presets/{}", forked.preset.id);
    let preset = body(state, &member.tenant_handle, forked.preset);
    let made = ForkedBody { preset, left_out: forked.left_out };
    (StatusCode::CREATED, [(header::LOCATION, location)], Json(made)).into_response()
}

/// Returns what a fork of a preset would take. For those who may use it, or may take it over.
#[utoipa::path(get, path = "/api/v1/presets/{id}/fork", tag = "presets",
    params(("id" = String, Path, description = "the preset")),
    responses((status = 200, body = ForkableBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn read(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<PresetId>,
) -> Result<Json<ForkableBody>, Problem> {
    let Forkable { preset, parts, .. } = state.engine().presets.forkable(&member, id).await?;
    Ok(Json(ForkableBody {
        title: preset.title,
        description: preset.description,
        parts: parts.into_iter().map(PartBody::from).collect(),
    }))
}

/// Forks a preset: makes a private one of the caller's that takes the same tools from the caller's own data sources.
#[utoipa::path(post, path = "/api/v1/presets/{id}/fork", tag = "presets",
    params(("id" = String, Path, description = "the preset")), request_body = NewForkBody,
    responses((status = 201, body = ForkedBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn create(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<PresetId>,
    Body(new): Body<NewForkBody>,
) -> Result<Response, Problem> {
    let forked = state.engine().presets.fork(&member, id, new.into()).await?;
    Ok(made(&state, &member, forked))
}

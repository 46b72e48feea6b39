//! `/api/v1/presets/{id}/versions`: what a preset was, and going back.

use axum::{Json, extract::State};
use doorward::{
    model::{
        AccessLevel, ChangeKind, PresetId, PresetStatus, PresetVersion, Slug, SourceName, VersionChange,
        Visibility,
    },
    presets::{Compared, MissingTool},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Asked, Body, Id, Ids, Page, PageQuery,
    presets::{PresetBody, SelectionBody, body},
    time,
};
use crate::{
    respond::{Problem, ProblemBody},
    routes::caller::Caller,
    state::AppState,
};

/// A saved change of a preset.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct VersionBody {
    /// The version the preset got by it.
    version: i64,
    saved_at: String,
    /// Who saved it; absent if that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    saved_by: Option<String>,
    /// What changed, in a line.
    summary: String,
}

/// What a preset was in a version, and in what that differs from an older one.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct VersionDetail {
    #[serde(flatten)]
    version: VersionBody,
    state: StateBody,
    /// The older version that `changes` begin at; absent if none is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<i64>,
    changes: Vec<ChangeBody>,
}

/// What a preset was.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct StateBody {
    #[schema(value_type = String)]
    slug: Slug,
    title: String,
    description: String,
    /// `private`, `invite_only` or `public`.
    #[schema(value_type = String)]
    visibility: Visibility,
    anonymous: bool,
    /// `active`, `disabled` or `archived`.
    #[schema(value_type = String)]
    status: PresetStatus,
    /// From when on it answered nobody; absent if it did not end.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    sources: Vec<SelectionBody>,
}

/// One thing in which two versions differ.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct ChangeBody {
    /// `setting`, `source_added`, `source_removed`, `all_tools`, `tool_added`, `tool_removed`, `tool_renamed`,
    /// `tool_described`, `arguments_checked`, `resources` or `prompts`.
    #[schema(value_type = String)]
    what: ChangeKind,
    /// The name of the data source; absent for settings of the preset.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<SourceName>,
    /// The setting, tool, URI or prompt; empty for the data source as a whole.
    name: String,
    before: String,
    after: String,
}

/// Going back to a version.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct RollBackBody {
    /// The version the preset has, as it was looked at. Another one is refused with 409.
    version: i64,
}

/// A preset that was taken back.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct RolledBackBody {
    preset: PresetBody,
    /// What it took then and cannot be had any more.
    missing: Vec<MissingBody>,
}

/// What is not there any more.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct MissingBody {
    /// What the data source was called.
    #[schema(value_type = String)]
    source: SourceName,
    /// The name the source knew the tool by; absent if the data source itself is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<String>,
}

impl From<PresetVersion> for VersionBody {
    fn from(version: PresetVersion) -> Self {
        Self {
            version: version.version,
            saved_at: time(version.saved_at),
            saved_by: Some(version.saved_by).filter(|who| !who.is_empty()),
            summary: version.summary,
        }
    }
}

impl From<VersionChange> for ChangeBody {
    fn from(change: VersionChange) -> Self {
        let VersionChange { what, source, name, before, after } = change;
        Self { what, source, name, before, after }
    }
}

impl From<Compared> for VersionDetail {
    fn from(compared: Compared) -> Self {
        let state = compared.state;
        Self {
            version: compared.after.into(),
            state: StateBody {
                slug: state.slug,
                title: state.title,
                description: state.description,
                visibility: state.visibility,
                anonymous: state.anonymous,
                status: state.status,
                expires_at: state.expires_at.map(time),
                sources: state.takes.into_iter().map(|take| take.selection.into()).collect(),
            },
            since: compared.before.map(|before| before.version),
            changes: compared.changes.into_iter().map(ChangeBody::from).collect(),
        }
    }
}

/// What a version is compared with.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct SinceQuery {
    /// An older version; the one before if absent.
    since: Option<i64>,
}

/// Lists the kept versions of a preset, the oldest first. For those who may change it.
#[utoipa::path(get, path = "/api/v1/presets/{id}/versions", tag = "presets",
    params(("id" = String, Path, description = "the preset"), PageQuery),
    responses((status = 200, body = Page<VersionBody>), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn list(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<PresetId>,
    query: PageQuery,
) -> Result<Json<Page<VersionBody>>, Problem> {
    let (_, versions) = state.engine().presets.versions(&member, id).await?;
    let all = versions.into_iter().rev().map(VersionBody::from).collect();
    // In the order of its numbers, which `after` is compared with as text.
    Ok(Json(Page::cut(all, &query, |version: &VersionBody| format!("{:020}", version.version))))
}

/// Returns what a preset was in a version, and in what it differs from an older one.
#[utoipa::path(get, path = "/api/v1/presets/{id}/versions/{version}", tag = "presets",
    params(("id" = String, Path, description = "the preset"),
        ("version" = i64, Path, description = "the version"), SinceQuery),
    responses((status = 200, body = VersionDetail), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn read(
    State(state): State<AppState>,
    Caller(member): Caller,
    Ids(id, version): Ids<PresetId, i64>,
    Asked(query): Asked<SinceQuery>,
) -> Result<Json<VersionDetail>, Problem> {
    let compared = state.engine().presets.compare_versions(&member, id, query.since, version).await?;
    Ok(Json(compared.into()))
}

/// Takes a preset back to what it took and how it was called in a version, as a new version. Its address, who may use
/// it and whether it answers stay as they are.
#[utoipa::path(post, path = "/api/v1/presets/{id}/versions/{version}/restore", tag = "presets",
    params(("id" = String, Path, description = "the preset"),
        ("version" = i64, Path, description = "the version")), request_body = RollBackBody,
    responses((status = 200, body = RolledBackBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn restore(
    State(state): State<AppState>,
    Caller(member): Caller,
    Ids(id, to): Ids<PresetId, i64>,
    Body(asked): Body<RollBackBody>,
) -> Result<Json<RolledBackBody>, Problem> {
    let presets = &state.engine().presets;
    let owner = presets.open(&member, id, AccessLevel::Editor).await?.owner;
    let done = presets.roll_back(&member, id, to, asked.version).await?;
    let missing = done.missing.into_iter().map(|MissingTool { source, tool }| MissingBody { source, tool });
    Ok(Json(RolledBackBody { preset: body(&state, &owner, done.preset), missing: missing.collect() }))
}

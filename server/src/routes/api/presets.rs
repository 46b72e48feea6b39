//! `/api/v1/presets`.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use doorward::{
    model::{
        AccessLevel, CallRules, Handle, Preset, PresetId, PresetStatus, PresetTool, Selection, Slug,
        SourceId, Visibility,
    },
    presets::{NewPreset, PresetChange},
};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Body, Id, Page, PageQuery, time};
use crate::{
    respond::{Problem, ProblemBody, ProblemKind},
    routes::caller::Caller,
    state::AppState,
    take::{Taken, Until},
};

/// A preset.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct PresetBody {
    #[schema(value_type = String, format = "uuid")]
    id: PresetId,
    /// The last part of its address.
    #[schema(value_type = String)]
    slug: Slug,
    /// Where agents call it.
    address: String,
    title: String,
    description: String,
    /// `private`, `invite_only` or `public`.
    #[schema(value_type = String)]
    visibility: Visibility,
    /// Whether a caller needs no key.
    anonymous: bool,
    /// `active`, `disabled` or `archived`.
    #[schema(value_type = String)]
    status: PresetStatus,
    /// From when on it answers nobody; absent if it does not end.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// How fast calls may come, and which are made once; absent if nothing is said.
    #[serde(skip_serializing_if = "CallRules::is_empty")]
    #[schema(value_type = Option<Object>)]
    rules: CallRules,
    /// Counts the edits; send it with an edit.
    version: i64,
    created_at: String,
    updated_at: String,
}

/// A preset with what it takes from which source.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct PresetDetail {
    #[serde(flatten)]
    preset: PresetBody,
    /// Absent for those who may only use the preset.
    #[serde(skip_serializing_if = "Option::is_none")]
    sources: Option<Vec<SelectionBody>>,
}

/// What a preset takes from one source.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct SelectionBody {
    #[schema(value_type = String, format = "uuid")]
    source: SourceId,
    /// Whether every accepted tool is taken unless switched off in `tools`; otherwise only those
    /// switched on there.
    all: bool,
    /// What is said of single tools.
    #[serde(default)]
    tools: Vec<SelectedTool>,
    /// Which resources are taken: `all`, `none`, or a list of URIs and URI templates. `none` if
    /// absent.
    #[serde(default)]
    resources: Taken,
    /// Which prompts are taken: `all`, `none`, or a list of names; only accepted ones are
    /// published. `none` if absent.
    #[serde(default)]
    prompts: Taken,
}

/// What a preset says of one tool.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct SelectedTool {
    /// The name the source knows it by.
    name: String,
    #[serde(default = "yes")]
    enabled: bool,
    /// The name callers see instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exposed_name: Option<String>,
    /// The description callers see instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exposed_description: Option<String>,
    /// Whether arguments are checked against the input schema before the source is asked.
    #[serde(default)]
    check_arguments: bool,
}

fn yes() -> bool {
    true
}

impl From<SelectionBody> for Selection {
    fn from(body: SelectionBody) -> Self {
        let tools = body.tools.into_iter().map(|tool| PresetTool {
            name: tool.name,
            enabled: tool.enabled,
            exposed_name: tool.exposed_name,
            exposed_description: tool.exposed_description,
            check_arguments: tool.check_arguments,
        });
        Self {
            source: body.source,
            all: body.all,
            tools: tools.collect(),
            resources: (&body.resources).into(),
            prompts: (&body.prompts).into(),
        }
    }
}

impl From<Selection> for SelectionBody {
    fn from(selection: Selection) -> Self {
        let (resources, prompts) = ((&selection.resources).into(), (&selection.prompts).into());
        let tools = selection.tools.into_iter().map(|tool| SelectedTool {
            name: tool.name,
            enabled: tool.enabled,
            exposed_name: tool.exposed_name,
            exposed_description: tool.exposed_description,
            check_arguments: tool.check_arguments,
        });
        Self { source: selection.source, all: selection.all, tools: tools.collect(), resources, prompts }
    }
}

/// A preset to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct NewPresetBody {
    #[schema(value_type = String)]
    slug: Slug,
    #[serde(default)]
    title: String,
    #[serde(default)]
    description: String,
    /// `private` if absent.
    #[schema(value_type = Option<String>)]
    visibility: Option<Visibility>,
    #[serde(default)]
    anonymous: bool,
    /// A day (it answers until its end, in UTC), a time (RFC 3339, in UTC) or `never`, as if absent.
    #[schema(value_type = Option<String>)]
    expires_at: Option<Until>,
    /// As of an edit.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    rules: CallRules,
    #[serde(default)]
    sources: Vec<SelectionBody>,
}

/// An edit of a preset; what is absent stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct PresetChangeBody {
    /// The version that was looked at. Another one is refused with 409.
    version: i64,
    #[schema(value_type = Option<String>)]
    slug: Option<Slug>,
    title: Option<String>,
    description: Option<String>,
    #[schema(value_type = Option<String>)]
    visibility: Option<Visibility>,
    anonymous: Option<bool>,
    #[schema(value_type = Option<String>)]
    status: Option<PresetStatus>,
    /// A day (it answers until its end, in UTC), a time (RFC 3339, in UTC) or `never`.
    #[schema(value_type = Option<String>)]
    expires_at: Option<Until>,
    /// How fast calls may come, all together (`rate`, as `600/minute`) and of single tools (`tools`), by the
    /// name that callers see; as a whole.
    #[schema(value_type = Option<Object>)]
    rules: Option<CallRules>,
    sources: Option<Vec<SelectionBody>>,
}

pub(super) fn body(state: &AppState, owner: &Handle, preset: Preset) -> PresetBody {
    PresetBody {
        id: preset.id,
        address: format!("{}/mcp/{owner}/{}", state.settings().base_url(), preset.slug),
        slug: preset.slug,
        title: preset.title,
        description: preset.description,
        visibility: preset.visibility,
        anonymous: preset.anonymous,
        status: preset.status,
        expires_at: preset.expires_at.map(time),
        rules: preset.rules,
        version: preset.version,
        created_at: time(preset.created_at),
        updated_at: time(preset.updated_at),
    }
}

/// Lists the presets of the caller's organisation by slug.
#[utoipa::path(get, path = "/api/v1/presets", tag = "presets", params(PageQuery),
    responses((status = 200, body = Page<PresetBody>), (status = 401, body = ProblemBody)))]
pub(in crate::routes) async fn list(
    State(state): State<AppState>,
    Caller(member): Caller,
    query: PageQuery,
) -> Result<Json<Page<PresetBody>>, Problem> {
    let all = state.engine().presets.list(&member).await?;
    let all = all.into_iter().map(|summary| body(&state, &summary.owner, summary.preset)).collect();
    Ok(Json(Page::cut(all, &query, |preset: &PresetBody| preset.slug.to_string())))
}

/// Makes a preset.
#[utoipa::path(post, path = "/api/v1/presets", tag = "presets", request_body = NewPresetBody,
    responses((status = 201, body = PresetBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn create(
    State(state): State<AppState>,
    Caller(member): Caller,
    Body(new): Body<NewPresetBody>,
) -> Result<Response, Problem> {
    let new = NewPreset {
        slug: new.slug,
        title: new.title,
        description: new.description,
        visibility: new.visibility.unwrap_or(Visibility::Private),
        anonymous: new.anonymous,
        expires_at: new.expires_at.and_then(Until::end),
        rules: new.rules,
        selections: new.sources.into_iter().map(Selection::from).collect(),
    };
    let preset = state.engine().presets.add(&member, new).await?;
    let location = format!("/api/v1/presets/{}", preset.id);
    let body = body(&state, &member.tenant_handle, preset);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(body)).into_response())
}

/// Returns a preset with what it takes from which source.
#[utoipa::path(get, path = "/api/v1/presets/{id}", tag = "presets",
    params(("id" = String, Path, description = "the preset")),
    responses((status = 200, body = PresetDetail), (status = 401, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn read(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<PresetId>,
) -> Result<Json<PresetDetail>, Problem> {
    let presets = &state.engine().presets;
    let Some(open) = presets.find(&member, id).await? else { return Err(nothing()) };
    let sources = match open.permit.level() {
        AccessLevel::Viewer => None,
        AccessLevel::Editor | AccessLevel::Admin => Some(presets.selections(&member, id).await?),
    };
    Ok(Json(PresetDetail {
        preset: body(&state, &open.owner, open.preset),
        sources: sources.map(|sources| sources.into_iter().map(SelectionBody::from).collect()),
    }))
}

/// Edits a preset.
#[utoipa::path(patch, path = "/api/v1/presets/{id}", tag = "presets",
    params(("id" = String, Path, description = "the preset")), request_body = PresetChangeBody,
    responses((status = 200, body = PresetBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn update(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<PresetId>,
    Body(edit): Body<PresetChangeBody>,
) -> Result<Json<PresetBody>, Problem> {
    let change = PresetChange {
        slug: edit.slug,
        title: edit.title,
        description: edit.description,
        visibility: edit.visibility,
        anonymous: edit.anonymous,
        expires_at: edit.expires_at.map(Until::end),
        rules: edit.rules,
        selections: edit.sources.map(|sources| sources.into_iter().map(Selection::from).collect()),
    };
    let presets = &state.engine().presets;
    let owner = presets.open(&member, id, AccessLevel::Editor).await?.owner;
    let mut preset = presets.update(&member, id, change, edit.version).await?;
    if let Some(status) = edit.status.filter(|status| *status != preset.status) {
        preset = presets.set_status(&member, id, status).await?;
    }
    Ok(Json(body(&state, &owner, preset)))
}

/// Deletes a preset for good.
#[utoipa::path(delete, path = "/api/v1/presets/{id}", tag = "presets",
    params(("id" = String, Path, description = "the preset")),
    responses((status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn remove(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<PresetId>,
) -> Result<StatusCode, Problem> {
    state.engine().presets.remove(&member, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn nothing() -> Problem {
    Problem::new(ProblemKind::NotFound, "there is no such preset")
}

//! `/api/v1/datasources`.

use std::{collections::BTreeMap, path::PathBuf};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use doorward::{
    model::{
        Auth, Credential, EraSetting, Health, HealthState, Reach, Source, SourceId, SourceKind, SourceName,
        ToolState,
    },
    secret::Secret,
    sources::{NewSource, ResourceView, SourceChange, ToolView},
    upstream::{ProbeReport, StepOutcome},
};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use super::{Body, Id, Page, PageQuery, time};
use crate::{
    respond::{Problem, ProblemBody, ProblemKind},
    routes::caller::Caller,
    state::AppState,
};

/// A data source. What is secret of it is never sent.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct DataSource {
    #[schema(value_type = String, format = "uuid")]
    id: SourceId,
    /// What its owner calls it.
    #[schema(value_type = String)]
    name: SourceName,
    /// `mcp_http` or `mcp_stdio`.
    #[schema(value_type = String)]
    kind: SourceKind,
    /// The endpoint of an `mcp_http` source.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Program and arguments of an `mcp_stdio` source.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<Vec<String>>,
    /// The folder an `mcp_stdio` source runs in, if it is not one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    working_dir: Option<PathBuf>,
    /// The kind of credential kept: `none`, `bearer`, `basic` or `header`.
    auth: String,
    /// The names of the environment variables kept.
    env: Vec<String>,
    /// `auto`, `modern`, `legacy` or `sse`.
    #[schema(value_type = String)]
    era: EraSetting,
    /// The protocol revision found.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    /// Whether it may be used.
    enabled: bool,
    /// Whether it can be used, as last seen.
    health: HealthBody,
    /// Counts the edits; send it with an edit.
    version: i64,
    created_at: String,
    updated_at: String,
}

/// Whether a source can be used.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct HealthBody {
    /// `unknown`, `healthy` or `failing`.
    #[schema(value_type = String)]
    state: HealthState,
    /// Why it fails.
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    /// When that was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
}

impl From<Health> for HealthBody {
    fn from(health: Health) -> Self {
        Self { state: health.state, detail: health.detail, at: health.at.map(time) }
    }
}

impl From<Source> for DataSource {
    fn from(source: Source) -> Self {
        let kind = source.reach.kind();
        let (url, command, working_dir) = match source.reach {
            Reach::McpHttp { url } => (Some(url.to_string()), None, None),
            Reach::McpStdio { command, working_dir } => (None, Some(command), working_dir),
        };
        Self {
            id: source.id,
            name: source.name,
            kind,
            url,
            command,
            working_dir,
            auth: source.auth_kind,
            env: source.env_names,
            era: source.era,
            revision: source.verdict.map(|verdict| verdict.revision),
            enabled: source.enabled,
            health: source.health.into(),
            version: source.version,
            created_at: time(source.created_at),
            updated_at: time(source.updated_at),
        }
    }
}

/// A data source with what it offers.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct DataSourceDetail {
    #[serde(flatten)]
    source: DataSource,
    tools: Vec<ToolBody>,
    prompts: Vec<ToolBody>,
    resources: Vec<ResourceBody>,
    /// The URI of each is a URI template (RFC 6570).
    resource_templates: Vec<ResourceBody>,
}

/// A resource or resource template of a source.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct ResourceBody {
    uri: String,
    title: String,
    description: String,
    mime_type: String,
}

impl From<ResourceView> for ResourceBody {
    fn from(shown: ResourceView) -> Self {
        let ResourceView { uri, title, description, mime_type } = shown;
        Self { uri, title, description, mime_type }
    }
}

/// A tool or prompt of a source.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct ToolBody {
    name: String,
    description: String,
    /// `accepted`, `new`, `changed` or `gone`; only accepted ones can be used.
    #[schema(value_type = String)]
    state: ToolState,
}

/// How Doorward shows itself to a source over HTTP.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::routes) enum AuthBody {
    /// Nothing.
    None,
    /// `Authorization: Bearer …`.
    #[schema(value_type = String)]
    Bearer(Secret),
    /// `Authorization: Basic …`.
    Basic {
        user: String,
        #[schema(value_type = String)]
        password: Secret,
    },
    /// A header of the source's own.
    Header {
        name: String,
        #[schema(value_type = String)]
        value: Secret,
    },
}

impl From<AuthBody> for Auth {
    fn from(body: AuthBody) -> Self {
        match body {
            AuthBody::None => Self::None,
            AuthBody::Bearer(token) => Self::Bearer(token),
            AuthBody::Basic { user, password } => Self::Basic { user, password },
            AuthBody::Header { name, value } => Self::Header { name, value },
        }
    }
}

/// A data source to be made: `url` for `mcp_http`, `command` for `mcp_stdio`, which only
/// administrators of the instance may have.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct NewDataSource {
    #[schema(value_type = String)]
    name: SourceName,
    #[schema(value_type = String)]
    kind: SourceKind,
    #[schema(value_type = Option<String>)]
    url: Option<Url>,
    command: Option<Vec<String>>,
    #[schema(value_type = Option<String>)]
    working_dir: Option<PathBuf>,
    auth: Option<AuthBody>,
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    env: BTreeMap<String, Secret>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    era: EraSetting,
    enabled: Option<bool>,
}

/// An edit of a data source; what is absent stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct DataSourceChange {
    /// The version that was looked at. Another one is refused with 409.
    version: i64,
    #[schema(value_type = Option<String>)]
    name: Option<SourceName>,
    #[schema(value_type = Option<String>)]
    url: Option<Url>,
    command: Option<Vec<String>>,
    #[schema(value_type = Option<String>)]
    working_dir: Option<PathBuf>,
    auth: Option<AuthBody>,
    /// All variables; one whose value is `null` keeps the value it had.
    #[schema(value_type = Option<BTreeMap<String, Option<String>>>)]
    env: Option<BTreeMap<String, Option<Secret>>>,
    #[schema(value_type = Option<String>)]
    era: Option<EraSetting>,
    enabled: Option<bool>,
}

/// What a test of a source found.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct Report {
    /// Whether every step that was tried worked.
    passed: bool,
    steps: Vec<StepBody>,
    /// The protocol revision found.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    /// What the source says about the credential it wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    needs_credential: Option<String>,
    /// How many tools it lists.
    tools: usize,
}

/// One step of a test.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct StepBody {
    name: String,
    /// `ok`, `failed` or `skipped`.
    #[schema(value_type = String)]
    outcome: StepOutcome,
    detail: String,
    elapsed_ms: f64,
}

impl From<ProbeReport> for Report {
    fn from(report: ProbeReport) -> Self {
        let passed = report.passed();
        let steps = report.steps.into_iter().map(|step| StepBody {
            name: step.name,
            outcome: step.outcome,
            detail: step.detail,
            elapsed_ms: step.elapsed.as_secs_f64() * 1000.0,
        });
        Self {
            passed,
            steps: steps.collect(),
            revision: report.verdict.map(|verdict| verdict.revision),
            needs_credential: report.needs_credential,
            tools: report.tools.len(),
        }
    }
}

/// A data source that was made, and what the first contact found.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct DataSourceAdded {
    source: DataSource,
    report: Report,
}

/// A data source that was deleted, and what went with it.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct DataSourceRemoved {
    /// The presets that lost tools.
    presets: Vec<LostTools>,
}

/// A preset that lost tools.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct LostTools {
    slug: String,
    tools: usize,
}

/// Lists the data sources of the caller's organisation by name.
#[utoipa::path(get, path = "/api/v1/datasources", tag = "datasources", params(PageQuery),
    responses((status = 200, body = Page<DataSource>), (status = 401, body = ProblemBody)))]
pub(in crate::routes) async fn list(
    State(state): State<AppState>,
    Caller(member): Caller,
    query: PageQuery,
) -> Result<Json<Page<DataSource>>, Problem> {
    let all = state.engine().sources.list(&member).await?;
    let all = all.into_iter().map(|summary| summary.source.into()).collect();
    Ok(Json(Page::cut(all, &query, |source: &DataSource| source.name.to_string())))
}

/// Makes a data source and looks at it for the first time.
#[utoipa::path(post, path = "/api/v1/datasources", tag = "datasources", request_body = NewDataSource,
    responses((status = 201, body = DataSourceAdded), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn create(
    State(state): State<AppState>,
    Caller(member): Caller,
    Body(body): Body<NewDataSource>,
) -> Result<Response, Problem> {
    let new = NewSource {
        reach: reach(body.kind, body.url, body.command, body.working_dir)?,
        name: body.name,
        credential: Credential { auth: body.auth.map(Auth::from).unwrap_or_default(), env: body.env },
        era: body.era,
        enabled: body.enabled.unwrap_or(true),
    };
    let added = state.engine().sources.add(&member, new).await?;
    let location = format!("/api/v1/datasources/{}", added.source.id);
    let body = DataSourceAdded { source: added.source.into(), report: added.report.into() };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(body)).into_response())
}

fn reach(
    kind: SourceKind,
    url: Option<Url>,
    command: Option<Vec<String>>,
    working_dir: Option<PathBuf>,
) -> Result<Reach, Problem> {
    let wrong = |detail: &str| Problem::new(ProblemKind::Unprocessable, detail);
    match (kind, url, command) {
        (SourceKind::McpHttp, Some(url), None) if working_dir.is_none() => Ok(Reach::McpHttp { url }),
        (SourceKind::McpHttp, _, _) => {
            Err(wrong("a source of kind mcp_http has `url`, and nothing of a process"))
        }
        (SourceKind::McpStdio, None, Some(command)) => Ok(Reach::McpStdio { command, working_dir }),
        (SourceKind::McpStdio, _, _) => Err(wrong("a source of kind mcp_stdio has `command`, and no `url`")),
    }
}

/// Returns a data source with what it offers.
#[utoipa::path(get, path = "/api/v1/datasources/{id}", tag = "datasources",
    params(("id" = String, Path, description = "the data source")),
    responses((status = 200, body = DataSourceDetail), (status = 401, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn read(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<SourceId>,
) -> Result<Json<DataSourceDetail>, Problem> {
    let found = state.engine().sources.detail(&member, id).await?;
    let Some(detail) = found else { return Err(nothing()) };
    let pinned = |tools: Vec<ToolView>| -> Vec<ToolBody> {
        let body =
            |tool: ToolView| ToolBody { name: tool.name, description: tool.description, state: tool.state };
        tools.into_iter().map(body).collect()
    };
    let resources = |shown: Vec<ResourceView>| shown.into_iter().map(Into::into).collect();
    Ok(Json(DataSourceDetail {
        source: detail.source.into(),
        tools: pinned(detail.tools),
        prompts: pinned(detail.prompts),
        resources: resources(detail.resources),
        resource_templates: resources(detail.templates),
    }))
}

/// Edits a data source.
#[utoipa::path(patch, path = "/api/v1/datasources/{id}", tag = "datasources",
    params(("id" = String, Path, description = "the data source")), request_body = DataSourceChange,
    responses((status = 200, body = DataSource), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn update(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<SourceId>,
    Body(body): Body<DataSourceChange>,
) -> Result<Json<DataSource>, Problem> {
    let sources = &state.engine().sources;
    let moves = body.url.is_some() || body.command.is_some() || body.working_dir.is_some();
    let new_reach = if moves {
        let Some(present) = sources.find(&member, id).await? else { return Err(nothing()) };
        Some(moved(present.reach, body.url, body.command, body.working_dir)?)
    } else {
        None
    };
    let change = SourceChange {
        name: body.name,
        reach: new_reach,
        auth: body.auth.map(Auth::from),
        env: body.env,
        era: body.era,
        enabled: body.enabled,
    };
    let source = sources.update(&member, id, change, body.version).await?;
    Ok(Json(source.into()))
}

/// Returns where a source is after an edit; its kind never changes.
fn moved(
    present: Reach,
    url: Option<Url>,
    command: Option<Vec<String>>,
    working_dir: Option<PathBuf>,
) -> Result<Reach, Problem> {
    match present {
        Reach::McpHttp { url: before } => {
            reach(SourceKind::McpHttp, Some(url.unwrap_or(before)), command, working_dir)
        }
        Reach::McpStdio { command: before, working_dir: folder } => {
            reach(SourceKind::McpStdio, url, Some(command.unwrap_or(before)), working_dir.or(folder))
        }
    }
}

/// Deletes a data source.
#[utoipa::path(delete, path = "/api/v1/datasources/{id}", tag = "datasources",
    params(("id" = String, Path, description = "the data source")),
    responses((status = 200, body = DataSourceRemoved), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn remove(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<SourceId>,
) -> Result<Json<DataSourceRemoved>, Problem> {
    let removed = state.engine().sources.remove(&member, id).await?;
    let presets = removed.presets.into_iter();
    let presets = presets.map(|lost| LostTools { slug: lost.preset.slug.to_string(), tools: lost.tools });
    Ok(Json(DataSourceRemoved { presets: presets.collect() }))
}

/// Tests a data source now, step by step.
#[utoipa::path(post, path = "/api/v1/datasources/{id}/test", tag = "datasources",
    params(("id" = String, Path, description = "the data source")),
    responses((status = 200, body = Report), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn test(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<SourceId>,
) -> Result<Json<Report>, Problem> {
    Ok(Json(state.engine().sources.test(&member, id).await?.into()))
}

fn nothing() -> Problem {
    Problem::new(ProblemKind::NotFound, "there is no such data source")
}

//! `/api/v1/datasources`.

mod body;

use std::path::PathBuf;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use doorward::{
    model::{Auth, Credential, Reach, SourceId, SourceKind},
    sources::{NewSource, ResourceView, SourceChange, ToolView},
};
use http::{StatusCode, header};
use url::Url;

pub(super) use self::body::StepBody;
use self::body::{
    DataSource, DataSourceAdded, DataSourceChange, DataSourceDetail, DataSourceRemoved, LostTools,
    NewDataSource, Report, ToolBody,
};
use super::{Body, Id, Page, PageQuery};
use crate::{
    respond::{Problem, ProblemBody, ProblemKind},
    routes::caller::Caller,
    state::AppState,
};

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
        tunnel: body.tunnel,
        ca_certificates: body.ca_certificates,
        name: body.name,
        credential: Credential { auth: body.auth.map(Auth::from).unwrap_or_default(), env: body.env },
        era: body.era,
        runs_as: body.runs_as,
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
        (SourceKind::SparkHistory, Some(url), None) if working_dir.is_none() => {
            Ok(Reach::SparkHistory { url })
        }
        (SourceKind::McpHttp | SourceKind::SparkHistory, _, _) => {
            Err(wrong(&format!("a source of kind {} has `url`, and nothing of a process", kind.word())))
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
        tunnel: body.tunnel,
        ca_certificates: body.ca_certificates,
        auth: body.auth.map(Auth::from),
        env: body.env,
        era: body.era,
        runs_as: body.runs_as,
        enabled: body.enabled,
        rules: body.rules,
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
        Reach::SparkHistory { url: before } => {
            reach(SourceKind::SparkHistory, Some(url.unwrap_or(before)), command, working_dir)
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

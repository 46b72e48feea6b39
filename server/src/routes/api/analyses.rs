//! `/api/v1/analyses`: what is wrong with Spark applications, found out and kept.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use doorward::{
    insights::{Analyses, AnalysisFilter, Comparison, KeptReport, NewAnalysis, compare},
    model::{
        Analysis, AnalysisId, AnalysisReport, AnalysisState, AnalysisStep, Member, ReportedApplication,
        SourceId, SourceName, StepState, Tally,
    },
};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Asked, Body, Id, Ids, PAGE_MAX, Page, page_limit, time};
use crate::{
    respond::{Problem, ProblemBody, ProblemKind},
    routes::caller::Caller,
    state::AppState,
};

/// The longest wait for the end of an analysis, in seconds.
const WAIT_SECS_MAX: u64 = 120;

/// An analysis, running or ended, without what it found.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct AnalysisBody {
    #[schema(value_type = String, format = "uuid")]
    id: AnalysisId,
    /// `running`, `done`, `failed` or `cancelled`.
    #[schema(value_type = String)]
    state: AnalysisState,
    /// The data source; absent once that is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid")]
    source: Option<SourceId>,
    /// What the data source was called.
    #[schema(value_type = String)]
    source_name: SourceName,
    /// The application, as the source names it.
    app_id: String,
    /// Which run of it; absent = the last, or an application without numbered ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<String>,
    /// What the application calls itself, once that is known.
    #[serde(skip_serializing_if = "String::is_empty")]
    app_name: String,
    /// The handle of who began it.
    begun_by: String,
    begun_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    /// What is read for it, and how far that is.
    steps: Vec<AnalysisStepBody>,
    findings: TallyBody,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

/// One thing that is read for an analysis.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct AnalysisStepBody {
    name: String,
    /// `waiting`, `done` or `failed`.
    #[schema(value_type = String)]
    state: StepState,
    /// What was read, or why not.
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    elapsed_ms: i64,
}

/// How many findings there are of each severity.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct TallyBody {
    critical: u32,
    severe: u32,
    moderate: u32,
    low: u32,
}

impl From<Analysis> for AnalysisBody {
    fn from(analysis: Analysis) -> Self {
        let step = |step: AnalysisStep| {
            let AnalysisStep { name, state, detail, elapsed_ms } = step;
            AnalysisStepBody { name, state, detail, elapsed_ms }
        };
        let Tally { critical, severe, moderate, low } = analysis.tally;
        Self {
            id: analysis.id,
            state: analysis.state,
            source: analysis.source,
            source_name: analysis.source_name,
            app_id: analysis.app_id,
            attempt: analysis.attempt,
            app_name: analysis.app_name,
            begun_by: analysis.begun_by_handle,
            begun_at: time(analysis.begun_at),
            ended_at: analysis.ended_at.map(time),
            steps: analysis.steps.into_iter().map(step).collect(),
            findings: TallyBody { critical, severe, moderate, low },
            failure: analysis.failure,
        }
    }
}

/// What is to be analysed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct NewAnalysisBody {
    /// The data source, by its id or its name.
    source: String,
    /// The application, as the source names it: `application_1795233000000_0001`.
    app_id: String,
    /// Which run of it; the last if absent.
    attempt: Option<String>,
}

/// Which analyses are asked for; each member narrows.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct AnalysesQuery {
    /// With this text in the application's name or id, the source's name or who began it; any case.
    text: Option<String>,
    /// Of the data source of this id.
    source: Option<String>,
    /// In this state: `running`, `done`, `failed` or `cancelled`.
    state: Option<String>,
    /// How many analyses, from 1 to 200; 50 if absent.
    limit: Option<usize>,
    /// The `next` of the page before.
    after: Option<String>,
}

impl AnalysesQuery {
    /// Returns the filter for one more than a page, and how long a page is.
    fn filter(self) -> Result<(AnalysisFilter, usize), Problem> {
        let wrong =
            |name: &str, right: &str| Problem::new(ProblemKind::BadRequest, format!("`{name}` is {right}"));
        let limit = page_limit(self.limit, PAGE_MAX)?;
        let source = self.source.map(|id| id.parse()).transpose();
        let state = self.state.map(|word| AnalysisState::from_word(&word).ok_or(())).transpose();
        let before = self.after.map(|id| id.parse()).transpose();
        let filter = AnalysisFilter {
            text: self.text,
            source: source.map_err(|_| wrong("source", "the id of a data source"))?,
            state: state.map_err(|()| wrong("state", "one of `running`, `done`, `failed`, `cancelled`"))?,
            before: before.map_err(|_| wrong("after", "the `next` of a page"))?,
            limit: limit + 1,
        };
        Ok((filter, limit))
    }
}

/// Whether the end is waited for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct WaitQuery {
    /// How long to wait for the end, in seconds, from 0 to 120; not at all if absent.
    wait: Option<u64>,
}

impl WaitQuery {
    fn read(&self) -> Result<Option<Duration>, Problem> {
        match self.wait {
            None | Some(0) => Ok(None),
            Some(secs @ 1..=WAIT_SECS_MAX) => Ok(Some(Duration::from_secs(secs))),
            Some(_) => {
                Err(Problem::new(ProblemKind::BadRequest, format!("`wait` is from 0 to {WAIT_SECS_MAX}")))
            }
        }
    }
}

/// An application that can be analysed.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct ApplicationBody {
    app_id: String,
    name: String,
    /// Its last run; absent if runs have no numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<String>,
    /// How many runs it has.
    attempts: usize,
    user: String,
    /// Whether its end was seen.
    is_completed: bool,
    begun_at: String,
}

impl From<ReportedApplication> for ApplicationBody {
    fn from(application: ReportedApplication) -> Self {
        Self {
            app_id: application.id,
            name: application.name,
            attempt: application.attempt,
            attempts: application.attempts,
            user: application.user,
            is_completed: application.is_completed,
            begun_at: time(doorward::clock::Ms(application.begun_at_ms)),
        }
    }
}

/// A report with its numbers.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct ReportBody {
    analysis: AnalysisBody,
    /// Findings and the numbers behind them. Times are in milliseconds since 1970, durations in milliseconds, sizes
    /// in bytes.
    #[schema(value_type = Object)]
    report: AnalysisReport,
    /// The report as Markdown.
    text: String,
    /// The report in a model's words, if the operator has set one.
    #[serde(skip_serializing_if = "Option::is_none")]
    rewritten: Option<RewrittenBody>,
}

/// A report in a model's words. Every number in it stands in the report.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct RewrittenBody {
    text: String,
    model: String,
}

impl From<KeptReport> for ReportBody {
    fn from(kept: KeptReport) -> Self {
        let rewritten = kept.rewritten.map(|one| RewrittenBody { text: one.text, model: one.model });
        Self { analysis: kept.analysis.into(), report: kept.report, text: kept.text, rewritten }
    }
}

/// What differs between two analyses.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct AgainstBody {
    before: AnalysisBody,
    after: AnalysisBody,
    /// Sums with before and after and whether that is better; findings that are gone, new, changed in severity or the
    /// same; settings that differ; stages by name.
    #[schema(value_type = Object)]
    comparison: Comparison,
}

/// Lists the analyses of the caller's organisation, the newest first.
#[utoipa::path(get, path = "/api/v1/analyses", tag = "analyses", params(AnalysesQuery),
    responses((status = 200, body = Page<AnalysisBody>), (status = 400, body = ProblemBody),
        (status = 401, body = ProblemBody)))]
pub(in crate::routes) async fn list(
    State(state): State<AppState>,
    Caller(member): Caller,
    Asked(query): Asked<AnalysesQuery>,
) -> Result<Json<Page<AnalysisBody>>, Problem> {
    // One more tells whether there is another page.
    let (filter, limit) = query.filter()?;
    let found = state.engine().analyses.list(&member, &filter).await?;
    Ok(Json(Page::of(found, limit, |analysis| analysis.id.to_string())))
}

/// Begins an analysis, which counts against the plan. With `wait`, the answer comes when it has ended, at the latest
/// after that time.
#[utoipa::path(post, path = "/api/v1/analyses", tag = "analyses", params(WaitQuery), request_body = NewAnalysisBody,
    responses((status = 202, body = AnalysisBody, description = "it runs, or has ended within the wait"),
        (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody), (status = 429, body = ProblemBody)))]
pub(in crate::routes) async fn create(
    State(state): State<AppState>,
    Caller(member): Caller,
    Asked(query): Asked<WaitQuery>,
    Body(body): Body<NewAnalysisBody>,
) -> Result<Response, Problem> {
    let wait = query.read()?;
    let source = match body.source.parse::<SourceId>() {
        Ok(id) => Some(id),
        Err(_) => match SourceName::parse(&body.source) {
            Ok(name) => state.engine().sources.find_by_name(&member, &name).await?.map(|source| source.id),
            Err(_) => None,
        },
    };
    let source = source
        .ok_or_else(|| Problem::new(ProblemKind::NotFound, "there is no data source of this id or name"))?;
    let wanted = NewAnalysis { source, app_id: body.app_id, attempt: body.attempt };
    let analyses = &state.engine().analyses;
    let begun = analyses.begin(&member, wanted).await?;
    begun_with(analyses, &member, begun, wait).await
}

/// Returns an analysis. With `wait`, the answer comes when it has ended, at the latest after that time.
#[utoipa::path(get, path = "/api/v1/analyses/{id}", tag = "analyses",
    params(("id" = String, Path, description = "the analysis"), WaitQuery),
    responses((status = 200, body = AnalysisBody), (status = 401, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn read(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<AnalysisId>,
    Asked(query): Asked<WaitQuery>,
) -> Result<Json<AnalysisBody>, Problem> {
    let analyses = &state.engine().analyses;
    if let Some(wait) = query.read()?
        && let Ok(ended) = tokio::time::timeout(wait, analyses.ended(&member, id)).await
    {
        return Ok(Json(ended?.into()));
    }
    Ok(Json(analyses.find(&member, id).await?.ok_or_else(nothing)?.into()))
}

/// Removes an analysis with what it found; one that runs is cancelled before.
#[utoipa::path(delete, path = "/api/v1/analyses/{id}", tag = "analyses",
    params(("id" = String, Path, description = "the analysis")),
    responses((status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn remove(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<AnalysisId>,
) -> Result<StatusCode, Problem> {
    state.engine().analyses.remove(&member, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Cancels a running analysis: your own, or any if you administer the organisation.
#[utoipa::path(post, path = "/api/v1/analyses/{id}/cancel", tag = "analyses",
    params(("id" = String, Path, description = "the analysis")),
    responses((status = 200, body = AnalysisBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(in crate::routes) async fn cancel(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<AnalysisId>,
) -> Result<Json<AnalysisBody>, Problem> {
    let analyses = &state.engine().analyses;
    analyses.cancel(&member, id).await?;
    Ok(Json(analyses.find(&member, id).await?.ok_or_else(nothing)?.into()))
}

/// Begins an analysis of the same run of the same application.
#[utoipa::path(post, path = "/api/v1/analyses/{id}/again", tag = "analyses",
    params(("id" = String, Path, description = "the analysis"), WaitQuery),
    responses((status = 202, body = AnalysisBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody), (status = 429, body = ProblemBody)))]
pub(in crate::routes) async fn again(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<AnalysisId>,
    Asked(query): Asked<WaitQuery>,
) -> Result<Response, Problem> {
    let wait = query.read()?;
    let analyses = &state.engine().analyses;
    let begun = analyses.again(&member, id).await?;
    begun_with(analyses, &member, begun, wait).await
}

/// Returns what an analysis found, for programs.
#[utoipa::path(get, path = "/api/v1/analyses/{id}/report.json", tag = "analyses",
    params(("id" = String, Path, description = "the analysis")),
    responses((status = 200, body = ReportBody), (status = 401, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn json(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<AnalysisId>,
) -> Result<Response, Problem> {
    let kept = report(&state, &member, id).await?;
    Ok((as_file(id, "json"), Json(ReportBody::from(kept))).into_response())
}

/// Returns what an analysis found, for people.
#[utoipa::path(get, path = "/api/v1/analyses/{id}/report.md", tag = "analyses",
    params(("id" = String, Path, description = "the analysis")),
    responses((status = 200, content_type = "text/markdown", body = String), (status = 401, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn markdown(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<AnalysisId>,
) -> Result<Response, Problem> {
    let kept = report(&state, &member, id).await?;
    let kind = [(header::CONTENT_TYPE, "text/markdown; charset=utf-8")];
    Ok((as_file(id, "md"), kind, kept.markdown()).into_response())
}

/// Says what got better or worse from one analysis to another.
#[utoipa::path(get, path = "/api/v1/analyses/{id}/against/{other}", tag = "analyses",
    params(("id" = String, Path, description = "the analysis before"),
        ("other" = String, Path, description = "the analysis after")),
    responses((status = 200, body = AgainstBody), (status = 401, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn against(
    State(state): State<AppState>,
    Caller(member): Caller,
    Ids(before, after): Ids<AnalysisId, AnalysisId>,
) -> Result<Json<AgainstBody>, Problem> {
    let before = report(&state, &member, before).await?;
    let after = report(&state, &member, after).await?;
    let comparison = compare(&before.report, &after.report);
    Ok(Json(AgainstBody { before: before.analysis.into(), after: after.analysis.into(), comparison }))
}

/// Asks a data source which applications can be analysed.
#[utoipa::path(get, path = "/api/v1/datasources/{id}/applications", tag = "analyses",
    params(("id" = String, Path, description = "the data source")),
    responses((status = 200, body = Vec<ApplicationBody>), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody),
        (status = 502, body = ProblemBody)))]
pub(in crate::routes) async fn applications(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<SourceId>,
) -> Result<Json<Vec<ApplicationBody>>, Problem> {
    let found = state.engine().analyses.applications(&member, id).await?;
    Ok(Json(found.into_iter().map(ApplicationBody::from).collect()))
}

async fn report(state: &AppState, member: &Member, id: AnalysisId) -> Result<KeptReport, Problem> {
    let kept = state.engine().analyses.report(member, id).await?;
    kept.ok_or_else(|| Problem::new(ProblemKind::NotFound, "there is no such analysis, or it has no report"))
}

/// Answers that an analysis was begun, after waiting for its end as far as that was asked for.
async fn begun_with(
    analyses: &Analyses,
    member: &Member,
    begun: Analysis,
    wait: Option<Duration>,
) -> Result<Response, Problem> {
    let location = [(header::LOCATION, format!("/api/v1/analyses/{}", begun.id))];
    let mut analysis = begun;
    if let Some(wait) = wait {
        let ended = tokio::time::timeout(wait, analyses.ended(member, analysis.id)).await;
        analysis = match ended {
            Ok(ended) => ended?,
            Err(_) => analyses.find(member, analysis.id).await?.unwrap_or(analysis),
        };
    }
    Ok((StatusCode::ACCEPTED, location, Json(AnalysisBody::from(analysis))).into_response())
}

fn as_file(id: AnalysisId, ending: &str) -> [(header::HeaderName, String); 1] {
    [(header::CONTENT_DISPOSITION, format!("attachment; filename=\"doorward-analysis-{id}.{ending}\""))]
}

fn nothing() -> Problem {
    Problem::new(ProblemKind::NotFound, "there is no such analysis")
}

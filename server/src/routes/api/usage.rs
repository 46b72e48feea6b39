//! `/api/v1/usage`: what the caller has used of the month and of those before it.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use doorward::{
    insights::AnalysisUsage,
    model::{Member, OrgRole, Payer},
    policy, quota,
};
use http::header;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Asked, time};
use crate::{
    respond::{Problem, ProblemBody, ProblemKind},
    routes::caller::Caller,
    state::AppState,
};

/// What the caller has used and has left in the calendar month.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct UsageBody {
    /// The plan that says so.
    plan: String,
    /// Calls made.
    calls_used: i64,
    /// Calls allowed; absent = unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    calls_limit: Option<i64>,
    /// Calls left; absent = unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    calls_left: Option<i64>,
    /// Calls there will be at the end of the month if they go on as so far; absent on its first day.
    #[serde(skip_serializing_if = "Option::is_none")]
    calls_expected: Option<i64>,
    /// Analyses begun, without those that ended before anything was read for them.
    analyses_used: i64,
    /// Analyses allowed; absent = unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    analyses_limit: Option<i64>,
    /// Analyses there will be at the end of the month if they go on as so far; absent on its first day.
    #[serde(skip_serializing_if = "Option::is_none")]
    analyses_expected: Option<i64>,
    /// Analyses that run.
    analyses_running: i64,
    /// Analyses allowed at the same time; absent = unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    analyses_at_once: Option<i64>,
    /// Data sources that the organisation acted in has, and may have; absent = unlimited.
    sources_used: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    sources_limit: Option<i64>,
    /// Presets that it has, and may have; absent = unlimited.
    presets_used: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    presets_limit: Option<i64>,
    /// Analyses that it keeps, and may keep; absent = unlimited.
    stored_analyses_used: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    stored_analyses_limit: Option<i64>,
    /// When the next month begins.
    resets_at: String,
    /// The month of the organisation acted in, for those who manage it; absent in one's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    organisation: Option<TeamUsageBody>,
}

/// What a team has used of the calendar month, whoever did.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct TeamUsageBody {
    handle: String,
    /// Its own plan; absent = it has none, and only those of its members limit what they use.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
    /// Calls of what it owns.
    calls_used: i64,
    /// Calls allowed; absent = unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    calls_limit: Option<i64>,
    /// Calls left; absent = unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    calls_left: Option<i64>,
    /// Calls there will be at the end of the month if they go on as so far; absent on its first day.
    #[serde(skip_serializing_if = "Option::is_none")]
    calls_expected: Option<i64>,
    analyses_used: i64,
    /// Analyses allowed; absent = unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    analyses_limit: Option<i64>,
    /// Analyses there will be at the end of the month if they go on as so far; absent on its first day.
    #[serde(skip_serializing_if = "Option::is_none")]
    analyses_expected: Option<i64>,
}

/// Returns the month of the team that somebody acts in and manages; `None` for everybody else.
async fn team(
    state: &AppState,
    member: &Member,
    analyses: &AnalysisUsage,
) -> Result<Option<TeamUsageBody>, Problem> {
    let engine = state.engine();
    let Some((used, limit)) = analyses.team else { return Ok(None) };
    if policy::may_manage(member, member.tenant, OrgRole::Admin).is_err() {
        return Ok(None);
    }
    let (now, calls) = (engine.clock.now(), engine.quota.usage(member.tenant).await?);
    Ok(Some(TeamUsageBody {
        handle: member.tenant_handle.to_string(),
        plan: engine.orgs.find(member).await?.plan.map(|plan| plan.to_string()),
        calls_used: calls.used,
        calls_limit: calls.limit,
        calls_left: calls.left,
        calls_expected: quota::forecast(calls.used, now),
        analyses_used: used,
        analyses_limit: limit,
        analyses_expected: quota::forecast(used, now),
    }))
}

/// Returns what the caller has used of the month.
#[utoipa::path(get, path = "/api/v1/usage", tag = "usage",
    responses((status = 200, body = UsageBody), (status = 401, body = ProblemBody)))]
pub(in crate::routes) async fn read(
    State(state): State<AppState>,
    Caller(member): Caller,
) -> Result<Json<UsageBody>, Problem> {
    policy::may_use_account(&member)?;
    let now = state.engine().clock.now();
    let usage = state.engine().quota.usage(member.user).await?;
    let analyses = state.engine().analyses.usage(&member).await?;
    let sources = &state.engine().sources;
    let owning = sources.plan(&member).await?;
    let organisation = team(&state, &member, &analyses).await?;
    Ok(Json(UsageBody {
        plan: member.plan.to_string(),
        calls_used: usage.used,
        calls_limit: usage.limit,
        calls_left: usage.left,
        calls_expected: quota::forecast(usage.used, now),
        analyses_used: analyses.used,
        analyses_limit: analyses.limit,
        analyses_expected: quota::forecast(analyses.used, now),
        analyses_running: analyses.running,
        analyses_at_once: analyses.concurrent,
        sources_used: sources.list(&member).await?.len(),
        sources_limit: owning.as_ref().and_then(|plan| plan.sources_max),
        presets_used: state.engine().presets.list(&member).await?.len(),
        presets_limit: owning.and_then(|plan| plan.presets_max),
        stored_analyses_used: analyses.stored,
        stored_analyses_limit: analyses.stored_max,
        resets_at: time(usage.resets_at),
        organisation,
    }))
}

/// What the caller has used in a calendar month.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct MonthBody {
    /// As `2026-11`, in UTC.
    month: String,
    calls: i64,
    analyses: i64,
}

/// Whose months are asked for.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct MonthsQuery {
    /// `person` or, for those who manage the team acted in, `organisation`; `person` if absent.
    #[param(inline)]
    of: Option<Of>,
}

/// Whose months.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::routes) enum Of {
    Person,
    Organisation,
}

async fn used(state: &AppState, member: &Member, query: MonthsQuery) -> Result<Vec<MonthBody>, Problem> {
    policy::may_use_account(member)?;
    let of = match query.of {
        None | Some(Of::Person) => Payer::Person(member.user),
        Some(Of::Organisation) => {
            let permit = policy::may_manage(member, member.tenant, OrgRole::Admin)?;
            if member.is_at_home() {
                let says =
                    "your own organisation has no months beside yours: act in a team to ask for its months";
                return Err(Problem::new(ProblemKind::Unprocessable, says));
            }
            Payer::Team(permit.tenant())
        }
    };
    let months = state.engine().quota.months(of).await?;
    let body = |used: quota::MonthUsage| MonthBody {
        month: used.month.to_string(),
        calls: used.calls,
        analyses: used.analyses,
    };
    Ok(months.into_iter().map(body).collect())
}

/// Returns what the caller, or the team they manage, has used month by month, the newest first: 24 at most.
#[utoipa::path(get, path = "/api/v1/usage/months", tag = "usage", params(MonthsQuery),
    responses((status = 200, body = Vec<MonthBody>), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn months(
    State(state): State<AppState>,
    Caller(member): Caller,
    Asked(query): Asked<MonthsQuery>,
) -> Result<Json<Vec<MonthBody>>, Problem> {
    Ok(Json(used(&state, &member, query).await?))
}

/// Returns the same as a file.
#[utoipa::path(get, path = "/api/v1/usage/months.csv", tag = "usage", params(MonthsQuery),
    responses((status = 200, description = "a line of names, and a month a line", content_type = "text/csv",
        body = String), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn csv(
    State(state): State<AppState>,
    Caller(member): Caller,
    Asked(query): Asked<MonthsQuery>,
) -> Result<Response, Problem> {
    let mut text = "month,calls,analyses\r\n".to_owned();
    for MonthBody { month, calls, analyses } in used(&state, &member, query).await? {
        text.push_str(&format!("{month},{calls},{analyses}\r\n"));
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"usage.csv\""),
    ];
    Ok((headers, text).into_response())
}

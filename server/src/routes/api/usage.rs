//! `/api/v1/usage`: what the caller has used of the month and of those before it.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use doorward::{policy, quota};
use http::header;
use serde::Serialize;
use utoipa::ToSchema;

use super::time;
use crate::{
    respond::{Problem, ProblemBody},
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
    /// When the next month begins.
    resets_at: String,
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
        resets_at: time(usage.resets_at),
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

async fn used(state: &AppState, member: &doorward::model::Member) -> Result<Vec<MonthBody>, Problem> {
    policy::may_use_account(member)?;
    let months = state.engine().quota.months(member.user).await?;
    let body = |used: quota::MonthUsage| MonthBody {
        month: used.month.to_string(),
        calls: used.calls,
        analyses: used.analyses,
    };
    Ok(months.into_iter().map(body).collect())
}

/// Returns what the caller has used month by month, the newest first: 24 at most.
#[utoipa::path(get, path = "/api/v1/usage/months", tag = "usage",
    responses((status = 200, body = Vec<MonthBody>), (status = 401, body = ProblemBody)))]
pub(in crate::routes) async fn months(
    State(state): State<AppState>,
    Caller(member): Caller,
) -> Result<Json<Vec<MonthBody>>, Problem> {
    Ok(Json(used(&state, &member).await?))
}

/// Returns the same as a file.
#[utoipa::path(get, path = "/api/v1/usage/months.csv", tag = "usage",
    responses((status = 200, description = "a line of names, and a month a line", content_type = "text/csv",
        body = String), (status = 401, body = ProblemBody)))]
pub(in crate::routes) async fn csv(
    State(state): State<AppState>,
    Caller(member): Caller,
) -> Result<Response, Problem> {
    let mut text = "month,calls,analyses\r\n".to_owned();
    for MonthBody { month, calls, analyses } in used(&state, &member).await? {
        text.push_str(&format!("{month},{calls},{analyses}\r\n"));
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"usage.csv\""),
    ];
    Ok((headers, text).into_response())
}

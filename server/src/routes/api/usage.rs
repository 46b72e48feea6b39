//! `/api/v1/usage`: what the caller has used of the month.

use axum::{Json, extract::State};
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
    /// Analyses begun, without those that ended before anything was read for them.
    analyses_used: i64,
    /// Analyses allowed; absent = unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    analyses_limit: Option<i64>,
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
    doorward::policy::may_use_account(&member)?;
    let usage = state.engine().quota.usage(member.user).await?;
    let analyses = state.engine().analyses.usage(&member).await?;
    Ok(Json(UsageBody {
        plan: member.plan.to_string(),
        calls_used: usage.used,
        calls_limit: usage.limit,
        calls_left: usage.left,
        analyses_used: analyses.used,
        analyses_limit: analyses.limit,
        analyses_running: analyses.running,
        analyses_at_once: analyses.concurrent,
        resets_at: time(usage.resets_at),
    }))
}

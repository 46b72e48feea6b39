//! Is the program alive, and may it be sent requests?

use std::time::Duration;

use axum::{Json, extract::State};
use http::StatusCode;
use serde::Serialize;

use crate::state::AppState;

/// How long the database may take to show a sign of life.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// Answers as long as the program runs.
pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// The checks of readiness, each by name.
#[derive(Serialize)]
pub(super) struct Readiness {
    ready: bool,
    checks: Vec<Check>,
}

#[derive(Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    /// Whether requests are better sent elsewhere while it fails.
    #[serde(skip)]
    counts: bool,
}

/// Answers 200 if every check passes, 503 otherwise. Says nothing of why: anybody may ask.
pub(super) async fn ready(State(state): State<AppState>) -> (StatusCode, Json<Readiness>) {
    let engine = state.engine();
    let ping = tokio::time::timeout(PING_TIMEOUT, engine.store.ping()).await;
    let database = matches!(ping, Ok(Ok(())));
    if !database {
        tracing::warn!("not ready: the database shows no sign of life");
    }
    let mut checks = vec![
        Check { name: "database", ok: database, counts: true },
        Check { name: "audit", ok: engine.audit.has_room(), counts: true },
    ];
    // Without it no replica is better than another, and calls without limits are answered.
    if let Some(redis) = engine.quota.redis().await {
        checks.push(Check { name: "redis", ok: redis.answers, counts: false });
    }
    // What cannot be exported is kept, and tried again.
    if engine.exporter.is_on() {
        let ok = engine.exporter.failing() == 0;
        checks.push(Check { name: "audit_export", ok, counts: false });
    }
    let ready = checks.iter().all(|check| check.ok || !check.counts);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, checks }))
}

//! What the last requests from playgrounds brought, until the page that shows it is loaded.

use std::time::Duration;

use doorward::{
    clock::Ms,
    model::{EventId, UserId},
};

use serde_json::{Map, Value};

use super::{api::argument, what::Subject};
use crate::kept::Kept;

/// How many bytes of a result are kept.
pub(super) const RESULT_BYTES_MAX: usize = 512 * 1024;

/// Everybody's results: 32 MiB, for fifteen minutes each.
static RUNS: Kept<Run> = Kept::new(32 * 1024 * 1024, Duration::from_secs(15 * 60));

/// A request from a playground.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub id: EventId,
    pub user: UserId,
    pub at: Ms,
    pub subject: Subject,
    /// What was filled in: arguments, or the variables of a template.
    pub filled: Map<String, Value>,
    /// What was sent, as JSON.
    pub sent: String,
    pub duration_us: i64,
    pub status: u16,
    pub answer: String,
}

impl Run {
    /// Returns what was filled in as it is typed into the form's fields.
    pub(super) fn typed(&self) -> Vec<(String, String)> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.filled.iter().map(|(name, value)| (argument(name), text(value))).collect()
    }
}

/// Keeps a result.
pub(super) fn keep(run: Run) {
    // What was filled in is part of what was sent, and is kept beside it.
    let bytes = run.answer.len() + 2 * run.sent.len();
    let (user, at, name) = (run.user, run.at, run.id.to_string());
    RUNS.put(user, &name, run, bytes, at);
}

/// Returns a person's result; `None` if it is not kept any more, or another's.
pub(super) fn find(user: UserId, id: EventId, now: Ms) -> Option<Run> {
    RUNS.find(user, &id.to_string(), now).map(|(_, run)| run)
}

//! Results of the last calls from playgrounds, until the page that shows them is loaded.

use std::time::Duration;

use doorward::{
    clock::Ms,
    model::{EventId, UserId},
};

use serde_json::{Map, Value};

use super::api::argument;
use crate::kept::Kept;

/// How many bytes of a result are kept.
pub(super) const RESULT_BYTES_MAX: usize = 512 * 1024;

/// Everybody's results: 32 MiB, for fifteen minutes each.
static RUNS: Kept<Run> = Kept::new(32 * 1024 * 1024, Duration::from_secs(15 * 60));

/// A call from a playground.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub id: EventId,
    pub user: UserId,
    pub at: Ms,
    pub tool: String,
    pub arguments: String,
    pub duration_us: i64,
    pub status: u16,
    pub answer: String,
}

impl Run {
    /// Returns the arguments as they are typed into the form's fields.
    pub(super) fn typed(&self) -> Vec<(String, String)> {
        let arguments: Map<String, Value> = serde_json::from_str(&self.arguments).unwrap_or_default();
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        arguments.into_iter().map(|(name, value)| (argument(&name), text(value))).collect()
    }
}

/// Keeps a result.
pub(super) fn keep(run: Run) {
    let bytes = run.answer.len() + run.arguments.len();
    let (user, at, name) = (run.user, run.at, run.id.to_string());
    RUNS.put(user, &name, run, bytes, at);
}

/// Returns a person's result; `None` if it is not kept any more, or another's.
pub(super) fn find(user: UserId, id: EventId, now: Ms) -> Option<Run> {
    RUNS.find(user, &id.to_string(), now).map(|(_, run)| run)
}

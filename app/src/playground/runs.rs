//! Results of the last calls from playgrounds, kept until the page that shows them is loaded.
//!
//! A result is too large for a cookie and nobody else's business, so it waits here for the person
//! who asked: a few, for a short while, in memory only.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use doorward::{
    clock::Ms,
    model::{EventId, UserId},
};

/// How many results are kept, of everybody together.
const KEPT_MAX: usize = 64;
/// How many bytes of a result are kept.
pub(super) const RESULT_BYTES_MAX: usize = 512 * 1024;
/// How long a result is kept.
const KEPT_FOR: Duration = Duration::from_secs(15 * 60);

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

static RUNS: Mutex<VecDeque<Run>> = Mutex::new(VecDeque::new());

/// Keeps a result, letting go of old ones.
pub(super) fn keep(run: Run) {
    let mut runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
    let oldest = run.at.minus(KEPT_FOR);
    runs.retain(|kept| kept.at > oldest);
    runs.push_front(run);
    runs.truncate(KEPT_MAX);
}

/// Returns a person's result; `None` if it is not kept any more, or another's.
pub(super) fn find(user: UserId, id: EventId) -> Option<Run> {
    let runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
    runs.iter().find(|run| run.id == id && run.user == user).cloned()
}

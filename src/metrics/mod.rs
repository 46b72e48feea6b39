//! What calls cost: how many, how long, how many failed.
//!
//! Two views of the same events. [`roll_up`] turns a batch of run events into the rows that `audit`
//! commits beside them, for the console's dashboards; [`Metrics`] keeps process-wide counters for
//! Prometheus. Only tool calls are counted: signing in is an event, not a call.
//!
//! Never knows who called. To count one more thing for Prometheus, add a field to `Counters` and a
//! line to `Metrics::text`.

mod dashboard;
mod roll_up;
mod text;

pub use dashboard::{Dashboard, DashboardRow, MetricFilter, MetricsError, Summary, Window};
pub use roll_up::roll_up;
pub use text::Gauge;

use std::sync::Arc;

use crate::{
    model::{AnalysisState, RunEvent},
    store::Store,
};

/// The meters of a process; cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    store: Store,
    counters: Arc<text::Counters>,
}

impl Metrics {
    /// Begins with counters at zero.
    pub fn new(store: Store) -> Self {
        Self { store, counters: Arc::default() }
    }

    /// Counts an event, in the process's counters only; the rows for dashboards are committed by
    /// `audit` together with the event.
    pub fn observe(&self, event: &RunEvent) {
        if event.action.is_call() {
            self.counters.count(event.outcome, event.duration_us);
        }
    }

    /// Counts an analysis that has ended.
    pub fn count_analysis(&self, state: AnalysisState) {
        self.counters.count_analysis(state);
    }
}

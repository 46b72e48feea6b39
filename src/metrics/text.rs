//! Process-wide counters in the Prometheus text format (version 0.0.4).

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{
    metrics::Metrics,
    model::{AnalysisState, Outcome},
};

/// Upper ends of the exposed duration buckets, in microseconds.
const EDGES_US: [i64; 14] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000, 60_000_000,
];

/// Calls since the start of the process.
#[derive(Debug, Default)]
pub(super) struct Counters {
    outcomes: [AtomicU64; Outcome::ALL.len()],
    buckets: [AtomicU64; EDGES_US.len() + 1],
    duration_us: AtomicU64,
    analyses: [AtomicU64; AnalysisState::ALL.len()],
}

impl Counters {
    pub(super) fn count(&self, outcome: Outcome, duration_us: i64) {
        let index = Outcome::ALL.iter().position(|known| *known == outcome).unwrap_or_default();
        let bucket = EDGES_US.iter().position(|edge| duration_us <= *edge).unwrap_or(EDGES_US.len());
        self.outcomes[index].fetch_add(1, Ordering::Relaxed);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.duration_us.fetch_add(u64::try_from(duration_us).unwrap_or(0), Ordering::Relaxed);
    }

    pub(super) fn count_analysis(&self, state: AnalysisState) {
        let index = AnalysisState::ALL.iter().position(|known| *known == state).unwrap_or_default();
        self.analyses[index].fetch_add(1, Ordering::Relaxed);
    }
}

/// A reading taken elsewhere in the program, shown beside the counters.
#[derive(Clone, Debug)]
pub struct Gauge {
    /// The metric's name, without the prefix `doorward_`.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// Its value.
    pub value: f64,
}

impl Metrics {
    /// Writes all counters, and the gauges given.
    pub fn text(&self, gauges: &[Gauge]) -> String {
        let mut text = String::new();
        let counters = &self.counters;
        text.push_str(
            "# HELP doorward_calls_total Tool calls by outcome.\n# TYPE doorward_calls_total counter\n",
        );
        for (outcome, count) in Outcome::ALL.iter().zip(&counters.outcomes) {
            line(
                &mut text,
                &format!("doorward_calls_total{{outcome=\"{outcome}\"}}"),
                count.load(Ordering::Relaxed),
            );
        }
        text.push_str(
            "# HELP doorward_call_duration_seconds How long tool calls took.\n\
             # TYPE doorward_call_duration_seconds histogram\n",
        );
        let mut so_far = 0;
        for (index, bucket) in counters.buckets.iter().enumerate() {
            so_far += bucket.load(Ordering::Relaxed);
            let edge = EDGES_US.get(index).map_or("+Inf".into(), |edge| (*edge as f64 / 1e6).to_string());
            line(&mut text, &format!("doorward_call_duration_seconds_bucket{{le=\"{edge}\"}}"), so_far);
        }
        line(
            &mut text,
            "doorward_call_duration_seconds_sum",
            counters.duration_us.load(Ordering::Relaxed) as f64 / 1e6,
        );
        line(&mut text, "doorward_call_duration_seconds_count", so_far);
        text.push_str(
            "# HELP doorward_analyses_total Analyses that ended, by how.\n# TYPE doorward_analyses_total counter\n",
        );
        let ended = AnalysisState::ALL.iter().zip(&counters.analyses);
        for (state, count) in ended.filter(|(state, _)| **state != AnalysisState::Running) {
            let name = format!("doorward_analyses_total{{state=\"{state}\"}}");
            line(&mut text, &name, count.load(Ordering::Relaxed));
        }
        for Gauge { name, help, value } in gauges {
            let _ = write!(text, "# HELP doorward_{name} {help}\n# TYPE doorward_{name} gauge\n");
            line(&mut text, &format!("doorward_{name}"), value);
        }
        text
    }
}

fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{name} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_in_exactly_one_bucket_and_one_outcome() {
        let counters = Counters::default();
        for duration in [0, 500, 501, 70_000_000] {
            counters.count(Outcome::Ok, duration);
        }
        counters.count(Outcome::Refused, 10);

        let sum = |cells: &[AtomicU64]| cells.iter().map(|cell| cell.load(Ordering::Relaxed)).sum::<u64>();
        assert_eq!(sum(&counters.outcomes), 5);
        assert_eq!(sum(&counters.buckets), 5);
        assert_eq!(counters.buckets[0].load(Ordering::Relaxed), 3);
        assert_eq!(counters.buckets[EDGES_US.len()].load(Ordering::Relaxed), 1);
    }
}

//! What a round gives, and the middle of several.

use std::time::Duration;

use anyhow::Result;

use super::programs::{Contender, Load, Running};

/// How long a round takes.
pub(super) const ROUND: Duration = Duration::from_millis(1600);

/// What one round, or the middle of several, says of a contender.
#[derive(Clone, Copy, Default)]
pub(super) struct Figures {
    /// Calls in a second.
    pub(super) rate: f64,
    /// What half of the calls took at most, in microseconds.
    pub(super) p50: f64,
    /// What all but a hundredth of them took at most, in microseconds.
    pub(super) p99: f64,
    /// Processor time of a call, in microseconds.
    pub(super) cpu: f64,
}

impl Figures {
    /// Runs one round. The processor time is that of `working`.
    pub(super) fn round(
        load: &mut Load,
        (what, era, connections): (&str, &str, usize),
        contender: &Contender,
        working: &[&Running],
    ) -> Result<Self> {
        let used = || working.iter().map(|running| running.cpu_seconds()).sum::<f64>();
        let before = used();
        let report = load.measure(what, era, contender, connections, ROUND)?;
        let number = |name: &str| report[name].as_f64().unwrap_or_default();
        // The warm-up's calls cost time too; it is an eighth of the round.
        let cpu = (used() - before) * 1e6 / (number("calls") * 9.0 / 8.0);
        Ok(Self {
            rate: number("calls") / number("seconds"),
            p50: number("p50_us"),
            p99: number("p99_us"),
            cpu,
        })
    }

    /// Returns the medians.
    pub(super) fn middle(rounds: &[Self]) -> Self {
        let of = |one: fn(&Self) -> f64| median(rounds.iter().map(one).collect());
        Self {
            rate: of(|round| round.rate),
            p50: of(|round| round.p50),
            p99: of(|round| round.p99),
            cpu: of(|round| round.cpu),
        }
    }
}

/// Returns the value in the middle; of an even number the greater one.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub(super) fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

pub(super) fn hundredth(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

//! What the metrics page shows: a line over time, and tables by preset, tool and source.

use std::time::Duration;

use thiserror::Error;

use crate::{
    clock::Ms,
    fault::Fault,
    metrics::Metrics,
    model::{Member, PresetId, SourceId, words},
    store::{Dimension, Histogram, MetricPoint, MetricTotal, SeriesQuery, StoreError, TotalKey, TotalsQuery},
};

/// How many rows a table has at most.
const ROWS_MAX: i64 = 50;

/// Says why a dashboard could not be made.
#[derive(Debug, Error)]
pub enum MetricsError {
    /// The rows could not be read.
    #[error("could not read the metrics")]
    Store(#[from] StoreError),
}

impl MetricsError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Store(error) => error.fault(),
        }
    }
}

/// How far back a dashboard looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Window {
    /// An hour, by the minute.
    Hour,
    /// A day, by ten minutes.
    #[default]
    Day,
    /// A week, by the hour.
    Week,
    /// Thirty days, by six hours.
    Month,
}
words!(Window { Hour = "1h", Day = "24h", Week = "7d", Month = "30d" });

impl Window {
    /// Returns how long it is.
    pub fn length(self) -> Duration {
        const HOUR: u64 = 3600;
        Duration::from_secs(match self {
            Self::Hour => HOUR,
            Self::Day => 24 * HOUR,
            Self::Week => 7 * 24 * HOUR,
            Self::Month => 30 * 24 * HOUR,
        })
    }

    /// Returns the width of a point on its line.
    pub fn step(self) -> Duration {
        const MINUTE: u64 = 60;
        Duration::from_secs(match self {
            Self::Hour => MINUTE,
            Self::Day => 10 * MINUTE,
            Self::Week => 60 * MINUTE,
            Self::Month => 360 * MINUTE,
        })
    }
}

/// What a dashboard is narrowed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricFilter {
    /// Only this preset.
    pub preset: Option<PresetId>,
    /// Only this source.
    pub source: Option<SourceId>,
    /// Only this tool, by its exposed name.
    pub tool: Option<String>,
}

/// Calls, errors and durations of one thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Calls.
    pub calls: i64,
    /// Those that did not end well.
    pub errors: i64,
    /// Half of the calls took no longer, in microseconds; `None` without calls.
    pub p50_us: Option<i64>,
    /// 95 of 100 calls took no longer, in microseconds.
    pub p95_us: Option<i64>,
    /// 99 of 100 calls took no longer, in microseconds.
    pub p99_us: Option<i64>,
    /// The longest, in microseconds.
    pub max_us: i64,
}

impl Summary {
    fn of(calls: i64, errors: i64, max_us: i64, histogram: &Histogram) -> Self {
        // A bucket's end may lie beyond the longest duration seen.
        let quantile = |q| histogram.quantile(q).map(|us| us.min(max_us));
        Self { calls, errors, p50_us: quantile(0.5), p95_us: quantile(0.95), p99_us: quantile(0.99), max_us }
    }
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct DashboardRow {
    /// What it is about; names are the reader's to find.
    pub key: TotalKey,
    /// Its numbers.
    pub summary: Summary,
}

/// What the metrics page shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Dashboard {
    /// Where the line begins.
    pub from: Ms,
    /// Where it ends.
    pub to: Ms,
    /// The width of a point.
    pub step: Duration,
    /// Every step of the window with its numbers, also those in which nothing happened.
    pub points: Vec<(Ms, Summary)>,
    /// The numbers of the whole window.
    pub total: Summary,
    /// By preset, most calls first.
    pub by_preset: Vec<DashboardRow>,
    /// By tool, most calls first.
    pub by_tool: Vec<DashboardRow>,
    /// By source, most calls first.
    pub by_source: Vec<DashboardRow>,
}

impl Metrics {
    /// Returns the dashboard of the member's organisation for the window that ends at `now`.
    pub async fn dashboard(
        &self,
        member: &Member,
        window: Window,
        filter: &MetricFilter,
        now: Ms,
    ) -> Result<Dashboard, MetricsError> {
        let step_ms = i64::try_from(window.step().as_millis()).unwrap_or(i64::MAX);
        // The window ends with the step that `now` lies in.
        let to = Ms((now.0.div_euclid(step_ms) + 1) * step_ms);
        let from = to.minus(window.length());
        let MetricFilter { preset, source, tool } = filter.clone();
        let mut tx = self.store.read(member.tenant).await?;
        let query = SeriesQuery { from, to, bucket_ms: step_ms, preset, source, tool: tool.clone() };
        let series = tx.series(&query).await?;
        let mut tables = Vec::with_capacity(3);
        for by in [Dimension::Preset, Dimension::Tool, Dimension::Source] {
            let query = TotalsQuery { by, from, to, preset, source, tool: tool.clone(), limit: ROWS_MAX };
            tables.push(tx.totals(&query).await?.into_iter().map(row).collect::<Vec<_>>());
        }
        let mut tables = tables.into_iter();
        let mut table = || tables.next().unwrap_or_default();
        Ok(Dashboard {
            from,
            to,
            step: window.step(),
            total: total(&series),
            points: fill(&series, from, to, step_ms),
            by_preset: table(),
            by_tool: table(),
            by_source: table(),
        })
    }

    /// Returns the numbers of the member's organisation from `from` to `to`.
    pub async fn summary(&self, member: &Member, from: Ms, to: Ms) -> Result<Summary, MetricsError> {
        let mut tx = self.store.read(member.tenant).await?;
        let query = SeriesQuery { from, to, bucket_ms: 60_000, preset: None, source: None, tool: None };
        Ok(total(&tx.series(&query).await?))
    }
}

fn row(total: MetricTotal) -> DashboardRow {
    let summary = Summary::of(total.calls, total.errors, total.duration_us_max, &total.histogram);
    DashboardRow { key: total.key, summary }
}

fn total(series: &[MetricPoint]) -> Summary {
    let mut histogram = Histogram::default();
    for point in series {
        histogram.merge(&point.histogram);
    }
    Summary::of(
        series.iter().map(|point| point.calls).sum(),
        series.iter().map(|point| point.errors).sum(),
        series.iter().map(|point| point.duration_us_max).max().unwrap_or(0),
        &histogram,
    )
}

/// Returns a point for every step from `from` to `to`, taking from `series` where something happened.
fn fill(series: &[MetricPoint], from: Ms, to: Ms, step_ms: i64) -> Vec<(Ms, Summary)> {
    let mut series = series.iter().peekable();
    let mut points = Vec::new();
    let mut at = from;
    while at < to {
        let end = Ms(at.0 + step_ms);
        let summary = match series.next_if(|point| point.at < end) {
            Some(point) => Summary::of(point.calls, point.errors, point.duration_us_max, &point.histogram),
            None => Summary::default(),
        };
        points.push((at, summary));
        at = end;
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_in_which_nothing_happened_is_a_point_of_zero() {
        let point = MetricPoint {
            at: Ms(120_000),
            calls: 3,
            errors: 1,
            duration_us_sum: 30,
            duration_us_max: 20,
            histogram: Histogram::default(),
        };

        let points = fill(&[point], Ms(0), Ms(240_000), 60_000);

        let calls: Vec<_> = points.iter().map(|(at, summary)| (at.0, summary.calls)).collect();
        assert_eq!(calls, [(0, 0), (60_000, 0), (120_000, 3), (180_000, 0)]);
    }
}

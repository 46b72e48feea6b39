//! Counters over time: totals of each organisation by the minute, details by minute and hour.

use crate::{
    clock::Ms,
    model::{PresetId, SourceId, TenantId},
    store::{Histogram, Result, SystemTx, Tx},
};

/// What happened in one minute to one series, to be added to what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricRow {
    /// The organisation.
    pub tenant: TenantId,
    /// Any time inside the minute.
    pub at: Ms,
    /// The preset; `None` = none.
    pub preset: Option<PresetId>,
    /// The source; `None` = none.
    pub source: Option<SourceId>,
    /// The tool by its exposed name; empty = none.
    pub tool: String,
    /// Calls.
    pub calls: i64,
    /// Those that count as errors.
    pub errors: i64,
    /// All durations together, in microseconds.
    pub duration_us_sum: i64,
    /// The longest duration, in microseconds.
    pub duration_us_max: i64,
    /// How many took how long.
    pub histogram: Histogram,
}

/// What is asked of a chart's line.
#[derive(Clone, Debug)]
pub struct SeriesQuery {
    /// From this time on, floored to a bucket.
    pub from: Ms,
    /// Before this time.
    pub to: Ms,
    /// The width of a point, in milliseconds; a multiple of a minute.
    pub bucket_ms: i64,
    /// Only this preset.
    pub preset: Option<PresetId>,
    /// Only this source.
    pub source: Option<SourceId>,
    /// Only this tool.
    pub tool: Option<String>,
}

/// A point of a chart's line. Points in which nothing happened are absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricPoint {
    /// When the bucket begins.
    pub at: Ms,
    /// Calls.
    pub calls: i64,
    /// Those that count as errors.
    pub errors: i64,
    /// All durations together, in microseconds.
    pub duration_us_sum: i64,
    /// The longest duration, in microseconds.
    pub duration_us_max: i64,
    /// How many took how long.
    pub histogram: Histogram,
}

/// What totals are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// By preset.
    Preset,
    /// By tool.
    Tool,
    /// By source.
    Source,
}

/// What is asked of a table of totals.
#[derive(Clone, Debug)]
pub struct TotalsQuery {
    /// What to group by.
    pub by: Dimension,
    /// From this time on. Beyond six hours back it is floored to the hour.
    pub from: Ms,
    /// Before this time.
    pub to: Ms,
    /// Only this preset.
    pub preset: Option<PresetId>,
    /// Only this source.
    pub source: Option<SourceId>,
    /// Only this tool.
    pub tool: Option<String>,
    /// At most so many, those with most calls first.
    pub limit: i64,
}

/// What a row of totals is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TotalKey {
    /// A preset; `None` = calls without one.
    Preset(Option<PresetId>),
    /// A tool by its exposed name; empty = calls without one.
    Tool(String),
    /// A source; `None` = calls without one.
    Source(Option<SourceId>),
}

/// A row of totals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricTotal {
    /// What it is about.
    pub key: TotalKey,
    /// Calls.
    pub calls: i64,
    /// Those that count as errors.
    pub errors: i64,
    /// All durations together, in microseconds.
    pub duration_us_sum: i64,
    /// The longest duration, in microseconds.
    pub duration_us_max: i64,
    /// How many took how long.
    pub histogram: Histogram,
}

impl Tx {
    /// Returns a chart's line, the oldest point first.
    pub async fn series(&mut self, query: &SeriesQuery) -> Result<Vec<MetricPoint>> {
        let _ = query;
        todo!()
    }

    /// Returns totals by preset, tool or source, those with most calls first.
    pub async fn totals(&mut self, query: &TotalsQuery) -> Result<Vec<MetricTotal>> {
        let _ = query;
        todo!()
    }
}

impl SystemTx {
    /// Adds what happened to the minutes and hours stored.
    pub async fn add_metrics(&mut self, rows: &[MetricRow]) -> Result<()> {
        let _ = rows;
        todo!()
    }

    /// Removes an organisation's metrics from before `before`, at most `limit` rows of each table.
    /// Returns how many; call again while that is not zero.
    pub async fn prune_metrics(&mut self, tenant: TenantId, before: Ms, limit: i64) -> Result<u64> {
        let _ = (tenant, before, limit);
        todo!()
    }

    /// Removes details by the minute from before `before`, of every organisation; the hours stay.
    /// At most `limit` rows. Returns how many.
    pub async fn prune_minute_details(&mut self, before: Ms, limit: i64) -> Result<u64> {
        let _ = (before, limit);
        todo!()
    }
}

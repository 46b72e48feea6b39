//! Counters over time as they are read: totals of each organisation by the minute, details by minute
//! and hour. How they are written is in `metrics_add.rs`.

use std::{sync::LazyLock, time::Duration};

use sqlx::{ColumnIndex, Database, Decode, FromRow, QueryBuilder, Row, Type};
use uuid::Uuid;

use crate::{
    clock::Ms,
    model::{PresetId, SourceId},
    store::{Histogram, Result, Tx, clean, on},
};

pub(super) const MINUTE_MS: i64 = 60_000;
pub(super) const HOUR_MS: i64 = 3_600_000;

/// Totals over a longer time than this are read from the hours.
const MINUTES_READ_MAX: Duration = Duration::from_secs(6 * 3600);

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

/// Adds the conditions of a [`Filter`].
macro_rules! filter {
    ($statement:ident, $filter:ident) => {
        if let Some(preset) = $filter.preset {
            $statement.push(" and preset_id = ").push_bind(preset);
        }
        if let Some(source) = $filter.source {
            $statement.push(" and source_id = ").push_bind(source);
        }
        if let Some(tool) = $filter.tool {
            $statement.push(" and tool = ").push_bind(clean(tool));
        }
    };
}

impl Tx {
    /// Returns a chart's line, the oldest point first.
    pub async fn series(&mut self, query: &SeriesQuery) -> Result<Vec<MetricPoint>> {
        let tenant = self.tenant;
        let bucket_ms = query.bucket_ms.max(MINUTE_MS);
        let from = query.from.0.div_euclid(bucket_ms) * bucket_ms;
        let filter = Filter { preset: query.preset, source: query.source, tool: query.tool.as_deref() };
        let table = match (filter.is_empty(), bucket_ms % HOUR_MS) {
            (true, _) => "metrics_1m",
            (false, 0) => "metrics_1h",
            (false, _) => "metrics_1m_by",
        };
        let rows: Vec<Counted<i64>> = on!(self, |c: Driver| {
            let mut statement = QueryBuilder::<Driver>::new("select cast(at / ");
            statement.push_bind(bucket_ms).push(" as bigint) as bucket, ").push(&*SUMS);
            statement.push(" from ").push(table).push(" where tenant_id = ").push_bind(tenant);
            statement.push(" and at >= ").push_bind(from).push(" and at < ").push_bind(query.to.0);
            filter!(statement, filter);
            statement.push(" group by 1 order by 1");
            statement.build_query_as().fetch_all(c).await
        })?;
        Ok(rows
            .into_iter()
            .map(|Counted { key, counts }| MetricPoint {
                at: Ms(key * bucket_ms),
                calls: counts.calls,
                errors: counts.errors,
                duration_us_sum: counts.duration_us_sum,
                duration_us_max: counts.duration_us_max,
                histogram: counts.histogram,
            })
            .collect())
    }

    /// Returns totals by preset, tool or source, those with most calls first.
    pub async fn totals(&mut self, query: &TotalsQuery) -> Result<Vec<MetricTotal>> {
        Ok(match query.by {
            Dimension::Preset => total_rows(self.totals_by::<Uuid>(query, "preset_id").await?, |id| {
                TotalKey::Preset(not_nil(id).map(PresetId))
            }),
            Dimension::Source => total_rows(self.totals_by::<Uuid>(query, "source_id").await?, |id| {
                TotalKey::Source(not_nil(id).map(SourceId))
            }),
            Dimension::Tool => total_rows(self.totals_by::<String>(query, "tool").await?, TotalKey::Tool),
        })
    }

    async fn totals_by<K>(&mut self, query: &TotalsQuery, column: &'static str) -> Result<Vec<Counted<K>>>
    where
        K: Send + Unpin + Type<sqlx::Sqlite> + Type<sqlx::Postgres>,
        K: for<'r> Decode<'r, sqlx::Sqlite> + for<'r> Decode<'r, sqlx::Postgres>,
    {
        let tenant = self.tenant;
        let filter = Filter { preset: query.preset, source: query.source, tool: query.tool.as_deref() };
        let (table, step) = if query.to.since(query.from) > MINUTES_READ_MAX {
            ("metrics_1h", HOUR_MS)
        } else {
            ("metrics_1m_by", MINUTE_MS)
        };
        let from = query.from.0.div_euclid(step) * step;
        Ok(on!(self, |c: Driver| {
            let mut statement = QueryBuilder::<Driver>::new("select ");
            statement.push(column).push(", ").push(&*SUMS);
            statement.push(" from ").push(table).push(" where tenant_id = ").push_bind(tenant);
            statement.push(" and at >= ").push_bind(from).push(" and at < ").push_bind(query.to.0);
            filter!(statement, filter);
            statement.push(" group by 1 order by 2 desc, 1 limit ").push_bind(query.limit);
            statement.build_query_as().fetch_all(c).await
        })?)
    }
}

/// What a row of any metrics table counts.
#[derive(Clone, Default)]
pub(super) struct Counts {
    pub(super) calls: i64,
    pub(super) errors: i64,
    pub(super) duration_us_sum: i64,
    pub(super) duration_us_max: i64,
    pub(super) histogram: Histogram,
}

/// A row of a report: what it is about, then [`SUMS`].
struct Counted<K> {
    key: K,
    counts: Counts,
}

impl<'r, R, D, K> FromRow<'r, R> for Counted<K>
where
    D: Database<Row = R>,
    R: Row<Database = D>,
    usize: ColumnIndex<R>,
    K: Decode<'r, D> + Type<D>,
    i64: Decode<'r, D> + Type<D>,
{
    fn from_row(row: &'r R) -> std::result::Result<Self, sqlx::Error> {
        let mut buckets = [0; Histogram::BUCKETS];
        for (index, bucket) in buckets.iter_mut().enumerate() {
            *bucket = row.try_get(5 + index)?;
        }
        Ok(Self {
            key: row.try_get(0)?,
            counts: Counts {
                calls: row.try_get(1)?,
                errors: row.try_get(2)?,
                duration_us_sum: row.try_get(3)?,
                duration_us_max: row.try_get(4)?,
                histogram: Histogram::from_counts(buckets),
            },
        })
    }
}

fn total_rows<K>(rows: Vec<Counted<K>>, key: impl Fn(K) -> TotalKey) -> Vec<MetricTotal> {
    rows.into_iter()
        .map(|row| MetricTotal {
            key: key(row.key),
            calls: row.counts.calls,
            errors: row.counts.errors,
            duration_us_sum: row.counts.duration_us_sum,
            duration_us_max: row.counts.duration_us_max,
            histogram: row.counts.histogram,
        })
        .collect()
}

fn not_nil(id: Uuid) -> Option<Uuid> {
    (!id.is_nil()).then_some(id)
}

/// What narrows a report.
struct Filter<'q> {
    preset: Option<PresetId>,
    source: Option<SourceId>,
    tool: Option<&'q str>,
}

impl Filter<'_> {
    fn is_empty(&self) -> bool {
        self.preset.is_none() && self.source.is_none() && self.tool.is_none()
    }
}

pub(super) static BUCKET_COLUMNS: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..Histogram::BUCKETS).map(|index| format!("b{index:02}")).collect());

/// The counting columns, as a report sums them. PostgreSQL sums `bigint` to `numeric`.
static SUMS: LazyLock<String> = LazyLock::new(|| {
    let sum = |column: &str| format!("cast(sum({column}) as bigint)");
    let buckets: Vec<_> = BUCKET_COLUMNS.iter().map(|column| sum(column)).collect();
    format!(
        "{}, {}, {}, max(duration_us_max), {}",
        sum("calls"),
        sum("errors"),
        sum("duration_us_sum"),
        buckets.join(", ")
    )
});

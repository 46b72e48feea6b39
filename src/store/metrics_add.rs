//! Counters over time as they are written: added to what is stored, and removed when they are old.

use std::{collections::BTreeMap, sync::LazyLock};

use sqlx::{AssertSqlSafe, query};
use uuid::Uuid;

use crate::{
    clock::Ms,
    model::{PresetId, SourceId, TenantId},
    store::{
        Histogram, Result, SystemTx, changed, clean,
        insert::{Insert, pieces},
        metrics::{BUCKET_COLUMNS, Counts, HOUR_MS, MINUTE_MS},
        on,
    },
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

/// Inserts rows into the table of an [`Insert`], or adds them to what is there: what names each, and its [`Counts`].
macro_rules! add {
    ($tx:expr, $insert:expr, $rows:expr, |$row:pat_param| [$($value:expr),+ $(,)?]) => {
        for piece in pieces(&$rows) {
            on!($tx, |c: Driver| {
                let mut statement = query::<Driver>($insert.of::<Driver>(piece.len()));
                for ($row, counts) in piece {
                    statement = statement$(.bind($value))+
                        .bind(counts.calls)
                        .bind(counts.errors)
                        .bind(counts.duration_us_sum)
                        .bind(counts.duration_us_max);
                    for count in counts.histogram.counts() {
                        statement = statement.bind(*count);
                    }
                }
                statement.execute(c).await.map(drop)
            })?;
        }
    };
}

static MINUTES: LazyLock<Insert> = LazyLock::new(|| adding("metrics_1m", &["tenant_id", "at"]));
static MINUTES_BY: LazyLock<Insert> = LazyLock::new(|| adding("metrics_1m_by", &SERIES));
static HOURS_BY: LazyLock<Insert> = LazyLock::new(|| adding("metrics_1h", &SERIES));

/// What names a row of the detailed tables.
const SERIES: [&str; 5] = ["tenant_id", "at", "preset_id", "source_id", "tool"];

/// Returns the insert into a table that adds to what is there of the same name.
fn adding(table: &str, name: &[&str]) -> Insert {
    let counts = ["calls", "errors", "duration_us_sum", "duration_us_max"];
    let columns: Vec<&str> =
        name.iter().copied().chain(counts).chain(BUCKET_COLUMNS.iter().map(AsRef::as_ref)).collect();
    let end = format!("on conflict ({}) do update set {}", name.join(", "), upsert(table));
    Insert::new(table, &columns, &end)
}

impl SystemTx {
    /// Adds what happened to the minutes and hours stored.
    pub async fn add_metrics(&mut self, rows: &[MetricRow]) -> Result<()> {
        // Each row once in a statement, and in one order so that two replicas never wait for each
        // other in a circle.
        let mut minutes: BTreeMap<(TenantId, i64), Counts> = BTreeMap::new();
        let mut minutes_by: BTreeMap<Series, Counts> = BTreeMap::new();
        let mut hours_by: BTreeMap<Series, Counts> = BTreeMap::new();
        for row in rows {
            let minute = row.at.0.div_euclid(MINUTE_MS) * MINUTE_MS;
            let series = Series {
                tenant: row.tenant,
                at: minute,
                preset: row.preset.map_or(Uuid::nil(), |id| id.0),
                source: row.source.map_or(Uuid::nil(), |id| id.0),
                tool: clean(&row.tool).into_owned(),
            };
            minutes.entry((row.tenant, minute)).or_default().add(row);
            hours_by
                .entry(Series { at: row.at.0.div_euclid(HOUR_MS) * HOUR_MS, ..series.clone() })
                .or_default()
                .add(row);
            minutes_by.entry(series).or_default().add(row);
        }

        let [minutes_by, hours_by] = [minutes_by, hours_by].map(|rows| rows.into_iter().collect::<Vec<_>>());
        let minutes: Vec<_> = minutes.into_iter().collect();
        add!(self, MINUTES, minutes, |(tenant, at)| [*tenant, *at]);
        for (insert, rows) in [(&MINUTES_BY, minutes_by), (&HOURS_BY, hours_by)] {
            add!(self, insert, rows, |series| [
                series.tenant,
                series.at,
                series.preset,
                series.source,
                series.tool.as_str(),
            ]);
        }
        Ok(())
    }

    /// Removes an organisation's metrics from before `before`, at most `limit` distinct times of
    /// each table. Returns how many rows went; call again while that is not zero.
    pub async fn prune_metrics(&mut self, tenant: TenantId, before: Ms, limit: i64) -> Result<u64> {
        let mut removed = 0;
        for table in ["metrics_1m", "metrics_1m_by", "metrics_1h"] {
            let delete = format!(
                "delete from {table} where tenant_id = $1 and at in
                    (select distinct at from {table} where tenant_id = $1 and at < $2
                     order by at limit $3)"
            );
            // Its text holds a name of this list and nothing else.
            let delete = || AssertSqlSafe(delete.clone());
            removed += changed!(self, query(delete()).bind(tenant).bind(before).bind(limit));
        }
        Ok(removed)
    }

    /// Removes details by the minute from before `before`, of every organisation and at most
    /// `limit` minutes; the hours stay. Returns how many rows went.
    pub async fn prune_minute_details(&mut self, before: Ms, limit: i64) -> Result<u64> {
        Ok(changed!(
            self,
            query(
                "delete from metrics_1m_by where at in
                    (select distinct at from metrics_1m_by where at < $1 order by at limit $2)",
            )
            .bind(before)
            .bind(limit)
        ))
    }
}

/// What names a row of the detailed tables; the nil id is none.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    tenant: TenantId,
    at: i64,
    preset: Uuid,
    source: Uuid,
    tool: String,
}

impl Counts {
    fn add(&mut self, row: &MetricRow) {
        self.calls += row.calls;
        self.errors += row.errors;
        self.duration_us_sum += row.duration_us_sum;
        self.duration_us_max = self.duration_us_max.max(row.duration_us_max);
        self.histogram.merge(&row.histogram);
    }
}

/// The counting columns, as an upsert adds to them.
fn upsert(table: &str) -> String {
    let add = |column: &str| format!("{column} = {table}.{column} + excluded.{column}");
    let buckets: Vec<_> = BUCKET_COLUMNS.iter().map(|column| add(column)).collect();
    format!(
        "{}, {}, {}, duration_us_max = case when excluded.duration_us_max > {table}.duration_us_max
            then excluded.duration_us_max else {table}.duration_us_max end, {}",
        add("calls"),
        add("errors"),
        add("duration_us_sum"),
        buckets.join(", ")
    )
}

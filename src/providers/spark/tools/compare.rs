//! Two things side by side, in numbers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Arguments, Client, Place, Result, executors, jobs, stages as of_stages};
use crate::providers::spark::{
    shapes::{Executor, Job, Stage},
    words::{Row, duration, percent, size},
};

/// One side of a comparison: numbers by name, whose unit is the end of the name.
#[derive(Debug, Default)]
pub(super) struct Side(BTreeMap<&'static str, i64>);

impl Side {
    pub(super) fn put(&mut self, name: &'static str, value: i64) {
        self.0.insert(name, value);
    }

    /// Returns the sums of stages.
    pub(super) fn of_stages<'a>(stages: impl IntoIterator<Item = &'a Stage> + Clone) -> Self {
        let mut side = Self::default();
        let sum = |of: fn(&Stage) -> i64| stages.clone().into_iter().map(of).sum::<i64>();
        side.put("stages", sum(|_| 1));
        side.put("tasks", sum(|stage| stage.num_tasks));
        side.put("failed_tasks", sum(|stage| stage.num_failed_tasks));
        side.put("run_time_ms", sum(|stage| stage.executor_run_time));
        side.put("cpu_time_ms", sum(|stage| stage.executor_cpu_time / 1_000_000));
        side.put("gc_time_ms", sum(|stage| stage.jvm_gc_time));
        side.put("input_bytes", sum(|stage| stage.input_bytes));
        side.put("output_bytes", sum(|stage| stage.output_bytes));
        side.put("shuffle_read_bytes", sum(|stage| stage.shuffle_read_bytes));
        side.put("shuffle_write_bytes", sum(|stage| stage.shuffle_write_bytes));
        side.put("memory_spilled_bytes", sum(|stage| stage.memory_bytes_spilled));
        side.put("disk_spilled_bytes", sum(|stage| stage.disk_bytes_spilled));
        side.put("fetch_wait_ms", sum(|stage| stage.shuffle_fetch_wait_time));
        side
    }
}

/// Draws what two sides differ in, the largest change first. What is zero on both is left out.
pub(super) fn differences(one: &Side, other: &Side) -> Vec<Value> {
    let words = |name: &str, value: i64| {
        if name.ends_with("_ms") {
            Some(duration(value as f64))
        } else if name.ends_with("_bytes") {
            Some(size(value as f64))
        } else {
            None
        }
    };
    let mut rows = Vec::new();
    for (name, before) in &one.0 {
        let after = other.0.get(name).copied().unwrap_or_default();
        let before = *before;
        if before == 0 && after == 0 {
            continue;
        }
        let change = if before == 0 { f64::INFINITY } else { (after - before) as f64 / before as f64 };
        let told = if before == 0 {
            "only in the second".to_owned()
        } else {
            format!("{}{}", if change > 0.0 { "+" } else { "" }, percent(change))
        };
        let row =
            Row::new("metric", *name).set("first", before).set("second", after).set("change", told).maybe(
                "readable",
                words(name, before).zip(words(name, after)).map(|(a, b)| format!("{a} → {b}")),
            );
        rows.push((change.abs(), row.finish()));
    }
    rows.sort_by(|one, other| other.0.total_cmp(&one.0));
    rows.into_iter().map(|(_, row)| row).collect()
}

pub(super) async fn stages(client: &Client, given: &Arguments) -> Result<Row> {
    let (one, other) = (given.required("app_id1"), given.required("app_id2"));
    let (one, other) = futures::try_join!(client.place(&one, None), client.place(&other, None))?;
    let quantiles = || Some(of_stages::QUANTILES.to_owned());
    let (first, second) = futures::try_join!(
        of_stages::find(client, &one, given.number("stage_id1"), None, quantiles()),
        of_stages::find(client, &other, given.number("stage_id2"), None, quantiles())
    )?;
    let side = |stage: &Stage| {
        let mut side = Side::of_stages([stage]);
        side.put("duration_ms", stage.duration_ms().unwrap_or_default());
        side.0.remove("stages");
        if let Some(spread) = &stage.task_metrics_distributions {
            let mut put = |median: &'static str, most: &'static str, values: &[f64]| {
                side.put(median, values.get(2).copied().unwrap_or_default() as i64);
                side.put(most, values.last().copied().unwrap_or_default() as i64);
            };
            put("task_run_time_median_ms", "task_run_time_max_ms", &spread.executor_run_time);
            let read = &spread.shuffle_read_metrics.read_bytes;
            put("task_shuffle_read_median_bytes", "task_shuffle_read_max_bytes", read);
            put("task_input_median_bytes", "task_input_max_bytes", &spread.input_metrics.bytes_read);
        }
        side
    };
    let name = |stage: &Stage, place: &Place| {
        Row::new("app_id", place.app.id.clone())
            .set("stage_id", stage.stage_id)
            .set("status", stage.status.clone())
            .text("name", &stage.name)
            .finish()
    };
    Ok(Row::new("stage_1", name(&first, &one))
        .set("stage_2", name(&second, &other))
        .set("differences", differences(&side(&first), &side(&second))))
}

pub(super) async fn performance(client: &Client, given: &Arguments) -> Result<Row> {
    let (one, other) = (given.required("app_id1"), given.required("app_id2"));
    let (one, other) = futures::try_join!(client.place(&one, None), client.place(&other, None))?;
    let (first, second) = futures::try_join!(whole(client, &one), whole(client, &other))?;
    let name = |place: &Place| {
        Row::new("app_id", place.app.id.clone())
            .set("name", place.app.name.clone())
            .maybe("attempt_id", place.attempt.attempt_id.clone())
            .set("completed", place.attempt.completed)
            .finish()
    };
    Ok(Row::new("app_1", name(&one))
        .set("app_2", name(&other))
        .set("differences", differences(&first, &second)))
}

/// Returns the sums of an application.
pub(super) async fn whole(client: &Client, place: &Place) -> Result<Side> {
    let (jobs, stages, executors) = futures::try_join!(
        jobs::all(client, place),
        of_stages::all(client, place, false),
        executors::all(client, place)
    )?;
    let ran = stages.iter().filter(|stage| stage.status != "SKIPPED");
    let mut side = Side::of_stages(ran);
    let jobs_of = |status: &str| jobs.iter().filter(|job: &&Job| job.status == status).count();
    side.put("jobs", i64::try_from(jobs.len()).unwrap_or(i64::MAX));
    side.put("failed_jobs", i64::try_from(jobs_of("FAILED")).unwrap_or(i64::MAX));
    side.put("cores", executors.iter().map(|executor: &Executor| executor.total_cores).sum());
    side.put(
        "executors",
        i64::try_from(executors.iter().filter(|one| !one.is_driver()).count()).unwrap_or(0),
    );
    let end_ms = place.attempt.end_time_epoch;
    let core_ms = |one: &Executor| executors::uptime_ms(one, end_ms).unwrap_or_default() * one.total_cores;
    if let Some(ms) = place.attempt.duration_ms() {
        side.put("duration_ms", ms);
        side.put("core_time_ms", executors.iter().map(core_ms).sum());
    }
    Ok(side)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_change_stands_first_and_nothing_is_left_out_silently() {
        let (mut one, mut other) = (Side::default(), Side::default());
        for (side, time, spill) in [(&mut one, 1000, 0), (&mut other, 1500, 1024)] {
            side.put("run_time_ms", time);
            side.put("memory_spilled_bytes", spill);
            side.put("failed_tasks", 0);
        }

        let told = differences(&one, &other);

        assert_eq!(told.len(), 2);
        assert_eq!(told[0]["change"], "only in the second");
        assert_eq!((&told[1]["change"], &told[1]["readable"]), (&"+50.0 %".into(), &"1.0 s → 1.5 s".into()));
    }
}

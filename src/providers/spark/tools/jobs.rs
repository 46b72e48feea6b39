//! Jobs, and what took most in all of them.

use std::cmp::Reverse;

use super::{Arguments, Client, Place, Result, about, part, place, stages};
use crate::providers::spark::{
    arguments::wrong,
    shapes::{Executor, Job, Stage},
    words::{Row, cut, percent},
};

/// How many jobs are listed unless more are asked for.
const LENGTH: usize = 50;
/// How many of each kind of bottleneck are listed at most.
const TOP_MAX: usize = 50;
/// From which spill on a stage is named, in bytes. Kubeflow's own rule.
const SPILL_BYTES: i64 = 100 * 1024 * 1024;
/// From which share of run time spent on collecting garbage on it is named. Kubeflow's own rule.
const GC_SHARE: f64 = 0.10;

pub(super) async fn list(client: &Client, given: &Arguments) -> Result<Row> {
    let place = place(client, given).await?;
    if let Some(id) = given.number("job_id") {
        let one: Job = client.of(&place, &["jobs", &id.to_string()], &[]).await?;
        return Ok(about(&place).set("jobs", vec![job(&one).finish()]));
    }
    let states = given.states("status");
    let mut jobs = all(client, &place).await?;
    jobs.retain(|job| states.is_empty() || states.contains(&job.status));
    match given.text("sort_by").as_deref().map(|by| by.trim_start_matches('-')) {
        None | Some("id" | "job_id") => jobs.sort_by_key(|job| job.job_id),
        Some("duration") => jobs.sort_by_key(|job| Reverse(job.duration_ms().unwrap_or(i64::MAX))),
        Some("failed_tasks") => jobs.sort_by_key(|job| Reverse(job.num_failed_tasks)),
        Some(_) => return Err(wrong("`sort_by` must be id, duration or failed_tasks")),
    }
    Ok(part(about(&place), "jobs", jobs, given, LENGTH, job))
}

pub(in crate::providers::spark) async fn all(client: &Client, place: &Place) -> Result<Vec<Job>> {
    client.of(place, &["jobs"], &[]).await
}

fn job(job: &Job) -> Row {
    Row::new("job_id", job.job_id)
        .set("status", job.status.clone())
        .text("name", &cut(job.description.as_deref().unwrap_or(&job.name), 200))
        .maybe("submitted", job.submission_time.clone())
        .time("duration", job.duration_ms().unwrap_or_default())
        .set("stage_ids", job.stage_ids.clone())
        .set("tasks", job.num_tasks)
        .count("failed_tasks", job.num_failed_tasks)
        .count("killed_tasks", job.num_killed_tasks)
        .count("skipped_tasks", job.num_skipped_tasks)
        .count("failed_stages", job.num_failed_stages)
        .count("skipped_stages", job.num_skipped_stages)
}

pub(super) async fn bottlenecks(client: &Client, given: &Arguments) -> Result<Row> {
    let place = place(client, given).await?;
    let top = given.length("top_n", 5, TOP_MAX);
    let executors = async {
        let executors: Vec<Executor> = client.of(&place, &["allexecutors"], &[]).await?;
        Ok(executors)
    };
    let (jobs, found, executors) =
        futures::try_join!(all(client, &place), stages::all(client, &place, false), executors)?;
    let mut slow_jobs = jobs;
    slow_jobs.sort_by_key(|job| Reverse(job.duration_ms().unwrap_or_default()));
    let by = |key: fn(&Stage) -> i64, from: i64| {
        let mut chosen: Vec<&Stage> = found.iter().filter(|stage| key(stage) >= from.max(1)).collect();
        chosen.sort_by_key(|stage| Reverse(key(stage)));
        chosen.into_iter().take(top).map(|stage| stages::stage(stage).finish()).collect::<Vec<_>>()
    };
    let (busy, gc) = executors.iter().fold((0, 0), |(busy, gc), executor: &Executor| {
        (busy + executor.total_duration, gc + executor.total_gc_time)
    });
    let gc_share = if busy > 0 { gc as f64 / busy as f64 } else { 0.0 };
    let gc_words = format!("{} of all task time went into collecting garbage", percent(gc_share));
    Ok(about(&place)
        .set("slowest_stages", by(|stage| stage.duration_ms().unwrap_or_default(), 1))
        .set("slowest_jobs", slow_jobs.iter().take(top).map(|one| job(one).finish()).collect::<Vec<_>>())
        .set("spilling_stages", by(|stage| stage.memory_bytes_spilled, SPILL_BYTES))
        .set("failing_stages", by(|stage| stage.num_failed_tasks, 1))
        .maybe("gc", (gc_share > GC_SHARE).then_some(gc_words))
        .set("hint", "list_findings says what to change, skew and settings included"))
}

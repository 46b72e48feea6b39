//! Executors: each, all together, when they came and went, and what their threads do.

use std::cmp::Reverse;

use serde_json::Value;

use super::{Arguments, Client, Place, Result, about, part, place, stages};
use crate::providers::spark::{
    arguments::wrong,
    shapes::{Executor, Thread},
    words::{Row, between_ms, cut, time_ms},
};

/// How many executors are listed unless more are asked for.
const LENGTH: usize = 50;
/// How many moments of a timeline are told.
const MOMENTS_MAX: usize = 200;
/// How many threads are told, and how much of where each is.
const THREADS_MAX: usize = 40;
const FRAMES_MAX: usize = 8;

pub(in crate::providers::spark) async fn all(client: &Client, place: &Place) -> Result<Vec<Executor>> {
    // Those of a finished application are all gone, so that the list of those that are there says
    // nothing.
    client.of(place, &["allexecutors"], &[]).await
}

pub(super) async fn list(client: &Client, given: &Arguments) -> Result<Row> {
    let place = place(client, given).await?;
    let mut executors = all(client, &place).await?;
    if let Some(id) = given.text("executor_id") {
        executors.retain(|executor| executor.id == id);
        if executors.is_empty() {
            return Err(wrong(format!("there is no executor {id}")));
        }
    } else if !given.is_set("include_inactive") {
        executors.retain(|executor| executor.is_active);
    }
    let key: fn(&Executor) -> i64 =
        match given.text("sort_by").as_deref().map(|by| by.trim_start_matches('-')) {
            None | Some("id") => |executor| -executor.id.parse::<i64>().unwrap_or(-1),
            Some("duration" | "total_duration") => |executor| executor.total_duration,
            Some("gc") => |executor| executor.total_gc_time,
            Some("failed_tasks") => |executor| executor.failed_tasks,
            Some("memory") => heap_peak,
            Some(_) => return Err(wrong("`sort_by` must be id, duration, gc, failed_tasks or memory")),
        };
    executors.sort_by_key(|executor| Reverse(key(executor)));
    Ok(part(about(&place), "executors", executors, given, LENGTH, executor))
}

fn heap_peak(executor: &Executor) -> i64 {
    executor.peak_memory_metrics.as_ref().map_or(0, |peak| peak.jvm_heap_memory)
}

fn executor(executor: &Executor) -> Row {
    let row = Row::new("id", executor.id.clone())
        .set("active", executor.is_active)
        .text("host", &executor.host_port)
        .set("cores", executor.total_cores)
        .maybe("added", executor.add_time.clone())
        .maybe("removed", executor.remove_time.clone())
        .maybe("removed_because", executor.remove_reason.as_deref().map(|reason| cut(reason, 300)))
        .set("tasks", executor.total_tasks)
        .count("failed_tasks", executor.failed_tasks)
        .time("task_time", executor.total_duration)
        .time("gc_time", executor.total_gc_time)
        .size("input", executor.total_input_bytes)
        .size("shuffle_read", executor.total_shuffle_read)
        .size("shuffle_write", executor.total_shuffle_write)
        .size("storage_memory_max", executor.max_memory);
    let row = match &executor.peak_memory_metrics {
        None => row,
        Some(peak) => row
            .size("heap_peak", peak.jvm_heap_memory)
            .size("off_heap_peak", peak.jvm_off_heap_memory)
            .size("execution_memory_peak", peak.on_heap_execution_memory)
            .size("storage_memory_peak", peak.on_heap_storage_memory)
            .size("process_peak", peak.process_tree_jvm_rss_memory)
            .size("python_peak", peak.process_tree_python_rss_memory),
    };
    if executor.is_excluded { row.set("excluded", true) } else { row }
}

pub(super) async fn summary(client: &Client, given: &Arguments) -> Result<Row> {
    let place = place(client, given).await?;
    let all = all(client, &place).await?;
    let workers = || all.iter().filter(|executor| !executor.is_driver());
    let sum = |of: fn(&Executor) -> i64| all.iter().map(of).sum::<i64>();
    let sums = Row::new("executors", workers().count())
        .set("active", workers().filter(|executor| executor.is_active).count())
        .set("cores", sum(|executor| executor.total_cores))
        .set("tasks", sum(|executor| executor.total_tasks))
        .count("failed_tasks", sum(|executor| executor.failed_tasks))
        .time("task_time", sum(|executor| executor.total_duration))
        .time("gc_time", sum(|executor| executor.total_gc_time))
        .size("input", sum(|executor| executor.total_input_bytes))
        .size("shuffle_read", sum(|executor| executor.total_shuffle_read))
        .size("shuffle_write", sum(|executor| executor.total_shuffle_write))
        .size("storage_memory_max", sum(|executor| executor.max_memory))
        .size("heap_peak_max", all.iter().map(heap_peak).max().unwrap_or_default());
    let local = workers().next().is_none().then_some("local mode: the driver runs the tasks");
    Ok(about(&place).set("executors", sums.finish()).maybe("note", local))
}

pub(super) async fn timeline(client: &Client, given: &Arguments) -> Result<Row> {
    let place = place(client, given).await?;
    let (executors, found) = futures::try_join!(all(client, &place), stages::all(client, &place, false))?;
    let mut moments: Vec<(i64, String, Row)> = Vec::new();
    let mut note = |at: Option<&str>, what: Row| {
        if let Some((text, ms)) = at.and_then(|text| Some((text, time_ms(text)?))) {
            moments.push((ms, text.to_owned(), what));
        }
    };
    for executor in executors.iter().filter(|executor| executor.total_cores > 0) {
        let row = |what: &str| Row::new("event", what).set("executor_id", executor.id.clone());
        note(executor.add_time.as_deref(), row("executor added").set("cores", executor.total_cores));
        let reason = executor.remove_reason.as_deref().map(|reason| cut(reason, 120));
        note(
            executor.remove_time.as_deref(),
            row("executor removed").set("cores", -executor.total_cores).maybe("because", reason),
        );
    }
    for stage in found.iter().filter(|stage| stage.status != "SKIPPED") {
        let row = |what: &str| Row::new("event", what).set("stage_id", stage.stage_id);
        note(stage.submission_time.as_deref(), row("stage started").set("tasks", stage.num_tasks));
        note(stage.completion_time.as_deref(), row("stage ended").time("run_time", stage.executor_run_time));
    }
    moments.sort_by_key(|(ms, ..)| *ms);
    let (mut cores, mut running, total) = (0, 0_i64, moments.len());
    let mut drawn: Vec<Value> = Vec::new();
    for (_, at, what) in moments.into_iter().take(MOMENTS_MAX) {
        let mut row = what.set("at", at).finish();
        cores += row.get("cores").and_then(Value::as_i64).unwrap_or_default();
        running += match row["event"].as_str() {
            Some("stage started") => 1,
            Some("stage ended") => -1,
            _ => 0,
        };
        row["cores_now"] = cores.into();
        row["stages_now"] = running.into();
        drawn.push(row);
    }
    let left_out = (total > MOMENTS_MAX)
        .then(|| format!("the first {MOMENTS_MAX} of {total}; list_stages has every stage with its times"));
    Ok(about(&place).set("timeline", drawn).maybe("more", left_out))
}

/// Returns how long an executor was there, until `end_ms` if it was not removed.
pub(super) fn uptime_ms(executor: &Executor, end_ms: i64) -> Option<i64> {
    let removed = between_ms(executor.add_time.as_deref(), executor.remove_time.as_deref());
    removed.or_else(|| Some(end_ms - time_ms(executor.add_time.as_deref()?)?)).filter(|ms| *ms > 0)
}

pub(super) async fn threads(client: &Client, given: &Arguments) -> Result<Row> {
    let place = place(client, given).await?;
    let id = given.required("executor_id");
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(wrong("`executor_id` is a number or `driver`"));
    }
    let mut found: Vec<Thread> = client.of(&place, &["executors", &id, "threads"], &[]).await?;
    let (state, name) = (given.text("state").map(|state| state.to_uppercase()), given.text("name"));
    found.retain(|thread| {
        state.as_ref().is_none_or(|state| thread.thread_state == *state)
            && name.as_ref().is_none_or(|name| thread.thread_name.contains(name.as_str()))
            && (!given.is_set("blocked_only") || thread.blocked_by_thread_id.is_some())
    });
    let total = found.len();
    let draw = |thread: &Thread| {
        let frames: Vec<String> = thread.stack_trace.elems.iter().take(FRAMES_MAX).cloned().collect();
        Row::new("id", thread.thread_id)
            .set("name", thread.thread_name.clone())
            .set("state", thread.thread_state.clone())
            .maybe("blocked_by", thread.blocked_by_thread_id)
            .set("at", frames)
            .finish()
    };
    let shown: Vec<Value> = found.iter().take(THREADS_MAX).map(draw).collect();
    let more =
        (total > THREADS_MAX).then(|| format!("{} more: narrow by state or name", total - THREADS_MAX));
    Ok(about(&place).set("total", total).set("threads", shown).maybe("more", more))
}

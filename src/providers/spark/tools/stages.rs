//! Stages, how their tasks are spread, and why tasks failed.

use std::cmp::Reverse;

use serde_json::Value;

use super::{Arguments, Client, Place, Result, about, part, place};
use crate::providers::spark::{
    SparkError,
    arguments::wrong,
    shapes::{Distributions, Stage, Task},
    words::{Row, cut, duration, size},
};

/// How many stages are listed unless more are asked for.
const LENGTH: usize = 25;
/// Least, quarter, half, three quarters, most.
pub(super) const QUANTILES: &str = "0.0,0.25,0.5,0.75,1.0";
/// How many quantiles may be asked for.
const QUANTILES_MAX: usize = 20;
/// How many failed tasks are read.
const FAILURES_READ: &str = "500";
/// How many different errors are told.
const FAILURES_TOLD: usize = 10;
/// How much of an error is told, in characters.
const ERROR_MAX: usize = 900;
/// How many tasks with the same error are named.
const TASKS_NAMED: usize = 5;

pub(super) async fn list(client: &Client, given: &Arguments) -> Result<Row> {
    let place = place(client, given).await?;
    let states = given.states("status");
    let summaries = given.is_set("with_summaries");
    let mut stages = all(client, &place, summaries).await?;
    stages.retain(|stage| states.is_empty() || states.contains(&stage.status));
    let key: fn(&Stage) -> i64 = match given.text("sort_by").as_deref().map(|by| by.trim_start_matches('-')) {
        None | Some("id" | "stage_id") => |stage| -stage.stage_id,
        Some("duration") => |stage| stage.duration_ms().unwrap_or_default(),
        Some("run_time" | "executor_run_time") => |stage| stage.executor_run_time,
        Some("input" | "input_bytes") => |stage| stage.input_bytes,
        Some("shuffle_read" | "shuffle_read_bytes") => |stage| stage.shuffle_read_bytes,
        Some("shuffle_write" | "shuffle_write_bytes") => |stage| stage.shuffle_write_bytes,
        Some("spill") => |stage| stage.memory_bytes_spilled,
        Some("failed_tasks") => |stage| stage.num_failed_tasks,
        Some(_) => {
            return Err(wrong(
                "`sort_by` must be id, duration, run_time, input, shuffle_read, shuffle_write, spill or failed_tasks",
            ));
        }
    };
    stages.sort_by_key(|stage| Reverse((key(stage), -stage.attempt_id)));
    Ok(part(about(&place), "stages", stages, given, LENGTH, stage))
}

pub(super) async fn all(client: &Client, place: &Place, summaries: bool) -> Result<Vec<Stage>> {
    let query = [("withSummaries", "true"), ("quantiles", QUANTILES)];
    client.of(place, &["stages"], if summaries { &query } else { &[] }).await
}

pub(super) async fn get(client: &Client, given: &Arguments) -> Result<Row> {
    let place = place(client, given).await?;
    let found =
        find(client, &place, given.number("stage_id"), given.number("attempt_id"), quantiles(given)?).await?;
    Ok(about(&place).set("stage", stage(&found).finish()))
}

/// Returns the quantiles that are asked for; `None` = no summaries.
fn quantiles(given: &Arguments) -> Result<Option<String>> {
    let Some(numbers) = given.numbers("quantiles") else {
        return Ok(given.is_set("with_summaries").then(|| QUANTILES.to_owned()));
    };
    if numbers.is_empty() || numbers.len() > QUANTILES_MAX || numbers.iter().any(|q| !(0.0..=1.0).contains(q))
    {
        return Err(wrong(format!("`quantiles` must be 1 to {QUANTILES_MAX} numbers from 0 to 1")));
    }
    let texts: Vec<String> = numbers.iter().map(|number| format!("{number:?}")).collect();
    Ok(Some(texts.join(",")))
}

/// Finds an attempt of a stage, the last one if none is named.
pub(super) async fn find(
    client: &Client,
    place: &Place,
    stage: Option<i64>,
    attempt: Option<i64>,
    quantiles: Option<String>,
) -> Result<Stage> {
    let id = stage.unwrap_or_default().to_string();
    let mut query = vec![("details", "false")];
    if let Some(quantiles) = &quantiles {
        query.extend([("withSummaries", "true"), ("quantiles", quantiles.as_str())]);
    }
    let attempts: Vec<Stage> = client.of(place, &["stages", &id], &query).await?;
    let known: Vec<String> = attempts.iter().map(|stage| stage.attempt_id.to_string()).collect();
    let found = match attempt {
        Some(wanted) => attempts.into_iter().find(|stage| stage.attempt_id == wanted),
        None => attempts.into_iter().max_by_key(|stage| stage.attempt_id),
    };
    found.ok_or_else(|| wrong(format!("stage {id} has no such attempt; it has: {}", known.join(", "))))
}

/// Draws a stage.
pub(super) fn stage(stage: &Stage) -> Row {
    let cpu_ms = stage.executor_cpu_time / 1_000_000;
    Row::new("stage_id", stage.stage_id)
        .count("attempt_id", stage.attempt_id)
        .set("status", stage.status.clone())
        .text("name", &cut(&stage.name, 200))
        .maybe("submitted", stage.submission_time.clone())
        .time("duration", stage.duration_ms().unwrap_or_default())
        .set("tasks", stage.num_tasks)
        .count("failed_tasks", stage.num_failed_tasks)
        .count("killed_tasks", stage.num_killed_tasks)
        .time("run_time", stage.executor_run_time)
        .time("cpu_time", cpu_ms)
        .time("gc_time", stage.jvm_gc_time)
        .size("input", stage.input_bytes)
        .size("output", stage.output_bytes)
        .size("shuffle_read", stage.shuffle_read_bytes)
        .size("shuffle_write", stage.shuffle_write_bytes)
        .time("fetch_wait", stage.shuffle_fetch_wait_time)
        .size("memory_spilled", stage.memory_bytes_spilled)
        .size("disk_spilled", stage.disk_bytes_spilled)
        .maybe("failure", stage.failure_reason.as_deref().map(error_words))
        .maybe("spread", stage.task_metrics_distributions.as_ref().and_then(spread))
}

/// Draws how tasks are spread: of each metric that is not zero everywhere, a number for each quantile.
fn spread(spread: &Distributions) -> Option<Value> {
    if spread.quantiles.is_empty() {
        return None;
    }
    let times = [
        ("run_time_ms", &spread.executor_run_time),
        ("gc_time_ms", &spread.jvm_gc_time),
        ("scheduler_delay_ms", &spread.scheduler_delay),
        ("fetch_wait_ms", &spread.shuffle_read_metrics.fetch_wait_time),
    ];
    let sizes = [
        ("input_bytes", &spread.input_metrics.bytes_read),
        ("output_bytes", &spread.output_metrics.bytes_written),
        ("shuffle_read_bytes", &spread.shuffle_read_metrics.read_bytes),
        ("shuffle_write_bytes", &spread.shuffle_write_metrics.write_bytes),
        ("memory_spilled_bytes", &spread.memory_bytes_spilled),
        ("peak_memory_bytes", &spread.peak_execution_memory),
    ];
    let mut row = Row::new("quantiles", spread.quantiles.clone());
    let all = times.map(|(name, values)| (name, values, duration as fn(f64) -> String)).into_iter();
    for (name, values, words) in
        all.chain(sizes.map(|(name, values)| (name, values, size as fn(f64) -> String)))
    {
        if values.iter().all(|value| *value == 0.0) {
            continue;
        }
        let exact: Vec<i64> = values.iter().map(|value| *value as i64).collect();
        let most = values.last().copied().unwrap_or_default();
        row = row.set(name, exact).set(&format!("{name}_max"), words(most));
    }
    Some(row.finish())
}

pub(super) async fn failures(client: &Client, given: &Arguments) -> Result<Row> {
    let place = place(client, given).await?;
    let (stage, attempt) = (given.number("stage_id"), given.number("stage_attempt_id"));
    let found = find(client, &place, stage, attempt, None).await?;
    let tasks = failed_tasks(client, &place, found.stage_id, found.attempt_id).await?;
    let groups = grouped(&tasks);
    let more =
        (groups.len() > FAILURES_TOLD).then(|| format!("{} other errors", groups.len() - FAILURES_TOLD));
    let shown: Vec<Value> = groups.iter().take(FAILURES_TOLD).map(|group| group.draw().finish()).collect();
    Ok(about(&place)
        .set("stage_id", found.stage_id)
        .set("stage_attempt_id", found.attempt_id)
        .set("failed_tasks", found.num_failed_tasks)
        .set("failures", shown)
        .maybe("stage_failure", found.failure_reason.as_deref().map(error_words))
        .maybe("more", more))
}

/// Returns the failed tasks of a stage, as many as are read.
pub(in crate::providers::spark) async fn failed_tasks(
    client: &Client,
    place: &Place,
    stage: i64,
    attempt: i64,
) -> Result<Vec<Task>> {
    let (stage, attempt) = (stage.to_string(), attempt.to_string());
    let query = [("status", "failed"), ("length", FAILURES_READ)];
    let read = client.of(place, &["stages", &stage, &attempt, "taskList"], &query).await;
    match read {
        // A stage none of whose tasks is kept has no list.
        Err(SparkError::Refused { status: 404, .. }) => Ok(Vec::new()),
        read => read,
    }
}

/// Tasks that failed alike.
struct Group<'a> {
    error: String,
    tasks: Vec<&'a Task>,
}

fn grouped(tasks: &[Task]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for task in tasks {
        let error = error_words(task.error_message.as_deref().unwrap_or("no message"));
        // The same error about another record is the same error.
        let key = |error: &str| error.chars().filter(|letter| !letter.is_ascii_digit()).collect::<String>();
        match groups.iter_mut().find(|group| key(&group.error) == key(&error)) {
            Some(group) => group.tasks.push(task),
            None => groups.push(Group { error, tasks: vec![task] }),
        }
    }
    groups.sort_by_key(|group| Reverse(group.tasks.len()));
    groups
}

impl Group<'_> {
    fn draw(&self) -> Row {
        let task = |task: &&Task| {
            Row::new("task_id", task.task_id)
                .set("index", task.index)
                .set("attempt", task.attempt)
                .set("executor_id", task.executor_id.clone())
                .time("duration", task.duration.unwrap_or_default())
                .finish()
        };
        let named: Vec<Value> = self.tasks.iter().take(TASKS_NAMED).map(task).collect();
        Row::new("error", self.error.clone()).set("tasks", self.tasks.len()).set("for_example", named)
    }
}

/// Returns what matters of an error: its first line, the line of a Python traceback that says what
/// happened, and the last cause of a Java one.
pub(in crate::providers::spark) fn error_words(error: &str) -> String {
    let mut lines = error.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let is_frame = |line: &str| line.starts_with("\tat ") || line.trim_start().starts_with("... ");
    let cause = error.lines().rfind(|line| line.trim_start().starts_with("Caused by:"));
    let raised = error
        .lines()
        .take_while(|line| !is_frame(line))
        .filter(|line| !line.starts_with(' ') && line.contains("Error"))
        .last();
    let frame = error.lines().rfind(|line| line.trim_start().starts_with("File \""));
    let mut told = vec![cut(first, ERROR_MAX)];
    for line in [frame, raised, cause].into_iter().flatten() {
        let line = cut(line.trim(), ERROR_MAX);
        if !told.contains(&line) {
            told.push(line);
        }
    }
    told.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "org.apache.spark.api.python.PythonException: Traceback (most recent call last):\n  File \
        \"/opt/worker.py\", line 1, in process\n    out()\n  File \"/data/jobs/gen.py\", line 32, in f\n    raise \
        ValueError(\"bad record %d\" % x)\nValueError: bad record 499\n SQLSTATE: 38000\n\tat a.b(C.scala:1)\nCaused by: x.Y: z";

    #[test]
    fn an_error_keeps_what_says_why() {
        let words = error_words(TRACE);
        assert!(words.starts_with("org.apache.spark.api.python.PythonException"), "{words}");
        assert!(words.contains("gen.py\", line 32"), "{words}");
        assert!(words.contains("ValueError: bad record 499") && words.contains("Caused by: x.Y"), "{words}");
        assert!(!words.contains("\tat "), "{words}");
    }

    #[test]
    fn errors_about_different_records_are_one() {
        let task = |error: &str| Task { error_message: Some(error.to_owned()), ..Task::default() };
        let tasks = [task("bad record 499"), task("other"), task("bad record 999")];

        let groups = grouped(&tasks);

        assert_eq!(groups.iter().map(|group| group.tasks.len()).collect::<Vec<_>>(), [2, 1]);
    }
}

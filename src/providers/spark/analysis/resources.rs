//! Cores that wait: for work, for the driver, for shuffled data; and stages that take very long.

use super::{Evidence, Found, Thresholds};
use crate::model::Severity;
use crate::providers::spark::{
    shapes::{Job, Stage},
    words::{duration, percent, size, time_ms},
};

/// How many stages one finding names.
const NAMED: usize = 3;

/// Cores without a task for much of the time.
pub(super) fn idle(evidence: &Evidence, limits: &Thresholds) -> Vec<Found> {
    let end = evidence.end_ms();
    let core_ms: i64 = evidence
        .workers()
        .filter_map(|executor| {
            let from = time_ms(executor.add_time.as_deref()?)?;
            let until = executor.remove_time.as_deref().and_then(time_ms).unwrap_or(end);
            Some((until - from).max(0) * executor.total_cores)
        })
        .sum();
    let busy: i64 = evidence.ran().map(|stage| stage.executor_run_time).sum();
    let share = 1.0 - busy as f64 / core_ms.max(1) as f64;
    if core_ms == 0 || evidence.duration_ms() < limits.idle_duration_ms_min || share < limits.idle_share {
        return Vec::new();
    }
    let dynamic = evidence.is_on("spark.dynamicAllocation.enabled", false);
    let mut change = Vec::new();
    if dynamic {
        change.push(
            "Lower spark.dynamicAllocation.executorIdleTimeout (60s), and give maxExecutors a bound"
                .to_owned(),
        );
    } else {
        change.push(
            "Set spark.dynamicAllocation.enabled=true with minExecutors, maxExecutors and shuffleTracking.enabled=true"
                .to_owned(),
        );
    }
    change.push(
        "Or ask for fewer executors; or cut the work into more tasks (2 to 3 for each core)".to_owned(),
    );
    vec![Found {
        severity: if share > limits.idle_share_severe { Severity::Severe } else { Severity::Moderate },
        title: format!("Cores had no task for {} of the time", percent(share)),
        evidence: vec![
            evidence.of_page("executors", "Time of all cores", duration(core_ms as f64)),
            evidence.of_page("stages", "Run time of all tasks", duration(busy as f64)),
        ],
        why: "Cores that wait are paid for, and missing for other applications.",
        change,
        expected: format!("up to {} of core time less", duration((core_ms - busy).max(0) as f64)),
        estimated: "time of all cores less run time of all tasks",
    }]
}

/// Returns for how long at least one job ran.
fn covered_ms(jobs: &[Job], end: i64) -> i64 {
    let mut spans: Vec<(i64, i64)> = jobs
        .iter()
        .filter_map(|job| {
            let from = time_ms(job.submission_time.as_deref()?)?;
            Some((from, job.completion_time.as_deref().and_then(time_ms).unwrap_or(end)))
        })
        .collect();
    spans.sort_unstable();
    let (mut covered, mut until) = (0, i64::MIN);
    for (from, to) in spans {
        covered += (to - from.max(until)).max(0);
        until = until.max(to);
    }
    covered
}

/// Time in which no job runs.
pub(super) fn driver(evidence: &Evidence, limits: &Thresholds) -> Vec<Found> {
    let whole = evidence.duration_ms();
    if evidence.jobs.is_empty() || whole == 0 {
        return Vec::new();
    }
    let alone = (whole - covered_ms(&evidence.jobs, evidence.end_ms())).max(0);
    let share = alone as f64 / whole as f64;
    if alone < limits.driver_ms_min || share < limits.driver_share {
        return Vec::new();
    }
    vec![Found {
        severity: if share > 0.6 { Severity::Severe } else { Severity::Moderate },
        title: format!("No job runs for {} of the time", percent(share)),
        evidence: vec![
            evidence.of_page("jobs", "Time without a job", duration(alone as f64)),
            evidence.of_page("jobs", "Time of the application", duration(whole as f64)),
        ],
        why: "All executors wait while the driver starts, plans, lists files, or works on collected rows.",
        change: vec![
            "Leave rows where they are: no collect() or toPandas() of large results, no loops over rows in the driver".into(),
            "Start independent jobs from several threads, with spark.scheduler.mode=FAIR".into(),
            "Many small files or partitions: compact them, so that listing and planning take less".into(),
        ],
        expected: format!("up to {} less", duration(alone as f64)),
        estimated: "the application's time less the union of its jobs' times; starting up is a part of it",
    }]
}

/// Much data in shuffles, and tasks that wait for it.
pub(super) fn shuffle(evidence: &Evidence, limits: &Thresholds) -> Vec<Found> {
    let mut found = Vec::new();
    let written: i64 = evidence.ran().map(|stage| stage.shuffle_write_bytes).sum();
    let input: i64 = evidence.ran().map(|stage| stage.input_bytes).sum();
    let times = written as f64 / input.max(1) as f64;
    let is_much = written > limits.shuffle_bytes
        || (input > 0 && written > limits.shuffle_bytes_min && times > limits.shuffle_input_ratio);
    if is_much {
        let mut stages: Vec<&Stage> = evidence.ran().filter(|stage| stage.shuffle_write_bytes > 0).collect();
        stages.sort_by_key(|stage| std::cmp::Reverse(stage.shuffle_write_bytes));
        let mut facts = vec![evidence.of_page(
            "stages",
            "Written into shuffles, and read as input",
            format!("{} and {}", size(written as f64), size(input as f64)),
        )];
        facts.extend(stages.iter().take(NAMED).map(|stage| {
            let value = size(stage.shuffle_write_bytes as f64);
            evidence.of_stage(stage, format!("Written by stage {}", stage.stage_id), value)
        }));
        found.push(Found {
            severity: if written > limits.shuffle_bytes { Severity::Severe } else { Severity::Moderate },
            title: format!("{} go through shuffles", size(written as f64)),
            evidence: facts,
            why: "Shuffled data is sorted, written, sent over the network and read again.",
            change: vec![
                "Filter rows and choose columns before joins and aggregations".into(),
                "Send small sides of joins to all (broadcast), and bucket tables that are joined by the same key again and again".into(),
            ],
            expected: "less data written, sent and read".into(),
            estimated: "not estimated in time; each byte saved is saved three times",
        });
    }
    let share = |stage: &Stage| stage.shuffle_fetch_wait_time as f64 / stage.executor_run_time.max(1) as f64;
    let waits = |stage: &&Stage| {
        stage.executor_run_time > limits.fetch_wait_run_time_ms_min && share(stage) > limits.fetch_wait_share
    };
    found.extend(evidence.ran().filter(waits).max_by_key(|stage| stage.shuffle_fetch_wait_time).map(|stage| {
        let waited = duration(stage.shuffle_fetch_wait_time as f64);
        Found {
            severity: Severity::Moderate,
            title: format!("Stage {} waits {} of its time for shuffled data", stage.stage_id, percent(share(stage))),
            evidence: vec![evidence.of_stage(
                stage,
                format!("Waited in stage {}", stage.stage_id),
                format!("{waited} of {}", duration(stage.executor_run_time as f64)),
            )],
            why: "Tasks wait for blocks from executors that are busy, or over a network that is.",
            change: vec![
                "Give executors that serve shuffles more to do it with: an external shuffle service, faster disks".into(),
                "Raise spark.reducer.maxSizeInFlight (48m) on a good network".into(),
            ],
            expected: format!("up to {} less", duration(stage.shuffle_fetch_wait_time as f64 / evidence.slots() as f64)),
            estimated: "time waited, divided by the tasks that run at the same time",
        }
    }));
    found
}

/// Stages whose slowest tasks read their input from other machines.
pub(super) fn far_reads(evidence: &Evidence, limits: &Thresholds) -> Vec<Found> {
    let read = evidence.tasks.iter().filter_map(|(id, tasks)| {
        // What is read of a shuffle comes from everywhere.
        let reads_input =
            |stage: &&Stage| stage.stage_id == *id && stage.input_bytes > 0 && stage.shuffle_read_bytes == 0;
        let stage = evidence.ran().find(reads_input)?;
        let far =
            tasks.iter().filter(|task| matches!(task.task_locality.as_str(), "ANY" | "RACK_LOCAL")).count();
        let share = far as f64 / tasks.len().max(1) as f64;
        (tasks.len() >= limits.far_tasks_min && share > limits.far_share).then_some((stage, far, tasks.len()))
    });
    let Some((stage, far, all)) = read.max_by_key(|(stage, ..)| stage.executor_run_time) else {
        return Vec::new();
    };
    vec![Found {
        severity: Severity::Low,
        title: format!("The slowest tasks of stage {} read from other machines", stage.stage_id),
        evidence: vec![evidence.of_stage(
            stage,
            format!("Tasks of stage {} away from their data", stage.stage_id),
            format!("{far} of the {all} slowest, {} read", size(stage.input_bytes as f64)),
        )],
        why: "What lies on another machine is read over the network.",
        change: vec![
            "Have executors on the machines that hold the data; more of them, or a longer spark.locality.wait (3s) where \
             tasks are long"
                .into(),
            "Cached data: after executors were lost or added, cache anew".into(),
        ],
        expected: "reads from the machine's own disks or memory".into(),
        estimated: "not estimated in time",
    }]
}

/// Stages that take very long.
pub(super) fn slow_stages(evidence: &Evidence, limits: &Thresholds) -> Vec<Found> {
    let slow = |stage: &&Stage| stage.duration_ms().is_some_and(|ms| ms > limits.stage_ms);
    evidence
        .ran()
        .filter(slow)
        .map(|stage| {
            let took = stage.duration_ms().unwrap_or_default();
            let levels = took / limits.stage_ms;
            Found {
                severity: match levels {
                    0 | 1 => Severity::Low,
                    2 => Severity::Moderate,
                    3 => Severity::Severe,
                    _ => Severity::Critical,
                },
                title: format!("Stage {} takes {}", stage.stage_id, duration(took as f64)),
                evidence: vec![evidence.of_stage(
                    stage,
                    format!("Stage {}", stage.stage_id),
                    format!("{}, {} tasks", duration(took as f64), stage.num_tasks),
                )],
                why: "What is lost with an executor in a long stage is lost for long.",
                change: vec!["Look at the other findings about this stage; else cut it: write what is between, or checkpoint".into()],
                expected: "less to repeat after a failure".into(),
                estimated: "not estimated in time",
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_jobs_at_once_count_once() {
        let job = |from: &str, to: Option<&str>| Job {
            submission_time: Some(format!("2026-11-21T04:06:{from}.000GMT")),
            completion_time: to.map(|to| format!("2026-11-21T04:06:{to}.000GMT")),
            ..Job::default()
        };
        let jobs =
            [job("00", Some("10")), job("05", Some("12")), job("20", Some("21")), job("06", Some("07"))];
        assert_eq!(covered_ms(&jobs, 0), 13_000);
    }
}

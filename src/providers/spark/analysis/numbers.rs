//! The numbers of a report, in the form in which they are kept. Pure.

use std::cmp::Reverse;

use super::{Evidence, Thresholds, tasks};
use crate::{
    model::{
        AnalysisReport, Finding, LoadPoint, ReportedApplication, ReportedExecutor, ReportedQuery,
        ReportedStage, Totals,
    },
    providers::spark::{
        client::Place,
        shapes::{Executor, Stage},
        words::{cut, time_ms},
    },
};

/// How many stages are kept.
const STAGES_MAX: usize = 400;
/// How many executors are kept.
const EXECUTORS_MAX: usize = 400;
/// How many queries are kept.
const QUERIES_MAX: usize = 50;
/// How many settings are kept.
const SETTINGS_MAX: usize = 300;
/// How much of a text of the application is kept, in characters.
const TEXT_MAX: usize = 300;
/// At how many moments the use of cores is told.
const MOMENTS: i64 = 120;

/// Makes a report of what is known.
pub(super) fn report(evidence: &Evidence, findings: Vec<Finding>, limits: &Thresholds) -> AnalysisReport {
    let mut stages: Vec<&Stage> = evidence.ran().collect();
    let stages_omitted = stages.len().saturating_sub(STAGES_MAX);
    stages.sort_by_key(|stage| Reverse(stage.duration_ms()));
    stages.truncate(STAGES_MAX);
    stages.sort_by_key(|stage| (stage.stage_id, stage.attempt_id));
    let mut executors: Vec<&Executor> = evidence.workers().collect();
    executors.sort_by_key(|executor| executor.add_time.as_deref().and_then(time_ms));
    let executors_omitted = executors.len().saturating_sub(EXECUTORS_MAX);
    let mut application = application(&evidence.place, evidence.page("jobs/"));
    application.ended_at_ms = evidence.end_ms();
    AnalysisReport {
        application,
        totals: totals(evidence),
        findings,
        stages: stages.into_iter().map(|stage| reported(evidence, limits, stage)).collect(),
        stages_omitted,
        executors: executors.into_iter().take(EXECUTORS_MAX).map(executor).collect(),
        executors_omitted,
        load: load(evidence),
        queries: queries(evidence),
        settings: settings(evidence),
        missing: evidence.missing.clone(),
    }
}

/// Returns what is told of an application and one of its runs.
pub(super) fn application(place: &Place, link: String) -> ReportedApplication {
    let attempt = &place.attempt;
    ReportedApplication {
        id: place.app.id.clone(),
        name: cut(&place.app.name, TEXT_MAX),
        attempt: attempt.attempt_id.clone(),
        attempts: place.app.attempts.len(),
        user: attempt.spark_user.clone(),
        spark_version: attempt.app_spark_version.clone(),
        begun_at_ms: attempt.start_time_epoch,
        ended_at_ms: attempt.end_time_epoch.max(attempt.start_time_epoch),
        is_completed: attempt.completed,
        link,
    }
}

fn totals(evidence: &Evidence) -> Totals {
    let sum = |of: fn(&Stage) -> i64| evidence.ran().map(of).sum::<i64>();
    Totals {
        duration_ms: evidence.duration_ms(),
        jobs: evidence.jobs.len(),
        failed_jobs: evidence.jobs.iter().filter(|job| job.status == "FAILED").count(),
        stages: evidence.ran().count(),
        tasks: sum(|stage| stage.num_tasks),
        failed_tasks: sum(|stage| stage.num_failed_tasks),
        cores: evidence.workers().map(Executor::slots).sum(),
        task_time_ms: sum(|stage| stage.executor_run_time),
        gc_time_ms: sum(|stage| stage.jvm_gc_time),
        input_bytes: sum(|stage| stage.input_bytes),
        output_bytes: sum(|stage| stage.output_bytes),
        shuffle_read_bytes: sum(|stage| stage.shuffle_read_bytes),
        shuffle_write_bytes: sum(|stage| stage.shuffle_write_bytes),
        spilled_memory_bytes: sum(|stage| stage.memory_bytes_spilled),
        spilled_disk_bytes: sum(|stage| stage.disk_bytes_spilled),
    }
}

fn reported(evidence: &Evidence, limits: &Thresholds, stage: &Stage) -> ReportedStage {
    let spread = stage.task_metrics_distributions.as_ref();
    let reads = spread.map(|spread| {
        let (shuffled, input) = (&spread.shuffle_read_metrics.read_bytes, &spread.input_metrics.bytes_read);
        let has_any = shuffled.iter().any(|bytes| *bytes > 0.0);
        if has_any { shuffled.clone() } else { input.clone() }
    });
    ReportedStage {
        id: stage.stage_id,
        attempt: stage.attempt_id,
        name: cut(&stage.name, TEXT_MAX),
        status: stage.status.clone(),
        begun_at_ms: stage.submission_time.as_deref().and_then(time_ms),
        ended_at_ms: stage.completion_time.as_deref().and_then(time_ms),
        tasks: stage.num_tasks,
        failed_tasks: stage.num_failed_tasks,
        task_time_ms: stage.executor_run_time,
        gc_time_ms: stage.jvm_gc_time,
        input_bytes: stage.input_bytes,
        output_bytes: stage.output_bytes,
        shuffle_read_bytes: stage.shuffle_read_bytes,
        shuffle_write_bytes: stage.shuffle_write_bytes,
        spilled_memory_bytes: stage.memory_bytes_spilled,
        spilled_disk_bytes: stage.disk_bytes_spilled,
        task_ms: spread.map(|spread| spread.executor_run_time.clone()).unwrap_or_default(),
        task_read_bytes: reads.unwrap_or_default(),
        is_skewed: tasks::uneven(limits, stage).is_some(),
        link: evidence.page_of_stage(stage),
    }
}

fn executor(executor: &Executor) -> ReportedExecutor {
    ReportedExecutor {
        id: executor.id.clone(),
        host: executor
            .host_port
            .rsplit_once(':')
            .map_or(executor.host_port.as_str(), |(host, _)| host)
            .to_owned(),
        cores: executor.slots(),
        added_at_ms: executor.add_time.as_deref().and_then(time_ms),
        removed_at_ms: executor.remove_time.as_deref().and_then(time_ms),
        removed_why: executor.remove_reason.as_deref().map(|why| cut(why, TEXT_MAX)).unwrap_or_default(),
        tasks: executor.completed_tasks,
        failed_tasks: executor.failed_tasks,
        task_time_ms: executor.total_duration,
        gc_time_ms: executor.total_gc_time,
        heap_peak_bytes: executor.peak_memory_metrics.as_ref().map_or(0, |peak| peak.jvm_heap_memory),
        memory_bytes: executor.max_memory,
    }
}

/// Returns how many cores there were and how many had a task, moment by moment. A history server tells of tasks one by
/// one only, so those of a stage are taken to be spread evenly over its time.
fn load(evidence: &Evidence) -> Vec<LoadPoint> {
    let (begin, end) = (evidence.place.attempt.start_time_epoch, evidence.end_ms());
    let step = (end - begin + MOMENTS - 1) / MOMENTS;
    if step <= 0 {
        return Vec::new();
    }
    let there: Vec<(i64, i64, f64)> = evidence
        .workers()
        .map(|executor| {
            let from = executor.add_time.as_deref().and_then(time_ms).unwrap_or(begin);
            let until = executor.remove_time.as_deref().and_then(time_ms).unwrap_or(end);
            (from, until, executor.slots() as f64)
        })
        .collect();
    let busy: Vec<(i64, i64, f64)> = evidence
        .ran()
        .filter_map(|stage| {
            let from = stage.submission_time.as_deref().and_then(time_ms)?;
            let until = stage.completion_time.as_deref().and_then(time_ms).unwrap_or(end);
            let at_once = stage.executor_run_time as f64 / (until - from).max(1) as f64;
            Some((from, until, at_once))
        })
        .collect();
    let mut points = Vec::new();
    let mut at = begin;
    while at < end {
        let next = (at + step).min(end);
        let mean = |spans: &[(i64, i64, f64)]| -> f64 {
            let overlap = |(from, until, height): &(i64, i64, f64)| {
                (next.min(*until) - at.max(*from)).max(0) as f64 * height
            };
            spans.iter().map(overlap).sum::<f64>() / (next - at) as f64
        };
        let cores = mean(&there);
        points.push(LoadPoint { at_ms: at, cores, busy: mean(&busy).min(cores) });
        at = next;
    }
    points
}

fn queries(evidence: &Evidence) -> Vec<ReportedQuery> {
    let mut queries: Vec<_> = evidence.queries.iter().collect();
    queries.sort_by_key(|sql| Reverse(sql.duration));
    queries
        .into_iter()
        .take(QUERIES_MAX)
        .map(|sql| ReportedQuery {
            id: sql.id,
            description: cut(&sql.description, TEXT_MAX),
            status: sql.status.clone(),
            begun_at_ms: sql.submission_time.as_deref().and_then(time_ms),
            duration_ms: sql.duration,
            link: evidence.page_of_query(sql),
        })
        .collect()
}

/// Returns the settings without secrets. Spark hides them itself by these words; a server in between may not.
fn settings(evidence: &Evidence) -> Vec<(String, String)> {
    let hidden = |name: &str| {
        let name = name.to_lowercase();
        ["secret", "password", "token", "access.key", "accesskey", "credential"]
            .iter()
            .any(|word| name.contains(word))
    };
    let all = evidence.environment.iter().flat_map(|environment| &environment.spark_properties);
    all.take(SETTINGS_MAX)
        .map(|(name, value)| {
            let value = if hidden(name) { "(hidden)".to_owned() } else { cut(value, TEXT_MAX) };
            (name.clone(), value)
        })
        .collect()
}

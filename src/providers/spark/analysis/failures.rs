//! What failed and was done again.

use super::{Evidence, Found, Thresholds};
use crate::model::Severity;
use crate::providers::spark::{
    shapes::Stage,
    tools::error_words,
    words::{cut, percent},
};

/// How many stages and queries one finding names.
const NAMED: usize = 3;
/// How much of an error is quoted, in characters.
const ERROR_MAX: usize = 400;

/// Jobs, stages, tasks and queries that failed.
pub(super) fn failures(evidence: &Evidence, limits: &Thresholds) -> Vec<Found> {
    let failed: i64 = evidence.ran().map(|stage| stage.num_failed_tasks).sum();
    let jobs = evidence.jobs.iter().filter(|job| job.status == "FAILED").count();
    let queries: Vec<_> = evidence.queries.iter().filter(|sql| sql.status == "FAILED").collect();
    if failed == 0 && jobs == 0 {
        return stopped(evidence, &queries);
    }
    let tasks: i64 = evidence.ran().map(|stage| stage.num_complete_tasks + stage.num_failed_tasks).sum();
    let share = failed as f64 / tasks.max(1) as f64;
    let mut facts = vec![
        evidence.of_page("jobs", "Failed jobs", format!("{jobs} of {}", evidence.jobs.len())),
        evidence.of_page(
            "stages",
            "Failed attempts of tasks",
            format!("{failed} of {tasks}, {}", percent(share)),
        ),
    ];
    let mut stages: Vec<&Stage> = evidence.ran().filter(|stage| stage.num_failed_tasks > 0).collect();
    stages.sort_by_key(|stage| (stage.status != "FAILED", std::cmp::Reverse(stage.num_failed_tasks)));
    for stage in stages.iter().take(NAMED) {
        let errors = evidence.tasks.iter().find(|(id, _)| *id == stage.stage_id);
        let error = errors.and_then(|(_, tasks)| tasks.iter().find_map(|task| task.error_message.as_deref()));
        let error =
            error.or(stage.failure_reason.as_deref()).map(|error| cut(&error_words(error), ERROR_MAX));
        let what = match stage.status.as_str() {
            "FAILED" => {
                format!("Stage {} failed after {} failed tasks", stage.stage_id, stage.num_failed_tasks)
            }
            _ => format!("Stage {} succeeded after {} failed tasks", stage.stage_id, stage.num_failed_tasks),
        };
        facts.push(evidence.of_stage(stage, what, error.unwrap_or_else(|| "no message".to_owned())));
    }
    for sql in queries.iter().take(NAMED) {
        let error = sql.error_message.as_deref().map(|error| cut(&error_words(error), ERROR_MAX));
        facts.push(evidence.of_query(sql, format!("Query {} failed", sql.id), error.unwrap_or_default()));
    }
    let severity = match (jobs, share > limits.failed_share_severe) {
        (1.., _) => Severity::Critical,
        (0, true) => Severity::Severe,
        (0, false) => Severity::Moderate,
    };
    let again: i64 =
        evidence.ran().filter(|stage| stage.num_failed_tasks > 0).map(|stage| stage.num_failed_tasks).sum();
    vec![Found {
        severity,
        title: match jobs {
            0 => format!("{failed} attempts of tasks failed and were repeated"),
            1 => format!("One job failed, and {failed} attempts of tasks"),
            _ => format!("{jobs} jobs failed, and {failed} attempts of tasks"),
        },
        evidence: facts,
        why: "A task that fails is tried again, up to spark.task.maxFailures (4) times; then its job fails.",
        change: vec![
            "Mend what the first error names. The same error at each attempt is in code or data, not in the cluster".into(),
            "Records that cannot be read: catch the error in the function and set such records aside".into(),
            "Errors that come and go (connections, lost executors): look at executors that were removed, and why".into(),
        ],
        expected: format!("{again} attempts of tasks less"),
        estimated: "the attempts that failed",
    }]
}

/// Queries that ended as failed although no task did: most were stopped.
fn stopped(evidence: &Evidence, queries: &[&crate::providers::spark::shapes::Sql]) -> Vec<Found> {
    let Some(first) = queries.first() else { return Vec::new() };
    let facts = queries.iter().take(NAMED).map(|sql| {
        let error = sql.error_message.as_deref().map(|error| cut(&error_words(error), ERROR_MAX));
        evidence.of_query(
            sql,
            format!("Query {}", sql.id),
            error.filter(|text| !text.is_empty()).unwrap_or_else(|| "no message".to_owned()),
        )
    });
    vec![Found {
        severity: Severity::Low,
        title: format!("{} of {} queries failed, but no task did", queries.len(), evidence.queries.len()),
        evidence: facts.collect(),
        why: "A query that is stopped, as a streaming query at its end, or that cannot be planned, counts as failed.",
        change: vec![format!(
            "Look at query {}; nothing is to be done if it was stopped on purpose",
            first.id
        )],
        expected: "nothing, if it was stopped on purpose".into(),
        estimated: "no task failed, so no work was lost",
    }]
}

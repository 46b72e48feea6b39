//! Reading what an analysis needs, all at once and within one deadline.

use std::{cmp::Reverse, future::Future, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::Evidence;
use crate::providers::spark::{
    SparkError,
    client::{Client, Place},
    shapes::{Sql, Stage, Task},
    tools::{all_executors, all_jobs, all_queries, all_stages, environment_of, failed_tasks, query_of},
};

/// How long reading may take.
const DEADLINE: Duration = Duration::from_secs(50);
/// Of how many slow stages tasks are read, and of how many that failed.
const STAGES: usize = 3;
/// How many slow queries are read with their steps.
const QUERIES: usize = 5;
/// How many of a stage's slowest tasks are read.
const TASKS: &str = "5";

/// Reads the evidence about a run of an application. Fails only if the history server cannot be used;
/// what else cannot be read in time is named in what is returned.
pub(in crate::providers::spark) async fn gather(
    client: &Client,
    place: Place,
) -> Result<Evidence, SparkError> {
    let deadline = Instant::now() + DEADLINE;
    let mut missing = Vec::new();
    let (jobs, stages, executors, environment, queries) = futures::join!(
        timed(deadline, all_jobs(client, &place)),
        timed(deadline, all_stages(client, &place)),
        timed(deadline, all_executors(client, &place)),
        timed(deadline, environment_of(client, &place)),
        timed(deadline, all_queries(client, &place)),
    );
    let jobs = kept("jobs", jobs, &mut missing)?.unwrap_or_default();
    let stages = kept("stages", stages, &mut missing)?.unwrap_or_default();
    let executors = kept("executors", executors, &mut missing)?.unwrap_or_default();
    let environment = kept("environment", environment, &mut missing)?;
    let queries = kept("queries", queries, &mut missing)?.unwrap_or_default();

    let (tasks, slowest) = futures::join!(
        timed(deadline, tasks_of(client, &place, &stages)),
        timed(deadline, slowest_of(client, &place, &queries)),
    );
    let tasks = kept("tasks of the slowest stages", tasks, &mut missing)?.unwrap_or_default();
    let slowest = kept("steps of the slowest queries", slowest, &mut missing)?.unwrap_or_default();
    let base = client.base().to_owned();
    Ok(Evidence { place, base, jobs, stages, executors, environment, tasks, queries, slowest, missing })
}

/// Ends what takes too long; `None` = too long.
async fn timed<T>(
    deadline: Instant,
    work: impl Future<Output = Result<T, SparkError>>,
) -> Option<Result<T, SparkError>> {
    timeout_at(deadline, work).await.ok()
}

/// Takes what was read, or notes why it was not. What no other question would be answered with either
/// is an error.
fn kept<T>(
    what: &'static str,
    read: Option<Result<T, SparkError>>,
    missing: &mut Vec<(&'static str, String)>,
) -> Result<Option<T>, SparkError> {
    match read {
        Some(Ok(read)) => Ok(Some(read)),
        Some(Err(error)) if error.is_of_the_call() => {
            missing.push((what, error.to_string()));
            Ok(None)
        }
        Some(Err(error)) => Err(error),
        None => {
            missing.push((what, format!("no answer within {} s", DEADLINE.as_secs())));
            Ok(None)
        }
    }
}

/// Reads the slowest tasks of the slowest stages, and the failed ones of those where most failed.
async fn tasks_of(
    client: &Client,
    place: &Place,
    stages: &[Stage],
) -> Result<Vec<(i64, Vec<Task>)>, SparkError> {
    let mut failed: Vec<&Stage> = stages.iter().filter(|stage| stage.num_failed_tasks > 0).collect();
    failed.sort_by_key(|stage| (stage.status != "FAILED", Reverse(stage.num_failed_tasks)));
    failed.truncate(STAGES);
    let mut slow: Vec<&Stage> =
        stages.iter().filter(|stage| stage.num_failed_tasks == 0 && stage.duration_ms().is_some()).collect();
    slow.sort_by_key(|stage| Reverse(stage.duration_ms()));
    slow.truncate(STAGES);
    let failed = failed.into_iter().map(|stage| async move {
        let tasks = failed_tasks(client, place, stage).await?;
        Ok::<_, SparkError>((stage.stage_id, tasks))
    });
    let slow = slow.into_iter().map(|stage| async move {
        let (id, attempt) = (stage.stage_id.to_string(), stage.attempt_id.to_string());
        let query = [("sortBy", "-runtime"), ("length", TASKS)];
        let tasks: Vec<Task> = client.of(place, &["stages", &id, &attempt, "taskList"], &query).await?;
        Ok::<_, SparkError>((stage.stage_id, tasks))
    });
    let (failed, slow) =
        futures::try_join!(futures::future::try_join_all(failed), futures::future::try_join_all(slow))?;
    Ok(failed.into_iter().chain(slow).collect())
}

async fn slowest_of(client: &Client, place: &Place, queries: &[Sql]) -> Result<Vec<Sql>, SparkError> {
    let mut slow: Vec<&Sql> = queries.iter().collect();
    slow.sort_by_key(|sql| Reverse(sql.duration));
    let slow = slow.into_iter().take(QUERIES).map(|sql| query_of(client, place, sql.id));
    futures::future::try_join_all(slow).await
}

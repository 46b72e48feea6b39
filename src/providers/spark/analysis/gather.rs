//! Reading what an analysis needs from a history server, all at once and within one deadline.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
use tokio::time::timeout_at;

use super::{Manner, Reading, question, reading::Ask};
use crate::providers::spark::{SparkError, client::Client};

/// How long reading may take.
const DEADLINE: Duration = Duration::from_secs(50);

/// Reads everything about a run of an application, the last one if none is named. Fails only if the history server
/// cannot be used, or knows no such application; what else cannot be read in time is missing in what is returned.
pub(in crate::providers::spark) async fn gather(
    client: &Client,
    app_id: &str,
    attempt: Option<&str>,
) -> Result<Reading, SparkError> {
    let mut reading = Reading::new(Manner::Native, app_id, attempt).map_err(SparkError::Argument)?;
    let deadline = tokio::time::Instant::now() + DEADLINE;
    let mut asked = FuturesUnordered::new();
    loop {
        asked.extend(reading.questions().into_iter().map(|ask| answered(client, ask)));
        let Ok(Some((ask, answer, took))) = timeout_at(deadline, asked.next()).await else {
            return Ok(reading);
        };
        let answer = match answer {
            Ok(answer) => Ok(answer),
            Err(error) if error.is_of_the_call() && reading.application().is_some() => Err(error.to_string()),
            Err(error) => return Err(error),
        };
        let elapsed_ms = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
        reading.take(ask, answer.as_deref().map_err(Clone::clone), elapsed_ms);
    }
}

async fn answered(client: &Client, ask: Ask) -> (Ask, Result<Bytes, SparkError>, Duration) {
    let begun = Instant::now();
    let answer = Box::pin(question::answer(client, &ask.request.params)).await;
    (ask, answer, begun.elapsed())
}

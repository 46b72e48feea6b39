//! What is asked for an analysis, and how a history server answers it. The questions go through a method of our own that
//! no caller can reach, so that whoever keeps an analysis asks over the link of its source, as for everything else.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::providers::spark::{
    SparkError,
    client::{Client, Place},
    shapes::{Application, Task},
    tools::{all_executors, all_jobs, all_queries, all_stages, environment_of, failed_tasks, query_of},
};

/// The method that questions of an analysis go by.
pub(in crate::providers::spark) const METHOD: &str = "doorward/evidence";

/// How many of a stage's slowest tasks are read.
const TASKS: &str = "5";

type Result<T, E = SparkError> = std::result::Result<T, E>;

/// One question. All but `Applications` are about a run of an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(super) enum Question {
    /// The newest applications.
    Applications {
        limit: usize,
    },
    /// The application and its run.
    Application,
    Jobs,
    Stages,
    Executors,
    Environment,
    /// How the tasks of a stage are spread, where the stages do not say it.
    Spread {
        stage: i64,
        attempt: i64,
    },
    /// The slowest tasks of a stage, or those that failed.
    Tasks {
        stage: i64,
        attempt: i64,
        failed: bool,
    },
    Queries,
    /// One query with its steps.
    Query {
        id: i64,
    },
}

/// A question, and what it is about.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) app_id: String,
    pub(super) attempt: Option<String>,
    pub(super) question: Question,
}

/// The answer to `Application`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) place: Place,
    /// Where the server's own pages begin, without a slash at the end.
    pub(super) base: String,
}

/// Answers a question in the shapes of the history server.
pub(in crate::providers::spark) async fn answer(client: &Client, params: &[u8]) -> Result<Bytes> {
    let unreadable = |_| SparkError::Argument("the question cannot be read".to_owned());
    let asked: Asked = serde_json::from_slice(params).map_err(unreadable)?;
    answer_to(client, &asked).await
}

/// Answers a question in the shapes of the history server.
pub(super) async fn answer_to(client: &Client, asked: &Asked) -> Result<Bytes> {
    if let Question::Applications { limit } = &asked.question {
        let found: Vec<Application> = client.get(&["applications"], &[("limit", &limit.to_string())]).await?;
        return Ok(written(&found));
    }
    let place = client.place(&asked.app_id, asked.attempt.as_deref()).await?;
    Ok(match &asked.question {
        Question::Applications { .. } | Question::Application => {
            written(&Found { place, base: client.base().to_owned() })
        }
        Question::Jobs => written(&all_jobs(client, &place).await?),
        Question::Stages => written(&all_stages(client, &place).await?),
        Question::Executors => written(&all_executors(client, &place).await?),
        Question::Environment => written(&environment_of(client, &place).await?),
        Question::Spread { .. } => return Err(SparkError::Argument("the stages say it".to_owned())),
        Question::Tasks { stage, attempt, failed: true } => {
            written(&failed_tasks(client, &place, *stage, *attempt).await?)
        }
        Question::Tasks { stage, attempt, failed: false } => {
            let (stage, attempt) = (stage.to_string(), attempt.to_string());
            let query = [("sortBy", "-runtime"), ("length", TASKS)];
            let tasks: Vec<Task> =
                client.of(&place, &["stages", &stage, &attempt, "taskList"], &query).await?;
            written(&tasks)
        }
        Question::Queries => written(&all_queries(client, &place).await?),
        Question::Query { id } => written(&query_of(client, &place, *id).await?),
    })
}

fn written<T: Serialize>(answer: &T) -> Bytes {
    serde_json::to_vec(answer).expect("shapes can be written as JSON").into()
}

//! The questions of an analysis as calls of tools, for MCP servers that have those of the Kubeflow project's server for
//! Spark (1.0.2), and what they answer. Such a server hands on what the history server says, one text for each thing of
//! a list. Pure.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::question::{Asked, Question};
use crate::providers::spark::{
    shapes::{Metric, Node, Sql},
    words::cut,
};

/// The tools without which nothing can be analysed.
pub(super) const NEEDED: [&str; 5] =
    ["list_applications", "list_jobs", "list_stages", "list_executors", "get_environment"];
/// How many things of a list are asked for at most.
pub(super) const LENGTH: usize = 1000;
/// How much of what a tool says of its failure is told, in characters.
const FAILURE_MAX: usize = 300;
/// The quantiles that rules know: the least, a quarter, half, three quarters, the most.
const QUANTILES: &str = "0.0,0.25,0.5,0.75,1.0";

/// Returns the parameters of the call that asks this.
pub(super) fn params(asked: &Asked) -> Value {
    let (tool, more) = match &asked.question {
        Question::Applications { limit } => ("list_applications", json!({ "limit": limit })),
        Question::Application => ("list_applications", json!({})),
        Question::Jobs => ("list_jobs", json!({ "length": LENGTH })),
        Question::Stages => ("list_stages", json!({ "sort_by": "duration", "length": LENGTH })),
        Question::Executors => ("list_executors", json!({ "include_inactive": true, "length": LENGTH })),
        Question::Environment => ("get_environment", json!({})),
        Question::Spread { stage, attempt } => {
            let spread = json!({ "stage_id": stage, "attempt_id": attempt, "with_summaries": true });
            ("get_stage", with(spread, "quantiles", QUANTILES.into()))
        }
        Question::Tasks { stage, attempt, .. } => {
            ("list_stage_task_failures", json!({ "stage_id": stage, "stage_attempt_id": attempt }))
        }
        Question::Queries => ("list_sql_executions", json!({ "sort_by": "duration", "limit": LENGTH })),
        // A plan comes with what was measured of its steps, which is all that is wanted of it.
        Question::Query { id } => {
            ("get_sql_execution", json!({ "execution_id": id, "include_plan": true, "plan_max_length": 1 }))
        }
    };
    let mut arguments = more;
    if !matches!(asked.question, Question::Applications { .. }) {
        arguments = with(arguments, "app_id", asked.app_id.as_str().into());
    }
    // This tool alone takes no run: it finds the stage in the last one.
    let is_spread = matches!(asked.question, Question::Spread { .. });
    if let Some(attempt) = asked.attempt.as_deref().filter(|_| !is_spread) {
        arguments = with(arguments, "app_attempt_id", attempt.into());
    }
    json!({ "name": tool, "arguments": arguments })
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct CallResult {
    content: Vec<Block>,
    is_error: bool,
}

#[derive(Deserialize)]
struct Block {
    #[serde(default)]
    text: String,
}

/// Reads the things of a list, or what was wrong.
pub(super) fn list<T: DeserializeOwned>(result: &[u8]) -> Result<Vec<T>, String> {
    let mut found = Vec::new();
    for value in values(result)? {
        match value {
            Value::Array(items) => found.extend(items),
            item => found.push(item),
        }
    }
    found.into_iter().map(shape).collect()
}

/// Reads one thing, or what was wrong.
pub(super) fn one<T: DeserializeOwned>(result: &[u8]) -> Result<T, String> {
    shape(values(result)?.into_iter().next().ok_or("it answered nothing")?)
}

/// Reads a query with its steps. Which step feeds which is not told.
pub(super) fn query(result: &[u8]) -> Result<Sql, String> {
    let detail: Detail = one(result)?;
    let nodes = detail.node_metrics.into_iter().map(|node| Node {
        node_id: node.node_id,
        node_name: node.node_name,
        metrics: node.metrics.into_iter().map(|(name, value)| Metric { name, value: told(value) }).collect(),
    });
    Ok(Sql { nodes: nodes.collect(), ..detail.execution })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    execution: Sql,
    #[serde(default)]
    node_metrics: Vec<Measured>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    node_id: i64,
    node_name: String,
    #[serde(default)]
    metrics: Map<String, Value>,
}

fn told(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn values(result: &[u8]) -> Result<Vec<Value>, String> {
    let result: CallResult =
        serde_json::from_slice(result).map_err(|_| "its answer is no result of a tool".to_owned())?;
    let texts = result.content.into_iter().map(|block| block.text);
    if result.is_error {
        return Err(cut(&texts.collect::<Vec<_>>().join(" "), FAILURE_MAX));
    }
    let foreign = |_| "it answers with something other than the JSON of a history server".to_owned();
    texts.map(|text| serde_json::from_str(&text).map_err(foreign)).collect()
}

/// Reads a shape of the history server. What is not known is null there, and absent here.
fn shape<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(without_nulls(value))
        .map_err(|error| format!("it answers with something that a history server does not say: {error}"))
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name, without_nulls(value)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        plain => plain,
    }
}

//! The tools: what they are called, what they take, and who answers.
//!
//! Names and arguments are those of the Kubeflow project's server for Spark 1.0.2. What one result
//! shows at most is bounded, and it says how to ask for the rest.

pub(super) mod analyses;
mod applications;
mod compare;
mod environment;
mod executors;
mod jobs;
mod sql;
mod stages;

use serde_json::{Value, json};

use super::{
    SparkError,
    analysis::Thresholds,
    arguments::{
        self, Argument, Arguments,
        Kind::{Number, Numbers, Switch, Text, Texts},
    },
    client::{Client, Place},
    shapes::{Sql, Stage},
    words::Row,
};

type Result<T, E = SparkError> = std::result::Result<T, E>;

/// The most things that one result lists.
const LENGTH_MAX: usize = 200;

/// A tool.
pub(super) struct Tool {
    pub(super) name: &'static str,
    about: &'static str,
    pub(super) arguments: &'static [Argument],
    /// The member of the result that is always there, and its kind.
    gives: (&'static str, &'static str),
}

/// What a tool found.
pub(super) struct Told {
    pub(super) facts: Value,
    /// What is told in place of the facts; `None` = the facts.
    pub(super) text: Option<String>,
}

impl From<Row> for Told {
    fn from(row: Row) -> Self {
        Self { facts: row.finish(), text: None }
    }
}

/// The tool whose calls are kept as analyses: whoever keeps those carries it out.
pub(super) const ANALYZE: &str = "analyze_application";

const APP: Argument = ("app_id*", Text, "");
const ATTEMPT: Argument = ("app_attempt_id", Text, "");
const OFFSET: Argument = ("offset", Number, "");
const LENGTH: Argument = ("length", Number, "");

/// Every tool, in the order of the list.
const TOOLS: &[Tool] = &[
    Tool {
        name: "list_applications",
        about: "Applications, newest first. Dates are like 2026-11-21 or 2026-11-21T04:06:00.000GMT",
        arguments: &[
            ("app_id", Text, ""),
            ("status", Texts, "completed, running"),
            ("min_date", Text, "earliest start"),
            ("max_date", Text, ""),
            ("min_end_date", Text, ""),
            ("max_end_date", Text, ""),
            ("limit", Number, ""),
        ],
        gives: ("applications", "array"),
    },
    Tool {
        name: "list_jobs",
        about: "Jobs of an application. Without app_attempt_id every tool takes the last attempt",
        arguments: &[
            APP,
            ("status", Texts, "RUNNING, SUCCEEDED, FAILED, UNKNOWN"),
            ("job_id", Number, ""),
            ("sort_by", Text, "id, duration, failed_tasks"),
            ATTEMPT,
            OFFSET,
            LENGTH,
        ],
        gives: ("jobs", "array"),
    },
    Tool {
        name: "list_stages",
        about: "Stages with their sums; with_summaries adds how tasks are spread",
        arguments: &[
            APP,
            ("status", Texts, "ACTIVE, COMPLETE, FAILED, PENDING, SKIPPED"),
            (
                "sort_by",
                Text,
                "id, duration, run_time, input, shuffle_read, shuffle_write, spill, failed_tasks",
            ),
            ("with_summaries", Switch, ""),
            ATTEMPT,
            OFFSET,
            LENGTH,
        ],
        gives: ("stages", "array"),
    },
    Tool {
        name: "get_stage",
        about: "One stage; with_summaries adds how its tasks are spread",
        arguments: &[
            APP,
            ("stage_id*", Number, ""),
            ("attempt_id", Number, "of the stage"),
            ("with_summaries", Switch, ""),
            ("quantiles", Numbers, "0 to 1"),
            ATTEMPT,
        ],
        gives: ("stage", "object"),
    },
    Tool {
        name: "list_stage_task_failures",
        about: "Why tasks of a stage failed, equal errors together",
        arguments: &[APP, ("stage_id*", Number, ""), ("stage_attempt_id", Number, ""), ATTEMPT],
        gives: ("failures", "array"),
    },
    Tool {
        name: "list_executors",
        about: "Executors and the driver",
        arguments: &[
            APP,
            ("executor_id", Text, ""),
            ("sort_by", Text, "id, duration, gc, failed_tasks, memory"),
            ("include_inactive", Switch, ""),
            ATTEMPT,
            OFFSET,
            LENGTH,
        ],
        gives: ("executors", "array"),
    },
    Tool {
        name: "get_executor_summary",
        about: "Sums over all executors",
        arguments: &[APP, ATTEMPT],
        gives: ("executors", "object"),
    },
    Tool {
        name: "get_resource_usage_timeline",
        about: "When executors came and went, and which stages ran meanwhile",
        arguments: &[APP, ATTEMPT],
        gives: ("timeline", "array"),
    },
    Tool {
        name: "get_executor_thread_dump",
        about: "Threads of an executor, of running applications only",
        arguments: &[
            APP,
            ("executor_id*", Text, ""),
            ("state", Text, "RUNNABLE, BLOCKED, WAITING, TIMED_WAITING"),
            ("name", Text, "part of it"),
            ("blocked_only", Switch, ""),
            ATTEMPT,
        ],
        gives: ("threads", "array"),
    },
    Tool {
        name: "get_environment",
        about: "Settings; by default runtime and Spark properties",
        arguments: &[
            APP,
            ATTEMPT,
            (
                "section",
                Text,
                "runtime, spark_properties, hadoop_properties, system_properties, metrics_properties, classpath_entries",
            ),
        ],
        gives: ("sections", "object"),
    },
    Tool {
        name: "list_sql_executions",
        about: "SQL queries, slowest first",
        arguments: &[
            APP,
            ATTEMPT,
            ("status", Text, "COMPLETED, RUNNING, FAILED"),
            ("description", Text, "part of it"),
            ("sort_by", Text, "duration, id"),
            ("limit", Number, ""),
            ("page_size", Number, ""),
        ],
        gives: ("executions", "array"),
    },
    Tool {
        name: "get_sql_execution",
        about: "One SQL query",
        arguments: &[
            APP,
            ("execution_id*", Number, ""),
            ATTEMPT,
            ("include_plan", Switch, "default true"),
            ("include_initial_plan", Switch, "the plan before it was adapted"),
            ("include_aggregated_metrics", Switch, "of each step"),
            ("include_stages", Switch, ""),
            ("plan_max_length", Number, "characters"),
        ],
        gives: ("execution", "object"),
    },
    Tool {
        name: "compare_sql_executions",
        about: "Two SQL queries side by side; without ids the slowest of each",
        arguments: &[
            ("app_id1*", Text, ""),
            ("app_id2*", Text, ""),
            ("execution_id1", Number, ""),
            ("execution_id2", Number, ""),
            ("include_plan_diff", Switch, ""),
        ],
        gives: ("differences", "array"),
    },
    Tool {
        name: "compare_stages",
        about: "Two stages side by side",
        arguments: &[
            ("app_id1*", Text, ""),
            ("stage_id1*", Number, ""),
            ("app_id2*", Text, ""),
            ("stage_id2*", Number, ""),
        ],
        gives: ("differences", "array"),
    },
    Tool {
        name: "compare_job_environments",
        about: "Settings in which two applications differ",
        arguments: &[("app_id1*", Text, ""), ("app_id2*", Text, "")],
        gives: ("different", "array"),
    },
    Tool {
        name: "compare_job_performance",
        about: "Sums of two applications side by side",
        arguments: &[("app_id1*", Text, ""), ("app_id2*", Text, "")],
        gives: ("differences", "array"),
    },
    Tool {
        name: "get_job_bottlenecks",
        about: "What took most time, memory and retries",
        arguments: &[APP, ("top_n", Number, ""), ATTEMPT],
        gives: ("slowest_stages", "array"),
    },
    Tool {
        name: ANALYZE,
        about: "What is wrong with an application and what to change, as a report: skew, spill, garbage, files, \
            failures, memory, joins, shuffles, settings",
        arguments: &[APP, ATTEMPT],
        gives: ("findings", "array"),
    },
    Tool {
        name: "list_findings",
        about: "The findings of analyze_application alone, with numbers and links",
        arguments: &[
            APP,
            ("severity", Text, "at least: low, moderate, severe, critical"),
            ("kind", Text, "skew, spill, …"),
            ATTEMPT,
        ],
        gives: ("findings", "array"),
    },
    Tool {
        name: "compare_applications",
        about: "What got better or worse from app_a to app_b: numbers and findings",
        arguments: &[("app_a*", Text, ""), ("app_b*", Text, "")],
        gives: ("differences", "array"),
    },
];

/// Returns the tool of this name.
pub(super) fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

/// Returns the definitions of all tools.
pub(super) fn definitions() -> Vec<Value> {
    let definition = |tool: &Tool| {
        let (member, kind) = tool.gives;
        json!({
            "name": tool.name,
            "description": tool.about,
            "inputSchema": arguments::schema(tool.arguments),
            "outputSchema": {
                "type": "object", "properties": { member: { "type": kind } }, "required": [member],
            },
            "annotations": { "readOnlyHint": true },
        })
    };
    TOOLS.iter().map(definition).collect()
}

/// Calls a tool; from these thresholds on something is a finding.
pub(super) async fn run(
    tool: &Tool,
    client: &Client,
    limits: &Thresholds,
    given: &Arguments,
) -> Result<Told> {
    Ok(match tool.name {
        "list_applications" => Box::pin(applications::list(client, given)).await?.into(),
        "list_jobs" => Box::pin(jobs::list(client, given)).await?.into(),
        "list_stages" => Box::pin(stages::list(client, given)).await?.into(),
        "get_stage" => Box::pin(stages::get(client, given)).await?.into(),
        "list_stage_task_failures" => Box::pin(stages::failures(client, given)).await?.into(),
        "list_executors" => Box::pin(executors::list(client, given)).await?.into(),
        "get_executor_summary" => Box::pin(executors::summary(client, given)).await?.into(),
        "get_resource_usage_timeline" => Box::pin(executors::timeline(client, given)).await?.into(),
        "get_executor_thread_dump" => Box::pin(executors::threads(client, given)).await?.into(),
        "get_environment" => Box::pin(environment::get(client, given)).await?.into(),
        "list_sql_executions" => Box::pin(sql::list(client, given)).await?.into(),
        "get_sql_execution" => Box::pin(sql::get(client, given)).await?.into(),
        "compare_sql_executions" => Box::pin(sql::compare(client, given)).await?.into(),
        "compare_stages" => Box::pin(compare::stages(client, given)).await?.into(),
        "compare_job_environments" => Box::pin(environment::compare(client, given)).await?.into(),
        "compare_job_performance" => Box::pin(compare::performance(client, given)).await?.into(),
        "get_job_bottlenecks" => Box::pin(jobs::bottlenecks(client, given)).await?.into(),
        "list_findings" => Box::pin(analyses::list(client, limits, given)).await?.into(),
        "compare_applications" => Box::pin(analyses::compare(client, limits, given)).await?.into(),
        other => return Err(SparkError::Argument(format!("there is no tool `{other}`"))),
    })
}

// What an analysis reads, as the tools read it.
pub(super) use environment::read as environment_of;
pub(super) use executors::all as all_executors;
pub(super) use jobs::all as all_jobs;
pub(super) use stages::{error_words, failed_tasks};

/// Returns every stage of an application with how its tasks are spread.
pub(super) async fn all_stages(client: &Client, place: &Place) -> Result<Vec<Stage>> {
    stages::all(client, place, true).await
}

/// Returns every query of an application, without its steps.
pub(super) async fn all_queries(client: &Client, place: &Place) -> Result<Vec<Sql>> {
    sql::all(client, place, sql::PAGE).await
}

/// Returns a query with its steps.
pub(super) async fn query_of(client: &Client, place: &Place, id: i64) -> Result<Sql> {
    sql::one(client, place, id, true).await
}

/// Finds the run of an application that a call is about.
async fn place(client: &Client, given: &Arguments) -> Result<Place> {
    client.place(&given.required("app_id"), given.text("app_attempt_id").as_deref()).await
}

/// Begins an answer about a run of an application.
fn about(place: &Place) -> Row {
    let row =
        Row::new("app_id", place.app.id.clone()).maybe("app_attempt_id", place.attempt.attempt_id.clone());
    // A history server cannot tell one that runs from one that was killed.
    if place.attempt.completed { row } else { row.set("completed", false) }
}

/// Puts a part of a list into an answer, and how to ask for the rest.
fn part<T>(
    row: Row,
    name: &str,
    all: Vec<T>,
    given: &Arguments,
    usual: usize,
    draw: impl Fn(&T) -> Row,
) -> Row {
    let (total, offset) = (all.len(), given.offset());
    let length = given.length("length", usual, LENGTH_MAX);
    let shown: Vec<Value> = all.iter().skip(offset).take(length).map(|item| draw(item).into()).collect();
    let next = offset.saturating_add(shown.len());
    let more = (next < total && !shown.is_empty()).then(|| format!("{} more: offset={next}", total - next));
    row.set("total", total).set(name, shown).maybe("more", more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_tools_is_small_and_only_reads() {
        let definitions = definitions();
        let list = Value::from(definitions.clone()).to_string();

        assert!(list.len() < 12 * 1024, "{} bytes", list.len());
        for definition in definitions {
            assert_eq!(definition["annotations"]["readOnlyHint"], true);
            assert_eq!(definition["inputSchema"]["type"], "object");
            assert_eq!(definition["outputSchema"]["type"], "object");
        }
    }

    #[test]
    fn a_part_of_a_list_says_how_to_ask_for_the_rest() {
        let Value::Object(given) = json!({"app_id":"a","offset":1,"length":2}) else { panic!("an object") };
        let given = Arguments::read(given, &[APP, OFFSET, LENGTH]).unwrap();

        let row = part(Row::default(), "n", vec![1, 2, 3, 4], &given, 50, |n| Row::new("n", *n)).finish();

        assert_eq!(row, json!({"total":4,"n":[{"n":2},{"n":3}],"more":"1 more: offset=3"}));
    }
}

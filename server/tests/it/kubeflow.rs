//! Our tools for Spark beside those of the Kubeflow project's server, whose names and arguments they take: both ask one
//! history server, and the same question has the same facts.

use std::collections::BTreeMap;

use doorward::model::InstanceRole;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    call::Call,
    spark_server::{CLUSTER, FAILING, HistoryServer, SKEW, SPILL, SQL, TWO_ATTEMPTS, kubeflow},
    world::{Person, World},
};

/// What both say to one question.
struct Question {
    tool: &'static str,
    arguments: Value,
    /// What matters of what our tool found.
    ours: fn(&Value) -> Value,
    /// The same of what theirs said, one value for each text.
    theirs: fn(&[Value]) -> Value,
}

async fn publish(world: &World, ada: &Person, slug: &str, source: Value) {
    let added = Box::pin(world.api(ada, Method::POST, "/api/v1/datasources", Some(source))).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
    let added = added.json();
    assert_eq!(added["report"]["passed"], true, "{added}");
    let new = json!({"slug": slug, "sources": [{"source": added["source"]["id"], "all": true}]});
    let made = world.api(ada, Method::POST, "/api/v1/presets", Some(new)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
}

async fn result(world: &World, ada: &Person, slug: &str, tool: &str, arguments: &Value) -> Value {
    let call = Call::tool(tool, arguments.clone()).at(&format!("/mcp/ada/{slug}")).key(&ada.key);
    let answer = Box::pin(world.send(call.request())).await.json();
    assert!(answer["result"].is_object(), "{slug} {tool}: {answer}");
    answer["result"].clone()
}

/// Returns the values of the texts that one of their tools answers with.
fn texts(result: &Value) -> Vec<Value> {
    assert_ne!(result["isError"], true, "{result}");
    let texts = result["content"].as_array().unwrap();
    texts.iter().map(|block| serde_json::from_str(block["text"].as_str().unwrap()).unwrap()).collect()
}

/// Returns these members of each thing of a list by its first one. What is absent is nothing.
fn table(things: &Value, members: &[&str]) -> Value {
    let row = |thing: &Value| -> (String, Vec<Value>) {
        let cell = |name: &&str| match &thing[*name] {
            Value::Null => json!(0),
            value => value.clone(),
        };
        let cells: Vec<Value> = members.iter().map(cell).collect();
        (cells[0].to_string(), cells)
    };
    let rows: BTreeMap<String, Vec<Value>> = things.as_array().unwrap().iter().map(row).collect();
    json!(rows)
}

fn list(things: &[Value]) -> Value {
    Value::Array(things.to_vec())
}

/// Returns a number of a comparison of ours: before and after.
fn pair(found: &Value, metric: &str) -> Value {
    let rows = found["differences"].as_array().unwrap();
    let row = rows.iter().find(|row| row["metric"] == metric);
    row.map_or_else(|| json!([0, 0]), |row| json!([row["first"], row["second"]]))
}

/// Analyses an application and returns the report.
async fn analysed(world: &World, ada: &Person, source: &str, app: &str) -> Value {
    let wanted = json!({"source": source, "app_id": app});
    let begun =
        Box::pin(world.api(ada, Method::POST, "/api/v1/analyses?wait=120", Some(wanted))).await.json();
    assert_eq!(begun["state"], "done", "{source} {app}: {begun}");
    let path = format!("/api/v1/analyses/{}/report.json", begun["id"].as_str().unwrap());
    let report = world.api(ada, Method::GET, &path, None).await;
    assert_eq!(report.status, StatusCode::OK, "{}", report.body);
    report.json()["report"].clone()
}

fn findings(report: &Value) -> Vec<(String, String)> {
    let text = |finding: &Value, member: &str| finding[member].as_str().unwrap().to_owned();
    let all = report["findings"].as_array().unwrap().iter();
    all.map(|finding| (text(finding, "kind"), text(finding, "severity"))).collect()
}

fn questions() -> Vec<Question> {
    vec![
        Question {
            tool: "list_applications",
            arguments: json!({}),
            ours: |found| table(&found["applications"], &["id", "name"]),
            theirs: |said| table(&list(said), &["id", "name"]),
        },
        Question {
            tool: "list_jobs",
            arguments: json!({"app_id": SQL}),
            ours: |found| table(&found["jobs"], &["job_id", "status", "tasks", "stage_ids"]),
            theirs: |said| table(&list(said), &["jobId", "status", "numTasks", "stageIds"]),
        },
        Question {
            tool: "list_jobs",
            arguments: json!({"app_id": TWO_ATTEMPTS, "app_attempt_id": "1"}),
            ours: |found| table(&found["jobs"], &["job_id", "status", "tasks", "failed_tasks"]),
            theirs: |said| table(&list(said), &["jobId", "status", "numTasks", "numFailedTasks"]),
        },
        Question {
            tool: "list_stages",
            arguments: json!({"app_id": SKEW}),
            ours: |found| {
                let members = [
                    "stage_id",
                    "status",
                    "tasks",
                    "run_time_ms",
                    "shuffle_read_bytes",
                    "memory_spilled_bytes",
                ];
                table(&found["stages"], &members)
            },
            theirs: |said| {
                let members = [
                    "stageId",
                    "status",
                    "numTasks",
                    "executorRunTime",
                    "shuffleReadBytes",
                    "memoryBytesSpilled",
                ];
                table(&list(said), &members)
            },
        },
        Question {
            tool: "get_stage",
            arguments: json!({"app_id": SKEW, "stage_id": 2, "with_summaries": true}),
            ours: |found| found["stage"]["spread"]["run_time_ms"].clone(),
            theirs: |said| {
                let spread = said[0]["taskMetricsDistributions"]["executorRunTime"].as_array().unwrap();
                spread.iter().map(|ms| json!(ms.as_f64().unwrap() as i64)).collect()
            },
        },
        Question {
            tool: "list_stage_task_failures",
            arguments: json!({"app_id": FAILING, "stage_id": 0}),
            ours: |found| found["failed_tasks"].clone(),
            theirs: |said| json!(said.len()),
        },
        Question {
            tool: "list_executors",
            arguments: json!({"app_id": CLUSTER, "include_inactive": true}),
            ours: |found| {
                table(
                    &found["executors"],
                    &["id", "cores", "tasks", "task_time_ms", "gc_time_ms", "input_bytes"],
                )
            },
            theirs: |said| {
                let members =
                    ["id", "totalCores", "totalTasks", "totalDuration", "totalGCTime", "totalInputBytes"];
                table(&list(said), &members)
            },
        },
        Question {
            tool: "get_executor_summary",
            arguments: json!({"app_id": CLUSTER}),
            ours: |found| {
                let sums = &found["executors"];
                // Theirs counts the driver as an executor.
                json!([
                    sums["executors"].as_i64().unwrap() + 1,
                    sums["tasks"],
                    sums["task_time_ms"],
                    sums["gc_time_ms"]
                ])
            },
            theirs: |said| {
                let sums = &said[0];
                json!([
                    sums["total_executors"],
                    sums["completed_tasks"],
                    sums["total_duration"],
                    sums["total_gc_time"]
                ])
            },
        },
        Question {
            tool: "get_resource_usage_timeline",
            arguments: json!({"app_id": CLUSTER}),
            ours: |found| {
                let moments = found["timeline"].as_array().unwrap();
                let most = |member: &str| moments.iter().filter_map(|one| one[member].as_i64()).max();
                let count = |event: &str| moments.iter().filter(|one| one["event"] == event).count();
                json!([count("stage started"), most("cores_now")])
            },
            theirs: |said| {
                let summary = &said[0]["summary"];
                json!([summary["stage_executions"], summary["peak_cores"]])
            },
        },
        Question {
            tool: "get_environment",
            arguments: json!({"app_id": SKEW}),
            ours: |found| found["sections"]["spark_properties"]["spark.sql.adaptive.enabled"].clone(),
            theirs: |said| {
                let settings = said[0]["sparkProperties"].as_array().unwrap();
                settings.iter().find(|pair| pair[0] == "spark.sql.adaptive.enabled").unwrap()[1].clone()
            },
        },
        Question {
            tool: "list_sql_executions",
            arguments: json!({"app_id": SQL}),
            ours: |found| table(&found["executions"], &["id", "status", "duration_ms"]),
            theirs: |said| table(&list(said), &["id", "status", "duration"]),
        },
        Question {
            tool: "get_sql_execution",
            arguments: json!({"app_id": SQL, "execution_id": 8, "include_plan": true, "include_aggregated_metrics": true}),
            ours: |found| {
                let steps = found["execution"]["steps"].as_array().unwrap();
                let scan = steps.iter().find(|step| step["id"] == 15).unwrap();
                json!([found["execution"]["status"], scan["step"], scan["metrics"]["size of files read"]])
            },
            theirs: |said| {
                let steps = said[0]["nodeMetrics"].as_array().unwrap();
                let scan = steps.iter().find(|step| step["nodeId"] == 15).unwrap();
                json!([
                    said[0]["execution"]["status"],
                    scan["nodeName"],
                    scan["metrics"]["size of files read"]
                ])
            },
        },
        Question {
            tool: "compare_sql_executions",
            arguments: json!({"app_id1": SQL, "app_id2": SQL, "execution_id1": 6, "execution_id2": 8}),
            ours: |found| {
                json!([
                    pair(found, "duration_ms"),
                    pair(found, "input_bytes"),
                    pair(found, "shuffle_read_bytes")
                ])
            },
            theirs: |said| {
                let both = |name: &str| json!([said[0]["a"][name], said[0]["b"][name]]);
                json!([both("duration"), both("inputBytes"), both("shuffleReadBytes")])
            },
        },
        Question {
            tool: "compare_stages",
            arguments: json!({"app_id1": SKEW, "stage_id1": 2, "app_id2": SKEW, "stage_id2": 3}),
            ours: |found| {
                let names = ["duration_ms", "shuffle_read_bytes", "memory_spilled_bytes", "gc_time_ms"];
                names.iter().map(|name| pair(found, name)).collect()
            },
            theirs: |said| {
                let names = ["duration", "shuffleReadBytes", "memoryBytesSpilled", "jvmGcTime"];
                names.iter().map(|name| json!([said[0]["a"][*name], said[0]["b"][*name]])).collect()
            },
        },
        Question {
            tool: "compare_job_environments",
            arguments: json!({"app_id1": SKEW, "app_id2": SQL}),
            ours: |found| {
                let different = found["different"].as_array().unwrap();
                json!(different.iter().any(|one| one["name"] == "spark.sql.adaptive.enabled"))
            },
            theirs: |said| {
                let common = said[0]["spark_properties"]["common"].as_object().unwrap();
                json!(!common.contains_key("spark.sql.adaptive.enabled"))
            },
        },
        Question {
            tool: "compare_job_performance",
            arguments: json!({"app_id1": SKEW, "app_id2": SQL}),
            ours: |found| json!([pair(found, "jobs"), pair(found, "tasks")]),
            theirs: |said| {
                let both = |part: &str, name: &str| {
                    json!([said[0][part]["app1"][name], said[0][part]["app2"][name]])
                };
                json!([both("job_performance", "count"), both("executor_metrics", "completed_tasks")])
            },
        },
        Question {
            tool: "get_job_bottlenecks",
            arguments: json!({"app_id": FAILING}),
            ours: |found| {
                let ids = |part: &str| -> Value {
                    let all = found["slowest_stages"].as_array().unwrap();
                    all.iter().map(|stage| stage[part].clone()).collect()
                };
                json!([ids("stage_id"), ids("failed_tasks")])
            },
            theirs: |said| {
                let all = said[0]["performance_bottlenecks"]["slowest_stages"].as_array().unwrap();
                let ids = |part: &str| all.iter().map(|stage| stage[part].clone()).collect::<Value>();
                json!([ids("stage_id"), ids("failed_tasks")])
            },
        },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_question_has_the_same_facts_as_from_the_server_of_kubeflow() {
    let spark = HistoryServer::open(&[]).await;
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Admin).await;
    let ours = json!({"name": "ours", "kind": "spark_history", "url": spark.url()});
    let theirs = json!({"name": "theirs", "kind": "mcp_stdio", "command": kubeflow(&spark)});
    publish(&world, &ada, "ours", ours).await;
    publish(&world, &ada, "theirs", theirs).await;

    for Question { tool, arguments, ours, theirs } in questions() {
        let (one, other) = (
            result(&world, &ada, "ours", tool, &arguments).await,
            result(&world, &ada, "theirs", tool, &arguments).await,
        );
        assert_eq!(one["isError"], false, "{tool}: {one}");
        assert_eq!(ours(&one["structuredContent"]), theirs(&texts(&other)), "{tool} {arguments}: {other}");
    }

    for app in [SKEW, SPILL, FAILING, SQL, CLUSTER] {
        let (one, other) =
            (analysed(&world, &ada, "ours", app).await, analysed(&world, &ada, "theirs", app).await);
        assert_eq!(one["totals"], other["totals"], "{app}");
        // Theirs does not tell which step of a plan feeds which.
        let mut kinds = findings(&one);
        kinds.retain(|(kind, _)| kind != "broadcast");
        assert_eq!(kinds, findings(&other), "{app}: {other}");
        assert_eq!(other["missing"], json!([]), "{app}");
    }

    let dump = json!({"app_id": SKEW, "executor_id": "driver"});
    for slug in ["ours", "theirs"] {
        let refused = result(&world, &ada, slug, "get_executor_thread_dump", &dump).await;
        assert_eq!(refused["isError"], true, "{slug}: {refused}");
        assert!(refused.to_string().contains("Thread dumps not available"), "{slug}: {refused}");
    }
}

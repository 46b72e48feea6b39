//! A real Spark History Server as a source: directly, behind a proxy with credentials and a path, and
//! with Spark's own filter. What its tools say is what the event logs hold, see `tests/spark-events`.

use doorward::model::{InstanceRole, Plan, SourceKind};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    call::Call,
    spark_server::{
        CLUSTER, FAILING, HistoryServer, PASSWORD, Proxy, RUNNING, SKEW, SPILL, SQL, STREAMING, TOKEN,
        TWO_ATTEMPTS, USER,
    },
    world::{Person, World},
};

/// Findings by kind and severity.
type Kinds = &'static [(&'static str, &'static str)];

/// What the tools of a preset say to the person who calls.
struct Stage {
    world: World,
    ada: Person,
}

impl Stage {
    async fn open() -> Self {
        let world = World::open().await;
        let ada = world.person("ada", InstanceRole::Admin).await;
        Self { world, ada }
    }

    /// Adds a source and returns what the answer says of it and of the test.
    async fn add(&self, name: &str, url: &str, auth: Value) -> Value {
        let new = json!({"name": name, "kind": "spark_history", "url": url, "auth": auth});
        let added = Box::pin(self.world.api(&self.ada, Method::POST, "/api/v1/datasources", Some(new))).await;
        assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
        added.json()
    }

    async fn publish(&self, added: &Value) {
        let new = json!({"slug": "tools", "sources": [{"source": added["source"]["id"], "all": true,
            "prompts": "all"}]});
        let made = self.world.api(&self.ada, Method::POST, "/api/v1/presets", Some(new)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    }

    async fn ask(&self, method: &str, params: Value) -> Value {
        let answer =
            Box::pin(self.world.send(Call::modern(method, params).key(&self.ada.key).request())).await;
        answer.json()
    }

    /// Calls a tool and returns the result.
    async fn result(&self, tool: &str, arguments: Value) -> Value {
        let answer = self.ask("tools/call", json!({"name": tool, "arguments": arguments})).await;
        assert!(answer["result"].is_object(), "{tool}: {answer}");
        answer["result"].clone()
    }

    /// Calls a tool that must work and returns what it found.
    async fn facts(&self, tool: &str, arguments: Value) -> Value {
        let result = self.result(tool, arguments).await;
        assert_eq!(result["isError"], false, "{tool}: {result}");
        assert!(!result["content"][0]["text"].as_str().unwrap().is_empty());
        result["structuredContent"].clone()
    }

    /// Calls a tool that must refuse and returns its words.
    async fn refusal(&self, tool: &str, arguments: Value) -> String {
        let result = self.result(tool, arguments).await;
        assert_eq!(result["isError"], true, "{tool}: {result}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    }
}

fn step<'a>(report: &'a Value, name: &str) -> &'a Value {
    let steps = report["steps"].as_array().unwrap();
    steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no step {name}: {report}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_history_server_is_tools_and_prompts() {
    let spark = HistoryServer::open(&[]).await;
    let stage = Stage::open().await;

    let (sources, url) = (&stage.world.engine.sources, spark.url().parse().unwrap());
    let found = Box::pin(sources.detect(&stage.ada.member, &url, None, None)).await.unwrap();
    assert_eq!((found.kind, found.tools.len()), (SourceKind::SparkHistory, 20), "{found:?}");
    let added = stage.add("spark", &spark.url(), json!("none")).await;
    let report = &added["report"];
    assert_eq!(report["passed"], true, "{report}");
    assert_eq!(step(report, "Version")["detail"], "Spark History Server 4.3.0");
    let applications = step(report, "Applications")["detail"].as_str().unwrap();
    assert!(applications.starts_with("8 applications visible, answered in"), "{applications}");
    stage.publish(&added).await;

    Box::pin(the_lists_are_small(&stage)).await;
    Box::pin(every_tool_answers_as_it_says(&stage)).await;
    Box::pin(the_numbers_are_those_of_the_logs(&stage)).await;
    Box::pin(runs_and_ends_are_told_apart(&stage)).await;
    Box::pin(what_cannot_be_is_said_in_words(&stage)).await;
    Box::pin(findings_are_those_of_the_logs(&stage)).await;
    let proxy = Proxy::start(&spark);
    Box::pin(a_proxy_lets_in_who_has_the_credential(&stage, &proxy)).await;
    Box::pin(an_authority_of_the_owners_own_is_trusted_where_it_is_given(&stage, &proxy)).await;
    Box::pin(a_call_that_is_an_analysis_is_charged_and_kept_as_one(&stage)).await;
    drop(spark);
    let away = stage.refusal("analyze_application", json!({"app_id": "local-1"})).await;
    assert!(away.contains("cannot be reached") && !away.contains("127.0.0.1"), "{away}");
}

async fn the_lists_are_small(stage: &Stage) {
    let tools = stage.ask("tools/list", json!({})).await;
    let bytes = tools["result"]["tools"].to_string().len();
    assert!(bytes < 12 * 1024, "{bytes} bytes");

    let prompts = stage.ask("prompts/list", json!({})).await;
    let names: Vec<_> =
        prompts["result"]["prompts"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["compare_applications", "investigate_failure"], "{prompts}");
    let arguments = json!({"app_id": FAILING});
    let filled =
        stage.ask("prompts/get", json!({"name": "investigate_failure", "arguments": arguments})).await;
    assert!(
        filled["result"]["messages"][0]["content"]["text"].as_str().unwrap().contains(FAILING),
        "{filled}"
    );
}

/// Each result has the member that the tool's schema promises.
async fn every_tool_answers_as_it_says(stage: &Stage) {
    let tools = stage.ask("tools/list", json!({})).await["result"]["tools"].clone();
    for tool in tools.as_array().unwrap() {
        let name = tool["name"].as_str().unwrap();
        if name == "get_executor_thread_dump" {
            continue;
        }
        let arguments = json!({"app_id": SQL, "stage_id": 2, "execution_id": 3, "app_id1": SKEW, "app_id2": SPILL,
            "stage_id1": 2, "stage_id2": 1, "app_a": SKEW, "app_b": SPILL, "include_plan_diff": true,
            "include_stages": true, "include_aggregated_metrics": true, "include_initial_plan": true});
        let known = tool["inputSchema"]["properties"].as_object().unwrap();
        let arguments: serde_json::Map<String, Value> = arguments
            .as_object()
            .unwrap()
            .iter()
            .filter(|(argument, _)| known.contains_key(*argument))
            .map(|(argument, value)| (argument.clone(), value.clone()))
            .collect();
        let facts = stage.facts(name, Value::Object(arguments)).await;
        for member in tool["outputSchema"]["required"].as_array().unwrap() {
            let kind = &tool["outputSchema"]["properties"][member.as_str().unwrap()]["type"];
            let found = &facts[member.as_str().unwrap()];
            let fits = if kind == "array" { found.is_array() } else { found.is_object() };
            assert!(fits, "{name} has no {member}: {facts}");
        }
    }
}

async fn the_numbers_are_those_of_the_logs(stage: &Stage) {
    let found =
        stage.facts("get_stage", json!({"app_id": SKEW, "stage_id": 2, "with_summaries": true})).await;
    let (skewed, spread) = (&found["stage"], &found["stage"]["spread"]);
    assert_eq!(
        (&spread["run_time_ms"][2], &spread["run_time_ms"][4]),
        (&json!(426), &json!(12171)),
        "{found}"
    );
    assert_eq!(spread["shuffle_read_bytes"][4], 175_454_039);
    assert_eq!(
        (&skewed["memory_spilled_bytes"], &skewed["memory_spilled"]),
        (&json!(276_889_136), &json!("264 MiB"))
    );

    let spilled = stage.facts("list_stages", json!({"app_id": SPILL, "sort_by": "spill", "length": 1})).await;
    assert_eq!(spilled["stages"][0]["memory_spilled_bytes"], 398_452_800, "{spilled}");
    assert_eq!(spilled["more"], "1 more: offset=1");

    let failed = stage.facts("list_jobs", json!({"app_id": FAILING, "status": ["FAILED"]})).await;
    assert_eq!(failed["total"], 2, "{failed}");
    let failures = stage.facts("list_stage_task_failures", json!({"app_id": FAILING, "stage_id": 0})).await;
    assert_eq!(failures["failed_tasks"], 8, "{failures}");
    let error = failures["failures"][0]["error"].as_str().unwrap();
    assert!(error.contains("ValueError: bad record"), "{error}");
    assert!(failures.to_string().len() < 8 * 1024, "{} bytes", failures.to_string().len());

    let jobs = stage.facts("list_jobs", json!({"app_id": SQL})).await;
    let skipped = stage.facts("list_stages", json!({"app_id": SQL, "status": ["SKIPPED"]})).await;
    let queries = stage.facts("list_sql_executions", json!({"app_id": SQL, "page_size": 5})).await;
    assert_eq!((&jobs["total"], &skipped["total"], &queries["total"]), (&json!(27), &json!(13), &json!(12)));
    let failed = stage.facts("list_sql_executions", json!({"app_id": STREAMING, "status": "failed"})).await;
    assert_eq!(
        (&failed["total"], failed["executions"].as_array().unwrap().len()),
        (&json!(13), 2),
        "{failed}"
    );

    let cluster = stage.facts("get_executor_summary", json!({"app_id": CLUSTER})).await;
    assert_eq!((&cluster["executors"]["executors"], &cluster["executors"]["cores"]), (&json!(2), &json!(2)));
    let settings = stage.facts("get_environment", json!({"app_id": SKEW})).await;
    assert_eq!(settings["sections"]["spark_properties"]["spark.sql.adaptive.enabled"], "false");
}

async fn runs_and_ends_are_told_apart(stage: &Stage) {
    let all = stage.facts("list_applications", json!({})).await;
    let all = all["applications"].as_array().unwrap();
    let of = |id: &str| all.iter().find(|app| app["id"] == id).unwrap_or_else(|| panic!("no {id}: {all:?}"));
    assert_eq!(all.len(), 8);
    assert_eq!((&of(SKEW)["completed"], &of(SKEW)["duration_ms"]), (&json!(true), &json!(41456)));
    assert_eq!(of(RUNNING)["completed"], false);
    assert!(of(RUNNING)["duration_ms"].is_null() && of(RUNNING)["ended"].is_null(), "{}", of(RUNNING));
    assert_eq!(of(TWO_ATTEMPTS)["attempts"].as_array().unwrap().len(), 2);

    let last = stage.facts("list_jobs", json!({"app_id": TWO_ATTEMPTS})).await;
    let first = stage.facts("list_jobs", json!({"app_id": TWO_ATTEMPTS, "app_attempt_id": "1"})).await;
    assert_eq!((&last["app_attempt_id"], &last["total"]), (&json!("2"), &json!(1)), "{last}");
    assert_eq!((&first["app_attempt_id"], &first["total"]), (&json!("1"), &json!(3)), "{first}");
    let running = stage.facts("list_stages", json!({"app_id": RUNNING})).await;
    assert_eq!((&running["completed"], &running["total"]), (&json!(false), &json!(6)), "{running}");
}

async fn what_cannot_be_is_said_in_words(stage: &Stage) {
    let cases = [
        ("list_jobs", json!({"app_id": "nope"}), "unknown app: nope"),
        ("list_jobs", json!({"app_id": "../version"}), "no id of an application"),
        ("list_jobs", json!({}), "`app_id` is missing"),
        ("list_jobs", json!({"app_id": SKEW, "appid": 1}), "there is no argument `appid`"),
        ("list_jobs", json!({"app_id": TWO_ATTEMPTS, "app_attempt_id": "3"}), "has no attempt 3"),
        ("list_applications", json!({"min_date": "yesterday"}), "Couldn't parse date: yesterday"),
        ("get_stage", json!({"app_id": SKEW, "stage_id": 99}), "unknown stage: 99"),
        (
            "get_executor_thread_dump",
            json!({"app_id": SKEW, "executor_id": "driver"}),
            "503: Thread dumps not available",
        ),
    ];
    for (tool, arguments, says) in cases {
        let words = stage.refusal(tool, arguments).await;
        assert!(words.contains(says), "{tool}: {words}");
    }
}

/// All findings about all applications, so that each is also one that nothing else is found about.
async fn findings_are_those_of_the_logs(stage: &Stage) {
    const OF_SKEW: Kinds = &[
        ("skew", "severe"),
        ("broadcast", "moderate"),
        ("configuration", "moderate"),
        ("spill", "moderate"),
    ];
    let cases: [(&str, Option<&str>, Kinds); 9] = [
        (SKEW, None, OF_SKEW),
        (SPILL, None, &[("configuration", "moderate"), ("spill", "moderate")]),
        (FAILING, None, &[("failures", "critical")]),
        (SQL, None, &[("small_files", "moderate")]),
        (STREAMING, None, &[("failures", "low")]),
        // One task takes 38 times as long as the median: the first of a JVM, with even bytes.
        (CLUSTER, None, &[]),
        (RUNNING, None, &[]),
        (TWO_ATTEMPTS, None, OF_SKEW),
        (TWO_ATTEMPTS, Some("1"), &[("failures", "critical")]),
    ];
    for (app, attempt, expected) in cases {
        let found = stage.facts("list_findings", json!({"app_id": app, "app_attempt_id": attempt})).await;
        let mut kinds: Vec<_> = found["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| (finding["kind"].as_str().unwrap(), finding["severity"].as_str().unwrap()))
            .collect();
        kinds.sort_by_key(|(kind, severity)| (*severity != "severe", *kind));
        assert_eq!(kinds, expected, "{app}: {found}");
        assert!(found["missing"].is_null(), "{found}");
    }

    let result = stage.result("analyze_application", json!({"app_id": SKEW})).await;
    let report = result["content"][0]["text"].as_str().unwrap();
    for words in [
        "# doorward-skew (`local-1795233963183`)",
        "Stage 2: one task has 28.6 times the work of the median one (severe)",
        "12.2 s against 426 ms",
        "167 MiB against 1.6 MiB",
        "/history/local-1795233963183/stages/stage/?id=2&attempt=0",
        "spark.sql.adaptive.enabled=true",
    ] {
        assert!(report.contains(words), "no {words}: {report}");
    }
    assert_eq!(result["structuredContent"]["findings"][0]["kind"], "skew", "{result}");
    let report = stage.result("analyze_application", json!({"app_id": FAILING})).await;
    assert!(report["content"][0]["text"].as_str().unwrap().contains("ValueError: bad record"), "{report}");

    let compared = stage.facts("compare_applications", json!({"app_a": SKEW, "app_b": SPILL})).await;
    let kinds = |part: &str| -> Vec<String> {
        let all = compared[part].as_array().unwrap();
        all.iter().map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds("better"), ["skew", "broadcast"], "{compared}");
    assert_eq!(kinds("worse"), [""; 0], "{compared}");
    let words = stage.refusal("list_findings", json!({"app_id": SKEW, "severity": "bad"})).await;
    assert!(words.contains("low, moderate, severe or critical"), "{words}");
}

async fn a_proxy_lets_in_who_has_the_credential(stage: &Stage, proxy: &Proxy) {
    let basic = json!({"basic": {"user": USER, "password": PASSWORD}});
    for (name, place, auth) in [
        ("basic", "basic", basic.clone()),
        ("slash", "basic/", basic),
        ("bearer", "bearer/api/v1/", json!({"bearer": TOKEN})),
    ] {
        let added = stage.add(name, &proxy.url(place), auth).await;
        assert_eq!(added["report"]["passed"], true, "{name}: {added}");
    }
    for (name, place, auth, says) in [
        ("nobody", "basic", json!("none"), "401"),
        ("other", "bearer", json!({"bearer": "another"}), "401"),
        ("gone", "gone", json!("none"), "502"),
        ("wrong", "nothing", json!("none"), "404"),
    ] {
        let added = stage.add(name, &proxy.url(place), auth).await;
        let version = step(&added["report"], "Version");
        assert_eq!(
            (&added["report"]["passed"], &version["outcome"]),
            (&json!(false), &json!("failed")),
            "{added}"
        );
        assert!(version["detail"].as_str().unwrap().contains(says), "{name}: {version}");
        assert_eq!(added["source"]["health"]["state"], "failing", "{added}");
    }
}

async fn a_call_that_is_an_analysis_is_charged_and_kept_as_one(stage: &Stage) {
    let world = &stage.world;
    let bob = world.person("bob", InstanceRole::Member).await;
    let opened = Box::pin(world.engine.presets.list(&stage.ada.member)).await.unwrap();
    let path = format!("/api/v1/presets/{}", opened[0].preset.id);
    let public = json!({"version": opened[0].preset.version, "visibility": "public"});
    let published = Box::pin(world.api(&stage.ada, Method::PATCH, &path, Some(public))).await;
    assert_eq!(published.status, StatusCode::OK, "{}", published.body);
    let used = async |person: &Person| {
        let usage = Box::pin(world.api(person, Method::GET, "/api/v1/usage", None)).await.json();
        (usage["calls_used"].as_i64().unwrap(), usage["analyses_used"].as_i64().unwrap())
    };
    let call = async |app_id: &str| {
        let params = json!({"name": "analyze_application", "arguments": {"app_id": app_id}});
        let call = Call::modern("tools/call", params).key(&bob.key).request();
        Box::pin(world.send(call)).await.json()["result"].clone()
    };
    let (ada_before, bob_before) = (used(&stage.ada).await, used(&bob).await);

    let result = call(SKEW).await;

    assert_eq!(result["isError"], false, "{result}");
    assert_eq!(used(&bob).await, (bob_before.0, bob_before.1 + 1), "it is an analysis, and no call");
    assert_eq!(used(&stage.ada).await, ada_before);
    let kept = Box::pin(world.api(&stage.ada, Method::GET, "/api/v1/analyses?limit=1", None)).await.json();
    let kept = &kept["items"][0];
    assert_eq!(kept["id"], result["structuredContent"]["analysis"], "{result}");
    assert_eq!((&kept["state"], &kept["begun_by"]), (&json!("done"), &json!("bob")), "{kept}");
    let path = format!("/api/v1/analyses/{}", kept["id"].as_str().unwrap());
    let stranger = Box::pin(world.api(&bob, Method::GET, &path, None)).await;
    assert_eq!(stranger.status, StatusCode::NOT_FOUND, "it belongs to whose source it is of");

    let months = Box::pin(world.api(&bob, Method::GET, "/api/v1/usage/months", None)).await.json();
    assert_eq!((&months[0]["calls"], &months[0]["analyses"]), (&json!(0), &json!(1)), "{months}");
    let file = Box::pin(world.api(&bob, Method::GET, "/api/v1/usage/months.csv", None)).await;
    let lines: Vec<&str> = file.body.split_terminator("\r\n").collect();
    let month = months[0]["month"].as_str().unwrap();
    assert_eq!(lines, ["month,calls,analyses", &format!("{month},0,1")], "{}", file.body);

    let unknown = call("local-1").await;
    assert_eq!(unknown["isError"], true, "{unknown}");
    assert!(unknown["content"][0]["text"].as_str().unwrap().contains("local-1"), "{unknown}");
    assert_eq!(used(&bob).await.1, bob_before.1 + 1, "nothing was read for it");
    let mut tx = world.engine.store.system().await.unwrap();
    let plan = tx.find_plan(&bob.member.plan).await.unwrap().unwrap();
    tx.save_plan(&Plan { analyses_per_month: Some(bob_before.1 + 1), ..plan }).await.unwrap();
    tx.commit().await.unwrap();
    let refused = call(SKEW).await;
    assert_eq!(refused["isError"], true, "{refused}");
    assert!(refused["content"][0]["text"].as_str().unwrap().contains("are used up"), "{refused}");
}

async fn an_authority_of_the_owners_own_is_trusted_where_it_is_given(stage: &Stage, proxy: &Proxy) {
    let url = proxy.secure_url();
    let untrusted = Box::pin(stage.add("untrusted", &url, json!("none"))).await;
    let failed = step(&untrusted["report"], "TLS");
    assert_eq!(failed["outcome"], "failed", "{untrusted}");
    assert!(failed["detail"].as_str().unwrap().contains("certificate of its authority"), "{failed}");

    let world = &stage.world;
    let new = |certificates: &str, url: &str| json!({"name": "trusted", "kind": "spark_history", "url": url, "ca_certificates": certificates});
    let post = |new: Value| world.api(&stage.ada, Method::POST, "/api/v1/datasources", Some(new));
    for (certificates, address, status, says) in [
        ("a certificate", url.as_str(), StatusCode::BAD_REQUEST, "BEGIN CERTIFICATE"),
        (proxy.authority(), "http://127.0.0.1:9/", StatusCode::UNPROCESSABLE_ENTITY, "https://"),
    ] {
        let refused = Box::pin(post(new(certificates, address))).await;
        assert_eq!(refused.status, status, "{}", refused.body);
        assert!(refused.body.contains(says), "{}", refused.body);
    }
    let added = Box::pin(post(new(proxy.authority(), &url))).await.json();
    assert_eq!(added["report"]["passed"], true, "{added}");
    assert!(added["source"]["ca_certificates"].as_str().unwrap().contains("BEGIN CERTIFICATE"), "{added}");

    let path = format!("/api/v1/datasources/{}", added["source"]["id"].as_str().unwrap());
    let test_path = format!("{path}/test");
    let test = || world.api(&stage.ada, Method::POST, &test_path, None);
    let patch = |body: Value| world.api(&stage.ada, Method::PATCH, &path, Some(body));
    assert_eq!(Box::pin(test()).await.json()["passed"], true);
    let taken_away = Box::pin(patch(json!({"version": 1, "ca_certificates": null}))).await;
    assert_eq!(taken_away.status, StatusCode::OK, "{}", taken_away.body);
    assert_eq!(Box::pin(test()).await.json()["passed"], false, "the test has links of its own");
    Box::pin(patch(json!({"version": 2, "ca_certificates": proxy.authority()}))).await;
    assert_eq!(Box::pin(test()).await.json()["passed"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn sparks_own_filter_takes_the_tokens_that_we_sign() {
    // 32 times the byte 7.
    const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
    const OTHER: &str = "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg";
    let spark = HistoryServer::open(&[
        ("spark.ui.filters", "org.apache.spark.ui.JWSFilter"),
        ("spark.org.apache.spark.ui.JWSFilter.param.secretKey", KEY),
    ])
    .await;
    let stage = Stage::open().await;

    let added = stage.add("signed", &spark.url(), json!({"jws": KEY})).await;
    assert_eq!(added["report"]["passed"], true, "{added}");
    assert_eq!(added["source"]["auth"], "jws");
    assert!(!added.to_string().contains(KEY));
    for (name, auth) in [("nobody", json!("none")), ("other", json!({"jws": OTHER}))] {
        let added = stage.add(name, &spark.url(), auth).await;
        let version = step(&added["report"], "Version");
        assert!(version["detail"].as_str().unwrap().contains("403"), "{name}: {version}");
    }
    let short =
        json!({"name": "short", "kind": "spark_history", "url": spark.url(), "auth": {"jws": "c2hvcnQ"}});
    let refused = stage.world.api(&stage.ada, Method::POST, "/api/v1/datasources", Some(short)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
}

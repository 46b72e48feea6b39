//! Analyses as people use them: over REST and at the shell, of applications on a real Spark History Server. What they
//! promise whatever a source does is tried beside `src/insights`.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, extract::State, routing::post};
use doorward::{
    model::{
        CallRules, EraSetting, Health, InstanceRole, Plan, PlanName, Reach, RunsAs, Source, SourceId,
        SourceName,
    },
    store::EventFilter,
};
use http::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    running::Place,
    spark_server::{HistoryServer, SKEW, SPILL},
    world::{Answer, Person, World},
};

/// An installation with one person, who has one history server.
struct Stage {
    world: World,
    ada: Person,
}

impl Stage {
    /// Opens it with a source at this address, which is not looked at.
    async fn with(url: &str, variables: &[(&str, &str)]) -> Self {
        let world = World::with(variables).await;
        let ada = world.person("ada", InstanceRole::Member).await;
        keep_source(&world, &ada, "spark", url).await;
        Self { world, ada }
    }

    async fn get(&self, path: &str) -> Answer {
        self.world.api(&self.ada, Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.world.api(&self.ada, Method::POST, path, Some(body)).await
    }

    /// Begins an analysis and waits for its end.
    async fn analysed(&self, app_id: &str) -> Value {
        let wanted = json!({"source": "spark", "app_id": app_id});
        let answer = Box::pin(self.post("/api/v1/analyses?wait=120", wanted)).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        answer.json()
    }

    async fn usage(&self) -> Value {
        self.get("/api/v1/usage").await.json()
    }

    /// Sets what the plan of everybody allows in a month.
    async fn allow(&self, per_month: i64) {
        let mut tx = self.world.engine.store.system().await.unwrap();
        let plan = tx.find_plan(&PlanName::parse("free").unwrap()).await.unwrap().unwrap();
        tx.save_plan(&Plan { analyses_per_month: Some(per_month), ..plan }).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// Adds a history server to the database alone.
async fn keep_source(world: &World, owner: &Person, name: &str, url: &str) {
    let now = world.engine.clock.now();
    let source = Source {
        id: SourceId::new(),
        tenant: owner.member.tenant,
        name: SourceName::parse(name).unwrap(),
        reach: Reach::SparkHistory { url: url.parse().unwrap() },
        tunnel: None,
        ca_certificates: None,
        auth_kind: "none".into(),
        env_names: Vec::new(),
        era: EraSetting::Auto,
        runs_as: RunsAs::default(),
        verdict: None,
        enabled: true,
        health: Health::default(),
        rules: CallRules::default(),
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let mut tx = world.engine.store.tenant(owner.member.tenant).await.unwrap();
    tx.add_source(&source, None).await.unwrap();
    tx.commit().await.unwrap();
}

/// Returns an address that takes connections and never answers, while the listener lives.
async fn silence() -> (TcpListener, String) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

fn texts<'a>(list: &'a Value, member: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|one| one[member].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_analysed_shown_repeated_compared_and_removed() {
    let spark = HistoryServer::open(&[]).await;
    let stage = Stage::with(&spark.url(), &[]).await;

    Box::pin(its_applications_are_offered(&stage)).await;
    let first = Box::pin(it_runs_and_ends_with_a_report(&stage, &spark)).await;
    Box::pin(it_is_listed_and_searched(&stage, &first)).await;
    let again = Box::pin(it_is_repeated(&stage, &first)).await;
    Box::pin(two_are_compared(&stage, &first)).await;
    Box::pin(strangers_see_nothing(&stage, &first)).await;
    Box::pin(a_removed_one_is_gone_and_stays_charged(&stage, &again)).await;
    Box::pin(the_shell_analyses_on_stopped_and_running_installations(&spark)).await;
}

async fn its_applications_are_offered(stage: &Stage) {
    let sources = stage.get("/api/v1/datasources").await.json();
    let id = sources["items"][0]["id"].as_str().unwrap();

    let offered = stage.get(&format!("/api/v1/datasources/{id}/applications")).await;

    assert_eq!(offered.status, StatusCode::OK, "{}", offered.body);
    let offered = offered.json();
    assert_eq!(offered.as_array().unwrap().len(), 8, "{offered}");
    assert!(texts(&offered, "app_id").contains(&SKEW), "{offered}");
}

/// Returns the analysis's id.
async fn it_runs_and_ends_with_a_report(stage: &Stage, spark: &HistoryServer) -> String {
    let begun = stage.post("/api/v1/analyses", json!({"source": "spark", "app_id": SKEW})).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.body);
    let location = begun.headers[header::LOCATION].to_str().unwrap().to_owned();
    let begun = begun.json();
    assert_eq!((&begun["state"], &begun["source_name"]), (&json!("running"), &json!("spark")));
    assert_eq!(begun["steps"].as_array().unwrap().len(), 7, "{begun}");

    let ended = stage.get(&format!("{location}?wait=120")).await.json();

    assert_eq!(ended["state"], "done", "{ended}");
    assert!(texts(&ended["steps"], "state").iter().all(|state| *state == "done"), "{ended}");
    assert!(
        ended["findings"]["severe"].as_u64().unwrap() + ended["findings"]["critical"].as_u64().unwrap() > 0
    );
    assert!(!ended["app_name"].as_str().unwrap().is_empty(), "{ended}");
    let report = stage.get(&format!("{location}/report.json")).await.json();
    let found = &report["report"];
    assert!(texts(&found["findings"], "kind").contains(&"skew"), "{found}");
    let link = found["findings"][0]["evidence"][0]["link"].as_str().unwrap();
    assert!(link.starts_with(&spark.url()), "{link}");
    assert!(found["stages"].as_array().unwrap().iter().any(|stage| stage["is_skewed"] == true), "{found}");
    assert!(found["totals"]["duration_ms"].as_i64().unwrap() > 0);
    assert_eq!((&found["missing"], &found["application"]["id"]), (&json!([]), &json!(SKEW)));
    assert!(report.get("rewritten").is_none(), "there is no model");
    let markdown = stage.get(&format!("{location}/report.md")).await;
    assert_eq!(markdown.headers[header::CONTENT_TYPE], "text/markdown; charset=utf-8");
    assert!(markdown.headers[header::CONTENT_DISPOSITION].to_str().unwrap().ends_with(".md\""));
    assert_eq!(markdown.body.trim(), report["text"].as_str().unwrap().trim());
    assert!(markdown.body.contains(SKEW), "{}", markdown.body);
    ended["id"].as_str().unwrap().to_owned()
}

async fn it_is_listed_and_searched(stage: &Stage, first: &str) {
    for (query, count) in [
        ("", 1),
        ("?text=SPARK", 1),
        ("?text=local-1795233963183&state=done", 1),
        ("?text=elsewhere", 0),
        ("?state=failed", 0),
        ("?source=00000000-0000-7000-8000-000000000000", 0),
    ] {
        let listed = stage.get(&format!("/api/v1/analyses{query}")).await.json();
        assert_eq!(listed["items"].as_array().unwrap().len(), count, "{query}: {listed}");
        assert!(count == 0 || listed["items"][0]["id"] == first, "{listed}");
    }
    for query in ["?state=over", "?limit=0", "?limit=201", "?after=x", "?source=spark", "?page=2"] {
        let refused = stage.get(&format!("/api/v1/analyses{query}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}: {}", refused.body);
    }
    let refused = stage.get(&format!("/api/v1/analyses/{first}?wait=999")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.body);
}

async fn it_is_repeated(stage: &Stage, first: &str) -> String {
    let again = stage.post(&format!("/api/v1/analyses/{first}/again?wait=120"), json!({})).await;

    assert_eq!(again.status, StatusCode::ACCEPTED, "{}", again.body);
    let again = again.json();
    assert_eq!((&again["state"], &again["app_id"]), (&json!("done"), &json!(SKEW)), "{again}");
    let id = again["id"].as_str().unwrap().to_owned();
    let same = stage.get(&format!("/api/v1/analyses/{first}/against/{id}")).await.json();
    let compared = &same["comparison"];
    for list in ["gone", "new", "changed", "settings"] {
        assert_eq!(compared[list], json!([]), "{list}");
    }
    assert!(texts(&compared["sums"], "verdict").iter().all(|verdict| *verdict == "same"), "{compared}");
    let page = stage.get("/api/v1/analyses?limit=1").await.json();
    assert_eq!((&page["items"][0]["id"], &page["next"]), (&json!(id), &json!(id)));
    let next = stage.get(&format!("/api/v1/analyses?limit=1&after={id}")).await.json();
    assert_eq!((&next["items"][0]["id"], next.get("next")), (&json!(first), None));
    id
}

async fn two_are_compared(stage: &Stage, first: &str) {
    let other = stage.analysed(SPILL).await;
    assert_eq!(other["state"], "done", "{other}");

    let path = format!("/api/v1/analyses/{first}/against/{}", other["id"].as_str().unwrap());
    let compared = stage.get(&path).await.json();

    assert_eq!((&compared["before"]["id"], &compared["after"]["app_id"]), (&json!(first), &json!(SPILL)));
    let comparison = &compared["comparison"];
    assert!(texts(&comparison["gone"], "kind").contains(&"skew"), "{comparison}");
    let same = comparison["same"].as_array().unwrap();
    assert!(same.iter().any(|finding| finding["after"]["kind"] == "spill"), "{comparison}");
    let spilled =
        comparison["sums"].as_array().unwrap().iter().find(|sum| sum["what"] == "spilled from memory");
    assert_eq!(spilled.unwrap()["verdict"], "worse", "{comparison}");
}

async fn strangers_see_nothing(stage: &Stage, first: &str) {
    let bob = stage.world.person("bob", InstanceRole::Admin).await;
    for (method, path) in [
        (Method::GET, format!("/api/v1/analyses/{first}")),
        (Method::GET, format!("/api/v1/analyses/{first}?wait=1")),
        (Method::GET, format!("/api/v1/analyses/{first}/report.md")),
        (Method::GET, format!("/api/v1/analyses/{first}/report.json")),
        (Method::GET, format!("/api/v1/analyses/{first}/against/{first}")),
        (Method::POST, format!("/api/v1/analyses/{first}/cancel")),
        (Method::POST, format!("/api/v1/analyses/{first}/again")),
        (Method::DELETE, format!("/api/v1/analyses/{first}")),
    ] {
        let answer = stage.world.api(&bob, method, &path, None).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}: {}", answer.body);
    }
    let wanted = json!({"source": "spark", "app_id": SKEW});
    let begun = stage.world.api(&bob, Method::POST, "/api/v1/analyses", Some(wanted)).await;
    assert_eq!(begun.status, StatusCode::NOT_FOUND, "{}", begun.body);
    let listed = stage.world.api(&bob, Method::GET, "/api/v1/analyses", None).await.json();
    assert_eq!(listed["items"], json!([]));
}

async fn a_removed_one_is_gone_and_stays_charged(stage: &Stage, again: &str) {
    let path = format!("/api/v1/analyses/{again}");
    let before = stage.usage().await;
    assert_eq!((&before["analyses_used"], &before["analyses_running"]), (&json!(3), &json!(0)), "{before}");

    let removed = stage.world.api(&stage.ada, Method::DELETE, &path, None).await;

    assert_eq!(removed.status, StatusCode::NO_CONTENT, "{}", removed.body);
    assert_eq!(stage.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(stage.get(&format!("{path}/report.md")).await.status, StatusCode::NOT_FOUND);
    let mut expected = before;
    expected["stored_analyses_used"] = json!(2);
    assert_eq!(stage.usage().await, expected);
    let audit = &stage.world.engine.audit;
    audit.flush().await;
    let events = audit.search(&stage.ada.member, &EventFilter::default()).await.unwrap();
    assert!(events.iter().any(|event| event.subject == format!("remove {again}")), "{events:?}");
    assert!(events.iter().any(|event| event.subject == format!("begin {again}")), "{events:?}");
    let metrics = stage.world.engine.metrics.text(&stage.world.engine.gauges());
    assert!(metrics.contains("doorward_analyses_total{state=\"done\"} 3"), "{metrics}");
    assert!(metrics.contains("doorward_analyses_running 0"), "{metrics}");
}

async fn the_shell_analyses_on_stopped_and_running_installations(spark: &HistoryServer) {
    let place = Place::new();
    let rest = format!(
        "sources:\n  - {{owner: ada, name: spark, kind: spark_history, url: '{}'}}\n\
         keys:\n  - {{owner: ada, name: shell, secret_file: ada.key}}\n",
        spark.url()
    );
    place.prepare(&rest).await;

    let (status, said) = place.run(&["analyze", "spark", SKEW, "--owner", "ada"]).await;
    assert!(status.success() && said.contains("# ") && said.contains("slowest stages"), "{said}");
    let (status, said) = place.run(&["analyze", "spark", SKEW]).await;
    assert!(!status.success() && said.contains("--owner"), "{said}");

    let running = place.serve().await;
    let url = format!("http://{}", running.address());
    let ask = ["analyze", "spark", SKEW, "--url", &url, "--key-file", "ada.key"];
    let (status, said) = place.run(&ask).await;
    assert!(status.success() && said.contains("# ") && said.contains("slowest stages"), "{said}");
    let (status, said) = place.run(&[&ask[..], &["--json"]].concat()).await;
    assert!(status.success() && said.contains("\"findings\""), "{said}");
    let (status, said) =
        place.run(&["analyze", "spark", "no-such", "--url", &url, "--key-file", "ada.key"]).await;
    assert!(!status.success() && said.contains("could not be read"), "{said}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_bounds_how_many_run_and_how_many_there_are_in_a_month() {
    let (_silent, url) = silence().await;
    let stage = Stage::with(&url, &[]).await;
    stage.allow(1).await;
    let begin = async || stage.post("/api/v1/analyses", json!({"source": "spark", "app_id": SKEW})).await;

    let first = begin().await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.body);
    let at_once = begin().await;
    assert_eq!(at_once.status, StatusCode::TOO_MANY_REQUESTS, "{}", at_once.body);
    assert!(at_once.body.contains("allows 1 at the same time"), "{}", at_once.body);
    let usage = stage.usage().await;
    assert_eq!((&usage["analyses_used"], &usage["analyses_limit"]), (&json!(1), &json!(1)), "{usage}");
    assert_eq!((&usage["analyses_running"], &usage["analyses_at_once"]), (&json!(1), &json!(1)), "{usage}");

    let path = first.headers[header::LOCATION].to_str().unwrap();
    let cancelled = stage.post(&format!("{path}/cancel"), json!({})).await;
    assert_eq!(cancelled.json()["state"], "cancelled", "{}", cancelled.body);
    let again = stage.post(&format!("{path}/cancel"), json!({})).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.body);
    assert_eq!(stage.usage().await["analyses_used"], 0, "nothing had been read for it");

    stage.allow(0).await;
    let used_up = begin().await;
    assert_eq!(used_up.status, StatusCode::TOO_MANY_REQUESTS, "{}", used_up.body);
    let resets_at = stage.usage().await["resets_at"].as_str().unwrap().to_owned();
    assert!(used_up.body.contains(&resets_at), "{}", used_up.body);
    let secs: i64 = used_up.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!(secs > 0 && secs <= 31 * 24 * 3600, "{secs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_source_fails_the_analysis_with_the_reason_and_it_is_given_back() {
    let stage = Stage::with("http://127.0.0.1:9", &[]).await;

    let failed = stage.analysed(SKEW).await;

    assert_eq!((&failed["state"], &failed["steps"][0]["state"]), (&json!("failed"), &json!("failed")));
    let why = failed["failure"].as_str().unwrap();
    assert!(why.contains("the source cannot be reached"), "{why}");
    assert_eq!(stage.usage().await["analyses_used"], 0);
    let path = format!("/api/v1/analyses/{}", failed["id"].as_str().unwrap());
    assert_eq!(stage.get(&format!("{path}/report.md")).await.status, StatusCode::NOT_FOUND);
    for (wanted, status) in [
        (json!({"source": "spark", "app_id": "../x"}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"source": "elsewhere", "app_id": SKEW}), StatusCode::NOT_FOUND),
        (json!({"source": "spark", "app_id": SKEW, "run": 1}), StatusCode::BAD_REQUEST),
    ] {
        let refused = stage.post("/api/v1/analyses", wanted).await;
        assert_eq!(refused.status, status, "{}", refused.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn analysis_timeout_ms_bounds_how_long_reading_takes() {
    let (_silent, url) = silence().await;
    let stage = Stage::with(&url, &[("DOORWARD_ANALYSIS_TIMEOUT_MS", "150")]).await;

    let failed = stage.analysed(SKEW).await;

    assert!(failed["failure"].as_str().unwrap().contains("within 0.15 s"), "{failed}");
}

/// What a model was asked, each with its key.
type Asked = Arc<Mutex<Vec<(String, Value)>>>;

/// Starts a model that says the report again, and of one with spill a number that nobody measured.
async fn model() -> (Asked, String) {
    async fn answer(
        State(asked): State<Asked>,
        headers: http::HeaderMap,
        Json(body): Json<Value>,
    ) -> Json<Value> {
        let key = headers[header::AUTHORIZATION].to_str().unwrap().to_owned();
        asked.lock().unwrap().push((key, body.clone()));
        let report = body["messages"][1]["content"].as_str().unwrap();
        let text = if report.contains(SPILL) { "It spilled 98765 times." } else { report };
        Json(json!({"choices": [{"message": {"content": format!("In short: {text}")}}]}))
    }
    let asked = Asked::default();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/chat/completions", post(answer)).with_state(Arc::clone(&asked));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (asked, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn model_url_model_name_and_model_key_say_who_rewrites_reports() {
    let spark = HistoryServer::open(&[]).await;
    let (asked, url) = model().await;
    let variables =
        [("DOORWARD_MODEL_URL", &*url), ("DOORWARD_MODEL_NAME", "small"), ("DOORWARD_MODEL_KEY", "sk-tried")];
    let stage = Stage::with(&spark.url(), &variables).await;

    let good = stage.analysed(SKEW).await;
    let bad = stage.analysed(SPILL).await;

    let report = async |analysis: &Value| {
        let path = format!("/api/v1/analyses/{}/report", analysis["id"].as_str().unwrap());
        (stage.get(&format!("{path}.json")).await.json(), stage.get(&format!("{path}.md")).await.body)
    };
    let (json, markdown) = report(&good).await;
    assert_eq!(json["rewritten"]["model"], "small", "{json}");
    let text = json["text"].as_str().unwrap().trim();
    assert_eq!(json["rewritten"]["text"].as_str().unwrap(), format!("In short: {text}"));
    assert!(markdown.contains("`small`") && markdown.contains("In short: "), "{markdown}");
    let (json, markdown) = report(&bad).await;
    assert!(json.get("rewritten").is_none() && !markdown.contains("In short: "), "{json}");
    assert_eq!(bad["state"], "done", "{bad}");
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 2);
    assert_eq!((asked[0].0.as_str(), &asked[0].1["model"]), ("Bearer sk-tried", &json!("small")));
}

#[test]
fn settings_of_a_model_that_do_not_fit_are_refused() {
    let load = |pairs: &[(&str, &str)]| {
        let variables = pairs.iter().map(|(name, value)| (format!("DOORWARD_{name}"), (*value).to_owned()));
        let loaded = server::config::Settings::load(None, variables);
        loaded.map(drop).map_err(|errors| errors.to_string()).unwrap_err()
    };
    for (pairs, why) in [
        (&[("MODEL_NAME", "small")][..], "only beside `model_url`"),
        (&[("MODEL_KEY", "k")], "only beside `model_url`"),
        (&[("MODEL_URL", "https://m.example/v1")], "`model_name`"),
        (&[("MODEL_URL", "ftp://m.example/v1"), ("MODEL_NAME", "small")], "begins with https://"),
        (&[("MODEL_URL", "https://a:b@m.example/v1"), ("MODEL_NAME", "small")], "`model_key`"),
        (&[("MODEL_URL", "https://m.example/v1?a=b"), ("MODEL_NAME", "small")], "without a query"),
    ] {
        let said = load(pairs);
        assert!(said.contains(why), "{said}");
    }
}

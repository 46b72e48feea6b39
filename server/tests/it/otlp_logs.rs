//! Run events as OpenTelemetry logs, read with the official definitions of OTLP.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::State, response::IntoResponse as _, routing::post};
use bytes::Bytes;
use doorward::{
    clock::{Clock, Ms},
    model::InstanceRole,
};
use http::{HeaderMap, StatusCode, header};
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{KeyValue, any_value::Value as Any},
    logs::v1::LogRecord,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    call::Call,
    running::until,
    scripted::{Scripted, give_tools},
    world::World,
};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

#[tokio::test(flavor = "multi_thread")]
async fn otlp_logs_url_and_otlp_logs_headers_say_where_run_events_go_as_logs() {
    let collector = Collector::start().await;
    let variables = [
        ("DOORWARD_OTLP_LOGS_URL", collector.url.as_str()),
        ("DOORWARD_OTLP_LOGS_HEADERS", "authorization=Bearer%20of-the-collector,x-scope=doorward"),
    ];
    let world = World::with(&variables).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let source = Scripted::start().await;
    give_tools(&world, &ada, &source, json!({})).await;

    let mut call = Call::tool("echo", json!({"word": "of-the-arguments"}));
    let mut body: Value = serde_json::from_str(&call.body).unwrap();
    body["params"]["_meta"]["traceparent"] = format!("00-{TRACE}-{SPAN}-01").into();
    call.body = body.to_string();
    assert!(!world.send(call.key(&ada.key).request()).await.tool_text().1);
    world.send(Call::tool("no-such-tool", json!({})).key(&ada.key).request()).await;
    let is_there =
        |name: &str| collector.records().iter().any(|record| text(record, "gen_ai.tool.name") == name);
    until("the calls are sent", async || is_there("echo") && is_there("no-such-tool")).await;

    let records = collector.records();
    let record = records.iter().find(|record| text(record, "gen_ai.tool.name") == "echo").unwrap();
    for (name, value) in [
        ("mcp.method.name", "tools/call"),
        ("mcp.protocol.version", "2026-07-28"),
        ("gen_ai.operation.name", "execute_tool"),
        ("user.name", "ada"),
        ("client.address", "127.0.0.1"),
        ("doorward.outcome", "ok"),
        ("doorward.preset.slug", "tools"),
        ("doorward.source.name", "scripted"),
    ] {
        assert_eq!(text(record, name), value, "{name}");
    }
    assert_eq!((hex::encode(&record.trace_id), hex::encode(&record.span_id)), (TRACE.into(), SPAN.into()));
    assert_eq!((record.severity_number, record.flags), (9, 1));
    assert_eq!(record.event_name, "doorward.tool_call");
    let failed = records.iter().find(|record| text(record, "gen_ai.tool.name") == "no-such-tool").unwrap();
    assert_eq!((text(failed, "error.type").as_str(), failed.severity_text.as_str()), ("caller", "WARN"));
    assert!(failed.trace_id.is_empty());

    let seen = collector.seen.lock().unwrap().clone();
    assert!(
        seen.iter()
            .all(|(head, _)| head["authorization"] == "Bearer of-the-collector"
                && head["x-scope"] == "doorward")
    );
    let all: String = seen.iter().map(|(_, body)| String::from_utf8_lossy(body).into_owned()).collect();
    for secret in ["of-the-arguments", "of-the-collector", &ada.key] {
        assert!(!all.contains(secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_wait_for_a_collector_that_is_away_and_what_it_does_not_want_is_counted() {
    let collector = Collector::start().await;
    collector.answers(StatusCode::SERVICE_UNAVAILABLE, "");
    let clock = Clock::manual(Ms(1_795_233_963_183));
    let world = World::at(clock.clone(), &[("DOORWARD_OTLP_LOGS_URL", &collector.url)]).await;
    let gauge =
        |name: &str| world.engine.gauges().into_iter().find(|gauge| gauge.name == name).unwrap().value;
    let ada = world.person("ada", InstanceRole::Member).await;
    until("it is tried", async || gauge("otlp_logs_failing") > 0.5).await;
    assert!(collector.records().is_empty());

    collector.answers(StatusCode::OK, "{}");
    clock.advance(Duration::from_secs(60));
    until("it is sent", async || gauge("otlp_logs_failing") < 0.5 && !collector.records().is_empty()).await;
    let sent = collector.records().len();
    assert_eq!((gauge("otlp_logs_sent"), gauge("otlp_logs_dropped")), (sent as f64, 0.0));

    collector
        .answers(StatusCode::OK, r#"{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"too old"}}"#);
    let slug = json!({"slug": "first"});
    world.api(&ada, http::Method::POST, "/api/v1/presets", Some(slug)).await;
    until("one is not wanted", async || gauge("otlp_logs_dropped") > 0.5).await;
    collector.answers(StatusCode::BAD_REQUEST, "");
    let slug = json!({"slug": "second"});
    world.api(&ada, http::Method::POST, "/api/v1/presets", Some(slug)).await;
    until("nor is this", async || gauge("otlp_logs_dropped") > 1.5).await;
    collector.answers(StatusCode::OK, "{}");
    let slug = json!({"slug": "third"});
    world.api(&ada, http::Method::POST, "/api/v1/presets", Some(slug)).await;
    until("the next one is", async || gauge("otlp_logs_sent") > sent as f64 + 0.5).await;

    let mut times = BTreeMap::new();
    for record in collector.records() {
        *times.entry(text(&record, "log.record.uid")).or_insert(0) += 1;
    }
    assert!(times.values().all(|times| *times == 1), "{times:?}");
}

/// What takes logs over OTLP/HTTP.
struct Collector {
    url: String,
    /// Each request that was answered well: its headers and its body.
    seen: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    answer: Arc<Mutex<(StatusCode, &'static str)>>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/v1/logs", listener.local_addr().unwrap());
        let (seen, answer) = (Arc::default(), Arc::new(Mutex::new((StatusCode::OK, "{}"))));
        let state = (Arc::clone(&seen), Arc::clone(&answer));
        let router = Router::new().route("/v1/logs", post(take)).with_state(state);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, seen, answer }
    }

    fn answers(&self, status: StatusCode, body: &'static str) {
        *self.answer.lock().unwrap() = (status, body);
    }

    fn records(&self) -> Vec<LogRecord> {
        let seen = self.seen.lock().unwrap();
        let requests =
            seen.iter().map(|(_, body)| serde_json::from_slice::<ExportLogsServiceRequest>(body).unwrap());
        let resources = requests.flat_map(|request| request.resource_logs);
        let scopes = resources.flat_map(|resource| {
            let name = resource.resource.as_ref().and_then(|it| value(&it.attributes, "service.name"));
            assert_eq!(name.as_deref(), Some("doorward"));
            resource.scope_logs
        });
        scopes.flat_map(|scope| scope.log_records).collect()
    }
}

type Taken = (Arc<Mutex<Vec<(HeaderMap, Bytes)>>>, Arc<Mutex<(StatusCode, &'static str)>>);

async fn take(
    State((seen, answer)): State<Taken>,
    headers: HeaderMap,
    body: Bytes,
) -> axum::response::Response {
    let (status, said) = *answer.lock().unwrap();
    if status == StatusCode::OK {
        seen.lock().unwrap().push((headers, body));
    }
    (status, [(header::CONTENT_TYPE, "application/json")], said).into_response()
}

/// Returns an attribute of a record as text; empty if there is none.
fn text(record: &LogRecord, name: &str) -> String {
    value(&record.attributes, name).unwrap_or_default()
}

fn value(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Any::StringValue(text) => Some(text.clone()),
        Any::IntValue(number) => Some(number.to_string()),
        other => panic!("{other:?}"),
    }
}

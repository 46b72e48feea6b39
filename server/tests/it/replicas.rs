//! Three processes on one PostgreSQL and one Redis, behind nginx which asks them in turn.

use std::{
    net::{Ipv4Addr, TcpListener as Port},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use axum::{Json, Router, extract::State, response::IntoResponse as _, routing::post};
use bytes::Bytes;
use futures::{StreamExt as _, future::join_all, stream};
use http::{HeaderMap, Method, StatusCode, header};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot};

use crate::{
    call::Call,
    cluster::Cluster,
    running::{Door, Place, Running, until},
    scripted::Scripted,
    world::Answer,
};

/// The vault's key, which all share.
const VAULT_KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// How many calls the plan of bob has.
const CALLS_MAX: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_begun_at_one_goes_on_at_any() {
    let Some(scene) = Scene::start().await else { return };
    let running = scene.serve_all().await;
    scene.all_know_each_other(&running).await;
    let (ada, front) = (scene.key("ada.key"), &scene.front);

    let mut asked = Vec::new();
    for _ in 0..9 {
        let answer = front.send(Call::tool("echo", json!({})).key(&ada).request()).await.unwrap();
        assert!(!answer.tool_text().1, "{}", answer.body);
        asked.push(upstream(&answer));
    }
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), 3, "nginx asks them in turn: {asked:?}");

    let session = begin(front, &ada).await;
    for n in 0..9 {
        let answer =
            front.send(in_session(&session, &ada, "echo", &json!({ "n": n })).request()).await.unwrap();
        assert_eq!(answer.tool_text(), (json!({ "n": n }).to_string(), false), "{}", answer.body);
    }
    let other = front.send(in_session(&session, &scene.key("bob.key"), "echo", &json!({})).request()).await;
    assert_eq!(other.unwrap().status, StatusCode::NOT_FOUND, "a session is its caller's alone");

    // A call that waits for an answer, gone on with at each of the others.
    for _ in 0..3 {
        let (asks, state) = ask(front, &ada).await;
        let answered = answer_to(&asks, &state);
        let answer = front.send(answered.key(&ada).request()).await.unwrap();
        assert_eq!(answer.tool_text().0, "told: accept", "{}", answer.body);
    }

    // What one changes the others do not remember.
    scene
        .apply(
            "  - {owner: ada, slug: tools, visibility: public, tools: [{source: scripted, allow: [echo]}]}\n",
        )
        .await;
    for replica in &running {
        until("the edit is known", async || {
            let listed = replica.send(Call::modern("tools/list", json!({})).key(&ada).request()).await;
            listed.json()["result"]["tools"].as_array().map(Vec::len) == Some(1)
        })
        .await;
    }
    let ended = front.send(delete(&session, &ada)).await.unwrap();
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    for _ in 0..3 {
        let answer = front.send(in_session(&session, &ada, "echo", &json!({})).request()).await.unwrap();
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.body);
    }
    for replica in running {
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_killed_takes_only_what_it_had_in_hand_with_it() {
    let Some(scene) = Scene::start().await else { return };
    let mut running = scene.serve_all().await;
    scene.all_know_each_other(&running).await;
    let ada = scene.key("ada.key");
    let mut victim = running.remove(1);
    let of_victim: Vec<String> = join_all((0..4).map(|_| begin_at(&victim, &ada))).await;
    let load = Load::begin(&scene, &ada, 6).await;

    victim.signal(Signal::KILL);
    // While it goes, the system still takes connections for it.
    victim.ended().await;
    let sessions = of_victim.iter().map(|session| {
        let request = in_session(session, &ada, "echo", &json!({}));
        let front = scene.front.clone();
        async move { front.send(request.request()).await.unwrap() }
    });
    let answers = join_all(sessions).await;
    let (calls, failed) = load.end_after(200).await;

    for answer in answers {
        assert_eq!((answer.status, answer.tool_text().1), (StatusCode::OK, false), "{}", answer.body);
    }
    assert!(failed <= 6, "{failed} of {calls} calls failed, and six were under way");
    // From here on its sessions have one place again, whoever is asked.
    let holders = of_victim.iter().map(async |session| {
        let mut texts = Vec::new();
        for replica in &running {
            let call = in_session(session, &ada, "echo", &json!({}));
            texts.push(replica.send(call.request()).await.tool_text().1);
        }
        texts
    });
    assert!(join_all(holders).await.into_iter().flatten().all(|is_error| !is_error));
    // Those of the load, which began at any, beside.
    let moved = scene.cluster.count("select count(*) from sessions_moved").await;
    assert!((4..=7).contains(&moved), "{moved} were taken over");
    for replica in running {
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_restarted_in_turn_and_no_call_fails() {
    let Some(scene) = Scene::start().await else { return };
    let mut running: Vec<Option<Running<'_>>> = scene.serve_all().await.into_iter().map(Some).collect();
    scene.all_know_each_other(running.iter().flatten()).await;
    let ada = scene.key("ada.key");
    let load = Load::begin(&scene, &ada, 6).await;

    for (place, replica) in scene.places.iter().zip(&mut running) {
        replica.take().unwrap().stop().await;
        *replica = Some(place.serve().await);
    }
    let (calls, failed) = load.end_after(200).await;

    assert_eq!(failed, 0, "of {calls} calls");
    for replica in running.into_iter().flatten() {
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn together_they_never_admit_a_call_too_many() {
    let Some(scene) = Scene::start().await else { return };
    let running = scene.serve_all().await;
    let bob = scene.key("bob.key");

    let calls = (0..64).map(|_| {
        let (front, request) = (scene.front.clone(), Call::tool("echo", json!({})).key(&bob).request());
        tokio::spawn(async move { front.send(request).await.unwrap() })
    });
    let answers: Vec<Answer> = join_all(calls).await.into_iter().map(Result::unwrap).collect();

    let admitted = answers.iter().filter(|answer| !answer.tool_text().1).count();
    assert_eq!(scene.source.calls().len(), admitted);
    assert_eq!(admitted, CALLS_MAX, "{:?}", answers.iter().map(|answer| &answer.body).collect::<Vec<_>>());
    for replica in running {
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn they_recover_when_postgres_is_restarted_and_redis_is_lost() {
    let Some(mut scene) = Scene::start().await else { return };
    let redis = scene.redis.take();
    let running = scene.serve_all().await;
    scene.all_know_each_other(&running).await;
    let ada = scene.key("ada.key");
    let session = begin(&scene.front, &ada).await;

    scene.cluster.control(&["--mode", "immediate", "restart"]).await;
    until("calls work again at each", async || {
        let calls =
            running.iter().map(|replica| replica.send(Call::tool("echo", json!({})).key(&ada).request()));
        join_all(calls).await.iter().all(|answer| answer.status == StatusCode::OK && !answer.tool_text().1)
    })
    .await;
    for n in 0..3 {
        let answer = scene.front.send(in_session(&session, &ada, "echo", &json!({ "n": n })).request()).await;
        assert!(!answer.unwrap().tool_text().1, "nobody took another for gone");
    }
    assert_eq!(scene.cluster.count("select count(*) from sessions_moved").await, 0);

    scene
        .apply(
            "  - {owner: ada, slug: tools, visibility: public, tools: [{source: scripted, allow: [echo]}]}\n",
        )
        .await;
    for replica in &running {
        until("they hear each other again", async || {
            let listed = replica.send(Call::modern("tools/list", json!({})).key(&ada).request()).await;
            listed.json()["result"]["tools"].as_array().map(Vec::len) == Some(1)
        })
        .await;
    }
    drop(redis);
    for _ in 0..6 {
        let answer = scene.front.send(Call::tool("echo", json!({})).key(&ada).request()).await.unwrap();
        assert!(!answer.tool_text().1, "without Redis each limits by itself: {}", answer.body);
    }
    for replica in running {
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_a_replica_says_where_a_caller_is() {
    let Some(scene) = Scene::start().await else { return };
    let replica = scene.places[0].serve().await;
    let ada = scene.key("ada.key");

    for forged in ["1795233963183 203.0.113.9 00", "x", "1795233963183 203.0.113.9", ""] {
        let call = Call::tool("echo", json!({})).key(&ada).header("doorward-forwarded", forged);
        let answer = replica.send(call.request()).await;
        assert!(!answer.tool_text().1, "{}", answer.body);
    }

    replica.stop().await;
    let believed = "select count(*) from audit_events where address <> '127.0.0.1' and action = 'tool_call'";
    assert_eq!(scene.cluster.count(believed).await, 0);
    assert_eq!(scene.cluster.count("select count(*) from audit_events where action = 'tool_call'").await, 4);
    assert_eq!(scene.cluster.count("select count(*) from replicas").await, 0, "who ends says so");
}

#[tokio::test(flavor = "multi_thread")]
async fn replica_address_says_where_the_others_reach_a_process() {
    let Some(mut scene) = Scene::start().await else { return };
    let said = "http://replica.example.org:9";
    let place = scene.places.remove(0).with("DOORWARD_REPLICA_ADDRESS", said);
    let replica = place.serve().await;
    let told = "select count(*) from replicas where address = 'http://replica.example.org:9'";

    assert_eq!(scene.cluster.count(told).await, 1);
    replica.stop().await;
}

/// Everything the replicas stand on, and nginx before them.
struct Scene {
    places: Vec<Place>,
    front: Door,
    source: Scripted,
    cluster: Cluster,
    redis: Option<Helper>,
    _nginx: Helper,
}

impl Scene {
    async fn start() -> Option<Self> {
        let cluster = Cluster::start().await?;
        let source = Scripted::start().await;
        let asks = asking_source().await;
        let (redis_port, front) = (free_port(), free_port());
        let ports = [free_port(), free_port(), free_port()];
        let redis = Helper::start(redis_port, |folder| {
            let mut redis = Helper::command("redis-server");
            redis
                .args(["--port", &redis_port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
                .arg(folder);
            redis
        })
        .await;
        let place = |port: u16| {
            Place::new()
                .with("DOORWARD_DATABASE_URL", &cluster.url("doorward_app", "doorward"))
                .with("DOORWARD_DATABASE_OWNER_URL", &cluster.url("doorward_owner", "doorward"))
                .with("DOORWARD_VAULT_KEY", VAULT_KEY)
                .with("DOORWARD_REDIS_URL", &format!("redis://127.0.0.1:{redis_port}/0"))
                .with("DOORWARD_RATE_LIMIT_PERSON", "1000000/minute")
                .with("DOORWARD_LISTEN", &format!("127.0.0.1:{port}"))
        };
        let places: Vec<Place> = ports.into_iter().map(place).collect();
        let document = format!(
            "  - {{handle: bob, email: bob@example.org, password_file: password, plan: few}}
plans: [{{name: few, calls_per_month: {CALLS_MAX}}}]
sources:
  - {{owner: ada, name: scripted, kind: mcp_http, url: '{url}'}}
  - {{owner: ada, name: asks, kind: mcp_http, url: '{asks}'}}
presets:
  - {{owner: ada, slug: tools, visibility: public, tools: [{{source: scripted, allow: all}}]}}
  - {{owner: ada, slug: asks, tools: [{{source: asks, allow: all}}]}}
keys:
  - {{owner: ada, name: ada, secret_file: ada.key}}
  - {{owner: bob, name: bob, secret_file: bob.key}}
",
            url = source.url()
        );
        places[0].prepare(&document).await;
        let nginx = Helper::start(front, |folder| nginx(folder, front, ports)).await;
        let front = Door::at(&format!("127.0.0.1:{front}"));
        Some(Self { places, front, source, cluster, redis: Some(redis), _nginx: nginx })
    }

    fn key(&self, file: &str) -> String {
        self.places[0].key(file)
    }

    async fn serve_all(&self) -> Vec<Running<'_>> {
        join_all(self.places.iter().map(Place::serve)).await
    }

    /// Waits until every one hands on what is another's.
    async fn all_know_each_other<'a, 'p: 'a>(&self, running: impl IntoIterator<Item = &'a Running<'p>>) {
        let running: Vec<_> = running.into_iter().collect();
        let ada = self.key("ada.key");
        for replica in &running {
            let session = begin_at(replica, &ada).await;
            for other in &running {
                until("they know each other", async || {
                    let call = in_session(&session, &ada, "echo", &json!({}));
                    other.send(call.request()).await.status == StatusCode::OK
                })
                .await;
            }
        }
        let moved = "select count(*) from sessions_moved";
        assert_eq!(self.cluster.count(moved).await, 0, "what is handed on is not taken over");
    }

    /// Applies presets through the front.
    async fn apply(&self, presets: &str) {
        let place = &self.places[0];
        std::fs::write(place.path("more.yaml"), format!("version: 1\npresets:\n{presets}")).unwrap();
        let url = format!("http://{}", self.front.address());
        let (status, said) = place.run(&["apply", "more.yaml", "--url", &url, "--key-file", "ada.key"]).await;
        assert!(status.success(), "{said}");
    }
}

/// A program beside the gateway, which ends with this value.
struct Helper {
    _folder: TempDir,
    running: Child,
}

impl Helper {
    #[expect(clippy::disallowed_methods, reason = "the tests need the real programs")]
    fn command(program: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(program);
        command.env("PATH", format!("{path}:/usr/sbin")).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    #[expect(clippy::disallowed_methods, reason = "a test is a caller")]
    async fn start(port: u16, command: impl FnOnce(&std::path::Path) -> Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let running = command(folder.path()).spawn().expect("it is installed: see `xtask/src/machine.rs`");
        let helper = Self { running, _folder: folder };
        until("it listens", async || {
            tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok()
        })
        .await;
        helper
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.running.id()).unwrap()).unwrap();
        // nginx ends its workers when it is asked to.
        let _ = rustix::process::kill_process(pid, Signal::TERM);
        let _ = self.running.wait();
    }
}

/// Starts nginx with the configuration that the project comes with, its names replaced by addresses.
fn nginx(folder: &std::path::Path, front: u16, ports: [u16; 3]) -> Command {
    let mut text = include_str!("../../../deploy/nginx.conf").to_owned();
    for (number, port) in (1..).zip(ports) {
        let name = format!("doorward-{number}:8080");
        assert!(text.contains(&name), "{text}");
        text = text.replace(&name, &format!("127.0.0.1:{port}"));
    }
    let own = "http {\n access_log off; add_header x-upstream $upstream_addr always;\n client_body_temp_path body; proxy_temp_path \
               proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;";
    text = text.replace("listen 8080", &format!("listen 127.0.0.1:{front}")).replace("http {", own);
    if rustix::process::getuid().is_root() {
        text.insert_str(0, "user root;\n");
    }
    let file = folder.join("nginx.conf");
    std::fs::write(&file, text).unwrap();
    let mut nginx = Helper::command("nginx");
    nginx.args(["-e", "stderr", "-g", &format!("daemon off; pid {}/pid;", folder.display()), "-p"]);
    nginx.arg(folder).arg("-c").arg(file);
    nginx
}

/// Callers of both eras, one call after another.
struct Load {
    tasks: Vec<tokio::task::JoinHandle<()>>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    calls: AtomicUsize,
    failed: AtomicUsize,
    ends: AtomicBool,
}

impl Load {
    async fn begin(scene: &Scene, key: &str, callers: usize) -> Self {
        let counts = Arc::new(Counts::default());
        let mut tasks = Vec::new();
        for number in 0..callers {
            let session = if number % 2 == 0 { Some(begin(&scene.front, key).await) } else { None };
            let (front, key, counts) = (scene.front.clone(), key.to_owned(), Arc::clone(&counts));
            tasks.push(tokio::spawn(async move {
                while !counts.ends.load(Ordering::SeqCst) {
                    let call = match &session {
                        Some(session) => in_session(session, &key, "echo", &json!({})),
                        None => Call::tool("echo", json!({})).key(&key),
                    };
                    let answer = front.send(call.request()).await;
                    let is_good = |answer: &Answer| answer.status == StatusCode::OK && !answer.tool_text().1;
                    if !answer.as_ref().is_some_and(is_good) {
                        eprintln!(
                            "{:?}",
                            answer.map(|answer| (answer.status, upstream(&answer), answer.body))
                        );
                        counts.failed.fetch_add(1, Ordering::SeqCst);
                    }
                    counts.calls.fetch_add(1, Ordering::SeqCst);
                }
            }));
        }
        let load = Self { tasks, counts };
        load.more(50).await;
        load
    }

    async fn more(&self, calls: usize) {
        let so_far = self.counts.calls.load(Ordering::SeqCst);
        until("calls go on", async || self.counts.calls.load(Ordering::SeqCst) >= so_far + calls).await;
    }

    /// Ends after so many more calls; returns how many there were, and how many failed.
    async fn end_after(self, calls: usize) -> (usize, usize) {
        self.more(calls).await;
        self.counts.ends.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.await.unwrap();
        }
        (self.counts.calls.load(Ordering::SeqCst), self.counts.failed.load(Ordering::SeqCst))
    }
}

fn free_port() -> u16 {
    Port::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Returns which replica nginx asked last.
fn upstream(answer: &Answer) -> String {
    let asked = answer.headers["x-upstream"].to_str().unwrap();
    asked.rsplit(' ').next().unwrap().to_owned()
}

/// Begins a session of a legacy caller who can be asked.
async fn begin(door: &Door, key: &str) -> String {
    let params =
        json!({"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}});
    let body = json!({"jsonrpc":"2.0","id":1,"method":"initialize","params":params}).to_string();
    let begun = door.send(Call::raw(body).key(key).request()).await.unwrap();
    assert_eq!(begun.status, StatusCode::OK, "{}", begun.body);
    begun.headers["mcp-session-id"].to_str().unwrap().to_owned()
}

async fn begin_at(replica: &Running<'_>, key: &str) -> String {
    begin(&replica.door(), key).await
}

fn in_session(session: &str, key: &str, tool: &str, arguments: &Value) -> Call {
    let params = json!({ "name": tool, "arguments": arguments });
    let body = json!({"jsonrpc":"2.0","id":2,"method":"tools/call","params":params}).to_string();
    let call = Call::raw(body).key(key).header("mcp-session-id", session);
    call.header("mcp-protocol-version", "2025-11-25")
}

fn delete(session: &str, key: &str) -> http::Request<axum::body::Body> {
    let mut request = in_session(session, key, "echo", &json!({})).request();
    *request.method_mut() = Method::DELETE;
    *request.body_mut() = axum::body::Body::empty();
    request.headers_mut().remove(header::CONTENT_LENGTH);
    request
}

const CAN_BE_ASKED: &str = "io.modelcontextprotocol/clientCapabilities";

/// Calls a tool that asks; returns what it asks, and what the answer is to carry.
async fn ask(front: &Door, key: &str) -> (Value, String) {
    let call = asking(json!({ "name": "asks", "arguments": {} }));
    let asked = front.send(call.key(key).request()).await.unwrap().json();
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    (asked["result"]["inputRequests"].clone(), asked["result"]["requestState"].as_str().unwrap().to_owned())
}

fn answer_to(asks: &Value, state: &str) -> Call {
    let name = asks.as_object().unwrap().keys().next().unwrap();
    let answer = json!({ "action": "accept", "content": {} });
    asking(
        json!({"name":"asks","arguments":{},"requestState":state,"inputResponses":{ name.as_str(): answer }}),
    )
}

fn asking(params: Value) -> Call {
    let mut call = Call::modern("tools/call", params).at("/mcp/ada/asks");
    let mut body: Value = serde_json::from_str(&call.body).unwrap();
    body["params"]["_meta"][CAN_BE_ASKED] = json!({ "elicitation": { "form": {} } });
    call.body = body.to_string();
    call
}

/// Starts an MCP server of the legacy era whose only tool asks before it answers; returns its address.
async fn asking_source() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let asked = Arc::new(Asked::default());
    let router = Router::new().route("/mcp", post(source_answer)).with_state(asked);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[derive(Default)]
struct Asked {
    waiting: std::sync::Mutex<std::collections::HashMap<String, oneshot::Sender<Value>>>,
    count: AtomicUsize,
}

async fn source_answer(
    State(asked): State<Arc<Asked>>,
    _: HeaderMap,
    body: Bytes,
) -> axum::response::Response {
    let message: Value = serde_json::from_slice(&body).unwrap();
    let result = match message["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
            "serverInfo": {"name": "asks", "version": "1"},
        }),
        Some("tools/list") => json!({"tools": [{"name": "asks", "inputSchema": {"type": "object"}}]}),
        Some("tools/call") => return asked.ask(&message),
        None => {
            let waiting = asked.waiting.lock().unwrap().remove(message["id"].as_str().unwrap_or_default());
            if let Some(waiting) = waiting {
                let _ = waiting.send(message["result"]["action"].clone());
            }
            return StatusCode::ACCEPTED.into_response();
        }
        Some(_) if message["id"].is_null() => return StatusCode::ACCEPTED.into_response(),
        Some(_) => {
            let error = json!({"code": -32601, "message": "no such method"});
            return Json(json!({"jsonrpc": "2.0", "id": message["id"], "error": error})).into_response();
        }
    };
    Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result})).into_response()
}

impl Asked {
    fn ask(&self, call: &Value) -> axum::response::Response {
        let name = format!("q{}", self.count.fetch_add(1, Ordering::SeqCst));
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().unwrap().insert(name.clone(), sender);
        let params = json!({"message": "may I?", "requestedSchema": {"type": "object", "properties": {}}});
        let question =
            json!({"jsonrpc": "2.0", "id": name, "method": "elicitation/create", "params": params});
        let id = call["id"].clone();
        let event = |message: Value| {
            Ok::<_, std::io::Error>(Bytes::from(format!("event: message\ndata: {message}\n\n")))
        };
        let question = stream::iter([event(question)]);
        let told = stream::once(async move {
            let action = answer.await.unwrap_or_default();
            let text = format!("told: {}", action.as_str().unwrap_or_default());
            event(
                json!({"jsonrpc": "2.0", "id": id, "result": {"content": [{"type": "text", "text": text}]}}),
            )
        });
        let body = axum::body::Body::from_stream(question.chain(told));
        ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
    }
}

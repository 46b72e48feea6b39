//! A small world for the tests of sources and presets: a database, and a source that says what it
//! is told to.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    audit::Audit,
    changes::Changes,
    clock::{Clock, Ms},
    connections::Connections,
    egress::{Egress, EgressLimits, EgressPolicy},
    mail::Mail,
    metrics::Metrics,
    model::{
        BrowserSessionId, Credential, EraSetting, InstanceRole, Member, OrgRole, PlanName, Reach, RunsAs,
        SourceName, Via, Whence,
    },
    oauth::OwnNames,
    presets::Presets,
    sources::{Added, NewSource, SourceSettings, Sources},
    store::{Store, testing::TestStore},
    upstream::{GuardProgram, UpstreamLimits, Upstreams},
    vault::{KeySource, Vault},
};

pub(crate) struct World {
    pub db: TestStore,
    pub sources: Sources,
    pub presets: Presets,
    pub upstreams: Upstreams,
    pub connections: Connections,
    pub audit: Audit,
    pub changes: Changes,
    pub clock: Clock,
    _folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::on(TestStore::sqlite().await).await
    }

    /// Makes a world on this database.
    pub(crate) async fn on(db: TestStore) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Ms(1_795_233_963_183));
        let vault =
            Vault::open(db.store.clone(), KeySource::File(folder.path().join("vault.key"))).await.unwrap();
        let audit = Audit::new(db.store.clone(), Metrics::new(db.store.clone()));
        let changes = Changes::new();
        let egress = egress();
        let limits = UpstreamLimits { guard: GuardProgram::None, ..UpstreamLimits::default() };
        let upstreams = Upstreams::new(egress.clone(), clock.clone(), limits);
        let connections = connections(&db.store, &vault, egress, &clock, &changes);
        let sources = Sources::new(
            db.store.clone(),
            vault,
            upstreams.clone(),
            connections.clone(),
            audit.clone(),
            clock.clone(),
            SourceSettings::default(),
            changes.clone(),
        );
        let presets = Presets::new(
            db.store.clone(),
            sources.clone(),
            clock.clone(),
            changes.clone(),
            Mail::new(None).unwrap(),
        );
        Self { db, sources, presets, upstreams, connections, audit, changes, clock, _folder: folder }
    }

    /// Makes the sources of another process that has opened the same database.
    pub(crate) async fn sources_of_another_process(&self) -> Sources {
        let store = self.db.reopen().await;
        let key = KeySource::File(self._folder.path().join("vault.key"));
        let vault = Vault::open(store.clone(), key).await.unwrap();
        let audit = Audit::new(store.clone(), Metrics::new(store.clone()));
        let (upstreams, settings) = (self.upstreams.clone(), SourceSettings::default());
        let changes = Changes::new();
        let connections = connections(&store, &vault, egress(), &self.clock, &changes);
        Sources::new(store, vault, upstreams, connections, audit, self.clock.clone(), settings, changes)
    }

    /// Makes the connections of another process that has opened the same database.
    pub(crate) async fn connections_of_another_process(&self) -> Connections {
        let store = self.db.reopen().await;
        let key = KeySource::File(self._folder.path().join("vault.key"));
        let vault = Vault::open(store.clone(), key).await.unwrap();
        connections(&store, &vault, egress(), &self.clock, &Changes::new())
    }

    /// Adds a person who manages their own organisation, on a plan with this many sources at most.
    pub(crate) async fn member(&self, handle: &str, role: InstanceRole, plan: &str) -> Member {
        let mut user = self.db.add_user(handle).await;
        user.plan = PlanName::parse(plan).unwrap();
        let mut tx = self.db.store.system().await.unwrap();
        assert!(tx.update_user(&user).await.unwrap());
        tx.commit().await.unwrap();
        Member {
            user: user.id,
            handle: user.handle.clone(),
            tenant: user.tenant,
            tenant_handle: user.handle,
            org_role: OrgRole::Admin,
            instance_role: role,
            plan: user.plan,
            via: Via::BrowserSession(BrowserSessionId::new()),
            whence: Whence::default(),
        }
    }

    /// Writes what was recorded for the audit log.
    pub(crate) async fn write_audit(&self) {
        let stop = CancellationToken::new();
        stop.cancel();
        self.audit.run(stop).await;
    }

    /// Adds somebody who does not manage the instance.
    pub(crate) async fn person(&self, handle: &str) -> Member {
        self.member(handle, InstanceRole::Member, "enterprise").await
    }

    pub(crate) async fn add(&self, member: &Member, name: &str, script: &Script) -> Added {
        self.sources.add(member, new_source(name, script)).await.unwrap()
    }
}

fn egress() -> Egress {
    let allow = vec!["127.0.0.0/8".parse().unwrap()];
    Egress::new(EgressPolicy { allow }, EgressLimits::default())
}

fn connections(
    store: &Store,
    vault: &Vault,
    egress: Egress,
    clock: &Clock,
    changes: &Changes,
) -> Connections {
    let names = OwnNames::at("http://127.0.0.1:8080").unwrap();
    Connections::new(store.clone(), vault.clone(), egress, clock.clone(), changes.clone(), names)
}

pub(crate) fn new_source(name: &str, script: &Script) -> NewSource {
    NewSource {
        tunnel: None,
        ca_certificates: None,
        name: SourceName::parse(name).unwrap(),
        reach: Reach::McpHttp { url: script.url.clone() },
        credential: Credential::default(),
        era: EraSetting::Auto,
        runs_as: RunsAs::default(),
        enabled: true,
    }
}

/// A source whose process ends at once.
pub(crate) fn new_process(name: &str, enabled: bool) -> NewSource {
    NewSource {
        tunnel: None,
        ca_certificates: None,
        name: SourceName::parse(name).unwrap(),
        reach: Reach::McpStdio { command: vec!["/bin/true".to_owned()], working_dir: None },
        credential: Credential::default(),
        era: EraSetting::Auto,
        runs_as: RunsAs::default(),
        enabled,
    }
}

/// A source of the legacy era that lists what it is told to, over a real socket.
pub(crate) struct Script {
    pub url: Url,
    state: Arc<Mutex<Play>>,
    news: broadcast::Sender<Bytes>,
}

#[derive(Default)]
struct Play {
    tools: Vec<Value>,
    /// What it offers beside tools: the result of each list by its method.
    beside: HashMap<&'static str, Value>,
    html: bool,
    token: Option<String>,
    seen: Vec<Option<String>>,
}

impl Script {
    pub(crate) async fn new(tools: &[(&str, &str)]) -> Self {
        let state = Arc::new(Mutex::new(Play::default()));
        let news = broadcast::Sender::new(16);
        let heard = news.clone();
        let listening = get(async move || listen(heard.subscribe()));
        let router =
            Router::new().route("/mcp", post(answer).merge(listening)).with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/mcp", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let script = Self { url, state, news };
        script.lists(tools);
        script
    }

    /// From here on it lists these tools: name and description.
    pub(crate) fn lists(&self, tools: &[(&str, &str)]) {
        let tool = |(name, description): &(&str, &str)| {
            let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } } });
            json!({ "name": name, "description": description, "inputSchema": schema })
        };
        self.play(|play| play.tools = tools.iter().map(tool).collect());
    }

    /// From here on it lists these definitions.
    pub(crate) fn lists_json(&self, tools: Vec<Value>) {
        self.play(|play| play.tools = tools);
    }

    /// From here on it lists these URIs, URI templates and prompts with a description; it says that
    /// it has such things to those who come later.
    pub(crate) fn offers(&self, uris: &[&str], templates: &[&str], prompts: &[(&str, &str)]) {
        let named = |member: &str, texts: &[&str]| -> Vec<Value> {
            texts.iter().map(|text| json!({ member: text, "name": text })).collect()
        };
        let prompt = |(name, description): &(&str, &str)| json!({ "name": name, "description": description });
        let prompts: Vec<Value> = prompts.iter().map(prompt).collect();
        let beside = HashMap::from([
            ("resources/list", json!({ "resources": named("uri", uris) })),
            ("resources/templates/list", json!({ "resourceTemplates": named("uriTemplate", templates) })),
            ("prompts/list", json!({ "prompts": prompts })),
        ]);
        self.play(|play| play.beside = beside);
    }

    /// From here on it does not know how to list this.
    pub(crate) fn forgets(&self, method: &str) {
        self.play(|play| drop(play.beside.insert("broken", json!(method))));
    }

    /// Tells those who listen that a list has changed. Returns how many listen.
    pub(crate) fn tells(&self, method: &str) -> usize {
        let message = json!({ "jsonrpc": "2.0", "method": method });
        self.news.send(Bytes::from(format!("data: {message}\n\n"))).unwrap_or(0)
    }

    /// From here on it answers with a web page.
    pub(crate) fn answers_html(&self) {
        self.play(|play| play.html = true);
    }

    /// From here on it wants this token.
    pub(crate) fn wants(&self, token: &str) {
        self.play(|play| play.token = Some(token.to_owned()));
    }

    /// From here on it wants no token.
    pub(crate) fn wants_nothing(&self) {
        self.play(|play| play.token = None);
    }

    /// Returns the credentials it was shown.
    pub(crate) fn seen(&self) -> Vec<Option<String>> {
        self.state.lock().unwrap().seen.clone()
    }

    fn play(&self, change: impl FnOnce(&mut Play)) {
        change(&mut self.state.lock().unwrap());
    }
}

fn listen(news: broadcast::Receiver<Bytes>) -> Response {
    let pieces = stream::unfold(news, async |mut news| {
        let piece = news.recv().await.ok()?;
        Some((Ok::<_, std::convert::Infallible>(piece), news))
    });
    ([("content-type", "text/event-stream")], axum::body::Body::from_stream(pieces)).into_response()
}

async fn answer(
    State(state): State<Arc<Mutex<Play>>>,
    headers: HeaderMap,
    Json(request): Json<Value>,
) -> Response {
    let mut play = state.lock().unwrap();
    let shown = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    play.seen.push(shown.clone());
    if play.token.as_ref().is_some_and(|token| shown != Some(format!("Bearer {token}"))) {
        return (StatusCode::UNAUTHORIZED, [("www-authenticate", "Bearer realm=\"script\"")]).into_response();
    }
    if play.html {
        return Html("<p>It works!</p>").into_response();
    }
    let reply = |member: &str, value: Value| {
        Json(json!({ "jsonrpc": "2.0", "id": request["id"], member: value })).into_response()
    };
    match request["method"].as_str().unwrap() {
        "initialize" => reply(
            "result",
            json!({
                "protocolVersion": "2025-06-18",
                "capabilities": match play.beside.is_empty() {
                    true => json!({ "tools": {} }),
                    false => json!({ "tools": {}, "resources": { "subscribe": true }, "prompts": {} }),
                },
                "instructions": "Be kind.",
                "serverInfo": { "name": "script", "version": "1" }
            }),
        ),
        method if play.beside.get("broken").is_some_and(|broken| broken == method) => {
            reply("error", json!({ "code": -32603, "message": "broken" }))
        }
        method if play.beside.contains_key(method) => reply("result", play.beside[method].clone()),
        "tools/list" => reply("result", json!({ "tools": play.tools })),
        method if method.starts_with("notifications/") => StatusCode::ACCEPTED.into_response(),
        _ => reply("error", json!({ "code": -32601, "message": "no such method" })),
    }
}

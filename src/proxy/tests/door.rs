//! A whole engine on a database of its own, with a person, sources, a preset and a key.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use super::script::Scripted;
use crate::{
    clock::{Clock, Ms},
    egress::{EgressLimits, EgressPolicy},
    engine::{Database, Engine, EngineSettings, Parts},
    identity::{IdentitySettings, NewKey, NewUser, Origin, PasswordCost},
    mcp::sse::{Decoder, SseEvent},
    model::{
        CallRules, Credential, Email, Era, EraSetting, Handle, InstanceRole, KeyScope, Member, Preset,
        PresetTool, Reach, RunEvent, Selection, Slug, SourceName, Visibility,
    },
    policy,
    presets::NewPreset,
    proxy::{Patience, Proxy, ProxyAnswer, ProxyBody, ProxyParts, ProxyRequest, ProxySettings},
    replicas::{ReplicaParts, Replicas},
    secret::Secret,
    sources::{NewSource, SourceSettings},
    store::EventFilter,
    upstream::{GuardProgram, UpstreamLimits},
    vault::KeySource,
};

/// The engine under test. Its preset `tools` of `ada` publishes everything of one source.
pub struct Door {
    pub engine: Engine,
    pub ada: Arc<Member>,
    proxy: Proxy,
    _folder: TempDir,
}

/// What came back.
#[derive(Debug)]
pub struct Got {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The messages in it: one if it is JSON, all of them if it is a stream.
    pub messages: Vec<Value>,
    pub text: String,
}

impl Got {
    /// Returns the last message, which is the answer.
    pub fn answer(&self) -> &Value {
        self.messages.last().unwrap_or(&Value::Null)
    }

    /// Returns the first text of the answer's content.
    pub fn content_text(&self) -> &str {
        self.answer()["result"]["content"][0]["text"].as_str().unwrap_or_default()
    }
}

/// A request to be made.
#[derive(Clone)]
pub struct Ask {
    pub owner: String,
    pub slug: String,
    pub method: Method,
    pub headers: HeaderMap,
    pub body: String,
}

impl Ask {
    /// A modern request with the headers it must have.
    pub fn modern(method: &str, params: Value) -> Self {
        let mut params = params;
        let meta = &mut params["_meta"];
        meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
        meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
        meta["io.modelcontextprotocol/clientInfo"] = json!({"name":"test","version":"7"});
        let mut ask = Self::raw(json!({"jsonrpc":"2.0","id":7,"method":method,"params":params}).to_string())
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method);
        if let Some(name) = params["name"].as_str() {
            ask = ask.header("mcp-name", name);
        }
        ask
    }

    /// The same with these capabilities declared.
    pub fn declaring(mut self, capabilities: Value) -> Self {
        let mut body: Value = serde_json::from_str(&self.body).expect("JSON");
        body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities;
        self.body = body.to_string();
        self
    }

    /// The same under another id.
    pub fn numbered(mut self, id: usize) -> Self {
        let mut body: Value = serde_json::from_str(&self.body).expect("JSON");
        body["id"] = json!(id);
        self.body = body.to_string();
        self
    }

    /// The same with these members of `params`.
    pub fn with(mut self, members: Value) -> Self {
        let mut body: Value = serde_json::from_str(&self.body).expect("JSON");
        for (name, value) in members.as_object().expect("an object") {
            body["params"][name] = value.clone();
        }
        self.body = body.to_string();
        self
    }

    /// A GET of a session's stream.
    pub fn get(session: Option<&str>) -> Self {
        let ask = Self::raw("").by(Method::GET).header("accept", "text/event-stream");
        match session {
            Some(session) => ask.header("mcp-session-id", session),
            None => ask,
        }
    }

    /// A legacy caller's answer to a question.
    pub fn answer(session: &str, question: &Value, result: Value) -> Self {
        let body = json!({"jsonrpc":"2.0","id":question["id"],"result":result});
        Self::raw(body.to_string()).header("mcp-session-id", session)
    }

    /// A modern call of a tool.
    pub fn modern_call(tool: &str, arguments: Value) -> Self {
        Self::modern("tools/call", json!({"name":tool,"arguments":arguments}))
    }

    /// A legacy request, in a session unless it begins one.
    pub fn legacy(session: Option<&str>, method: &str, params: Value) -> Self {
        let ask = Self::raw(json!({"jsonrpc":"2.0","id":"a","method":method,"params":params}).to_string());
        match session {
            Some(session) => ask.header("mcp-session-id", session),
            None => ask,
        }
    }

    pub fn raw(body: impl Into<String>) -> Self {
        Self {
            owner: "ada".into(),
            slug: "tools".into(),
            method: Method::POST,
            headers: HeaderMap::new(),
            body: body.into(),
        }
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("visible");
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    pub fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    pub fn at(mut self, owner: &str, slug: &str) -> Self {
        (self.owner, self.slug) = (owner.into(), slug.into());
        self
    }

    pub fn by(mut self, method: Method) -> Self {
        self.method = method;
        self
    }
}

impl Door {
    /// Opens an engine with the account `ada`, who manages it.
    pub async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = Clock::manual(Ms(1_795_233_963_183));
        let cheap = PasswordCost { memory_kib: 8, passes: 1, lanes: 1 };
        let settings = EngineSettings {
            database: Database::Sqlite(folder.path().join("doorward.db")),
            vault_key: KeySource::File(folder.path().join("vault.key")),
            egress: EgressPolicy { allow: vec!["127.0.0.0/8".parse().expect("a range")] },
            egress_limits: EgressLimits::default(),
            upstream: UpstreamLimits {
                guard: GuardProgram::None,
                late_logs: Duration::from_millis(500),
                ..UpstreamLimits::default()
            },
            own_names: crate::oauth::OwnNames::at("http://127.0.0.1:8080").unwrap(),
            identity: IdentitySettings { password_cost: cheap, ..IdentitySettings::default() },
            sources: SourceSettings::default(),
            rates: crate::quota::RateSettings::default(),
            redis: None,
            calls_kept: Duration::from_secs(86_400),
            mail: None,
            warnings: crate::warnings::WarningSettings::default(),
            plan_webhook_secret: None,
            audit_export: crate::audit::ExportSettings::default(),
            otlp_logs: None,
            analyses: crate::insights::AnalysisSettings::default(),
            proxy: ProxySettings::default(),
        };
        let engine = Engine::open(settings, clock).await.expect("an engine");
        engine.start();
        let token = engine.identity.setup_token().await.expect("a store").expect("nobody is there yet");
        let origin =
            Origin { address: IpAddr::from([127, 0, 0, 1]), user_agent: "test".into(), request: None };
        let new = engine
            .identity
            .create_owner(
                &token,
                &Handle::parse("ada").expect("a handle"),
                &Email::parse("ada@example.org").expect("an address"),
                Secret::new("correct horse battery"),
                &origin,
            )
            .await
            .expect("an owner");
        let proxy = engine.proxy.clone();
        Self { engine, ada: new.member, proxy, _folder: folder }
    }

    /// Shows that a call lives almost at once.
    pub fn impatient(mut self) -> Self {
        self.replace_proxy(|patience| patience.silence = Duration::from_millis(5));
        self
    }

    /// Puts a new proxy in the place of the old one, as a restart does.
    pub fn replace_proxy(&mut self, change: impl FnOnce(&mut Patience)) {
        let Parts {
            identity,
            presets,
            sources,
            quota,
            once,
            audit,
            changes,
            clock,
            vault,
            analyses,
            store,
            ..
        } = &*self.engine;
        let replicas = Replicas::new(ReplicaParts {
            store: store.clone(),
            changes: changes.clone(),
            clock: clock.clone(),
            keys: vault.derive(crate::replicas::KEY_PURPOSE),
        });
        let parts = ProxyParts {
            identity: identity.clone(),
            presets: presets.clone(),
            sources: sources.clone(),
            quota: quota.clone(),
            once: once.clone(),
            audit: audit.clone(),
            analyst: Arc::new(analyses.clone()),
            changes: changes.clone(),
            replicas: replicas.expect("random bytes"),
            clock: clock.clone(),
            keys: vault.derive(crate::proxy::KEY_PURPOSE),
        };
        let mut proxy = Proxy::new(parts, ProxySettings::default());
        change(&mut Arc::get_mut(&mut proxy.0).expect("nobody else has it yet").patience);
        self.proxy = proxy;
    }

    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Opens an engine whose preset `tools` publishes everything of one scripted source.
    pub async fn with_source(era: Era) -> (Self, Scripted) {
        let door = Self::open().await;
        let scripted = Scripted::start(era).await;
        let selection = door.add_source("scripted", &scripted).await;
        door.add_preset("tools", Visibility::Private, false, vec![selection]).await;
        (door, scripted)
    }

    /// Adds a source and returns a selection of all its tools.
    pub async fn add_source(&self, name: &str, scripted: &Scripted) -> Selection {
        let url = Url::parse(&format!("http://{}/mcp", scripted.address)).expect("a URL");
        let new = NewSource {
            tunnel: None,
            ca_certificates: None,
            name: SourceName::parse(name).expect("a name"),
            reach: Reach::McpHttp { url },
            credential: Credential::default(),
            era: EraSetting::Auto,
            runs_as: crate::model::RunsAs::default(),
            enabled: true,
        };
        let added = self.engine.sources.add(&self.ada, new).await.expect("a source");
        assert!(added.report.passed(), "{:?}", added.report.steps);
        Selection::all_tools(added.source.id)
    }

    pub async fn add_preset(
        &self,
        slug: &str,
        visibility: Visibility,
        anonymous: bool,
        selections: Vec<Selection>,
    ) -> Preset {
        let new = NewPreset {
            rules: CallRules::default(),
            slug: Slug::parse(slug).expect("a slug"),
            title: "Tools".into(),
            description: "For tests".into(),
            visibility,
            anonymous,
            expires_at: None,
            selections,
        };
        self.engine.presets.add(&self.ada, new).await.expect("a preset")
    }

    /// Makes an API key of ada's.
    pub async fn key(&self, scope: KeyScope) -> String {
        self.key_of(&self.ada, scope).await.1
    }

    pub async fn key_of(&self, member: &Member, scope: KeyScope) -> (crate::model::ApiKeyId, String) {
        let new = NewKey { name: "test".into(), scope, expires_at: None, rate: None };
        let (key, secret) = self.engine.identity.create_key(member, new).await.expect("a key");
        (key.id, secret.expose().to_owned())
    }

    /// Makes another account and returns its person.
    pub async fn stranger(&self) -> Arc<Member> {
        let permit = policy::may_administer(&self.ada).expect("ada manages");
        let new = NewUser {
            handle: Handle::parse("eve").expect("a handle"),
            email: Email::parse("eve@example.org").expect("an address"),
            password: Secret::new("correct horse battery"),
            role: InstanceRole::Member,
            plan: None,
        };
        self.engine.identity.add_user(&permit, new).await.expect("an account");
        let handle = Handle::parse("eve").expect("a handle");
        self.engine.identity.at_the_shell(&handle).await.expect("a store").expect("the account")
    }

    /// Makes a request and returns the answer before its body was read.
    pub async fn send(&self, ask: &Ask) -> ProxyAnswer {
        let request = ProxyRequest {
            owner: &ask.owner,
            slug: &ask.slug,
            method: &ask.method,
            headers: &ask.headers,
            body: Bytes::from(ask.body.clone()),
            address: IpAddr::from([127, 0, 0, 1]),
            request_id: "r1",
            stays: false,
        };
        self.proxy.answer(request).await
    }

    /// Makes a request and reads the answer.
    pub async fn ask(&self, ask: &Ask) -> Got {
        read(self.send(ask).await).await
    }

    /// Begins a legacy session of somebody who cannot be asked anything.
    pub async fn session(&self, key: &str, revision: &str) -> String {
        self.session_with(key, revision, json!({})).await
    }

    /// Begins a legacy session with these capabilities.
    pub async fn session_with(&self, key: &str, revision: &str, capabilities: Value) -> String {
        let params = json!({"protocolVersion":revision,"capabilities":capabilities,
            "clientInfo":{"name":"old","version":"1"}});
        let got = self.ask(&Ask::legacy(None, "initialize", params).key(key)).await;
        assert_eq!(got.status, StatusCode::OK, "{}", got.text);
        assert_eq!(got.answer()["result"]["protocolVersion"], revision);
        got.headers["mcp-session-id"].to_str().expect("visible").to_owned()
    }

    /// Returns the tool calls in the audit log, the oldest first.
    pub async fn events(&self) -> Vec<RunEvent> {
        self.engine.audit.flush().await;
        let filter = EventFilter { action: Some(crate::model::Action::ToolCall), ..EventFilter::default() };
        let mut events = self.engine.audit.search(&self.ada, &filter).await.expect("a store");
        events.reverse();
        events
    }

    /// Takes a tool out of a selection's plainness: says something of it.
    pub fn say(mut selection: Selection, tool: PresetTool) -> Selection {
        selection.tools.push(tool);
        selection
    }
}

/// The events of a stream as they come, comments left out.
pub struct Events {
    pieces: BoxStream<'static, Bytes>,
    decoder: Decoder,
    /// How many comments came.
    pub comments: usize,
}

impl Events {
    pub fn of(answer: ProxyAnswer) -> Self {
        assert_eq!(
            answer.headers.get("content-type").map(|kind| kind.as_bytes()),
            Some(&b"text/event-stream"[..])
        );
        let ProxyBody::Stream(pieces) = answer.body else { panic!("a stream") };
        Self { pieces, decoder: Decoder::new(1 << 20), comments: 0 }
    }

    /// Returns the next event; `None` at the end.
    pub async fn next(&mut self) -> Option<SseEvent> {
        loop {
            if let Some(event) = self.decoder.next_event().expect("small") {
                return Some(event);
            }
            let piece = self.pieces.next().await?;
            self.comments += usize::from(piece.starts_with(b":"));
            self.decoder.push(&piece).expect("small");
        }
    }

    /// Returns the next message; events without data are left out.
    pub async fn message(&mut self) -> Option<Value> {
        loop {
            let event = self.next().await?;
            if !event.data.is_empty() {
                return Some(serde_json::from_slice(&event.data).expect("JSON"));
            }
        }
    }
}

/// Reads an answer to its end.
pub async fn read(answer: ProxyAnswer) -> Got {
    let ProxyAnswer { status, headers, body } = answer;
    let bytes = match body {
        ProxyBody::Full(pieces) => pieces.whole().to_vec(),
        ProxyBody::Stream(pieces) => pieces.map(|piece| piece.to_vec()).concat().await,
    };
    let text = String::from_utf8(bytes).expect("text");
    let is_stream = headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
    let messages = if is_stream {
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).expect("JSON")).collect()
    } else {
        serde_json::from_str(&text).into_iter().collect()
    };
    Got { status, headers, messages, text }
}

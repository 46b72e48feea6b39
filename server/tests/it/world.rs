//! An installation for a test: the real routes over a temporary database, with three accounts.

use std::{net::SocketAddr, sync::Arc};

use axum::body::Body;
use doorward::{
    clock::Clock,
    engine::{Engine, EngineSettings},
    identity::{IdentitySettings, NewKey, NewUser, Origin, PasswordCost},
    model::{Credential, EraSetting, Handle, InstanceRole, KeyScope, Member, Reach, SourceId},
    policy::operator_at_the_shell,
    secret::Secret,
    sources::NewSource,
    upstream::{GuardProgram, UpstreamLimits},
};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use server::{
    config::Settings,
    door::{Answers as _, Door},
    state::{AppState, engine_settings},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// The password of every account.
pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) state: AppState,
    pub(crate) door: Door,
    pub(crate) folder: TempDir,
}

/// One of the people, with what they show to be recognised.
pub(crate) struct Person {
    pub(crate) member: Arc<Member>,
    pub(crate) cookie: String,
    pub(crate) key: String,
}

/// An answer that was read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl World {
    pub(crate) async fn open() -> Self {
        Self::with(&[]).await
    }

    /// Opens an installation with these variables beside its data folder.
    pub(crate) async fn with(variables: &[(&str, &str)]) -> Self {
        Self::at(Clock::system(), variables).await
    }

    /// Opens an installation where it is this time.
    pub(crate) async fn at(clock: Clock, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = ("DOORWARD_DATA_DIR".to_owned(), folder.path().join("data").display().to_string());
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = Settings::load(None, variables.chain([data])).unwrap().settings;
        let engine = Engine::open(quick(engine_settings(&settings)), clock).await.unwrap();
        engine.start();
        let state = AppState::new(engine.clone(), settings, CancellationToken::new());
        Self { engine, door: Door::new(state.clone()), state, folder }
    }

    /// Makes an account and signs it in.
    pub(crate) async fn person(&self, handle: &str, role: InstanceRole) -> Person {
        let identity = &self.engine.identity;
        let new = NewUser {
            handle: Handle::parse(handle).unwrap(),
            email: format!("{handle}@example.org").parse_email(),
            password: Secret::new(PASSWORD),
            role,
            plan: None,
        };
        identity.add_user(&operator_at_the_shell(), new).await.unwrap();
        let session = identity.sign_in(handle, Secret::new(PASSWORD), &origin()).await.unwrap();
        let new = NewKey { name: "test".into(), scope: KeyScope::Everything, expires_at: None, rate: None };
        let (_, key) = identity.create_key(&session.member, new).await.unwrap();
        Person {
            cookie: format!("doorward={}", session.cookie.expose()),
            member: session.member,
            key: key.expose().to_owned(),
        }
    }

    /// Gives somebody a source that is switched off, so that nothing is asked of the network.
    pub(crate) async fn source(&self, owner: &Member, name: &str) -> SourceId {
        let new = NewSource {
            tunnel: None,
            ca_certificates: None,
            name: doorward::model::SourceName::parse(name).unwrap(),
            reach: Reach::McpHttp { url: "http://127.0.0.1:9/mcp".parse().unwrap() },
            credential: Credential::default(),
            era: EraSetting::Auto,
            runs_as: doorward::model::RunsAs::default(),
            enabled: false,
        };
        self.engine.sources.add(owner, new).await.unwrap().source.id
    }

    /// Sends a request and reads its answer. Streams are not for this.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.open_request(request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// Sends a request and returns its answer as it comes.
    pub(crate) async fn open_request(&self, request: Request<Body>) -> Response<Body> {
        let peer: SocketAddr = "127.0.0.1:50000".parse().unwrap();
        self.door.answer(peer, request).await.map(Body::new)
    }

    /// Asks as a browser of nobody does.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path).body(Body::empty()).unwrap()).await
    }

    /// Asks the REST API with a key.
    pub(crate) async fn api(
        &self,
        person: &Person,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let request = request(method, path).header(header::AUTHORIZATION, format!("Bearer {}", person.key));
        let request = match body {
            Some(body) => {
                request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string()))
            }
            None => request.body(Body::empty()),
        };
        self.send(request.unwrap()).await
    }
}

/// Says that something comes from nowhere in particular.
pub(crate) fn origin() -> Origin {
    Origin { address: [127, 0, 0, 1].into(), user_agent: "test".into(), request: None }
}

/// Begins a request to a name of ours.
pub(crate) fn request(method: Method, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header(header::HOST, "localhost:8080")
}

/// Passwords are hashed quickly and processes are not guarded, since the test is not the program.
fn quick(settings: EngineSettings) -> EngineSettings {
    let password_cost = PasswordCost { memory_kib: 64, passes: 1, lanes: 1 };
    EngineSettings {
        identity: IdentitySettings { password_cost, ..settings.identity },
        upstream: UpstreamLimits { guard: GuardProgram::None, ..settings.upstream },
        ..settings
    }
}

trait ParseEmail {
    fn parse_email(&self) -> doorward::model::Email;
}

impl ParseEmail for String {
    fn parse_email(&self) -> doorward::model::Email {
        doorward::model::Email::parse(self).unwrap()
    }
}

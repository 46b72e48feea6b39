//! An installation for a while: the real routes over a database that nobody else uses.

use std::{net::SocketAddr, sync::Arc};

use axum::body::Body;
use doorward::{
    clock::Clock,
    engine::{Engine, EngineSettings},
    identity::{IdentitySettings, NewKey, NewUser, Origin, PasswordCost},
    model::{Email, Handle, InstanceRole, KeyScope, Member},
    policy::operator_at_the_shell,
    secret::Secret,
    upstream::{GuardProgram, UpstreamLimits},
};
use http::{Method, Request, Response, header};
use tokio_util::sync::CancellationToken;

use super::Failed;
use crate::{
    config::Settings,
    door::{Answers as _, Door},
    state::{AppState, engine_settings},
};

/// Where the installation is.
pub const BASE: &str = "http://localhost:8080";
/// The password of every account.
pub const PASSWORD: &str = "correct horse battery";

/// An installation whose passwords are hashed quickly and whose processes are not guarded; cheap to clone.
#[derive(Clone)]
pub struct Scratch {
    /// The engine.
    pub engine: Engine,
    /// The state of its routes.
    pub state: AppState,
    /// What its listener would hand requests to.
    pub door: Door,
}

/// One of the people, with what they show to be recognised.
pub struct Person {
    /// Who that is, and in which organisation they act.
    pub member: Arc<Member>,
    /// The cookie of a browser session.
    pub cookie: String,
    /// An API key that reaches everything of theirs.
    pub key: String,
}

impl Scratch {
    /// Opens an installation where it is this time, and starts what works in the background.
    pub async fn open(settings: Settings, clock: Clock) -> Result<Self, Failed> {
        let engine = Engine::open(quick(engine_settings(&settings)), clock).await?;
        engine.start();
        let state = AppState::new(engine.clone(), settings, CancellationToken::new());
        Ok(Self { engine, door: Door::new(state.clone()), state })
    }

    /// Makes an account and signs it in.
    pub async fn person(&self, handle: &str, role: InstanceRole) -> Result<Person, Failed> {
        let identity = &self.engine.identity;
        let new = NewUser {
            handle: Handle::parse(handle)?,
            email: Email::parse(&format!("{handle}@example.org"))?,
            password: Secret::new(PASSWORD),
            role,
            plan: None,
        };
        identity.add_user(&operator_at_the_shell(), new).await?;
        let session = identity.sign_in(handle, Secret::new(PASSWORD), &origin()).await?;
        let new = NewKey { name: "test".into(), scope: KeyScope::Everything, expires_at: None, rate: None };
        let (_, key) = identity.create_key(&session.member, new).await?;
        Ok(Person {
            cookie: format!("{}={}", self.state.cookie_name(), session.cookie.expose()),
            member: session.member,
            key: key.expose().to_owned(),
        })
    }

    /// Sends a request and returns its answer as it comes.
    pub async fn open_request(&self, request: Request<Body>) -> Response<Body> {
        self.door.answer(SocketAddr::from(([127, 0, 0, 1], 50_000)), request).await.map(Body::new)
    }
}

/// Says that something comes from nowhere in particular.
pub fn origin() -> Origin {
    Origin { address: [127, 0, 0, 1].into(), user_agent: "test".into(), request: None }
}

/// Begins a request to a name of ours.
pub fn request(method: Method, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header(header::HOST, "localhost:8080")
}

/// Makes a request to the REST API with somebody's key.
pub fn call(
    person: Option<&Person>,
    method: Method,
    path: &str,
    body: String,
) -> http::Result<Request<Body>> {
    let request = request(method, path)
        .header(header::CONTENT_TYPE, "application/json")
        // Without a browser's word and without a key a change is refused before anything else.
        .header("sec-fetch-site", "same-origin");
    match person {
        Some(person) => request.header(header::AUTHORIZATION, format!("Bearer {}", person.key)),
        None => request,
    }
    .body(Body::from(body))
}

/// Makes a request as somebody's browser does.
pub fn browse(
    person: Option<&Person>,
    method: Method,
    path: &str,
    fields: String,
) -> http::Result<Request<Body>> {
    let request = request(method, path)
        .header(header::ACCEPT, "text/html")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::REFERER, format!("{BASE}/"))
        .header("sec-fetch-site", "same-origin");
    match person {
        Some(person) => request.header(header::COOKIE, &person.cookie),
        None => request,
    }
    .body(Body::from(fields))
}

fn quick(settings: EngineSettings) -> EngineSettings {
    let password_cost = PasswordCost { memory_kib: 64, passes: 1, lanes: 1 };
    EngineSettings {
        identity: IdentitySettings { password_cost, ..settings.identity },
        upstream: UpstreamLimits { guard: GuardProgram::None, ..settings.upstream },
        ..settings
    }
}

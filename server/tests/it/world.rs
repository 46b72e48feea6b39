//! An installation for a test: the real routes over a temporary database, with three accounts.

use axum::body::Body;
use doorward::{
    clock::Clock,
    engine::Engine,
    model::{Credential, EraSetting, InstanceRole, Member, Reach, SourceId},
    sources::NewSource,
};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use server::{config::Settings, isolation::Scratch, state::AppState};
use tempfile::TempDir;

pub(crate) use server::isolation::{PASSWORD, Person, origin, request};

pub(crate) struct World {
    pub(crate) scratch: Scratch,
    pub(crate) engine: Engine,
    pub(crate) state: AppState,
    pub(crate) folder: TempDir,
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
        let scratch = Scratch::open(settings, clock).await.unwrap();
        let Scratch { engine, state, .. } = scratch.clone();
        Self { scratch, engine, state, folder }
    }

    /// Makes an account and signs it in.
    pub(crate) async fn person(&self, handle: &str, role: InstanceRole) -> Person {
        self.scratch.person(handle, role).await.unwrap()
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
        let (parts, body) = self.open_request(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// Sends a request and returns its answer as it comes.
    pub(crate) async fn open_request(&self, request: Request<Body>) -> Response<Body> {
        self.scratch.open_request(request).await
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

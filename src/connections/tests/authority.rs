//! A source that wants to be signed in to, and its issuer, over a real socket. What they say can be
//! changed, and everything they are sent is kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Form, Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use crate::{oauth::Arrival, secret::Secret};

#[derive(Clone)]
pub(super) struct Authority {
    pub(super) origin: String,
    state: Arc<Mutex<Play>>,
}

/// What is said, and what was heard.
#[derive(Default)]
pub(super) struct Play {
    /// Members put over the source's own metadata, and the issuer's.
    pub(super) resource: Value,
    pub(super) metadata: Value,
    /// What the token endpoint answers instead of tokens.
    pub(super) refusal: Option<(u16, Value)>,
    /// How long tokens last, in seconds.
    pub(super) lasts: u64,
    /// What was sent to the token endpoint.
    pub(super) asked: Vec<BTreeMap<String, String>>,
    /// How many clients were registered.
    pub(super) registered: usize,
    /// Every `Authorization` that the source was sent.
    pub(super) shown: Vec<String>,
    /// The tokens that the source takes, and the refresh token that works.
    pub(super) good: BTreeSet<String>,
    pub(super) refresh: String,
    /// The challenge that each code has to be redeemed for.
    codes: BTreeMap<String, String>,
    given: usize,
}

impl Authority {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let play = Play { lasts: 3600, ..Play::default() };
        let this = Self { origin, state: Arc::new(Mutex::new(play)) };
        let routes = Router::new()
            .route("/mcp", post(source))
            .route("/.well-known/oauth-protected-resource/mcp", get(resource))
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .route("/register", post(register))
            .route("/token", post(token))
            .with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        this
    }

    pub(super) fn url(&self) -> Url {
        Url::parse(&format!("{}/mcp", self.origin)).unwrap()
    }

    pub(super) fn play(&self) -> MutexGuard<'_, Play> {
        self.state.lock().unwrap()
    }

    /// Signs somebody in who comes to the authorization endpoint, and sends them back.
    pub(super) fn authorize(&self, departure: &Url) -> Arrival {
        assert_eq!(departure.path(), "/authorize");
        let query: BTreeMap<String, String> = departure.query_pairs().into_owned().collect();
        assert_eq!(query["code_challenge_method"], "S256");
        assert_eq!(query["resource"], self.url().as_str());
        let mut play = self.play();
        let code = format!("code-{}", play.codes.len() + 1);
        play.codes.insert(code.clone(), query["code_challenge"].clone());
        Arrival {
            code: Some(Secret::new(code)),
            state: Some(Secret::new(&*query["state"])),
            iss: Some(self.origin.clone()),
            ..Arrival::default()
        }
    }
}

fn over(mut said: Value, members: &Value) -> Value {
    for (name, value) in members.as_object().into_iter().flatten() {
        said[name] = value.clone();
    }
    said
}

async fn resource(State(at): State<Authority>) -> Json<Value> {
    let said = json!({
        "resource": at.url(), "authorization_servers": [at.origin], "scopes_supported": ["read", "write"],
    });
    Json(over(said, &at.play().resource))
}

async fn metadata(State(at): State<Authority>) -> Json<Value> {
    let to = |path: &str| format!("{}{path}", at.origin);
    let said = json!({
        "issuer": at.origin,
        "authorization_endpoint": to("/authorize"),
        "token_endpoint": to("/token"),
        "registration_endpoint": to("/register"),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "none"],
        "authorization_response_iss_parameter_supported": true,
    });
    Json(over(said, &at.play().metadata))
}

async fn register(State(at): State<Authority>, Json(wanted): Json<Value>) -> Response {
    assert_eq!(wanted["redirect_uris"], json!(["http://127.0.0.1:8080/connections/callback"]));
    let mut play = at.play();
    play.registered += 1;
    let said =
        over(wanted, &json!({ "client_id": format!("c{}", play.registered), "client_secret": "s3cret" }));
    (StatusCode::CREATED, Json(said)).into_response()
}

async fn token(State(at): State<Authority>, Form(form): Form<BTreeMap<String, String>>) -> Response {
    let mut play = at.play();
    play.asked.push(form.clone());
    if let Some((status, said)) = &play.refusal {
        return (StatusCode::from_u16(*status).unwrap(), Json(said.clone())).into_response();
    }
    let refuse = |code: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": code }))).into_response();
    if form.get("client_secret").is_none_or(|secret| secret != "s3cret") {
        return refuse("invalid_client");
    }
    let is_good = match form["grant_type"].as_str() {
        "authorization_code" => {
            let challenge = play.codes.remove(&form["code"]);
            challenge == Some(URL_SAFE_NO_PAD.encode(Sha256::digest(form["code_verifier"].as_bytes())))
        }
        // Each works once.
        _ => form["refresh_token"] == play.refresh,
    };
    if !is_good {
        return refuse("invalid_grant");
    }
    play.given += 1;
    let (access, refresh) = (format!("access-{}", play.given), format!("refresh-{}", play.given));
    play.good.insert(access.clone());
    play.refresh.clone_from(&refresh);
    Json(json!({
        "access_token": access, "token_type": "Bearer", "expires_in": play.lasts, "refresh_token": refresh,
    }))
    .into_response()
}

async fn source(State(at): State<Authority>, headers: HeaderMap, Json(message): Json<Value>) -> Response {
    let mut play = at.play();
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    play.shown.push(shown.to_owned());
    if !shown.strip_prefix("Bearer ").is_some_and(|token| play.good.contains(token)) {
        let place = format!("{}/.well-known/oauth-protected-resource/mcp", at.origin);
        let challenge = format!(r#"Bearer resource_metadata="{place}", scope="read""#);
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)]).into_response();
    }
    let result = match message["method"].as_str().unwrap_or_default() {
        "initialize" => json!({
            "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
            "serverInfo": { "name": "guarded", "version": "1" },
        }),
        "tools/list" => json!({ "tools": [{ "name": "echo", "inputSchema": { "type": "object" } }] }),
        "tools/call" => json!({ "content": [{ "type": "text", "text": shown }] }),
        _ if message.get("id").is_none() => return StatusCode::ACCEPTED.into_response(),
        _ => {
            let error = json!({ "code": -32601, "message": "Method not found" });
            return Json(json!({ "jsonrpc": "2.0", "id": message["id"], "error": error })).into_response();
        }
    };
    Json(json!({ "jsonrpc": "2.0", "id": message["id"], "result": result })).into_response()
}

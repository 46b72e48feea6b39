//! Signing in to a source, as a browser and an agent see it: the issuer is named before anybody goes
//! there, callers are told where to sign in, and no caller's own key ever reaches the source.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use doorward::model::InstanceRole;
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::{Value, json};
use url::Url;

use crate::{
    call::Call,
    world::{Answer, Person, World, request},
};

/// A source that wants to be signed in to, and its issuer.
#[derive(Clone)]
struct Guarded {
    origin: String,
    /// Every `Authorization` the source was sent.
    shown: Arc<Mutex<Vec<String>>>,
}

impl Guarded {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let this = Self { origin, shown: Arc::default() };
        let routes = Router::new()
            .route("/mcp", post(source))
            .route("/.well-known/oauth-protected-resource/mcp", get(resource))
            .route("/.well-known/oauth-authorization-server", get(issuer))
            .route("/register", post(async || (StatusCode::CREATED, Json(json!({ "client_id": "c" })))))
            .route("/token", post(async || Json(json!({ "access_token": "theirs", "token_type": "Bearer" }))))
            .with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        this
    }
}

async fn resource(State(at): State<Guarded>) -> Json<Value> {
    Json(json!({ "resource": format!("{}/mcp", at.origin), "authorization_servers": [at.origin] }))
}

async fn issuer(State(at): State<Guarded>) -> Json<Value> {
    let to = |path: &str| format!("{}{path}", at.origin);
    Json(json!({
        "issuer": at.origin, "authorization_endpoint": to("/authorize"), "token_endpoint": to("/token"),
        "registration_endpoint": to("/register"), "code_challenge_methods_supported": ["S256"],
    }))
}

async fn source(State(at): State<Guarded>, headers: HeaderMap, Json(message): Json<Value>) -> Response {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    at.shown.lock().unwrap().push(shown.to_owned());
    if shown != "Bearer theirs" {
        let place =
            format!(r#"Bearer resource_metadata="{}/.well-known/oauth-protected-resource/mcp""#, at.origin);
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, place)]).into_response();
    }
    let result = match message["method"].as_str().unwrap_or_default() {
        "initialize" => json!({
            "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
            "serverInfo": { "name": "guarded", "version": "1" },
        }),
        "tools/list" => json!({ "tools": [{ "name": "echo", "inputSchema": { "type": "object" } }] }),
        "tools/call" => json!({ "content": [{ "type": "text", "text": "done" }] }),
        _ if message.get("id").is_none() => return StatusCode::ACCEPTED.into_response(),
        _ => {
            let error = json!({ "code": -32601, "message": "Method not found" });
            return Json(json!({ "jsonrpc": "2.0", "id": message["id"], "error": error })).into_response();
        }
    };
    Json(json!({ "jsonrpc": "2.0", "id": message["id"], "result": result })).into_response()
}

/// Asks as a browser does, and follows nothing.
async fn browse(world: &World, who: &Person, method: Method, path: &str, fields: &str) -> Answer {
    let request = request(method, path)
        .header(header::ACCEPT, "text/html")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::REFERER, "http://localhost:8080/")
        .header("sec-fetch-site", "same-origin")
        .header(header::COOKIE, &who.cookie);
    world.send(request.body(Body::from(fields.to_owned())).unwrap()).await
}

fn onward(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    answer.headers[header::LOCATION].to_str().unwrap().to_owned()
}

/// Signs in with a connection the way a person does, and returns the page that follows.
async fn sign_in(world: &World, who: &Person, at: &Guarded, connection: &str) -> String {
    let begun = browse(world, who, Method::POST, "/do/connections/begin", &format!("id={connection}")).await;
    let going = browse(world, who, Method::GET, &onward(&begun), "").await;
    assert_eq!(going.status, StatusCode::OK);
    let link = going.body.split("href=\"").find(|part| part.contains("response_type=code")).unwrap();
    let link = Url::parse(&link[..link.find('"').unwrap()].replace("&amp;", "&")).unwrap();
    assert_eq!(link.origin().ascii_serialization(), at.origin);
    assert!(going.body.contains(&format!("Continue to {}", link.host_str().unwrap())));
    let query: Vec<(String, String)> = link.query_pairs().into_owned().collect();
    let said = |name: &str| query.iter().find(|(key, _)| key == name).unwrap().1.clone();
    assert!(said("redirect_uri").ends_with("/connections/callback"));
    let callback = format!("/connections/callback?code=x&state={}", said("state"));
    let page = onward(&browse(world, who, Method::GET, &callback, "").await);
    // The same answer once more leads nowhere.
    assert_eq!(onward(&browse(world, who, Method::GET, &callback, "").await), "/connections");
    page
}

async fn scene(runs_as: &str) -> (World, Guarded, Person, String) {
    let (world, at) = (World::open().await, Guarded::start().await);
    let ada = world.person("ada", InstanceRole::Admin).await;
    let body = json!({
        "name": "guarded", "kind": "mcp_http", "url": format!("{}/mcp", at.origin), "auth": { "oauth": {} },
        "runs_as": runs_as,
    });
    let added = world.api(&ada, Method::POST, "/api/v1/datasources", Some(body)).await.json();
    assert_eq!(added["source"]["auth"], "oauth");
    assert_eq!(added["source"]["runs_as"], runs_as);
    let source = added["source"]["id"].as_str().unwrap();
    let preset =
        json!({ "slug": "tools", "visibility": "public", "sources": [{ "source": source, "all": true }] });
    assert_eq!(
        world.api(&ada, Method::POST, "/api/v1/presets", Some(preset)).await.status,
        StatusCode::CREATED
    );
    let listed = browse(&world, &ada, Method::GET, "/connections", "").await.body;
    assert!(listed.contains("Not signed in"));
    let connection = listed.split("/connections/").nth(1).unwrap()[..36].to_owned();
    (world, at, ada, connection)
}

#[tokio::test]
async fn a_source_is_signed_in_to_in_the_browser_and_called_without_the_callers_key() {
    let (world, at, ada, connection) = scene("owner").await;

    let page = sign_in(&world, &ada, &at, &connection).await;
    let shown = browse(&world, &ada, Method::GET, &page, "").await;
    let answer = world.send(Call::tool("echo", json!({})).key(&ada.key).request()).await;

    assert!(shown.body.contains("Works"), "{}", shown.body);
    assert_eq!(answer.tool_text(), ("done".to_owned(), false), "{}", answer.body);
    let shown = at.shown.lock().unwrap().clone();
    assert!(shown.iter().all(|shown| shown.is_empty() || shown == "Bearer theirs"), "{shown:?}");

    let fields = format!("id={connection}");
    browse(&world, &ada, Method::POST, "/do/connections/disconnect", &fields).await;
    let (text, is_error) =
        world.send(Call::tool("echo", json!({})).key(&ada.key).request()).await.tool_text();
    assert!(is_error && text.contains("has to be signed in to again"), "{text}");
}

#[tokio::test]
async fn a_caller_without_a_sign_in_of_their_own_is_sent_to_the_page_for_it() {
    let (world, at, ada, connection) = scene("caller").await;
    sign_in(&world, &ada, &at, &connection).await;
    let bob = world.person("bob", InstanceRole::Member).await;

    // In words, for those who cannot be sent anywhere.
    let (text, is_error) =
        world.send(Call::tool("echo", json!({})).key(&bob.key).request()).await.tool_text();
    assert!(is_error, "{text}");
    let own = text.split("/connections/").nth(1).unwrap()[..36].to_owned();

    // As a page to visit, for those who can: the call goes on afterwards.
    let able = json!({ "elicitation": { "url": {} } });
    let mut body: Value = serde_json::from_str(&Call::tool("echo", json!({})).body).unwrap();
    body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = able;
    let ask = |body: &Value| {
        let mut call = Call::tool("echo", json!({})).key(&bob.key);
        call.body = body.to_string();
        call.request()
    };
    let asked = world.send(ask(&body)).await.json();
    let question = &asked["result"]["inputRequests"];
    let (key, question) = question.as_object().unwrap().iter().next().unwrap();
    assert_eq!(question["params"]["mode"], "url");
    assert!(question["params"]["url"].as_str().unwrap().ends_with(&format!("/connections/{own}")), "{asked}");

    // Nobody else signs in with it.
    let fields = format!("id={own}");
    let stolen = browse(&world, &ada, Method::POST, "/do/connections/begin", &fields).await;
    assert!(!onward(&stolen).contains("/going/"));
    let refused = browse(&world, &ada, Method::GET, &format!("/connections/{own}"), "").await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    sign_in(&world, &bob, &at, &own).await;

    body["params"]["inputResponses"] = json!({ key: { "action": "accept" } });
    body["params"]["requestState"] = asked["result"]["requestState"].clone();
    let answer = world.send(ask(&body)).await;
    assert_eq!(answer.tool_text(), ("done".to_owned(), false), "{}", answer.body);
}

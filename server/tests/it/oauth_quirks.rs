//! What real clients do at the issuer in ways of their own: each test replays one of them.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::body::Body;
use http::{Method, StatusCode, header};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    call::Call,
    oauth_stage::{ALL, BASE, Stage, VERIFIER, location, parameter, query, tokens},
    world::{World, request},
};

#[tokio::test]
async fn a_loopback_redirect_is_registered_without_the_port_that_is_used() {
    let stage = Stage::open().await;
    let metadata = json!({
        "client_name": "Native", "token_endpoint_auth_method": "none", "application_type": "native",
        "redirect_uris": ["http://127.0.0.1/callback", "http://localhost/callback"],
    });
    let client = stage.register(metadata).await["client_id"].as_str().unwrap().to_owned();

    for uri in ["http://127.0.0.1:54321/callback", "http://localhost:1234/callback"] {
        let answer = stage.decide(&stage.ada, &query(&client, &[("redirect_uri", uri)]), "allow", ALL).await;
        assert!(location(&answer).starts_with(uri), "{}", location(&answer));
    }
}

#[tokio::test]
async fn a_client_that_registers_twice_goes_on_with_either() {
    let stage = Stage::open().await;
    let (one, two) = (stage.client().await, stage.client().await);

    let (first, _) = stage.sign_in(&stage.ada, &one).await;
    let (second, _) = stage.sign_in(&stage.ada, &two).await;

    assert_ne!(one, two);
    assert_eq!((stage.call(&first).await, stage.call(&second).await), (StatusCode::OK, StatusCode::OK));
}

#[tokio::test]
async fn a_hosted_connector_has_a_callback_of_its_own_and_is_not_asked_twice() {
    let stage = Stage::open().await;
    let callback = "https://chatgpt.com/connector/oauth/AbC-123_x";
    let metadata = json!({
        "client_name": "ChatGPT", "redirect_uris": [callback], "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], "contacts": ["x"],
    });
    let made = stage.register(metadata).await;
    let client = made["client_id"].as_str().unwrap();
    let query = query(client, &[("redirect_uri", callback)]);

    let first = stage.consent(Some(&stage.ada), &query).await;
    stage.decide(&stage.ada, &query, "allow", ALL).await;
    let again = stage.consent(Some(&stage.ada), &query).await;
    let others = stage.consent(Some(&stage.bob), &query).await;

    assert_eq!(made["redirect_uris"], json!([callback]));
    assert_eq!(first.status, StatusCode::OK);
    assert!(first.body.contains("chatgpt.com"));
    assert_eq!(again.status, StatusCode::SEE_OTHER);
    assert!(location(&again).starts_with(callback) && parameter(&location(&again), "code").is_some());
    // Somebody else is asked, and may not use the preset at all.
    assert_eq!(others.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_client_that_knows_the_root_only_is_given_the_preset_its_person_chooses() {
    let stage = Stage::open().await;
    let root = stage.world.get("/.well-known/oauth-protected-resource").await.json();
    assert_eq!((&root["resource"], &root["authorization_servers"]), (&json!(BASE), &json!([BASE])));
    let client = stage.client().await;

    for resource in ["", BASE, "http://localhost:8080/"] {
        let page = stage.consent(Some(&stage.ada), &query(&client, &[("resource", resource)])).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert!(page.body.contains("Which preset?"), "{}", page.body);
        let link = page.body.split("href=\"").find(|link| link.contains("resource=http")).unwrap();
        let link = link.split('"').next().unwrap().replace("&amp;", "&");
        let asked = link.split_once('?').unwrap().1;
        let answer = stage.decide(&stage.ada, asked, "allow", ALL).await;
        let code = parameter(&location(&answer), "code").unwrap();
        // At the token endpoint it says the same as before.
        let mut form: Vec<(&str, &str)> = vec![
            ("grant_type", "authorization_code"),
            ("client_id", &client),
            ("code", &code),
            ("code_verifier", VERIFIER),
        ];
        form.extend((!resource.is_empty()).then_some(("resource", resource)));
        let (access, _) = tokens(&stage.token(&form).await);
        assert_eq!(stage.call(&access).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn behind_a_proxy_everything_is_named_as_it_was_configured() {
    let world = World::with(&[("DOORWARD_PUBLIC_URL", "https://door.example.org")]).await;
    // The proxy speaks to the loopback address, and may or may not pass the name on.
    for host in ["door.example.org", "localhost:8080"] {
        let get = async |path: &str| {
            let request = http::Request::builder().uri(path).header(header::HOST, host);
            world.send(request.body(Body::empty()).unwrap()).await.json()
        };
        let preset = get("/.well-known/oauth-protected-resource/mcp/ada/tools/").await;
        let issuer = get("/.well-known/oauth-authorization-server").await;

        assert_eq!(preset["resource"], "https://door.example.org/mcp/ada/tools");
        assert_eq!(preset["authorization_servers"][0], issuer["issuer"]);
        assert_eq!(issuer["token_endpoint"], "https://door.example.org/oauth/token");
    }
}

#[tokio::test]
async fn without_a_configured_address_it_is_the_one_the_client_typed() {
    let stage = Stage::open().await;
    for host in ["127.0.0.1:8080", "localhost:9000"] {
        let mut refused = Call::tool("echo", json!({})).request();
        refused.headers_mut().insert(header::HOST, host.parse().unwrap());
        let answer = stage.world.send(refused).await;
        let challenge = answer.headers[header::WWW_AUTHENTICATE].to_str().unwrap();

        assert!(challenge.contains(&format!("resource_metadata=\"http://{host}/")), "{challenge}");
    }
}

#[tokio::test]
async fn scripts_of_any_page_may_register_and_get_tokens() {
    let stage = Stage::open().await;
    for (method, path) in [
        (Method::OPTIONS, "/oauth/token"),
        (Method::OPTIONS, "/.well-known/oauth-protected-resource/mcp/ada/tools"),
        (Method::GET, "/.well-known/oauth-authorization-server"),
        (Method::POST, "/oauth/token"),
        (Method::POST, "/oauth/register"),
    ] {
        let request = request(method, path)
            .header(header::ORIGIN, "https://inspector.example")
            .header("sec-fetch-site", "cross-site");
        let answer = stage.world.send(request.body(Body::empty()).unwrap()).await;

        assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*", "{path}");
        assert_ne!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.headers.get("access-control-allow-credentials").is_none(), "{path}");
    }
}

/// A client that is described at an address of its own. Counts how often it was asked.
async fn described(control: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let id = format!("http://{}/client.json", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let document = json!({
        "client_id": id, "client_name": "Described", "token_endpoint_auth_method": "none",
        "redirect_uris": ["http://127.0.0.1/callback"],
    });
    let counter = Arc::clone(&asked);
    let answer = async move || {
        counter.fetch_add(1, Ordering::SeqCst);
        ([(header::CACHE_CONTROL, control)], axum::Json(document.clone()))
    };
    let router = axum::Router::new().route("/client.json", axum::routing::get(answer)).route(
        "/moved.json",
        axum::routing::get(async || axum::response::Redirect::temporary("/client.json")),
    );
    tokio::spawn(async move { axum::serve(listener, router).await });
    (id, asked)
}

#[tokio::test]
async fn a_client_described_at_its_own_address_needs_no_registration() {
    let stage = Stage::open().await;
    let (client, asked) = described("max-age=600").await;

    assert_eq!(stage.consent(None, &query(&client, &[])).await.status, StatusCode::SEE_OTHER);
    assert_eq!(asked.load(Ordering::SeqCst), 0, "nobody who is not signed in makes us fetch");
    let page = stage.consent(Some(&stage.ada), &query(&client, &[])).await;
    let (access, refresh) = stage.sign_in(&stage.ada, &client).await;
    let (again, _) = tokens(&stage.refresh(&client, &refresh).await);

    assert!(page.body.contains("Described") && page.body.contains(&client), "{}", page.body);
    assert_eq!((stage.call(&access).await, stage.call(&again).await), (StatusCode::OK, StatusCode::OK));
    assert_eq!(asked.load(Ordering::SeqCst), 1, "it is remembered as long as it says");
    let moved = client.replace("client.json", "moved.json");
    assert_eq!(stage.consent(Some(&stage.ada), &query(&moved, &[])).await.status, StatusCode::BAD_REQUEST);
    let (forgetful, asked) = described("no-store").await;
    stage.consent(Some(&stage.ada), &query(&forgetful, &[])).await;
    stage.consent(Some(&stage.ada), &query(&forgetful, &[])).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

//! An MCP client signs in, each of its steps at another process.

use http::{Method, StatusCode};
use serde_json::json;

use super::scene::Scene;
use crate::{
    browser::{Browser, Site as _},
    call::Call,
    oauth_stage::{
        CALLBACK, TOOLS, VERIFIER, error, location, parameter, post_form, post_json, query, tokens,
    },
    running::{Door, Running, until},
    world::request,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_signs_in_refreshes_and_calls_each_at_another_and_a_stolen_token_ends_it_at_all() {
    let Some(scene) = Scene::start().await else { return };
    let running = scene.serve_all().await;
    let doors: Vec<Door> = running.iter().map(Running::door).collect();
    let [first, second, third] = &doors[..] else { panic!("three") };
    let get = |path: &str| request(Method::GET, path).body(String::new().into()).unwrap();

    let refused = first.answer(Call::tool("echo", json!({})).request()).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let resource = second.answer(get("/.well-known/oauth-protected-resource/mcp/ada/tools")).await.json();
    assert_eq!(resource["resource"], TOOLS);
    let issuer = third.answer(get("/.well-known/oauth-authorization-server")).await.json();
    assert_eq!(resource["authorization_servers"][0], issuer["issuer"]);

    let metadata = json!({
        "client_name": "Test client", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none",
    });
    let client = post_json(first, "/oauth/register", &metadata).await.json()["client_id"].clone();
    let client = client.as_str().unwrap();
    let asked = query(client, &[]);
    let mut browser = Browser::new(second);
    browser.sign_in("ada").await;
    browser.go_to(third);
    let page = browser.get(&format!("/oauth/authorize?{asked}")).await;
    assert!(page.body.contains("Test client"), "{}", page.body);
    browser.go_to(first);
    let fields = [("request", asked.as_str()), ("decision", "allow"), ("tools[]", "echo")];
    let code = parameter(&location(&browser.post("/do/consent", &fields).await), "code").unwrap();

    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("resource", TOOLS),
    ];
    let (access, refresh) = tokens(&post_form(second, "/oauth/token", &form).await);
    let call = async |door: &Door, token: &str| {
        door.answer(Call::tool("echo", json!({})).key(token).request()).await.status
    };
    assert_eq!(call(third, &access).await, StatusCode::OK);
    assert_eq!(error(&post_form(third, "/oauth/token", &form).await), "invalid_grant", "a code works once");

    // Using the code a second time has ended that sign-in everywhere; another one begins.
    for door in &doors {
        until("it ends", async || call(door, &access).await == StatusCode::UNAUTHORIZED).await;
    }
    let renew = async |door: &Door, token: &str| {
        let form = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
        post_form(door, "/oauth/token", &form).await
    };
    assert_eq!(error(&renew(first, &refresh).await), "invalid_grant");
    browser.go_to(second);
    let code = parameter(&location(&browser.post("/do/consent", &fields).await), "code").unwrap();
    let mut form = form;
    form[2].1 = &code;
    let (_, refresh) = tokens(&post_form(third, "/oauth/token", &form).await);

    let (_, again) = tokens(&renew(first, &refresh).await);
    let (access, newest) = tokens(&renew(second, &again).await);
    for door in &doors {
        assert_eq!(call(door, &access).await, StatusCode::OK);
    }
    // The first one was used long ago: whoever shows it again has stolen it.
    scene.cluster.execute_in("doorward", "update oauth_tokens set used_at = used_at - 60000").await;
    assert_eq!(error(&renew(third, &refresh).await), "invalid_grant");
    for door in &doors {
        until("it ends", async || call(door, &access).await == StatusCode::UNAUTHORIZED).await;
        assert_eq!(error(&renew(door, &newest).await), "invalid_grant");
    }
    for replica in running {
        replica.stop().await;
    }
}

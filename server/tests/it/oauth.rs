//! The issuer as MCP clients meet it: from the refusal of the first call to the tokens, and back.

use axum::body::Body;
use base64::Engine as _;
use doorward::{identity::NewKey, model::KeyScope};
use http::{Method, StatusCode, header};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::{
    call::Call,
    oauth_stage::{
        ALL, BASE, CALLBACK, Stage, TOOLS, VERIFIER, error, location, parameter, post_form, post_json, query,
        tokens,
    },
    world::request,
};

#[tokio::test]
async fn a_client_finds_everything_from_the_refusal_of_its_first_call() {
    let stage = Stage::open().await;

    let refused = stage.world.send(Call::tool("echo", json!({})).request()).await;
    let challenge = refused.headers[header::WWW_AUTHENTICATE].to_str().unwrap().to_owned();
    let metadata = challenge.split_once("resource_metadata=\"").unwrap().1.split_once('"').unwrap().0;
    let resource = stage.world.get(metadata.strip_prefix(BASE).unwrap()).await.json();
    let issuer = resource["authorization_servers"][0].as_str().unwrap().to_owned();
    let found = stage.world.get("/.well-known/oauth-authorization-server").await.json();

    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(challenge.contains("scope=\"mcp:tools mcp:resources mcp:prompts\""), "{challenge}");
    assert_eq!(resource["resource"], TOOLS);
    assert_eq!((issuer.as_str(), &found["issuer"]), (BASE, &json!(BASE)));
    assert_eq!(found["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(found["authorization_response_iss_parameter_supported"], true);
    assert_eq!(found["client_id_metadata_document_supported"], true);
    assert_eq!(stage.world.get("/.well-known/openid-configuration").await.json(), found);
    for endpoint in
        ["authorization_endpoint", "token_endpoint", "registration_endpoint", "revocation_endpoint"]
    {
        assert!(found[endpoint].as_str().unwrap().starts_with(BASE), "{endpoint}");
    }
}

#[tokio::test]
async fn a_preset_that_is_not_there_is_described_like_one_that_is() {
    let stage = Stage::open().await;
    let describe = async |path: &str| {
        let answer = stage.world.send(Call::tool("echo", json!({})).at(path).request()).await;
        let metadata = stage.world.get(&format!("/.well-known/oauth-protected-resource{path}")).await;
        let text =
            format!("{:?} {} {}", answer.headers[header::WWW_AUTHENTICATE], answer.body, metadata.body);
        text.replace(path, "PATH")
    };

    assert_eq!(describe("/mcp/ada/tools").await, describe("/mcp/nobody/nothing").await);
}

#[tokio::test]
async fn a_person_signs_in_first_and_comes_back_to_what_was_asked() {
    let stage = Stage::open().await;
    let client = stage.client().await;
    let query = query(&client, &[]);

    let sent = stage.consent(None, &query).await;
    let page = stage.consent(Some(&stage.ada), &query).await;

    let to = Url::parse(BASE).unwrap().join(&location(&sent)).unwrap();
    assert_eq!((sent.status, to.path()), (StatusCode::SEE_OTHER, "/sign-in"));
    let next = to.query_pairs().find(|(name, _)| name == "next").unwrap().1.into_owned();
    assert_eq!(next, format!("/oauth/authorize?{query}"));
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    for part in ["Test client", "a program on this computer (127.0.0.1)", "/mcp/ada/tools", "echo", "strict"]
    {
        assert!(page.body.contains(part), "{part} is not on the page");
    }
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("form-action 'self' http://127.0.0.1:33418"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.headers.get_all(header::CONTENT_SECURITY_POLICY).iter().count(), 1);
}

#[tokio::test]
async fn what_was_agreed_to_is_called_in_the_persons_name() {
    let stage = Stage::open().await;
    let client = stage.client().await;

    let answer = stage.decide(&stage.ada, &query(&client, &[]), "allow", ALL).await;
    let to = location(&answer);
    let given = stage.redeem(&client, &parameter(&to, "code").unwrap()).await;
    let (access, _) = tokens(&given);
    let called = stage.world.send(Call::tool("echo", json!({"n": 1})).key(&access).request()).await;

    assert!(to.starts_with(CALLBACK), "{to}");
    assert_eq!(parameter(&to, "state").as_deref(), Some("the-state"));
    assert_eq!(parameter(&to, "iss").as_deref(), Some(BASE));
    assert_eq!(given.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(given.json()["token_type"], "Bearer");
    assert_eq!(called.tool_text(), ("{\"n\":1}".to_owned(), false));
    stage.world.engine.audit.flush().await;
    let events = stage.world.engine.audit.search(&stage.ada.member, &Default::default()).await.unwrap();
    let call = events.iter().find(|event| event.action == doorward::model::Action::ToolCall).unwrap();
    assert_eq!((call.principal.as_str(), call.user), ("ada", Some(stage.ada.member.user)));
    assert_eq!(stage.world.engine.quota.usage(stage.ada.member.user).await.unwrap().used, 1);
    // And the source never sees the token.
    assert!(stage.source.heads().iter().all(|head| head.get(header::AUTHORIZATION).is_none()));
}

#[tokio::test]
async fn a_warm_token_reads_no_database() {
    let stage = Stage::open().await;
    let client = stage.client().await;
    let (access, _) = stage.sign_in(&stage.ada, &client).await;
    let identity = &stage.world.engine.identity;
    identity.authenticate_bearer(&access).await.unwrap();
    stage.world.engine.store.close().await;

    for _ in 0..100 {
        assert!(identity.authenticate_bearer(&access).await.is_ok());
    }
}

#[tokio::test]
async fn a_client_lists_and_calls_the_tools_that_were_ticked_and_no_other() {
    let stage = Stage::open().await;
    let client = stage.client().await;
    let answer = stage.decide(&stage.ada, &query(&client, &[]), "allow", &["echo", "no-such-tool"]).await;
    let code = parameter(&location(&answer), "code").unwrap();
    let (access, _) = tokens(&stage.redeem(&client, &code).await);

    let list = stage.world.send(Call::modern("tools/list", json!({})).key(&access).request()).await.json();
    let other = stage.world.send(Call::tool("strict", json!({"n": 1})).key(&access).request()).await;
    let missing = stage.world.send(Call::tool("no-such-tool", json!({})).key(&access).request()).await;
    let page = stage.consent(Some(&stage.ada), &query(&client, &[])).await.body;

    let names: Vec<_> =
        list["result"]["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["echo"]);
    assert_eq!(stage.call(&access).await, StatusCode::OK);
    assert_eq!(other.status, missing.status);
    assert_eq!(other.body.replace("strict", "no-such-tool"), missing.body);
    assert!(stage.source.calls().len() == 1);
    // The page remembers it.
    assert_eq!(page.matches("checked").count(), 1, "{page}");
}

#[tokio::test]
async fn a_client_that_asked_for_tools_only_is_told_what_to_ask_for_more() {
    let stage = Stage::open().await;
    let client = stage.client().await;
    let narrow = query(&client, &[("scope", "mcp:tools offline_access")]);
    let answer = stage.decide(&stage.ada, &narrow, "allow", ALL).await;
    let given = stage.redeem(&client, &parameter(&location(&answer), "code").unwrap()).await;
    let (access, _) = tokens(&given);

    let refused = stage.world.send(Call::modern("resources/list", json!({})).key(&access).request()).await;
    let challenge = refused.headers[header::WWW_AUTHENTICATE].to_str().unwrap().to_owned();
    // The client asks for what it was told, and is then let in.
    let more = query(&client, &[("scope", "mcp:tools mcp:resources")]);
    stage.decide(&stage.ada, &more, "allow", ALL).await;
    let let_in = stage.world.send(Call::modern("resources/list", json!({})).key(&access).request()).await;

    assert_eq!(given.json()["scope"], "mcp:tools");
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
    assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    assert!(challenge.contains("scope=\"mcp:tools mcp:resources\""), "{challenge}");
    assert!(challenge.contains("resource_metadata="), "{challenge}");
    assert_eq!(let_in.status, StatusCode::OK, "{}", let_in.body);
}

#[tokio::test]
async fn what_is_taken_back_is_refused_on_the_next_call() {
    let stage = Stage::open().await;
    let client = stage.client().await;
    let engine = &stage.world.engine;
    let preset = format!("/api/v1/presets/{}", stage.preset);
    let edit = async |mut change: Value| {
        let now = stage.world.api(&stage.ada, Method::GET, &preset, None).await.json();
        change["version"] = now["version"].clone();
        let done = stage.world.api(&stage.ada, Method::PATCH, &preset, Some(change)).await;
        assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    };

    // A grant.
    let (access, refresh) = stage.sign_in(&stage.ada, &client).await;
    assert_eq!(stage.call(&access).await, StatusCode::OK);
    let grant = engine.issuer.grants(&stage.ada.member).await.unwrap().remove(0).grant.id;
    assert!(!engine.issuer.revoke_grant(&stage.bob.member, grant).await.unwrap());
    assert_eq!(stage.call(&access).await, StatusCode::OK);
    assert!(engine.issuer.revoke_grant(&stage.ada.member, grant).await.unwrap());
    assert_eq!(stage.call(&access).await, StatusCode::UNAUTHORIZED);
    assert_eq!(error(&stage.refresh(&client, &refresh).await), "invalid_grant");

    // The right of a stranger to use the preset.
    edit(json!({"visibility": "public"})).await;
    let (access, _) = stage.sign_in(&stage.bob, &client).await;
    assert_eq!(stage.call(&access).await, StatusCode::OK);
    edit(json!({"visibility": "private"})).await;
    assert_eq!(stage.call(&access).await, StatusCode::UNAUTHORIZED);

    // The preset.
    let (access, _) = stage.sign_in(&stage.ada, &client).await;
    assert_eq!(stage.call(&access).await, StatusCode::OK);
    edit(json!({"status": "disabled"})).await;
    assert_eq!(stage.call(&access).await, StatusCode::UNAUTHORIZED);
    edit(json!({"status": "active"})).await;
    assert_eq!(stage.call(&access).await, StatusCode::OK);

    // The account.
    let off = doorward::identity::UserChange { enabled: Some(false), ..Default::default() };
    let operator = doorward::policy::operator_at_the_shell();
    engine.identity.update_user(&operator, stage.ada.member.user, off).await.unwrap();
    assert_eq!(stage.call(&access).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_client_gives_its_tokens_back() {
    let stage = Stage::open().await;
    let client = stage.client().await;
    let other = stage.client().await;
    let (access, refresh) = stage.sign_in(&stage.ada, &client).await;
    let revoke = async |client: &str, token: &str| {
        post_form(&stage.world, "/oauth/revoke", &[("client_id", client), ("token", token)]).await.status
    };
    assert_eq!(stage.call(&access).await, StatusCode::OK);

    // Somebody else's token is none to end, and nobody is told whether there is one.
    assert_eq!(revoke(&other, &access).await, StatusCode::OK);
    assert_eq!(stage.call(&access).await, StatusCode::OK);
    assert_eq!(revoke(&client, &access).await, StatusCode::OK);
    assert_eq!(stage.call(&access).await, StatusCode::UNAUTHORIZED);
    let (access, refresh) = tokens(&stage.refresh(&client, &refresh).await);
    assert_eq!(revoke(&client, &refresh).await, StatusCode::OK);
    assert_eq!(stage.call(&access).await, StatusCode::UNAUTHORIZED);
    assert_eq!(error(&stage.refresh(&client, &refresh).await), "invalid_grant");
}

#[tokio::test]
async fn a_client_with_a_secret_proves_who_it_is_in_either_way() {
    let stage = Stage::open().await;
    // What says nothing of it has a secret (RFC 7591, 2).
    let made = stage.register(json!({"client_name": "Web", "redirect_uris": [CALLBACK]})).await;
    let (client, secret) = (made["client_id"].as_str().unwrap(), made["client_secret"].as_str().unwrap());
    let redeem = async |header: Option<&str>, secret: Option<&str>| {
        let code = stage.code(&stage.ada, client).await;
        let mut form: Vec<(&str, &str)> =
            vec![("grant_type", "authorization_code"), ("code", &code), ("code_verifier", VERIFIER)];
        form.extend(secret.map(|secret| ("client_secret", secret)));
        form.extend(header.is_none().then_some(("client_id", client)));
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = request(Method::POST, "/oauth/token")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(secret) = header {
            let text = base64::engine::general_purpose::STANDARD.encode(format!("{client}:{secret}"));
            request = request.header(header::AUTHORIZATION, format!("Basic {text}"));
        }
        stage.world.send(request.body(Body::from(body)).unwrap()).await
    };

    assert_eq!(made["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(made["client_secret_expires_at"], 0);
    assert_eq!(redeem(Some(secret), None).await.status, StatusCode::OK);
    assert_eq!(redeem(None, Some(secret)).await.status, StatusCode::OK);
    for (header, body) in [(Some("wrong"), None), (None, Some("wrong")), (None, None)] {
        let refused = redeem(header, body).await;
        assert_eq!(
            (refused.status, error(&refused)),
            (StatusCode::UNAUTHORIZED, "invalid_client".to_owned())
        );
        assert!(refused.headers.contains_key(header::WWW_AUTHENTICATE));
    }
}

#[tokio::test]
async fn a_registration_is_read_and_removed_by_whoever_holds_its_token() {
    let stage = Stage::open().await;
    let metadata =
        json!({"client_name": "Test", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"});
    let made = stage.register(metadata).await;
    let client = made["client_id"].as_str().unwrap();
    let token = made["registration_access_token"].as_str().unwrap();
    let path = made["registration_client_uri"].as_str().unwrap().strip_prefix(BASE).unwrap().to_owned();
    let ask = async |method: Method, token: &str| {
        let request = request(method, &path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        stage.world.send(request.body(Body::empty()).unwrap()).await
    };
    let (access, _) = stage.sign_in(&stage.ada, client).await;

    assert_eq!(ask(Method::GET, "wrong").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(Method::DELETE, "wrong").await.status, StatusCode::UNAUTHORIZED);
    let read = ask(Method::GET, token).await.json();
    assert_eq!((read["client_id"].as_str(), &read["redirect_uris"]), (Some(client), &json!([CALLBACK])));
    assert_eq!(stage.call(&access).await, StatusCode::OK);
    assert_eq!(ask(Method::DELETE, token).await.status, StatusCode::NO_CONTENT);
    assert_eq!(stage.call(&access).await, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(Method::GET, token).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn registrations_are_paced_by_address() {
    let stage = Stage::open().await;
    let metadata = json!({"redirect_uris": [CALLBACK]});
    for _ in 0..20 {
        stage.register(metadata.clone()).await;
    }

    let refused = post_json(&stage.world, "/oauth/register", &metadata).await;

    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{}", refused.body);
    assert!(refused.headers.contains_key(header::RETRY_AFTER));
}

#[tokio::test]
async fn a_client_refreshes_and_parallel_refreshes_agree() {
    let stage = Stage::open().await;
    let client = stage.client().await;
    let (_, first) = stage.sign_in(&stage.ada, &client).await;

    let (one, other) = tokio::join!(stage.refresh(&client, &first), stage.refresh(&client, &first));
    let ((access, second), (access_too, second_too)) = (tokens(&one), tokens(&other));
    let (last, _) = tokens(&stage.refresh(&client, &second).await);

    assert_eq!(second, second_too);
    assert_ne!(first, second);
    assert_ne!(access, access_too);
    for access in [access, access_too, last] {
        assert_eq!(stage.call(&access).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_program_with_a_key_gets_tokens_for_what_the_key_reaches_until_it_is_revoked() {
    let stage = Stage::open().await;
    let engine = &stage.world.engine;
    let preset = stage.preset.parse().unwrap();
    let scope = KeyScope::Presets(vec![preset]);
    let new = NewKey { name: "robot".into(), scope, expires_at: None, rate: None };
    let (key, text) = engine.identity.create_key(&stage.ada.member, new).await.unwrap();
    let client = text.expose()[..35].to_owned();
    let ask = async |client: &str, secret: &str, resource: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("client_secret", secret),
            ("resource", resource),
        ];
        stage.token(&form).await
    };

    let given = ask(&client, text.expose(), TOOLS).await;
    assert_eq!(given.status, StatusCode::OK, "{}", given.body);
    assert!(given.json().get("refresh_token").is_none());
    let access = given.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(stage.call(&access).await, StatusCode::OK);
    // Not for what the key does not reach, not with another's name, not with half the key.
    let other = "http://localhost:8080/mcp/ada/other";
    assert_eq!(error(&ask(&client, text.expose(), other).await), "invalid_target");
    assert_eq!(error(&ask(&client, text.expose(), BASE).await), "invalid_target");
    assert_eq!(error(&ask(&stage.ada.key[..35], text.expose(), TOOLS).await), "invalid_client");
    assert_eq!(error(&ask(&client, &text.expose()[36..], TOOLS).await), "invalid_client");
    assert_eq!(error(&ask(&client, "", TOOLS).await), "invalid_client");
    assert!(engine.issuer.grants(&stage.ada.member).await.unwrap().is_empty(), "it is listed with the keys");

    assert!(engine.identity.revoke_key(&stage.ada.member, key.id).await.unwrap());

    assert_eq!(stage.call(&access).await, StatusCode::UNAUTHORIZED);
    assert_eq!(error(&ask(&client, text.expose(), TOOLS).await), "invalid_client");
}

//! Clients that an identity provider lets in, and tokens exchanged for lesser ones.

use std::{sync::Arc, time::Duration};

use doorward::{clock::Clock, model::InstanceRole};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    browser::Browser,
    call::Call,
    oauth_stage::{BASE, CALLBACK, Stage, TOOLS, error, post_form, post_json},
    provider::{CLIENT, Provider, SECRET},
    scripted::{Scripted, give_tools},
    world::{Answer, World},
};

const ASSERTION: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

/// An installation whose provider knows eve, who has made an account by it, and a client with a secret.
struct Scene {
    world: World,
    clock: Clock,
    provider: Arc<Provider>,
    client: String,
    secret: String,
    _source: Scripted,
}

impl Scene {
    async fn open(assertions: bool) -> Self {
        let provider = Provider::start().await;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), SECRET).unwrap();
        let file = folder.path().join("logins.toml");
        let at = &provider.address;
        let text = format!(
            "[staff]\nissuer = '{at}'\nclient_id = '{CLIENT}'\nclient_secret_file = 'secret'\nassertions = {assertions}\n"
        );
        std::fs::write(&file, text).unwrap();
        let file = file.display().to_string();
        let clock = Clock::manual(Clock::system().now());
        let variables = [("DOORWARD_LOGINS_FILE", file.as_str()), ("DOORWARD_SIGN_UP", "open")];
        let world = World::at(clock.clone(), &variables).await;
        let source = Scripted::start().await;
        let ada = world.person("ada", InstanceRole::Admin).await;
        give_tools(&world, &ada, &source, json!({"visibility": "public"})).await;
        provider.behave(|behaviour| behaviour.email = "eve@example.org");
        let mut browser = Browser::new(&world);
        let sent = browser.get("/login/staff?next=%2F").await;
        let (code, state) = provider.let_in(sent.location());
        let iss: String = url::form_urlencoded::byte_serialize(at.as_bytes()).collect();
        browser.get(&format!("/login/staff/callback?code={code}&state={state}&iss={iss}")).await;
        let made = browser.post("/do/sign-up", &[("handle", "eve")]).await;
        assert_eq!(made.location(), "/", "{}", made.body);
        drop(browser);

        let metadata =
            json!({"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "client_secret_post"});
        let registered = post_json(&world, "/oauth/register", &metadata).await.json();
        let text = |name: &str| registered[name].as_str().unwrap().to_owned();
        let (client, secret) = (text("client_id"), text("client_secret"));
        Self { world, clock, provider, client, secret, _source: source }
    }

    fn claims(&self, id: &str) -> Value {
        let now = self.clock.now().0 / 1000;
        json!({
            "iss": self.provider.address, "sub": "248289761001", "aud": BASE, "client_id": self.client,
            "jti": id, "iat": now, "exp": now + 300, "resource": TOOLS,
        })
    }

    fn sign(&self, claims: &Value) -> String {
        self.provider.sign(&json!({"alg": "ES256", "typ": "oauth-id-jag+jwt"}), claims)
    }

    async fn show(&self, assertion: &str, more: &[(&str, &str)]) -> Answer {
        let mut form = vec![
            ("grant_type", ASSERTION),
            ("assertion", assertion),
            ("client_id", self.client.as_str()),
            ("client_secret", self.secret.as_str()),
        ];
        form.extend(more);
        post_form(&self.world, "/oauth/token", &form).await
    }

    async fn call(&self, token: &str) -> StatusCode {
        self.world.send(Call::tool("echo", json!({})).key(token).request()).await.status
    }
}

fn access(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_client_is_let_in_by_an_assertion_that_works_once() {
    let scene = Scene::open(true).await;
    let metadata = scene.world.get("/.well-known/oauth-authorization-server").await.json();
    assert!(metadata["grant_types_supported"].as_array().unwrap().contains(&json!(ASSERTION)));

    let assertion = scene.sign(&scene.claims("first"));
    let given = scene.show(&assertion, &[]).await;
    let token = access(&given);

    assert_eq!(given.json().get("refresh_token"), None);
    assert_eq!(scene.call(&token).await, StatusCode::OK);
    let again = scene.show(&assertion, &[]).await;
    assert_eq!((again.status, error(&again).as_str()), (StatusCode::BAD_REQUEST, "invalid_grant"));
    assert!(again.body.contains("used before"), "{}", again.body);
    // By the other grant type, with less, and after the provider has changed its key.
    scene.provider.change_key();
    scene.clock.advance(Duration::from_secs(60));
    let mut claims = scene.claims("second");
    claims["scope"] = json!("mcp:prompts mcp:resources");
    let form = [
        ("grant_type", EXCHANGE),
        ("subject_token_type", ID_JAG),
        ("subject_token", &scene.sign(&claims)),
        ("client_id", &scene.client),
        ("client_secret", &scene.secret),
        ("scope", "mcp:prompts mcp:tools"),
    ];
    let less = post_form(&scene.world, "/oauth/token", &form).await;
    assert_eq!(
        (less.json()["scope"].as_str(), less.json()["issued_token_type"].as_str()),
        (Some("mcp:prompts"), Some(ACCESS_TOKEN))
    );
    assert_eq!(scene.call(&access(&less)).await, StatusCode::FORBIDDEN);
    assert_eq!(scene.call(&token).await, StatusCode::OK, "the other token has what it had");
}

#[tokio::test]
async fn an_assertion_that_is_not_what_it_should_be_lets_nobody_in() {
    let scene = Scene::open(true).await;
    let changed = |name: &str, value: Value| {
        let mut claims = scene.claims(&format!("{name} {value}"));
        claims[name] = value;
        scene.sign(&claims)
    };
    let now = scene.clock.now().0 / 1000;
    let good = scene.claims("good");
    let header = |header: Value| scene.provider.sign(&header, &good);
    let other = Provider::start().await;
    let typed = json!({"alg": "ES256", "typ": "oauth-id-jag+jwt"});
    let unsigned = header(json!({"alg": "none", "typ": "oauth-id-jag+jwt"}));
    let table = [
        ("another audience", changed("aud", json!("http://localhost:8080/mcp/ada/tools"))),
        ("two audiences", changed("aud", json!([BASE, "https://evil.example"]))),
        ("another client", changed("client_id", json!("somebody"))),
        ("ended", changed("exp", json!(now - 1))),
        ("not yet", changed("iat", json!(now + 200))),
        ("for days", changed("exp", json!(now + 90_000))),
        ("without a name", changed("jti", json!(""))),
        ("of a stranger", changed("sub", json!("nobody"))),
        ("of another issuer", changed("iss", json!(other.address))),
        ("of nothing known", changed("scope", json!("everything"))),
        ("signed by another", other.sign(&typed, &good)),
        ("unsigned", unsigned[..=unsigned.rfind('.').unwrap()].to_owned()),
        ("by a shared secret", header(json!({"alg": "HS256", "typ": "oauth-id-jag+jwt"}))),
        ("an ID token", header(json!({"alg": "ES256"}))),
        ("an access token", header(json!({"alg": "ES256", "typ": "at+jwt"}))),
        (
            "with what is not understood",
            header(json!({"alg": "ES256", "typ": "oauth-id-jag+jwt", "crit": ["b64"]})),
        ),
        ("no text", "a.b".to_owned()),
        ("too long", format!("{}.{}", "a".repeat(20_000), "b.c")),
    ];

    for (what, assertion) in &table {
        let answer = scene.show(assertion, &[]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{what}: {}", answer.body);
        assert!(
            ["invalid_grant", "invalid_scope"].contains(&error(&answer).as_str()),
            "{what}: {}",
            answer.body
        );
    }
    let elsewhere = scene.show(&changed("resource", json!("https://evil.example/mcp")), &[]).await;
    assert_eq!(error(&elsewhere), "invalid_target");
    let two = scene.show(&scene.sign(&good), &[("resource", "http://localhost:8080/mcp/ada/other")]).await;
    assert_eq!(error(&two), "invalid_target");
    let wrong = [("grant_type", ASSERTION), ("assertion", &scene.sign(&good)), ("client_id", &scene.client)];
    assert_eq!(error(&post_form(&scene.world, "/oauth/token", &wrong).await), "invalid_client");

    // None of them used it up.
    access(&scene.show(&scene.sign(&good), &[]).await);
}

#[tokio::test]
async fn without_the_setting_no_assertion_is_looked_at() {
    let scene = Scene::open(false).await;

    let answer = scene.show(&scene.sign(&scene.claims("first")), &[]).await;

    assert_eq!(error(&answer), "unsupported_grant_type");
    let metadata = scene.world.get("/.well-known/oauth-authorization-server").await.json();
    assert!(!metadata["grant_types_supported"].as_array().unwrap().contains(&json!(ASSERTION)));
    assert_eq!(metadata.get("authorization_grant_profiles_supported"), None);
}

#[tokio::test]
async fn a_token_is_exchanged_for_less_and_never_for_more() {
    let stage = Stage::open().await;
    let client = stage.client().await;
    let (token, refresh) = stage.sign_in(&stage.ada, &client).await;
    let exchange = async |client: &str, subject: &str, more: &[(&str, &str)]| {
        let mut form = vec![
            ("grant_type", EXCHANGE),
            ("subject_token_type", ACCESS_TOKEN),
            ("subject_token", subject),
            ("client_id", client),
        ];
        form.extend(more);
        stage.token(&form).await
    };

    let prompts = exchange(&client, &token, &[("scope", "mcp:prompts")]).await;
    let less = access(&prompts);
    assert_eq!(prompts.json()["scope"], "mcp:prompts");
    assert_eq!(stage.call(&less).await, StatusCode::FORBIDDEN);
    assert_eq!(
        stage.call(&access(&exchange(&client, &token, &[("resource", TOOLS)]).await)).await,
        StatusCode::OK
    );

    let more = exchange(&client, &less, &[("scope", "mcp:tools mcp:prompts")]).await;
    assert_eq!(error(&more), "invalid_scope");
    assert_eq!(access(&exchange(&client, &less, &[]).await).len(), less.len());
    let other = stage.client().await;
    assert_eq!(error(&exchange(&other, &token, &[]).await), "invalid_grant");
    assert_eq!(error(&exchange(&client, &refresh, &[]).await), "invalid_grant");
    let elsewhere = [("resource", "http://localhost:8080/mcp/ada/other")];
    assert_eq!(error(&exchange(&client, &token, &elsewhere).await), "invalid_target");
    let kind = [("requested_token_type", ID_JAG)];
    assert_eq!(error(&exchange(&client, &token, &kind).await), "invalid_request");

    // What is taken back takes the lesser one with it.
    let revoked =
        post_form(&stage.world, "/oauth/revoke", &[("token", &refresh), ("client_id", &client)]).await;
    assert_eq!(revoked.status, StatusCode::OK);
    let request = Call::modern("prompts/list", json!({}));
    assert_eq!(stage.world.send(request.key(&less).request()).await.status, StatusCode::UNAUTHORIZED);
}

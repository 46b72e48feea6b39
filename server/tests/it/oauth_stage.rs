//! A client of the issuer, and the person in front of it: what the tests of signing in stand on.

use axum::body::Body;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use doorward::{clock::Clock, model::InstanceRole};
use http::{Method, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::{Url, form_urlencoded};

pub(crate) use server::isolation::BASE;

use crate::{
    browser::Site,
    call::Call,
    scripted::{Scripted, give_tools},
    world::{Answer, Person, World, request},
};

/// The preset of these tests.
pub(crate) const TOOLS: &str = "http://localhost:8080/mcp/ada/tools";
/// Where the client of these tests waits for its answer.
pub(crate) const CALLBACK: &str = "http://127.0.0.1:33418/callback";
/// What it proves with that the code is its own.
pub(crate) const VERIFIER: &str = "a-verifier-of-a-client-of-these-tests-1234567890";

/// An installation with a preset, its owner, and somebody else.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) ada: Person,
    pub(crate) bob: Person,
    pub(crate) source: Scripted,
    /// The id of the preset.
    pub(crate) preset: String,
}

impl Stage {
    pub(crate) async fn open() -> Self {
        Self::at(Clock::system()).await
    }

    pub(crate) async fn at(clock: Clock) -> Self {
        let world = World::at(clock, &[]).await;
        let source = Scripted::start().await;
        let ada = world.person("ada", InstanceRole::Member).await;
        let bob = world.person("bob", InstanceRole::Member).await;
        let (_, preset) = give_tools(&world, &ada, &source, json!({})).await;
        Self { world, ada, bob, source, preset }
    }

    /// Registers a client and returns what it was told.
    pub(crate) async fn register(&self, metadata: Value) -> Value {
        let answer = post_json(&self.world, "/oauth/register", &metadata).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.json()
    }

    /// Registers a client without a secret, and returns its id.
    pub(crate) async fn client(&self) -> String {
        let metadata = json!({
            "client_name": "Test client", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none",
        });
        self.register(metadata).await["client_id"].as_str().unwrap().to_owned()
    }

    /// Opens the consent page.
    pub(crate) async fn consent(&self, person: Option<&Person>, query: &str) -> Answer {
        consent(&self.world, person, query).await
    }

    /// Presses a button of the consent page, with these tools ticked.
    pub(crate) async fn decide(
        &self,
        person: &Person,
        query: &str,
        decision: &str,
        tools: &[&str],
    ) -> Answer {
        decide(&self.world, person, query, decision, tools).await
    }

    /// Has a person let the client have every tool, and returns its code.
    pub(crate) async fn code(&self, person: &Person, client: &str) -> String {
        let answer = self.decide(person, &query(client, &[]), "allow", ALL).await;
        parameter(&location(&answer), "code").unwrap_or_else(|| panic!("no code: {}", location(&answer)))
    }

    /// Exchanges something for tokens.
    pub(crate) async fn token(&self, form: &[(&str, &str)]) -> Answer {
        post_form(&self.world, "/oauth/token", form).await
    }

    /// Exchanges a code.
    pub(crate) async fn redeem(&self, client: &str, code: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
            ("resource", TOOLS),
        ];
        self.token(&form).await
    }

    /// Signs a client in, and returns its access token and its refresh token.
    pub(crate) async fn sign_in(&self, person: &Person, client: &str) -> (String, String) {
        let code = self.code(person, client).await;
        tokens(&self.redeem(client, &code).await)
    }

    pub(crate) async fn refresh(&self, client: &str, token: &str) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)]).await
    }

    /// Calls a tool and returns the status.
    pub(crate) async fn call(&self, token: &str) -> StatusCode {
        self.world.send(Call::tool("echo", json!({})).key(token).request()).await.status
    }
}

/// The tools of the preset.
pub(crate) const ALL: &[&str] = &["echo", "strict", "silent", "html", "garbage", "dies", "slow", "huge"];

/// The query of a request to the authorization endpoint, with some parameters otherwise; an empty one
/// is left out.
pub(crate) fn query(client: &str, otherwise: &[(&str, &str)]) -> String {
    let challenge = BASE64.encode(Sha256::digest(VERIFIER));
    let mut pairs: Vec<(&str, &str)> = vec![
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", CALLBACK),
        ("state", "the-state"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("resource", TOOLS),
    ];
    for (name, value) in otherwise {
        pairs.retain(|(known, _)| known != name);
        pairs.push((name, value));
    }
    pairs.retain(|(_, value)| !value.is_empty());
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Opens the consent page.
pub(crate) async fn consent(world: &World, person: Option<&Person>, query: &str) -> Answer {
    let request = request(Method::GET, &format!("/oauth/authorize?{query}"))
        .header(header::ACCEPT, "text/html")
        // A link on a page of somebody else leads here.
        .header("sec-fetch-site", "cross-site");
    let request = match person {
        Some(person) => request.header(header::COOKIE, &person.cookie),
        None => request,
    };
    world.send(request.body(Body::empty()).unwrap()).await
}

/// Presses a button of the consent page, with these tools ticked.
pub(crate) async fn decide(
    world: &World,
    person: &Person,
    query: &str,
    decision: &str,
    tools: &[&str],
) -> Answer {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("request", query).append_pair("decision", decision);
    for tool in tools {
        form.append_pair("tools[]", tool);
    }
    let request = request(Method::POST, "/do/consent")
        .header(header::ACCEPT, "text/html")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::COOKIE, &person.cookie)
        .header("sec-fetch-site", "same-origin");
    world.send(request.body(Body::from(form.finish())).unwrap()).await
}

pub(crate) async fn post_form(site: &impl Site, path: &str, form: &[(&str, &str)]) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request =
        request(Method::POST, path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    site.answer(request.body(Body::from(body)).unwrap()).await
}

pub(crate) async fn post_json(site: &impl Site, path: &str, body: &Value) -> Answer {
    let request = request(Method::POST, path).header(header::CONTENT_TYPE, "application/json");
    site.answer(request.body(Body::from(body.to_string())).unwrap()).await
}

pub(crate) fn tokens(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let json = answer.json();
    let text = |name: &str| json[name].as_str().unwrap_or_else(|| panic!("no {name}: {json}")).to_owned();
    (text("access_token"), text("refresh_token"))
}

pub(crate) fn location(answer: &Answer) -> String {
    let value = answer.headers.get(header::LOCATION);
    value.map_or_else(|| format!("{}: {}", answer.status, answer.body), |to| to.to_str().unwrap().to_owned())
}

pub(crate) fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// Returns the error's name in an answer of the issuer.
pub(crate) fn error(answer: &Answer) -> String {
    answer.json()["error"].as_str().unwrap_or_default().to_owned()
}

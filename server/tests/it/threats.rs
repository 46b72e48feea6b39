//! Attacks that worked on others, tried against the running routes. Those that have a room of their
//! own are tried there: addresses inside in `bad_addresses.rs`, broken messages in `bad_input.rs`, other people's things
//! in `access.rs`, processes in `sources` and `upstream`.

use axum::body::Body;
use doorward::{
    identity::{NewKey, UserChange},
    model::{InstanceRole, KeyScope, PresetId},
    policy::operator_at_the_shell,
};
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    call::Call,
    ports::free_address,
    running::{Door, Place, until},
    scripted::{Scripted, give_tools},
    world::{Answer, Person, World, request},
};

/// Identity from the URL: who gets through to which preset of ada's. `o` = through, `x` = as if it
/// were not there, `k` = a key is asked for.
const MATRIX: &[(&str, &str)] = &[
    // nobody, a key of nobody, stranger, administrator, ada, ada's key for another preset
    ("private", "kkxxok"),
    ("public", "kkoook"),
    ("anonymous", "okoook"),
    ("disabled", "kkxxxk"),
    ("archived", "kkxxxk"),
    ("missing", "kkxxxk"),
];

#[tokio::test]
async fn an_address_grants_nothing_whoever_calls_whatever_it_names() {
    let world = World::open().await;
    let source = Scripted::start().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let stranger = world.person("stranger", InstanceRole::Member).await;
    let admin = world.person("root-of-all", InstanceRole::Admin).await;
    let (source, other) = give_tools(&world, &ada, &source, json!({})).await;
    for (slug, more) in [
        ("private", json!({})),
        ("public", json!({"visibility": "public"})),
        ("anonymous", json!({"visibility": "public", "anonymous": true})),
        ("disabled", json!({"visibility": "public", "anonymous": true})),
        ("archived", json!({"visibility": "public", "anonymous": true})),
    ] {
        let mut new = json!({"slug": slug, "sources": [{"source": source, "all": true}]});
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = world.api(&ada, Method::POST, "/api/v1/presets", Some(new)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        if ["disabled", "archived"].contains(&slug) {
            let path = format!("/api/v1/presets/{}", made.json()["id"].as_str().unwrap());
            let edit = json!({"version": 1, "status": slug});
            let edited = world.api(&ada, Method::PATCH, &path, Some(edit)).await;
            assert_eq!(edited.status, StatusCode::OK, "{}", edited.body);
        }
    }
    let narrow = scoped_key(&world, &ada, &other).await;
    let nobodys = format!("dw_{}_{}", "0".repeat(32), "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dF3hJ5kL7nP9r");
    let callers =
        [None, Some(&nobodys), Some(&stranger.key), Some(&admin.key), Some(&ada.key), Some(&narrow)];

    let mut wrong = Vec::new();
    let mut absent: Option<String> = None;
    for (slug, row) in MATRIX {
        for (n, (key, expected)) in callers.into_iter().zip(row.chars()).enumerate() {
            let call = Call::tool("echo", json!({})).at(&format!("/mcp/ada/{slug}"));
            let call = key.map_or_else(|| call.clone(), |key| call.clone().key(key));
            let answer = world.send(call.request()).await;
            let seen = match answer.status {
                StatusCode::OK => 'o',
                StatusCode::NOT_FOUND => 'x',
                StatusCode::UNAUTHORIZED => 'k',
                _ => '?',
            };
            if seen != expected {
                wrong.push(format!("{slug} by {n}: {seen} and not {expected}: {}", answer.body));
            }
            if seen == 'x' {
                let said = absent.get_or_insert_with(|| answer.body.clone());
                if *said != answer.body {
                    wrong.push(format!("{slug} by {n} is told apart: {}", answer.body));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn no_header_from_outside_says_who_is_calling() {
    let world = World::with(&[("DOORWARD_TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    world.person("ada", InstanceRole::Admin).await;

    for (name, value) in [
        ("x-forwarded-user", "ada"),
        ("x-remote-user", "ada"),
        ("remote-user", "ada"),
        ("x-user", "ada"),
        ("x-auth-request-user", "ada"),
        ("x-forwarded-email", "ada@example.org"),
        ("x-doorward-user", "ada"),
        ("x-internal", "true"),
        ("x-api-key", "secret-api-key"),
        ("secret-api-key", "secret-api-key"),
        ("x-original-url", "/health"),
        ("x-rewrite-url", "/health"),
        ("x-http-method-override", "GET"),
        ("forwarded", "for=127.0.0.1;host=localhost"),
        ("x-forwarded-for", "127.0.0.1"),
        ("authorization", "Basic YWRhOmNvcnJlY3QgaG9yc2UgYmF0dGVyeQ=="),
        ("cookie", "doorward=ada; user=ada; admin=true"),
    ] {
        let request = request(Method::GET, "/api/v1/datasources").header(name, value);

        let answer = world.send(request.body(Body::empty()).unwrap()).await;

        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}: {}", answer.body);
    }
}

#[tokio::test]
async fn the_listener_of_metrics_answers_to_names_of_ours_only() {
    let address = free_address().to_string();
    let place = Place::new().with("DOORWARD_METRICS_LISTEN", &address);
    let server = place.serve().await;
    let door = Door::at(&address);
    let ask = async |host: &str| {
        let request = http::Request::builder().uri("/metrics").header(header::HOST, host);
        door.send(request.body(Body::empty()).unwrap()).await.map(|answer| answer.status)
    };
    until("it answers", async || ask(&address).await == Some(StatusCode::OK)).await;

    for host in ["evil.example", "127.0.0.1.nip.io", "localhost.evil.example:9464"] {
        assert_eq!(ask(host).await, Some(StatusCode::MISDIRECTED_REQUEST), "{host}");
    }
    server.stop().await;
}

#[tokio::test]
async fn nobody_else_reaches_an_installation_without_an_owner() {
    for (variables, words) in [
        (vec![("DOORWARD_LISTEN", "0.0.0.0:0")], "public_url"),
        (vec![("DOORWARD_LISTEN", "[::]:0")], "public_url"),
        (
            vec![("DOORWARD_LISTEN", "0.0.0.0:0"), ("DOORWARD_PUBLIC_URL", "https://door.example.org")],
            "owner account",
        ),
    ] {
        let place = variables.iter().fold(Place::new(), |place, (name, value)| place.with(name, value));

        let refused = place.try_serve().await.err().expect("a refusal");

        assert!(refused.contains(words), "{variables:?}: {refused}");
    }
}

#[tokio::test]
async fn secrets_that_anybody_could_guess_are_refused() {
    let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let place = Place::new().with("DOORWARD_VAULT_KEY", zeros);
    let refused = place.try_serve().await;
    assert!(refused.is_err_and(|said| said.contains("openssl rand")), "a key of zeros was taken");

    let place = Place::new();
    for password in ["admin123", "password", "ada", "doorward", "12345678901234", "aaaaaaaaaaaaaa", ""] {
        std::fs::write(place.path("weak"), password).unwrap();
        let add = ["user", "add", "ada", "ada@example.org", "--admin", "--password-file", "weak"];
        let (status, said) = place.run(&add).await;
        assert!(!status.success() && said.contains("the password"), "`{password}`: {said}");
    }
}

#[tokio::test]
async fn things_of_the_same_name_never_cross_from_one_to_another() {
    let world = World::open().await;
    let mut owners = Vec::new();
    for handle in ["ada", "bob"] {
        let person = world.person(handle, InstanceRole::Member).await;
        let source = Scripted::start().await;
        give_tools(&world, &person, &source, json!({"visibility": "public"})).await;
        owners.push((handle, person, source));
    }

    for (caller, person, _) in &owners {
        for (owner, _, source) in &owners {
            let before = source.calls().len();
            let call = Call::tool("echo", json!({"by": caller, "of": owner}));
            let answer = world.send(call.at(&format!("/mcp/{owner}/tools")).key(&person.key).request()).await;

            assert!(answer.tool_text().0.contains(&format!("\"of\":\"{owner}\"")), "{}", answer.body);
            assert_eq!(source.calls().len(), before + 1, "{caller} calls {owner}'s");
        }
    }
    for look_alike in ["Ada", "ADA", "аda", "ada\u{200b}", "ada.", "a-d-a"] {
        let call = Call::tool("echo", json!({})).key(&owners[0].1.key);
        let path = format!("/mcp/{}/tools", percent(look_alike));
        let answer = world.send(call.at(&path).request()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{look_alike}");
    }
}

#[tokio::test]
async fn a_tool_that_is_not_published_looks_like_one_that_does_not_exist() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let source = Scripted::start().await;
    let (source_id, _) = give_tools(&world, &ada, &source, json!({})).await;
    let denied = json!([{"source": source_id, "all": true, "tools": [
        {"name": "huge", "enabled": false}, {"name": "slow", "exposed_name": "patient"},
    ]}]);
    let new = json!({"slug": "some", "sources": denied});
    let made = world.api(&ada, Method::POST, "/api/v1/presets", Some(new)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let at = |call: Call| call.at("/mcp/ada/some").key(&ada.key).request();

    let list = world.send(at(Call::modern("tools/list", json!({})))).await.body;
    let call = async |name: &str| {
        let answer = world.send(at(Call::tool(name, json!({})))).await;
        (answer.status, answer.body.replace(name, "NAME"))
    };
    let missing = call("none-such").await;

    let listed = |name: &str| list.contains(&format!("\"name\":\"{name}\""));
    assert!(listed("patient") && !listed("huge") && !listed("slow"), "{list}");
    for name in ["huge", "slow", "Echo", "scripted.echo", "scripted/echo", "../echo", "echo "] {
        assert_eq!(call(name).await, missing, "{name}");
    }
    assert!(source.calls().is_empty());
}

#[tokio::test]
async fn what_is_taken_away_is_gone_on_the_next_call() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let source = Scripted::start().await;
    let (source_id, preset) = give_tools(&world, &ada, &source, json!({})).await;
    let preset_path = format!("/api/v1/presets/{preset}");
    let source_path = format!("/api/v1/datasources/{source_id}");
    let api = async |method: Method, path: &str, body: Value| {
        let answer = world.api(&ada, method, path, Some(body)).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.body);
        answer
    };
    let version = async |path: &str| api(Method::GET, path, json!({})).await.json()["version"].clone();
    let works = async || world.send(Call::tool("echo", json!({})).key(&ada.key).request()).await;
    let fine =
        |answer: &Answer| answer.status == StatusCode::OK && answer.code().is_none() && !answer.tool_text().1;
    assert!(fine(&works().await));

    // Each is taken away, tried once, and given back.
    let off = json!({"version": version(&preset_path).await, "status": "disabled"});
    api(Method::PATCH, &preset_path, off).await;
    assert_eq!(works().await.status, StatusCode::NOT_FOUND, "a preset that is switched off");
    let on = json!({"version": version(&preset_path).await, "status": "active"});
    api(Method::PATCH, &preset_path, on).await;
    assert!(fine(&works().await));

    let chosen = |take: Value| json!([{"source": source_id, "all": false, "tools": take}]);
    let none = json!({"version": version(&preset_path).await, "sources": chosen(json!([{"name": "html"}]))});
    api(Method::PATCH, &preset_path, none).await;
    assert_eq!(works().await.code(), Some(-32602), "a tool that is not chosen");
    let some = json!({"version": version(&preset_path).await, "sources": chosen(json!([{"name": "echo"}]))});
    api(Method::PATCH, &preset_path, some).await;
    assert!(fine(&works().await));

    let off = json!({"version": version(&source_path).await, "enabled": false});
    api(Method::PATCH, &source_path, off).await;
    assert!(!fine(&works().await), "a source that is switched off");
    let on = json!({"version": version(&source_path).await, "enabled": true});
    api(Method::PATCH, &source_path, on).await;
    assert!(fine(&works().await));

    let identity = &world.engine.identity;
    let switch = async |enabled: bool| {
        let change = UserChange { enabled: Some(enabled), ..UserChange::default() };
        identity.update_user(&operator_at_the_shell(), ada.member.user, change).await.unwrap();
    };
    switch(false).await;
    assert_eq!(works().await.status, StatusCode::UNAUTHORIZED, "an account that is switched off");
    switch(true).await;
    assert!(fine(&works().await));

    let keys = identity.keys(&ada.member).await.unwrap();
    assert!(identity.revoke_key(&ada.member, keys[0].id).await.unwrap());
    assert_eq!(works().await.status, StatusCode::UNAUTHORIZED, "a key that is revoked");
}

#[tokio::test]
async fn a_session_of_the_protocol_is_of_use_to_its_own_caller_only() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let bob = world.person("bob", InstanceRole::Member).await;
    let source = Scripted::start().await;
    give_tools(&world, &ada, &source, json!({"visibility": "public"})).await;
    let begin = json!({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",
        "capabilities":{},"clientInfo":{"name":"t","version":"1"}}});
    let begun = world.send(Call::raw(begin.to_string()).key(&ada.key).request()).await;
    let session = begun.headers["mcp-session-id"].to_str().unwrap().to_owned();
    let call = json!({"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{}}});
    let with = |key: &str, session: &str| {
        Call::raw(call.to_string()).key(key).header("mcp-session-id", session).request()
    };

    let stolen = world.send(with(&bob.key, &session)).await;
    let guessed = world.send(with(&bob.key, &"0".repeat(session.len()))).await;
    let own = world.send(with(&ada.key, &session)).await;

    assert_eq!((stolen.status, guessed.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    assert_eq!(stolen.body, guessed.body);
    assert!(!own.tool_text().1, "{}", own.body);
    assert!(session.len() >= 32, "128 random bits: {session}");
    assert_eq!(source.calls().len(), 1);
}

/// Makes a key that may call one preset.
async fn scoped_key(world: &World, person: &Person, preset: &str) -> String {
    let preset: PresetId = preset.parse().unwrap();
    let scope = KeyScope::Presets(vec![preset]);
    let new = NewKey { name: "narrow".into(), scope, expires_at: None, rate: None };
    world.engine.identity.create_key(&person.member, new).await.unwrap().1.expose().to_owned()
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

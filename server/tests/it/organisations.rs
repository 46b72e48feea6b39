//! Organisations as their people use them: over REST with keys, as MCP clients, and across each other.

use axum::body::Body;
use doorward::{
    model::{Handle, InstanceRole, OrgRole, Plan, PlanName},
    policy::{self, operator_at_the_shell},
};
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    call::Call,
    scripted::{Scripted, give_tools},
    world::{Answer, Person, World, request},
};

/// Asks the REST API in the organisation of this handle.
async fn ask(
    world: &World,
    key: &str,
    organisation: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Answer {
    let request = request(method, path)
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header("doorward-organisation", organisation)
        .header(header::CONTENT_TYPE, "application/json");
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    world.send(request.body(body).unwrap()).await
}

/// Begins a session with a preset.
async fn call(world: &World, key: &str, path: &str) -> StatusCode {
    let body = json!({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",
        "capabilities":{},"clientInfo":{"name":"t","version":"1"}}});
    let request = request(Method::POST, path)
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/event-stream");
    world.send(request.body(Body::from(body.to_string())).unwrap()).await.status
}

/// Makes a team of Ada's with Bob in it over REST, and a key of each in it.
async fn acme(world: &World, ada: &Person, bob: &Person, role: &str) -> (String, String) {
    let new = json!({"handle": "acme", "title": "Acme Ltd"});
    let made = world.api(ada, Method::POST, "/api/v1/organisations", Some(new)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let invite = json!({"user": "bob", "role": role});
    let path = "/api/v1/organisations/acme/invitations";
    let invited = world.api(ada, Method::POST, path, Some(invite)).await;
    assert_eq!((invited.status, &invited.json()["link"]), (StatusCode::CREATED, &Value::Null));
    let offered = world.api(bob, Method::GET, "/api/v1/invitations", None).await.json();
    let id = offered["items"][0]["id"].as_str().unwrap();
    let joined = world.api(bob, Method::POST, &format!("/api/v1/invitations/{id}"), None).await;
    assert_eq!(joined.json()["role"], role, "{}", joined.body);
    let mut keys = Vec::new();
    for person in [ada, bob] {
        let new = json!({"name": "in acme"});
        let made = ask(world, &person.key, "acme", Method::POST, "/api/v1/keys", Some(new)).await;
        keys.push(made.json()["secret"].as_str().unwrap().to_owned());
    }
    let [ada, bob] = keys.try_into().unwrap();
    (ada, bob)
}

#[tokio::test]
async fn what_a_team_owns_is_used_by_its_members_and_by_nobody_else() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let bob = world.person("bob", InstanceRole::Member).await;
    let eve = world.person("eve", InstanceRole::Member).await;
    let (in_acme, bobs) = acme(&world, &ada, &bob, "viewer").await;
    let source = Scripted::start().await;
    let acting = Person { key: in_acme.clone(), cookie: String::new(), member: ada.member.clone() };
    give_tools(&world, &acting, &source, json!({})).await;

    assert_eq!(call(&world, &in_acme, "/mcp/acme/tools").await, StatusCode::OK);
    assert_eq!(call(&world, &bobs, "/mcp/acme/tools").await, StatusCode::OK);
    // A key acts where it was made, and Eve belongs nowhere here.
    for key in [&ada.key, &bob.key, &eve.key] {
        assert_eq!(call(&world, key, "/mcp/acme/tools").await, StatusCode::NOT_FOUND);
    }
    let seen = world.api(&bob, Method::GET, "/api/v1/datasources", None).await.json();
    assert_eq!(seen["items"].as_array().unwrap().len(), 0, "his own has none");
    let seen = ask(&world, &bob.key, "acme", Method::GET, "/api/v1/datasources", None).await.json();
    assert_eq!(seen["items"].as_array().unwrap().len(), 1);
    let seen = ask(&world, &eve.key, "acme", Method::GET, "/api/v1/datasources", None).await;
    assert_eq!(seen.status, StatusCode::NOT_FOUND, "{}", seen.body);

    let out = world.api(&ada, Method::DELETE, "/api/v1/organisations/acme/members/bob", None).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT, "{}", out.body);
    assert_eq!(call(&world, &bobs, "/mcp/acme/tools").await, StatusCode::UNAUTHORIZED);
    let gone = ask(&world, &bob.key, "acme", Method::GET, "/api/v1/datasources", None).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_key_of_a_team_never_acts_elsewhere_whatever_the_header_says() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let bob = world.person("bob", InstanceRole::Member).await;
    let (in_acme, _) = acme(&world, &ada, &bob, "viewer").await;
    let keys = "/api/v1/keys";

    let here = ask(&world, &in_acme, "acme", Method::GET, keys, None).await;
    let elsewhere = ask(&world, &in_acme, "ada", Method::GET, keys, None).await;
    let nowhere = ask(&world, &ada.key, "nobody-at-all", Method::GET, keys, None).await;
    let nonsense = ask(&world, &ada.key, "No/Handle", Method::GET, keys, None).await;

    assert_eq!(here.status, StatusCode::OK, "{}", here.body);
    assert_eq!(elsewhere.status, StatusCode::FORBIDDEN, "{}", elsewhere.body);
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND, "{}", nowhere.body);
    assert_eq!(nonsense.status, StatusCode::BAD_REQUEST, "{}", nonsense.body);
}

#[tokio::test]
async fn the_last_administrator_stays_and_a_taken_handle_is_said_to_be() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let bob = world.person("bob", InstanceRole::Member).await;
    acme(&world, &ada, &bob, "operator").await;

    let left = world.api(&ada, Method::DELETE, "/api/v1/organisations/acme/members/ada", None).await;
    let again = world.api(&bob, Method::POST, "/api/v1/organisations", Some(json!({"handle": "acme"}))).await;
    let person = world.api(&bob, Method::POST, "/api/v1/organisations", Some(json!({"handle": "ada"}))).await;

    assert_eq!(left.status, StatusCode::CONFLICT, "{}", left.body);
    assert!(left.body.contains("last administrator"), "{}", left.body);
    assert_eq!((again.status, person.status), (StatusCode::CONFLICT, StatusCode::CONFLICT));
}

#[tokio::test]
async fn a_team_that_is_removed_takes_everything_with_it_and_leaves_its_handle_to_nobody() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let bob = world.person("bob", InstanceRole::Member).await;
    let (in_acme, bobs) = acme(&world, &ada, &bob, "admin").await;
    let source = Scripted::start().await;
    let acting = Person { key: in_acme.clone(), cookie: String::new(), member: ada.member.clone() };
    give_tools(&world, &acting, &source, json!({"visibility": "public"})).await;
    let outsider = world.person("eve", InstanceRole::Member).await;
    assert_eq!(call(&world, &outsider.key, "/mcp/acme/tools").await, StatusCode::OK);

    let removed = world.api(&bob, Method::DELETE, "/api/v1/organisations/acme", None).await;

    assert_eq!(removed.status, StatusCode::NO_CONTENT, "{}", removed.body);
    assert_eq!(call(&world, &outsider.key, "/mcp/acme/tools").await, StatusCode::NOT_FOUND);
    for key in [&in_acme, &bobs] {
        assert_eq!(call(&world, key, "/mcp/acme/tools").await, StatusCode::UNAUTHORIZED);
    }
    let again = world.api(&bob, Method::POST, "/api/v1/organisations", Some(json!({"handle": "acme"}))).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.body);
}

#[tokio::test]
async fn a_preset_of_a_team_that_is_switched_off_answers_nobody() {
    let world = World::open().await;
    let root = world.person("root-of-all", InstanceRole::Admin).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let bob = world.person("bob", InstanceRole::Member).await;
    let (in_acme, _) = acme(&world, &ada, &bob, "viewer").await;
    let source = Scripted::start().await;
    let acting = Person { key: in_acme, cookie: String::new(), member: ada.member.clone() };
    give_tools(&world, &acting, &source, json!({"visibility": "public"})).await;
    let path = "/api/v1/admin/organisations/acme";
    assert_eq!(call(&world, &bob.key, "/mcp/acme/tools").await, StatusCode::OK);

    let off = world.api(&root, Method::PATCH, path, Some(json!({"enabled": false}))).await;
    assert_eq!(off.status, StatusCode::OK, "{}", off.body);
    assert_eq!(call(&world, &bob.key, "/mcp/acme/tools").await, StatusCode::NOT_FOUND);
    let on = world.api(&root, Method::PATCH, path, Some(json!({"enabled": true}))).await;
    assert_eq!(on.status, StatusCode::OK, "{}", on.body);
    assert_eq!(call(&world, &bob.key, "/mcp/acme/tools").await, StatusCode::OK);
}

#[tokio::test]
async fn who_manages_the_instance_reads_nothing_of_what_a_team_owns() {
    let world = World::open().await;
    let root = world.person("root-of-all", InstanceRole::Admin).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let bob = world.person("bob", InstanceRole::Member).await;
    let (in_acme, _) = acme(&world, &ada, &bob, "viewer").await;
    let acting = Person { key: in_acme, cookie: String::new(), member: ada.member.clone() };
    let source = Scripted::start().await;
    give_tools(&world, &acting, &source, json!({})).await;

    let team = world.api(&root, Method::GET, "/api/v1/admin/organisations/acme", None).await;
    assert_eq!(team.json()["members"].as_array().unwrap().len(), 2, "{}", team.body);
    for path in ["datasources", "presets", "keys", "audit", "tunnels", "analyses", "export"] {
        let path = format!("/api/v1/{path}");
        let refused = ask(&world, &root.key, "acme", Method::GET, &path, None).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{path}: {}", refused.body);
    }
    assert_eq!(call(&world, &root.key, "/mcp/acme/tools").await, StatusCode::NOT_FOUND);
    let path = "/api/v1/admin/organisations/acme/members/root-of-all";
    let oneself = world.api(&root, Method::PUT, path, Some(json!({"role": "viewer"}))).await;
    assert_eq!(oneself.status, StatusCode::FORBIDDEN, "{}", oneself.body);
}

#[tokio::test]
async fn whoever_is_no_administrator_reads_of_their_own_deeds_alone() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let bob = world.person("bob", InstanceRole::Member).await;
    let (adas, bobs) = acme(&world, &ada, &bob, "operator").await;
    let who = async |key: &str| {
        world.engine.audit.flush().await;
        let events = ask(&world, key, "acme", Method::GET, "/api/v1/audit", None).await.json();
        let mut who: Vec<String> = events["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["principal"].as_str().unwrap().to_owned())
            .collect();
        who.sort();
        who.dedup();
        who
    };

    assert_eq!(who(&adas).await, ["ada", "bob"]);
    assert_eq!(who(&bobs).await, ["bob"]);

    let acme = Handle::parse("acme").unwrap();
    let permit = operator_at_the_shell();
    world.engine.orgs.put_member(&permit, &acme, &bob.member.handle, OrgRole::Admin).await.unwrap();
    assert_eq!(who(&bobs).await, ["ada", "bob", "operator"]);
}

#[tokio::test]
async fn a_preset_of_a_team_asks_for_a_key_since_nobody_else_is_charged() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let bob = world.person("bob", InstanceRole::Member).await;
    let (in_acme, _) = acme(&world, &ada, &bob, "viewer").await;

    let new = json!({"slug": "open", "visibility": "public", "anonymous": true});
    let refused = ask(&world, &in_acme, "acme", Method::POST, "/api/v1/presets", Some(new.clone())).await;
    let own = world.api(&ada, Method::POST, "/api/v1/presets", Some(new)).await;

    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
    assert_eq!(own.status, StatusCode::CREATED, "{}", own.body);
}

#[tokio::test]
async fn an_auditor_reads_every_log_without_what_callers_sent_and_changes_nothing() {
    let world = World::open().await;
    let root = world.person("root-of-all", InstanceRole::Admin).await;
    let auditor = world.person("nosy", InstanceRole::Auditor).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let bob = world.person("bob", InstanceRole::Member).await;
    let (in_acme, bobs) = acme(&world, &ada, &bob, "viewer").await;
    let acting = Person { key: in_acme.clone(), cookie: String::new(), member: ada.member.clone() };
    let source = Scripted::start().await;
    give_tools(&world, &acting, &source, json!({})).await;
    let call = Call::tool("echo", json!({"text": "a secret"})).at("/mcp/acme/tools").key(&bobs);
    world.send(call.request()).await;
    world.engine.audit.flush().await;
    let calls = "/api/v1/audit?action=tool_call&organisation=acme";

    let own = ask(&world, &in_acme, "acme", Method::GET, "/api/v1/audit?action=tool_call", None).await.json();
    let seen = world.api(&auditor, Method::GET, calls, None).await;
    assert_eq!(own["items"][0]["principal"], "bob", "{own}");
    assert!(own["items"][0]["argument_digest"].is_string(), "{own}");
    assert_eq!(seen.json()["items"][0]["principal"], "bob", "{}", seen.body);
    assert!(seen.json()["items"][0]["argument_digest"].is_null(), "{}", seen.body);
    for stranger in [&root, &bob] {
        let refused = world.api(stranger, Method::GET, calls, None).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
    }
    for path in ["datasources", "presets", "keys", "export"] {
        let path = format!("/api/v1/{path}");
        let refused = ask(&world, &auditor.key, "acme", Method::GET, &path, None).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{path}: {}", refused.body);
    }
    let admin = world.api(&auditor, Method::GET, "/api/v1/admin/organisations", None).await;
    assert_eq!(admin.status, StatusCode::FORBIDDEN, "{}", admin.body);
}

#[tokio::test]
async fn calls_of_a_team_count_in_its_month_and_in_the_callers_and_its_managers_see_it() {
    let world = World::open().await;
    let root = world.person("root-of-all", InstanceRole::Admin).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let bob = world.person("bob", InstanceRole::Member).await;
    let (in_acme, bobs) = acme(&world, &ada, &bob, "viewer").await;
    let acting = Person { key: in_acme.clone(), cookie: String::new(), member: ada.member.clone() };
    let source = Scripted::start().await;
    give_tools(&world, &acting, &source, json!({})).await;
    let permit = policy::may_administer(&root.member).unwrap();
    let tiny = PlanName::parse("tiny").unwrap();
    let free = world.engine.identity.plans(&permit).await.unwrap().remove(1);
    let plan = Plan { name: tiny, calls_per_month: Some(2), sources_max: Some(1), ..free };
    world.engine.identity.save_plan(&permit, &plan).await.unwrap();
    let path = "/api/v1/admin/organisations/acme";
    let echo = async |key: &str| {
        let call = Call::tool("echo", json!({"text": "a"})).at("/mcp/acme/tools").key(key);
        world.send(call.request()).await.tool_text()
    };

    let unknown = world.api(&root, Method::PATCH, path, Some(json!({"plan": "gold"}))).await;
    let set = world.api(&root, Method::PATCH, path, Some(json!({"plan": "tiny"}))).await;
    let by_ada = world.api(&ada, Method::PATCH, path, Some(json!({"plan": "enterprise"}))).await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", unknown.body);
    assert_eq!(set.json()["plan"], "tiny", "{}", set.body);
    assert_eq!(by_ada.status, StatusCode::FORBIDDEN, "{}", by_ada.body);
    assert!(!echo(&in_acme).await.1);
    assert!(!echo(&bobs).await.1);
    let (said, is_error) = echo(&bobs).await;
    assert!(is_error && said.contains("2 tool calls per month of the organisation"), "{said}");

    let seen = ask(&world, &in_acme, "acme", Method::GET, "/api/v1/usage", None).await.json();
    let team = &seen["organisation"];
    assert_eq!((&team["handle"], &team["plan"]), (&json!("acme"), &json!("tiny")), "{seen}");
    assert_eq!((&team["calls_used"], &team["calls_limit"]), (&json!(2), &json!(2)), "{seen}");
    assert_eq!((&seen["calls_used"], &seen["sources_limit"]), (&json!(1), &json!(1)), "{seen}");
    let bobs_view = ask(&world, &bobs, "acme", Method::GET, "/api/v1/usage", None).await.json();
    assert_eq!((&bobs_view["calls_used"], &bobs_view["organisation"]), (&json!(1), &Value::Null));
    world.engine.quota.give_back().await.unwrap();
    let months = "/api/v1/usage/months.csv?of=organisation";
    let file = ask(&world, &in_acme, "acme", Method::GET, months, None).await;
    assert!(
        file.body.starts_with("month,calls,analyses\r\n") && file.body.ends_with(",2,0\r\n"),
        "{}",
        file.body
    );
    let refused = ask(&world, &bobs, "acme", Method::GET, months, None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
    let at_home = world.api(&ada, Method::GET, months, None).await;
    assert_eq!(at_home.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", at_home.body);

    let second =
        json!({"name": "second", "kind": "mcp_http", "url": "http://127.0.0.1:9/mcp", "enabled": false});
    let bounded = ask(&world, &in_acme, "acme", Method::POST, "/api/v1/datasources", Some(second)).await;
    assert!(
        bounded.body.contains("the plan `tiny` holds 1 data sources and 1 are there"),
        "{}",
        bounded.body
    );
    let taken = world.api(&root, Method::PATCH, path, Some(json!({"plan": null}))).await;
    assert_eq!(taken.json()["plan"], Value::Null, "{}", taken.body);
    assert!(!echo(&bobs).await.1);
}

//! The REST API: its document, its pages, and what it does.

use std::collections::BTreeSet;

use axum::body::Body;
use doorward::model::InstanceRole;
use http::{Method, StatusCode, header};
use serde_json::{Value, json};
use server::{config::MetricsListen, routes};

use crate::world::{World, request};

#[tokio::test]
async fn the_document_holds_the_routes_that_are_there_and_no_other() {
    let world = World::open().await;
    let document = world.get("/api/v1/openapi.json").await.json();

    let documented: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let there: BTreeSet<String> = routes::table(MetricsListen::Off)
        .iter()
        .filter(|row| row.path.starts_with("/api/"))
        .map(|row| format!("{} {}", row.method, row.path))
        .collect();

    assert_eq!(documented, there);
    assert_eq!(document["openapi"].as_str().map(|version| &version[..2]), Some("3."));
}

#[tokio::test]
async fn every_schema_that_the_document_refers_to_is_in_it() {
    let world = World::open().await;
    let document = world.get("/api/v1/openapi.json").await.json();

    let mut references = BTreeSet::new();
    collect_references(&document, &mut references);

    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

#[tokio::test]
async fn a_data_source_lives_its_life_through_the_api() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let new = json!({
        "name": "docs", "kind": "mcp_http", "url": "http://127.0.0.1:9/mcp", "enabled": false,
        "auth": {"bearer": "s3cret"},
    });

    let made = world.api(&ada, Method::POST, "/api/v1/datasources", Some(new.clone())).await;
    let again = world.api(&ada, Method::POST, "/api/v1/datasources", Some(new)).await;
    let id = made.json()["source"]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/datasources/{id}");
    let read = world.api(&ada, Method::GET, &path, None).await;
    let edit = json!({"version": read.json()["version"], "name": "manuals"});
    let edited = world.api(&ada, Method::PATCH, &path, Some(edit.clone())).await;
    let stale = world.api(&ada, Method::PATCH, &path, Some(edit)).await;
    let tested = world.api(&ada, Method::POST, &format!("{path}/test"), None).await;
    let removed = world.api(&ada, Method::DELETE, &path, None).await;
    let gone = world.api(&ada, Method::GET, &path, None).await;

    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.headers[header::LOCATION], path);
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert_eq!(read.json()["auth"], "bearer");
    assert!(!made.body.contains("s3cret") && !read.body.contains("s3cret"));
    assert_eq!(edited.json()["name"], "manuals", "{}", edited.body);
    assert_eq!(stale.status, StatusCode::CONFLICT);
    assert_eq!(
        (tested.status, tested.json()["passed"].as_bool()),
        (StatusCode::OK, Some(false)),
        "{}",
        tested.body
    );
    assert_eq!(removed.status, StatusCode::OK);
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_process_is_started_for_nobody_but_an_administrator() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let marker = world.folder.path().join("started");
    let command = json!(["touch", marker]);
    let stdio = json!({"name": "shell", "kind": "mcp_stdio", "command": command});
    let document = format!(
        "version: 1\nsources:\n  - {{owner: ada, name: shell, kind: mcp_stdio, command: {command}}}\n"
    );
    let id = world.source(&ada.member, "docs").await;

    let made = world.api(&ada, Method::POST, "/api/v1/datasources", Some(stdio)).await;
    let edit = json!({"version": 1, "command": command});
    let edited = world.api(&ada, Method::PATCH, &format!("/api/v1/datasources/{id}"), Some(edit)).await;
    let applied =
        request(Method::POST, "/api/v1/apply").header(header::AUTHORIZATION, format!("Bearer {}", ada.key));
    let applied = world.send(applied.body(Body::from(document)).unwrap()).await;

    assert_eq!(made.status, StatusCode::FORBIDDEN, "{}", made.body);
    assert_eq!(edited.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", edited.body);
    assert_eq!(applied.status, StatusCode::FORBIDDEN, "{}", applied.body);
    assert!(!marker.exists());
}

#[tokio::test]
async fn presets_and_keys_live_their_lives_through_the_api() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let source = world.source(&ada.member, "docs").await;

    let new = json!({"slug": "notes", "sources": [{"source": source, "all": true}]});
    let made = world.api(&ada, Method::POST, "/api/v1/presets", Some(new)).await;
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/presets/{id}");
    let edit = json!({"version": 1, "title": "Notes", "visibility": "public", "status": "disabled"});
    let edited = world.api(&ada, Method::PATCH, &path, Some(edit)).await;
    let read = world.api(&ada, Method::GET, &path, None).await;
    let key = json!({"name": "laptop", "presets": [id], "expires_in_days": 30});
    let key = world.api(&ada, Method::POST, "/api/v1/keys", Some(key)).await;
    let key_id = key.json()["key"]["id"].as_str().unwrap().to_owned();
    let revoked = world.api(&ada, Method::DELETE, &format!("/api/v1/keys/{key_id}"), None).await;
    let usage = world.api(&ada, Method::GET, "/api/v1/usage", None).await;
    let removed = world.api(&ada, Method::DELETE, &path, None).await;

    assert_eq!(made.json()["address"], "http://127.0.0.1:8080/mcp/ada/notes", "{}", made.body);
    assert_eq!(
        (edited.status, edited.json()["status"].as_str()),
        (StatusCode::OK, Some("disabled")),
        "{}",
        edited.body
    );
    assert_eq!(read.json()["sources"][0]["source"], source.to_string());
    assert!(key.json()["secret"].as_str().unwrap().starts_with("dw_"));
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert_eq!(
        (usage.status, usage.json()["calls_used"].as_i64()),
        (StatusCode::OK, Some(0)),
        "{}",
        usage.body
    );
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_preset_takes_resources_and_prompts_through_the_api() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let source = world.source(&ada.member, "docs").await;
    let new = json!({"slug": "notes", "sources": [{
        "source": source, "all": false, "resources": ["file:///a", "file:///{name}"], "prompts": "all",
    }]});
    let made = world.api(&ada, Method::POST, "/api/v1/presets", Some(new)).await;
    let path = format!("/api/v1/presets/{}", made.json()["id"].as_str().unwrap());

    let read = world.api(&ada, Method::GET, &path, None).await.json();
    let silent = json!({"version": 1, "sources": [{"source": source, "all": true}]});
    let edited = world.api(&ada, Method::PATCH, &path, Some(silent)).await;
    let after = world.api(&ada, Method::GET, &path, None).await.json();
    let wrong = json!({"version": 2, "sources": [{"source": source, "all": true, "prompts": "some"}]});
    let wrong = world.api(&ada, Method::PATCH, &path, Some(wrong)).await;
    let twice = json!({"version": 2, "sources": [{"source": source, "all": true, "resources": [""]}]});
    let twice = world.api(&ada, Method::PATCH, &path, Some(twice)).await;

    let taken = &read["sources"][0];
    assert_eq!(
        (&taken["resources"], &taken["prompts"]),
        (&json!(["file:///a", "file:///{name}"]), &json!("all"))
    );
    assert_eq!(edited.status, StatusCode::OK, "{}", edited.body);
    let taken = &after["sources"][0];
    assert_eq!((&taken["resources"], &taken["prompts"]), (&json!("none"), &json!("none")));
    assert!(
        wrong.status.is_client_error() && twice.status.is_client_error(),
        "{} {}",
        wrong.body,
        twice.body
    );
}

#[tokio::test]
async fn a_key_limited_to_presets_opens_no_part_of_the_api() {
    let world = World::with(&[("DOORWARD_METRICS_LISTEN", "main")]).await;
    let mut ada = world.person("ada", InstanceRole::Admin).await;
    let preset =
        world.api(&ada, Method::POST, "/api/v1/presets", Some(json!({"slug": "notes"}))).await.json();
    let key = json!({"name": "narrow", "presets": [preset["id"]]});
    let key = world.api(&ada, Method::POST, "/api/v1/keys", Some(key)).await.json();
    ada.key = key["secret"].as_str().unwrap().to_owned();

    for row in routes::table(MetricsListen::Main) {
        let is_open =
            matches!(row.path, "/health" | "/ready" | "/api/v1/openapi.json" | "/connections/client.json");
        // The issuer asks its clients for proofs of their own.
        // Whoever posts there is known by a signature.
        let is_signed = row.path == "/api/v1/plan-changes";
        let is_elsewhere = row.path.starts_with("/oauth/") || row.path.starts_with("/.well-known/");
        if is_open || is_signed || is_elsewhere {
            continue;
        }
        let path = row.path.replace("{id}", preset["id"].as_str().unwrap());
        // Of no list.
        let path = path.replace("{entry}", preset["id"].as_str().unwrap()).replace("{version}", "1");
        let path = path.replace("{other}", preset["id"].as_str().unwrap());
        let path = path.replace("{invitation}", preset["id"].as_str().unwrap());
        let path = path.replace("{organisation}", "ada").replace("{member}", "ada");
        let body = match row.path {
            "/api/v1/apply" => Some(json!({"version": 1})),
            "/api/v1/presets/{id}" | "/api/v1/presets/{id}/versions/{version}/restore" => {
                Some(json!({"version": 1}))
            }
            "/api/v1/datasources/{id}" | "/api/v1/tunnels/{id}" => Some(json!({"version": 1})),
            "/api/v1/tunnels" => Some(json!({
                "name": "a", "hops": [{"host": "127.0.0.1", "user": "u"}], "destinations": ["h:80"],
            })),
            "/api/v1/tunnels/{id}/confirm" => {
                Some(json!({"hop": 0, "host_key": "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"}))
            }
            "/api/v1/analyses" => Some(json!({"source": preset["id"].as_str().unwrap(), "app_id": "app-1"})),
            "/api/v1/tunnels/{id}/key" => Some(json!({"hop": 0})),
            "/api/v1/presets/{id}/access" => {
                Some(json!({"who": {"email": "grace@example.org"}, "level": "viewer"}))
            }
            "/api/v1/presets/{id}/invitations" => Some(json!({"level": "viewer"})),
            "/api/v1/organisations" => Some(json!({"handle": "other"})),
            "/api/v1/organisations/{organisation}" => Some(json!({"title": "other"})),
            "/api/v1/organisations/{organisation}/members/{member}"
            | "/api/v1/admin/organisations/{organisation}/members/{member}"
            | "/api/v1/organisations/{organisation}/invitations" => Some(json!({"role": "viewer"})),
            "/api/v1/admin/organisations" => Some(json!({"handle": "other", "admin": "bob"})),
            "/api/v1/admin/organisations/{organisation}" => Some(json!({"enabled": true})),
            "/api/v1/admin/erasures" => Some(json!({"handle": "bob", "confirm": "bob"})),
            "/api/v1/presets/{id}/transfer" if row.method == Method::PUT => Some(json!({"to": "bob"})),
            "/api/v1/presets/{id}/transfer" | "/api/v1/presets/{id}/fork" => Some(json!({"slug": "other"})),
            "/api/v1/presets" => Some(json!({"slug": "other"})),
            "/api/v1/keys" => Some(json!({"name": "other"})),
            "/api/v1/keys/{id}" if row.method == Method::PATCH => Some(json!({"rate": null})),
            "/api/v1/datasources" => {
                Some(json!({"name": "a", "kind": "mcp_http", "url": "http://127.0.0.1:9/"}))
            }
            _ => None,
        };
        let answer = world.api(&ada, row.method.clone(), &path, body).await;

        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{} {}: {}", row.method, row.path, answer.body);
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    for slug in ["a", "b", "c"] {
        world.api(&ada, Method::POST, "/api/v1/presets", Some(json!({"slug": slug}))).await;
    }

    let first = world.api(&ada, Method::GET, "/api/v1/presets?limit=2", None).await.json();
    let rest = format!("/api/v1/presets?limit=2&after={}", first["next"].as_str().unwrap());
    let rest = world.api(&ada, Method::GET, &rest, None).await.json();
    let wrong = world.api(&ada, Method::GET, "/api/v1/presets?limit=0", None).await;
    let unknown = world.api(&ada, Method::GET, "/api/v1/presets?page=2", None).await;

    let slugs = |page: &Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["slug"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!((slugs(&first), slugs(&rest)), (vec!["a".into(), "b".into()], vec!["c".to_owned()]));
    assert!(rest.get("next").is_none());
    assert_eq!((wrong.status, unknown.status), (StatusCode::BAD_REQUEST, StatusCode::BAD_REQUEST));
}

fn collect_references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, found)),
        Value::Object(members) => {
            for (name, member) in members {
                if name == "$ref" {
                    found.extend(member.as_str().map(str::to_owned));
                }
                collect_references(member, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

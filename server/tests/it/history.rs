//! What a preset was, over HTTP: its versions, in what they differ, and going back.

use std::time::Duration;

use axum::body::Body;
use doorward::{
    clock::{Clock, Ms},
    model::InstanceRole,
};
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    call::Call,
    scripted::{Scripted, give_tools},
    world::{World, request},
};

#[tokio::test]
async fn what_a_preset_was_is_listed_compared_and_gone_back_to() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let scripted = Scripted::start().await;
    let (source, preset) = give_tools(&world, &ada, &scripted, json!({"visibility": "public"})).await;
    let path = format!("/api/v1/presets/{preset}");
    let echo = json!({"name": "echo", "exposed_name": "say"});
    let edit = json!({"version": 1, "title": "Words", "visibility": "private",
        "sources": [{"source": source, "all": false, "tools": [echo]}]});
    let edited = world.api(&ada, Method::PATCH, &path, Some(edit)).await;
    assert_eq!(edited.status, StatusCode::OK, "{}", edited.body);

    let listed = world.api(&ada, Method::GET, &format!("{path}/versions?limit=1"), None).await.json();
    assert_eq!((&listed["items"][0]["version"], &listed["items"][0]["summary"]), (&json!(1), &json!("made")));
    let after = listed["next"].as_str().unwrap();
    let rest =
        world.api(&ada, Method::GET, &format!("{path}/versions?limit=1&after={after}"), None).await.json();
    assert_eq!((&rest["items"][0]["saved_by"], &rest["next"]), (&json!("ada"), &Value::Null));
    assert_eq!(
        rest["items"][0]["summary"],
        "1 tool removed; 1 tool renamed; title, visibility, later tools changed"
    );

    let second = world.api(&ada, Method::GET, &format!("{path}/versions/2"), None).await.json();
    assert_eq!((&second["since"], &second["state"]["title"]), (&json!(1), &json!("Words")));
    let renamed =
        json!({"what": "tool_renamed", "source": "scripted", "name": "echo", "before": "", "after": "say"});
    assert!(second["changes"].as_array().unwrap().contains(&renamed), "{second}");
    let same = world.api(&ada, Method::GET, &format!("{path}/versions/2?since=2"), None).await.json();
    assert_eq!(same["changes"], json!([]));
    for missing in ["versions/9", "versions/9/restore", "versions/x", "versions/2?since=9"] {
        let (method, body) = match missing.ends_with("restore") {
            true => (Method::POST, Some(json!({"version": 2}))),
            false => (Method::GET, None),
        };
        let answer = world.api(&ada, method, &format!("{path}/{missing}"), body).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{missing}: {}", answer.body);
    }

    let restore = format!("{path}/versions/1/restore");
    let stale = world.api(&ada, Method::POST, &restore, Some(json!({"version": 1}))).await;
    assert_eq!(stale.status, StatusCode::CONFLICT, "{}", stale.body);
    let back = world.api(&ada, Method::POST, &restore, Some(json!({"version": 2}))).await;
    assert_eq!(back.status, StatusCode::OK, "{}", back.body);
    let back = back.json();
    assert_eq!((&back["preset"]["version"], &back["missing"]), (&json!(3), &json!([])));
    assert_eq!(back["preset"]["visibility"], "private", "going back opens nothing");
    let now = world.api(&ada, Method::GET, &path, None).await.json();
    assert_eq!((&now["title"], &now["sources"][0]["all"]), (&json!("tools"), &json!(true)));
}

#[tokio::test]
async fn what_is_kept_of_a_preset_holds_no_credential() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let scripted = Scripted::start().await;
    let new = json!({"name": "secret", "kind": "mcp_http", "url": format!("{}?key=in-the-address", scripted.url()),
        "auth": {"bearer": "in-the-header"}});
    let source = world.api(&ada, Method::POST, "/api/v1/datasources", Some(new)).await.json();
    let source = source["source"]["id"].as_str().unwrap().to_owned();
    let new = json!({"slug": "notes", "sources": [{"source": source, "all": true}]});
    let preset = world.api(&ada, Method::POST, "/api/v1/presets", Some(new)).await.json();
    let preset = preset["id"].as_str().unwrap();

    let version = world.api(&ada, Method::GET, &format!("/api/v1/presets/{preset}/versions/1"), None).await;

    assert_eq!(version.status, StatusCode::OK);
    assert!(!version.body.contains("in-the-"), "{}", version.body);
}

#[tokio::test]
async fn a_preset_answers_until_its_last_day_is_over_and_again_when_that_is_moved() {
    let start = Ms::parse("2027-01-30T12:00:00Z").unwrap();
    let clock = Clock::manual(start);
    let world = World::at(clock.clone(), &[]).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let scripted = Scripted::start().await;
    let (_, preset) = give_tools(&world, &ada, &scripted, json!({"expires_at": "2027-01-31"})).await;
    let path = format!("/api/v1/presets/{preset}");
    let call = async || {
        let answer = world.send(Call::tool("echo", json!({})).key(&ada.key).request()).await;
        (answer.status, answer.body)
    };
    let page = async |path: String| {
        let request = request(Method::GET, &path).header(header::COOKIE, &ada.cookie);
        world.send(request.body(Body::empty()).unwrap()).await.body
    };
    assert_eq!(call().await.0, StatusCode::OK);
    assert_eq!(world.api(&ada, Method::GET, &path, None).await.json()["expires_at"], "2027-02-01T00:00:00Z");
    assert!(page("/presets".to_owned()).await.contains("ends with 2027-01-31"));

    clock.advance(Duration::from_secs(36 * 3600));

    let ended = call().await;
    let missing = Call::tool("echo", json!({})).key(&ada.key).at("/mcp/ada/missing").request();
    let missing = world.send(missing).await;
    assert_eq!(ended, (missing.status, missing.body));
    assert_eq!(ended.0, StatusCode::NOT_FOUND);
    assert!(page("/presets".to_owned()).await.contains("expired"));
    assert!(page(format!("/presets/{preset}/settings")).await.contains("It has come to its end"));

    let form = async |day: &str| {
        let request = request(Method::POST, "/do/preset-expiry")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .header(header::COOKIE, &ada.cookie);
        world.send(request.body(Body::from(format!("id={preset}&last_day={day}"))).unwrap()).await
    };
    for wrong in ["2027-01-31", "2027-02-30", "soon"] {
        form(wrong).await;
        assert_eq!(call().await, ended, "{wrong}");
    }
    form("2027-02-02").await;
    assert_eq!(call().await.0, StatusCode::OK);
    let version = world.api(&ada, Method::GET, &path, None).await.json()["version"].clone();
    let wrong = json!({"version": version, "expires_at": "tomorrow"});
    assert_eq!(world.api(&ada, Method::PATCH, &path, Some(wrong)).await.status, StatusCode::BAD_REQUEST);
    let never = json!({"version": version, "expires_at": "never"});
    let without = world.api(&ada, Method::PATCH, &path, Some(never)).await;
    assert_eq!((without.status, &without.json()["expires_at"]), (StatusCode::OK, &Value::Null));
}

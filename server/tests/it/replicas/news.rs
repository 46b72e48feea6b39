//! Streams of news: opened at one process, broken, taken up at another, and told of what others change.

use axum::body::Body;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    calls::{begin_on, of_session},
    scene::Scene,
    stream::Stream,
};
use crate::{
    call::Call,
    running::{Door, Running},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_stream_is_taken_up_at_another_and_nothing_is_lost_or_told_twice() {
    let Some(scene) = Scene::start().await else { return };
    let running = scene.serve_all().await;
    scene.all_know_each_other(&running).await;
    let doors: Vec<Door> = running.iter().map(Running::door).collect();
    let ada = scene.key("ada.key");
    let session = begin_on(&doors[0], &ada, "/mcp/ada/watched").await;
    for (door, uri) in doors.iter().zip(["note:1", "note:2", "note:3"]) {
        let call = of_session(&session, &ada, "resources/subscribe", json!({ "uri": uri }));
        let subscribed = door.send(call.at("/mcp/ada/watched").request()).await.unwrap();
        assert_eq!(subscribed.json()["result"], json!({}), "{}", subscribed.body);
    }

    let mut first = Stream::open(&doors[1], get(&session, &ada, None)).await;
    scene.watched.change("note:1");
    let (told, seen) = first.message().await;
    assert_eq!(told["params"]["uri"], "note:1");
    drop(first);
    scene.watched.change("note:2");
    scene.watched.change("note:3");
    let mut second = Stream::open(&doors[2], get(&session, &ada, Some(&seen))).await;
    let mut uris = Vec::new();
    for next in ["note:1", "note:2"] {
        uris.push(second.message().await.0["params"]["uri"].clone());
        scene.watched.change(next);
    }
    let (told, seen) = second.message().await;
    uris.push(told["params"]["uri"].clone());
    assert_eq!(uris, ["note:2", "note:3", "note:1"]);

    // What came after the last event seen comes again, and nothing before it.
    let mut third = Stream::open(&doors[1], get(&session, &ada, Some(&seen))).await;
    assert_eq!(third.message().await.0["params"]["uri"], "note:2");
    drop((second, third));
    for replica in running {
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_listens_at_one_hears_what_is_changed_at_another() {
    let Some(scene) = Scene::start().await else { return };
    let running = scene.serve_all().await;
    scene.all_know_each_other(&running).await;
    let doors: Vec<Door> = running.iter().map(Running::door).collect();
    let ada = scene.key("ada.key");

    let listen = |path: &str, wanted: Value| {
        let call = Call::modern("subscriptions/listen", json!({ "notifications": wanted }));
        call.at(path).key(&ada).request()
    };
    let mut watching =
        Stream::open(&doors[0], listen("/mcp/ada/watched", json!({"resourceSubscriptions": ["note:1"]})))
            .await;
    assert_eq!(watching.message().await.0["method"], "notifications/subscriptions/acknowledged");
    let mut listening = Vec::new();
    for door in [&doors[0], &doors[2]] {
        let mut stream =
            Stream::open(door, listen("/mcp/ada/tools", json!({"toolsListChanged": true}))).await;
        assert_eq!(stream.message().await.0["method"], "notifications/subscriptions/acknowledged");
        listening.push(stream);
        let session = begin_on(door, &ada, "/mcp/ada/tools").await;
        let call = get(&session, &ada, None);
        listening.push(Stream::open(&doors[1], at(call, "/mcp/ada/tools")).await);
    }

    // Other requests go elsewhere.
    for door in &doors {
        let answer = door.send(Call::tool("echo", json!({})).key(&ada).request()).await.unwrap();
        assert_eq!((answer.status, answer.tool_text().1), (StatusCode::OK, false), "{}", answer.body);
    }
    scene.watched.change("note:1");
    let (told, _) = watching.message().await;
    assert_eq!(told["method"], "notifications/resources/updated");
    assert_eq!(told["params"]["uri"], "note:1");
    let edit =
        "  - {owner: ada, slug: tools, visibility: public, tools: [{source: scripted, allow: [echo]}]}\n";
    scene.apply_at(&doors[1], edit).await;
    for stream in &mut listening {
        assert_eq!(stream.message().await.0["method"], "notifications/tools/list_changed");
    }
    drop((watching, listening));
    for replica in running {
        replica.stop().await;
    }
}

/// Opens the stream of a session, after an event.
fn get(session: &str, key: &str, last: Option<&str>) -> http::Request<Body> {
    let mut call = of_session(session, key, "ping", json!({})).at("/mcp/ada/watched").without("accept");
    call = call.header("accept", "text/event-stream");
    if let Some(last) = last {
        call = call.header("last-event-id", last);
    }
    call.body = String::new();
    let mut request = call.request();
    *request.method_mut() = Method::GET;
    request
}

fn at(mut request: http::Request<Body>, path: &str) -> http::Request<Body> {
    *request.uri_mut() = path.parse().unwrap();
    request
}

//! The live tail: one's own events only, until one signs out or the program stops.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use doorward::model::InstanceRole;
use futures::StreamExt as _;
use http::{Method, StatusCode, header};
use serde_json::json;

use crate::world::{Person, World, origin, request};

#[tokio::test]
async fn a_tail_tells_what_happens_in_ones_own_organisation() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let bob = world.person("bob", InstanceRole::Admin).await;
    let mut tail = open(&world, &ada).await;

    world.api(&bob, Method::POST, "/api/v1/presets", Some(json!({"slug": "of-bob"}))).await;
    world.api(&ada, Method::POST, "/api/v1/presets", Some(json!({"slug": "of-ada"}))).await;
    let heard = next(&mut tail).await.unwrap();

    assert!(heard.contains("of-ada") && !heard.contains("of-bob"), "{heard}");
    assert_eq!(world.get("/events").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_tail_ends_with_the_browser_session_and_with_the_program() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let bob = world.person("bob", InstanceRole::Member).await;
    let (mut of_ada, mut of_bob) = (open(&world, &ada).await, open(&world, &bob).await);

    let cookie = ada.cookie.trim_start_matches("doorward=");
    world.engine.identity.sign_out(cookie, &origin()).await.unwrap();
    world.api(&ada, Method::POST, "/api/v1/presets", Some(json!({"slug": "of-ada"}))).await;
    let after_sign_out = next(&mut of_ada).await;
    world.state.stopping().cancel();
    let after_stop = next(&mut of_bob).await;

    assert_eq!((after_sign_out, after_stop), (None, None));
}

async fn open(world: &World, person: &Person) -> BodyDataStream {
    let request = request(Method::GET, "/events").header(header::COOKIE, &person.cookie);
    let response = world.open_request(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    response.into_body().into_data_stream()
}

/// Returns the next event; `None` at the end.
async fn next(tail: &mut BodyDataStream) -> Option<String> {
    let piece = tokio::time::timeout(Duration::from_secs(10), tail.next()).await;
    let piece = piece.expect("something within ten seconds")?;
    Some(String::from_utf8_lossy(&piece.unwrap()).into_owned())
}

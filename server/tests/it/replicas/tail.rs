//! The live tail shows what happens at any of them.

use std::collections::BTreeSet;

use axum::body::Body;
use http::{Method, StatusCode, header};
use serde_json::json;

use super::{scene::Scene, stream::Stream};
use crate::{browser::Browser, call::Call, world::request};

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_tells_what_happens_at_any_of_them_once_and_nothing_of_others() {
    let Some(scene) = Scene::start().await else { return };
    let running = scene.serve_all().await;
    let (ada, bob) = (scene.key("ada.key"), scene.key("bob.key"));
    let mut tails = Vec::new();
    for replica in &running[..2] {
        let door = replica.door();
        let mut browser = Browser::new(&door);
        browser.sign_in("ada").await;
        let open = request(Method::GET, "/events").header(header::COOKIE, browser.cookie_line());
        tails.push(Stream::open(&door, open.body(Body::empty()).unwrap()).await);
    }

    for n in 0..9 {
        let answer = running[n % 3].send(Call::tool("echo", json!({ "n": n })).key(&ada).request()).await;
        assert!(!answer.tool_text().1, "{}", answer.body);
    }
    let of_bob = request(Method::POST, "/api/v1/presets")
        .header(header::AUTHORIZATION, format!("Bearer {bob}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(json!({"slug": "of-bob"}).to_string()));
    assert_eq!(running[2].send(of_bob.unwrap()).await.status, StatusCode::CREATED);
    // The last thing of all, after which each tail is complete.
    let last = Call::tool("no-such-tool", json!({})).key(&ada).request();
    assert!(running[2].send(last).await.status.is_success());

    for tail in &mut tails {
        let (mut calls, mut ids) = (0, BTreeSet::new());
        while calls < 9 || !ids.contains("last") {
            let event = tail.next().await.unwrap();
            assert!(!event.data.contains("of-bob"), "{}", event.data);
            assert!(ids.insert(event.id), "told twice: {}", event.data);
            calls += usize::from(event.data.contains("echo"));
            if event.data.contains("no-such-tool") {
                ids.insert("last".to_owned());
            }
        }
        assert_eq!(calls, 9);
    }
    drop(tails);
    for replica in running {
        replica.stop().await;
    }
}

//! What is begun at one goes on at any, and what one changes the others know.

use futures::future::join_all;
use http::StatusCode;
use serde_json::json;

use super::{
    asking::{answer_to, ask},
    calls::{begin, delete, in_session, upstream},
    scene::{CALLS_MAX, Scene},
};
use crate::{
    call::Call,
    running::until,
    world::Answer,
    written::{CALLS, written},
};

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_begun_at_one_goes_on_at_any() {
    let Some(scene) = Scene::start().await else { return };
    let running = scene.serve_all().await;
    scene.all_know_each_other(&running).await;
    let (ada, front) = (scene.key("ada.key"), &scene.front);

    let mut asked = Vec::new();
    for _ in 0..9 {
        let answer = front.send(Call::tool("echo", json!({})).key(&ada).request()).await.unwrap();
        assert!(!answer.tool_text().1, "{}", answer.body);
        asked.push(upstream(&answer));
    }
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), 3, "nginx asks them in turn: {asked:?}");

    let session = begin(front, &ada).await;
    for n in 0..9 {
        let answer =
            front.send(in_session(&session, &ada, "echo", &json!({ "n": n })).request()).await.unwrap();
        assert_eq!(answer.tool_text(), (json!({ "n": n }).to_string(), false), "{}", answer.body);
    }
    let other = front.send(in_session(&session, &scene.key("bob.key"), "echo", &json!({})).request()).await;
    assert_eq!(other.unwrap().status, StatusCode::NOT_FOUND, "a session is its caller's alone");

    // A call that waits for an answer, gone on with at each of the others.
    for _ in 0..3 {
        let (asks, state) = ask(front, &ada).await;
        let answered = answer_to(&asks, &state);
        let answer = front.send(answered.key(&ada).request()).await.unwrap();
        assert_eq!(answer.tool_text().0, "told: accept", "{}", answer.body);
    }

    // What one changes the others do not remember.
    scene
        .apply(
            "  - {owner: ada, slug: tools, visibility: public, tools: [{source: scripted, allow: [echo]}]}\n",
        )
        .await;
    for replica in &running {
        until("the edit is known", async || {
            let listed = replica.send(Call::modern("tools/list", json!({})).key(&ada).request()).await;
            listed.json()["result"]["tools"].as_array().map(Vec::len) == Some(1)
        })
        .await;
    }
    let ended = front.send(delete(&session, &ada)).await.unwrap();
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    for _ in 0..3 {
        let answer = front.send(in_session(&session, &ada, "echo", &json!({})).request()).await.unwrap();
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.body);
    }
    for replica in running {
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn together_they_never_admit_a_call_too_many() {
    let Some(scene) = Scene::start().await else { return };
    let running = scene.serve_all().await;
    let bob = scene.key("bob.key");

    let calls = (0..64).map(|_| {
        let (front, request) = (scene.front.clone(), Call::tool("echo", json!({})).key(&bob).request());
        tokio::spawn(async move { front.send(request).await.unwrap() })
    });
    let answers: Vec<Answer> = join_all(calls).await.into_iter().map(Result::unwrap).collect();

    let admitted = answers.iter().filter(|answer| !answer.tool_text().1).count();
    assert_eq!(scene.source.calls().len(), admitted);
    assert_eq!(admitted, CALLS_MAX, "{:?}", answers.iter().map(|answer| &answer.body).collect::<Vec<_>>());
    for replica in running {
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_a_replica_says_where_a_caller_is() {
    let Some(scene) = Scene::start().await else { return };
    let replica = scene.places[0].serve().await;
    let ada = scene.key("ada.key");

    for forged in ["1795233963183 203.0.113.9 00", "x", "1795233963183 203.0.113.9", ""] {
        let call = Call::tool("echo", json!({})).key(&ada).header("doorward-forwarded", forged);
        let answer = replica.send(call.request()).await;
        assert!(!answer.tool_text().1, "{}", answer.body);
    }

    replica.stop().await;
    let believed = written!("k.address <> '127.0.0.1' and k.action = 'tool_call'");
    assert_eq!(scene.cluster.count(believed).await, 0);
    assert_eq!(scene.cluster.count(CALLS).await, 4);
    assert_eq!(scene.cluster.count("select count(*) from replicas").await, 0, "who ends says so");
}

#[tokio::test(flavor = "multi_thread")]
async fn replica_address_says_where_the_others_reach_a_process() {
    let Some(mut scene) = Scene::start().await else { return };
    let said = "http://replica.example.org:9";
    let place = scene.places.remove(0).with("DOORWARD_REPLICA_ADDRESS", said);
    let replica = place.serve().await;
    let told = "select count(*) from replicas where address = 'http://replica.example.org:9'";

    assert_eq!(scene.cluster.count(told).await, 1);
    replica.stop().await;
}

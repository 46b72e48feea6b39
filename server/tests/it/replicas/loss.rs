//! A process is killed or restarted, and the database or Redis goes.

use futures::future::join_all;
use http::StatusCode;
use rustix::process::Signal;
use serde_json::json;

use super::{
    calls::{begin, begin_at, in_session},
    load::Load,
    scene::Scene,
};
use crate::{
    call::Call,
    running::{Running, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_killed_takes_only_what_it_had_in_hand_with_it() {
    let Some(scene) = Scene::start().await else { return };
    let mut running = scene.serve_all().await;
    scene.all_know_each_other(&running).await;
    let ada = scene.key("ada.key");
    let mut victim = running.remove(1);
    let of_victim: Vec<String> = join_all((0..4).map(|_| begin_at(&victim, &ada))).await;
    let load = Load::begin(&scene, &ada, 6).await;

    victim.signal(Signal::KILL);
    // While it goes, the system still takes connections for it.
    victim.ended().await;
    let sessions = of_victim.iter().map(|session| {
        let request = in_session(session, &ada, "echo", &json!({}));
        let front = scene.front.clone();
        async move { front.send(request.request()).await.unwrap() }
    });
    let answers = join_all(sessions).await;
    let (calls, failed) = load.end_after(200).await;

    for answer in answers {
        assert_eq!((answer.status, answer.tool_text().1), (StatusCode::OK, false), "{}", answer.body);
    }
    assert!(failed <= 6, "{failed} of {calls} calls failed, and six were under way");
    // From here on its sessions have one place again, whoever is asked.
    let holders = of_victim.iter().map(async |session| {
        let mut texts = Vec::new();
        for replica in &running {
            let call = in_session(session, &ada, "echo", &json!({}));
            texts.push(replica.send(call.request()).await.tool_text().1);
        }
        texts
    });
    assert!(join_all(holders).await.into_iter().flatten().all(|is_error| !is_error));
    // Those of the load, which began at any, beside.
    let moved = scene.cluster.count("select count(*) from sessions_moved").await;
    assert!((4..=7).contains(&moved), "{moved} were taken over");
    for replica in running {
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_restarted_in_turn_and_no_call_fails() {
    let Some(scene) = Scene::start().await else { return };
    let mut running: Vec<Option<Running<'_>>> = scene.serve_all().await.into_iter().map(Some).collect();
    scene.all_know_each_other(running.iter().flatten()).await;
    let ada = scene.key("ada.key");
    let load = Load::begin(&scene, &ada, 6).await;

    for (place, replica) in scene.places.iter().zip(&mut running) {
        replica.take().unwrap().stop().await;
        *replica = Some(place.serve().await);
    }
    let (calls, failed) = load.end_after(200).await;

    assert_eq!(failed, 0, "of {calls} calls");
    for replica in running.into_iter().flatten() {
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn they_recover_when_postgres_is_restarted_and_redis_is_lost() {
    let Some(mut scene) = Scene::start().await else { return };
    let redis = scene.redis.take();
    let running = scene.serve_all().await;
    scene.all_know_each_other(&running).await;
    let ada = scene.key("ada.key");
    let session = begin(&scene.front, &ada).await;

    scene.cluster.control(&["--mode", "immediate", "restart"]).await;
    until("calls work again at each", async || {
        let calls =
            running.iter().map(|replica| replica.send(Call::tool("echo", json!({})).key(&ada).request()));
        join_all(calls).await.iter().all(|answer| answer.status == StatusCode::OK && !answer.tool_text().1)
    })
    .await;
    for n in 0..3 {
        let answer = scene.front.send(in_session(&session, &ada, "echo", &json!({ "n": n })).request()).await;
        assert!(!answer.unwrap().tool_text().1, "nobody took another for gone");
    }
    assert_eq!(scene.cluster.count("select count(*) from sessions_moved").await, 0);

    scene
        .apply(
            "  - {owner: ada, slug: tools, visibility: public, tools: [{source: scripted, allow: [echo]}]}\n",
        )
        .await;
    for replica in &running {
        until("they hear each other again", async || {
            let listed = replica.send(Call::modern("tools/list", json!({})).key(&ada).request()).await;
            listed.json()["result"]["tools"].as_array().map(Vec::len) == Some(1)
        })
        .await;
    }
    drop(redis);
    for _ in 0..6 {
        let answer = scene.front.send(Call::tool("echo", json!({})).key(&ada).request()).await.unwrap();
        assert!(!answer.tool_text().1, "without Redis each limits by itself: {}", answer.body);
    }
    for replica in running {
        replica.stop().await;
    }
}

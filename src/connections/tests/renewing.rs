use serde_json::json;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_links_go_on_with_the_next() {
    let scene = Scene::open().await;
    scene.sign_in(&scene.ada, scene.connection).await.unwrap();
    scene.call(None).await.unwrap();
    let link = scene.world.sources.way(scene.ada.tenant, scene.source, None).await.unwrap().link;
    assert_eq!(scene.world.connections.renew_due().await.unwrap(), 0);

    scene.world.clock.advance(HOUR - Duration::from_secs(60));
    assert_eq!(scene.world.connections.renew_due().await.unwrap(), 1);

    assert!(scene.call(None).await.unwrap().contains("Bearer access-2"));
    let same = scene.world.sources.way(scene.ada.tenant, scene.source, None).await.unwrap().link;
    assert!(std::sync::Arc::ptr_eq(&link, &same));
    let connection = scene.now().await;
    assert_eq!((connection.version, connection.expires_at), (2, Some(scene.world.clock.now().plus(HOUR))));
}

#[tokio::test]
async fn a_call_waits_for_the_renewal_of_a_token_that_is_over() {
    let scene = Scene::open().await;
    scene.sign_in(&scene.ada, scene.connection).await.unwrap();
    scene.call(None).await.unwrap();

    scene.world.clock.advance(HOUR * 2);
    let calls = futures::future::join_all((0..8).map(|_| scene.call(None))).await;

    assert!(calls.into_iter().all(|answer| answer.unwrap().contains("Bearer access-2")));
    assert_eq!(scene.authority.play().asked.len(), 2);
}

#[tokio::test]
async fn a_token_the_source_does_not_take_is_renewed_once_and_the_call_made_again() {
    let scene = Scene::open().await;
    scene.sign_in(&scene.ada, scene.connection).await.unwrap();
    scene.call(None).await.unwrap();
    scene.world.clock.advance(Duration::from_secs(60));
    scene.authority.play().good.clear();

    assert!(scene.call(None).await.unwrap().contains("Bearer access-2"));

    // One that was just given is worth nothing either: somebody has to look.
    scene.authority.play().good.clear();
    assert!(matches!(scene.call(None).await, Err(UpstreamError::Credential { .. })));
    assert_eq!(scene.now().await.state, ConnectionState::Broken);
    assert_eq!(scene.authority.play().asked.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_renew_a_token_once() {
    let scene = Scene::open().await;
    scene.sign_in(&scene.ada, scene.connection).await.unwrap();
    let other = scene.world.connections_of_another_process().await;
    let live = other.live(scene.ada.tenant, scene.source, None).await.unwrap().unwrap();
    scene.world.clock.advance(HOUR * 2);

    let renew = |connections: Connections| async move {
        connections.live(scene.ada.tenant, scene.source, None).await.map(|live| live.is_some())
    };
    let both = tokio::join!(renew(scene.world.connections.clone()), renew(other.clone()));

    assert!(both.0.unwrap() && both.1.unwrap());
    assert_eq!(scene.authority.play().asked.len(), 2);
    let now = crate::upstream::Tokens::current(&*live).unwrap();
    assert_eq!(now.to_str().unwrap(), "Bearer access-2");
}

#[tokio::test]
async fn trouble_on_the_way_costs_no_token_and_a_refusal_asks_for_a_person() {
    let scene = Scene::open().await;
    scene.sign_in(&scene.ada, scene.connection).await.unwrap();
    scene.world.clock.advance(HOUR - Duration::from_secs(60));

    scene.authority.play().refusal = Some((503, json!({})));
    scene.world.connections.renew_due().await.unwrap();
    let troubled = scene.now().await;
    assert_eq!(troubled.state, ConnectionState::Active);
    assert!(troubled.detail.contains("503"), "{}", troubled.detail);
    assert!(scene.call(None).await.unwrap().contains("Bearer access-1"));

    scene.authority.play().refusal = Some((400, json!({ "error": "invalid_grant" })));
    scene.world.connections.renew_due().await.unwrap();
    let broken = scene.now().await;
    assert_eq!(broken.state, ConnectionState::Broken);
    assert!(broken.detail.contains("invalid_grant"));
    let next = scene.world.sources.way(scene.ada.tenant, scene.source, None).await;
    assert!(matches!(next, Err(SourceError::SignIn { .. })));

    scene.authority.play().refusal = None;
    scene.sign_in(&scene.ada, scene.connection).await.unwrap();
    assert_eq!(scene.now().await.state, ConnectionState::Active);
}

#[tokio::test]
async fn a_refusal_of_an_old_refresh_token_does_not_end_what_somebody_else_has_renewed() {
    let scene = Scene::open().await;
    scene.sign_in(&scene.ada, scene.connection).await.unwrap();
    let seen = scene.now().await.version;
    scene.world.connections.renew(scene.ada.tenant, scene.connection, seen).await.unwrap();

    scene.world.connections.renew(scene.ada.tenant, scene.connection, seen).await.unwrap();
    let ended = scene.world.connections.set_broken(scene.ada.tenant, scene.connection, seen, "late").await;

    assert!(!ended.unwrap());
    assert_eq!(scene.now().await.state, ConnectionState::Active);
    assert_eq!(scene.authority.play().asked.len(), 2);
}

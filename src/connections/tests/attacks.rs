use serde_json::json;

use super::*;
use crate::{
    model::{BrowserSessionId, Via},
    oauth::{Arrival, OauthError},
    secret::Secret,
};

fn why(error: SourceError) -> String {
    let SourceError::Connection(ConnectionError::Oauth(error)) = error else { panic!("{error:?}") };
    assert!(matches!(error, OauthError::Untrusted(_) | OauthError::Refused { .. }), "{error:?}");
    error.to_string()
}

/// Begins to sign in and returns what the issuer would send back.
async fn arrival(scene: &Scene) -> Arrival {
    let begun = scene.world.sources.begin_sign_in(&scene.ada, scene.connection).await.unwrap();
    let (_, going) = scene.world.sources.going(&scene.ada, begun).await.unwrap();
    scene.authority.authorize(&going.url)
}

#[tokio::test]
async fn an_answer_is_used_once_by_who_asked_in_the_same_browser() {
    let scene = Scene::open().await;
    let sources = &scene.world.sources;
    let bob = scene.world.person("bob").await;
    let elsewhere = Member { via: Via::BrowserSession(BrowserSessionId::new()), ..scene.ada.clone() };
    let shell = Member { via: Via::Shell, ..scene.ada.clone() };
    let arrival = arrival(&scene).await;

    for stranger in [&bob, &elsewhere, &shell] {
        let refused = sources.finish_sign_in(stranger, arrival.clone()).await;
        assert!(matches!(refused, Err(SourceError::Connection(ConnectionError::NotBegun))));
    }
    let made_up = Arrival { state: Some(Secret::new("made up")), ..arrival.clone() };
    assert!(sources.finish_sign_in(&scene.ada, made_up).await.is_err());
    assert!(sources.finish_sign_in(&scene.ada, Arrival { state: None, ..arrival.clone() }).await.is_err());
    assert!(scene.authority.play().asked.is_empty());

    sources.finish_sign_in(&scene.ada, arrival.clone()).await.unwrap();
    let again = sources.finish_sign_in(&scene.ada, arrival).await;
    assert!(matches!(again, Err(SourceError::Connection(ConnectionError::NotBegun))));
    assert_eq!(scene.authority.play().asked.len(), 1);
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_refused() {
    let scene = Scene::open().await;
    let arrival = arrival(&scene).await;

    scene.world.clock.advance(Duration::from_secs(11 * 60));

    assert!(scene.world.sources.finish_sign_in(&scene.ada, arrival).await.is_err());
    scene.world.connections.remove_late().await.unwrap();
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_refused_and_its_words_are_not_repeated() {
    let scene = Scene::open().await;
    for iss in [Some("https://evil.example".to_owned()), Some(format!("{}/", scene.authority.origin)), None] {
        let error = Some("access_denied".to_owned());
        let forged = Arrival {
            iss,
            error,
            error_description: Some("call this number".to_owned()),
            ..arrival(&scene).await
        };

        let refused = why(scene.world.sources.finish_sign_in(&scene.ada, forged).await.unwrap_err());

        assert!(!refused.contains("call this number"), "{refused}");
    }
    assert!(scene.authority.play().asked.is_empty());

    let said = Arrival { code: None, error: Some("access_denied".to_owned()), ..arrival(&scene).await };
    let refused = why(scene.world.sources.finish_sign_in(&scene.ada, said).await.unwrap_err());
    assert!(refused.contains("access_denied"));
}

#[tokio::test]
async fn metadata_that_must_not_be_believed_lead_nobody_anywhere() {
    let wrong = [
        (json!({ "resource": "https://evil.example/mcp" }), json!({})),
        (json!({ "authorization_servers": [] }), json!({})),
        (json!({ "authorization_servers": ["ftp://127.0.0.1/"] }), json!({})),
        (json!({}), json!({ "issuer": "https://evil.example" })),
        (json!({}), json!({ "code_challenge_methods_supported": ["plain"] })),
        (json!({}), json!({ "code_challenge_methods_supported": null })),
        (json!({}), json!({ "token_endpoint": null })),
        (json!({}), json!({ "authorization_endpoint": "javascript:alert(1)" })),
    ];
    let scene = Scene::open().await;
    for (resource, metadata) in wrong {
        let shown = format!("{resource} {metadata}");
        {
            let mut play = scene.authority.play();
            (play.resource, play.metadata) = (resource, metadata);
        }

        let begun = scene.world.sources.begin_sign_in(&scene.ada, scene.connection).await;

        assert!(
            matches!(begun, Err(SourceError::Connection(ConnectionError::Oauth(_)))),
            "{shown}: {begun:?}"
        );
    }
    assert_eq!(scene.authority.play().registered, 0);
}

#[tokio::test]
async fn metadata_are_not_read_at_addresses_that_sources_may_not_have() {
    let scene = Scene::open().await;
    for place in [
        "http://169.254.169.254/",
        "http://10.0.0.1/",
        "http://[::ffff:10.0.0.1]/",
        "http://2130706433.example@10.0.0.1/",
    ] {
        scene.authority.play().resource = json!({ "authorization_servers": [place] });

        let begun = scene.world.sources.begin_sign_in(&scene.ada, scene.connection).await.unwrap_err();

        let SourceError::Connection(ConnectionError::Oauth(OauthError::Unreachable { error, .. })) = begun
        else {
            panic!("{place}: {begun:?}")
        };
        assert!(error.before_sending(), "{place}: {error}");
    }
}

#[tokio::test]
async fn nothing_of_a_connection_prints_its_tokens() {
    let scene = Scene::open().await;
    let connection = scene.sign_in(&scene.ada, scene.connection).await.unwrap();
    let live = scene.world.connections.live(scene.ada.tenant, scene.source, None).await.unwrap().unwrap();

    let held = crate::upstream::Tokens::current(&*live).unwrap();

    assert!(!format!("{connection:?} {live:?} {:?} {held:?}", live.lane()).contains("access-1"));
}

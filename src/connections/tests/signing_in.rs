use super::*;

#[tokio::test]
async fn a_source_that_is_signed_in_to_is_looked_at_and_called_with_the_token() {
    let scene = Scene::open().await;
    let missing = scene.world.sources.way(scene.ada.tenant, scene.source, None).await.unwrap_err();
    assert!(matches!(&missing, SourceError::SignIn { signed_in, .. }
        if signed_in.connection == Some(scene.connection) && !signed_in.of_caller));

    let connection = scene.sign_in(&scene.ada, scene.connection).await.unwrap();

    assert_eq!(connection.state, ConnectionState::Active);
    assert_eq!((connection.scope.as_str(), connection.renews), ("read", true));
    assert_eq!(connection.issuer, scene.authority.origin);
    let detail = scene.world.sources.detail(&scene.ada, scene.source).await.unwrap().unwrap();
    assert_eq!(detail.counts.accepted, 1, "{:?}", detail.source.health);
    assert!(scene.call(None).await.unwrap().contains("Bearer access-1"));
    let play = scene.authority.play();
    assert_eq!(play.asked[0]["resource"], scene.authority.url().as_str());
    assert_eq!(play.asked[0]["redirect_uri"], "http://127.0.0.1:8080/connections/callback");
}

#[tokio::test]
async fn a_client_that_was_given_is_used_and_none_is_registered() {
    let client = OauthClient {
        id: Some("mine".into()),
        secret: Some(crate::secret::Secret::new("s3cret")),
        scope: Some("admin".into()),
    };
    let scene = Scene::with(client, RunsAs::Owner).await;

    let connection = scene.sign_in(&scene.ada, scene.connection).await.unwrap();

    assert_eq!(connection.scope, "admin");
    let play = scene.authority.play();
    assert_eq!((play.registered, play.asked[0]["client_id"].as_str()), (0, "mine"));
}

#[tokio::test]
async fn a_registered_client_is_used_again_at_its_issuer_only() {
    let scene = Scene::open().await;
    scene.sign_in(&scene.ada, scene.connection).await.unwrap();
    scene.sign_in(&scene.ada, scene.connection).await.unwrap();
    assert_eq!(scene.authority.play().registered, 1);

    let other = Authority::start().await;
    scene.authority.play().resource = serde_json::json!({ "authorization_servers": [other.origin] });
    scene.world.sources.begin_sign_in(&scene.ada, scene.connection).await.unwrap();

    assert_eq!(other.play().registered, 1);
}

#[tokio::test]
async fn each_caller_has_their_own_sign_in_where_the_owner_wants_that() {
    let scene = Scene::with(OauthClient::default(), RunsAs::Caller).await;
    let bob = scene.world.person("bob").await;
    scene.sign_in(&scene.ada, scene.connection).await.unwrap();
    let way = async |caller| scene.world.sources.way(scene.ada.tenant, scene.source, caller).await;

    let Err(SourceError::SignIn { signed_in, .. }) = way(Some(bob.user)).await else { panic!("a way") };
    let Err(SourceError::SignIn { signed_in: nobody, .. }) = way(None).await else { panic!("a way") };
    assert!(signed_in.of_caller && nobody.connection.is_none());
    let own = signed_in.connection.unwrap();
    // It is Bob's alone, although the source is Ada's.
    assert!(scene.world.sources.connection(&scene.ada, own).await.unwrap().is_none());
    assert!(scene.world.sources.begin_sign_in(&scene.ada, own).await.is_err());
    scene.sign_in(&bob, own).await.unwrap();

    assert!(scene.call(Some(bob.user)).await.unwrap().contains("Bearer access-2"));
    let listed = scene.world.sources.connections(&bob).await.unwrap();
    assert_eq!(
        (listed.len(), listed[0].source_name.as_str(), listed[0].owner.as_str()),
        (1, "guarded", "ada")
    );
    assert!(matches!(way(Some(scene.ada.user)).await, Err(SourceError::SignIn { .. })));
}

#[tokio::test]
async fn whoever_has_not_signed_in_falls_back_to_the_owner_where_the_owner_wants_that() {
    let scene = Scene::with(OauthClient::default(), RunsAs::CallerOrOwner).await;
    let bob = scene.world.person("bob").await;
    scene.sign_in(&scene.ada, scene.connection).await.unwrap();
    assert!(scene.call(Some(bob.user)).await.unwrap().contains("Bearer access-1"));

    let own = scene.world.connections.want(scene.ada.tenant, scene.source, Some(bob.user)).await.unwrap();
    scene.sign_in(&bob, own.id).await.unwrap();

    assert!(scene.call(Some(bob.user)).await.unwrap().contains("Bearer access-2"));
    assert!(scene.call(None).await.unwrap().contains("Bearer access-1"));
}

#[tokio::test]
async fn a_connection_that_is_ended_gives_its_token_back_and_holds_on_the_next_call() {
    let scene = Scene::open().await;
    scene.sign_in(&scene.ada, scene.connection).await.unwrap();
    scene.call(None).await.unwrap();

    scene.world.sources.disconnect(&scene.ada, scene.connection).await.unwrap();

    let next = scene.world.sources.way(scene.ada.tenant, scene.source, None).await;
    assert!(matches!(next, Err(SourceError::SignIn { .. })));
}

#[tokio::test]
async fn a_source_that_moves_takes_no_sign_in_along() {
    let scene = Scene::open().await;
    scene.sign_in(&scene.ada, scene.connection).await.unwrap();
    let other = Authority::start().await;
    let source = scene.world.sources.find(&scene.ada, scene.source).await.unwrap().unwrap();

    let change = SourceChange {
        reach: Some(Reach::McpHttp { url: other.url() }),
        auth: Some(Auth::Oauth(OauthClient::default())),
        ..SourceChange::default()
    };
    scene.world.sources.update(&scene.ada, scene.source, change, source.version).await.unwrap();

    let next = scene.world.sources.way(scene.ada.tenant, scene.source, None).await;
    assert!(matches!(next, Err(SourceError::SignIn { .. })));
    assert!(other.play().shown.iter().all(String::is_empty));
}

use super::*;

#[tokio::test]
async fn a_key_stands_for_its_person() {
    let (mut scene, owner) = Scene::with_owner().await;

    let (key, text) = scene.key(&owner.member).await;
    let member = scene.identity.authenticate_key(text.expose()).await.unwrap();

    assert!(text.expose().starts_with("dw_"));
    assert_eq!((member.user, member.tenant), (owner.member.user, owner.member.tenant));
    assert_eq!(
        member.via,
        Via::ApiKey { id: key.id, name: "agent".into(), scope: KeyScope::Everything, rate: None }
    );
    assert_eq!(scene.events(), [(Action::KeyCreate, Outcome::Ok, "ada".to_owned())]);
}

#[tokio::test]
async fn a_warm_key_reads_no_database() {
    let (scene, owner) = Scene::with_owner().await;
    let (_, text) = scene.key(&owner.member).await;
    scene.identity.authenticate_key(text.expose()).await.unwrap();
    scene.store.close().await;

    for _ in 0..100 {
        assert!(scene.identity.authenticate_key(text.expose()).await.is_ok());
    }
}

#[tokio::test]
async fn a_key_with_another_secret_is_unknown() {
    let (scene, owner) = Scene::with_owner().await;
    let (_, text) = scene.key(&owner.member).await;
    scene.identity.authenticate_key(text.expose()).await.unwrap();
    let last = if text.expose().ends_with('a') { "b" } else { "a" };
    let other = format!("{}{last}", &text.expose()[..text.expose().len() - 1]);
    let missing = token::new_key(ApiKeyId::new()).unwrap();

    assert!(matches!(scene.identity.authenticate_key(&other).await, Err(KeyError::Unknown)));
    assert!(matches!(scene.identity.authenticate_key(missing.expose()).await, Err(KeyError::Unknown)));
    assert!(matches!(scene.identity.authenticate_key("dw_x").await, Err(KeyError::Malformed)));
}

#[tokio::test]
async fn a_revoked_key_fails_on_the_next_call() {
    let (mut scene, owner) = Scene::with_owner().await;
    let (key, text) = scene.key(&owner.member).await;
    scene.identity.authenticate_key(text.expose()).await.unwrap();
    scene.events();

    assert!(scene.identity.revoke_key(&owner.member, key.id).await.unwrap());

    assert!(matches!(scene.identity.authenticate_key(text.expose()).await, Err(KeyError::Revoked)));
    assert!(!scene.identity.revoke_key(&owner.member, key.id).await.unwrap());
    assert_eq!(scene.events(), [(Action::KeyRevoke, Outcome::Ok, "ada".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_revoked_while_others_use_it_fails_on_every_call_after() {
    let (scene, owner) = Scene::with_owner().await;
    for _ in 0..20 {
        let (key, text) = scene.key(&owner.member).await;
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let (identity, text) = (scene.identity.clone(), text.clone());
                tokio::spawn(async move {
                    while identity.authenticate_key(text.expose()).await.is_ok() {
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();

        assert!(scene.identity.revoke_key(&owner.member, key.id).await.unwrap());

        assert!(matches!(scene.identity.authenticate_key(text.expose()).await, Err(KeyError::Revoked)));
        for caller in callers {
            caller.await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_key_revoked_by_another_process_fails_after_seconds() {
    let (scene, owner) = Scene::with_owner().await;
    let (key, text) = scene.key(&owner.member).await;
    scene.identity.authenticate_key(text.expose()).await.unwrap();

    scene.replica().revoke_key(&owner.member, key.id).await.unwrap();
    scene.clock.advance(Duration::from_millis(5001));

    assert!(matches!(scene.identity.authenticate_key(text.expose()).await, Err(KeyError::Revoked)));
}

#[tokio::test]
async fn a_key_that_another_process_revoked_fails_at_once_when_that_is_told() {
    let (scene, owner) = Scene::with_owner().await;
    let (key, text) = scene.key(&owner.member).await;
    scene.identity.authenticate_key(text.expose()).await.unwrap();
    scene.replica().revoke_key(&owner.member, key.id).await.unwrap();

    scene.changes.announce(Change::Everything);

    assert!(matches!(scene.identity.authenticate_key(text.expose()).await, Err(KeyError::Revoked)));
}

#[tokio::test]
async fn a_key_expires_to_the_millisecond() {
    let (scene, owner) = Scene::with_owner().await;
    let expires_at = Some(NOW.plus(Duration::from_millis(100)));
    let (_, text) =
        scene.identity.create_key(&owner.member, NewKey { expires_at, ..new_key() }).await.unwrap();

    scene.clock.advance(Duration::from_millis(99));
    assert!(scene.identity.authenticate_key(text.expose()).await.is_ok());
    scene.clock.advance(Duration::from_millis(1));

    assert!(matches!(scene.identity.authenticate_key(text.expose()).await, Err(KeyError::Expired)));
    assert!(matches!(scene.replica().authenticate_key(text.expose()).await, Err(KeyError::Expired)));
}

#[tokio::test]
async fn the_last_use_is_written_to_the_minute() {
    let (scene, owner) = Scene::with_owner().await;
    let (_, text) = scene.key(&owner.member).await;
    let last_used = async || {
        scene.identity.flush_used().await.unwrap();
        scene.identity.keys(&owner.member).await.unwrap()[0].last_used_at
    };
    assert_eq!(last_used().await, None);

    scene.identity.authenticate_key(text.expose()).await.unwrap();
    assert_eq!(last_used().await, Some(NOW));
    scene.clock.advance(Duration::from_secs(30));
    scene.identity.authenticate_key(text.expose()).await.unwrap();
    assert_eq!(last_used().await, Some(NOW));
    scene.clock.advance(Duration::from_secs(30));
    scene.identity.authenticate_key(text.expose()).await.unwrap();

    assert_eq!(last_used().await, Some(NOW.plus(Duration::from_secs(60))));
}

#[tokio::test]
async fn nobody_sees_or_revokes_anothers_keys() {
    let (scene, owner) = Scene::with_owner().await;
    let (key, text) = scene.key(&owner.member).await;
    scene.add_user("bob").await;
    let bob = scene.sign_in("bob", PASSWORD).await.unwrap();

    assert!(scene.identity.keys(&bob.member).await.unwrap().is_empty());
    assert!(!scene.identity.revoke_key(&bob.member, key.id).await.unwrap());
    assert!(scene.identity.authenticate_key(text.expose()).await.is_ok());
}

#[tokio::test]
async fn a_key_limited_to_presets_manages_no_account() {
    let (scene, owner) = Scene::with_owner().await;
    let scope = KeyScope::Presets(vec![PresetId::new()]);
    let (key, text) = scene.identity.create_key(&owner.member, NewKey { scope, ..new_key() }).await.unwrap();
    let member = scene.identity.authenticate_key(text.expose()).await.unwrap();
    let denied =
        |error: Option<IdentityError>| matches!(error, Some(IdentityError::Denied(Denied::KeyScope)));

    assert!(denied(scene.identity.create_key(&member, new_key()).await.err()));
    assert!(denied(scene.identity.keys(&member).await.err()));
    assert!(denied(scene.identity.revoke_key(&member, key.id).await.err()));
    assert!(denied(scene.identity.sessions(&member).await.err()));
    assert!(denied(scene.identity.revoke_session(&member, owner.session.id).await.err()));
    let changed =
        scene.identity.change_password(&member, Secret::new(PASSWORD), Secret::new("another one")).await;
    assert!(denied(changed.err()));
}

#[tokio::test]
async fn a_key_that_makes_no_sense_is_not_made() {
    let (scene, owner) = Scene::with_owner().await;
    for wrong in [
        NewKey { name: " ".into(), ..new_key() },
        NewKey { name: "x".repeat(101), ..new_key() },
        NewKey { name: "a\u{1b}[2J".into(), ..new_key() },
        NewKey { expires_at: Some(NOW), ..new_key() },
        NewKey { scope: KeyScope::Presets(Vec::new()), ..new_key() },
    ] {
        let made = scene.identity.create_key(&owner.member, wrong.clone()).await;
        assert!(matches!(made, Err(IdentityError::BadKey { .. })), "{wrong:?} was made");
    }
    assert!(scene.identity.keys(&owner.member).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_person_has_so_many_keys_in_use() {
    let (scene, owner) = Scene::with_owner().await;
    let mut last = None;
    for _ in 0..200 {
        last = Some(scene.key(&owner.member).await.0.id);
    }
    let one_more = scene.identity.create_key(&owner.member, new_key()).await;
    assert!(matches!(one_more, Err(IdentityError::TooManyKeys { max: 200 })));

    scene.identity.revoke_key(&owner.member, last.unwrap()).await.unwrap();

    assert!(scene.identity.create_key(&owner.member, new_key()).await.is_ok());
}

#[tokio::test]
async fn a_key_from_a_file_is_taken_over_once() {
    let (scene, owner) = Scene::with_owner().await;
    let text = token::new_key(ApiKeyId::new()).unwrap();
    scene.add_user("bob").await;
    let bob = scene.sign_in("bob", PASSWORD).await.unwrap();
    let import =
        async |member: &Member, text: &Secret| scene.identity.import_key(member, new_key(), text).await;

    let first = import(&owner.member, &text).await.unwrap();
    let again = import(&owner.member, &text).await.unwrap();

    assert_eq!(first.id, again.id);
    assert_eq!(scene.identity.keys(&owner.member).await.unwrap().len(), 1);
    assert!(scene.identity.authenticate_key(text.expose()).await.is_ok());
    assert!(matches!(import(&bob.member, &text).await, Err(IdentityError::BadKey { .. })));
    let weak = Secret::new(format!("{}{}", &text.expose()[..36], "a".repeat(43)));
    assert!(matches!(import(&owner.member, &weak).await, Err(IdentityError::BadKey { .. })));
    assert!(matches!(import(&owner.member, &Secret::new("mykey")).await, Err(IdentityError::BadKey { .. })));
    scene.identity.revoke_key(&owner.member, first.id).await.unwrap();
    assert!(matches!(import(&owner.member, &text).await, Err(IdentityError::BadKey { .. })));
}

use super::*;

#[tokio::test]
async fn the_one_time_token_makes_the_owner_account_once() {
    let mut scene = Scene::fresh().await;
    assert!(scene.identity.setup_needed().await.unwrap());
    let token = scene.identity.setup_token().await.unwrap().unwrap();
    assert_eq!(scene.identity.setup_token().await.unwrap().unwrap().expose(), token.expose());

    let wrong = scene
        .identity
        .create_owner(
            &Secret::new("wrong"),
            &handle("eve"),
            &email("e@example.org"),
            Secret::new(PASSWORD),
            &origin(1),
        )
        .await;
    assert!(matches!(wrong, Err(IdentityError::WrongSetupToken)));
    let owner = scene.create_owner().await.unwrap();

    assert!(owner.member.is_instance_admin());
    assert_eq!(owner.member.plan.as_str(), "enterprise");
    assert!(scene.member(&owner).await.is_some());
    assert!(!scene.identity.setup_needed().await.unwrap());
    assert!(scene.identity.setup_token().await.unwrap().is_none());
    let again = scene
        .identity
        .create_owner(&token, &handle("eve"), &email("e@example.org"), Secret::new(PASSWORD), &origin(1))
        .await;
    assert!(matches!(again, Err(IdentityError::AlreadySetUp)));
    let ada = || "ada".to_owned();
    assert_eq!(
        scene.events(),
        [(Action::UserChange, Outcome::Ok, ada()), (Action::SignIn, Outcome::Ok, ada())]
    );
}

store_test!(the_first_journey_works_on_both_databases, |test| async move {
    let scene = Scene::on(&test.store).await;
    let owner = scene.create_owner().await.unwrap();
    let other = scene.sign_in("ada@example.org", PASSWORD).await.unwrap();
    let (key, text) = scene.key(&owner.member).await;
    scene.identity.authenticate_key(text.expose()).await.unwrap();
    scene.identity.flush_used().await.unwrap();
    assert_eq!(scene.identity.sessions(&owner.member).await.unwrap().len(), 2);
    assert_eq!(scene.identity.keys(&owner.member).await.unwrap()[0].last_used_at, Some(NOW));

    scene.identity.sign_out(other.cookie.expose(), &origin(1)).await.unwrap();
    scene.identity.revoke_key(&owner.member, key.id).await.unwrap();

    assert!(scene.member(&owner).await.is_some());
    assert!(scene.member(&other).await.is_none());
    assert!(matches!(scene.identity.authenticate_key(text.expose()).await, Err(KeyError::Revoked)));
    let bob = scene.add_user("bob").await;
    let change = UserChange { enabled: Some(false), ..UserChange::default() };
    scene.identity.update_user(&admin(&owner), bob.id, change).await.unwrap();
    assert!(matches!(scene.sign_in("bob", PASSWORD).await, Err(IdentityError::Disabled)));
});

store_test!(two_who_use_the_set_up_link_at_once_make_one_owner, |test| async move {
    let scene = Scene::on(&test.store).await;

    let (one, two) = tokio::join!(scene.create_owner(), scene.create_owner());

    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
    assert_eq!(scene.identity.users(&policy::operator_at_the_shell()).await.unwrap().len(), 1);
});

#[tokio::test]
async fn an_empty_set_up_token_opens_nothing() {
    let scene = Scene::fresh().await;
    let (handle, email) = (handle("eve"), email("e@example.org"));

    let refused = scene
        .identity
        .create_owner(&Secret::default(), &handle, &email, Secret::new(PASSWORD), &origin(1))
        .await;

    assert!(matches!(refused, Err(IdentityError::WrongSetupToken)));
}

#[tokio::test]
async fn people_sign_in_by_handle_or_address_in_any_case() {
    let (scene, _) = Scene::with_owner().await;

    for login in ["ada", " ADA ", "Ada@Example.org"] {
        let session = scene.sign_in(login, PASSWORD).await.unwrap();
        assert_eq!(session.member.handle.as_str(), "ada");
        assert_eq!(session.session.user_agent, "testbrowser");
    }
}

#[tokio::test]
async fn wrong_password_and_unknown_account_get_the_same_answer() {
    let (mut scene, _) = Scene::with_owner().await;

    for (login, password) in [("ada", "wrong horse"), ("nobody", PASSWORD), ("", ""), ("ada", "")] {
        let refused = scene.sign_in(login, password).await;
        assert!(matches!(refused, Err(IdentityError::WrongCredentials)), "{login}");
    }
    let refused = |who: &str| (Action::SignIn, Outcome::Refused, who.to_owned());
    assert_eq!(scene.events(), [refused("ada"), refused("anonymous"), refused("anonymous"), refused("ada")]);
}

store_test!(sign_ins_that_nobody_can_be_named_for_are_the_administrators_to_see, |test| async move {
    let scene = Scene::on(&test.store).await;
    let owner = scene.create_owner().await.unwrap();
    let bob = scene.add_user("bob").await;
    let mut events = scene.recent();
    let origin = |n: u8| Origin { request: Some(Uuid::nil()), ..origin(n) };
    let attempt = async |login: &str, n: u8| {
        scene.identity.sign_in(login, Secret::new("wrong horse"), &origin(n)).await.unwrap_err()
    };

    attempt("hunter2-typed-here", 2).await;
    attempt(&"x".repeat(10_000), 3).await;
    while !matches!(attempt("bob", 4).await, IdentityError::Throttled { .. }) {}

    let events: Vec<_> = std::iter::from_fn(|| events.try_recv().ok()).collect();
    let (first, long, last) = (&events[0], &events[1], events.last().unwrap());
    for (event, address) in [(first, "192.0.2.2"), (long, "192.0.2.3"), (last, "192.0.2.4")] {
        assert_eq!((event.action, event.outcome), (Action::SignIn, Outcome::Refused), "{event:?}");
        assert_eq!(event.address, address);
        assert_eq!(event.request_id, "0".repeat(32));
    }
    for event in [first, long] {
        assert_eq!((event.tenant, event.principal.as_str()), (owner.member.tenant, "anonymous"));
    }
    assert_eq!((first.subject.as_str(), first.reason.as_str()), ("hun…", "there is no such account"));
    assert_eq!(long.subject, "xxx…");
    assert_eq!(
        (last.tenant, last.user, last.reason.as_str()),
        (bob.tenant, Some(bob.id), "too many attempts")
    );
});

#[tokio::test]
async fn guessing_does_not_fill_the_audit_log() {
    let (mut scene, _) = Scene::with_owner().await;

    for n in 0..3000_u16 {
        let address = std::net::Ipv4Addr::from(0xc000_0200 + u32::from(n)).into();
        let origin = Origin { address, ..origin(1) };
        let refused = scene.identity.sign_in(&format!("guess {n}"), Secret::new("x"), &origin).await;
        assert!(matches!(refused, Err(IdentityError::WrongCredentials)));
    }

    assert_eq!(scene.events().len(), 60);
    scene.clock.advance(Duration::from_secs(10));
    let mut events = scene.recent();
    scene.sign_in("guess", "x").await.unwrap_err();
    assert!(events.try_recv().unwrap().reason.contains("2940 refused sign-ins before it"));
}

#[tokio::test]
async fn every_sign_in_gets_a_cookie_of_its_own_and_none_is_stored() {
    let (scene, first) = Scene::with_owner().await;
    let second = scene.sign_in("ada", PASSWORD).await.unwrap();

    assert_ne!(first.cookie.expose(), second.cookie.expose());
    assert_ne!(first.session.id, second.session.id);
    for cookie in ["", "wrong", &second.session.id.to_string(), &"x".repeat(10_000)] {
        assert!(scene.identity.find_session(cookie).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn an_account_that_is_tried_too_often_must_wait() {
    let (scene, _) = Scene::with_owner().await;
    let mut refused = 0;
    let wait = loop {
        match scene.sign_in("ada", "wrong horse").await {
            Err(IdentityError::WrongCredentials) => refused += 1,
            Err(IdentityError::Throttled { retry_after }) => break retry_after,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused, 8);
    assert!(matches!(scene.sign_in("ada", PASSWORD).await, Err(IdentityError::Throttled { .. })));

    scene.clock.advance(wait);

    assert!(scene.sign_in("ada", PASSWORD).await.is_ok());
}

store_test!(whoever_tries_at_several_processes_has_no_more_attempts, |test| async move {
    let scene = Scene::on(&test.store).await;
    scene.create_owner().await.unwrap();
    let replicas = [scene.replica(), scene.replica(), scene.replica()];
    let attempt = async |n: usize, password: &str| {
        // From addresses of their own.
        let origin = origin(u8::try_from(n).unwrap());
        replicas[n % 3].sign_in("ada", Secret::new(password), &origin).await
    };

    let mut checked = 0;
    for n in 0..12 {
        checked += usize::from(matches!(attempt(n, "wrong").await, Err(IdentityError::WrongCredentials)));
    }
    assert_eq!(checked, 8);
    scene.clock.advance(Duration::from_secs(30));
    attempt(12, PASSWORD).await.unwrap();
    for n in 13..21 {
        let refused = attempt(n, "wrong").await;
        assert!(matches!(refused, Err(IdentityError::WrongCredentials)), "forgiven: {refused:?}");
    }
});

#[tokio::test]
async fn signing_out_holds_at_once() {
    let (mut scene, owner) = Scene::with_owner().await;
    assert!(scene.member(&owner).await.is_some());

    scene.identity.sign_out(owner.cookie.expose(), &origin(1)).await.unwrap();

    assert!(scene.member(&owner).await.is_none());
    assert_eq!(scene.events(), [(Action::SignOut, Outcome::Ok, "ada".to_owned())]);
    scene.identity.sign_out(owner.cookie.expose(), &origin(1)).await.unwrap();
    assert!(scene.events().is_empty());
}

#[tokio::test]
async fn a_session_ends_when_it_lies_idle_and_when_it_is_old() {
    let (scene, idle) = Scene::with_owner().await;
    let used = scene.sign_in("ada", PASSWORD).await.unwrap();
    let day = Duration::from_secs(24 * 3600);

    for n in 1..30 {
        scene.clock.advance(day);
        scene.identity.flush_used().await.unwrap();
        assert!(scene.member(&used).await.is_some(), "a used session ended on day {n}");
        if n >= 7 {
            assert!(scene.member(&idle).await.is_none(), "an idle session lived on day {n}");
        }
    }
    scene.clock.advance(day);

    assert!(scene.member(&used).await.is_none());
    scene.identity.remove_ended_sessions().await.unwrap();
    let left = scene.store.system_read().await.unwrap();
    assert!(list_all(left, &used).await.is_empty());
}

#[tokio::test]
async fn people_see_and_end_their_own_sessions_only() {
    let (scene, owner) = Scene::with_owner().await;
    let other = scene.sign_in("ada", PASSWORD).await.unwrap();
    scene.add_user("bob").await;
    let bob = scene.sign_in("bob", PASSWORD).await.unwrap();
    assert!(scene.member(&other).await.is_some());

    assert_eq!(scene.identity.sessions(&owner.member).await.unwrap().len(), 2);
    assert!(!scene.identity.revoke_session(&bob.member, other.session.id).await.unwrap());
    assert!(scene.member(&other).await.is_some());
    assert!(scene.identity.revoke_session(&owner.member, other.session.id).await.unwrap());

    assert!(scene.member(&other).await.is_none());
    assert!(scene.member(&owner).await.is_some());
    assert_eq!(scene.identity.sessions(&owner.member).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_person_has_so_many_sessions_and_the_oldest_ends() {
    let (scene, first) = Scene::with_owner().await;
    assert!(scene.member(&first).await.is_some());

    for _ in 0..50 {
        scene.clock.advance(Duration::from_secs(1));
        scene.sign_in("ada", PASSWORD).await.unwrap();
    }

    assert!(scene.member(&first).await.is_none());
    let session = scene.sign_in("ada", PASSWORD).await.unwrap();
    assert_eq!(scene.identity.sessions(&session.member).await.unwrap().len(), 50);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_the_old_password() {
    let (mut scene, owner) = Scene::with_owner().await;
    let other = scene.sign_in("ada", PASSWORD).await.unwrap();
    let (_, key) = scene.key(&owner.member).await;
    assert!(scene.member(&other).await.is_some());
    scene.events();
    let new = "a better passphrase";
    let change = async |old: &str, new: &str| {
        scene.identity.change_password(&owner.member, Secret::new(old), Secret::new(new)).await
    };

    assert!(matches!(change("wrong horse", new).await, Err(IdentityError::WrongCredentials)));
    assert!(matches!(change(PASSWORD, "short").await, Err(IdentityError::WeakPassword { .. })));
    change(PASSWORD, new).await.unwrap();

    assert!(scene.member(&other).await.is_none());
    assert!(scene.member(&owner).await.is_some());
    assert!(scene.sign_in("ada", PASSWORD).await.is_err());
    assert!(scene.sign_in("ada", new).await.is_ok());
    assert!(scene.identity.authenticate_key(key.expose()).await.is_ok());
    let ada = || "ada".to_owned();
    assert_eq!(
        scene.events()[..2],
        [(Action::PasswordChange, Outcome::Refused, ada()), (Action::PasswordChange, Outcome::Ok, ada())]
    );
}

#[tokio::test]
async fn a_borrowed_browser_cannot_guess_the_password() {
    let (scene, owner) = Scene::with_owner().await;
    let guess = async || {
        scene.identity.change_password(&owner.member, Secret::new("wrong"), Secret::new(PASSWORD)).await
    };
    while !matches!(guess().await, Err(IdentityError::Throttled { .. })) {}

    assert!(scene.sign_in("ada", PASSWORD).await.is_ok(), "the person's own sign-in was throttled as well");
}

#[tokio::test]
async fn an_outdated_hash_is_renewed_by_signing_in() {
    let (scene, owner) = Scene::with_owner().await;
    let mut settings = cheap_settings();
    settings.password_cost.passes = 2;
    let audit = Audit::new(scene.store.clone(), Metrics::new(scene.store.clone()));
    let stronger = Identity::new(
        scene.store.clone(),
        audit,
        scene.changes.clone(),
        scene.clock.clone(),
        egress(),
        scene.vault.clone(),
        settings,
    );

    stronger.sign_in("ada", Secret::new(PASSWORD), &origin(1)).await.unwrap();

    let mut tx = scene.store.system_read().await.unwrap();
    let hash = tx.find_password(owner.member.user).await.unwrap().unwrap();
    assert!(hash.contains("t=2"), "{hash}");
}

async fn list_all(mut tx: crate::store::SystemTx, session: &NewSession) -> Vec<BrowserSession> {
    tx.list_browser_sessions(session.session.user, Ms(0)).await.unwrap()
}

//! Passkeys, with an authenticator in software.

use super::{soft_passkey::SoftPasskey, *};
use crate::model::{Organisation, TenantId};

/// Where a browser must be for the passkeys of these settings.
const HERE: &str = "http://localhost:8080";

impl Scene {
    async fn begin(&self, session: &NewSession, name: &str) -> String {
        self.identity.begin_passkey(&session.member, name, Secret::new(PASSWORD)).await.unwrap();
        self.identity.begun_passkey(&session.member).await.unwrap().unwrap().options
    }

    /// Adds a passkey and returns it with the recovery codes that came of it.
    async fn add_passkey(&self, session: &NewSession, name: &str) -> (SoftPasskey, Option<Vec<Secret>>) {
        let (passkey, answer) = SoftPasskey::make(&self.begin(session, name).await, HERE);
        (passkey, self.identity.add_passkey(&session.member, &answer).await.unwrap())
    }

    /// Shows the password, and returns the cookie and what is asked for next.
    async fn half(&self, login: &str) -> (Secret, String) {
        let Err(IdentityError::CodeNeeded { cookie }) = self.sign_in(login, PASSWORD).await else {
            panic!("the password alone let in");
        };
        let step = self.identity.half_step(cookie.expose()).await.unwrap().unwrap();
        (cookie, step.options.unwrap())
    }

    async fn show(&self, cookie: &Secret, answer: &str) -> Result<NewSession, IdentityError> {
        self.identity.sign_in_with_passkey(cookie.expose(), answer, &origin(1)).await
    }
}

store_test!(a_passkey_lets_in_after_the_password_and_what_it_answers_works_once, |test| async move {
    let scene = Scene::on(&test.store).await;
    let owner = scene.create_owner().await.unwrap();
    let (mut passkey, codes) = scene.add_passkey(&owner, "telephone").await;
    assert_eq!(codes.unwrap().len(), 10);
    let (_, more) = scene.add_passkey(&owner, "key").await;
    assert!(more.is_none(), "recovery codes come with the first alone");

    let (cookie, options) = scene.half("ada").await;
    let answer = passkey.show(&options, HERE);
    // By another replica, as what is asked for is kept where all find it.
    let entered = scene.replica().sign_in_with_passkey(cookie.expose(), &answer, &origin(1)).await.unwrap();
    assert_eq!(entered.member.handle.as_str(), "ada");
    assert!(matches!(scene.show(&cookie, &answer).await, Err(IdentityError::CodeTooLate)));

    let (later, _) = scene.half("ada").await;
    let replayed = scene.show(&later, &answer).await;
    assert!(matches!(replayed, Err(IdentityError::WrongPasskey)), "{replayed:?}");
    let listed = scene.identity.second_step(&owner.member).await.unwrap();
    assert_eq!(listed.passkeys[0].used_at, Some(NOW));
    assert_eq!((listed.passkeys[1].used_at, listed.recovery_left), (None, 10));
});

#[tokio::test]
async fn an_answer_is_tried_once_and_then_something_else_is_asked_for() {
    let (scene, owner) = Scene::with_owner().await;
    let (mut passkey, _) = scene.add_passkey(&owner, "telephone").await;
    let (cookie, options) = scene.half("ada").await;

    for wrong in ["", "{}", "null", &"x".repeat(100_000)] {
        let refused = scene.show(&cookie, wrong).await;
        assert!(matches!(refused, Err(IdentityError::WrongPasskey)), "{wrong:.10}");
    }
    // The first answer was to what was asked before these were tried.
    let late = scene.show(&cookie, &passkey.show(&options, HERE)).await;
    assert!(matches!(late, Err(IdentityError::WrongPasskey)), "{late:?}");
    let throttled = scene.show(&cookie, "{}").await;
    assert!(matches!(throttled, Err(IdentityError::Throttled { .. })), "{throttled:?}");

    scene.clock.advance(Duration::from_secs(300));
    let asked = scene.identity.half_step(cookie.expose()).await.unwrap().unwrap().options.unwrap();
    assert_ne!(asked, options);
    scene.show(&cookie, &passkey.show(&asked, HERE)).await.unwrap();
}

#[tokio::test]
async fn what_was_made_or_asked_for_elsewhere_is_refused() {
    let (mut scene, owner) = Scene::with_owner().await;
    scene.add_user("bob").await;
    let bob = scene.sign_in("bob", PASSWORD).await.unwrap();
    let (mut hers, _) = scene.add_passkey(&owner, "hers").await;
    let (mut his, _) = scene.add_passkey(&bob, "his").await;
    let mut events = scene.recent();
    scene.events();
    let (cookie, options) = scene.half("ada").await;
    let (_, for_bob) = scene.half("bob").await;

    let attempts = [
        (his.show(&options, HERE), "the passkey is none of the account's"),
        (hers.show(&for_bob, HERE), "the passkey answers something else"),
    ];
    for (answer, reason) in attempts {
        assert!(matches!(scene.show(&cookie, &answer).await, Err(IdentityError::WrongPasskey)));
        assert_eq!(events.try_recv().unwrap().reason, reason);
    }
    for elsewhere in ["http://localhost:8081", "https://localhost:8080", "https://evil.example"] {
        scene.clock.advance(Duration::from_secs(300));
        let (cookie, options) = scene.half("ada").await;
        let refused = scene.show(&cookie, &hers.show(&options, elsewhere)).await;
        assert!(matches!(refused, Err(IdentityError::WrongPasskey)), "{elsewhere}");
        assert_eq!(events.try_recv().unwrap().reason, "the passkey was used at another address");
    }
    // The same when one is made.
    let asked = scene.begin(&owner, "another").await;
    let (_, made) = SoftPasskey::make(&asked, "https://evil.example");
    let refused = scene.identity.add_passkey(&owner.member, &made).await;
    assert!(matches!(refused, Err(IdentityError::WrongPasskey)));
    let (_, made) = SoftPasskey::make(&asked, HERE);
    let again = scene.identity.add_passkey(&owner.member, &made).await;
    assert!(matches!(again, Err(IdentityError::PasskeyTooLate)), "answered twice");
}

store_test!(a_counter_that_goes_back_is_that_of_a_copy, |test| async move {
    let scene = Scene::on(&test.store).await;
    let owner = scene.create_owner().await.unwrap();
    let (mut passkey, _) = scene.add_passkey(&owner, "telephone").await;
    let (cookie, options) = scene.half("ada").await;
    passkey.counter = 40;
    scene.show(&cookie, &passkey.show(&options, HERE)).await.unwrap();
    let mut events = scene.recent();

    for counter in [40, 1] {
        let (cookie, options) = scene.half("ada").await;
        passkey.counter = counter - 1;
        let refused = scene.show(&cookie, &passkey.show(&options, HERE)).await;
        assert!(matches!(refused, Err(IdentityError::PasskeyCopied)), "{counter}: {refused:?}");
        assert!(events.try_recv().unwrap().reason.contains("counter went back"));
    }

    // Two that were asked at the same time, of which the second has signed less often.
    let (one, two) = (scene.half("ada").await, scene.half("ada").await);
    passkey.counter = 50;
    let (early, late) = (passkey.show(&one.1, HERE), passkey.show(&two.1, HERE));
    scene.show(&two.0, &late).await.unwrap();
    assert!(matches!(scene.show(&one.0, &early).await, Err(IdentityError::PasskeyCopied)));
});

#[tokio::test]
async fn there_is_an_end_to_how_many_and_a_name_for_each() {
    let (scene, owner) = Scene::with_owner().await;
    for name in ["", "  ", "a\u{7}b", &"x".repeat(61)] {
        let refused = scene.identity.begin_passkey(&owner.member, name, Secret::new(PASSWORD)).await;
        assert!(matches!(refused, Err(IdentityError::BadPasskeyName { .. })), "{name}");
    }
    let wrong = scene.identity.begin_passkey(&owner.member, "telephone", Secret::new("wrong horse")).await;
    assert!(matches!(wrong, Err(IdentityError::WrongCredentials)));
    assert!(scene.identity.begun_passkey(&owner.member).await.unwrap().is_none());
    for number in 0..PASSKEYS_MAX - 1 {
        scene.add_passkey(&owner, &number.to_string()).await;
    }

    // Two browsers that were asked before the last one was there.
    let other = {
        let (cookie, _) = scene.half("ada").await;
        let (mut passkey, _) = scene.add_passkey(&owner, "last").await;
        let options = scene.identity.half_step(cookie.expose()).await.unwrap().unwrap().options.unwrap();
        let unknown = scene.show(&cookie, &passkey.show(&options, HERE)).await;
        assert!(matches!(unknown, Err(IdentityError::WrongPasskey)), "it was not asked for");
        let (cookie, options) = scene.half("ada").await;
        scene.show(&cookie, &passkey.show(&options, HERE)).await.unwrap()
    };
    for session in [&owner, &other] {
        let refused = scene.identity.begin_passkey(&session.member, "more", Secret::new(PASSWORD)).await;
        assert!(matches!(refused, Err(IdentityError::TooManyPasskeys { max: PASSKEYS_MAX })));
    }
    let step = scene.identity.second_step(&owner.member).await.unwrap();
    scene.identity.remove_passkey(&owner.member, step.passkeys[0].id, Secret::new(PASSWORD)).await.unwrap();
    let (one, two) = (scene.begin(&owner, "one").await, scene.begin(&other, "two").await);
    let (one, two) = (SoftPasskey::make(&one, HERE).1, SoftPasskey::make(&two, HERE).1);
    scene.identity.add_passkey(&owner.member, &one).await.unwrap();
    let refused = scene.identity.add_passkey(&other.member, &two).await;
    assert!(matches!(refused, Err(IdentityError::TooManyPasskeys { .. })));
}

store_test!(recovery_codes_stay_until_the_last_second_factor_goes, |test| async move {
    let scene = Scene::on(&test.store).await;
    let owner = scene.create_owner().await.unwrap();
    let (_, codes) = scene.add_passkey(&owner, "telephone").await;
    let codes = codes.unwrap();
    scene.add_passkey(&owner, "key").await;
    let enter = async |code: &Secret| {
        let (cookie, _) = scene.half("ada").await;
        scene.identity.sign_in_with_code(cookie.expose(), code.expose(), &origin(1)).await
    };
    enter(&codes[0]).await.unwrap();
    assert!(matches!(enter(&codes[0]).await, Err(IdentityError::WrongCode)));

    let wrong = scene.identity.renew_recovery_codes(&owner.member, Secret::new("wrong horse")).await;
    assert!(matches!(wrong, Err(IdentityError::WrongCredentials)));
    let new = scene.identity.renew_recovery_codes(&owner.member, Secret::new(PASSWORD)).await.unwrap();
    assert!(matches!(enter(&codes[1]).await, Err(IdentityError::WrongCode)), "an old code works");
    enter(&new[0]).await.unwrap();

    let remove = async |id| {
        let password = Secret::new(PASSWORD);
        scene.identity.remove_passkey(&owner.member, id, password).await.unwrap()
    };
    let passkeys = scene.identity.second_step(&owner.member).await.unwrap().passkeys;
    let (cookie, _) = scene.half("ada").await;
    assert!(remove(passkeys[0].id).await);
    assert!(!remove(passkeys[0].id).await);
    assert!(scene.identity.half_step(cookie.expose()).await.unwrap().is_none(), "a sign-in outlived it");
    enter(&new[1]).await.unwrap();
    assert!(remove(passkeys[1].id).await);
    let step = scene.identity.second_step(&owner.member).await.unwrap();
    assert!(!step.is_on() && step.recovery_left == 0);
    scene.sign_in("ada", PASSWORD).await.unwrap();
    let none = scene.identity.renew_recovery_codes(&owner.member, Secret::new(PASSWORD)).await;
    assert!(matches!(none, Err(IdentityError::NoFactor)));
});

#[tokio::test]
async fn people_see_and_change_their_own_passkeys_only() {
    let (mut scene, owner) = Scene::with_owner().await;
    scene.add_user("bob").await;
    let bob = scene.sign_in("bob", PASSWORD).await.unwrap();
    scene.add_passkey(&owner, "hers").await;
    let id = scene.identity.second_step(&owner.member).await.unwrap().passkeys[0].id;

    assert!(scene.identity.passkey(&bob.member, id).await.unwrap().is_none());
    assert!(!scene.identity.rename_passkey(&bob.member, id, "his").await.unwrap());
    assert!(!scene.identity.remove_passkey(&bob.member, id, Secret::new(PASSWORD)).await.unwrap());
    assert!(scene.identity.rename_passkey(&owner.member, id, " mine ").await.unwrap());
    assert_eq!(scene.identity.passkey(&owner.member, id).await.unwrap().unwrap().name, "mine");
    // What one browser began is no other's to end.
    let asked = scene.begin(&owner, "another").await;
    let (_, made) = SoftPasskey::make(&asked, HERE);
    let refused = scene.identity.add_passkey(&bob.member, &made).await;
    assert!(matches!(refused, Err(IdentityError::PasskeyTooLate)));

    scene.events();
    assert!(scene.identity.reset_second_factor(&admin(&owner), owner.member.user).await.unwrap());
    assert!(!scene.identity.has_second_factor(&admin(&owner), owner.member.user).await.unwrap());
    assert_eq!(scene.events(), [(Action::FactorChange, Outcome::Ok, "ada".to_owned())]);
    scene.sign_in("ada", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn where_browsers_have_no_passkeys_none_is_asked_for() {
    let (scene, owner) = Scene::with_owner().await;
    scene.add_passkey(&owner, "telephone").await;
    let settings = IdentitySettings { base_url: "http://192.0.2.7:8080".to_owned(), ..cheap_settings() };
    let audit = Audit::new(scene.store.clone(), Metrics::new(scene.store.clone()));
    let moved = Identity::new(
        scene.store.clone(),
        audit,
        Changes::new(),
        scene.clock.clone(),
        egress(),
        scene.vault.clone(),
        settings,
    );

    let refused = moved.begin_passkey(&owner.member, "telephone", Secret::new(PASSWORD)).await;
    assert!(matches!(refused, Err(IdentityError::NoPasskeysHere)));
    let Err(IdentityError::CodeNeeded { cookie }) =
        moved.sign_in("ada", Secret::new(PASSWORD), &origin(1)).await
    else {
        panic!("the password alone let in");
    };
    let step = moved.half_step(cookie.expose()).await.unwrap().unwrap();
    assert!(step.has_passkeys && step.has_recovery && step.options.is_none());
}

#[tokio::test]
async fn a_passkey_added_while_acting_in_a_team_stays_when_its_person_leaves_that() {
    let (scene, owner) = Scene::with_owner().await;
    let team = Organisation {
        id: TenantId::new(),
        handle: handle("acme"),
        title: String::new(),
        personal_of: None,
        made_by: None,
        plan: None,
        enabled: true,
        created_at: NOW,
    };
    let mut tx = scene.store.system().await.unwrap();
    tx.add_organisation(&team, owner.member.user).await.unwrap();
    let acting = tx.find_member(owner.member.user, team.id, owner.member.via.clone()).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    scene.identity.switch(&acting).await.unwrap();
    let there = NewSession { member: Arc::new(acting), ..owner };
    let (_, codes) = scene.add_passkey(&there, "telephone").await;
    assert!(codes.is_some());

    let mut tx = scene.store.system().await.unwrap();
    tx.remove_member(team.id, there.member.user).await.unwrap().unwrap();
    tx.commit().await.unwrap();

    let step = scene.identity.second_step(&scene.member(&there).await.unwrap()).await.unwrap();
    assert_eq!((step.passkeys.len(), step.recovery_left), (1, 10));
}

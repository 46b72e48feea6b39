use super::*;

#[tokio::test]
async fn an_administrator_adds_people() {
    let (mut scene, owner) = Scene::with_owner().await;
    let permit = admin(&owner);
    let new = |name: &str, address: &str| NewUser {
        handle: handle(name),
        email: email(address),
        password: Secret::new(PASSWORD),
        role: InstanceRole::Member,
        plan: None,
    };

    let bob = scene.identity.add_user(&permit, new("bob", "bob@example.org")).await.unwrap();

    assert_eq!(bob.plan.as_str(), "free");
    let session = scene.sign_in("bob", PASSWORD).await.unwrap();
    assert_eq!((session.member.tenant, session.member.org_role), (bob.tenant, OrgRole::Admin));
    assert_eq!(scene.identity.users(&permit).await.unwrap().len(), 2);
    assert_eq!(scene.events()[0], (Action::UserChange, Outcome::Ok, "ada".to_owned()));
    let same_handle = scene.identity.add_user(&permit, new("bob", "b@example.org")).await;
    assert!(matches!(same_handle, Err(IdentityError::Taken { what: "handle" })), "{same_handle:?}");
    let same_address = scene.identity.add_user(&permit, new("rob", "BOB@example.org")).await;
    assert!(matches!(same_address, Err(IdentityError::Taken { what: "e-mail address" })), "{same_address:?}");
    let no_plan = NewUser { plan: PlanName::parse("gold").ok(), ..new("rob", "rob@example.org") };
    assert!(matches!(scene.identity.add_user(&permit, no_plan).await, Err(IdentityError::NoPlan { .. })));
    let weak = NewUser { password: Secret::new("rob"), ..new("rob", "rob@example.org") };
    assert!(matches!(scene.identity.add_user(&permit, weak).await, Err(IdentityError::WeakPassword { .. })));
}

#[tokio::test]
async fn a_switched_off_account_is_shut_out_on_the_next_call() {
    let (scene, owner) = Scene::with_owner().await;
    let bob = scene.add_user("bob").await;
    let session = scene.sign_in("bob", PASSWORD).await.unwrap();
    let (_, key) = scene.key(&session.member).await;
    assert!(scene.member(&session).await.is_some());
    assert!(scene.identity.authenticate_key(key.expose()).await.is_ok());
    let switch = async |enabled: bool| {
        let change = UserChange { enabled: Some(enabled), ..UserChange::default() };
        scene.identity.update_user(&admin(&owner), bob.id, change).await.unwrap().unwrap()
    };

    switch(false).await;

    assert!(scene.member(&session).await.is_none());
    assert!(matches!(scene.identity.authenticate_key(key.expose()).await, Err(KeyError::Disabled)));
    assert!(matches!(scene.sign_in("bob", PASSWORD).await, Err(IdentityError::Disabled)));
    assert!(matches!(scene.sign_in("bob", "wrong horse").await, Err(IdentityError::WrongCredentials)));
    assert!(scene.identity.at_the_shell(&handle("bob")).await.unwrap().is_none());
    switch(true).await;
    assert!(scene.identity.authenticate_key(key.expose()).await.is_ok());
    assert!(scene.member(&session).await.is_none(), "the session came back to life");
}

#[tokio::test]
async fn a_changed_role_or_plan_holds_on_the_next_call() {
    let (scene, owner) = Scene::with_owner().await;
    let bob = scene.add_user("bob").await;
    let session = scene.sign_in("bob", PASSWORD).await.unwrap();
    let (_, key) = scene.key(&session.member).await;
    scene.identity.authenticate_key(key.expose()).await.unwrap();

    let change = UserChange {
        role: Some(InstanceRole::Admin),
        plan: PlanName::parse("pro").ok(),
        ..UserChange::default()
    };
    scene.identity.update_user(&admin(&owner), bob.id, change).await.unwrap();

    let by_key = scene.identity.authenticate_key(key.expose()).await.unwrap();
    let by_cookie = scene.member(&session).await.unwrap();
    assert!(by_key.is_instance_admin() && by_cookie.is_instance_admin());
    assert_eq!((by_key.plan.as_str(), by_cookie.plan.as_str()), ("pro", "pro"));
}

#[tokio::test]
async fn a_password_set_by_an_administrator_ends_every_session() {
    let (scene, owner) = Scene::with_owner().await;
    let bob = scene.add_user("bob").await;
    let session = scene.sign_in("bob", PASSWORD).await.unwrap();
    assert!(scene.member(&session).await.is_some());

    let change = UserChange { password: Some(Secret::new("a better passphrase")), ..UserChange::default() };
    scene.identity.update_user(&admin(&owner), bob.id, change).await.unwrap();

    assert!(scene.member(&session).await.is_none());
    assert!(scene.sign_in("bob", "a better passphrase").await.is_ok());
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let (scene, owner) = Scene::with_owner().await;
    let ada = owner.member.user;
    let bob = scene.add_user("bob").await;
    let permit = admin(&owner);
    let role = |role| UserChange { role: Some(role), ..UserChange::default() };
    let off = || UserChange { enabled: Some(false), ..UserChange::default() };

    let demoted = scene.identity.update_user(&permit, ada, role(InstanceRole::Member)).await;
    assert!(matches!(demoted, Err(IdentityError::LastAdmin)));
    assert!(matches!(scene.identity.update_user(&permit, ada, off()).await, Err(IdentityError::LastAdmin)));
    scene.identity.update_user(&permit, bob.id, role(InstanceRole::Admin)).await.unwrap();

    let (one, two) = tokio::join!(
        scene.identity.update_user(&permit, ada, role(InstanceRole::Member)),
        scene.identity.update_user(&permit, bob.id, off()),
    );
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
}

store_test!(the_last_administrator_stays_though_two_processes_demote, |test| async move {
    let scene = Scene::on(&test.store).await;
    let other = scene.replica_on(test.reopen().await);
    let owner = scene.create_owner().await.unwrap();
    let bob = scene.add_user("bob").await;
    let (permit, ada) = (admin(&owner), owner.member.user);
    let role = |role| UserChange { role: Some(role), ..UserChange::default() };

    for _ in 0..20 {
        for id in [ada, bob.id] {
            scene.identity.update_user(&permit, id, role(InstanceRole::Admin)).await.unwrap();
        }

        let (one, two) = tokio::join!(
            scene.identity.update_user(&permit, ada, role(InstanceRole::Member)),
            other.update_user(&permit, bob.id, role(InstanceRole::Member)),
        );

        assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "{one:?} {two:?}");
    }
});

store_test!(a_person_has_no_more_keys_than_allowed_though_two_processes_make_them, |test| async move {
    let scene = Scene::on(&test.store).await;
    let other = scene.replica_on(test.reopen().await);
    let owner = scene.create_owner().await.unwrap();
    for _ in 0..199 {
        scene.key(&owner.member).await;
    }

    let (one, two) = tokio::join!(
        scene.identity.create_key(&owner.member, new_key()),
        other.create_key(&owner.member, new_key()),
    );

    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "{one:?} {two:?}");
});

#[tokio::test]
async fn a_change_of_nobody_is_none() {
    let (scene, owner) = Scene::with_owner().await;

    let changed =
        scene.identity.update_user(&admin(&owner), crate::model::UserId::new(), UserChange::default()).await;

    assert!(matches!(changed, Ok(None)));
}

#[tokio::test]
async fn plans_are_saved_and_told() {
    let (mut scene, owner) = Scene::with_owner().await;
    let mut news = scene.changes.subscribe();
    let name = PlanName::parse("small").unwrap();
    let plan = Plan {
        name: name.clone(),
        calls_per_month: Some(1000),
        analyses_per_month: None,
        concurrent_analyses: None,
        sources_max: Some(3),
        presets_max: None,
        stored_analyses_max: None,
        retention_days: None,
        rate: None,
    };

    scene.identity.save_plan(&admin(&owner), &plan).await.unwrap();

    assert!(scene.identity.plans(&admin(&owner)).await.unwrap().contains(&plan));
    assert_eq!(news.recv().await.unwrap(), Change::Plan(name));
    assert_eq!(scene.events(), [(Action::PlanChange, Outcome::Ok, "ada".to_owned())]);
    let negative = Plan { sources_max: Some(-1), ..plan };
    let refused = scene.identity.save_plan(&admin(&owner), &negative).await;
    assert!(matches!(refused, Err(IdentityError::BadPlan)));
}

#[tokio::test]
async fn what_the_operator_changes_of_the_instance_is_the_first_administrators_to_see() {
    let scene = Scene::fresh().await;
    let mut events = scene.recent();
    let plan = |name: &str| Plan {
        name: PlanName::parse(name).unwrap(),
        calls_per_month: None,
        analyses_per_month: None,
        concurrent_analyses: None,
        sources_max: None,
        presets_max: None,
        stored_analyses_max: None,
        retention_days: None,
        rate: None,
    };
    let operator = policy::operator_at_the_shell();

    scene.identity.save_plan(&operator, &plan("before")).await.unwrap();
    scene.add_user("bob").await;
    let owner = NewUser {
        handle: handle("ada"),
        email: email("ada@example.org"),
        password: Secret::new(PASSWORD),
        role: InstanceRole::Admin,
        plan: None,
    };
    let ada = scene.identity.add_user(&operator, owner).await.unwrap();
    scene.identity.save_plan(&operator, &plan("after")).await.unwrap();

    let events = std::iter::from_fn(|| events.try_recv().ok());
    let plans: Vec<_> = events.filter(|event| event.action == Action::PlanChange).collect();
    for (event, name) in plans.iter().zip(["before", "after"]) {
        assert_eq!((event.tenant, event.principal.as_str()), (ada.tenant, "operator"));
        assert_eq!((event.subject.as_str(), event.user), (name, None));
    }
    assert_eq!(plans.len(), 2);
}

#[tokio::test]
async fn the_operator_at_the_shell_acts_as_a_person() {
    let (scene, _) = Scene::with_owner().await;
    let bob = scene.add_user("bob").await;

    let member = scene.identity.at_the_shell(&handle("bob")).await.unwrap().unwrap();

    assert_eq!((member.user, &member.via), (bob.id, &Via::Shell));
    assert!(policy::may_use_process(&member).is_ok());
    assert!(scene.identity.at_the_shell(&handle("nobody")).await.unwrap().is_none());
    assert_eq!(scene.identity.account(&member).await.unwrap(), Some(bob));
}

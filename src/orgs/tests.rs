//! What the room promises, on both databases.

use std::{num::NonZeroUsize, time::Duration};

use super::*;
use crate::{
    clock::Ms,
    egress::{Egress, EgressLimits, EgressPolicy},
    identity::{Identity, IdentitySettings, NewKey, NewUser, Origin, PasswordCost},
    metrics::Metrics,
    model::{Email, InstanceRole, KeyScope, OrgRole, PlanName, PresetId, Via},
    policy::operator_at_the_shell,
    secret::Secret,
    store::testing::{TestStore, store_test},
    upstream::UpstreamLimits,
    vault::{KeySource, Vault},
};

const NOW: Ms = Ms(1_795_233_963_183);
const DAY: Duration = Duration::from_secs(24 * 3600);

struct Scene {
    store: Store,
    orgs: Orgs,
    identity: Identity,
    clock: Clock,
    events: tokio::sync::broadcast::Receiver<Arc<RunEvent>>,
}

/// Somebody who has signed in.
struct Person {
    member: Arc<Member>,
    cookie: String,
}

impl Scene {
    async fn on(test: &TestStore) -> Self {
        let store = test.store.clone();
        let clock = Clock::manual(NOW);
        let audit = Audit::new(store.clone(), Metrics::new(store.clone()));
        let events = audit.tail();
        let changes = Changes::new();
        let egress = Egress::new(EgressPolicy::default(), EgressLimits::default());
        let key = Secret::new("6f1c0a9be2d4873550ffb3c7a8e91d247b6a0c5e9f8d3b2a1476cde8950f3a2b");
        let identity = Identity::new(
            store.clone(),
            audit.clone(),
            changes.clone(),
            clock.clone(),
            egress.clone(),
            Vault::open(store.clone(), KeySource::Settings(key)).await.unwrap(),
            IdentitySettings {
                password_cost: PasswordCost { memory_kib: 64, passes: 1, lanes: 1 },
                hashes_at_once: NonZeroUsize::MIN,
                ..IdentitySettings::default()
            },
        );
        let upstreams = Upstreams::new(egress, clock.clone(), UpstreamLimits::default());
        let mail = Mail::new(None).unwrap();
        let orgs = Orgs::new(store.clone(), audit, changes, mail, clock.clone(), upstreams);
        Self { store, orgs, identity, clock, events }
    }

    async fn person(&self, name: &str, role: InstanceRole) -> Person {
        let password = Secret::new("correct horse battery");
        let new = NewUser {
            handle: handle(name),
            email: Email::parse(&format!("{name}@example.org")).unwrap(),
            password: password.clone(),
            role,
            plan: None,
        };
        self.identity.add_user(&operator_at_the_shell(), new).await.unwrap();
        let origin = Origin { address: [192, 0, 2, 1].into(), user_agent: String::new(), request: None };
        let session = self.identity.sign_in(name, password, &origin).await.unwrap();
        Person { member: session.member, cookie: session.cookie.expose().to_owned() }
    }

    /// Makes a team of Ada, who administers it, and Bob in this role. Returns both acting in it.
    async fn team(&self, ada: &Person, bob: &Person, role: OrgRole) -> (Arc<Member>, Arc<Member>) {
        self.orgs.create(&ada.member, acme()).await.unwrap();
        let acting = self.orgs.acting_in(&ada.member, &handle("acme")).await.unwrap();
        let joined = self.join(&acting, &bob.member, role).await;
        (acting, joined)
    }

    async fn join(&self, by: &Member, who: &Member, role: OrgRole) -> Arc<Member> {
        let whom = Whom::Account(who.handle.clone());
        let invited =
            self.orgs.invite(by, NewOrgInvite { whom, role, lasts: DAY }, "http://d").await.unwrap();
        self.orgs.accept_offered(who, invited.invite.id).await.unwrap()
    }

    async fn link(&self, by: &Member, whom: Whom) -> Secret {
        let new = NewOrgInvite { whom, role: OrgRole::Viewer, lasts: DAY };
        self.orgs.invite(by, new, "http://d").await.unwrap().token.unwrap()
    }

    async fn looks(&self, person: &Person) -> Option<String> {
        let found = self.identity.find_session(&person.cookie).await.unwrap();
        found.map(|member| member.tenant_handle.to_string())
    }

    async fn roles(&self, acting: &Member) -> Vec<(String, OrgRole)> {
        let members = self.orgs.members(acting).await.unwrap();
        members.into_iter().map(|member| (member.handle.to_string(), member.role)).collect()
    }

    /// Returns what was recorded of organisations since the last time.
    fn recorded(&mut self) -> Vec<(String, Outcome, String)> {
        std::iter::from_fn(|| self.events.try_recv().ok())
            .filter(|event| event.action == Action::OrganisationChange)
            .map(|event| (event.principal.clone(), event.outcome, event.subject.clone()))
            .collect()
    }
}

fn handle(text: &str) -> Handle {
    Handle::parse(text).unwrap()
}

fn acme() -> NewOrganisation {
    NewOrganisation { handle: handle("acme"), title: "Acme Ltd".into() }
}

fn key(scope: KeyScope) -> NewKey {
    NewKey { name: "agent".into(), scope, expires_at: None, rate: None }
}

store_test!(a_team_is_made_joined_and_left_and_all_of_it_is_recorded, |test| async move {
    let mut scene = Scene::on(test).await;
    let ada = scene.person("ada", InstanceRole::Member).await;
    let bob = scene.person("bob", InstanceRole::Member).await;

    let (acting, joined) = scene.team(&ada, &bob, OrgRole::Operator).await;
    assert_eq!((acting.org_role, joined.org_role), (OrgRole::Admin, OrgRole::Operator));
    assert_eq!(
        scene.roles(&joined).await,
        [("ada".into(), OrgRole::Admin), ("bob".into(), OrgRole::Operator)]
    );
    let names: Vec<_> = scene.orgs.memberships(&bob.member).await.unwrap();
    let names: Vec<_> = names.iter().map(|one| one.organisation.name().to_owned()).collect();
    assert_eq!(names, ["bob", "Acme Ltd"]);

    scene.orgs.set_role(&acting, &handle("bob"), OrgRole::Viewer).await.unwrap();
    scene.orgs.rename(&acting, "Acme & Sons").await.unwrap();
    scene.orgs.leave(&joined).await.unwrap();

    assert_eq!(scene.roles(&acting).await, [("ada".into(), OrgRole::Admin)]);
    assert!(matches!(scene.orgs.acting_in(&bob.member, &handle("acme")).await, Err(OrgError::NotFound)));
    let told: Vec<_> = scene
        .recorded()
        .into_iter()
        .map(|(who, outcome, done)| {
            assert_eq!(outcome, Outcome::Ok, "{done}");
            format!("{who}: {done}")
        })
        .collect();
    assert_eq!(
        told,
        [
            "ada: make the organisation",
            "ada: invite bob as operator",
            "bob: join as operator",
            "ada: give bob the role viewer",
            "ada: rename the organisation",
            "bob: leave",
        ]
    );
});

store_test!(a_handle_is_given_once_to_people_and_organisations_alike, |test| async move {
    let scene = Scene::on(test).await;
    let ada = scene.person("ada", InstanceRole::Member).await;
    let bob = scene.person("bob", InstanceRole::Member).await;
    let new = |name: &str| NewOrganisation { handle: handle(name), title: String::new() };

    assert!(matches!(scene.orgs.create(&ada.member, new("bob")).await, Err(OrgError::Taken { .. })));
    scene.orgs.create(&ada.member, acme()).await.unwrap();
    assert!(matches!(scene.orgs.create(&bob.member, acme()).await, Err(OrgError::Taken { .. })));

    let acting = scene.orgs.acting_in(&ada.member, &handle("acme")).await.unwrap();
    scene.orgs.remove(&acting).await.unwrap();

    assert!(matches!(scene.orgs.create(&ada.member, acme()).await, Err(OrgError::Taken { .. })));
    assert_eq!(scene.orgs.memberships(&ada.member).await.unwrap().len(), 1);
    let mut tx = scene.store.system().await.unwrap();
    assert!(tx.find_organisation(acting.tenant).await.unwrap().is_none());
    assert!(tx.find_organisation_by_handle(&handle("acme")).await.unwrap().is_none());
    assert!(tx.list_organisations(None, 10).await.unwrap().iter().all(|one| one.handle != handle("acme")));
});

store_test!(a_person_makes_so_many_organisations_and_may_again_when_one_is_gone, |test| async move {
    let scene = Scene::on(test).await;
    let ada = scene.person("ada", InstanceRole::Member).await;
    for n in 0..ORGANISATIONS_MAX {
        let new = NewOrganisation { handle: handle(&format!("team-{n}")), title: String::new() };
        scene.orgs.create(&ada.member, new).await.unwrap();
    }
    assert!(matches!(scene.orgs.create(&ada.member, acme()).await, Err(OrgError::TooManyMade { .. })));

    let one = scene.orgs.acting_in(&ada.member, &handle("team-0")).await.unwrap();
    scene.orgs.remove(&one).await.unwrap();

    scene.orgs.create(&ada.member, acme()).await.unwrap();
});

store_test!(whoever_is_removed_loses_keys_and_browsers_there_at_once, |test| async move {
    let scene = Scene::on(test).await;
    let ada = scene.person("ada", InstanceRole::Member).await;
    let bob = scene.person("bob", InstanceRole::Member).await;
    let (acting, joined) = scene.team(&ada, &bob, OrgRole::Operator).await;
    scene.identity.switch(&joined).await.unwrap();
    assert_eq!(scene.looks(&bob).await.as_deref(), Some("acme"));
    let own = scene.identity.create_key(&bob.member, key(KeyScope::Everything)).await.unwrap().1;
    let theirs = scene.identity.create_key(&joined, key(KeyScope::Everything)).await.unwrap().1;
    let known = scene.identity.authenticate_key(theirs.expose()).await.unwrap();
    assert_eq!((known.tenant_handle.as_str(), known.org_role), ("acme", OrgRole::Operator));

    scene.orgs.set_role(&acting, &handle("bob"), OrgRole::Viewer).await.unwrap();
    let known = scene.identity.authenticate_key(theirs.expose()).await.unwrap();
    assert_eq!(known.org_role, OrgRole::Viewer);
    scene.orgs.expel(&acting, &handle("bob")).await.unwrap();

    assert!(scene.identity.authenticate_key(theirs.expose()).await.is_err());
    assert!(scene.identity.authenticate_key(own.expose()).await.is_ok());
    // Still signed in, in their own.
    assert_eq!(scene.looks(&bob).await.as_deref(), Some("bob"));
    assert!(scene.identity.switch(&joined).await.is_err());
    assert_eq!(scene.looks(&bob).await.as_deref(), Some("bob"));
});

store_test!(an_organisation_is_never_left_without_an_administrator, |test| async move {
    let mut scene = Scene::on(test).await;
    let ada = scene.person("ada", InstanceRole::Member).await;
    let bob = scene.person("bob", InstanceRole::Member).await;
    let (acting, joined) = scene.team(&ada, &bob, OrgRole::Operator).await;
    scene.recorded();

    let last = |result: Result<()>| assert!(matches!(result, Err(OrgError::LastAdmin)), "{result:?}");
    last(scene.orgs.leave(&acting).await);
    last(scene.orgs.set_role(&acting, &handle("ada"), OrgRole::Viewer).await);
    last(scene.orgs.remove_member(&operator_at_the_shell(), &handle("acme"), &handle("ada")).await);
    let recorded = scene.recorded();
    assert!(recorded.iter().all(|(_, outcome, _)| *outcome == Outcome::Refused), "{recorded:?}");
    assert_eq!(recorded.len(), 2);

    scene.orgs.set_role(&acting, &handle("bob"), OrgRole::Admin).await.unwrap();
    // Both leave in the same instant: one of them stays.
    let (one, other) = tokio::join!(scene.orgs.leave(&acting), scene.orgs.leave(&joined));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let mut tx = scene.store.system().await.unwrap();
    assert!(tx.find_org_admin(acting.tenant).await.unwrap().is_some());
});

store_test!(only_administrators_manage_an_organisation, |test| async move {
    let mut scene = Scene::on(test).await;
    let ada = scene.person("ada", InstanceRole::Member).await;
    let bob = scene.person("bob", InstanceRole::Member).await;
    let (_, joined) = scene.team(&ada, &bob, OrgRole::Operator).await;
    scene.recorded();
    let new = NewOrgInvite { whom: Whom::Link, role: OrgRole::Admin, lasts: DAY };

    let refused = |error: Option<OrgError>| {
        assert!(matches!(error, Some(OrgError::Denied(Denied::Role { needs: OrgRole::Admin }))), "{error:?}");
    };
    refused(scene.orgs.invite(&joined, new, "http://d").await.err());
    refused(scene.orgs.set_role(&joined, &handle("bob"), OrgRole::Admin).await.err());
    refused(scene.orgs.expel(&joined, &handle("ada")).await.err());
    refused(scene.orgs.remove(&joined).await.err());
    refused(scene.orgs.rename(&joined, "Mine").await.err());
    refused(scene.orgs.invites(&joined).await.err());

    // What was tried to change is recorded, what was only looked for is not.
    assert_eq!(scene.recorded().len(), 4);
    assert_eq!(scene.orgs.find(&joined).await.unwrap().name(), "Acme Ltd");
});

store_test!(an_invitation_is_for_one_works_once_and_ends, |test| async move {
    let scene = Scene::on(test).await;
    let ada = scene.person("ada", InstanceRole::Member).await;
    let bob = scene.person("bob", InstanceRole::Member).await;
    let eve = scene.person("eve", InstanceRole::Member).await;
    scene.orgs.create(&ada.member, acme()).await.unwrap();
    let acting = scene.orgs.acting_in(&ada.member, &handle("acme")).await.unwrap();

    let address = Whom::Address(Email::parse("bob@example.org").unwrap());
    let for_bob = scene.link(&acting, address).await;
    assert!(matches!(scene.orgs.accept(&eve.member, &for_bob).await, Err(OrgError::NotYours)));
    scene.orgs.accept(&bob.member, &for_bob).await.unwrap();
    assert!(matches!(scene.orgs.accept(&bob.member, &for_bob).await, Err(OrgError::NoInvitation)));

    let late = scene.link(&acting, Whom::Link).await;
    scene.clock.advance(DAY);
    assert!(matches!(scene.orgs.accept(&eve.member, &late).await, Err(OrgError::NoInvitation)));

    // One for an account has no link, and is nobody else's to accept.
    let whom = Whom::Account(handle("eve"));
    let new = NewOrgInvite { whom, role: OrgRole::Viewer, lasts: DAY };
    let invited = scene.orgs.invite(&acting, new, "http://d").await.unwrap();
    assert!(invited.token.is_none());
    let wrong = scene.orgs.accept_offered(&bob.member, invited.invite.id).await;
    assert!(matches!(wrong, Err(OrgError::NoInvitation)));
    assert_eq!(scene.orgs.offered(&eve.member).await.unwrap().len(), 1);
    assert!(scene.orgs.decline(&eve.member, invited.invite.id).await.unwrap());
    assert!(scene.orgs.offered(&eve.member).await.unwrap().is_empty());
});

store_test!(an_invitation_is_worth_no_more_than_whoever_made_it_may, |test| async move {
    let scene = Scene::on(test).await;
    let ada = scene.person("ada", InstanceRole::Member).await;
    let bob = scene.person("bob", InstanceRole::Member).await;
    let (acting, joined) = scene.team(&ada, &bob, OrgRole::Admin).await;
    let link = scene.link(&joined, Whom::Link).await;
    assert!(scene.orgs.offer(&link).await.unwrap().is_some());

    scene.orgs.set_role(&acting, &handle("bob"), OrgRole::Operator).await.unwrap();

    assert!(scene.orgs.offer(&link).await.unwrap().is_none());
});

store_test!(a_key_of_a_team_acts_there_alone_and_a_key_of_ones_own_where_it_is_said, |test| async move {
    let scene = Scene::on(test).await;
    let ada = scene.person("ada", InstanceRole::Member).await;
    scene.orgs.create(&ada.member, acme()).await.unwrap();
    let acting = scene.orgs.acting_in(&ada.member, &handle("acme")).await.unwrap();
    let by = async |member: &Member, scope| {
        let (_, text) = scene.identity.create_key(member, key(scope)).await.unwrap();
        scene.identity.authenticate_key(text.expose()).await.unwrap()
    };
    let own = by(&ada.member, KeyScope::Everything).await;
    let teams = by(&acting, KeyScope::Everything).await;
    let limited = by(&ada.member, KeyScope::Presets(vec![PresetId::new()])).await;

    let there = scene.orgs.acting_in(&own, &handle("acme")).await.unwrap();
    assert!(matches!((&there.via, there.tenant == acting.tenant), (Via::ApiKey { .. }, true)));
    let refused = scene.orgs.acting_in(&teams, &handle("ada")).await;
    assert!(matches!(refused, Err(OrgError::Denied(Denied::KeyOrganisation))), "{refused:?}");
    let refused = scene.orgs.acting_in(&limited, &handle("acme")).await;
    assert!(matches!(refused, Err(OrgError::Denied(Denied::KeyScope))), "{refused:?}");
    assert_eq!(scene.orgs.memberships(&teams).await.unwrap().len(), 1);
    assert_eq!(scene.orgs.memberships(&own).await.unwrap().len(), 2);
});

store_test!(who_manages_the_instance_sets_members_and_never_themselves, |test| async move {
    let scene = Scene::on(test).await;
    let root = scene.person("root-of-all", InstanceRole::Admin).await;
    let ada = scene.person("ada", InstanceRole::Member).await;
    let permit = policy::may_administer(&root.member).unwrap();
    let (acme_handle, root_handle) = (handle("acme"), handle("root-of-all"));

    let made = scene.orgs.found(&permit, acme(), &handle("root-of-all")).await;
    assert!(matches!(made, Err(OrgError::Yourself)));
    scene.orgs.found(&permit, acme(), &handle("ada")).await.unwrap();
    let added = scene.orgs.put_member(&permit, &acme_handle, &root_handle, OrgRole::Viewer).await;
    assert!(matches!(added, Err(OrgError::Yourself)));

    let acting = scene.orgs.acting_in(&ada.member, &acme_handle).await.unwrap();
    assert_eq!(policy::may_see(&root.member, acting.tenant).err(), Some(Denied::OtherOrganisation));
    assert!(matches!(scene.orgs.acting_in(&root.member, &acme_handle).await, Err(OrgError::NotFound)));
    assert_eq!(scene.orgs.teams(&permit).await.unwrap().len(), 1);
    let personal = scene.orgs.change_team(&permit, &handle("ada"), switched(false)).await;
    assert!(matches!(personal, Err(OrgError::Personal)), "{personal:?}");
});

store_test!(nobody_acts_in_an_organisation_that_is_switched_off, |test| async move {
    let scene = Scene::on(test).await;
    let ada = scene.person("ada", InstanceRole::Member).await;
    scene.orgs.create(&ada.member, acme()).await.unwrap();
    let acting = scene.orgs.acting_in(&ada.member, &handle("acme")).await.unwrap();
    scene.identity.switch(&acting).await.unwrap();
    let text = scene.identity.create_key(&acting, key(KeyScope::Everything)).await.unwrap().1;
    assert!(scene.identity.authenticate_key(text.expose()).await.is_ok());
    let permit = operator_at_the_shell();

    scene.orgs.change_team(&permit, &handle("acme"), switched(false)).await.unwrap();

    assert!(scene.identity.authenticate_key(text.expose()).await.is_err());
    assert_eq!(scene.looks(&ada).await.as_deref(), Some("ada"));
    assert!(matches!(scene.orgs.acting_in(&ada.member, &handle("acme")).await, Err(OrgError::NotFound)));

    scene.orgs.change_team(&permit, &handle("acme"), switched(true)).await.unwrap();
    assert!(scene.identity.authenticate_key(text.expose()).await.is_ok());
});

fn switched(on: bool) -> TeamChange {
    TeamChange { enabled: Some(on), ..TeamChange::default() }
}

store_test!(a_team_gets_a_plan_that_there_is_and_its_log_says_so, |test| async move {
    let mut scene = Scene::on(test).await;
    let ada = scene.person("ada", InstanceRole::Member).await;
    scene.orgs.create(&ada.member, acme()).await.unwrap();
    let (permit, acme) = (operator_at_the_shell(), handle("acme"));
    let plan =
        |name: &str| TeamChange { plan: Some(Some(PlanName::parse(name).unwrap())), ..TeamChange::default() };

    let none = scene.orgs.change_team(&permit, &acme, plan("gold")).await;
    let given = scene.orgs.change_team(&permit, &acme, plan("team")).await.unwrap();
    let renamed = TeamChange { title: Some("Acme".to_owned()), ..TeamChange::default() };
    let kept = scene.orgs.change_team(&permit, &acme, renamed).await.unwrap();
    let taken = TeamChange { plan: Some(None), ..TeamChange::default() };
    let taken = scene.orgs.change_team(&permit, &acme, taken).await.unwrap();

    assert!(matches!(none, Err(OrgError::NoPlan { .. })), "{none:?}");
    assert_eq!(given.plan.as_ref().map(PlanName::as_str), Some("team"));
    assert_eq!(kept.plan, given.plan);
    assert_eq!(taken.plan, None);
    let done: Vec<String> = scene.recorded().into_iter().map(|(_, _, done)| done).collect();
    let (gave, took) = ("give the organisation the plan team", "take the organisation's plan away");
    assert_eq!(done, ["make the organisation", gave, "rename the organisation", took]);
});

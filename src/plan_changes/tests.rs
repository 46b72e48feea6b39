//! What changes of plans promise, on both databases.

use super::*;
use crate::{
    metrics::Metrics,
    model::{InstanceRole, TenantId, User},
    signed::{Unsigned, sign},
    store::testing::{TestStore, store_test},
};

const NOW: Ms = Ms(1_795_233_963_183);
const DAY: Duration = Duration::from_secs(24 * 3600);

struct Scene {
    store: Store,
    clock: Clock,
    audit: Audit,
    changes: PlanChanges,
    ada: User,
    team: TenantId,
}

impl Scene {
    async fn on(test: &TestStore) -> Self {
        let ada = test.add_user("ada").await;
        let team = Organisation {
            id: TenantId::new(),
            handle: Handle::parse("acme").unwrap(),
            title: String::new(),
            personal_of: None,
            made_by: None,
            plan: None,
            enabled: true,
            created_at: NOW,
        };
        let mut tx = test.store.system().await.unwrap();
        tx.add_organisation(&team, ada.id).await.unwrap();
        tx.commit().await.unwrap();
        let (store, clock) = (test.store.clone(), Clock::manual(NOW));
        let audit = Audit::new(store.clone(), Metrics::new(store.clone()));
        let changes =
            PlanChanges::new(store.clone(), audit.clone(), Changes::new(), clock.clone(), Some(secret()));
        Self { store, clock, audit, changes, ada, team: team.id }
    }

    /// Posts a body signed at this moment.
    async fn post(&self, body: &str) -> Result<PlanChange, PlanChangeError> {
        let seconds = (self.clock.now().0 / 1000).to_string();
        let signatures = sign(&secret(), "msg_1", &seconds, body.as_bytes());
        let post = Post { id: "msg_1", seconds: &seconds, signatures: &signatures, body: body.as_bytes() };
        self.changes.take(&post, Whence::default()).await
    }

    /// Returns the plans of Ada and of her team.
    async fn plans(&self) -> (String, Option<String>) {
        let mut tx = self.store.system_read().await.unwrap();
        let user = tx.find_user(self.ada.id).await.unwrap().unwrap();
        let team = tx.find_organisation(self.team).await.unwrap().unwrap();
        assert_eq!(user.role, InstanceRole::Member);
        (user.plan.to_string(), team.plan.map(|plan| plan.to_string()))
    }
}

fn secret() -> Secret {
    Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
}

fn body(id: &str, subject: &str, plan: &str) -> String {
    format!(r#"{{"id":"{id}","subject":"{subject}","plan":"{plan}"}}"#)
}

fn at(id: &str, plan: &str, at: Ms) -> String {
    format!(r#"{{"id":"{id}","subject":"acme","plan":"{plan}","effective_at":"{at}"}}"#)
}

store_test!(
    people_and_teams_are_found_by_handle_and_people_by_address_and_keep_what_they_used,
    |test| async move {
        let scene = Scene::on(test).await;
        let mut events = scene.audit.tail();
        scene.store.take_calls(scene.ada.id, NOW.month(), 40, None, NOW).await.unwrap();
        scene.store.take_calls(scene.team, NOW.month(), 30, None, NOW).await.unwrap();

        let person = scene.post(&body("1", "ada", "pro")).await.unwrap();
        assert_eq!(scene.plans().await, ("pro".into(), None));
        let by_address = scene.post(&body("2", "ada@example.org", "team")).await.unwrap();
        let team = scene.post(&body("3", "acme", "enterprise")).await.unwrap();

        assert_eq!(scene.plans().await, ("team".into(), Some("enterprise".into())));
        assert_eq!(
            (person.tenant, by_address.tenant, team.tenant),
            (scene.ada.tenant, scene.ada.tenant, scene.team)
        );
        let mut tx = scene.store.system_read().await.unwrap();
        assert_eq!(tx.usage(scene.ada.id, NOW.month()).await.unwrap(), 40);
        assert_eq!(tx.usage(scene.team, NOW.month()).await.unwrap(), 30);
        let first = events.try_recv().unwrap();
        assert_eq!((first.tenant, first.action), (scene.ada.tenant, Action::UserChange));
        assert_eq!(
            (first.principal.as_str(), first.subject.as_str()),
            (PRINCIPAL, "give ada the plan pro (1)")
        );
        events.try_recv().unwrap();
        assert_eq!(events.try_recv().unwrap().action, Action::OrganisationChange);
    }
);

store_test!(the_same_change_again_is_answered_alike_and_another_body_is_refused, |test| async move {
    let scene = Scene::on(test).await;
    let first = scene.post(&body("1", "acme", "pro")).await.unwrap();
    scene.post(&body("2", "acme", "team")).await.unwrap();
    let mut events = scene.audit.tail();

    let again = scene.post(&body("1", "acme", "pro")).await.unwrap();
    let other = scene.post(&body("1", "acme", "enterprise")).await.unwrap_err();

    assert_eq!(again, first);
    assert!(matches!(other, PlanChangeError::OtherBody { .. }), "{other}");
    assert_eq!(scene.plans().await.1.as_deref(), Some("team"), "neither changed anything");
    assert!(events.try_recv().is_err(), "nor is anything recorded");
});

store_test!(one_change_posted_by_sixteen_at_once_is_done_once, |test| async move {
    let scene = Scene::on(test).await;
    let mut events = scene.audit.tail();
    let text = body("1", "acme", "pro");

    let posted = futures::future::join_all((0..16).map(|_| scene.post(&text))).await;

    let mut answers: Vec<_> = posted.into_iter().filter_map(Result::ok).collect();
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(events.try_recv().unwrap().subject, "give acme the plan pro (1)");
    assert!(events.try_recv().is_err(), "it was recorded once");
});

store_test!(a_change_holds_from_its_time_on_and_an_older_one_changes_nothing, |test| async move {
    let scene = Scene::on(test).await;
    let waits = scene.post(&at("later", "team", NOW.plus(2 * DAY))).await.unwrap();
    let now = scene.post(&at("now", "pro", NOW)).await.unwrap();
    let older = scene.post(&at("older", "free", NOW.minus(DAY))).await.unwrap();
    let states = [&waits, &now, &older].map(|change| change.answered);
    assert_eq!(states, [PlanChangeState::Waiting, PlanChangeState::Applied, PlanChangeState::Superseded]);
    assert_eq!(scene.plans().await.1.as_deref(), Some("pro"));

    scene.changes.apply_due().await.unwrap();
    assert_eq!(scene.plans().await.1.as_deref(), Some("pro"), "its time has not come");
    scene.clock.advance(2 * DAY);
    scene.changes.apply_due().await.unwrap();
    assert_eq!(scene.plans().await.1.as_deref(), Some("team"));
    assert_eq!(scene.post(&at("later", "team", NOW.plus(2 * DAY))).await.unwrap(), waits);

    // One that waited is nothing any more once a newer one holds.
    scene.post(&at("soon", "free", scene.clock.now().plus(DAY))).await.unwrap();
    scene.clock.advance(2 * DAY);
    scene.post(&at("newest", "enterprise", scene.clock.now())).await.unwrap();
    scene.changes.apply_due().await.unwrap();
    assert_eq!(scene.plans().await.1.as_deref(), Some("enterprise"));

    assert_eq!(scene.changes.forget_old().await.unwrap(), 0);
    scene.clock.advance(91 * DAY);
    assert_eq!(scene.changes.forget_old().await.unwrap(), 5);
});

store_test!(what_cannot_be_done_is_refused_and_may_be_posted_again, |test| async move {
    let scene = Scene::on(test).await;
    let before = scene.plans().await;
    for (body, part) in [
        (body("1", "nobody", "pro"), "no organisation or account `nobody`"),
        (body("1", "nobody@example.org", "pro"), "no organisation or account"),
        (body("1", "not a name", "pro"), "no organisation or account"),
        (body("1", "acme", "gold"), "no plan `gold`"),
        (body("", "acme", "pro"), "`id` has 1 to 200 characters"),
        (body(&"x".repeat(201), "acme", "pro"), "`id` has 1 to 200 characters"),
        (r#"{"id":"1","subject":"acme"}"#.to_owned(), "missing field `plan`"),
        (r#"{"id":"1","subject":"acme","plan":"pro","role":"admin"}"#.to_owned(), "unknown field `role`"),
        (at("1", "pro", NOW.plus(401 * DAY)), "400 days ahead"),
        (at("1", "pro", NOW).replace("2026", "in 2026"), "is a time in UTC"),
    ] {
        let error = scene.post(&body).await.unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(scene.plans().await, before);

    assert!(scene.post(&body("1", "acme", "pro")).await.is_ok());
});

#[tokio::test]
async fn without_a_secret_nothing_is_taken_and_what_is_not_signed_is_not_read() {
    let test = TestStore::sqlite().await;
    let scene = Scene::on(&test).await;
    let off =
        PlanChanges::new(test.store.clone(), scene.audit.clone(), Changes::new(), scene.clock.clone(), None);
    let post = Post { id: "1", seconds: "1", signatures: "v1,", body: b"{" };

    assert!(matches!(off.take(&post, Whence::default()).await, Err(PlanChangeError::Off)));
    let late = scene.changes.take(&post, Whence::default()).await;
    assert!(matches!(late, Err(PlanChangeError::Unsigned(Unsigned::Late))), "{late:?}");
    let large = vec![b' '; BODY_BYTES_MAX + 1];
    let large = scene.changes.take(&Post { body: &large, ..post }, Whence::default()).await;
    assert!(matches!(large, Err(PlanChangeError::TooLarge)), "{large:?}");
}

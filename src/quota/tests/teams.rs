//! Calls of what a team owns: both months admit them, or neither is charged.

use super::*;
use crate::model::{OrgRole, Organisation};

/// A scene beside a team with a plan of its own.
struct Team {
    scene: Scene,
    id: TenantId,
    people: Vec<QuotaSubject>,
}

impl Team {
    /// Makes a team of so many people, each with this limit of calls, and a limit for all of them.
    async fn on(store: &Store, people: usize, each: Option<i64>, all: Option<i64>) -> Self {
        let scene = Scene::on(store, each).await;
        let id = TenantId::new();
        let mut tx = store.system().await.unwrap();
        tx.save_plan(&Plan { name: shared(), ..plan(all) }).await.unwrap();
        let team = Organisation {
            id,
            handle: Handle::parse("acme").unwrap(),
            title: String::new(),
            personal_of: None,
            made_by: None,
            plan: Some(shared()),
            enabled: true,
            created_at: NOW,
        };
        tx.add_organisation(&team, scene.user.id).await.unwrap();
        let mut members = vec![scene.subject.clone()];
        for n in 1..people {
            let user = User {
                id: UserId::new(),
                tenant: TenantId::new(),
                handle: Handle::parse(&format!("person-{n}")).unwrap(),
                email: Email::parse(&format!("person-{n}@example.org")).unwrap(),
                ..scene.user.clone()
            };
            tx.add_user(&user, "hash").await.unwrap();
            tx.put_member(id, user.id, OrgRole::Viewer, NOW).await.unwrap();
            members.push(QuotaSubject { user: user.id, plan: user.plan });
        }
        tx.commit().await.unwrap();
        Self { scene, id, people: members }
    }

    async fn used(&self, of: impl Into<Payer>) -> i64 {
        self.scene.store.system_read().await.unwrap().usage(of, self.scene.month()).await.unwrap()
    }

    async fn used_by_people(&self) -> i64 {
        let mut sum = 0;
        for person in &self.people {
            sum += self.used(person.user).await;
        }
        sum
    }

    async fn reserve(&self) -> Result<Reservation, QuotaError> {
        self.scene.quota.reserve(&self.people[0], self.id).await
    }
}

fn shared() -> PlanName {
    PlanName::parse("shared").unwrap()
}

store_test!(
    sixty_four_callers_of_eight_people_with_ten_units_of_their_organisation_left_never_get_eleven,
    |test| async move {
        let team = Team::on(&test.store, 8, Some(1000), Some(1000)).await;
        let replicas = replicas(test, &team.scene.clock).await;

        for _ in 0..ROUNDS {
            let month = team.scene.month();
            test.store.take_calls(team.id, month, 990, Some(1000), NOW).await.unwrap().unwrap();

            let admitted = rush(&replicas, &team.people, team.id, Payer::Team(team.id)).await;
            for replica in &replicas {
                replica.give_back().await.unwrap();
            }

            assert_eq!(admitted, 10);
            assert_eq!(team.used(team.id).await, 1000);
            assert_eq!(team.used_by_people().await, 10, "whom the organisation refused, nobody charges");
            team.scene.begin_next_month();
        }
    }
);

store_test!(whichever_month_is_used_up_refuses_and_the_other_is_not_charged, |test| async move {
    let team = Team::on(&test.store, 2, Some(3), Some(4)).await;
    let of_person = |error| matches!(error, QuotaError::Exhausted { payer: Payer::Person(_), limit: 3, .. });
    let of_team = |error| matches!(error, QuotaError::Exhausted { payer: Payer::Team(_), limit: 4, .. });
    for _ in 0..3 {
        team.reserve().await.unwrap();
    }

    let first = team.reserve().await.unwrap_err();
    team.scene.quota.reserve(&team.people[1], team.id).await.unwrap();
    let second = team.scene.quota.reserve(&team.people[1], team.id).await.unwrap_err();
    // What is their own is limited by their own plan alone.
    team.scene.quota.reserve(&team.people[1], TenantId::new()).await.unwrap();
    team.scene.quota.give_back().await.unwrap();

    assert!(of_person(first));
    assert!(of_team(second));
    assert_eq!(team.used(team.id).await, 4);
    assert_eq!((team.used(team.people[0].user).await, team.used(team.people[1].user).await), (3, 2));
});

#[tokio::test]
async fn what_is_given_back_reaches_both_months_also_after_their_leases_are_over() {
    for limit in [Some(100), None] {
        let test = TestStore::sqlite().await;
        let team = Team::on(&test.store, 1, limit, limit).await;
        let quota = &team.scene.quota;
        let reservation = team.reserve().await.unwrap();
        quota.give_back().await.unwrap();
        assert_eq!((team.used(team.id).await, team.used_by_people().await), (1, 1));

        reservation.refund();
        assert_eq!(quota.usage(team.id).await.unwrap().used, 0, "told at once");
        quota.flush().await.unwrap();

        assert_eq!((team.used(team.id).await, team.used_by_people().await), (0, 0));
        assert_eq!(quota.0.meters.read().unwrap().len(), 0);
    }
}

#[tokio::test]
async fn a_caller_who_leaves_in_the_middle_is_charged_by_both_or_by_none() {
    let test = TestStore::sqlite().await;
    let team = Team::on(&test.store, 1, Some(1000), Some(1000)).await;
    for polls in 0..40 {
        let mut reserving = Box::pin(team.reserve());
        for _ in 0..polls {
            if futures::poll!(reserving.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(reserving);
        // Whatever was begun has run to its end when the rows are free.
        team.scene.quota.give_back().await.unwrap();
    }
    team.scene.quota.give_back().await.unwrap();

    assert_eq!(team.used(team.id).await, team.used_by_people().await);
}

#[tokio::test]
async fn a_warm_call_of_what_a_team_owns_reads_no_database() {
    let test = TestStore::sqlite().await;
    let team = Team::on(&test.store, 1, Some(10_000), Some(10_000)).await;
    for _ in 0..3 {
        team.reserve().await.unwrap();
    }
    team.scene.store.close().await;

    for _ in 0..400 {
        team.reserve().await.unwrap();
    }
}

#[tokio::test]
async fn another_plan_of_the_organisation_holds_on_the_next_call_and_keeps_what_was_used() {
    let test = TestStore::sqlite().await;
    let team = Team::on(&test.store, 1, None, Some(800)).await;
    let set = async |plan: Option<&str>| {
        let mut tx = test.store.system().await.unwrap();
        let before = tx.find_organisation(team.id).await.unwrap().unwrap();
        let plan = plan.map(|plan| PlanName::parse(plan).unwrap());
        tx.update_organisation(&Organisation { plan, ..before }).await.unwrap();
        tx.commit().await.unwrap();
        team.scene.changes.announce(Change::Plan(shared()));
    };
    let mut tx = test.store.system().await.unwrap();
    tx.save_plan(&Plan { name: PlanName::parse("tiny").unwrap(), ..plan(Some(6)) }).await.unwrap();
    tx.commit().await.unwrap();
    for _ in 0..5 {
        team.reserve().await.unwrap();
    }

    set(Some("tiny")).await;
    let admitted = [team.reserve().await.is_ok(), team.reserve().await.is_ok()];
    set(None).await;
    let without = team.reserve().await.is_ok();
    let usage = team.scene.quota.usage(team.id).await.unwrap();

    assert_eq!((admitted, without), ([true, false], true));
    assert_eq!((usage.used, usage.limit), (7, None), "calls are counted without a plan, too");
}

mod teams;

use std::{slice, sync::Arc, time::Duration};

use futures::future::try_join_all;
use tokio::sync::Barrier;

use super::*;
use crate::{
    changes::Change,
    clock::Month,
    model::{Email, Handle, InstanceRole, Plan, User},
    store::{
        Store,
        testing::{TestStore, store_test},
    },
};

const NOW: Ms = Ms(1_795_233_963_183);

store_test!(sixty_four_at_once_are_admitted_exactly_as_often_as_the_plan_allows, |test| async move {
    let scene = Scene::on(&test.store, Some(500)).await;

    let admitted = scene.rush(slice::from_ref(&scene.quota)).await;

    assert_eq!(admitted, 500);
    assert_eq!(scene.charged().await, 500);
    let error = scene.quota.reserve(&scene.subject, scene.user.tenant).await.unwrap_err();
    let end = NOW.month().end();
    assert!(
        matches!(error, QuotaError::Exhausted { limit: 500, resets_at, payer: Payer::Person(_) } if resets_at == end)
    );
});

store_test!(two_replicas_together_admit_no_more_than_the_plan_allows, |test| async move {
    let scene = Scene::on(&test.store, Some(300)).await;
    let other =
        Quota::new(scene.store.clone(), &Changes::new(), scene.clock.clone(), RateSettings::default());

    let mut admitted = 0;
    for n in 0..2000 {
        let quota = if n % 3 == 0 { &other } else { &scene.quota };
        admitted += usize::from(quota.reserve(&scene.subject, scene.user.tenant).await.is_ok());
    }
    // What one of them holds unspent when it is refused, the other may not use; it comes back.
    scene.quota.give_back().await.unwrap();
    other.give_back().await.unwrap();
    while scene.quota.reserve(&scene.subject, scene.user.tenant).await.is_ok() {
        admitted += 1;
    }

    assert_eq!(admitted, 300);
    assert_eq!(scene.charged().await, 300);
});

store_test!(sixty_four_callers_on_three_replicas_with_ten_units_left_never_get_eleven, |test| async move {
    let scene = Scene::on(&test.store, Some(1000)).await;
    let replicas = replicas(test, &scene.clock).await;

    for _ in 0..ROUNDS {
        test.store.take_calls(scene.user.id, scene.month(), 990, Some(1000), NOW).await.unwrap().unwrap();

        let admitted = scene.rush(&replicas).await;

        assert_eq!(admitted, 10);
        assert_eq!(scene.charged().await, 1000);
        scene.begin_next_month();
    }
});

store_test!(a_replica_that_is_killed_takes_no_more_along_than_its_lease, |test| async move {
    let scene = Scene::on(&test.store, Some(800)).await;
    let killed =
        Quota::new(test.reopen().await, &Changes::new(), scene.clock.clone(), RateSettings::default());
    for _ in 0..5 {
        killed.reserve(&scene.subject, scene.user.tenant).await.unwrap();
    }
    // As with SIGKILL: nothing is given back.
    drop(killed);

    let mut admitted = 0;
    while scene.quota.reserve(&scene.subject, scene.user.tenant).await.is_ok() {
        admitted += 1;
    }

    let lost = 800 - 5 - admitted;
    assert!((1..=100).contains(&lost), "an eighth of what was left at most, and never too few: {lost}");
    assert_eq!(scene.charged().await, 800);
});

#[tokio::test]
async fn a_warm_call_reads_no_database() {
    let scene = Scene::new(Some(10_000)).await;
    for _ in 0..2 {
        scene.quota.reserve(&scene.subject, scene.user.tenant).await.unwrap();
    }
    scene.store.close().await;

    for _ in 0..500 {
        scene.quota.reserve(&scene.subject, scene.user.tenant).await.unwrap();
    }
}

#[tokio::test]
async fn the_counter_begins_again_with_the_month() {
    let scene = Scene::new(Some(3)).await;
    for _ in 0..3 {
        scene.quota.reserve(&scene.subject, scene.user.tenant).await.unwrap();
    }
    assert!(scene.quota.reserve(&scene.subject, scene.user.tenant).await.is_err());

    scene.begin_next_month();

    for _ in 0..3 {
        scene.quota.reserve(&scene.subject, scene.user.tenant).await.unwrap();
    }
    assert!(scene.quota.reserve(&scene.subject, scene.user.tenant).await.is_err());
}

#[tokio::test]
async fn a_lease_of_the_old_month_is_not_spent_in_the_new_one() {
    let scene = Scene::new(Some(800)).await;
    for _ in 0..2 {
        scene.quota.reserve(&scene.subject, scene.user.tenant).await.unwrap();
    }
    scene.begin_next_month();

    let mut admitted = 0;
    while scene.quota.reserve(&scene.subject, scene.user.tenant).await.is_ok() {
        admitted += 1;
    }

    assert_eq!(admitted, 800);
}

#[tokio::test]
async fn what_lies_idle_is_given_back() {
    let scene = Scene::new(Some(800)).await;
    for _ in 0..2 {
        scene.quota.reserve(&scene.subject, scene.user.tenant).await.unwrap();
    }
    assert!(scene.charged().await > 2);

    scene.quota.flush().await.unwrap();
    assert!(scene.charged().await > 2, "given back too early");
    scene.clock.advance(Duration::from_secs(11));
    scene.quota.flush().await.unwrap();

    assert_eq!(scene.charged().await, 2);
    assert_eq!(scene.quota.0.meters.read().unwrap().len(), 0);
    scene.quota.reserve(&scene.subject, scene.user.tenant).await.unwrap();
}

#[tokio::test]
async fn the_end_of_the_process_gives_everything_back() {
    let scene = Scene::new(Some(800)).await;
    for _ in 0..5 {
        scene.quota.reserve(&scene.subject, scene.user.tenant).await.unwrap();
    }

    scene.quota.give_back().await.unwrap();

    assert_eq!(scene.charged().await, 5);
}

#[tokio::test]
async fn usage_shows_calls_and_not_leases() {
    let scene = Scene::new(Some(800)).await;
    for _ in 0..5 {
        scene.quota.reserve(&scene.subject, scene.user.tenant).await.unwrap();
    }
    scene.quota.reserve(&scene.subject, scene.user.tenant).await.unwrap().refund();

    let usage = scene.quota.usage(scene.subject.user).await.unwrap();

    let resets_at = NOW.month().end();
    assert_eq!(usage, Usage { used: 5, limit: Some(800), left: Some(795), resets_at });
}

#[tokio::test]
async fn calls_without_a_limit_are_counted_in_batches() {
    let scene = Scene::new(None).await;
    for _ in 0..7 {
        scene.quota.reserve(&scene.subject, scene.user.tenant).await.unwrap();
    }
    assert_eq!(scene.charged().await, 0);
    assert_eq!(scene.quota.usage(scene.subject.user).await.unwrap().used, 7);

    scene.quota.flush().await.unwrap();

    assert_eq!(scene.charged().await, 7);
    let usage = scene.quota.usage(scene.subject.user).await.unwrap();
    assert_eq!((usage.used, usage.limit, usage.left), (7, None, None));
}

#[tokio::test]
async fn calls_of_the_old_month_are_counted_in_it_before_the_new_one_begins() {
    let scene = Scene::new(None).await;
    scene.quota.reserve(&scene.subject, scene.user.tenant).await.unwrap();
    let old = scene.clock.now().month();
    scene.clock.advance(NOW.month().end().since(NOW) - Duration::from_millis(1));
    scene.quota.reserve(&scene.subject, scene.user.tenant).await.unwrap();
    scene.clock.advance(Duration::from_millis(1));

    scene.quota.reserve(&scene.subject, scene.user.tenant).await.unwrap();
    assert_eq!(scene.charged_in(old).await, 2);
    scene.quota.flush().await.unwrap();

    assert_eq!(scene.charged().await, 1);
}

#[tokio::test]
async fn a_changed_plan_holds_on_the_next_call() {
    let scene = Scene::new(Some(800)).await;
    for _ in 0..5 {
        scene.quota.reserve(&scene.subject, scene.user.tenant).await.unwrap();
    }

    scene.set_limit(Some(6)).await;
    let admitted = [
        scene.quota.reserve(&scene.subject, scene.user.tenant).await,
        scene.quota.reserve(&scene.subject, scene.user.tenant).await,
    ]
    .iter()
    .filter(|reserved| reserved.is_ok())
    .count();
    scene.set_limit(None).await;
    let unlimited = scene.quota.reserve(&scene.subject, scene.user.tenant).await;

    assert_eq!(admitted, 1);
    assert!(unlimited.is_ok());
}

#[tokio::test]
async fn a_caller_who_leaves_takes_no_lease_along() {
    let scene = Scene::new(Some(1000)).await;
    for polls in 0..40 {
        let mut reserving = Box::pin(scene.quota.reserve(&scene.subject, scene.user.tenant));
        for _ in 0..polls {
            if futures::poll!(reserving.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(reserving);
    }
    // Whatever was begun has run to its end when the row is free.
    scene.quota.give_back().await.unwrap();

    let charged = scene.charged().await;
    assert!(charged <= 40, "{charged} calls were charged for 40 callers");
}

#[tokio::test]
async fn a_plan_without_calls_admits_nobody() {
    let scene = Scene::new(Some(0)).await;

    assert!(matches!(
        scene.quota.reserve(&scene.subject, scene.user.tenant).await,
        Err(QuotaError::Exhausted { limit: 0, .. })
    ));
}

#[tokio::test]
async fn an_anonymous_call_is_charged_to_the_owner_while_the_owner_is_switched_on() {
    let scene = Scene::new(Some(10)).await;
    let owner = scene.quota.owner_of(scene.user.tenant).await.unwrap();
    assert_eq!(*owner, scene.subject);

    let mut user = scene.user.clone();
    user.enabled = false;
    let mut tx = scene.store.system().await.unwrap();
    assert!(tx.update_user(&user).await.unwrap());
    tx.commit().await.unwrap();
    scene.changes.announce(Change::User(user.id));

    let refused = scene.quota.owner_of(scene.user.tenant).await;
    assert!(matches!(refused, Err(QuotaError::NobodyToCharge { .. })));
}

/// How often a race for the last units is run, each time in a month of its own: one that is lost seldom is lost in some
/// of them. Tried with a reservation that reads first and adds afterwards: every race for the last units was lost, on both
/// databases, three times out of three.
const ROUNDS: usize = 20;

/// Begins three replicas on one database, with one clock.
async fn replicas(test: &TestStore, clock: &Clock) -> Vec<Quota> {
    let mut replicas = Vec::new();
    for _ in 0..3 {
        let (store, changes) = (test.reopen().await, Changes::new());
        replicas.push(Quota::new(store, &changes, clock.clone(), RateSettings::default()));
    }
    replicas
}

/// Lets sixty-four callers of these people begin at once and ask twenty times each, until nothing is left of this payer's
/// month, and returns how many calls were admitted.
async fn rush(replicas: &[Quota], people: &[QuotaSubject], owner: TenantId, payer: Payer) -> usize {
    let start = Arc::new(Barrier::new(64));
    let callers = (0..64).map(|n| {
        let (quota, subject) = (replicas[n % replicas.len()].clone(), people[n % people.len()].clone());
        let start = Arc::clone(&start);
        tokio::spawn(async move {
            start.wait().await;
            let mut admitted = 0;
            for _ in 0..20 {
                match quota.reserve(&subject, owner).await {
                    Ok(_) => admitted += 1,
                    Err(QuotaError::Exhausted { payer: of, .. }) if of == payer => {}
                    Err(error) => panic!("{error}"),
                }
            }
            admitted
        })
    });
    try_join_all(callers).await.unwrap().into_iter().sum()
}

struct Scene {
    /// Keeps the database until the test ends.
    _test: Option<TestStore>,
    store: Store,
    clock: Clock,
    changes: Changes,
    quota: Quota,
    user: User,
    subject: QuotaSubject,
}

impl Scene {
    async fn new(limit: Option<i64>) -> Self {
        let test = TestStore::sqlite().await;
        let scene = Self::on(&test.store, limit).await;
        Self { _test: Some(test), ..scene }
    }

    async fn on(store: &Store, limit: Option<i64>) -> Self {
        let (clock, changes) = (Clock::manual(NOW), Changes::new());
        let user = User {
            id: UserId::new(),
            tenant: TenantId::new(),
            handle: Handle::parse("ada").unwrap(),
            email: Email::parse("ada@example.org").unwrap(),
            role: InstanceRole::Member,
            plan: PlanName::parse("small").unwrap(),
            enabled: true,
            created_at: NOW,
        };
        let mut tx = store.system().await.unwrap();
        tx.save_plan(&plan(limit)).await.unwrap();
        tx.add_user(&user, "hash").await.unwrap();
        tx.commit().await.unwrap();
        let quota = Quota::new(store.clone(), &changes, clock.clone(), RateSettings::default());
        let subject = QuotaSubject { user: user.id, plan: user.plan.clone() };
        Self { _test: None, store: store.clone(), clock, changes, quota, user, subject }
    }

    async fn set_limit(&self, limit: Option<i64>) {
        let mut tx = self.store.system().await.unwrap();
        tx.save_plan(&plan(limit)).await.unwrap();
        tx.commit().await.unwrap();
        self.changes.announce(Change::Plan(self.subject.plan.clone()));
    }

    async fn rush(&self, replicas: &[Quota]) -> usize {
        rush(replicas, slice::from_ref(&self.subject), self.user.tenant, Payer::Person(self.user.id)).await
    }

    fn month(&self) -> Month {
        self.clock.now().month()
    }

    fn begin_next_month(&self) {
        self.clock.advance(self.month().end().since(self.clock.now()));
    }

    async fn charged(&self) -> i64 {
        self.charged_in(self.month()).await
    }

    async fn charged_in(&self, month: Month) -> i64 {
        self.store.system_read().await.unwrap().usage(self.subject.user, month).await.unwrap()
    }
}

fn plan(limit: Option<i64>) -> Plan {
    Plan {
        name: PlanName::parse("small").unwrap(),
        calls_per_month: limit,
        analyses_per_month: None,
        concurrent_analyses: None,
        sources_max: None,
        presets_max: None,
        stored_analyses_max: None,
        retention_days: None,
        rate: None,
    }
}

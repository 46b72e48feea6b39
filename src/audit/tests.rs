use futures::{FutureExt as _, future::join_all};
use tokio::task::unconstrained;

use super::*;
use crate::{
    chain::{Checkpoint, Flaw},
    clock::{Clock, Ms},
    model::{OrgRole, User, Via, Whence},
    secret::Secret,
    store::{
        SeriesQuery,
        testing::{TestStore, store_test},
    },
    vault::{KeySource, Vault},
};

store_test!(what_is_recorded_is_found_and_measured_after_a_flush, |test| async move {
    let tenant = test.add_user("ada").await.tenant;
    let process = process(test);

    for _ in 0..BATCH_MAX + 7 {
        process.audit.record(RunEvent::example(tenant));
    }
    process.audit.flush().await;

    let mut tx = test.store.read(tenant).await.expect("the store answers");
    let filter = EventFilter { limit: 2 * BATCH_MAX as i64, ..EventFilter::default() };
    let found = tx.list_events(&filter).await.expect("the events are read").len();
    let query = SeriesQuery {
        from: Ms(0),
        to: Ms(120_000),
        bucket_ms: 60_000,
        preset: None,
        source: None,
        tool: None,
    };
    let calls: i64 =
        tx.series(&query).await.expect("the points are read").iter().map(|point| point.calls).sum();
    drop(tx);
    assert_eq!(found, BATCH_MAX + 7);
    assert_eq!(calls, (BATCH_MAX + 7) as i64);
    process.end().await;
});

store_test!(what_waits_at_the_end_is_still_written, |test| async move {
    let tenant = test.add_user("ada").await.tenant;
    let audit = Audit::new(test.store.clone(), Metrics::new(test.store.clone()));
    audit.record(RunEvent::example(tenant));
    let stop = CancellationToken::new();
    stop.cancel();

    audit.run(stop).await;

    let mut tx = test.store.read(tenant).await.expect("the store answers");
    assert_eq!(tx.list_events(&EventFilter::default()).await.expect("the events are read").len(), 1);
});

store_test!(whoever_comes_faster_than_events_are_written_waits_and_nothing_is_lost, |test| async move {
    let tenant = test.add_user("ada").await.tenant;
    let audit = Audit::new(test.store.clone(), Metrics::new(test.store.clone()));
    assert!(audit.admit().await.is_ok());

    // Those that were admitted before are kept, however many they are.
    for _ in 0..QUEUE_MAX + 3 {
        audit.record(RunEvent::example(tenant));
    }
    assert!(!audit.has_room());
    let mut admitted = Box::pin(audit.admit());
    assert!(futures::poll!(&mut admitted).is_pending());
    let (writer, stop) = (audit.clone(), CancellationToken::new());
    let writing = tokio::spawn({
        let stop = stop.clone();
        async move { writer.run(stop).await }
    });

    assert!(admitted.await.is_ok());
    audit.flush().await;
    let end = test.store.system_read().await.unwrap().find_chain_end(tenant).await.unwrap().unwrap();
    assert_eq!(end.seq, (QUEUE_MAX + 3) as i64);
    assert_eq!((audit.waiting(), audit.dropped()), (0, 0));
    stop.cancel();
    writing.await.unwrap();
});

store_test!(nothing_more_is_admitted_while_the_log_cannot_be_written, |test| async move {
    let tenant = test.add_user("ada").await.tenant;
    let audit = Audit::new(test.store.clone(), Metrics::new(test.store.clone()));
    for _ in 0..QUEUE_MAX + BATCH_MAX {
        audit.record(RunEvent::example(tenant));
    }
    let mut admitted = Box::pin(audit.admit());
    assert!(futures::poll!(&mut admitted).is_pending());
    test.store.close().await;
    let (writer, stop) = (audit.clone(), CancellationToken::new());
    let writing = tokio::spawn({
        let stop = stop.clone();
        async move { writer.run(stop).await }
    });

    assert!(matches!(admitted.await, Err(AuditError::Behind)));
    stop.cancel();
    writing.await.unwrap();
});

store_test!(several_processes_sign_for_a_chain_once_a_day, |test| async move {
    let (ada, bob) = (test.add_user("ada").await, test.add_user("bob").await);
    let clock = Clock::manual(Ms(1_795_233_963_183));
    let notaries: Vec<Notary> = join_all((0..3).map(|_| notary(test, &clock))).await;
    record(test, &[RunEvent::example(ada.tenant), RunEvent::example(bob.tenant)]).await;
    let sign = async || {
        let signed = join_all(notaries.iter().map(Notary::sign_due)).await;
        signed.into_iter().map(|signed| signed.expect("chains are signed for")).sum::<usize>()
    };

    assert_eq!(sign().await, 2);
    record(test, &[RunEvent::example(ada.tenant)]).await;
    assert_eq!(sign().await, 0, "the day is not over");
    clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(sign().await, 1, "nothing was added to the other");
    let keys = join_all(notaries.iter().map(Notary::keys)).await;
    let keys: Vec<_> = keys.into_iter().map(|keys| keys.expect("there is a key")).collect();
    assert!(keys.iter().all(|one| *one == keys[0] && one.len() == 1), "{keys:?}");
    let verified = notaries[0].verify(&keys[0], &[]).await.expect("the chains are read");
    assert_eq!((verified.organisations, verified.checkpoints, verified.flaw), (2, 3, None));
});

store_test!(a_checkpoint_kept_elsewhere_finds_events_that_are_gone_from_the_end, |test| async move {
    let ada = test.add_user("ada").await;
    let clock = Clock::manual(Ms(1_795_233_963_183));
    let notary = notary(test, &clock).await;
    record(test, &[RunEvent::example(ada.tenant), RunEvent::example(ada.tenant)]).await;
    let kept = notary.sign_all().await.expect("the chain is signed for");
    assert!(notary.verify(&[], &kept).await.expect("the chain is read").flaw.is_none());

    let gone = Checkpoint { seq: 3, ..kept[0].clone() };
    let found = notary.verify(&[], &[gone]).await.expect("the chain is read").flaw;

    assert_eq!(found, Some((ada.tenant, Flaw::Missing { first: 3, last: 3 })));
});

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_hears_what_any_process_records_and_each_event_once() {
    let Some(test) = TestStore::postgres().await else { return };
    let (ada, bob) = (test.add_user("ada").await, test.add_user("bob").await);
    let [here, there] = [process(&test), process(&test)];
    let mut tail = here.audit.follow(policy::may_audit(&member(&ada)).unwrap()).await.unwrap();

    for (process, subject) in [(&there, "theirs"), (&here, "ours")] {
        process.audit.record(RunEvent { subject: subject.to_owned(), ..RunEvent::example(ada.tenant) });
        process.audit.record(RunEvent::example(bob.tenant));
        process.audit.flush().await;
    }
    for _ in 0..2 {
        here.audit.look_at_others().await.unwrap();
    }

    let mut told = Vec::new();
    while let Some(one) = unconstrained(tail.next()).now_or_never() {
        told.push(match one.unwrap() {
            Told::Event(event) => event.subject.clone(),
            Told::Missed(missed) => format!("{missed} missed"),
        });
    }
    told.sort();
    assert_eq!(told, ["ours", "theirs"]);
    for process in [here, there] {
        process.end().await;
    }
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_burst_elsewhere_the_newest_are_told_and_the_others_counted() {
    let Some(test) = TestStore::postgres().await else { return };
    let ada = test.add_user("ada").await;
    let [here, there] = [process(&test), process(&test)];
    let mut tail = here.audit.follow(policy::may_audit(&member(&ada)).unwrap()).await.unwrap();

    for (process, count) in [(&there, 100), (&here, 3), (&there, 263)] {
        (0..count).for_each(|_| process.audit.record(RunEvent::example(ada.tenant)));
        process.audit.flush().await;
    }
    here.audit.look_at_others().await.unwrap();

    let (mut events, mut missed) = (0, 0);
    while let Some(one) = unconstrained(tail.next()).now_or_never() {
        match one.unwrap() {
            Told::Event(_) => events += 1,
            Told::Missed(count) => missed += count,
        }
    }
    // Three of ours, and of 366 in the chain the last 256.
    assert_eq!((events, missed), (3 + 256, 107));
    for process in [here, there] {
        process.end().await;
    }
    test.remove().await;
}

store_test!(while_nobody_follows_nothing_is_asked, |test| async move {
    let ada = test.add_user("ada").await;
    let here = process(test);
    let tail = here.audit.follow(policy::may_audit(&member(&ada)).unwrap()).await.unwrap();

    drop(tail);
    here.audit.look_at_others().await.unwrap();
    test.store.close().await;

    here.audit.look_at_others().await.unwrap();
    here.end().await;
});

/// A process that records.
struct Process {
    audit: Audit,
    stop: CancellationToken,
    writer: tokio::task::JoinHandle<()>,
}

impl Process {
    async fn end(self) {
        self.stop.cancel();
        self.writer.await.unwrap();
    }
}

fn process(test: &TestStore) -> Process {
    let audit = Audit::new(test.store.clone(), Metrics::new(test.store.clone()));
    let stop = CancellationToken::new();
    let writer = tokio::spawn({
        let (audit, stop) = (audit.clone(), stop.clone());
        async move { audit.run(stop).await }
    });
    Process { audit, stop, writer }
}

/// Returns somebody acting in their own organisation.
fn member(user: &User) -> Member {
    Member {
        user: user.id,
        handle: user.handle.clone(),
        tenant: user.tenant,
        tenant_handle: user.handle.clone(),
        org_role: OrgRole::Admin,
        instance_role: user.role,
        plan: user.plan.clone(),
        via: Via::Shell,
        whence: Whence::default(),
    }
}

async fn notary(test: &TestStore, clock: &Clock) -> Notary {
    let key = KeySource::Settings(Secret::new("07a1".repeat(16)));
    let vault = Vault::open(test.store.clone(), key).await.expect("the key is one");
    let audit = Audit::new(test.store.clone(), Metrics::new(test.store.clone()));
    Notary::new(test.store.clone(), vault, audit, clock.clone())
}

async fn record(test: &TestStore, events: &[RunEvent]) {
    let mut tx = test.store.system().await.expect("a transaction begins");
    tx.append_events(events).await.expect("the events are added");
    tx.commit().await.expect("the events are kept");
}

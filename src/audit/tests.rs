use futures::future::join_all;

use super::*;
use crate::{
    chain::{Checkpoint, Flaw},
    clock::{Clock, Ms},
    secret::Secret,
    store::{
        SeriesQuery,
        testing::{TestStore, store_test},
    },
    vault::{KeySource, Vault},
};

store_test!(what_is_recorded_is_found_and_measured_after_a_flush, |test| async move {
    let tenant = test.add_user("ada").await.tenant;
    let audit = Audit::new(test.store.clone(), Metrics::new(test.store.clone()));
    let stop = CancellationToken::new();
    let writer = tokio::spawn({
        let (audit, stop) = (audit.clone(), stop.clone());
        async move { audit.run(stop).await }
    });

    for _ in 0..BATCH_MAX + 7 {
        audit.record(RunEvent::example(tenant));
    }
    audit.flush().await;

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
    stop.cancel();
    writer.await.expect("the writer ends");
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

store_test!(nothing_more_is_admitted_when_no_event_finds_room, |test| async move {
    let tenant = test.add_user("ada").await.tenant;
    let audit = Audit::new(test.store.clone(), Metrics::new(test.store.clone()));
    assert!(audit.admit().is_ok());

    for _ in 0..QUEUE_MAX + 3 {
        audit.record(RunEvent::example(tenant));
    }

    assert!(matches!(audit.admit(), Err(AuditError::Behind)));
    assert_eq!(audit.dropped(), 3);
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

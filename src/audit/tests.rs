use super::*;
use crate::{
    clock::Ms,
    store::{SeriesQuery, testing::store_test},
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

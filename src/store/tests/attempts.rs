//! How often something may be tried is counted by all processes together.

use std::time::Duration;

use futures::future::join_all;

use super::NOW;
use crate::store::{AttemptBucket, Store, testing::store_test};

const REFILL: Duration = Duration::from_secs(30);

fn bucket(subject: u8) -> AttemptBucket {
    AttemptBucket { subject: [subject; 32], burst: 3, refill: REFILL }
}

/// Tries once, some seconds after the beginning.
async fn try_at(store: &Store, bucket: AttemptBucket, secs: u64) -> Option<Duration> {
    let mut tx = store.system().await.unwrap();
    let wait = tx.take_attempt(&bucket, NOW.plus(Duration::from_secs(secs))).await.unwrap();
    tx.commit().await.unwrap();
    wait
}

store_test!(a_thing_is_tried_so_often_and_then_slowly, |test| async move {
    let mut waits = Vec::new();
    for secs in [0, 0, 0, 0, 10, 30, 30, 1000, 1000, 1000, 1000] {
        waits.push(try_at(&test.store, bucket(1), secs).await.map(|wait| wait.as_secs()));
    }

    let expected = [None, None, None, Some(30), Some(20), None, Some(30), None, None, None, Some(30)];
    assert_eq!(waits, expected);
    assert_eq!(try_at(&test.store, bucket(2), 0).await, None, "another one");
});

store_test!(processes_that_try_at_once_have_no_more_attempts_together, |test| async move {
    let stores = [test.reopen().await, test.reopen().await, test.reopen().await];

    let tried = (0..12).map(|n| try_at(&stores[n % 3], bucket(1), 0));
    let counted = join_all(tried).await.into_iter().filter(Option::is_none).count();

    assert_eq!(counted, 3);
    join_all(stores.iter().map(Store::close)).await;
});

store_test!(attempts_are_given_back_and_forgiven_and_forgotten_once_they_count_no_more, |test| async move {
    for _ in 0..3 {
        assert_eq!(try_at(&test.store, bucket(1), 0).await, None);
        assert_eq!(try_at(&test.store, bucket(2), 0).await, None);
    }
    let mut tx = test.store.system().await.unwrap();
    tx.give_attempt_back(&bucket(1)).await.unwrap();
    tx.forgive_attempts(&bucket(2)).await.unwrap();
    assert_eq!(tx.remove_old_attempts(NOW.plus(REFILL)).await.unwrap(), 0);
    tx.commit().await.unwrap();

    assert_eq!(try_at(&test.store, bucket(1), 0).await, None);
    assert_eq!(try_at(&test.store, bucket(1), 0).await, Some(REFILL));
    for _ in 0..3 {
        assert_eq!(try_at(&test.store, bucket(2), 0).await, None);
    }
    let mut tx = test.store.system().await.unwrap();
    assert_eq!(tx.remove_old_attempts(NOW.plus(3 * REFILL)).await.unwrap(), 2);
    tx.commit().await.unwrap();
});

//! Charging is exact.

use super::*;
use crate::{
    clock::Month,
    model::UserId,
    store::{Taken, testing::store_test},
};

const MONTH: Month = Month(202_611);

store_test!(calls_are_charged_up_to_the_limit_and_no_further, |test| async move {
    let ada = test.add_user("ada").await;
    let take = |n, limit| test.store.take_calls(ada.id, MONTH, n, limit, NOW);

    assert_eq!(take(11, Some(10)).await.unwrap(), None);
    assert_eq!(take(4, Some(10)).await.unwrap(), Some(Taken { used: 4, left: Some(6) }));
    assert_eq!(take(7, Some(10)).await.unwrap(), None);
    assert_eq!(take(6, Some(10)).await.unwrap(), Some(Taken { used: 10, left: Some(0) }));
    assert_eq!(take(1, None).await.unwrap(), Some(Taken { used: 11, left: None }));
    test.store.give_back_calls(ada.id, MONTH, 3, NOW).await.unwrap();
    assert_eq!(test.store.read(ada.tenant).await.unwrap().usage(ada.id, MONTH).await.unwrap(), 8);
    test.store.give_back_calls(ada.id, MONTH, 30, NOW).await.unwrap();
    assert_eq!(test.store.system_read().await.unwrap().usage(ada.id, MONTH).await.unwrap(), 0);
});

store_test!(every_month_begins_at_zero, |test| async move {
    let ada = test.add_user("ada").await;
    test.store.take_calls(ada.id, MONTH, 10, Some(10), NOW).await.unwrap().unwrap();

    let next = test.store.take_calls(ada.id, Month(202_612), 1, Some(10), NOW).await.unwrap();

    assert_eq!(next, Some(Taken { used: 1, left: Some(9) }));
    assert_eq!(test.store.read(ada.tenant).await.unwrap().usage(ada.id, MONTH).await.unwrap(), 10);
});

store_test!(thirty_two_at_once_never_take_more_than_there_is, |test| async move {
    let ada = test.add_user("ada").await;
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let store = test.store.clone();
            tokio::spawn(async move {
                let mut taken = 0;
                for _ in 0..10 {
                    taken += i64::from(
                        store.take_calls(ada.id, MONTH, 1, Some(200), NOW).await.unwrap().is_some(),
                    );
                }
                taken
            })
        })
        .collect();

    let mut taken = 0;
    for task in tasks {
        taken += task.await.unwrap();
    }

    assert_eq!(taken, 200);
    assert_eq!(test.store.read(ada.tenant).await.unwrap().usage(ada.id, MONTH).await.unwrap(), 200);
});

store_test!(nobody_cannot_be_charged, |test| async move {
    assert!(test.store.take_calls(UserId::new(), MONTH, 1, None, NOW).await.is_err());
});

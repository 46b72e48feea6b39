//! Second factors, on both databases.

use super::NOW;
use crate::{
    clock::Ms,
    store::{HalfRow, testing::store_test},
};

const SEALED: &str = r#"{"kid":"first"}"#;

store_test!(a_factor_is_begun_confirmed_used_and_removed, |test| async move {
    let (ada, bob) = (test.add_user("ada").await, test.add_user("bob").await);
    let mut tx = test.store.system().await.unwrap();
    assert!(tx.begin_factor(ada.tenant, ada.id, "{\"kid\":\"old\"}").await.unwrap());
    assert!(tx.begin_factor(ada.tenant, ada.id, SEALED).await.unwrap());
    assert!(!tx.confirm_factor(bob.id, NOW).await.unwrap());
    assert!(!tx.has_second_factor(ada.id).await.unwrap(), "what is not confirmed is asked for");
    assert!(tx.confirm_factor(ada.id, NOW).await.unwrap());
    assert!(!tx.confirm_factor(ada.id, NOW).await.unwrap());
    assert!(tx.has_second_factor(ada.id).await.unwrap());
    assert!(!tx.has_second_factor(bob.id).await.unwrap());
    tx.set_recovery_codes(ada.tenant, ada.id, &[[8; 32], [9; 32]]).await.unwrap();
    tx.set_recovery_codes(ada.tenant, ada.id, &[[1; 32], [2; 32]]).await.unwrap();
    assert!(!tx.use_recovery_code(ada.id, &[8; 32]).await.unwrap(), "a code that was replaced works");
    assert!(!tx.begin_factor(ada.tenant, ada.id, SEALED).await.unwrap(), "a confirmed secret was replaced");

    assert!(tx.use_factor_step(ada.id, 7).await.unwrap());
    for used in [7, 6] {
        assert!(!tx.use_factor_step(ada.id, used).await.unwrap());
    }
    assert!(!tx.use_recovery_code(bob.id, &[1; 32]).await.unwrap());
    assert!(tx.use_recovery_code(ada.id, &[1; 32]).await.unwrap());
    assert!(!tx.use_recovery_code(ada.id, &[1; 32]).await.unwrap());
    assert_eq!(tx.count_recovery_codes(ada.id).await.unwrap(), 1);
    let found = tx.find_factor(ada.id).await.unwrap().unwrap();
    assert_eq!((found.tenant_id, found.confirmed_at, found.last_step), (ada.tenant, Some(NOW), 7));

    assert!(tx.remove_factor(ada.id).await.unwrap());
    assert!(!tx.remove_factor(ada.id).await.unwrap());
    tx.tidy_after_factor(ada.id).await.unwrap();
    assert!(tx.find_factor(ada.id).await.unwrap().is_none());
    assert_eq!(tx.count_recovery_codes(ada.id).await.unwrap(), 0);
});

store_test!(the_secret_of_a_factor_is_found_by_a_rotation, |test| async move {
    let ada = test.add_user("ada").await;
    let mut tx = test.store.system().await.unwrap();
    tx.begin_factor(ada.tenant, ada.id, SEALED).await.unwrap();

    let found = tx.list_sealed_not_under("second", 10).await.unwrap();
    let resealed = r#"{"kid":"second"}"#;
    assert!(tx.replace_sealed(&found[0], resealed).await.unwrap());

    assert_eq!((found.len(), found[0].table, found[0].row), (1, "user_factors", ada.id.0));
    assert!(!tx.replace_sealed(&found[0], resealed).await.unwrap(), "what was replaced was replaced again");
    assert!(tx.list_sealed_not_under("second", 10).await.unwrap().is_empty());
    assert_eq!(tx.find_factor(ada.id).await.unwrap().unwrap().sealed, resealed);
});

store_test!(half_a_sign_in_is_found_until_its_end, |test| async move {
    let ada = test.add_user("ada").await;
    let half = HalfRow { user_id: ada.id, provider: "staff".into(), ceremony: Some("one".into()) };
    let ends = Ms(NOW.0 + 1000);
    let mut tx = test.store.system().await.unwrap();
    for token in 1..=3 {
        tx.add_half_sign_in(&[token; 32], &half, ends).await.unwrap();
    }

    assert_eq!(tx.find_half_sign_in(&[1; 32], NOW).await.unwrap(), Some(half));
    assert!(tx.replace_half_ceremony(&[1; 32], "one", Some("two")).await.unwrap());
    assert!(!tx.replace_half_ceremony(&[1; 32], "one", Some("three")).await.unwrap(), "answered twice");
    assert!(tx.replace_half_ceremony(&[1; 32], "two", None).await.unwrap());
    assert_eq!(tx.find_half_sign_in(&[1; 32], ends).await.unwrap(), None);
    assert!(tx.remove_half_sign_in(&[1; 32]).await.unwrap());
    assert!(!tx.remove_half_sign_in(&[1; 32]).await.unwrap());
    tx.remove_ended_half_sign_ins(NOW).await.unwrap();
    assert!(tx.find_half_sign_in(&[2; 32], NOW).await.unwrap().is_some());
    tx.remove_ended_half_sign_ins(ends).await.unwrap();
    assert_eq!(tx.find_half_sign_in(&[2; 32], NOW).await.unwrap(), None);
});

//! Logins with other identity providers, on both databases.

use super::NOW;
use crate::{
    clock::Ms,
    model::{Email, Login, LoginId, PendingLogin, User, UserId},
    store::{StoreError, testing::store_test},
};

store_test!(a_login_is_one_person_s, |test| async move {
    let (ada, bob) = (test.add_user("ada").await, test.add_user("bob").await);
    let first = login(&ada, "https://id.example.org", "1");
    let mut tx = test.store.system().await.unwrap();
    tx.add_login(&first).await.unwrap();
    tx.add_login(&login(&ada, "https://other.example.org", "1")).await.unwrap();
    tx.touch_login(ada.id, first.id, Ms(NOW.0 + 5)).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = test.store.system().await.unwrap();
    let twin = tx.add_login(&login(&bob, "https://id.example.org", "1")).await.unwrap_err();
    drop(tx);
    let mut tx = test.store.system().await.unwrap();
    let found = tx.find_login("https://id.example.org", "1").await.unwrap();

    assert_eq!(found, Some(Login { used_at: Ms(NOW.0 + 5), ..first.clone() }));
    assert!(matches!(twin, StoreError::Conflict { what } if what == "user_logins.subject"));
    assert_eq!(tx.find_login("https://id.example.org", "2").await.unwrap(), None);
    assert_eq!(tx.list_logins(ada.id).await.unwrap().len(), 2);
    assert!(!tx.remove_login(bob.id, first.id).await.unwrap());
    assert!(tx.remove_login(ada.id, first.id).await.unwrap());
    assert!(tx.list_logins(UserId::new()).await.unwrap().is_empty());
});

store_test!(an_attempt_is_taken_once_and_in_time, |test| async move {
    let later = Ms(NOW.0 + 1000);
    let mut tx = test.store.system().await.unwrap();
    for token in 1..=3 {
        tx.add_login_attempt(&[token; 32], "staff", "/keys", later).await.unwrap();
    }

    let taken = tx.take_login_attempt(&[1; 32], NOW).await.unwrap();
    let again = tx.take_login_attempt(&[1; 32], NOW).await.unwrap();
    let late = tx.take_login_attempt(&[2; 32], later).await.unwrap();
    tx.remove_ended_logins(later).await.unwrap();
    let removed = tx.take_login_attempt(&[3; 32], NOW).await.unwrap();

    assert_eq!(taken, Some(("staff".to_owned(), "/keys".to_owned())));
    assert_eq!((again, late, removed), (None, None, None));
});

store_test!(who_is_pending_is_found_until_the_end, |test| async move {
    let pending = PendingLogin {
        provider: "staff".into(),
        issuer: "https://id.example.org".into(),
        subject: "1".into(),
        shown: "ada\0".into(),
        email: Some(Email::parse("ada@example.org").unwrap()),
        next: "/".into(),
        expires_at: Ms(NOW.0 + 1000),
    };
    let without = PendingLogin { email: None, ..pending.clone() };
    let mut tx = test.store.system().await.unwrap();
    tx.add_pending_login(&[1; 32], &pending).await.unwrap();
    tx.add_pending_login(&[2; 32], &without).await.unwrap();

    let found = tx.find_pending_login(&[1; 32], NOW).await.unwrap().unwrap();
    assert_eq!(found, PendingLogin { shown: "ada\u{fffd}".into(), ..pending.clone() });
    assert_eq!(tx.find_pending_login(&[2; 32], NOW).await.unwrap().unwrap().email, None);
    assert_eq!(tx.find_pending_login(&[1; 32], pending.expires_at).await.unwrap(), None);
    assert!(tx.remove_pending_login(&[1; 32]).await.unwrap());
    assert!(!tx.remove_pending_login(&[1; 32]).await.unwrap());
    tx.remove_ended_logins(pending.expires_at).await.unwrap();
    assert_eq!(tx.find_pending_login(&[2; 32], NOW).await.unwrap(), None);
});

fn login(user: &User, issuer: &str, subject: &str) -> Login {
    Login {
        id: LoginId::new(),
        user: user.id,
        tenant: user.tenant,
        issuer: issuer.into(),
        subject: subject.into(),
        shown: user.handle.to_string(),
        created_at: NOW,
        used_at: NOW,
    }
}

//! Passkeys, on both databases.

use super::{NOW, session};
use crate::{
    clock::Ms,
    model::{Passkey, PasskeyId, User},
    store::{StoreError, testing::store_test},
};

store_test!(a_passkey_is_added_used_renamed_and_removed, |test| async move {
    let (ada, bob) = (test.add_user("ada").await, test.add_user("bob").await);
    let (first, second) = (passkey(&ada, 1), passkey(&ada, 2));
    let mut tx = test.store.system().await.unwrap();
    assert!(!tx.has_second_factor(ada.id).await.unwrap());
    tx.add_passkey(&first).await.unwrap();
    tx.add_passkey(&second).await.unwrap();
    assert!(tx.has_second_factor(ada.id).await.unwrap());
    tx.set_recovery_codes(ada.tenant, ada.id, &[[1; 32]]).await.unwrap();

    assert_eq!(tx.list_passkeys(ada.id).await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(tx.count_passkeys(ada.id).await.unwrap(), 2);
    assert_eq!(tx.count_passkeys(bob.id).await.unwrap(), 0);
    assert!(!tx.rename_passkey(bob.id, first.id, "his").await.unwrap());
    assert!(tx.rename_passkey(ada.id, first.id, "keyring").await.unwrap());
    assert!(!tx.remove_passkey(bob.id, first.id).await.unwrap());

    let used = Ms(NOW.0 + 5);
    assert!(!tx.use_passkey(bob.id, first.id, "{}", 9, used).await.unwrap());
    for (counter, right) in [(0, true), (0, true), (7, true), (7, false), (6, false), (0, false), (8, true)] {
        let said = tx.use_passkey(ada.id, first.id, "{\"new\":1}", counter, used).await.unwrap();
        assert_eq!(said, right, "the counter {counter}");
    }
    let found = &tx.list_passkeys(ada.id).await.unwrap()[0];
    assert_eq!((found.name.as_str(), found.counter, found.used_at), ("keyring", 8, Some(used)));
    assert_eq!(found.credential, "{\"new\":1}");

    assert!(tx.remove_passkey(ada.id, first.id).await.unwrap());
    tx.tidy_after_factor(ada.id).await.unwrap();
    assert_eq!(tx.count_recovery_codes(ada.id).await.unwrap(), 1, "a passkey is left");
    assert!(tx.remove_passkeys(ada.id).await.unwrap());
    assert!(!tx.remove_passkeys(ada.id).await.unwrap());
    tx.tidy_after_factor(ada.id).await.unwrap();
    assert_eq!(tx.count_recovery_codes(ada.id).await.unwrap(), 0);
});

store_test!(a_credential_is_one_person_s, |test| async move {
    let (ada, bob) = (test.add_user("ada").await, test.add_user("bob").await);
    let mut tx = test.store.system().await.unwrap();
    tx.add_passkey(&passkey(&ada, 1)).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = test.store.system().await.unwrap();
    let taken = tx.add_passkey(&passkey(&bob, 1)).await;

    assert!(matches!(taken, Err(StoreError::Conflict { what }) if what == "passkeys.credential_id"));
});

store_test!(what_a_browser_is_asked_to_make_is_taken_once_and_ends_with_its_session, |test| async move {
    let ada = test.add_user("ada").await;
    let (here, there) = (session(&ada), session(&ada));
    let ends = Ms(NOW.0 + 1000);
    let mut tx = test.store.system().await.unwrap();
    tx.add_browser_session(&here, &[1; 32]).await.unwrap();
    tx.add_browser_session(&there, &[2; 32]).await.unwrap();
    tx.begin_passkey(ada.tenant, here.id, "old", "{}", ends).await.unwrap();
    tx.begin_passkey(ada.tenant, here.id, "telephone", "{\"asked\":1}", ends).await.unwrap();
    tx.begin_passkey(ada.tenant, there.id, "key", "{}", ends).await.unwrap();

    let begun = Some(("telephone".to_owned(), "{\"asked\":1}".to_owned()));
    assert_eq!(tx.find_begun_passkey(ada.tenant, here.id, NOW).await.unwrap(), begun);
    assert_eq!(tx.take_begun_passkey(ada.tenant, here.id, ends).await.unwrap(), None, "after its end");
    assert_eq!(tx.take_begun_passkey(ada.tenant, here.id, NOW).await.unwrap(), begun);
    assert_eq!(tx.take_begun_passkey(ada.tenant, here.id, NOW).await.unwrap(), None, "taken twice");
    assert!(tx.find_begun_passkey(ada.tenant, there.id, NOW).await.unwrap().is_some());
    tx.revoke_browser_session(ada.id, there.id).await.unwrap();
    assert_eq!(tx.find_begun_passkey(ada.tenant, there.id, NOW).await.unwrap(), None);

    tx.begin_passkey(ada.tenant, here.id, "late", "{}", ends).await.unwrap();
    tx.remove_ended_passkey_registrations(NOW).await.unwrap();
    assert!(tx.find_begun_passkey(ada.tenant, here.id, NOW).await.unwrap().is_some());
    tx.remove_ended_passkey_registrations(ends).await.unwrap();
    assert_eq!(tx.find_begun_passkey(ada.tenant, here.id, NOW).await.unwrap(), None);
});

fn passkey(user: &User, credential: u8) -> Passkey {
    Passkey {
        id: PasskeyId::new(),
        user: user.id,
        tenant: user.tenant,
        name: format!("passkey {credential}"),
        credential_id: vec![credential; 16],
        credential: "{}".into(),
        counter: 0,
        created_at: NOW,
        used_at: None,
    }
}

use super::*;
use crate::{
    model::{ConnectionState, SignInId},
    store::{NewConnectionToken, SignInRow, testing::store_test},
};

const SEALED: &str = r#"{"kid":"k","ct":"1"}"#;

fn token(expires_at: Ms, sealed: &str) -> NewConnectionToken<'_> {
    NewConnectionToken {
        issuer: "https://i.example",
        scope: "a b",
        expires_at: Some(expires_at),
        renews: true,
        at: NOW,
        sealed,
    }
}

fn later(ms: i64) -> Ms {
    Ms(NOW.0 + ms)
}

store_test!(a_connection_is_wanted_used_renewed_by_one_and_gone_with_its_source, |test| async move {
    let (ada, bob) = (test.add_user("ada").await, test.add_user("bob").await);
    let files = source(ada.tenant, "files");
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    tx.add_source(&files, None).await.unwrap();
    let own = tx.want_connection(files.id, None, NOW).await.unwrap().connection;
    let again = tx.want_connection(files.id, None, later(9)).await.unwrap().connection;
    let bobs = tx.want_connection(files.id, Some(bob.id), NOW).await.unwrap().connection;
    tx.commit().await.unwrap();
    assert_eq!((&own, own.state, own.user), (&again, ConnectionState::Wanted, None));
    assert_eq!(bobs.user, Some(bob.id));

    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    assert!(tx.set_connection_token(own.id, None, token(later(1000), SEALED)).await.unwrap());
    assert!(tx.set_connection_wish(own.id, 1, "c").await.unwrap());
    let row = tx.find_connection(own.id).await.unwrap().unwrap();
    assert_eq!((row.connection.version, row.connection.state), (1, ConnectionState::Active));
    assert_eq!((row.connection.scope.as_str(), row.connection.wanted_scope.as_str()), ("a b", "c"));
    assert_eq!(row.sealed.as_deref(), Some(SEALED));

    // One at a time, until the turn ends or the token is another.
    assert!(tx.lease_connection(own.id, 1, NOW, later(40)).await.unwrap());
    assert!(!tx.lease_connection(own.id, 1, later(39), later(80)).await.unwrap());
    assert!(tx.lease_connection(own.id, 1, later(40), later(80)).await.unwrap());
    assert!(tx.set_connection_token(own.id, Some(1), token(later(2000), SEALED)).await.unwrap());
    assert!(!tx.set_connection_token(own.id, Some(1), token(later(3000), SEALED)).await.unwrap());
    assert!(!tx.set_connection_state(own.id, 1, ConnectionState::Broken, "late").await.unwrap());
    assert!(tx.lease_connection(own.id, 2, later(41), later(80)).await.unwrap());
    tx.commit().await.unwrap();

    let mut tx = test.store.system().await.unwrap();
    let due = tx.list_connections_to_renew(later(2001), 9).await.unwrap();
    assert_eq!(due.iter().map(|one| one.id).collect::<Vec<_>>(), [own.id]);
    assert!(tx.list_connections_to_renew(later(2000), 9).await.unwrap().is_empty());
    assert_eq!(tx.list_connections_of(bob.id).await.unwrap(), [bobs]);
    assert_eq!(tx.connected_source(files.id).await.unwrap(), Some(("files".into(), "ada".into())));
    let sealed = tx.list_sealed_not_under("other", 9).await.unwrap();
    assert_eq!((sealed.len(), sealed[0].table, sealed[0].column), (1, "connections", "sealed"));
    assert!(tx.replace_sealed(&sealed[0], r#"{"kid":"other"}"#).await.unwrap());
    assert!(tx.list_sealed_not_under("other", 9).await.unwrap().is_empty());
    tx.commit().await.unwrap();

    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    assert_eq!(tx.list_own_connections().await.unwrap().len(), 1);
    assert!(tx.remove_source(files.id).await.unwrap());
    assert!(tx.find_connection(own.id).await.unwrap().is_none());
    assert!(tx.find_connection_of(files.id, Some(bob.id)).await.unwrap().is_none());
});

store_test!(a_sign_in_is_found_by_its_state_and_finished_once, |test| async move {
    let ada = test.add_user("ada").await;
    let files = source(ada.tenant, "files");
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    tx.add_source(&files, None).await.unwrap();
    let connection = tx.want_connection(files.id, None, NOW).await.unwrap().connection.id;
    let first = sign_in(&ada, connection);
    let second = SignInRow { id: SignInId::new(), ..first.clone() };
    tx.add_sign_in(&first, &[1; 32]).await.unwrap();
    tx.add_sign_in(&second, &[2; 32]).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = test.store.system().await.unwrap();
    // The second took the place of the first.
    assert!(tx.find_sign_in_by_state(&[1; 32]).await.unwrap().is_none());
    assert_eq!(tx.find_sign_in_by_state(&[2; 32]).await.unwrap().as_ref(), Some(&second));
    assert_eq!(tx.find_sign_in(second.id).await.unwrap(), Some(second.clone()));
    let sealed = tx.list_sealed_not_under("other", 9).await.unwrap();
    assert_eq!((sealed.len(), sealed[0].table), (1, "sign_ins"));
    assert!(tx.replace_sealed(&sealed[0], r#"{"kid":"other"}"#).await.unwrap());
    assert!(tx.remove_sign_in(second.id).await.unwrap());
    assert!(!tx.remove_sign_in(second.id).await.unwrap());
    assert_eq!(tx.remove_late_sign_ins(second.expires_at).await.unwrap(), 0);
});

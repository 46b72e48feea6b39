//! Tunnels and the sources that go through them.

use super::*;
use crate::{
    model::{Destination, Hop, HopAuthKind, Tunnel, TunnelId, TunnelName},
    store::{StoreError, testing::store_test},
};

const SEALED: &str = r#"{"kid":"k1"}"#;

store_test!(
    a_tunnel_is_kept_edited_by_version_and_not_removed_while_a_source_goes_through_it,
    |test| async move {
        let ada = test.add_user("ada").await;
        let bastion = tunnel(ada.tenant, "bastion");
        let mut behind = source(ada.tenant, "behind");
        behind.tunnel = Some(bastion.id);

        let mut tx = test.store.tenant(ada.tenant).await.unwrap();
        tx.add_tunnel(&bastion, SEALED).await.unwrap();
        tx.add_source(&behind, None).await.unwrap();
        tx.commit().await.unwrap();

        let mut tx = test.store.tenant(ada.tenant).await.unwrap();
        assert_eq!(tx.list_tunnels().await.unwrap(), std::slice::from_ref(&bastion));
        assert_eq!(tx.find_tunnel_by_name(&bastion.name).await.unwrap(), Some(bastion.clone()));
        assert_eq!(tx.tunnel_secrets(bastion.id).await.unwrap().as_deref(), Some(SEALED));
        assert_eq!(tx.find_source(behind.id).await.unwrap().unwrap().tunnel, Some(bastion.id));
        let through = tx.sources_through(bastion.id).await.unwrap();
        assert_eq!(through, [(behind.id, behind.name.clone(), true)]);

        let edited = Tunnel { name: TunnelName::parse("gate").unwrap(), ..bastion.clone() };
        assert!(!tx.update_tunnel(&edited, SEALED, 2).await.unwrap(), "another version");
        assert!(tx.update_tunnel(&edited, r#"{"kid":"k2"}"#, 1).await.unwrap());
        assert_eq!(tx.find_tunnel(bastion.id).await.unwrap(), Some(Tunnel { version: 2, ..edited }));
        tx.commit().await.unwrap();
        let mut tx = test.store.system().await.unwrap();
        assert_eq!(tx.list_sealed_not_under("k2", 10).await.unwrap(), []);
        let sealed = tx.list_sealed_not_under("k3", 10).await.unwrap().remove(0);
        assert_eq!((sealed.table, sealed.column), ("tunnels", "secrets"));
        assert!(tx.replace_sealed(&sealed, r#"{"kid":"k3"}"#).await.unwrap());
        tx.commit().await.unwrap();

        let mut tx = test.store.tenant(ada.tenant).await.unwrap();
        assert!(tx.remove_tunnel(bastion.id).await.is_err(), "a source goes through it");
        drop(tx);
        let mut tx = test.store.tenant(ada.tenant).await.unwrap();
        tx.remove_source(behind.id).await.unwrap();
        assert!(tx.remove_tunnel(bastion.id).await.unwrap());
        assert!(!tx.remove_tunnel(bastion.id).await.unwrap());
    }
);

store_test!(tunnels_stay_in_their_organisation_and_their_names_are_unique_there, |test| async move {
    let (ada, bob) = (test.add_user("ada").await, test.add_user("bob").await);
    let hers = tunnel(ada.tenant, "bastion");
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    tx.add_tunnel(&hers, SEALED).await.unwrap();
    let again = tx.add_tunnel(&tunnel(ada.tenant, "bastion"), SEALED).await;
    assert!(matches!(again, Err(StoreError::Conflict { what }) if what == "tunnels.name"));
    drop(tx);
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    tx.add_tunnel(&hers, SEALED).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = test.store.tenant(bob.tenant).await.unwrap();
    assert_eq!(tx.find_tunnel(hers.id).await.unwrap(), None);
    assert_eq!(tx.tunnel_secrets(hers.id).await.unwrap(), None);
    assert!(!tx.update_tunnel(&hers, SEALED, 1).await.unwrap());
    assert!(!tx.remove_tunnel(hers.id).await.unwrap());
    assert_eq!(tx.count_tunnels().await.unwrap(), 0);
    tx.add_tunnel(&tunnel(bob.tenant, "bastion"), SEALED).await.unwrap();
});

pub(super) fn tunnel(tenant: TenantId, name: &str) -> Tunnel {
    let hop = Hop {
        host: "bastion.example.org".into(),
        port: Hop::PORT,
        user: "ada".into(),
        auth: HopAuthKind::Key,
        public_key: Some("ssh-ed25519 AAAA".into()),
        made_here: true,
        host_key: None,
    };
    Tunnel {
        id: TunnelId::new(),
        tenant,
        name: TunnelName::parse(name).unwrap(),
        hops: vec![hop],
        destinations: vec![Destination::parse("history.internal:18080").unwrap()],
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

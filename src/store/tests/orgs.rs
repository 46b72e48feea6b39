//! Organisations of several people.

use super::*;
use crate::{
    model::{Handle, Membership, OrgRole, Organisation, Via},
    store::testing::store_test,
};

fn team(handle: &str) -> Organisation {
    Organisation {
        id: TenantId::new(),
        handle: Handle::parse(handle).unwrap(),
        title: String::new(),
        personal_of: None,
        made_by: None,
        plan: None,
        enabled: true,
        created_at: NOW,
    }
}

store_test!(an_organisation_goes_with_everything_it_owns_and_its_handle_stays, |test| async move {
    let ada = test.add_user("ada").await;
    let acme = team("acme");
    let mut tx = test.store.system().await.unwrap();
    tx.add_organisation(&acme, ada.id).await.unwrap();
    let there = BrowserSession { tenant: acme.id, ..session(&ada) };
    tx.add_browser_session(&there, &[1; 32]).await.unwrap();
    let ceremony = "{}";
    tx.begin_passkey(acme.id, there.id, "key", ceremony, NOW.plus(std::time::Duration::from_secs(60)))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let bastion = tunnels::tunnel(acme.id, "bastion");
    let behind = Source { tunnel: Some(bastion.id), ..source(acme.id, "behind") };
    let mut tx = test.store.tenant(acme.id).await.unwrap();
    tx.add_tunnel(&bastion, r#"{"kid":"k"}"#).await.unwrap();
    tx.add_source(&behind, None).await.unwrap();
    tx.add_preset(&preset(acme.id, "notes")).await.unwrap();
    tx.add_api_key(&ApiKey { tenant: acme.id, ..key(&ada) }, &[2; 32]).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = test.store.system().await.unwrap();
    tx.send_browser_sessions_home(acme.id, None).await.unwrap();
    assert!(!tx.remove_organisation(ada.tenant, NOW).await.unwrap(), "a person's own stays");
    assert!(tx.remove_organisation(acme.id, NOW).await.unwrap());
    assert!(!tx.remove_organisation(acme.id, NOW).await.unwrap());
    tx.commit().await.unwrap();

    let mut tx = test.store.read(acme.id).await.unwrap();
    assert!(tx.list_sources().await.unwrap().is_empty() && tx.list_tunnels().await.unwrap().is_empty());
    assert!(tx.list_presets().await.unwrap().is_empty() && tx.list_api_keys().await.unwrap().is_empty());
    drop(tx);
    let (found, member) = test.store.find_browser_session(&[1; 32], NOW).await.unwrap().unwrap();
    assert_eq!((found.tenant, member.tenant), (ada.tenant, ada.tenant));
    let mut tx = test.store.system().await.unwrap();
    assert!(tx.handle_is_taken(&acme.handle).await.unwrap());
    assert!(tx.add_organisation(&team("acme"), ada.id).await.is_err());
});

store_test!(a_member_is_found_where_they_belong_and_whoever_manages_longest_first, |test| async move {
    let (ada, bob) = (test.add_user("ada").await, test.add_user("bob").await);
    let acme = team("acme");
    let mut tx = test.store.system().await.unwrap();
    tx.add_organisation(&acme, ada.id).await.unwrap();
    let later = NOW.plus(std::time::Duration::from_secs(1));
    tx.put_member(acme.id, bob.id, OrgRole::Admin, later).await.unwrap();

    let there = tx.find_caller(bob.id, acme.id, Via::Shell).await.unwrap().unwrap();
    assert_eq!((there.tenant, there.org_role), (acme.id, OrgRole::Admin));
    let at_home = tx.find_caller(bob.id, ada.tenant, Via::Shell).await.unwrap().unwrap();
    assert_eq!((at_home.tenant, at_home.is_at_home()), (bob.tenant, true));
    assert_eq!(tx.find_org_admin(acme.id).await.unwrap(), Some(ada.id));
    assert!(tx.update_user(&User { enabled: false, ..ada.clone() }).await.unwrap());
    assert_eq!(tx.find_org_admin(acme.id).await.unwrap(), Some(bob.id));

    assert_eq!(tx.remove_member(acme.id, bob.id).await.unwrap(), Some(Vec::new()));
    assert_eq!(tx.remove_member(acme.id, bob.id).await.unwrap(), None);
    let left: Vec<Membership> = tx.memberships(bob.id).await.unwrap();
    assert_eq!(left.len(), 1);
    assert!(tx.find_member(bob.id, acme.id, Via::Shell).await.unwrap().is_none());
});

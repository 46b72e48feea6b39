//! The story of a client: introduced, let in, exchanging tokens, taken back.

use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::{
    model::{Grant, GrantId, GrantedTool, Scopes, UserId, Via},
    store::{ClientRow, NewToken, TokenKind, testing::store_test},
};

store_test!(a_client_is_let_in_and_taken_back, |test| async move {
    let ada = test.add_user("ada").await;
    let preset = preset(ada.tenant, "notes");
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    tx.add_preset(&preset).await.unwrap();
    tx.commit().await.unwrap();
    let grant = grant(&ada, &preset);
    let family = Uuid::now_v7();

    let mut tx = test.store.system().await.unwrap();
    tx.put_client(&client("one", NOW)).await.unwrap();
    assert_eq!(tx.find_client("one").await.unwrap(), Some(client("one", NOW)));
    assert_eq!(tx.count_unused_clients().await.unwrap(), 1);
    let id = tx.put_grant(&grant).await.unwrap();
    tx.use_client("one", NOW).await.unwrap();
    assert_eq!(tx.count_unused_clients().await.unwrap(), 0);
    for (n, kind) in [(1, TokenKind::Code), (2, TokenKind::Access), (3, TokenKind::Refresh)] {
        tx.add_token(&token(n, id, family, kind)).await.unwrap();
    }
    tx.commit().await.unwrap();

    // What is agreed to again keeps its id and its age.
    let again = Grant {
        id: GrantId::new(),
        scopes: Scopes::ALL,
        tools: None,
        created_at: Ms(NOW.0 + 5),
        ..grant.clone()
    };
    let mut tx = test.store.system().await.unwrap();
    assert_eq!(tx.put_grant(&again).await.unwrap(), id);
    let found = tx.find_grant(ada.id, ada.tenant, "one", preset.id).await.unwrap().unwrap();
    assert_eq!(found, Grant { scopes: Scopes::ALL, tools: None, ..grant.clone() });
    tx.touch_grants(&[(id, Ms(NOW.0 + 9))]).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = test.store.system().await.unwrap();
    let row = tx.find_token(&[2; 32]).await.unwrap().unwrap();
    assert_eq!((row.kind, row.family, row.used_at), (TokenKind::Access, family, None));
    assert_eq!((row.member.user, row.client_name.as_str(), row.user_enabled), (ada.id, "A client", true));
    assert_eq!(row.member.via, Via::Grant { id, preset: preset.id, scopes: Scopes::ALL, tools: None });
    assert_eq!(row.grant.last_used_at, Some(Ms(NOW.0 + 9)));
    let fewer = NewToken { bound: "mcp:prompts".into(), ..token(4, id, family, TokenKind::Access) };
    tx.add_token(&fewer).await.unwrap();
    let Via::Grant { scopes, .. } = tx.find_token(&[4; 32]).await.unwrap().unwrap().member.via else {
        panic!()
    };
    assert_eq!(scopes, Scopes::read("mcp:prompts"));
    assert!(tx.remove_token(&[4; 32]).await.unwrap());
    // Used once, and ending no later than said.
    assert!(tx.use_token(&[3; 32], Ms(NOW.0 + 1), Ms(NOW.0 + 50)).await.unwrap());
    assert!(!tx.use_token(&[3; 32], Ms(NOW.0 + 2), Ms(NOW.0 + 60)).await.unwrap());
    let used = tx.find_token(&[3; 32]).await.unwrap().unwrap();
    assert_eq!((used.used_at, used.expires_at), (Some(Ms(NOW.0 + 1)), Ms(NOW.0 + 50)));
    tx.commit().await.unwrap();

    let mut tx = test.store.system().await.unwrap();
    for n in 10..14 {
        let newer =
            NewToken { created_at: Ms(NOW.0 + i64::from(n)), ..token(n, id, family, TokenKind::Access) };
        tx.add_token(&newer).await.unwrap();
    }
    assert_eq!(tx.trim_access_tokens(family, 2).await.unwrap(), 3);
    assert!(tx.has_token(&[13; 32]).await.unwrap() && !tx.has_token(&[2; 32]).await.unwrap());
    assert_eq!(tx.remove_ended_tokens(Ms(NOW.0 + 50), 10).await.unwrap(), 1);
    assert!(tx.remove_token(&[1; 32]).await.unwrap());
    let named = tx.list_grants(ada.id).await.unwrap();
    assert_eq!((named.len(), named[0].owner.as_str(), named[0].slug.as_str()), (1, "ada", "notes"));
    assert_eq!(tx.list_grants_of_client("one").await.unwrap(), [id]);
    assert!(!tx.remove_grant(UserId::new(), id).await.unwrap());
    assert!(tx.remove_grant(ada.id, id).await.unwrap());
    assert!(!tx.has_token(&[13; 32]).await.unwrap(), "its tokens go with it");
    tx.commit().await.unwrap();
});

store_test!(an_assertion_is_used_once_until_it_has_ended, |test| async move {
    let mut tx = test.store.system().await.unwrap();
    assert!(tx.use_assertion(&[1; 32], Ms(NOW.0 + 10)).await.unwrap());
    assert!(!tx.use_assertion(&[1; 32], Ms(NOW.0 + 90)).await.unwrap());
    assert!(tx.use_assertion(&[2; 32], Ms(NOW.0 + 20)).await.unwrap());
    tx.commit().await.unwrap();

    let mut tx = test.store.system().await.unwrap();
    assert_eq!(tx.remove_ended_assertions(Ms(NOW.0 + 10), 10).await.unwrap(), 1);
    assert!(!tx.use_assertion(&[2; 32], Ms(NOW.0 + 20)).await.unwrap());
    assert!(
        tx.use_assertion(&[1; 32], Ms(NOW.0 + 10)).await.unwrap(),
        "it has ended, and nothing takes it any more"
    );
    tx.commit().await.unwrap();
});

store_test!(clients_that_may_do_nothing_are_removed_when_their_time_is_over, |test| async move {
    let ada = test.add_user("ada").await;
    let preset = preset(ada.tenant, "notes");
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    tx.add_preset(&preset).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = test.store.system().await.unwrap();
    for (id, made) in [("old", 0), ("new", 100), ("used", 0), ("idle", 0)] {
        tx.put_client(&client(id, Ms(made))).await.unwrap();
    }
    tx.use_client("used", Ms(1)).await.unwrap();
    tx.use_client("idle", Ms(1)).await.unwrap();
    let in_use = Grant { client: "used".into(), ..grant(&ada, &preset) };
    let family = Uuid::now_v7();
    tx.put_grant(&in_use).await.unwrap();
    tx.add_token(&token(1, in_use.id, family, TokenKind::Refresh)).await.unwrap();

    assert_eq!(tx.remove_idle_clients(Ms(50), Ms(50), 10).await.unwrap(), 2);

    assert!(
        tx.find_client("old").await.unwrap().is_none() && tx.find_client("idle").await.unwrap().is_none()
    );
    assert!(
        tx.find_client("new").await.unwrap().is_some() && tx.find_client("used").await.unwrap().is_some()
    );
    assert!(tx.remove_client("used").await.unwrap());
    assert!(tx.list_grants(ada.id).await.unwrap().is_empty());
    assert_eq!(tx.remove_family(family).await.unwrap(), 0, "its tokens went with it");
    tx.commit().await.unwrap();
});

fn client(id: &str, created_at: Ms) -> ClientRow {
    ClientRow {
        id: id.into(),
        name: "A client".into(),
        metadata: "{}".into(),
        secret_hash: Some([7; 32]),
        registration_hash: None,
        created_at,
        used_at: None,
    }
}

fn grant(user: &User, preset: &Preset) -> Grant {
    Grant {
        id: GrantId::new(),
        tenant: user.tenant,
        user: user.id,
        client: "one".into(),
        preset: preset.id,
        preset_tenant: preset.tenant,
        scopes: Scopes { tools: true, ..Scopes::NONE },
        tools: Some(Arc::from([GrantedTool { source: SourceId::new(), name: "read".into() }])),
        created_at: NOW,
        last_used_at: None,
    }
}

fn token(n: u8, grant: GrantId, family: Uuid, kind: TokenKind) -> NewToken {
    NewToken {
        hash: [n; 32],
        grant,
        family,
        kind,
        bound: String::new(),
        created_at: NOW,
        expires_at: Ms(NOW.0 + 1000),
    }
}

//! What will stop working is listed until it was told, and told by one process.

use std::time::Duration;

use super::*;
use crate::{
    model::{ConnectionState, Warning, WarningChannel, WarningKind},
    store::{NewConnectionToken, testing::store_test},
};

const DAY: Duration = Duration::from_secs(86_400);

fn token(expires_at: Ms, renews: bool) -> NewConnectionToken<'static> {
    NewConnectionToken {
        issuer: "https://i.example",
        scope: "",
        expires_at: Some(expires_at),
        renews,
        at: NOW,
        sealed: r#"{"kid":"k"}"#,
    }
}

store_test!(what_stops_working_is_told_once_by_each_channel, |test| async move {
    let (ada, bob) = (test.add_user("ada").await, test.add_user("bob").await);
    let files = source(ada.tenant, "files");
    let ended = Preset { expires_at: Some(NOW), ..preset(ada.tenant, "ended") };
    let ends = Preset { expires_at: Some(NOW.plus(2 * DAY)), ..preset(ada.tenant, "ends") };
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    tx.add_source(&files, None).await.unwrap();
    for preset in [&ended, &ends] {
        tx.add_preset(preset).await.unwrap();
    }
    let own = tx.want_connection(files.id, None, NOW).await.unwrap().connection;
    let bobs = tx.want_connection(files.id, Some(bob.id), NOW).await.unwrap().connection;
    assert!(tx.set_connection_token(own.id, None, token(NOW.plus(DAY), false)).await.unwrap());
    assert!(tx.set_connection_token(bobs.id, None, token(NOW.plus(DAY / 1440), true)).await.unwrap());
    tx.commit().await.unwrap();
    let (mail, webhook) = (WarningChannel::Mail, WarningChannel::Webhook);
    let list = async |channel, now: Ms| {
        let mut tx = test.store.system_read().await.unwrap();
        tx.list_warnings(channel, now, 10).await.unwrap()
    };
    let kinds = |listed: &[Warning]| listed.iter().map(|one| one.kind).collect::<Vec<_>>();

    let listed = list(mail, NOW).await;
    assert_eq!(kinds(&listed), [WarningKind::ConnectionEnds, WarningKind::PresetEnds]);
    assert_eq!((listed[0].name.as_str(), listed[0].owner.as_str(), listed[0].user), ("files", "ada", None));
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    assert!(tx.set_connection_state(bobs.id, 1, ConnectionState::Active, "it is down").await.unwrap());
    tx.commit().await.unwrap();
    let listed = list(mail, NOW).await;
    let failing = &listed[0];
    assert_eq!((failing.kind, failing.user), (WarningKind::ConnectionFailing, Some(bob.id)));
    assert_eq!((failing.detail.as_str(), listed.len()), ("it is down", 3));

    let mut tx = test.store.system().await.unwrap();
    assert!(tx.claim_warning(mail, failing, NOW, NOW.plus(DAY)).await.unwrap());
    assert!(!tx.claim_warning(mail, failing, NOW, NOW.plus(DAY)).await.unwrap(), "one process tells it");
    assert!(tx.claim_warning(webhook, failing, NOW, NOW.plus(DAY)).await.unwrap());
    assert!(tx.claim_warning(mail, &listed[1], NOW, NOW.plus(DAY)).await.unwrap());
    tx.warning_told(mail, &listed[1], NOW).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(kinds(&list(mail, NOW).await), [WarningKind::PresetEnds]);
    // Who was to tell it and did not, is followed by somebody else.
    assert_eq!(kinds(&list(mail, NOW.plus(DAY)).await)[0], WarningKind::ConnectionFailing);
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    assert!(tx.set_connection_state(own.id, 1, ConnectionState::Broken, "refused").await.unwrap());
    tx.commit().await.unwrap();
    assert!(kinds(&list(mail, NOW).await).contains(&WarningKind::ConnectionBroken), "worse is told again");

    let mut tx = test.store.system().await.unwrap();
    assert_eq!(tx.list_recipients(ada.tenant, None).await.unwrap()[0].0, ada.id);
    let of_bob = tx.list_recipients(ada.tenant, Some(bob.id)).await.unwrap();
    assert_eq!((of_bob.len(), of_bob[0].0), (1, bob.id));
    assert!(tx.update_user(&User { enabled: false, ..bob.clone() }).await.unwrap());
    assert!(tx.list_recipients(ada.tenant, Some(bob.id)).await.unwrap().is_empty());
    assert_eq!(tx.forget_warnings(NOW.plus(DAY)).await.unwrap(), 0);
    assert_eq!(tx.forget_warnings(NOW.plus(2 * DAY)).await.unwrap(), 3);
});

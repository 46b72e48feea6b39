//! What will stop working is listed until it was told, and told by one process.

use std::time::Duration;

use super::*;
use crate::{
    clock::Month,
    model::{
        ConnectionState, Handle, Organisation, Plan, PlanName, TenantId, Warning, WarningChannel, WarningKind,
    },
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

store_test!(a_month_nearly_and_all_used_is_told_once_each_to_whose_it_is, |test| async move {
    let (ada, bob) = (test.add_user("ada").await, test.add_user("bob").await);
    let plan = |name: &str, calls, analyses| Plan {
        name: PlanName::parse(name).unwrap(),
        calls_per_month: calls,
        analyses_per_month: analyses,
        concurrent_analyses: None,
        sources_max: None,
        presets_max: None,
        stored_analyses_max: None,
        retention_days: None,
        rate: None,
    };
    let team = Organisation {
        id: TenantId::new(),
        handle: Handle::parse("acme").unwrap(),
        title: String::new(),
        personal_of: None,
        made_by: None,
        plan: PlanName::parse("shared").ok(),
        enabled: true,
        created_at: NOW,
    };
    let mut tx = test.store.system().await.unwrap();
    tx.save_plan(&plan("own", Some(100), Some(0))).await.unwrap();
    tx.save_plan(&plan("shared", Some(i64::MAX), Some(3))).await.unwrap();
    for user in [&ada, &bob] {
        let user = User { plan: PlanName::parse("own").unwrap(), ..user.clone() };
        assert!(tx.update_user(&user).await.unwrap());
    }
    tx.add_organisation(&team, bob.id).await.unwrap();
    tx.commit().await.unwrap();
    let (month, mail) = (NOW.month(), WarningChannel::Mail);
    let due = async |now: Ms| {
        let mut tx = test.store.system().await.unwrap();
        let due = tx.list_warnings(mail, now, 10).await.unwrap();
        for warning in &due {
            assert!(tx.claim_warning(mail, warning, now, now.plus(DAY)).await.unwrap());
            tx.warning_told(mail, warning, now).await.unwrap();
        }
        tx.commit().await.unwrap();
        due
    };
    let used = async |n| test.store.take_calls(ada.id, month, n, None, NOW).await.unwrap();

    used(79).await;
    // What was used of another month is not warned of.
    test.store.take_calls(bob.id, Month(202_610), 100, None, NOW).await.unwrap();
    assert_eq!(due(NOW).await, []);
    used(1).await;
    let near = due(NOW).await;
    assert_eq!(due(NOW).await, [], "each is told once");
    used(25).await;
    let all = due(NOW).await;
    let [near, all] = [near.as_slice(), all.as_slice()].map(|due| match due {
        [one] => one.clone(),
        others => panic!("{others:?}"),
    });

    assert_eq!((near.kind, all.kind), (WarningKind::CallsNearlyUsed, WarningKind::CallsUsed));
    assert_eq!((near.user, near.tenant, near.name.as_str()), (Some(ada.id), ada.tenant, "ada"));
    assert_eq!((near.detail.as_str(), near.ends_at), ("80 of 100", Some(month.end())));
    assert_eq!(all.detail, "105 of 100");
    assert_eq!(due(NOW).await, []);

    let mut tx = test.store.system().await.unwrap();
    for _ in 0..3 {
        tx.charge_analysis(team.id, month, NOW).await.unwrap();
    }
    tx.commit().await.unwrap();
    let of_team = due(NOW).await;
    let [of_team] = of_team.as_slice() else { panic!("{of_team:?}") };
    assert_eq!((of_team.kind, of_team.user, of_team.tenant), (WarningKind::AnalysesUsed, None, team.id));
    let told = test.store.system_read().await.unwrap().list_recipients(team.id, of_team.user).await.unwrap();
    assert_eq!(told, [(bob.id, bob.email.clone())], "those who manage the organisation");

    // The next month begins with nothing used and nothing told.
    let next = month.end();
    assert_eq!(due(next).await, []);
    test.store.take_calls(ada.id, next.month(), 99, None, next).await.unwrap();
    assert_eq!(due(next).await.len(), 1);
});

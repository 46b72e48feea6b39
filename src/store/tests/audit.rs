//! Run events are found, chained and kept as they were recorded.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::*;
use crate::{
    chain::{Flaw, Form, Link, Tally},
    model::Outcome,
    store::{
        ChainReport, ChainSpan, EventFilter, Inner, on,
        testing::{TestStore, store_test},
    },
};

async fn record(test: &TestStore, events: &[RunEvent]) {
    let mut tx = test.store.system().await.unwrap();
    tx.append_events(events).await.unwrap();
    tx.commit().await.unwrap();
}

async fn found(test: &TestStore, tenant: TenantId, filter: EventFilter) -> Vec<String> {
    let events = test.store.read(tenant).await.unwrap().list_events(&filter).await.unwrap();
    events.into_iter().map(|event| event.subject).collect()
}

async fn verify(test: &TestStore, tenant: TenantId) -> ChainReport {
    test.store.system_snapshot().await.unwrap().verify_chain(tenant, &[]).await.unwrap()
}

/// What a whole chain of so many events is found to be.
fn whole(events: i64) -> ChainReport {
    ChainReport { tally: Tally { events, ..Tally::default() }, ..ChainReport::default() }
}

store_test!(events_come_back_as_they_were_and_page_by_page, |test| async move {
    let ada = test.add_user("ada").await;
    let events: Vec<_> = (0..5).map(|n| event(&ada, Ms(NOW.0 + n / 2), &format!("tool-{n}"))).collect();
    record(test, &events).await;

    let mut tx = test.store.read(ada.tenant).await.unwrap();
    assert_eq!(tx.find_event(events[2].id).await.unwrap().as_ref(), Some(&events[2]));
    let mut subjects = Vec::new();
    let mut filter = EventFilter { limit: 2, ..EventFilter::default() };
    loop {
        let page = tx.list_events(&filter).await.unwrap();
        let Some(last) = page.last() else { break };
        filter.before = Some(last.id);
        subjects.extend(page.into_iter().map(|event| event.subject));
    }
    assert_eq!(subjects, ["tool-4", "tool-3", "tool-2", "tool-1", "tool-0"]);
});

store_test!(every_filter_narrows, |test| async move {
    let ada = test.add_user("ada").await;
    let mut odd = event(&ada, Ms(NOW.0 + 9), "odd");
    odd.outcome = Outcome::Upstream;
    odd.reason = "100%_Broken! É\0".into();
    odd.principal = "anonymous".into();
    odd.user = None;
    odd.preset = Some(PresetId::new());
    odd.action = Action::SourceChange;
    record(test, &[event(&ada, NOW, "plain"), odd.clone()]).await;

    let narrow: Vec<EventFilter> = vec![
        EventFilter { from: Some(odd.at), ..EventFilter::default() },
        EventFilter { principal: Some("anonymous".into()), ..EventFilter::default() },
        EventFilter { preset: odd.preset, ..EventFilter::default() },
        EventFilter { tool: Some("odd".into()), ..EventFilter::default() },
        EventFilter { outcome: Some(Outcome::Upstream), ..EventFilter::default() },
        EventFilter { action: Some(Action::SourceChange), ..EventFilter::default() },
        EventFilter { text: Some("0%_broken!".into()), ..EventFilter::default() },
    ];
    for filter in narrow {
        assert_eq!(found(test, ada.tenant, filter.clone()).await, ["odd"], "{filter:?}");
    }
    let accented = EventFilter { text: Some("É".into()), ..EventFilter::default() };
    assert_eq!(found(test, ada.tenant, accented).await, ["odd"]);
    let early = EventFilter { to: Some(odd.at), user: Some(ada.id), ..EventFilter::default() };
    assert_eq!(found(test, ada.tenant, early).await, ["plain"]);
    let wild = EventFilter { text: Some("%lain".into()), ..EventFilter::default() };
    assert!(found(test, ada.tenant, wild).await.is_empty());
});

store_test!(a_batch_tried_again_is_recorded_once, |test| async move {
    let (ada, bob) = (test.add_user("ada").await, test.add_user("bob").await);
    let events = [event(&ada, NOW, "one"), event(&bob, NOW, "his"), event(&ada, NOW, "two")];
    record(test, &events[..2]).await;
    let mut tx = test.store.system().await.unwrap();
    let mut spans = tx.append_events(&events).await.unwrap();
    tx.commit().await.unwrap();

    spans.sort_by_key(|span| (span.tenant != ada.tenant, span.first));
    let span = |user: &User, seq| ChainSpan { tenant: user.tenant, first: seq, last: seq };
    assert_eq!(spans, [span(&ada, 1), span(&ada, 2), span(&bob, 1)]);
    assert_eq!(verify(test, ada.tenant).await, whole(2));
    assert_eq!(verify(test, bob.tenant).await, whole(1));
    assert_eq!(found(test, ada.tenant, EventFilter::default()).await, ["two", "one"]);
});

store_test!(writers_at_once_make_one_chain, |test| async move {
    let ada = test.add_user("ada").await;
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let (store, ada) = (test.store.clone(), ada.clone());
            tokio::spawn(async move {
                let mut tx = store.system().await.unwrap();
                let events: Vec<_> = (0..5).map(|_| event(&ada, Ms(NOW.0 + n), "call")).collect();
                tx.append_events(&events).await.unwrap();
                tx.commit().await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }

    assert_eq!(verify(test, ada.tenant).await, whole(40));
});

store_test!(retention_cuts_the_chain_at_its_old_end_only, |test| async move {
    let ada = test.add_user("ada").await;
    let events: Vec<_> = (0..6).map(|n| event(&ada, Ms(n), &format!("{n}"))).collect();
    record(test, &events).await;

    let mut tx = test.store.system().await.unwrap();
    assert_eq!(tx.prune_events(ada.tenant, Ms(4), 2, 3).await.unwrap(), 2, "the others are not exported");
    assert_eq!(tx.prune_events(ada.tenant, Ms(4), i64::MAX, 1).await.unwrap(), 1);
    assert_eq!(tx.prune_events(ada.tenant, Ms(4), i64::MAX, 3).await.unwrap(), 1);
    assert_eq!(tx.prune_events(ada.tenant, Ms(4), i64::MAX, 3).await.unwrap(), 0);
    assert_eq!(tx.verify_chain(ada.tenant, &[]).await.unwrap(), whole(2));
    tx.append_events(&[event(&ada, Ms(9), "9")]).await.unwrap();
    assert_eq!(tx.verify_chain(ada.tenant, &[]).await.unwrap(), whole(3));
});

store_test!(what_was_recorded_cannot_be_rewritten_by_the_program, |test| async move {
    let ada = test.add_user("ada").await;
    record(test, &[event(&ada, NOW, "one"), event(&ada, NOW, "two")]).await;

    for statement in [
        "update audit_events set subject = 'nothing' where seq = 1",
        "delete from audit_events where seq = 2",
    ] {
        // As an organisation, and on SQLite that is everybody.
        let mut tx = test.store.tenant(ada.tenant).await.unwrap();
        assert!(run(&mut tx.inner, statement).await.is_err(), "{statement}");
    }
    let mut tx = test.store.system().await.unwrap();
    assert!(run(&mut tx.inner, "update audit_events set subject = 'nothing'").await.is_err());
    drop(tx);
    assert_eq!(verify(test, ada.tenant).await, whole(2));
});

async fn run(inner: &mut Inner, statement: &'static str) -> Result<(), sqlx::Error> {
    match inner {
        Inner::Sqlite(transaction) => sqlx::query(statement).execute(&mut **transaction).await.map(drop),
        Inner::Postgres(transaction) => sqlx::query(statement).execute(&mut **transaction).await.map(drop),
    }
}

store_test!(a_chain_tampered_with_says_where, |test| async move {
    let ada = test.add_user("ada").await;
    let events: Vec<_> = (0..4).map(|n| event(&ada, NOW, &format!("{n}"))).collect();

    for (tampering, flaw) in [
        ("update audit_events set subject = 'nothing' where seq = 2", Flaw::Altered { seq: 2 }),
        ("update audit_events set action = 'splendid' where seq = 2", Flaw::Altered { seq: 2 }),
        ("update audit_events set what_salt = null where seq = 2", Flaw::Altered { seq: 2 }),
        ("delete from audit_events where seq = 3", Flaw::Missing { first: 3, last: 3 }),
        ("delete from audit_events where seq = 4", Flaw::Missing { first: 4, last: 4 }),
        ("update audit_heads set hash = pruned_hash", Flaw::End { seq: 4 }),
    ] {
        record(test, &events).await;
        // Somebody with the owner's rights, or the file.
        match test.postgres_urls() {
            None => {
                let mut tx = test.store.system().await.unwrap();
                for statement in
                    ["drop trigger audit_events_stay", "drop trigger audit_events_last", tampering]
                {
                    run(&mut tx.inner, statement).await.unwrap();
                }
                assert_eq!(tx.verify_chain(ada.tenant, &[]).await.unwrap().flaw, Some(flaw), "{tampering}");
            }
            Some((_, owner)) => {
                let mut owner = PgConnection::connect(owner.expose()).await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(format!("begin; {tampering}; commit")))
                    .execute(&mut owner)
                    .await
                    .unwrap();
                assert_eq!(verify(test, ada.tenant).await.flaw, Some(flaw), "{tampering}");
                sqlx::raw_sql("delete from audit_events; delete from audit_heads")
                    .execute(&mut owner)
                    .await
                    .unwrap();
            }
        }
    }
});

store_test!(a_part_that_is_erased_is_gone_and_the_chain_is_whole, |test| async move {
    let ada = test.add_user("ada").await;
    record(test, &[event(&ada, NOW, "one"), event(&ada, NOW, "two"), event(&ada, NOW, "three")]).await;

    for (who, what) in [(true, false), (false, true), (true, true)] {
        let mut tx = test.store.system().await.unwrap();
        let mut link = tx.list_links_naming(&ada, (ada.tenant, 1), 1).await.unwrap().remove(0);
        link.erase(who, what);
        tx.erase_parts(&link, who, what).await.unwrap();
        tx.commit().await.unwrap();
    }

    let mut tx = test.store.read(ada.tenant).await.unwrap();
    let links: Vec<Link> = tx.list_links(0, 9, 9).await.unwrap();
    drop(tx);
    assert_eq!(links.iter().map(Link::is_erased).collect::<Vec<_>>(), [false, true, true]);
    assert!(!links[1].event.names_somebody() && links[1].event.subject == "two");
    assert!(!links[2].event.says_something());
    let report = verify(test, ada.tenant).await;
    assert_eq!(report.tally, Tally { events: 3, erased: 2, blank: 0 });
    assert_eq!(report.flaw, None);
});

store_test!(an_event_of_before_verifies_and_its_parts_are_erased_too, |test| async move {
    let ada = test.add_user("ada").await;
    record(test, &[event(&ada, NOW, "one")]).await;
    // As the version before wrote it.
    let mut link = test.store.read(ada.tenant).await.unwrap().list_links(0, 1, 1).await.unwrap().remove(0);
    link.form = Form::Whole;
    let hash = hex::encode(link.expected().unwrap());
    let literal = |sqlite: &str, postgres: &str| match test.postgres_urls() {
        None => format!("{sqlite}'{hash}'"),
        Some(_) => format!("'{postgres}{hash}'"),
    };
    let hash = literal("x", r"\x");
    let as_before = [
        format!("update audit_events set form = 1, who_salt = null, what_salt = null, hash = {hash}"),
        format!("update audit_heads set hash = {hash}"),
    ];
    by_hand(test, &as_before).await;
    assert_eq!(verify(test, ada.tenant).await, whole(1));

    let mut tx = test.store.system().await.unwrap();
    link.erase(true, true);
    tx.erase_parts(&link, true, true).await.unwrap();
    tx.commit().await.unwrap();

    let report = verify(test, ada.tenant).await;
    assert_eq!(report.tally, Tally { events: 1, erased: 1, blank: 1 });
    assert_eq!(report.flaw, None);
});

/// Changes the database as somebody with the owner's rights, or the file, would.
async fn by_hand(test: &TestStore, statements: &[String]) {
    match test.postgres_urls() {
        None => {
            let mut tx = test.store.system().await.unwrap();
            let Inner::Sqlite(transaction) = &mut tx.inner else { panic!("not SQLite") };
            for statement in ["drop trigger audit_events_stay", "drop trigger audit_events_last"] {
                sqlx::query(statement).execute(&mut **transaction).await.unwrap();
            }
            for statement in statements {
                sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut **transaction).await.unwrap();
            }
            tx.commit().await.unwrap();
        }
        Some((_, owner)) => {
            let mut owner = PgConnection::connect(owner.expose()).await.unwrap();
            for statement in statements {
                sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut owner).await.unwrap();
            }
        }
    }
}

store_test!(events_are_found_among_many_kinds_near_and_far, |test| async move {
    let ada = test.add_user("ada").await;
    let mut events: Vec<_> = (0..700).map(|n| event(&ada, Ms(n), &format!("tool-{n}"))).collect();
    events[5].reason = "odd".into();
    events[690].reason = "odd".into();
    record(test, &events).await;

    let asked = |text: &str| EventFilter { text: Some(text.into()), limit: 3, ..EventFilter::default() };
    assert_eq!(found(test, ada.tenant, asked("TOOL-69")).await, ["tool-699", "tool-698", "tool-697"]);
    assert_eq!(found(test, ada.tenant, asked("tool")).await, ["tool-699", "tool-698", "tool-697"]);
    assert_eq!(found(test, ada.tenant, asked("odd")).await, ["tool-690", "tool-5"]);
    let early = EventFilter { to: Some(Ms(3)), ..asked("tool") };
    assert_eq!(found(test, ada.tenant, early).await, ["tool-2", "tool-1", "tool-0"]);
});

store_test!(
    what_was_recorded_before_there_were_kinds_is_found_before_and_after_it_is_sorted,
    |test| async move {
        let ada = test.add_user("ada").await;
        record(test, &[event(&ada, NOW, "old"), event(&ada, NOW, "new")]).await;
        let as_before = [
            "update audit_events set kind = null where seq = 1",
            "delete from audit_kinds where subject = 'old'",
        ];
        by_hand(test, &as_before.map(str::to_owned)).await;
        let asked = EventFilter { text: Some("OL".into()), ..EventFilter::default() };

        assert_eq!(found(test, ada.tenant, asked.clone()).await, ["old"]);
        let mut tx = test.store.system().await.unwrap();
        assert_eq!(tx.sort_events(9).await.unwrap(), 1);
        assert_eq!(tx.sort_events(9).await.unwrap(), 0);
        tx.commit().await.unwrap();
        assert_eq!(found(test, ada.tenant, asked).await, ["old"]);
        assert_eq!(verify(test, ada.tenant).await, whole(2));
    }
);

store_test!(what_is_erased_or_forgotten_is_found_by_nothing, |test| async move {
    let ada = test.add_user("ada").await;
    record(test, &[event(&ada, Ms(1), "one"), event(&ada, NOW, "two")]).await;
    let kinds = async || {
        let count = "select count(*) from audit_kinds";
        let mut tx = test.store.system_read().await.unwrap();
        on!(tx, |c| sqlx::query_scalar::<_, i64>(count).fetch_one(c).await).unwrap()
    };
    assert_eq!(kinds().await, 2);

    let mut tx = test.store.system().await.unwrap();
    let mut link = tx.list_links_naming(&ada, (ada.tenant, 1), 1).await.unwrap().remove(0);
    link.erase(true, true);
    tx.erase_parts(&link, true, true).await.unwrap();
    assert_eq!(tx.prune_events(ada.tenant, Ms(2), i64::MAX, 9).await.unwrap(), 1);
    tx.commit().await.unwrap();

    assert_eq!(kinds().await, 1, "that of the event of which nothing is left to say");
    for text in ["one", "two", "ada"] {
        let asked = EventFilter { text: Some(text.into()), ..EventFilter::default() };
        assert!(found(test, ada.tenant, asked).await.is_empty(), "{text}");
    }
});

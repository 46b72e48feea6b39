//! Run events are found, chained and kept as they were recorded.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::*;
use crate::{
    chain::{FIRST_PREV, Flaw, Form, Link, Part, Tally},
    model::{ApiKeyId, EventId, Outcome, SourceId, TraceContext},
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
    let mut spans = tx.append_events_again(&events).await.unwrap();
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
    for n in 0..6 {
        record(test, &[event(&ada, Ms(n), &format!("{n}"))]).await;
    }

    let mut tx = test.store.system().await.unwrap();
    assert_eq!(tx.prune_events(ada.tenant, Ms(4), 2, 3).await.unwrap(), 2, "the others are not exported");
    assert_eq!(tx.prune_events(ada.tenant, Ms(4), i64::MAX, 1).await.unwrap(), 1);
    assert_eq!(tx.prune_events(ada.tenant, Ms(4), i64::MAX, 3).await.unwrap(), 1);
    assert_eq!(tx.prune_events(ada.tenant, Ms(4), i64::MAX, 3).await.unwrap(), 0);
    assert_eq!(tx.verify_chain(ada.tenant, &[]).await.unwrap(), whole(2));
    tx.append_events(&[event(&ada, Ms(9), "9")]).await.unwrap();
    assert_eq!(tx.verify_chain(ada.tenant, &[]).await.unwrap(), whole(3));
});

store_test!(a_block_is_kept_until_all_its_events_are_old_and_exported, |test| async move {
    let ada = test.add_user("ada").await;
    let events: Vec<_> = (0..4).map(|n| event(&ada, Ms(n), &format!("{n}"))).collect();
    record(test, &events).await;

    let mut tx = test.store.system().await.unwrap();
    assert_eq!(tx.prune_events(ada.tenant, Ms(3), i64::MAX, 9).await.unwrap(), 0);
    assert_eq!(tx.prune_events(ada.tenant, Ms(4), 3, 9).await.unwrap(), 0);
    assert_eq!(tx.prune_events(ada.tenant, Ms(4), 4, 1).await.unwrap(), 4);
    assert_eq!(tx.verify_chain(ada.tenant, &[]).await.unwrap(), whole(0));
});

store_test!(what_was_recorded_cannot_be_rewritten_by_the_program, |test| async move {
    let ada = test.add_user("ada").await;
    record(test, &[event(&ada, NOW, "one")]).await;
    record(test, &[event(&ada, NOW, "two")]).await;

    for statement in [
        "update audit_blocks set prev = body where last_seq = 1",
        "update audit_blocks set ids = body where last_seq = 1",
        "delete from audit_blocks where last_seq = 2",
    ] {
        // As an organisation, and on SQLite that is everybody.
        let mut tx = test.store.tenant(ada.tenant).await.unwrap();
        assert!(run(&mut tx.inner, statement).await.is_err(), "{statement}");
    }
    let mut tx = test.store.system().await.unwrap();
    assert!(run(&mut tx.inner, "update audit_blocks set from_at = 0").await.is_err());
    drop(tx);
    if test.postgres_urls().is_some() {
        // The function alone rewrites a body.
        let mut tx = test.store.system().await.unwrap();
        assert!(run(&mut tx.inner, "update audit_blocks set body = body").await.is_err());
    }
    assert_eq!(verify(test, ada.tenant).await, whole(2));
});

async fn run(inner: &mut Inner, statement: &'static str) -> Result<(), sqlx::Error> {
    match inner {
        Inner::Sqlite(transaction) => sqlx::query(statement).execute(&mut **transaction).await.map(drop),
        Inner::Postgres(transaction) => sqlx::query(statement).execute(&mut **transaction).await.map(drop),
    }
}

/// Returns a statement that puts one text in place of another of the same length in the block that ends with this event.
fn replacing(test: &TestStore, last: i64, text: &str, other: &str) -> String {
    assert_eq!(text.len(), other.len());
    let (text, other) = (hex::encode_upper(text), hex::encode_upper(other));
    let body = match test.postgres_urls() {
        None => format!("unhex(replace(hex(body), '{text}', '{other}'))"),
        Some(_) => format!("decode(replace(upper(encode(body, 'hex')), '{text}', '{other}'), 'hex')"),
    };
    format!("update audit_blocks set body = {body} where last_seq = {last}")
}

store_test!(a_chain_tampered_with_says_where, |test| async move {
    let cut = match test.postgres_urls() {
        None => "substr(body, 1, length(body) - 1)",
        Some(_) => "substring(body from 1 for length(body) - 1)",
    };
    for (number, (tampering, flaw)) in [
        (replacing(test, 4, "thing-3", "nothing"), Flaw::Altered { seq: 4 }),
        (replacing(test, 4, "tool_call", "tool_fall"), Flaw::Altered { seq: 2 }),
        (format!("update audit_blocks set body = {cut} where last_seq = 4"), Flaw::Altered { seq: 2 }),
        ("update audit_blocks set first_seq = 3 where last_seq = 4".to_owned(), Flaw::Altered { seq: 3 }),
        ("update audit_blocks set prev = ids where last_seq = 5".to_owned(), Flaw::Altered { seq: 5 }),
        ("delete from audit_blocks where last_seq = 4".to_owned(), Flaw::Missing { first: 2, last: 4 }),
        ("delete from audit_blocks where last_seq = 5".to_owned(), Flaw::Missing { first: 5, last: 5 }),
        ("update audit_heads set hash = pruned_hash".to_owned(), Flaw::End { seq: 5 }),
    ]
    .into_iter()
    .enumerate()
    {
        let ada = test.add_user(&format!("ada-{number}")).await;
        let events: Vec<_> = (0..5).map(|n| event(&ada, NOW, &format!("thing-{n}"))).collect();
        for batch in [&events[..1], &events[1..4], &events[4..]] {
            record(test, batch).await;
        }
        assert_eq!(verify(test, ada.tenant).await, whole(5));

        by_hand(test, std::slice::from_ref(&tampering)).await;

        assert_eq!(verify(test, ada.tenant).await.flaw, Some(flaw), "{tampering}");
        // The next one has a log to itself.
        by_hand(test, &["audit_blocks", "audit_heads"].map(|table| format!("delete from {table}"))).await;
    }
});

store_test!(a_part_that_is_erased_is_gone_and_the_chain_is_whole, |test| async move {
    let ada = test.add_user("ada").await;
    record(test, &[event(&ada, NOW, "one"), event(&ada, NOW, "two"), event(&ada, NOW, "three")]).await;

    for (seq, who, what) in [(2, true, false), (3, false, true), (3, true, true)] {
        let mut tx = test.store.system().await.unwrap();
        let block = tx.list_blocks_naming(&ada, (ada.tenant, 0), 1).await.unwrap().remove(0);
        let erased = tx.erase_in_block(block, |link| (who && link.seq == seq, what && link.seq == seq)).await;
        assert_eq!(erased.unwrap(), 1);
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

store_test!(events_that_were_kept_each_by_itself_are_moved_into_blocks, |test| async move {
    let (ada, bob) = (test.add_user("ada").await, test.add_user("bob").await);
    let trace = TraceContext { trace_id: [1; 16], span_id: [2; 8], flags: 1 };
    let mut links: Vec<Link> = Vec::new();
    for number in 0..6 {
        let prev = links.last().map_or(FIRST_PREV, |link| link.hash);
        let full = RunEvent {
            key: Some(ApiKeyId::new()),
            preset: Some(PresetId::new()),
            source: Some(SourceId::new()),
            argument_digest: "0f".repeat(32),
            trace: Some(trace),
            ..event(&ada, Ms(NOW.0 + number * 40_000), &format!("thing-{number}"))
        };
        let mut link = Link::new(number + 1, prev, full);
        if number < 2 {
            // As a version further back wrote it.
            link.form = Form::Whole;
            link.hash = link.expected().unwrap();
        }
        links.push(link);
    }
    links[1].erase(true, true);
    links[3].erase(true, false);
    links[4].erase(false, true);
    let his = Link::new(1, FIRST_PREV, event(&bob, NOW, "his"));
    for link in links.iter().chain([&his]) {
        add_row(test, link).await;
    }

    assert_eq!(test.store.pack_events().await.unwrap(), 7);
    assert_eq!(test.store.pack_events().await.unwrap(), 0);

    let kept = test.store.read(ada.tenant).await.unwrap().list_links(0, 9, 9).await.unwrap();
    assert_eq!(kept, links);
    let report = verify(test, ada.tenant).await;
    assert_eq!((report.flaw, report.tally), (None, Tally { events: 6, erased: 3, blank: 1 }));
    assert_eq!(verify(test, bob.tenant).await, whole(1));
    let asked = EventFilter { text: Some("THING-3".into()), ..EventFilter::default() };
    assert_eq!(found(test, ada.tenant, asked).await, ["thing-3"]);
    record(test, &[event(&ada, NOW, "new")]).await;
    assert_eq!(verify(test, ada.tenant).await.tally.events, 7);
});

store_test!(an_event_that_was_altered_before_it_could_be_moved_stays_and_is_missed, |test| async move {
    let ada = test.add_user("ada").await;
    let mut links: Vec<Link> = Vec::new();
    for number in 0..3 {
        let prev = links.last().map_or(FIRST_PREV, |link| link.hash);
        links.push(Link::new(number + 1, prev, event(&ada, NOW, "thing")));
    }
    links[0].event.subject = "nothing".into();
    for link in &links {
        add_row(test, link).await;
    }
    by_hand(test, &["update audit_events set action = 'splendid' where seq = 2".to_owned()]).await;

    assert_eq!(test.store.pack_events().await.unwrap(), 2);

    assert_eq!(verify(test, ada.tenant).await.flaw, Some(Flaw::Altered { seq: 1 }));
    let kept = test.store.read(ada.tenant).await.unwrap().list_links(0, 9, 9).await.unwrap();
    assert_eq!(kept.iter().map(|link| link.seq).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(kept[1].prev, links[1].hash, "what it said it follows is not lost");
});

/// Adds an event as the version before there were blocks wrote it.
async fn add_row(test: &TestStore, link: &Link) {
    let RunEvent { tenant, .. } = link.event;
    let (form, [who, what]) = match link.form {
        Form::Blank => (0, [None, None]),
        Form::Whole => (1, [None, None]),
        Form::Parted { who, what } => (2, [Some(who), Some(what)]),
    };
    let salt = |part: Option<Part>| match part {
        Some(Part::Kept(salt)) => Some(salt.to_vec()),
        _ => None,
    };
    let hash = |part: Option<Part>| match part {
        Some(Part::Erased(hash)) => Some(hash.to_vec()),
        _ => None,
    };
    let event = link.event.clone();
    let trace = event.trace.map(|trace| [&trace.trace_id[..], &trace.span_id, &[trace.flags]].concat());
    let head = "insert into audit_heads (tenant_id, seq, hash, pruned_seq, pruned_hash)
        values ($1, $2, $3, 0, $4) on conflict (tenant_id) do update set seq = $2, hash = $3";
    let row = "insert into audit_events (tenant_id, seq, id, at, action, outcome, reason, user_id, principal, key_id,
            address, client, revision, preset_id, preset_slug, source_id, source_name, subject, duration_us,
            request_bytes, response_bytes, argument_digest, request_id, prev, hash, form, who_salt, who_hash,
            what_salt, what_hash, trace)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
            $23, $24, $25, $26, $27, $28, $29, $30, $31)";
    let mut tx = test.store.system().await.unwrap();
    on!(tx, |c| {
        sqlx::query(head)
            .bind(tenant)
            .bind(link.seq)
            .bind(link.hash.as_slice())
            .bind(FIRST_PREV.as_slice())
            .execute(&mut *c)
            .await
            .unwrap();
        sqlx::query(row)
            .bind(tenant)
            .bind(link.seq)
            .bind(event.id)
            .bind(event.at)
            .bind(event.action.word())
            .bind(event.outcome.word())
            .bind(event.reason)
            .bind(event.user)
            .bind(event.principal)
            .bind(event.key)
            .bind(event.address)
            .bind(event.client)
            .bind(event.revision)
            .bind(event.preset)
            .bind(event.preset_slug)
            .bind(event.source)
            .bind(event.source_name)
            .bind(event.subject)
            .bind(event.duration_us)
            .bind(event.request_bytes)
            .bind(event.response_bytes)
            .bind(event.argument_digest)
            .bind(event.request_id)
            .bind(link.prev.as_slice())
            .bind(link.hash.as_slice())
            .bind(form)
            .bind(salt(who))
            .bind(hash(who))
            .bind(salt(what))
            .bind(hash(what))
            .bind(trace)
            .execute(&mut *c)
            .await
            .map(drop)
            .unwrap();
    });
    tx.commit().await.unwrap();
}

/// Changes the database as somebody with the owner's rights, or the file, would.
async fn by_hand(test: &TestStore, statements: &[String]) {
    match test.postgres_urls() {
        None => {
            let mut tx = test.store.system().await.unwrap();
            let Inner::Sqlite(transaction) = &mut tx.inner else { panic!("not SQLite") };
            for trigger in ["audit_blocks_stay", "audit_blocks_last", "audit_events_stay"] {
                let statement = AssertSqlSafe(format!("drop trigger if exists {trigger}"));
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

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// Says whether an event is one of those asked for.
fn fits(filter: &EventFilter, event: &RunEvent) -> bool {
    let text = filter.text.as_deref().unwrap_or_default();
    filter.from.is_none_or(|from| event.at >= from)
        && filter.to.is_none_or(|to| event.at < to)
        && filter.outcome.is_none_or(|outcome| event.outcome == outcome)
        && filter.tool.as_deref().is_none_or(|tool| event.subject == tool)
        && (event.subject.contains(text) || event.reason.contains(text))
}

store_test!(searching_page_by_page_finds_what_looking_at_every_event_finds, |test| async move {
    let ada = test.add_user("ada").await;
    let mut dice = Dice(1);
    let mut all: Vec<(i64, RunEvent)> = Vec::new();
    let mut begin = NOW.0;
    for _ in 0..60 {
        // Blocks that reach into each other's times, or lie far apart, and some that become several.
        begin += dice.below(50_000) - if dice.below(4) == 0 { 60_000 } else { 0 };
        let mut batch = Vec::new();
        for _ in 0..=dice.below(25) {
            let tool = format!("tool-{}", dice.below(500));
            let reach = if dice.below(9) == 0 { 90_000 } else { 300 };
            let mut event = event(&ada, Ms(begin + dice.below(reach)), &tool);
            if dice.below(5) == 0 {
                (event.outcome, event.reason) = (Outcome::Upstream, "it broke".into());
            }
            batch.push(event);
        }
        record(test, &batch).await;
        for event in batch {
            all.push((i64::try_from(all.len()).unwrap() + 1, event));
        }
    }
    all.sort_by_key(|(seq, event)| std::cmp::Reverse((event.at, *seq)));
    assert!(all.len() > 500, "{}", all.len());
    let middle = all[all.len() / 2].1.at;
    let third = all[all.len() / 3].1.at;

    let asked = EventFilter::default;
    for filter in [
        asked(),
        EventFilter { from: Some(middle), ..asked() },
        EventFilter { to: Some(middle), ..asked() },
        EventFilter { from: Some(middle), to: Some(third), ..asked() },
        EventFilter { outcome: Some(Outcome::Upstream), ..asked() },
        EventFilter { outcome: Some(Outcome::Upstream), from: Some(middle), to: Some(third), ..asked() },
        EventFilter { tool: Some(all[7].1.subject.clone()), ..asked() },
        // More kinds than are asked one after the other.
        EventFilter { text: Some("tool".into()), ..asked() },
        EventFilter { text: Some("tool".into()), from: Some(middle), to: Some(third), ..asked() },
        EventFilter { text: Some("tool-4".into()), ..asked() },
        EventFilter { text: Some("nobody".into()), ..asked() },
    ] {
        let wanted: Vec<EventId> =
            all.iter().filter(|(_, event)| fits(&filter, event)).map(|(_, event)| event.id).collect();
        for limit in [7, 64, 5000] {
            let mut there = Vec::new();
            let mut page = EventFilter { limit, ..filter.clone() };
            loop {
                let events = test.store.read(ada.tenant).await.unwrap().list_events(&page).await.unwrap();
                let Some(last) = events.last() else { break };
                page.before = Some(last.id);
                there.extend(events.into_iter().map(|event| event.id));
            }
            assert_eq!(there, wanted, "{limit} at once of {filter:?}");
        }
    }
    let mut tx = test.store.read(ada.tenant).await.unwrap();
    for (seq, event) in all.iter().step_by(17) {
        assert_eq!(tx.find_event(event.id).await.unwrap().as_ref(), Some(event), "{seq}");
    }
    assert!(tx.find_event(EventId::new()).await.unwrap().is_none());
    let within: Vec<_> =
        all.iter().filter(|(_, event)| event.at >= middle && event.at < third).map(|(seq, _)| *seq).collect();
    let ends = (*within.iter().min().unwrap(), *within.iter().max().unwrap());
    assert_eq!(tx.find_links(Some(middle), Some(third)).await.unwrap(), Some(ends));
    assert_eq!(tx.find_links(Some(Ms(i64::MAX)), None).await.unwrap(), None);
});

store_test!(what_is_erased_or_forgotten_is_found_by_nothing, |test| async move {
    let ada = test.add_user("ada").await;
    record(test, &[event(&ada, Ms(1), "one")]).await;
    record(test, &[event(&ada, NOW, "two")]).await;
    let kinds = async || {
        let count = "select count(*) from audit_kinds";
        let mut tx = test.store.system_read().await.unwrap();
        on!(tx, |c| sqlx::query_scalar::<_, i64>(count).fetch_one(c).await).unwrap()
    };
    assert_eq!(kinds().await, 2);

    let mut tx = test.store.system().await.unwrap();
    let block = tx.list_blocks_naming(&ada, (ada.tenant, 1), 1).await.unwrap().remove(0);
    assert_eq!(tx.erase_in_block(block, |_| (true, true)).await.unwrap(), 1);
    assert_eq!(tx.prune_events(ada.tenant, Ms(2), i64::MAX, 9).await.unwrap(), 1);
    tx.commit().await.unwrap();

    assert_eq!(kinds().await, 1, "that of the event of which nothing is left to say");
    for text in ["one", "two", "ada"] {
        let asked = EventFilter { text: Some(text.into()), ..EventFilter::default() };
        assert!(found(test, ada.tenant, asked).await.is_empty(), "{text}");
    }
});

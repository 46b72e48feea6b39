//! What keeping the books of a call costs: charging it, and writing down and counting what happened.
//!
//! `cargo xtask bench --only books`. Each iteration is one call, commits included, so the sum of the three
//! is what a call would be cheaper by without quota, audit and metrics. On PostgreSQL the server's own work is waited for
//! and counted too.

use std::sync::OnceLock;

use divan::{Bencher, counter::ItemsCount};
use doorward::{
    audit::{Audit, BATCH},
    changes::Changes,
    clock::Clock,
    metrics::Metrics,
    model::{Action, EventId, Outcome, PlanName, PresetId, RunEvent, SourceId, User},
    quota::{Quota, QuotaSubject, RateSettings},
    store::testing::TestStore,
};
use futures::FutureExt;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The databases, by the names that the benches take.
const DATABASES: [&str; 2] = ["SQLite", "PostgreSQL"];

fn main() {
    divan::main();
}

#[divan::bench(args = DATABASES)]
fn a_call_is_charged(bencher: Bencher<'_, '_>, database: &str) {
    let books = books(database);
    let subject = QuotaSubject { user: books.user.id, plan: books.user.plan.clone() };
    bencher.bench(|| {
        let _inside = books.runtime.enter();
        let charged = books.quota.reserve(&subject, books.user.tenant);
        let mut charged = Box::pin(charged);
        match charged.as_mut().now_or_never() {
            Some(charged) => charged.is_ok(),
            // Every so many calls the lease is renewed, which waits for the database.
            None => books.runtime.block_on(charged).is_ok(),
        }
    });
}

/// A batch of calls of one tool, or of as many tools as there are calls: then each is of a kind of its own.
#[divan::bench(args = [("SQLite", 1), ("SQLite", BATCH), ("PostgreSQL", 1), ("PostgreSQL", BATCH)])]
fn a_batch_is_written_down_and_counted(bencher: Bencher<'_, '_>, (database, tools): (&str, usize)) {
    let books = books(database);
    let (preset, source) = (PresetId::new(), SourceId::new());
    bencher.counter(ItemsCount::new(BATCH)).bench(|| {
        let _inside = books.runtime.enter();
        for number in 0..BATCH {
            books.audit.record(RunEvent {
                preset: Some(preset),
                source: Some(source),
                subject: format!("tool_{}", number % tools),
                ..call(&books.user, &books.clock)
            });
        }
        books.runtime.block_on(books.audit.flush());
    });
}

#[divan::bench]
fn an_event_is_made(bencher: Bencher<'_, '_>) {
    let books = books("SQLite");
    bencher.bench(|| call(&books.user, &books.clock));
}

struct Books {
    runtime: Runtime,
    clock: Clock,
    quota: Quota,
    audit: Audit,
    user: User,
    _store: TestStore,
}

fn books(database: &str) -> &'static Books {
    static SQLITE: OnceLock<Books> = OnceLock::new();
    static POSTGRES: OnceLock<Books> = OnceLock::new();
    let cell = if database == "SQLite" { &SQLITE } else { &POSTGRES };
    cell.get_or_init(|| open(database))
}

fn open(database: &str) -> Books {
    let runtime = Runtime::new().expect("a runtime starts");
    let store = runtime.block_on(async {
        match database {
            "SQLite" => TestStore::sqlite().await,
            _ => TestStore::postgres().await.expect("PostgreSQL is installed"),
        }
    });
    let clock = Clock::system();
    let mut user = runtime.block_on(store.add_user("ada"));
    user.plan = PlanName::parse("enterprise").expect("a plan's name");
    let quota = Quota::new(store.store.clone(), &Changes::new(), clock.clone(), RateSettings::default());
    let audit = Audit::new(store.store.clone(), Metrics::new(store.store.clone()));
    let writer = audit.clone();
    runtime.spawn(async move { writer.run(CancellationToken::new()).await });
    Books { runtime, clock, quota, audit, user, _store: store }
}

/// Returns what is written down of a call, as full as it is in life.
fn call(user: &User, clock: &Clock) -> RunEvent {
    RunEvent {
        id: EventId::new(),
        outcome: Outcome::Ok,
        user: Some(user.id),
        principal: user.handle.to_string(),
        address: "127.0.0.1".to_owned(),
        client: "bench 1".to_owned(),
        revision: "2026-07-28".to_owned(),
        preset_slug: "ops".to_owned(),
        source_name: "many".to_owned(),
        subject: "echo".to_owned(),
        duration_us: 80,
        request_bytes: 300,
        response_bytes: 1_200,
        argument_digest: "0".repeat(64),
        request_id: "0".repeat(32),
        ..RunEvent::new(user.tenant, clock.now(), Action::ToolCall)
    }
}

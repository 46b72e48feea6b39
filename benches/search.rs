//! What looking for events costs among two million of one organisation, of 26 000 kinds.
//!
//! `cargo xtask bench --only search`. The first look at each database makes the events, which takes a minute. Each
//! iteration is one page of 50 as the console shows it.

use std::sync::OnceLock;

use divan::Bencher;
use doorward::{
    audit::BATCH,
    clock::Ms,
    model::{Action, EventId, Outcome, PresetId, RunEvent, SourceId, TenantId, User},
    store::{EventFilter, testing::TestStore},
};
use tokio::runtime::Runtime;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The databases, by the names that the benches take.
const DATABASES: [&str; 2] = ["SQLite", "PostgreSQL"];
/// How many events there are.
const EVENTS: usize = 2_000_000;
/// How many people call.
const PEOPLE: usize = 200;
/// How many tools they call.
const TOOLS: usize = 130;
/// When the first event was, and how many milliseconds lie between one and the next.
const BEGIN: i64 = 1_790_000_000_000;
const STEP: i64 = 37;

fn main() {
    divan::main();
}

/// A search, by what is asked for.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Newest,
    MiddlePage,
    HourLongAgo,
    Principal,
    Tool,
    OneInAHundred,
    RareAction,
    PrincipalAndOutcome,
    TextOfMost,
    TextOfOnePrincipal,
    TextOfOneEvent,
    TextOfNone,
    TextOfKindsLongAgo,
}

impl Asked {
    const ALL: [Self; 13] = [
        Self::Newest,
        Self::MiddlePage,
        Self::HourLongAgo,
        Self::Principal,
        Self::Tool,
        Self::OneInAHundred,
        Self::RareAction,
        Self::PrincipalAndOutcome,
        Self::TextOfMost,
        Self::TextOfOnePrincipal,
        Self::TextOfOneEvent,
        Self::TextOfNone,
        Self::TextOfKindsLongAgo,
    ];

    fn filter(self, log: &Log) -> EventFilter {
        let text = |text: &str| EventFilter { text: Some(text.to_owned()), ..EventFilter::default() };
        let all = EventFilter::default();
        match self {
            Self::Newest => all,
            Self::MiddlePage => EventFilter { before: Some(log.middle), ..all },
            Self::HourLongAgo => {
                let from = BEGIN + 3_600_000;
                EventFilter { from: Some(Ms(from)), to: Some(Ms(from + 3_600_000)), ..all }
            }
            Self::Principal => EventFilter { principal: Some("person-17".to_owned()), ..all },
            Self::Tool => EventFilter { tool: Some("tool-17".to_owned()), ..all },
            Self::OneInAHundred => EventFilter { outcome: Some(Outcome::Upstream), ..all },
            Self::RareAction => EventFilter { action: Some(Action::KeyRevoke), ..all },
            Self::PrincipalAndOutcome => EventFilter {
                principal: Some("person-17".to_owned()),
                outcome: Some(Outcome::Upstream),
                ..all
            },
            Self::TextOfMost => text("tool"),
            Self::TextOfOnePrincipal => text("SON-117"),
            Self::TextOfOneEvent => text("needle"),
            Self::TextOfNone => text("nobody said this"),
            Self::TextOfKindsLongAgo => text("retired"),
        }
    }
}

#[divan::bench(args = Asked::ALL.iter().flat_map(|asked| DATABASES.map(|database| (*asked, database))))]
fn a_page_of_events(bencher: Bencher<'_, '_>, (asked, database): (Asked, &str)) {
    let log = log(database);
    let filter = asked.filter(log);
    bencher.bench(|| {
        log.runtime.block_on(async {
            let mut tx = log.store.store.read(log.tenant).await.expect("a transaction begins");
            tx.list_events(&filter).await.expect("the events are read").len()
        })
    });
}

struct Log {
    runtime: Runtime,
    store: TestStore,
    tenant: TenantId,
    /// The event in the middle.
    middle: EventId,
}

fn log(database: &str) -> &'static Log {
    static SQLITE: OnceLock<Log> = OnceLock::new();
    static POSTGRES: OnceLock<Log> = OnceLock::new();
    let cell = if database == "SQLite" { &SQLITE } else { &POSTGRES };
    cell.get_or_init(|| write(database))
}

fn write(database: &str) -> Log {
    let runtime = Runtime::new().expect("a runtime starts");
    let store = runtime.block_on(async {
        match database {
            "SQLite" => TestStore::sqlite().await,
            _ => TestStore::postgres().await.expect("PostgreSQL is installed"),
        }
    });
    let user = runtime.block_on(store.add_user("ada"));
    let (preset, source) = (PresetId::new(), SourceId::new());
    let numbers: Vec<usize> = (0..EVENTS).collect();
    let mut middle = None;
    for numbers in numbers.chunks(BATCH) {
        let events: Vec<_> = numbers.iter().map(|number| event(*number, &user, preset, source)).collect();
        middle =
            middle.or(events.iter().zip(numbers).find(|(_, at)| **at == EVENTS / 2).map(|(it, _)| it.id));
        runtime.block_on(async {
            let mut tx = store.store.system().await.expect("a transaction begins");
            tx.append_events(&events).await.expect("the events are written");
            tx.commit().await.expect("they hold");
        });
    }
    Log { runtime, store, tenant: user.tenant, middle: middle.expect("there is a middle") }
}

fn event(number: usize, user: &User, preset: PresetId, source: SourceId) -> RunEvent {
    let at = Ms(BEGIN + STEP * i64::try_from(number).expect("so many fit"));
    // Neighbours are of different kinds, as where many people call at once.
    let kind = number * 7919 % (PEOPLE * TOOLS);
    let mut event = RunEvent {
        user: Some(user.id),
        principal: format!("person-{}", kind % PEOPLE),
        address: "127.0.0.1".to_owned(),
        client: "bench 1".to_owned(),
        revision: "2026-07-28".to_owned(),
        preset: Some(preset),
        preset_slug: "ops".to_owned(),
        source: Some(source),
        source_name: "many".to_owned(),
        subject: format!("tool-{}", kind / PEOPLE),
        duration_us: 80,
        request_bytes: 300,
        response_bytes: 1_200,
        argument_digest: "0".repeat(64),
        request_id: "0".repeat(32),
        ..RunEvent::new(user.tenant, at, Action::ToolCall)
    };
    if number % 100 == 3 {
        (event.outcome, event.reason) = (Outcome::Upstream, "the source does not answer".to_owned());
    }
    if number % 100_000 == 5 {
        event.action = Action::KeyRevoke;
    }
    if number < 10_000 {
        event.source_name = format!("retired-{number}");
    }
    if number == EVENTS / 3 {
        event.reason = "a needle in it".to_owned();
    }
    event
}

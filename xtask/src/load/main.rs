//! The two ends of a measurement: a source that answers at once, and callers that check every answer.
//!
//! Both run in one process on one thread, so that what lies between them can have another core to itself.
//! `cargo xtask bench` starts it: it prints the source's port, then reads a line per order from standard input
//! (`measure what era url key connections milliseconds`, or `hold what url key count`) and answers each with a line of
//! JSON.
//!
//! It never takes an answer on trust: a wrong id or text, any status but 200, or a call that did not arrive at the
//! source exactly once ends the measurement.

#![expect(clippy::disallowed_methods, reason = "connecting is what is measured")]

mod caller;
mod held;
mod source;

use std::io::{BufRead, Write};

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};

/// One measurement, as asked for on a line.
struct Order {
    what: What,
    era: Era,
    url: hyper::Uri,
    key: String,
    connections: usize,
    duration: std::time::Duration,
}

/// What is asked again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// A call that sends 1 KiB and gets it back.
    Echo,
    /// A call that sends next to nothing and gets this many bytes.
    Blob(usize),
    /// The list of [`source::MANY`] tools.
    List,
    /// A whole legacy session: `initialize`, `notifications/initialized`, `tools/list`, DELETE.
    Session,
}

impl What {
    fn read(word: &str) -> Result<Self> {
        Ok(match word {
            "echo" => Self::Echo,
            "list" => Self::List,
            "session" => Self::Session,
            size => {
                Self::Blob(size.parse().context("neither echo, list nor session, nor a number of bytes")?)
            }
        })
    }

    /// Says whether the source hears of each.
    fn reaches_source(self) -> bool {
        matches!(self, Self::Echo | Self::Blob(_))
    }
}

/// Which of the protocol's two ways of calling is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Era {
    /// 2025-11-25, with a session.
    Legacy,
    /// 2026-07-28, every call for itself.
    Modern,
}

impl Order {
    fn read<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut word = || words.next().context("a word is missing in the order");
        let what = What::read(word()?)?;
        let era = if word()? == "legacy" { Era::Legacy } else { Era::Modern };
        Ok(Self {
            what,
            era,
            url: word()?.parse()?,
            key: word()?.to_owned(),
            connections: word()?.parse()?,
            duration: std::time::Duration::from_millis(word()?.parse()?),
        })
    }
}

/// How many tasks run between two looks at the sockets.
const EVENT_INTERVAL: u32 = 8;

/// Keeps the thread awake: whoever writes to a sleeping reader pays for waking it, on a virtual machine more than for
/// the call itself, and a faster program would pay less often.
async fn never_sleep() {
    loop {
        tokio::task::yield_now().await;
    }
}

async fn measure(order: &str) -> Result<Value> {
    Ok(serde_json::to_value(caller::measure(Order::read(order.split_whitespace())?).await?)?)
}

async fn hold(order: &str, kept: &mut Vec<held::Held>) -> Result<Value> {
    held::open(order, kept).await?;
    Ok(json!({ "held": kept.len() }))
}

fn main() -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().event_interval(EVENT_INTERVAL).enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.spawn_local(never_sleep());
    let listener = local.block_on(&runtime, tokio::net::TcpListener::bind(("127.0.0.1", 0)))?;
    println!("{}", listener.local_addr()?.port());
    std::io::stdout().flush()?;
    local.spawn_local(source::serve(listener));

    // Standard input is read beside the runtime, so that the source answers while nothing is asked.
    let (orders, mut queue) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if orders.send(line).is_err() {
                return;
            }
        }
    });
    local.block_on(&runtime, async {
        let mut kept = Vec::new();
        while let Some(line) = queue.recv().await {
            // Each order ends what the one before it has opened.
            kept.clear();
            let report = match line.split_once(' ') {
                Some(("measure", order)) => measure(order).await,
                Some(("hold", order)) => hold(order, &mut kept).await,
                _ => Err(anyhow!("neither to be measured nor to be held")),
            };
            println!("{}", report.unwrap_or_else(|error| json!({ "error": format!("{error:#}") })));
            std::io::stdout().flush()?;
        }
        Ok(())
    })
}

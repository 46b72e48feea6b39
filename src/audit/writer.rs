//! The one task that writes events down: in groups, and never half.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    audit::{BATCH_MAX, COMMIT_INTERVAL, Entry},
    metrics,
    model::RunEvent,
    store::{Store, StoreError},
};

/// The pause after the first failed commit; it doubles up to [`RETRY_PAUSE_MAX`].
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two tries.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);
/// How often a commit is tried once the program wants to end.
const LAST_TRIES: usize = 3;

/// Commits what arrives until `stop`, and then everything that still waits.
pub(super) async fn run(store: &Store, waiting: &mut mpsc::Receiver<Entry>, stop: CancellationToken) {
    while let Some(Some(first)) = stop.run_until_cancelled(waiting.recv()).await {
        let batch = gather(first, waiting, &stop).await;
        write(store, batch, &stop).await;
    }
    waiting.close();
    while let Some(first) = waiting.recv().await {
        let batch = gather(first, waiting, &stop).await;
        write(store, batch, &stop).await;
    }
}

/// Takes what belongs into one commit: all that arrives within the interval, up to the bound. A
/// flush ends the wait at once.
async fn gather(first: Entry, waiting: &mut mpsc::Receiver<Entry>, stop: &CancellationToken) -> Vec<Entry> {
    let mut urgent = matches!(first, Entry::Flush(_)) || stop.is_cancelled();
    let mut batch = vec![first];
    let until = Instant::now() + COMMIT_INTERVAL;
    while batch.len() < BATCH_MAX {
        let next = if urgent {
            waiting.try_recv().ok()
        } else {
            tokio::select! {
                biased;
                next = waiting.recv() => next,
                () = tokio::time::sleep_until(until) => None,
                () = stop.cancelled() => waiting.try_recv().ok(),
            }
        };
        let Some(next) = next else { break };
        urgent |= matches!(next, Entry::Flush(_));
        batch.push(next);
    }
    batch
}

/// Commits a batch, trying again until it is in; the events stay in memory meanwhile, and the
/// queue behind them fills up until `Audit::admit` refuses further calls.
async fn write(store: &Store, batch: Vec<Entry>, stop: &CancellationToken) {
    let mut flushes = Vec::new();
    let mut events = Vec::with_capacity(batch.len());
    for entry in batch {
        match entry {
            Entry::Event(event) => events.push(event),
            Entry::Flush(done) => flushes.push(done),
        }
    }
    let events: Vec<RunEvent> = events.into_iter().map(Arc::unwrap_or_clone).collect();
    let mut pause = RETRY_PAUSE;
    let mut last_tries = LAST_TRIES;
    while !events.is_empty() {
        let Err(error) = commit(store, &events).await else { break };
        if stop.is_cancelled() {
            last_tries -= 1;
            if last_tries == 0 {
                tracing::error!(%error, events = events.len(), "{} events could not be written before the end", events.len());
                break;
            }
        }
        tracing::error!(%error, events = events.len(), "the audit log could not be written; trying again in {pause:?}");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_PAUSE_MAX);
    }
    for done in flushes {
        let _ = done.send(());
    }
}

async fn commit(store: &Store, events: &[RunEvent]) -> Result<(), StoreError> {
    let mut tx = store.system().await?;
    tx.append_events(events).await?;
    tx.add_metrics(&metrics::roll_up(events)).await?;
    tx.commit().await
}

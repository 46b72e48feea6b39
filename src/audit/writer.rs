//! The one task that writes events down: in groups, and never half.

use std::{sync::Arc, time::Duration};

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    audit::{BATCH, BATCH_MAX, COMMIT_INTERVAL, Entry, Room, Tails},
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

/// Who writes.
pub(super) struct Writer<'a> {
    pub(super) store: &'a Store,
    /// Who is told which events this process has written.
    pub(super) tails: &'a Tails,
    /// Where calls wait for room.
    pub(super) room: &'a Room,
    pub(super) stop: &'a CancellationToken,
}

impl Writer<'_> {
    /// Commits what arrives until `stop`, and then everything that still waits.
    pub(super) async fn run(&self, waiting: &mut mpsc::UnboundedReceiver<Entry>, hurry: &Notify) {
        let mut was_full = false;
        while let Some(Some(first)) = self.stop.run_until_cancelled(waiting.recv()).await {
            // Behind a full batch more waits, and perhaps a flush.
            if !was_full {
                rest(hurry, self.stop).await;
            }
            let batch = gather(first, waiting);
            was_full = batch.len() >= BATCH;
            self.write(batch).await;
        }
        waiting.close();
        while let Some(first) = waiting.recv().await {
            self.write(gather(first, waiting)).await;
        }
    }

    /// Commits a batch, trying again until it is in; the events stay in memory meanwhile, and the
    /// queue behind them fills up until `Audit::admit` refuses further calls.
    async fn write(&self, batch: Vec<Entry>) {
        let mut flushes = Vec::new();
        let mut events = Vec::with_capacity(batch.len());
        for entry in batch {
            match entry {
                Entry::Event(event) => events.push(event),
                Entry::Flush(done) => flushes.push(done),
            }
        }
        let events: Vec<RunEvent> = events.into_iter().map(Arc::unwrap_or_clone).collect();
        self.room.give(events.len());
        let mut pause = RETRY_PAUSE;
        let mut last_tries = LAST_TRIES;
        let mut again = false;
        while !events.is_empty() {
            let Err(error) = self.commit(&events, again).await else { break };
            again = true;
            self.room.stick(true);
            if self.stop.is_cancelled() {
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
        self.room.stick(false);
        for done in flushes {
            let _ = done.send(());
        }
    }

    async fn commit(&self, events: &[RunEvent], again: bool) -> Result<(), StoreError> {
        let writing = self.tails.writing().await;
        let mut tx = self.store.system().await?;
        let spans =
            if again { tx.append_events_again(events).await? } else { tx.append_events(events).await? };
        tx.add_metrics(&metrics::roll_up(events)).await?;
        tx.commit().await?;
        if let Some(writing) = writing {
            writing.are_own(&spans);
        }
        Ok(())
    }
}

/// Lets a batch grow. The writer is not woken by every event: that would cost each call as much as
/// its event's place in the batch does.
async fn rest(hurry: &Notify, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(COMMIT_INTERVAL) => {}
        () = hurry.notified() => {}
        () = stop.cancelled() => {}
    }
}

/// Takes what belongs into one commit: all that waits, up to the bound.
fn gather(first: Entry, waiting: &mut mpsc::UnboundedReceiver<Entry>) -> Vec<Entry> {
    let mut batch = vec![first];
    while batch.len() < BATCH_MAX
        && let Ok(next) = waiting.try_recv()
    {
        batch.push(next);
    }
    batch
}

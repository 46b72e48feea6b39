//! Run events: who did what, with which outcome.
//!
//! Everything worth auditing is one [`RunEvent`] given to [`Audit::record`], which never waits.
//! One writer commits them in groups, hash-chained per organisation, and the call counters of
//! `metrics` with them, in the same transaction: what is audited is measured, exactly once.
//!
//! What may be lost when the process is killed: the events of the last [`COMMIT_INTERVAL`], those of
//! a commit under way, and those that came while the commit before it was written; while the
//! database is slow, no more than [`QUEUE_MAX`] that wait and [`BATCH_MAX`] in the writer's hands.
//! When the database takes nothing more, the queue fills up and [`Audit::admit`] refuses further
//! calls: nothing happens unaudited.
//!
//! A [`Notary`] signs for where each chain ends, and a [`Proof`] is a file that shows to whoever has the public key, without
//! this installation, that events are as they were recorded. An [`Exporter`] writes such files of every hour or day, and
//! [`Otlp`] sends events to a collector of logs.
//!
//! Never holds an argument, a result or a credential. To audit one more thing, add an
//! [`Action`](crate::model::Action) and record an event where the thing is done.

mod erase;
mod export;
mod notary;
mod otlp;
mod proof;
mod retention;
mod tail;
#[cfg(test)]
mod tests;
mod writer;

pub use export::{Every, ExportError, ExportSettings, ExportTarget, Exporter, S3Settings};
pub use notary::{Notary, Verified};
pub use otlp::{Otlp, OtlpSettings, SEND_PAUSE};
pub use proof::{Proof, ProofRange};
pub use retention::retain;
pub use tail::{LOOK_PAUSE, Tail, Told};

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use thiserror::Error;
use tokio::sync::{Mutex, Notify, broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    chain::KeyError,
    fault::Fault,
    metrics::Metrics,
    model::{EventId, Member, RunEvent},
    policy::{self, AuditPermit, Denied},
    store::{EventFilter, Store, StoreError},
    vault::VaultError,
};
use tail::Tails;
use writer::Writer;

/// How long an event may wait for its commit.
pub const COMMIT_INTERVAL: Duration = Duration::from_millis(200);
/// How many events go into one commit: many, since a commit costs as much as hundreds of events do.
pub const BATCH_MAX: usize = 1024;
/// How many events may wait.
pub const QUEUE_MAX: usize = 8192;
/// The longest text of an event kept, in bytes. Callers choose some of them, such as the name of a
/// tool that does not exist, and neither memory nor an index of the database has room for all.
const TEXT_BYTES_MAX: usize = 512;
/// How many events one page of a search holds at most.
pub const PAGE_MAX: usize = 200;

/// Says why an event could not be taken or read.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The database has not taken events for so long that no more may wait.
    #[error("the audit log cannot be written, so nothing more is allowed to happen")]
    Behind,
    /// The caller may not read them.
    #[error("not allowed")]
    Denied(#[from] Denied),
    /// The events could not be read.
    #[error("could not read the audit log")]
    Store(#[from] StoreError),
    /// A proof is of everything that happened, and the caller may not read all of it.
    #[error("a proof is of the whole log, and is for those who manage the organisation")]
    NotWhole,
    /// The key that signs could not be made or read.
    #[error("the key that signs for the audit log could not be made, or is damaged")]
    Seed,
    /// A public key in the database is none.
    #[error("a key in the database is damaged")]
    Key(#[from] KeyError),
    /// The key that signs could not be sealed or opened.
    #[error("could not use the key that signs for the audit log")]
    Vault(#[from] VaultError),
}

impl AuditError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Behind | Self::Seed | Self::Key(_) => Fault::Gateway,
            Self::NotWhole => Fault::Refused,
            Self::Denied(denied) => denied.fault(),
            Self::Store(error) => error.fault(),
            Self::Vault(error) => error.fault(),
        }
    }
}

/// The audit log; cheap to clone.
#[derive(Clone)]
pub struct Audit(Arc<Inner>);

struct Inner {
    store: Store,
    metrics: Metrics,
    queue: mpsc::Sender<Entry>,
    waiting: Mutex<mpsc::Receiver<Entry>>,
    /// Ends the writer's wait for more events.
    hurry: Notify,
    tails: Tails,
    dropped: AtomicU64,
}

enum Entry {
    Event(Arc<RunEvent>),
    Flush(oneshot::Sender<()>),
}

impl Audit {
    /// Makes the log; nothing is written until [`Audit::run`] is.
    pub fn new(store: Store, metrics: Metrics) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        Self(Arc::new(Inner {
            store,
            metrics,
            queue,
            waiting: Mutex::new(waiting),
            hurry: Notify::new(),
            tails: Tails::new(),
            dropped: AtomicU64::new(0),
        }))
    }

    /// Refuses when an event recorded a moment later would find no room.
    pub fn admit(&self) -> Result<(), AuditError> {
        // A hundred places are kept for the calls that are under way.
        if self.0.queue.capacity() > 100 { Ok(()) } else { Err(AuditError::Behind) }
    }

    /// Takes an event. Never waits; an event that finds no room is counted and logged.
    pub fn record(&self, event: RunEvent) {
        let event = Arc::new(bounded(event));
        self.0.metrics.observe(&event);
        self.0.tails.tell(&event);
        if self.0.queue.try_send(Entry::Event(event)).is_err() {
            let dropped = self.0.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            if dropped.is_power_of_two() {
                tracing::error!(dropped, "the audit queue is full: {dropped} events were lost");
            }
        }
        if self.waiting() >= BATCH_MAX {
            self.0.hurry.notify_one();
        }
    }

    /// Returns how many events wait for their commit.
    pub fn waiting(&self) -> usize {
        QUEUE_MAX - self.0.queue.capacity()
    }

    /// Returns how many events were lost to a full queue since the start.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Follows what this process records, in every organisation.
    pub fn tail(&self) -> broadcast::Receiver<Arc<RunEvent>> {
        self.0.tails.all_of_own()
    }

    /// Follows the events that may be read, whichever process records them: each once, those of other processes within
    /// [`LOOK_PAUSE`] of their commit.
    pub async fn follow(&self, permit: AuditPermit) -> Result<Tail, AuditError> {
        Ok(self.0.tails.follow(&self.0.store, permit).await?)
    }

    /// Looks for what other processes have recorded of what somebody follows; called every [`LOOK_PAUSE`].
    pub async fn look_at_others(&self) -> Result<(), StoreError> {
        self.0.tails.look(&self.0.store).await
    }

    /// Waits until everything recorded before is committed.
    pub async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.0.queue.send(Entry::Flush(done)).await.is_ok() {
            self.0.hurry.notify_one();
            // An error means the writer has ended, after writing what it had.
            let _ = wait.await;
        }
    }

    /// Returns the events of the member's organisation that match and that they may read, newest first.
    pub async fn search(&self, member: &Member, filter: &EventFilter) -> Result<Vec<RunEvent>, AuditError> {
        self.search_by(&policy::may_audit(member)?, filter).await
    }

    /// Returns the events that match and that may be read, newest first.
    pub async fn search_by(
        &self,
        permit: &AuditPermit,
        filter: &EventFilter,
    ) -> Result<Vec<RunEvent>, AuditError> {
        if filter.user.is_some_and(|wanted| permit.by().is_some_and(|by| by != wanted)) {
            return Ok(Vec::new());
        }
        let filter = EventFilter { user: permit.by().or(filter.user), ..filter.clone() };
        let mut events = self.0.store.read(permit.tenant()).await?.list_events(&filter).await?;
        events.iter_mut().for_each(|event| shorten(event, permit));
        Ok(events)
    }

    /// Moves events into blocks that processes of a version before still write each by itself. Called by a background job.
    pub async fn pack_old(&self) -> Result<(), StoreError> {
        self.0.store.pack_events().await.map(drop)
    }

    /// Returns one event; `None` if there is none of that id that may be read.
    pub async fn find(&self, permit: &AuditPermit, id: EventId) -> Result<Option<RunEvent>, AuditError> {
        let found = self.0.store.read(permit.tenant()).await?.find_event(id).await?;
        let mut event = found.filter(|event| permit.shows(event));
        if let Some(event) = &mut event {
            shorten(event, permit);
        }
        Ok(event)
    }

    /// Begins to write the organisation's events of these times as a file that proves itself.
    pub async fn prove(&self, permit: &AuditPermit, range: ProofRange) -> Result<Proof, AuditError> {
        if permit.by().is_some() || !permit.digests() {
            return Err(AuditError::NotWhole);
        }
        Proof::begin(self.0.store.clone(), permit.tenant(), range).await
    }

    /// Commits what is recorded until `stop`, and then everything that still waits.
    pub async fn run(&self, stop: CancellationToken) {
        let Inner { store, waiting, hurry, tails, .. } = &*self.0;
        let writer = Writer { store, tails, stop: &stop };
        writer.run(&mut *waiting.lock().await, hurry).await;
    }
}

/// Leaves out of an event what may not be read.
fn shorten(event: &mut RunEvent, permit: &AuditPermit) {
    if !permit.digests() {
        event.argument_digest.clear();
    }
}

/// Cuts the texts of an event to what is kept.
fn bounded(mut event: RunEvent) -> RunEvent {
    for text in [
        &mut event.reason,
        &mut event.principal,
        &mut event.client,
        &mut event.revision,
        &mut event.source_name,
        &mut event.subject,
    ] {
        if text.len() > TEXT_BYTES_MAX {
            // A copy, since a shortened text would keep the room of the long one.
            *text = text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned();
        }
    }
    event
}

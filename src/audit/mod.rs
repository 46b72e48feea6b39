//! Run events: who did what, with which outcome.
//!
//! Everything worth auditing is one [`RunEvent`] given to [`Audit::record`], which never waits.
//! One writer commits them in groups, hash-chained per organisation, and the call counters of
//! `metrics` with them, in the same transaction: what is audited is measured, exactly once.
//!
//! What may be lost when the process is killed: the events of the last [`COMMIT_INTERVAL`], those of
//! a commit under way, and those that came while the commit before it was written; while the
//! database is slow, no more than [`QUEUE_MAX`] that wait, what the calls under way add to them, and
//! [`BATCH_MAX`] in the writer's hands. Calls wait a moment when they come faster than events can be
//! written, and when the database takes nothing more, [`Audit::admit`] refuses them: nothing happens
//! unaudited.
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
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
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
/// How many events are worth a commit before their time: many, since it costs as much as hundreds of them.
pub const BATCH: usize = 1024;
/// How many events go into one commit at most: all that have come while the writer waited for its turn among many calls.
pub const BATCH_MAX: usize = 4 * BATCH;
/// How many events may wait before a call has to.
pub const QUEUE_MAX: usize = 8192;
/// How long a call waits for events to be written before it is refused.
const ROOM_PAUSE: Duration = Duration::from_secs(1);
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
    queue: mpsc::UnboundedSender<Entry>,
    waiting: Mutex<mpsc::UnboundedReceiver<Entry>>,
    room: Room,
    /// Ends the writer's wait for more events.
    hurry: Notify,
    tails: Tails,
    dropped: AtomicU64,
}

/// What is known of the room for events.
#[derive(Default)]
struct Room {
    /// How many events wait to be written.
    taken: AtomicUsize,
    /// Whether the last commit failed.
    is_stuck: AtomicBool,
    /// Tells whoever waits for room that there is some, or that there will be none.
    news: Notify,
}

impl Room {
    fn is_left(&self) -> bool {
        self.taken.load(Ordering::Relaxed) < QUEUE_MAX
    }

    /// Notes that the writer has taken so many events.
    fn give(&self, events: usize) {
        self.taken.fetch_sub(events, Ordering::Relaxed);
        self.news.notify_waiters();
    }

    fn stick(&self, is_stuck: bool) {
        self.is_stuck.store(is_stuck, Ordering::Relaxed);
        if is_stuck {
            self.news.notify_waiters();
        }
    }
}

enum Entry {
    Event(Arc<RunEvent>),
    Flush(oneshot::Sender<()>),
}

impl Audit {
    /// Makes the log; nothing is written until [`Audit::run`] is.
    pub fn new(store: Store, metrics: Metrics) -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        Self(Arc::new(Inner {
            store,
            metrics,
            queue,
            waiting: Mutex::new(waiting),
            room: Room::default(),
            hurry: Notify::new(),
            tails: Tails::new(),
            dropped: AtomicU64::new(0),
        }))
    }

    /// Says whether there is room for what happens next.
    pub fn has_room(&self) -> bool {
        self.0.room.is_left()
    }

    /// Waits a moment for room, if there is none, and refuses when there will be none.
    pub async fn admit(&self) -> Result<(), AuditError> {
        if self.has_room() {
            return Ok(());
        }
        // Boxed, as what is rarely needed would otherwise take its room in every call.
        Box::pin(self.wait_for_room()).await
    }

    async fn wait_for_room(&self) -> Result<(), AuditError> {
        let room = &self.0.room;
        let waited = tokio::time::timeout(ROOM_PAUSE, async {
            loop {
                let mut news = std::pin::pin!(room.news.notified());
                news.as_mut().enable();
                if room.is_left() {
                    return Ok(());
                }
                if room.is_stuck.load(Ordering::Relaxed) {
                    return Err(AuditError::Behind);
                }
                news.await;
            }
        });
        waited.await.unwrap_or(Err(AuditError::Behind))
    }

    /// Takes an event. Never waits, and keeps it whatever waits before it: whoever was admitted is written down.
    pub fn record(&self, event: RunEvent) {
        let event = Arc::new(bounded(event));
        self.0.metrics.observe(&event);
        self.0.tails.tell(&event);
        let waiting = self.0.room.taken.fetch_add(1, Ordering::Relaxed) + 1;
        if self.0.queue.send(Entry::Event(event)).is_err() {
            let dropped = self.0.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            if dropped.is_power_of_two() {
                tracing::error!(dropped, "the audit log has ended: {dropped} events were lost");
            }
        }
        if waiting == BATCH || waiting.is_multiple_of(BATCH_MAX) {
            self.0.hurry.notify_one();
        }
    }

    /// Returns how many events wait for their commit.
    pub fn waiting(&self) -> usize {
        self.0.room.taken.load(Ordering::Relaxed)
    }

    /// Returns how many events came after the end of the log, and were lost.
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
        if self.0.queue.send(Entry::Flush(done)).is_ok() {
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
        let Inner { store, waiting, room, hurry, tails, .. } = &*self.0;
        let writer = Writer { store, tails, room, stop: &stop };
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

//! The processes that share a database: who is there, what they tell each other, and what one hands on to another.
//!
//! Each process gives a sign of life every second and watches those of the others move, so that no clock has to agree
//! with another. One whose sign has not moved for some looks is gone; while the database does not answer, nobody ages.
//! What changes in one process the others hear by a word of the database ([`words`]), and forget. Since a process that
//! is killed may not have told its last change, everything is forgotten when one goes without saying so.
//!
//! What lies in the memory of one process (a legacy session, a call that waits for answers) has a name that begins with
//! the process's number. A request for it that comes to another process is handed on ([`forward`]), once.
//!
//! On a file there is one process, which owns everything. Never decides who may call.

mod forward;
#[cfg(test)]
mod tests;
mod vouch;
mod words;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use moka::sync::Cache;
use tokio::sync::{Mutex, mpsc, watch};
use zeroize::Zeroizing;

use crate::{
    changes::{Change, Changes},
    clock::{Clock, Ms},
    egress::{Egress, EgressLimits, EgressPolicy},
    model::{Replica, ReplicaNumber},
    store::{Backend, Store, StoreError},
};

pub use forward::{BackBody, CannotForward, Handed, HandedBack};
pub use vouch::FORWARDED;

/// What the keys of [`ReplicaParts`] are for.
pub const KEY_PURPOSE: &str = "replicas";

/// How often a process gives a sign of life, and looks for those of the others.
pub const BEAT: Duration = Duration::from_secs(1);
/// After so many looks without a sign of life a process is gone.
pub const SILENT_MAX: u32 = 4;
/// A process found for the first time whose last sign of life is this old was gone before. Clocks may differ by as much.
const STALE: Duration = Duration::from_secs(30);
/// How long what processes left behind is kept.
pub const MEMORY: Duration = Duration::from_secs(24 * 3600);
/// How many sessions are remembered to have moved.
const MOVED_MAX: u64 = 20_000;
/// How many words may wait until they are told.
const WORDS_MAX: usize = 1024;

/// What it is made of.
#[expect(missing_docs, reason = "each part is described by its room")]
pub struct ReplicaParts {
    pub store: Store,
    pub changes: Changes,
    pub clock: Clock,
    /// Keys for what one process vouches for to another; the first one signs. Not empty.
    pub keys: Vec<Zeroizing<[u8; 32]>>,
}

/// The processes that share the database; cheap to clone.
#[derive(Clone)]
pub struct Replicas(Arc<Inner>);

struct Inner {
    own: ReplicaNumber,
    store: Store,
    changes: Changes,
    clock: Clock,
    keys: Vec<Zeroizing<[u8; 32]>>,
    egress: Egress,
    /// What this process says of itself, once it has joined.
    joined: OnceLock<Replica>,
    has_left: AtomicBool,
    others: RwLock<HashMap<ReplicaNumber, Other>>,
    /// Counts the looks at the others.
    looks: watch::Sender<u64>,
    moved: Cache<[u8; 16], ReplicaNumber>,
    to_tell: mpsc::Sender<Change>,
    /// Taken by who tells them.
    waiting: Mutex<mpsc::Receiver<Change>>,
    /// Whether a change found no room to wait.
    has_lost: Arc<AtomicBool>,
}

/// Another process, as this one has seen it.
#[derive(Clone, Debug)]
struct Other {
    replica: Replica,
    /// How many looks its sign of life has not moved for.
    silent: u32,
}

impl Other {
    /// Returns a process that is seen for the first time.
    fn met(replica: Replica, now: Ms) -> Self {
        let silent = if now.since(replica.seen_at) > STALE { SILENT_MAX } else { 0 };
        Self { replica, silent }
    }

    fn is_there(&self) -> bool {
        self.silent < SILENT_MAX
    }
}

impl Replicas {
    /// Makes what a process knows of the others before it has looked.
    pub fn new(parts: ReplicaParts) -> Result<Self, getrandom::Error> {
        let ReplicaParts { store, changes, clock, keys } = parts;
        let own = ReplicaNumber(getrandom::u32()?);
        // The others said themselves where they are, in our own database. The policy keeps watching over the address of
        // a cloud's metadata service, which no range this wide allows.
        let everywhere = ["0.0.0.0/0", "::/0"].map(|range| range.parse().expect("a range"));
        let limits = EgressLimits { connect_timeout: BEAT, redirects_max: 0, ..EgressLimits::default() };
        let egress = Egress::new(EgressPolicy { allow: everywhere.to_vec() }, limits);
        let (to_tell, waiting) = mpsc::channel(WORDS_MAX);
        Ok(Self(Arc::new(Inner {
            own,
            store,
            changes,
            clock,
            keys,
            egress,
            joined: OnceLock::new(),
            has_left: AtomicBool::new(false),
            others: RwLock::default(),
            looks: watch::Sender::new(0),
            moved: Cache::new(MOVED_MAX),
            to_tell,
            waiting: Mutex::new(waiting),
            has_lost: Arc::default(),
        })))
    }

    /// Says whether there can be others.
    pub fn are_possible(&self) -> bool {
        self.0.store.backend() == Backend::Postgres
    }

    /// Returns this process's own number.
    pub fn own(&self) -> ReplicaNumber {
        self.0.own
    }

    /// Tells the others where this process is, from now on with every [`Replicas::beat`]. Only the first address counts.
    pub async fn join(&self, address: &str) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        let _ = self.0.joined.set(Replica {
            number: self.0.own,
            address: address.to_owned(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            beats: 0,
            started_at: now,
            seen_at: now,
        });
        self.beat().await
    }

    /// Gives a sign of life and looks for those of the others; called every [`BEAT`].
    pub async fn beat(&self) -> Result<(), StoreError> {
        let has_left = self.0.has_left.load(Ordering::SeqCst);
        let joined = self.0.joined.get().filter(|_| self.are_possible() && !has_left);
        let Some(joined) = joined else { return Ok(()) };
        let now = self.0.clock.now();
        let mut tx = self.0.store.system().await?;
        tx.beat_replica(&Replica { seen_at: now, ..joined.clone() }).await?;
        let there = tx.list_replicas().await?;
        tx.commit().await?;
        if self.look(there, now) {
            self.0.changes.hear(Change::Everything);
        }
        self.0.looks.send_modify(|looks| *looks += 1);
        Ok(())
    }

    /// Takes note of who is there; says whether somebody went without a word.
    fn look(&self, there: Vec<Replica>, now: Ms) -> bool {
        let mut others = self.0.others.write().unwrap_or_else(PoisonError::into_inner);
        let mut went = false;
        let before = std::mem::take(&mut *others);
        for replica in there.into_iter().filter(|replica| replica.number != self.0.own) {
            let other = match before.get(&replica.number) {
                Some(other) if other.replica.beats == replica.beats => {
                    Other { replica, silent: other.silent.saturating_add(1) }
                }
                Some(_) => Other { replica, silent: 0 },
                None => Other::met(replica, now),
            };
            if other.silent == SILENT_MAX && before.contains_key(&other.replica.number) {
                let Replica { number, address, .. } = &other.replica;
                tracing::warn!(replica = number.0, address, "a replica is gone");
                went = true;
            }
            others.insert(other.replica.number, other);
        }
        went
    }

    /// Says whether a process is there, asking the database about one that was never seen.
    pub async fn find(&self, number: ReplicaNumber) -> Result<bool, StoreError> {
        if self.is_there(number) || !self.are_possible() {
            return Ok(self.is_there(number));
        }
        let there = self.0.store.system_read().await?.list_replicas().await?;
        self.meet(there);
        Ok(self.is_there(number))
    }

    /// Takes note of processes that joined since the last look. Nobody grows older by it.
    fn meet(&self, there: Vec<Replica>) {
        let now = self.0.clock.now();
        let mut others = self.0.others.write().unwrap_or_else(PoisonError::into_inner);
        for replica in there.into_iter().filter(|replica| replica.number != self.0.own) {
            others.entry(replica.number).or_insert_with(|| Other::met(replica, now));
        }
    }

    /// Says whether a process is there, as far as this one has seen.
    pub fn is_there(&self, number: ReplicaNumber) -> bool {
        number == self.0.own || self.address_of(number).is_some()
    }

    /// Returns the others that are there, in the order they joined.
    pub fn others(&self) -> Vec<Replica> {
        let others = self.0.others.read().unwrap_or_else(PoisonError::into_inner);
        let mut there: Vec<_> =
            others.values().filter(|other| other.is_there()).map(|other| other.replica.clone()).collect();
        there.sort_by_key(|replica| (replica.started_at, replica.number));
        there
    }

    fn address_of(&self, number: ReplicaNumber) -> Option<String> {
        let others = self.0.others.read().unwrap_or_else(PoisonError::into_inner);
        others.get(&number).filter(|other| other.is_there()).map(|other| other.replica.address.clone())
    }

    /// Waits until a process that could not be reached is known to be gone, for as long as that takes to find out;
    /// `false` if it gives signs of life.
    pub async fn is_gone_soon(&self, number: ReplicaNumber) -> bool {
        let mut looks = self.0.looks.subscribe();
        // One look more than it takes, since the first may come at once.
        for _ in 0..=SILENT_MAX {
            if !self.is_there(number) {
                return true;
            }
            if tokio::time::timeout(3 * BEAT, looks.changed()).await.is_err() {
                // The database does not answer, so nobody knows.
                return false;
            }
        }
        !self.is_there(number)
    }

    /// Takes over a session whose process is gone, unless another one that is there has done so, or this one had only
    /// not seen it yet. Returns who has it.
    pub async fn take_over(&self, session: [u8; 16]) -> Result<ReplicaNumber, StoreError> {
        if !self.are_possible() {
            return Ok(self.0.own);
        }
        if let Some(holder) = self.0.moved.get(&session).filter(|holder| self.is_there(*holder)) {
            return Ok(holder);
        }
        let mut tx = self.0.store.system().await?;
        self.meet(tx.list_replicas().await?);
        let began = ReplicaNumber::of_name(session);
        if self.is_there(began) {
            return Ok(began);
        }
        let gone = |number| !self.is_there(number);
        let holder = tx.move_session(&session, self.0.own, gone, self.0.clock.now()).await?;
        tx.commit().await?;
        self.0.moved.insert(session, holder);
        Ok(holder)
    }

    /// Takes the turn of a piece of work that one process does for all; `false` if another has it.
    pub async fn take_turn(&self, work: &str, lasts: Duration) -> Result<bool, StoreError> {
        if !self.are_possible() {
            return Ok(true);
        }
        let now = self.0.clock.now();
        let mut tx = self.0.store.system().await?;
        let taken = tx.take_job_turn(work, self.0.own, now, now.plus(lasts)).await?;
        tx.commit().await?;
        Ok(taken)
    }

    /// Forgets what processes left behind that went long ago; called by a background job.
    pub async fn forget_old(&self) -> Result<u64, StoreError> {
        let mut tx = self.0.store.system().await?;
        let forgotten = tx.remove_old_replicas(self.0.clock.now().minus(MEMORY)).await?;
        tx.commit().await?;
        Ok(forgotten)
    }

    /// Tells the others that this process ends, once: from then on they take over what it had, and hand nothing on.
    pub async fn leave(&self) -> Result<(), StoreError> {
        let has_joined = self.0.joined.get().is_some() && self.are_possible();
        if !has_joined || self.0.has_left.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let mut tx = self.0.store.system().await?;
        tx.remove_replica(self.0.own).await?;
        tx.commit().await?;
        self.tell_leaving().await
    }
}

impl fmt::Debug for Replicas {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Replicas").field("own", &self.0.own).finish_non_exhaustive()
    }
}

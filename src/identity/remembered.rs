//! Credentials seen a moment ago, by the SHA-256 of their text.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use moka::sync::Cache;
use uuid::Uuid;

use super::epochs::{Epoch, Epochs};
use crate::{clock::Ms, model::Member};

/// How many credentials are remembered.
const CREDENTIALS_MAX: u64 = 20_000;

/// What another process changed is noticed after this long. What this process changes is noticed
/// at once.
const AGE_MAX: Duration = Duration::from_secs(5);

/// Uses of the same credential are noted no closer than this.
const NOTE_INTERVAL: Duration = Duration::from_secs(60);

/// A credential as the database knew it.
pub(super) struct Known<Id> {
    /// The key or browser session.
    pub(super) id: Id,
    /// Who it stands for.
    pub(super) member: Arc<Member>,
    /// When it ends; `None` = never.
    pub(super) ends_at: Option<Ms>,
    /// When it was read, in the order of changes and in time.
    pub(super) epoch: Epoch,
    pub(super) read_at: Ms,
    /// When it was last used, as far as noted.
    pub(super) noted_at: AtomicI64,
}

/// Remembers credentials of one kind and notes their use.
pub(super) struct Remembered<Id> {
    known: Cache<[u8; 32], Arc<Known<Id>>>,
    used: Mutex<HashMap<Id, Ms>>,
}

impl<Id: Copy + Eq + Hash + Into<Uuid> + Send + Sync + 'static> Remembered<Id> {
    pub(super) fn new() -> Self {
        Self { known: Cache::new(CREDENTIALS_MAX), used: Mutex::default() }
    }

    /// Returns what is known of a credential and may still be believed.
    pub(super) fn find(&self, digest: &[u8; 32], epochs: &Epochs, now: Ms) -> Option<Arc<Known<Id>>> {
        self.known.get(digest).filter(|known| {
            now.since(known.read_at) <= AGE_MAX
                && epochs.is_current(known.epoch, [known.id.into(), known.member.user.0])
        })
    }

    pub(super) fn insert(&self, digest: [u8; 32], known: Arc<Known<Id>>) {
        self.known.insert(digest, known);
    }

    /// Notes a use, if the last one noted was a while ago.
    pub(super) fn note_use(&self, known: &Known<Id>, now: Ms) {
        let noted = known.noted_at.load(Ordering::Relaxed);
        let due = now.since(Ms(noted)) >= NOTE_INTERVAL;
        if due && known.noted_at.compare_exchange(noted, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.lock().insert(known.id, now);
        }
    }

    /// Takes the uses noted since the last time.
    pub(super) fn take_used(&self) -> Vec<(Id, Ms)> {
        self.lock().drain().collect()
    }

    /// Puts back what could not be written. A later use of the same credential stays.
    pub(super) fn put_back(&self, used: Vec<(Id, Ms)>) {
        let mut noted = self.lock();
        for (id, at) in used {
            noted.entry(id).or_insert(at);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Id, Ms>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

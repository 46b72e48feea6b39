//! Calls that are made once: whoever sends one again, because an answer was lost on its way, gets what
//! came of the first and never has it made twice.
//!
//! A call is claimed in the database before it is made, so that this holds across replicas; the process
//! that makes it moves its row on, and once that process is gone nobody knows what came of the call, and
//! everybody is told so. Answers are sealed and bounded. Never decides which calls are made once, and
//! never sees what an answer says.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};
use tokio::{runtime::Handle, sync::Semaphore, task::JoinHandle};
use uuid::Uuid;

use super::QuotaError;
use crate::{
    clock::Clock,
    model::{PresetId, TenantId, UserId},
    store::{OnceClaim, OnceRoom, OnceRow, OnceState, Store, StoreError},
    vault::{Place, Vault},
};

/// How long a process is believed to be there after it last said so.
const ALIVE: Duration = Duration::from_secs(6);
/// How often it says so.
const BEAT: Duration = Duration::from_secs(2);
/// How long to wait before it is looked again whether a call has ended; longer each time.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// The longest such pause.
const LOOK_AGAIN_MAX: Duration = Duration::from_millis(500);
/// How many may wait at once for the end of calls that others make.
const WAITING_MAX: usize = 256;
/// The largest answer kept, in bytes.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// How much is kept for an organisation.
pub const ROOM: OnceRoom = OnceRoom { calls: 10_000, bytes: 64 * 1024 * 1024 };

/// Who calls what, and how it is told apart from other calls.
#[derive(Clone, Copy, Debug)]
pub struct OnceKey<'a> {
    /// The organisation of the preset, which keeps the answer.
    pub tenant: TenantId,
    /// Who calls.
    pub user: UserId,
    /// The preset.
    pub preset: PresetId,
    /// The tool by the name callers see.
    pub tool: &'a str,
    /// What the caller sent to tell it by; `None` = its arguments tell.
    pub key: Option<&'a str>,
    /// The digest of the arguments.
    pub digest: &'a str,
}

/// What is to be done with a call.
#[derive(Debug)]
pub enum Claimed {
    /// It is made, and what comes of it kept.
    First(Claim),
    /// It was made: this came of it. `None` = the answer was too large to be kept.
    Replay(Option<Vec<u8>>),
    /// It was begun, and nobody knows what came of it.
    Lost,
    /// It still runs, and was waited for long enough.
    Running,
    /// The key was sent with other arguments before.
    OtherArguments,
    /// So many run or wait that no more are taken.
    Full,
}

/// Makes calls once; cheap to clone.
#[derive(Clone)]
pub struct Once(Arc<Inner>);

struct Inner {
    store: Store,
    vault: Vault,
    clock: Clock,
    kept: Duration,
    waiting: Semaphore,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Once")
    }
}

impl Once {
    /// Begins; answers are kept this long.
    pub fn new(store: Store, vault: Vault, clock: Clock, kept: Duration) -> Self {
        let waiting = Semaphore::new(WAITING_MAX);
        Self(Arc::new(Inner { store, vault, clock, kept, waiting }))
    }

    /// Finds out whether a call is to be made. While another one makes it, waits for that one's end,
    /// at most this long.
    pub async fn claim(&self, key: &OnceKey<'_>, patience: Duration) -> Result<Claimed, QuotaError> {
        let (id, digest, begun) = (id(key), hash(&[key.digest]), Instant::now());
        let mut pause = LOOK_AGAIN;
        let mut place = None;
        loop {
            let claim = Uuid::new_v4();
            let row = match self.try_claim(key.tenant, &id, &digest, claim).await? {
                Tried::Claimed => {
                    return Ok(Claimed::First(Claim::new(Arc::clone(&self.0), key.tenant, id, claim)));
                }
                Tried::Full => return Ok(Claimed::Full),
                Tried::Other(row) => row,
            };
            if row.digest != digest {
                return Ok(Claimed::OtherArguments);
            }
            match row.state {
                OnceState::Done => return Ok(Claimed::Replay(self.0.open(key.tenant, &id, row.answer))),
                OnceState::Lost => return Ok(Claimed::Lost),
                OnceState::Running if begun.elapsed() >= patience => return Ok(Claimed::Running),
                OnceState::Running => {}
            }
            if place.is_none() {
                let Ok(taken) = self.0.waiting.try_acquire() else { return Ok(Claimed::Full) };
                place = Some(taken);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_AGAIN_MAX);
        }
    }

    async fn try_claim(
        &self,
        tenant: TenantId,
        id: &[u8; 32],
        digest: &[u8; 32],
        claim: Uuid,
    ) -> Result<Tried, StoreError> {
        let now = self.0.clock.now();
        let claim =
            OnceClaim { id, claim, digest, alive_until: now.plus(ALIVE), ends_at: now.plus(self.0.kept) };
        let mut tx = self.0.store.tenant(tenant).await?;
        let found = tx.claim_call(&claim, now).await?;
        if found.is_none() && !tx.make_room_for_calls(ROOM).await? {
            // Dropped, which takes the claim back.
            return Ok(Tried::Full);
        }
        tx.commit().await?;
        Ok(found.map_or(Tried::Claimed, Tried::Other))
    }

    /// Forgets calls whose time is over.
    pub async fn forget_ended(&self) -> Result<u64, StoreError> {
        let mut tx = self.0.store.system().await?;
        let forgotten = tx.forget_calls_once(self.0.clock.now()).await?;
        tx.commit().await?;
        Ok(forgotten)
    }
}

enum Tried {
    Claimed,
    Full,
    Other(OnceRow),
}

impl Inner {
    fn place(tenant: TenantId, id: &[u8; 32]) -> Place<'static> {
        let (row, _) = id.split_at(16);
        let row = Uuid::from_slice(row).expect("sixteen bytes are an id");
        Place { tenant, table: "calls_once", row, column: "answer" }
    }

    /// Opens a kept answer. One that a key has sealed which is gone is as one that was not kept.
    fn open(&self, tenant: TenantId, id: &[u8; 32], answer: Option<String>) -> Option<Vec<u8>> {
        let opened = self.vault.open_sealed(&Self::place(tenant, id), &answer?);
        opened.ok().map(|answer| answer.to_vec())
    }

    async fn end(&self, tenant: TenantId, id: [u8; 32], claim: Uuid, end: End) -> Result<(), StoreError> {
        let mut tx = self.store.tenant(tenant).await?;
        match end {
            End::Done(answer) => {
                let fits = |answer: &Vec<u8>| answer.len() <= ANSWER_BYTES_MAX;
                let sealed = answer
                    .filter(fits)
                    .and_then(|answer| self.vault.seal(&Self::place(tenant, &id), &answer).ok());
                tx.finish_call(&id, claim, OnceState::Done, sealed.as_deref()).await?;
            }
            End::Lost => drop(tx.finish_call(&id, claim, OnceState::Lost, None).await?),
            End::NotMade => tx.release_call(&id, claim).await?,
        }
        tx.commit().await
    }
}

enum End {
    Done(Option<Vec<u8>>),
    Lost,
    NotMade,
}

/// The right to make a call, which nobody else has. Dropping it says that nobody knows what came of the
/// call, or, before it was [`Claim::sent`], that it was not made.
#[derive(Debug)]
pub struct Claim {
    inner: Arc<Inner>,
    tenant: TenantId,
    id: [u8; 32],
    claim: Uuid,
    was_sent: bool,
    beat: JoinHandle<()>,
    /// Whether the row is told what came of it already.
    is_over: bool,
}

impl Claim {
    fn new(inner: Arc<Inner>, tenant: TenantId, id: [u8; 32], claim: Uuid) -> Self {
        let beating = Arc::clone(&inner);
        let beat = tokio::spawn(async move {
            loop {
                tokio::time::sleep(BEAT).await;
                let until = beating.clock.now().plus(ALIVE);
                let moved = async {
                    let mut tx = beating.store.tenant(tenant).await?;
                    let is_ours = tx.keep_call_alive(&id, claim, until).await?;
                    tx.commit().await.map(|()| is_ours)
                };
                if let Ok(false) = moved.await {
                    return;
                }
            }
        });
        Self { inner, tenant, id, claim, was_sent: false, beat, is_over: false }
    }

    /// Says that from here on the call may have been made.
    pub fn sent(&mut self) {
        self.was_sent = true;
    }

    /// Says that the call was not made, although it was sent on its way.
    pub fn not_made(&mut self) {
        self.was_sent = false;
    }

    /// Keeps what came of the call, before anybody is told. What cannot be kept is lost.
    pub async fn done(mut self, answer: Vec<u8>) {
        self.is_over = true;
        let (inner, tenant, id, claim) = (Arc::clone(&self.inner), self.tenant, self.id, self.claim);
        drop(self);
        let kept =
            crate::apart::finish(async move { inner.end(tenant, id, claim, End::Done(Some(answer))).await });
        if let Err(error) = kept.await {
            tracing::warn!(error = &error as &dyn std::error::Error, "what came of a call could not be kept");
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.beat.abort();
        if self.is_over {
            return;
        }
        let end = if self.was_sent { End::Lost } else { End::NotMade };
        let (inner, tenant, id, claim) = (Arc::clone(&self.inner), self.tenant, self.id, self.claim);
        // Outside of a runtime the row says it by itself, a moment later.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = inner.end(tenant, id, claim, end).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the end of a call that is made once could not be written"
                    );
                }
            });
        }
    }
}

fn id(key: &OnceKey<'_>) -> [u8; 32] {
    let (kind, text) = match key.key {
        Some(key) => ("key", key),
        None => ("arguments", key.digest),
    };
    hash(&[&key.user.to_string(), &key.preset.to_string(), key.tool, kind, text])
}

/// Hashes texts so that no two lists of texts are hashed alike.
fn hash(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests;

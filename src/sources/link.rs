//! From a source's id to its live link, from memory.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};

use crate::{
    changes::Change,
    clock::Ms,
    model::{Credential, EraVerdict, Health, HealthState, Reach, Source, SourceId, SourceName, TenantId},
    sources::{Result, SourceError, Sources, credential, look},
    upstream::{Link, Target, UpstreamError},
};

/// How many sources are remembered. When there are more, all are forgotten and the ones in use come
/// back with their next call.
const TARGETS_MAX: usize = 10_000;
/// How long the health noted after one call stands before another call may change it, so that a
/// source that answers every second call does not cause a write for each.
const NOTE_PAUSE_MS: i64 = 5_000;

/// Where the sources in use are.
#[derive(Default)]
pub(super) struct Targets {
    known: ArcSwap<HashMap<SourceId, Arc<Known>>>,
    /// Taken to put an entry in or to take some out.
    edit: Mutex<()>,
    /// Counts the changes heard of.
    generation: AtomicU64,
    /// Held by whoever reads a source, so that many calls at once cost the database one look.
    reading: tokio::sync::Mutex<()>,
}

struct Known {
    tenant: TenantId,
    name: SourceName,
    enabled: bool,
    target: Target,
    /// When the verdict in the target ends; the source is read again then.
    until: Option<Ms>,
    failing: AtomicBool,
    noted_at: AtomicI64,
}

impl Targets {
    /// Forgets what this change makes wrong.
    pub(super) fn forget(&self, change: &Change) {
        let _edit = self.edit.lock().unwrap_or_else(PoisonError::into_inner);
        match change {
            Change::Source(_, id) => {
                self.generation.fetch_add(1, Ordering::SeqCst);
                if self.known.load().contains_key(id) {
                    let mut known = HashMap::clone(&self.known.load());
                    known.remove(id);
                    self.known.store(Arc::new(known));
                }
            }
            Change::Everything => {
                self.generation.fetch_add(1, Ordering::SeqCst);
                self.known.store(Arc::default());
            }
            Change::SourceHealth(..)
            | Change::Preset(..)
            | Change::Key(_)
            | Change::Grant(_)
            | Change::User(_)
            | Change::Plan(_) => {}
        }
    }

    fn get(&self, id: SourceId) -> Option<Arc<Known>> {
        self.known.load().get(&id).map(Arc::clone)
    }

    /// Remembers an entry, unless something changed since `generation`.
    fn put(&self, id: SourceId, entry: &Arc<Known>, generation: u64) {
        let _edit = self.edit.lock().unwrap_or_else(PoisonError::into_inner);
        if self.generation.load(Ordering::SeqCst) != generation {
            return;
        }
        let known = self.known.load();
        let mut known = if known.len() >= TARGETS_MAX { HashMap::new() } else { HashMap::clone(&known) };
        known.insert(id, Arc::clone(entry));
        self.known.store(Arc::new(known));
    }
}

impl Sources {
    /// Returns the live link to a source of this organisation. Answers from memory once it was
    /// asked; a change makes the next call read the source again.
    pub async fn link(&self, tenant: TenantId, source: SourceId) -> Result<Arc<Link>> {
        let known = self.known(tenant, source).await?;
        if !known.enabled {
            return Err(SourceError::Disabled { name: known.name.clone() });
        }
        Ok(self.0.upstreams.link(&known.target))
    }

    /// Takes note of how a call of a source ended, for its health. Costs next to nothing while the
    /// health stays what it is. Must be called inside the runtime.
    pub fn note(&self, tenant: TenantId, source: SourceId, outcome: Result<(), &UpstreamError>) {
        let Some(known) = self.0.targets.get(source).filter(|known| known.tenant == tenant) else { return };
        let failure = match outcome {
            Ok(()) => None,
            Err(error) if tells_of_the_source(error) => Some(error),
            Err(_) => return,
        };
        if known.failing.load(Ordering::Relaxed) == failure.is_some() {
            return;
        }
        let now = self.0.clock.now();
        let last = known.noted_at.load(Ordering::Relaxed);
        let is_mine = now.0 - last >= NOTE_PAUSE_MS
            && known.noted_at.compare_exchange(last, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if !is_mine {
            return;
        }
        known.failing.store(failure.is_some(), Ordering::Relaxed);
        let health = match failure {
            None => Health { state: HealthState::Healthy, detail: String::new(), at: Some(now) },
            Some(error) => look::failing(error.to_string(), now),
        };
        let sources = self.clone();
        tokio::spawn(async move {
            if let Err(error) = sources.keep_health(tenant, source, health).await {
                tracing::warn!(source.id = %source, %error, "could not keep the health of a source");
            }
        });
    }

    async fn known(&self, tenant: TenantId, source: SourceId) -> Result<Arc<Known>> {
        match self.remembered(tenant, source)? {
            Some(known) => Ok(known),
            // Boxed, as what is rarely needed would otherwise take its room in every call.
            None => Box::pin(self.read_known(tenant, source)).await,
        }
    }

    fn remembered(&self, tenant: TenantId, source: SourceId) -> Result<Option<Arc<Known>>> {
        let Some(known) = self.0.targets.get(source) else { return Ok(None) };
        // Another organisation's source and none at all are the same.
        if known.tenant != tenant {
            return Err(SourceError::NotFound);
        }
        let is_good = known.until.is_none_or(|until| self.0.clock.now() < until);
        Ok(is_good.then_some(known))
    }

    async fn read_known(&self, tenant: TenantId, source: SourceId) -> Result<Arc<Known>> {
        let _turn = self.0.targets.reading.lock().await;
        if let Some(known) = self.remembered(tenant, source)? {
            return Ok(known);
        }
        let generation = self.0.targets.generation.load(Ordering::SeqCst);
        let mut tx = self.0.store.read(tenant).await?;
        let found = tx.find_source(source).await?.ok_or(SourceError::NotFound)?;
        let sealed = tx.source_credential(source).await?;
        drop(tx);
        let credential = credential::open(&self.0.vault, tenant, source, sealed.as_deref())?;
        let target = target(&found, credential, self.0.clock.now());
        let known = Arc::new(Known {
            tenant,
            enabled: found.enabled,
            until: target.verdict.as_ref().map(|verdict| verdict.at.plus(EraVerdict::LIFETIME)),
            failing: AtomicBool::new(found.health.state == HealthState::Failing),
            noted_at: AtomicI64::new(0),
            name: found.name,
            target,
        });
        self.0.targets.put(source, &known, generation);
        Ok(known)
    }
}

/// Returns what a link to a source is opened with. A verdict that has ended is left out.
///
/// The target's version follows from what the link depends on, so that a link with its process and
/// its sessions outlives a change of the source's name. Another era is another link, except to a
/// process, which knows its own era from its start.
pub(super) fn target(source: &Source, credential: Credential, now: Ms) -> Target {
    let verdict = source.verdict.clone().filter(|verdict| now.since(verdict.at) < EraVerdict::LIFETIME);
    let era = match (&verdict, &source.reach) {
        (Some(verdict), Reach::McpHttp { .. }) => verdict.era.word(),
        (None, Reach::McpHttp { .. }) | (_, Reach::McpStdio { .. }) => "",
    };
    let mut hasher = Sha256::new();
    let reach = serde_json::to_vec(&source.reach).expect("an address or a command is JSON");
    for part in
        [reach.as_slice(), source.era.word().as_bytes(), era.as_bytes(), &credential::to_json(&credential)]
    {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    let mut version = [0; 8];
    version.copy_from_slice(&digest[..8]);
    Target {
        source: source.id,
        version: i64::from_be_bytes(version),
        reach: source.reach.clone(),
        credential,
        era: source.era,
        verdict,
    }
}

/// Says whether a failure means that the source does not work, and not that this one call was too
/// much for us.
fn tells_of_the_source(error: &UpstreamError) -> bool {
    match error {
        UpstreamError::Unreachable { .. }
        | UpstreamError::Refused(_)
        | UpstreamError::Credential { .. }
        | UpstreamError::NotMcp { .. }
        | UpstreamError::Timeout { .. }
        | UpstreamError::Died { .. }
        | UpstreamError::Protocol { .. } => true,
        UpstreamError::TooLarge { .. } | UpstreamError::Busy { .. } => false,
    }
}

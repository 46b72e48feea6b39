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
    connections::Live,
    model::{
        CaCertificates, ConnectionId, Credential, EraVerdict, Health, HealthState, Reach, RunsAs, Source,
        SourceId, SourceName, TenantId, UserId,
    },
    sources::{Result, SourceError, Sources, credential, look},
    tunnel::TunnelTarget,
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
    /// Whose connection calls run with; `None` if nobody signs in to it.
    runs_as: Option<RunsAs>,
    target: Target,
    /// When the verdict in the target ends; the source is read again then.
    until: Option<Ms>,
    failing: AtomicBool,
    noted_at: AtomicI64,
}

/// The way of a call to a source.
#[derive(Clone, Debug)]
pub struct Way {
    /// The link.
    pub link: Arc<Link>,
    /// The sign-in that it goes with; `None` if nobody signs in to the source.
    pub signed_in: Option<SignedIn>,
}

/// Whose sign-in a call goes with, or would have to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The connection; `None` if there can be none, because nobody knows who the caller is.
    pub connection: Option<ConnectionId>,
    /// Whether it is the caller's own, and not the organisation's.
    pub of_caller: bool,
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
            | Change::Connection(_)
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
    /// Returns the live link to a source of this organisation that the organisation's own requests go
    /// over. Answers from memory once it was asked; a change makes the next call read the source again.
    pub async fn link(&self, tenant: TenantId, source: SourceId) -> Result<Arc<Link>> {
        let known = self.usable(tenant, source).await?;
        if known.runs_as.is_none() {
            return Ok(self.0.upstreams.link(&known.target));
        }
        match self.live(&known, None).await? {
            Some(live) => Ok(self.0.upstreams.link_on(&known.target, Some(&live.lane()))),
            None => Err(self.nobody_signed_in(&known, None).await?),
        }
    }

    /// Returns the way of a call to a source of this organisation: over the credential that its owner
    /// has chosen for this caller, who is `None` if nobody knows who it is.
    pub async fn way(&self, tenant: TenantId, source: SourceId, caller: Option<UserId>) -> Result<Way> {
        let known = self.usable(tenant, source).await?;
        let Some(runs_as) = known.runs_as else {
            return Ok(Way { link: self.0.upstreams.link(&known.target), signed_in: None });
        };
        let own = match (runs_as, caller) {
            (RunsAs::Owner, _) | (_, None) => None,
            (RunsAs::Caller | RunsAs::CallerOrOwner, caller @ Some(_)) => self.live(&known, caller).await?,
        };
        let of_caller = own.is_some();
        let live = match (own, runs_as) {
            (Some(live), _) => Some(live),
            (None, RunsAs::Caller) => None,
            (None, RunsAs::Owner | RunsAs::CallerOrOwner) => self.live(&known, None).await?,
        };
        let Some(live) = live else {
            let who = if runs_as == RunsAs::Owner { None } else { Some(caller) };
            return Err(self.nobody_signed_in(&known, who).await?);
        };
        let link = self.0.upstreams.link_on(&known.target, Some(&live.lane()));
        Ok(Way { link, signed_in: Some(SignedIn { connection: Some(live.id()), of_caller }) })
    }

    /// Returns a connection to a source, if it is for the address that the source has.
    async fn live(&self, known: &Known, user: Option<UserId>) -> Result<Option<Arc<Live>>> {
        let live = self.0.connections.live(known.tenant, known.target.source, user).await?;
        Ok(live.filter(|live| match &known.target.reach {
            Reach::McpHttp { url } => live.is_for(url),
            Reach::McpStdio { .. } | Reach::SparkHistory { .. } => false,
        }))
    }

    /// Says that somebody has to sign in, and where: the organisation, or the caller, who may be
    /// nobody that anyone knows.
    async fn nobody_signed_in(&self, known: &Known, who: Option<Option<UserId>>) -> Result<SourceError> {
        let connection = match who {
            Some(None) => None,
            Some(Some(user)) => Some(Some(user)),
            None => Some(None),
        };
        let connection = match connection {
            Some(user) => Some(self.0.connections.want(known.tenant, known.target.source, user).await?.id),
            None => None,
        };
        let signed_in = SignedIn { connection, of_caller: who.is_some() };
        Ok(SourceError::SignIn { name: known.name.clone(), signed_in })
    }

    async fn usable(&self, tenant: TenantId, source: SourceId) -> Result<Arc<Known>> {
        let known = self.known(tenant, source).await?;
        if known.enabled { Ok(known) } else { Err(SourceError::Disabled { name: known.name.clone() }) }
    }

    /// Takes note of how a call of a source ended, for its health. Costs next to nothing while the
    /// health stays what it is. Must be called inside the runtime.
    pub fn note(&self, tenant: TenantId, source: SourceId, outcome: Result<(), &UpstreamError>) {
        let Some(known) = self.0.targets.get(source).filter(|known| known.tenant == tenant) else { return };
        let failure = match outcome {
            // Whether one person's sign-in is good says nothing of the source.
            Err(UpstreamError::Credential { .. })
                if known.runs_as.is_some_and(|as_| as_ != RunsAs::Owner) =>
            {
                return;
            }
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
        let tunnel = self.tunnel_target(tenant, found.tunnel).await?;
        let target = target(&found, credential, tunnel, self.0.clock.now());
        let known = Arc::new(Known {
            tenant,
            enabled: found.enabled,
            runs_as: found.is_signed_in_to().then_some(found.runs_as),
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
pub(super) fn target(
    source: &Source,
    credential: Credential,
    tunnel: Option<Arc<TunnelTarget>>,
    now: Ms,
) -> Target {
    let verdict = source.verdict.clone().filter(|verdict| now.since(verdict.at) < EraVerdict::LIFETIME);
    let era = match (&verdict, &source.reach) {
        (Some(verdict), Reach::McpHttp { .. }) => verdict.era.word(),
        (None, Reach::McpHttp { .. }) | (_, Reach::McpStdio { .. } | Reach::SparkHistory { .. }) => "",
    };
    let mut hasher = Sha256::new();
    let way = tunnel.as_ref().map(|tunnel| format!("{} {}", tunnel.id, tunnel.version)).unwrap_or_default();
    let authorities = source.ca_certificates.as_ref().map(CaCertificates::as_str).unwrap_or_default();
    let reach = serde_json::to_vec(&source.reach).expect("an address or a command is JSON");
    for part in [
        reach.as_slice(),
        source.era.word().as_bytes(),
        era.as_bytes(),
        way.as_bytes(),
        authorities.as_bytes(),
        &credential::to_json(&credential),
    ] {
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
        tunnel,
        ca_certificates: source.ca_certificates.clone(),
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

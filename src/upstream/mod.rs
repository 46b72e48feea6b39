//! One live MCP link to one source: streamable HTTP of both eras, the HTTP transport of 2024-11-05, or
//! a process.
//!
//! A link knows the source's era, keeps its sessions or processes, gives every request an id of its
//! own and passes answers on byte for byte. A question that a legacy source asks in the middle of a
//! call is told in the call's stream; changes outside calls are told to who watches. Never decides
//! who may call, and never knows a caller: no caller's id, token or header travels over a link, only
//! what callers can be asked, and a key that keeps those apart who can be asked anything.
//!
//! What is no MCP server at all is answered for by something inside this program, behind
//! [`Inside`]. A new transport is a folder beside `http` and an arm in `link.rs`; where many requests share one
//! connection, `mux` finds the one that an answer is for.

mod beside;
mod breaker;
mod call;
mod era;
mod error;
mod http;
mod inside;
mod link;
mod mux;
mod offer;
mod parts;
mod probe;
pub mod stdio;
#[cfg(test)]
mod tests;
mod tokens;
mod watch;
mod wire;

use std::{
    collections::HashMap,
    ffi::OsString,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::{
    clock::{Clock, Ms},
    egress::Egress,
    model::{CaCertificates, Credential, EraSetting, EraVerdict, Reach, SourceId},
    tunnel::{TunnelLimits, TunnelTarget, Tunnels},
};

pub use beside::Beside;
pub use call::{Answer, Call, Event, EventStream, Partition, QuestionId, Reply, ReplyBody};
pub use error::UpstreamError;
pub use inside::{Inside, Insides};
pub use link::Link;
pub use offer::{Listing, Offer};
pub use probe::{ProbeReport, Step, StepOutcome};
pub use tokens::{Lane, Refusal, Tokens};
pub use watch::{Notice, Watch, WatchFilter};

/// The bounds of links.
#[derive(Clone, Debug)]
pub struct UpstreamLimits {
    /// How long finding out the era of an HTTP source, or opening a session there, may take.
    pub handshake_timeout: Duration,
    /// How long a process may take until it has shaken hands. A first start may download it.
    pub start_timeout: Duration,
    /// How long a process may be silent about `server/discover` before it is asked to initialize
    /// instead: some legacy servers never answer what they do not know.
    pub silence_timeout: Duration,
    /// How long listing one page may take.
    pub list_timeout: Duration,
    /// How many pages of one list are read.
    pub list_pages_max: usize,
    /// How many entries of one list of a source are read.
    pub list_items_max: usize,
    /// The first wait before the stream of changes at a source is opened again after it was lost;
    /// doubled each time.
    pub watch_pause: Duration,
    /// The longest wait before the stream of changes at a source is opened again.
    pub watch_pause_max: Duration,
    /// How long a source is listened to after nobody watches it any more. Whoever comes back within
    /// it finds the stream that is there: some sources say nothing on a stream that is opened before
    /// they have noticed that the one before it is gone.
    pub watch_linger: Duration,
    /// The largest answer, or line of a process, in bytes.
    pub answer_bytes_max: usize,
    /// How many failures to connect in a row make a link answer without trying.
    pub breaker_failures: u32,
    /// How long it then does so the first time; doubled each time, up to sixteen times as long.
    pub breaker_pause: Duration,
    /// How many sessions are kept at one legacy source for calls that must be kept apart: of callers
    /// who can be asked something, or want log messages. The least recently used makes room.
    pub sessions_max: usize,
    /// How long a session at a source may be unused before it is ended.
    pub session_idle: Duration,
    /// How often in a row the stream of a call is asked for again after it broke off.
    pub resumptions_max: u32,
    /// The first wait before the stream of a call is asked for again, where the source names none;
    /// doubled each time.
    pub resume_pause: Duration,
    /// How long an answer waits for log messages that come beside it, over a connection of their own,
    /// where the caller wants any and the source is known to send them so, or not yet known not to.
    pub late_logs: Duration,
    /// How many processes of one legacy source may run for calls that must be kept apart.
    pub processes_per_source_max: usize,
    /// How many processes may run at once.
    pub processes_max: usize,
    /// How long a process may be unused before it is ended.
    pub process_idle: Duration,
    /// How long a process is given to end before it is killed.
    pub process_grace: Duration,
    /// The first wait before a process that ended is started again; doubled each time.
    pub restart_pause: Duration,
    /// The longest wait before a process that ended is started again.
    pub restart_pause_max: Duration,
    /// How many lines of a process's standard error are kept.
    pub stderr_lines_max: usize,
    /// Where a program without a `/` in its name is looked for, in the form of `PATH`. The process
    /// itself gets only the environment that the source's owner configured.
    pub program_path: OsString,
    /// Where the empty working folders of processes are made.
    pub working_dirs: PathBuf,
    /// What makes sure that no process outlives the server.
    pub guard: GuardProgram,
    /// The bounds of tunnels to sources.
    pub tunnel: TunnelLimits,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(20),
            start_timeout: Duration::from_secs(90),
            silence_timeout: Duration::from_secs(5),
            list_timeout: Duration::from_secs(30),
            list_pages_max: 64,
            list_items_max: 4096,
            watch_pause: Duration::from_secs(1),
            watch_pause_max: Duration::from_secs(60),
            watch_linger: Duration::from_secs(30),
            answer_bytes_max: 16 * 1024 * 1024,
            breaker_failures: 3,
            breaker_pause: Duration::from_secs(2),
            sessions_max: 256,
            session_idle: Duration::from_secs(30 * 60),
            resumptions_max: 6,
            resume_pause: Duration::from_millis(200),
            late_logs: Duration::from_millis(20),
            processes_per_source_max: 8,
            processes_max: 32,
            process_idle: Duration::from_secs(15 * 60),
            process_grace: Duration::from_secs(3),
            restart_pause: Duration::from_secs(1),
            restart_pause_max: Duration::from_secs(60),
            stderr_lines_max: 200,
            program_path: OsString::from("/usr/local/bin:/usr/bin:/bin"),
            working_dirs: std::env::temp_dir(),
            guard: GuardProgram::CurrentExe,
            tunnel: TunnelLimits::default(),
        }
    }
}

/// The program that stands between the server and a source's process and ends the process, and
/// everything it started, when the server is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuardProgram {
    /// The running program itself, called with `__guard` as its first argument.
    CurrentExe,
    /// This program, called with `__guard` as its first argument.
    Path(PathBuf),
    /// None: a process ends with the server only when the server ends in order. For tests.
    None,
}

/// Everything needed to open a link to a source.
#[derive(Clone, Debug)]
pub struct Target {
    /// The source.
    pub source: SourceId,
    /// Counts the edits of the source; a link is rebuilt when it differs.
    pub version: i64,
    /// Where the source is.
    pub reach: Reach,
    /// How Doorward shows itself to it.
    pub credential: Credential,
    /// What the owner says of its era.
    pub era: EraSetting,
    /// What an earlier probe found.
    pub verdict: Option<EraVerdict>,
    /// The tunnel it is reached through; `None` = this machine's network. Not for processes.
    pub tunnel: Option<Arc<TunnelTarget>>,
    /// Whom to trust to sign its certificate, beside those whom this machine trusts.
    pub ca_certificates: Option<CaCertificates>,
}

/// What a link is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Not in use: nothing is open.
    Idle,
    /// Open, or its process running.
    Up,
    /// It failed a moment ago and is not tried for a while.
    Paused,
}

/// What an owner may know of a link.
#[derive(Clone, Debug)]
pub struct LinkStatus {
    /// What it is doing.
    pub state: LinkState,
    /// Since when.
    pub since: Ms,
    /// How often its process was started again after it ended by itself.
    pub restarts: u32,
    /// The process's number, while one runs.
    pub pid: Option<u32>,
    /// The last lines of its standard error, oldest first.
    pub stderr: Vec<String>,
    /// Why it last failed.
    pub last_error: Option<String>,
}

/// How many links with tokens of their own are kept, of all sources together. When there are more,
/// those nobody holds make room.
const LANES_MAX: usize = 1024;

/// How long calls on a link that has been replaced may go on.
const REPLACED_GRACE: Duration = Duration::from_secs(120);

/// Every live link; cheap to clone.
#[derive(Clone, Debug)]
pub struct Upstreams(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    egress: Egress,
    tunnels: Tunnels,
    clock: Clock,
    limits: Arc<UpstreamLimits>,
    /// Opens what answers in place of sources that speak no MCP.
    insides: Option<Arc<dyn Insides>>,
    /// One permit for each process that may run.
    slots: Arc<Semaphore>,
    /// By source and lane; the nil lane is the one without tokens of its own.
    links: RwLock<HashMap<(SourceId, Uuid), Held>>,
}

#[derive(Clone, Debug)]
struct Held {
    version: i64,
    tokens: Option<Arc<dyn Tokens>>,
    link: Arc<Link>,
}

impl Held {
    fn is_for(&self, target: &Target, lane: Option<&Lane>) -> bool {
        let same_tokens = match (&self.tokens, lane) {
            (None, None) => true,
            (Some(tokens), Some(lane)) => Arc::ptr_eq(tokens, &lane.tokens),
            (None, Some(_)) | (Some(_), None) => false,
        };
        same_tokens && self.version == target.version
    }
}

impl Upstreams {
    /// Makes an empty set of links, and removes the working folders of processes that a killed
    /// server has left behind.
    pub fn new(egress: Egress, clock: Clock, limits: UpstreamLimits) -> Self {
        Self::with_insides(egress, clock, limits, None)
    }

    /// Makes an empty set of links as [`Upstreams::new`] does, some of which lead to what is inside
    /// this program.
    pub fn with_insides(
        egress: Egress,
        clock: Clock,
        limits: UpstreamLimits,
        insides: Option<Arc<dyn Insides>>,
    ) -> Self {
        stdio::sweep_folders(&limits.working_dirs);
        let slots = Arc::new(Semaphore::new(limits.processes_max));
        let tunnels = Tunnels::new(egress.clone(), clock.clone(), limits.tunnel.clone());
        let limits = Arc::new(limits);
        Self(Arc::new(Inner { egress, tunnels, clock, limits, insides, slots, links: RwLock::default() }))
    }

    /// Returns the door that sources are reached by.
    pub fn egress(&self) -> &Egress {
        &self.0.egress
    }

    /// Returns the live tunnels.
    pub fn tunnels(&self) -> &Tunnels {
        &self.0.tunnels
    }

    /// Returns the link to a source, the same one for every call until the target's version
    /// changes. Connects to nothing; the first call does.
    pub fn link(&self, target: &Target) -> Arc<Link> {
        self.link_on(target, None)
    }

    /// Returns the link to a source on a lane of its own, or on the common one.
    pub fn link_on(&self, target: &Target, lane: Option<&Lane>) -> Arc<Link> {
        let key = (target.source, lane.map_or(Uuid::nil(), |lane| lane.id));
        let current = |held: &Held| held.is_for(target, lane).then(|| Arc::clone(&held.link));
        let links = self.0.links.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = links.get(&key).and_then(current) {
            return link;
        }
        drop(links);
        let mut links = self.0.links.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = links.get(&key).and_then(current) {
            return link;
        }
        if lane.is_some() && links.len() >= LANES_MAX {
            let is_unused = |_: &(SourceId, Uuid), held: &mut Held| {
                held.tokens.is_some() && Arc::strong_count(&held.link) == 1
            };
            replace(links.extract_if(is_unused).map(|(_, held)| held));
        }
        let tokens = lane.map(|lane| Arc::clone(&lane.tokens));
        let link = Arc::new(self.open(target, tokens.clone()));
        let held = Held { version: target.version, tokens, link: Arc::clone(&link) };
        replace(links.insert(key, held));
        link
    }

    fn open(&self, target: &Target, tokens: Option<Arc<dyn Tokens>>) -> Link {
        let egress = self.door(target);
        match &target.tunnel {
            None => self.open_by(&egress, target, tokens),
            Some(tunnel) => {
                let tunnel = self.0.tunnels.for_source(target.source, tunnel);
                self.open_by(&egress.through(tunnel), target, tokens)
            }
        }
    }

    /// Returns the door that trusts whom the source's owner does.
    fn door(&self, target: &Target) -> Egress {
        self.0.egress.trusting(CaCertificates::all(target.ca_certificates.as_ref()))
    }

    fn open_by(&self, egress: &Egress, target: &Target, tokens: Option<Arc<dyn Tokens>>) -> Link {
        let Inner { clock, limits, insides, slots, .. } = self.0.as_ref();
        Link::new(egress, clock, limits, slots, insides.as_deref(), target, tokens)
    }

    /// Closes every link to a source, and ends its process. Calls in flight to a process fail.
    pub fn close(&self, source: SourceId) {
        let mut links = self.0.links.write().unwrap_or_else(PoisonError::into_inner);
        for (_, held) in links.extract_if(|(of, _), _| *of == source) {
            in_background(async move { held.link.close().await });
        }
    }

    /// Returns what the link to a source without tokens of its own is doing; `None` when there is none.
    pub fn status(&self, source: SourceId) -> Option<LinkStatus> {
        let links = self.0.links.read().unwrap_or_else(PoisonError::into_inner);
        links.get(&(source, Uuid::nil())).map(|held| held.link.status())
    }

    /// Tries a source step by step, over a link of its own, and keeps nothing of it. The era is
    /// found out anew whatever the target says of it.
    pub async fn probe(&self, target: &Target, tokens: Option<Arc<dyn Tokens>>) -> ProbeReport {
        let tunnel = target.tunnel.as_ref().map(|tunnel| Arc::new(self.0.tunnels.fresh(tunnel)));
        let door = self.door(target);
        let egress = match &tunnel {
            None => door,
            Some(tunnel) => door.through(Arc::clone(tunnel) as _),
        };
        let link = self.open_by(&egress, &Target { verdict: None, ..target.clone() }, tokens);
        let report = probe::run(&egress, tunnel.as_deref(), &target.reach, &link).await;
        link.close().await;
        report
    }

    /// Ends processes, sessions and tunnels that have not been used for a while; called by a background job.
    pub fn end_idle(&self) {
        for link in self.all() {
            link.end_if_idle();
        }
        self.0.tunnels.end_idle();
    }

    /// Closes every link and waits until every process has ended.
    pub async fn shutdown(&self) {
        let closing = self.all();
        self.0.links.write().unwrap_or_else(PoisonError::into_inner).clear();
        futures::future::join_all(closing.iter().map(|link| link.close())).await;
        self.0.tunnels.shutdown().await;
        // Processes that were being started or replaced end on their own; each gives its permit
        // back when it has.
        let all = u32::try_from(self.0.limits.processes_max).unwrap_or(u32::MAX);
        let patience = self.0.limits.process_grace * 3;
        let _ = tokio::time::timeout(patience, self.0.slots.acquire_many(all)).await;
    }

    fn all(&self) -> Vec<Arc<Link>> {
        let links = self.0.links.read().unwrap_or_else(PoisonError::into_inner);
        links.values().map(|held| Arc::clone(&held.link)).collect()
    }
}

/// Ends links in whose place there are others, once those who hold them have finished what they have
/// begun.
fn replace(replaced: impl IntoIterator<Item = Held>) {
    for held in replaced {
        held.link.end_watches();
        in_background(async move {
            let _ = tokio::time::timeout(REPLACED_GRACE, held.link.drained()).await;
            held.link.close().await;
        });
    }
}

/// Does something that nobody waits for, if there is a runtime to do it.
fn in_background(work: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(work);
    }
}

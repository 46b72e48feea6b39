//! The path of a call: from a request at `/mcp/<owner>/<slug>` to the source and back.
//!
//! `answer.rs` is the table of contents, one stage a line; `requests.rs` has what a source answers and
//! `run.rs` the stages of that, `lists.rs` what is answered from memory, `streams.rs` and `listen.rs`
//! what stays open. `work.rs` says what happens while a source works, the questions it asks included.
//! Never checks `Host` (the server does, before anything is read), never speaks to a source itself
//! (`upstream`), and never decides who may call (`policy`).
//!
//! One more method: an arm in `Proxy::modern` or `Proxy::legacy`.

mod analyst;
mod answer;
mod asker;
mod body;
mod call;
mod dialogue;
mod elsewhere;
mod events;
mod exchange;
mod feed;
mod grants;
mod leave;
mod ledger;
mod listen;
mod lists;
mod once;
mod origin;
mod params;
mod park;
mod requests;
mod run;
mod running;
mod seal;
mod session;
mod sessions;
mod state;
mod streams;
mod tasks;
#[cfg(test)]
mod tests;
mod words;
mod work;

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Method as HttpMethod};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::{
    audit::Audit,
    changes::Changes,
    clock::Clock,
    identity::Identity,
    mcp::headers::Accepts,
    policy::CallPermit,
    presets::{Presets, RouteTable},
    proxy::{grants::Narrowed, listen::Listens, park::Park, seal::Sealer, sessions::Sessions},
    quota::{Once, Quota},
    replicas::Replicas,
    sources::Sources,
};

pub use analyst::{Analyst, NotBegun, RunningAnalysis, WantedAnalysis};
pub use body::{ProxyAnswer, ProxyBody};
pub use dialogue::{ANSWER_MAX, CALL_QUESTIONS_MAX, ROUNDS_MAX};
pub use events::{ALL_EVENT_BYTES_MAX, EVENT_BYTES_MAX, EVENTS_MAX, KEPT_MAX};
pub use exchange::SILENCE_MAX;
pub use listen::LISTENS_PER_HOLDER_MAX;
pub use park::{PARKED_BYTES_MAX, PARKED_FOR_MAX, PARKED_MAX, PARKED_PER_HOLDER_MAX};
pub use session::{OPEN_CALLS_MAX, OPEN_QUESTIONS_MAX, PAGES_MAX, WATCHED_MAX};
pub use sessions::{IDLE_MAX, PER_PERSON_MAX, PER_PUBLIC_PRESET_MAX, TAKEN_OVER_FOR};
pub use streams::STREAM_AGE_MAX;

/// What the path of a call needs to know.
#[derive(Clone, Debug)]
pub struct ProxySettings {
    /// The address people and agents use, without a slash at the end; empty if nobody said.
    pub base_url: String,
    /// The same, if somebody configured it; otherwise callers are told the one they used.
    pub public_url: Option<String>,
    /// Origins of web pages whose scripts may call presets, beside our own.
    pub allowed_origins: Vec<String>,
    /// The largest body of a request, in bytes. The server reads no more than this.
    pub request_bytes_max: usize,
    /// How long a tool may take, its stream included, in milliseconds.
    pub call_timeout_ms: u64,
}

impl Default for ProxySettings {
    fn default() -> Self {
        Self {
            base_url: String::new(),
            public_url: None,
            allowed_origins: Vec::new(),
            request_bytes_max: 4 * 1024 * 1024,
            call_timeout_ms: 300_000,
        }
    }
}

/// One HTTP request to a preset's address.
#[derive(Debug)]
pub struct ProxyRequest<'a> {
    /// The owner's part of the address, as it came.
    pub owner: &'a str,
    /// The preset's part of the address, as it came.
    pub slug: &'a str,
    /// The method.
    pub method: &'a HttpMethod,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body, all of it. [`Proxy::too_large`] answers one that was not read to its end.
    pub body: Bytes,
    /// Where the caller is.
    pub address: IpAddr,
    /// The request's id, as in the logs.
    pub request_id: &'a str,
    /// Whether it is answered here, whatever it names: another process has handed it on, or it has no credential that
    /// another one would know its caller by.
    pub stays: bool,
}

/// What a proxy is made of.
#[expect(missing_docs, reason = "each part is described by its room")]
pub struct ProxyParts {
    pub identity: Identity,
    pub presets: Presets,
    pub sources: Sources,
    pub quota: Quota,
    pub once: Once,
    pub audit: Audit,
    pub analyst: Arc<dyn Analyst>,
    pub changes: Changes,
    pub replicas: Replicas,
    pub clock: Clock,
    /// Keys for what callers carry between two requests; the first one seals. Not empty.
    pub keys: Vec<Zeroizing<[u8; 32]>>,
}

/// What the keys of [`ProxyParts`] are for.
pub const KEY_PURPOSE: &str = "proxy";

/// Answers calls; cheap to clone.
#[derive(Clone)]
pub struct Proxy(Arc<Inner>);

struct Inner {
    identity: Identity,
    presets: Presets,
    sources: Sources,
    quota: Quota,
    once: Once,
    audit: Audit,
    analyst: Arc<dyn Analyst>,
    changes: Changes,
    replicas: Replicas,
    clock: Clock,
    settings: ProxySettings,
    patience: Patience,
    sealer: Sealer,
    narrowed: Narrowed,
    sessions: Sessions,
    park: Park,
    listens: Listens,
    /// Cancelled when what stays open is to end.
    drained: CancellationToken,
}

/// How long things are waited for; shorter in tests.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// How long nothing is heard before the caller is shown that its request lives.
    silence: Duration,
    /// How long a legacy caller may take to answer a question.
    answer: Duration,
    /// How long a modern caller may take to come back with answers.
    parked: Duration,
    /// How long a stream stays open.
    stream: Duration,
    /// How long what changes is kept for a legacy caller whose stream broke.
    back: Duration,
    /// How long a source that only wants to be asked again is left alone; longer each time.
    again: Duration,
}

/// How long a source that only wants to be asked again is left alone after the first time.
const AGAIN_PAUSE: Duration = Duration::from_millis(100);

impl Default for Patience {
    fn default() -> Self {
        Self {
            silence: SILENCE_MAX,
            answer: ANSWER_MAX,
            parked: PARKED_FOR_MAX,
            stream: STREAM_AGE_MAX,
            back: streams::AWAY_MAX,
            again: AGAIN_PAUSE,
        }
    }
}

/// Everything known of a request once its caller may use the preset.
struct Guest<'r> {
    request: &'r ProxyRequest<'r>,
    begun: Instant,
    accepts: Accepts,
    permit: CallPermit,
    table: Arc<RouteTable>,
}

impl Proxy {
    /// Makes a proxy without sessions.
    pub fn new(parts: ProxyParts, settings: ProxySettings) -> Self {
        let ProxyParts {
            identity,
            presets,
            sources,
            quota,
            once,
            audit,
            analyst,
            changes,
            replicas,
            clock,
            keys,
        } = parts;
        Self(Arc::new(Inner {
            identity,
            presets,
            sources,
            quota,
            once,
            audit,
            analyst,
            changes,
            replicas,
            clock,
            settings,
            patience: Patience::default(),
            sealer: Sealer::new(&keys),
            narrowed: Narrowed::default(),
            sessions: Sessions::default(),
            park: Park::default(),
            listens: Listens::default(),
            drained: CancellationToken::new(),
        }))
    }

    /// Ends legacy sessions that nobody uses. To be called every minute or so.
    pub fn end_idle(&self) {
        self.0.sessions.end_idle(self.0.clock.now());
    }

    /// Ends every stream that tells of changes, in order, and every call that waits for answers. What
    /// is answered at once goes on. Called once, when the server begins to stop.
    pub fn drain(&self) {
        self.0.drained.cancel();
    }

    /// Returns how many legacy sessions there are.
    pub fn sessions(&self) -> usize {
        self.0.sessions.count()
    }

    /// Returns how many calls wait for their callers' answers.
    pub fn parked(&self) -> usize {
        self.0.park.count()
    }

    /// Returns how many streams tell modern callers of changes.
    pub fn listening(&self) -> usize {
        self.0.listens.count()
    }
}

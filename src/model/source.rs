//! Data sources: what a user connects, and how it is reached.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    clock::Ms,
    model::{
        CaCertificates, CallRules, OauthClient, RunsAs, SourceId, SourceName, TenantId, TunnelId, words,
    },
    secret::Secret,
};

/// The kinds of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// An MCP server by URL.
    McpHttp,
    /// An MCP server started as a process.
    McpStdio,
    /// A Spark History Server, shown as tools.
    SparkHistory,
}
words!(SourceKind { McpHttp = "mcp_http", McpStdio = "mcp_stdio", SparkHistory = "spark_history" });

/// Where a source is. Holds nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Reach {
    /// An MCP server by URL.
    McpHttp {
        /// The endpoint; `http` or `https`, without user information and fragment.
        url: Url,
    },
    /// An MCP server started as a process: an argument array, never a shell line.
    McpStdio {
        /// Program and arguments, at least one.
        command: Vec<String>,
        /// The folder it runs in; `None` = an empty folder of its own.
        working_dir: Option<PathBuf>,
    },
    /// A Spark History Server, shown as tools.
    SparkHistory {
        /// Where its pages begin, the prefix of a proxy included, without `/api/v1`.
        url: Url,
    },
}

impl Reach {
    /// Returns the kind.
    pub fn kind(&self) -> SourceKind {
        match self {
            Self::McpHttp { .. } => SourceKind::McpHttp,
            Self::McpStdio { .. } => SourceKind::McpStdio,
            Self::SparkHistory { .. } => SourceKind::SparkHistory,
        }
    }

    /// Returns the address of what is reached by one; `None` = a process.
    pub fn url(&self) -> Option<&Url> {
        match self {
            Self::McpHttp { url } | Self::SparkHistory { url } => Some(url),
            Self::McpStdio { .. } => None,
        }
    }
}

/// How Doorward shows itself to a source. Sealed by the vault as a whole.
#[derive(Clone, Debug, Default)]
pub struct Credential {
    /// What goes into the HTTP request.
    pub auth: Auth,
    /// The environment of a process; nothing else is in it.
    pub env: BTreeMap<String, Secret>,
}

impl Credential {
    /// Says whether there is nothing to keep secret.
    pub fn is_empty(&self) -> bool {
        matches!(self.auth, Auth::None) && self.env.is_empty()
    }
}

/// What an HTTP request to a source carries.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    /// Nothing.
    #[default]
    None,
    /// `Authorization: Bearer …`.
    Bearer(Secret),
    /// `Authorization: Basic …` (RFC 7617).
    Basic {
        /// The user name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A header of the source's own.
    Header {
        /// The header's name.
        name: String,
        /// Its value.
        value: Secret,
    },
    /// The token of a connection: somebody signs in at the source's issuer.
    Oauth(OauthClient),
    /// A short-lived token that Doorward signs with this key (HS256, RFC 7515), as Spark's own
    /// `JWSFilter` wants it. The key is written as base64url.
    Jws(Secret),
}

impl Auth {
    /// The word for sources that are signed in to.
    pub const OAUTH: &'static str = "oauth";

    /// Returns the word for the kind, which is no secret.
    pub fn word(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bearer(_) => "bearer",
            Self::Basic { .. } => "basic",
            Self::Header { .. } => "header",
            Self::Oauth(_) => Self::OAUTH,
            Self::Jws(_) => "jws",
        }
    }
}

/// The two halves of the protocol's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// Revision 2026-07-28 and later: stateless.
    Modern,
    /// Revision 2025-11-25 and earlier: `initialize`, sessions.
    Legacy,
}
words!(Era { Modern = "modern", Legacy = "legacy" });

/// What the owner says of a source's era.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EraSetting {
    /// Probe, remember for a day, probe again.
    #[default]
    Auto,
    /// Never `initialize`.
    Modern,
    /// Always `initialize`.
    Legacy,
    /// The transport of 2024-11-05, HTTP with server-sent events; always `initialize`. Not for
    /// processes.
    Sse,
}
words!(EraSetting { Auto = "auto", Modern = "modern", Legacy = "legacy", Sse = "sse" });

/// How messages travel to a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceTransport {
    /// Streamable HTTP.
    Http,
    /// A process's standard input and output.
    Stdio,
}
words!(SourceTransport { Http = "http", Stdio = "stdio" });

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EraVerdict {
    /// The era.
    pub era: Era,
    /// The revision spoken, as on the wire.
    pub revision: String,
    /// What the server calls itself, as `name version`; for display only.
    pub server: String,
    /// When it was found.
    pub at: Ms,
}

impl EraVerdict {
    /// How long a verdict is believed. A stale modern verdict fails loudly, a stale legacy one
    /// works silently for ever, so it ends.
    pub const LIFETIME: Duration = Duration::from_secs(24 * 3600);
}

/// Whether a source can be used, as last seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HealthState {
    /// Not tried yet.
    #[default]
    Unknown,
    /// The last contact worked.
    Healthy,
    /// The last contact failed.
    Failing,
}
words!(HealthState { Unknown = "unknown", Healthy = "healthy", Failing = "failing" });

/// Whether a source can be used, and the reason if not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The state.
    pub state: HealthState,
    /// Why it fails, in words for the owner; empty when healthy.
    pub detail: String,
    /// When that was seen; `None` = never.
    pub at: Option<Ms>,
}

/// A data source. Its credential is not part of it: `sources` opens that at the moment of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Names it.
    pub id: SourceId,
    /// The organisation that owns it.
    pub tenant: TenantId,
    /// What its owner calls it.
    pub name: SourceName,
    /// Where it is.
    pub reach: Reach,
    /// The tunnel through which it is reached; `None` = this machine's network.
    pub tunnel: Option<TunnelId>,
    /// Whom its owner trusts to sign its certificate, beside those whom this machine trusts.
    pub ca_certificates: Option<CaCertificates>,
    /// The kind of credential kept, in the words of [`Auth::word`].
    pub auth_kind: String,
    /// Whose connection calls run with, where people sign in to it.
    pub runs_as: RunsAs,
    /// The names of the environment variables kept, never their values.
    pub env_names: Vec<String>,
    /// What the owner says of its era.
    pub era: EraSetting,
    /// What the last probe found.
    pub verdict: Option<EraVerdict>,
    /// Whether it may be used.
    pub enabled: bool,
    /// Whether it can be used.
    pub health: Health,
    /// How fast calls may come.
    pub rules: CallRules,
    /// Counts the edits; an edit names the version it saw.
    pub version: i64,
    /// When it was made.
    pub created_at: Ms,
    /// When it was last edited.
    pub updated_at: Ms,
}

impl Source {
    /// Says whether somebody signs in to it.
    pub fn is_signed_in_to(&self) -> bool {
        self.auth_kind == Auth::OAUTH
    }
}

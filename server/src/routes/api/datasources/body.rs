//! What is sent and read of data sources, as JSON.

use std::{collections::BTreeMap, path::PathBuf};

use doorward::{
    model::{
        Auth, CaCertificates, CallRules, EraSetting, Health, HealthState, OauthClient, Reach, RunsAs, Source,
        SourceId, SourceKind, SourceName, ToolState, TunnelId,
    },
    secret::Secret,
    sources::ResourceView,
    upstream::{ProbeReport, Step, StepOutcome},
};
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use crate::{routes::api::time, take::present};

/// A data source. What is secret of it is never sent.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct DataSource {
    #[schema(value_type = String, format = "uuid")]
    id: SourceId,
    /// What its owner calls it.
    #[schema(value_type = String)]
    pub(super) name: SourceName,
    /// `mcp_http` or `mcp_stdio`.
    #[schema(value_type = String)]
    kind: SourceKind,
    /// The endpoint of an `mcp_http` source, the address of a `spark_history` source.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Program and arguments of an `mcp_stdio` source.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<Vec<String>>,
    /// The folder an `mcp_stdio` source runs in, if it is not one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    working_dir: Option<PathBuf>,
    /// The tunnel a source is reached through; absent if it is reached directly.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid")]
    tunnel: Option<TunnelId>,
    /// Whom its owner trusts to sign its certificate, beside those whom the gateway's machine trusts: X.509
    /// certificates as PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    ca_certificates: Option<CaCertificates>,
    /// The kind of credential kept: `none`, `bearer`, `basic`, `header`, `oauth` or `jws`.
    auth: String,
    /// Whose sign-in calls run with, where `auth` is `oauth`: `owner`, `caller` or `caller_or_owner`.
    #[schema(value_type = String)]
    runs_as: RunsAs,
    /// The names of the environment variables kept.
    env: Vec<String>,
    /// `auto`, `modern`, `legacy` or `sse`.
    #[schema(value_type = String)]
    era: EraSetting,
    /// The protocol revision found.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    /// Whether it may be used.
    enabled: bool,
    /// Whether it can be used, as last seen.
    health: HealthBody,
    /// How fast calls may come; absent if nothing is said.
    #[serde(skip_serializing_if = "CallRules::is_empty")]
    #[schema(value_type = Option<Object>)]
    rules: CallRules,
    /// Counts the edits; send it with an edit.
    version: i64,
    created_at: String,
    updated_at: String,
}

/// Whether a source can be used.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct HealthBody {
    /// `unknown`, `healthy` or `failing`.
    #[schema(value_type = String)]
    state: HealthState,
    /// Why it fails.
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    /// When that was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
}

impl From<Health> for HealthBody {
    fn from(health: Health) -> Self {
        Self { state: health.state, detail: health.detail, at: health.at.map(time) }
    }
}

impl From<Source> for DataSource {
    fn from(source: Source) -> Self {
        let kind = source.reach.kind();
        let (url, command, working_dir) = match source.reach {
            Reach::McpHttp { url } | Reach::SparkHistory { url } => (Some(url.to_string()), None, None),
            Reach::McpStdio { command, working_dir } => (None, Some(command), working_dir),
        };
        Self {
            id: source.id,
            name: source.name,
            kind,
            url,
            command,
            working_dir,
            tunnel: source.tunnel,
            ca_certificates: source.ca_certificates,
            auth: source.auth_kind,
            runs_as: source.runs_as,
            env: source.env_names,
            era: source.era,
            revision: source.verdict.map(|verdict| verdict.revision),
            enabled: source.enabled,
            health: source.health.into(),
            rules: source.rules,
            version: source.version,
            created_at: time(source.created_at),
            updated_at: time(source.updated_at),
        }
    }
}

/// A data source with what it offers.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct DataSourceDetail {
    #[serde(flatten)]
    pub(super) source: DataSource,
    pub(super) tools: Vec<ToolBody>,
    pub(super) prompts: Vec<ToolBody>,
    pub(super) resources: Vec<ResourceBody>,
    /// The URI of each is a URI template (RFC 6570).
    pub(super) resource_templates: Vec<ResourceBody>,
}

/// A resource or resource template of a source.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct ResourceBody {
    uri: String,
    title: String,
    description: String,
    mime_type: String,
}

impl From<ResourceView> for ResourceBody {
    fn from(shown: ResourceView) -> Self {
        let ResourceView { uri, title, description, mime_type } = shown;
        Self { uri, title, description, mime_type }
    }
}

/// A tool or prompt of a source.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct ToolBody {
    pub(super) name: String,
    pub(super) description: String,
    /// `accepted`, `new`, `changed` or `gone`; only accepted ones can be used.
    #[schema(value_type = String)]
    pub(super) state: ToolState,
}

/// How Doorward shows itself to a source over HTTP.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::routes) enum AuthBody {
    /// Nothing.
    None,
    /// `Authorization: Bearer …`.
    #[schema(value_type = String)]
    Bearer(Secret),
    /// `Authorization: Basic …`.
    Basic {
        user: String,
        #[schema(value_type = String)]
        password: Secret,
    },
    /// A header of the source's own.
    Header {
        name: String,
        #[schema(value_type = String)]
        value: Secret,
    },
    /// Somebody signs in at the source's issuer, on the page of connections. All members may be left
    /// out: the client is then registered by itself.
    Oauth {
        client_id: Option<String>,
        #[schema(value_type = Option<String>)]
        client_secret: Option<Secret>,
        scope: Option<String>,
    },
    /// A key, as base64url, that a token is signed with for each request (HS256), as the `JWSFilter` of a
    /// Spark History Server wants it.
    #[schema(value_type = String)]
    Jws(Secret),
}

impl From<AuthBody> for Auth {
    fn from(body: AuthBody) -> Self {
        match body {
            AuthBody::None => Self::None,
            AuthBody::Bearer(token) => Self::Bearer(token),
            AuthBody::Basic { user, password } => Self::Basic { user, password },
            AuthBody::Header { name, value } => Self::Header { name, value },
            AuthBody::Jws(key) => Self::Jws(key),
            AuthBody::Oauth { client_id: id, client_secret: secret, scope } => {
                Self::Oauth(OauthClient { id, secret, scope })
            }
        }
    }
}

/// A data source to be made: `url` for `mcp_http` and `spark_history`, `command` for `mcp_stdio`, which only
/// administrators of the instance may have.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct NewDataSource {
    #[schema(value_type = String)]
    pub(super) name: SourceName,
    #[schema(value_type = String)]
    pub(super) kind: SourceKind,
    #[schema(value_type = Option<String>)]
    pub(super) url: Option<Url>,
    pub(super) command: Option<Vec<String>>,
    #[schema(value_type = Option<String>)]
    pub(super) working_dir: Option<PathBuf>,
    /// The tunnel an `mcp_http` source is reached through; directly if absent.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub(super) tunnel: Option<TunnelId>,
    /// Whom to trust to sign the certificate of an `https://` address, beside those whom the gateway's machine
    /// trusts: X.509 certificates as PEM, of authorities or of the server itself.
    #[schema(value_type = Option<String>)]
    pub(super) ca_certificates: Option<CaCertificates>,
    pub(super) auth: Option<AuthBody>,
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub(super) env: BTreeMap<String, Secret>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) era: EraSetting,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) runs_as: RunsAs,
    pub(super) enabled: Option<bool>,
}

/// An edit of a data source; what is absent stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct DataSourceChange {
    /// The version that was looked at. Another one is refused with 409.
    pub(super) version: i64,
    #[schema(value_type = Option<String>)]
    pub(super) name: Option<SourceName>,
    #[schema(value_type = Option<String>)]
    pub(super) url: Option<Url>,
    pub(super) command: Option<Vec<String>>,
    #[schema(value_type = Option<String>)]
    pub(super) working_dir: Option<PathBuf>,
    /// The tunnel an `mcp_http` source is reached through; `null` = directly. Another one asks for the credential
    /// again.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = "uuid")]
    pub(super) tunnel: Option<Option<TunnelId>>,
    /// Whom to trust to sign its certificate; `null` = those whom the gateway's machine trusts, and nobody else.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub(super) ca_certificates: Option<Option<CaCertificates>>,
    pub(super) auth: Option<AuthBody>,
    /// All variables; one whose value is `null` keeps the value it had.
    #[schema(value_type = Option<BTreeMap<String, Option<String>>>)]
    pub(super) env: Option<BTreeMap<String, Option<Secret>>>,
    #[schema(value_type = Option<String>)]
    pub(super) era: Option<EraSetting>,
    #[schema(value_type = Option<String>)]
    pub(super) runs_as: Option<RunsAs>,
    pub(super) enabled: Option<bool>,
    /// How fast calls may come, all together (`rate`, as `600/minute`) and of single tools (`tools`), by the
    /// name that the source knows; as a whole.
    #[schema(value_type = Option<Object>)]
    pub(super) rules: Option<CallRules>,
}

/// What a test of a source found.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct Report {
    /// Whether every step that was tried worked.
    passed: bool,
    steps: Vec<StepBody>,
    /// The protocol revision found.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    /// What the source says about the credential it wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    needs_credential: Option<String>,
    /// How many tools it lists.
    tools: usize,
}

/// One step of a test.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct StepBody {
    name: String,
    /// `ok`, `failed` or `skipped`.
    #[schema(value_type = String)]
    outcome: StepOutcome,
    detail: String,
    elapsed_ms: f64,
}

impl From<Step> for StepBody {
    fn from(step: Step) -> Self {
        let Step { name, outcome, detail, elapsed } = step;
        Self { name, outcome, detail, elapsed_ms: elapsed.as_secs_f64() * 1000.0 }
    }
}

impl From<ProbeReport> for Report {
    fn from(report: ProbeReport) -> Self {
        let passed = report.passed();
        let steps = report.steps.into_iter().map(StepBody::from);
        Self {
            passed,
            steps: steps.collect(),
            revision: report.verdict.map(|verdict| verdict.revision),
            needs_credential: report.needs_credential,
            tools: report.tools.len(),
        }
    }
}

/// A data source that was made, and what the first contact found.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct DataSourceAdded {
    pub(super) source: DataSource,
    pub(super) report: Report,
}

/// A data source that was deleted, and what went with it.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct DataSourceRemoved {
    /// The presets that lost tools.
    pub(super) presets: Vec<LostTools>,
}

/// A preset that lost tools.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct LostTools {
    pub(super) slug: String,
    pub(super) tools: usize,
}

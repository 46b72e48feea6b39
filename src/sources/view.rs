//! What the pages, the API and `doorward apply` see of sources, and what they ask for.

use std::collections::BTreeMap;

use url::Url;

use crate::{
    clock::Ms,
    model::{
        Auth, CaCertificates, CallRules, Credential, EraSetting, EraVerdict, Preset, Reach, RunsAs, Source,
        SourceKind, SourceName, ToolHash, ToolState, Tunnel, TunnelId,
    },
    secret::Secret,
    sources::ToolDiff,
    upstream::{LinkStatus, ProbeReport},
};

/// A source in a list.
#[derive(Clone, Debug)]
pub struct SourceSummary {
    /// The source with its health.
    pub source: Source,
    /// How many tools it has.
    pub tools: ToolCounts,
    /// How many prompts it has.
    pub prompts: ToolCounts,
}

/// How many tools of a source are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToolCounts {
    /// May be used.
    pub accepted: usize,
    /// Held: they appeared later.
    pub new: usize,
    /// Held: they are not what the owner accepted.
    pub changed: usize,
    /// The source does not list them any more.
    pub gone: usize,
}

impl ToolCounts {
    /// Counts one more.
    pub fn count(&mut self, state: ToolState) {
        match state {
            ToolState::Accepted => self.accepted += 1,
            ToolState::New => self.new += 1,
            ToolState::Changed => self.changed += 1,
            ToolState::Gone => self.gone += 1,
        }
    }

    /// Returns how many wait for the owner to look.
    pub fn held(&self) -> usize {
        self.new + self.changed
    }
}

/// A source's page.
#[derive(Clone, Debug)]
pub struct SourceDetail {
    /// The source with its health.
    pub source: Source,
    /// Its tools, by name.
    pub tools: Vec<ToolView>,
    /// How many there are.
    pub counts: ToolCounts,
    /// Its prompts, by name.
    pub prompts: Vec<ToolView>,
    /// Its resources, by URI.
    pub resources: Vec<ResourceView>,
    /// Its resource templates, by template.
    pub templates: Vec<ResourceView>,
    /// Its instructions for models, as data; empty if it has none. Callers are not told them.
    pub instructions: String,
    /// The live link, with the last lines a process wrote on standard error; `None` if nothing has
    /// called it yet.
    pub link: Option<LinkStatus>,
    /// The presets that take tools from it.
    pub presets: Vec<Impact>,
    /// The organisation's tunnels by name, one of which it may be reached through.
    pub tunnels: Vec<Tunnel>,
}

/// A tool on a source's page. Every text in it was written by the source: data, never markup.
#[derive(Clone, Debug)]
pub struct ToolView {
    /// The name the source knows it by.
    pub name: String,
    /// Its title; empty if it has none.
    pub title: String,
    /// Its description; empty if it has none.
    pub description: String,
    /// Whether it may be used.
    pub state: ToolState,
    /// The hash of what is shown; accepting names it.
    pub hash: ToolHash,
    /// The definition as the source sent it, as JSON.
    pub definition: String,
    /// What is different from what the owner accepted; only on changed tools.
    pub diff: Option<ToolDiff>,
    /// When the source last listed it.
    pub seen_at: Ms,
}

/// A resource or resource template on a source's page. Every text in it was written by the source:
/// data, never markup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceView {
    /// Its URI, or its template.
    pub uri: String,
    /// What people call it: its title, else its name; empty if it has neither.
    pub title: String,
    /// Its description; empty if it has none.
    pub description: String,
    /// The kind of its contents; empty if the source does not say.
    pub mime_type: String,
}

/// What a preset takes from a source, and would lose with it.
#[derive(Clone, Debug)]
pub struct Impact {
    /// The preset.
    pub preset: Preset,
    /// How many of the source's tools it publishes.
    pub tools: usize,
}

/// What was found at an address, with nothing saved.
#[derive(Clone, Debug)]
pub struct Detected {
    /// The address asked, as it would be saved.
    pub url: Url,
    /// What it is: an MCP server unless it was found to be something else.
    pub kind: SourceKind,
    /// A free name for it.
    pub name: SourceName,
    /// The era and revision; `None` if that could not be found out.
    pub verdict: Option<EraVerdict>,
    /// The challenge of a source that asks for a credential; `None` if it asks for none.
    pub needs_credential: Option<String>,
    /// Whether it names an issuer to sign in at.
    pub signs_in: bool,
    /// The names of the tools it lists, by name.
    pub tools: Vec<String>,
    /// Each step and its time.
    pub report: ProbeReport,
}

/// A source to be added.
#[derive(Clone, Debug)]
pub struct NewSource {
    /// What its owner calls it.
    pub name: SourceName,
    /// Where it is.
    pub reach: Reach,
    /// The tunnel through which it is reached; `None` = this machine's network.
    pub tunnel: Option<TunnelId>,
    /// Whom its owner trusts to sign its certificate, beside those whom this machine trusts.
    pub ca_certificates: Option<CaCertificates>,
    /// How Doorward shows itself to it.
    pub credential: Credential,
    /// What its owner says of its era.
    pub era: EraSetting,
    /// Whose connection calls run with, where people sign in to it.
    pub runs_as: RunsAs,
    /// Whether it may be used.
    pub enabled: bool,
}

/// A source that was added.
#[derive(Clone, Debug)]
pub struct Added {
    /// The source as kept.
    pub source: Source,
    /// What the first contact found. The source is kept also when that failed.
    pub report: ProbeReport,
    /// What the first contact listed; all of it counts as accepted.
    pub catalogue: CatalogueChange,
}

/// An edit of a source; `None` leaves a part as it is.
#[derive(Clone, Debug, Default)]
pub struct SourceChange {
    /// What its owner calls it.
    pub name: Option<SourceName>,
    /// Where it is.
    pub reach: Option<Reach>,
    /// The tunnel through which it is reached, or none.
    pub tunnel: Option<Option<TunnelId>>,
    /// Whom its owner trusts to sign its certificate beside those whom this machine trusts, or nobody.
    pub ca_certificates: Option<Option<CaCertificates>>,
    /// What an HTTP request to it carries.
    pub auth: Option<Auth>,
    /// The environment of a process, as a whole. A variable without a value keeps the one it had.
    pub env: Option<BTreeMap<String, Option<Secret>>>,
    /// What its owner says of its era.
    pub era: Option<EraSetting>,
    /// Whose connection calls run with, where people sign in to it.
    pub runs_as: Option<RunsAs>,
    /// Whether it may be used.
    pub enabled: Option<bool>,
    /// How fast calls may come.
    pub rules: Option<CallRules>,
}

/// What a look at a source's list of tools found. All lists are by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogueChange {
    /// Tools accepted because this was the first look.
    pub accepted: Vec<String>,
    /// Tools held because they appeared.
    pub new: Vec<String>,
    /// Tools held because they are not what the owner accepted.
    pub changed: Vec<String>,
    /// Tools not listed any more.
    pub gone: Vec<String>,
    /// Tools that are again what the owner accepted.
    pub restored: Vec<String>,
    /// Tools left out, and why.
    pub refused: Vec<RefusedTool>,
    /// Whether what the source offers beside tools is another than before: resources, resource
    /// templates, prompts, or what it says of itself.
    pub beside: bool,
}

impl CatalogueChange {
    /// Says whether what presets may publish is another than before.
    pub fn is_empty(&self) -> bool {
        self.accepted.is_empty()
            && self.new.is_empty()
            && self.changed.is_empty()
            && self.gone.is_empty()
            && self.restored.is_empty()
            && !self.beside
    }
}

/// A tool a source listed that is left out of its catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedTool {
    /// Its name as far as it can be shown.
    pub name: String,
    /// Why, in words for the owner.
    pub reason: String,
}

/// Which held tools an owner accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accept {
    /// All that wait.
    All,
    /// These, each as it was shown: a tool that changed since is not accepted.
    Tools(Vec<(String, ToolHash)>),
}

/// What became of accepting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The tools that may be used from here on.
    pub accepted: Vec<String>,
    /// The tools that are not what was shown; they stay held.
    pub changed_since: Vec<String>,
}

/// What went with a removed source.
#[derive(Clone, Debug)]
pub struct Removed {
    /// The source as it was.
    pub source: Source,
    /// The presets that lost tools.
    pub presets: Vec<Impact>,
}

//! Data sources: connecting them, the catalogue of what they offer, their health, and the
//! credential at the moment of use.
//!
//! A source's tools are pinned: what it lists at the first look counts as accepted, and what
//! appears or changes later is held until the owner looks. Whatever a source says of itself fills
//! descriptive fields only; it never names an address, a program, a credential or another source.
//! Never decides which tools a caller sees (that is `presets`), and never speaks to a source itself
//! (that is `upstream`).
//!
//! A new kind of source is a variant of `model::Reach`, checked in `check.rs`; one that speaks no MCP
//! is a room in `providers` and an arm in `providers.rs`.

mod beside;
mod catalogue;
mod check;
mod connect;
mod credential;
mod definition;
mod diff;
mod edit;
mod error;
mod link;
mod listen;
mod look;
mod providers;
mod trail;
mod tunnels;
mod view;

use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use crate::{
    audit::Audit,
    changes::{Change, Changes},
    clock::Clock,
    connections::Connections,
    mcp::Raw,
    model::{
        Member, OrgRole, Reach, ResourceKind, Source, SourceId, SourceName, SourceResource, SourceTool,
        ToolState,
    },
    policy::{self, ManagePermit},
    sources::{link::Targets, listen::Listeners},
    store::{Store, StoreError, Tx},
    upstream::Upstreams,
    vault::Vault,
};

pub use connect::ConnectionView;
pub use diff::{PartDiff, ToolDiff, ToolPart, indented, visible};
pub use error::SourceError;
pub use link::{SignedIn, Way};
pub use listen::Listening;
pub use providers::{Providers, is_analysis};
pub use tunnels::{
    HopSignIn, NewHop, NewHopAuth, NewTunnel, ShownHostKey, TUNNELS_MAX, TunnelChange, TunnelDetail,
    TunnelEditError, TunnelReport,
};
pub use view::{
    Accept, Accepted, Added, CatalogueChange, Detected, Impact, NewSource, RefusedTool, Removed,
    ResourceView, SourceChange, SourceDetail, SourceSummary, ToolCounts, ToolView,
};

pub(crate) use definition::{Definition, text};
pub(crate) use trail::{Subject, Trail, last_editor};

type Result<T, E = SourceError> = std::result::Result<T, E>;

/// The bounds of sources.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// How many tools, and how many prompts, of one source are kept.
    pub tools_max: usize,
    /// How many resources, and how many resource templates, of one source are kept.
    pub resources_max: usize,
    /// The largest definition of a tool that is kept, in bytes.
    pub definition_bytes_max: usize,
    /// How large all definitions of one source may be together, in bytes.
    pub catalogue_bytes_max: usize,
    /// How long after the last look a source is looked at again.
    pub check_every: Duration,
    /// How many sources are looked at, and how many addresses probed, at the same time.
    pub looks_at_once: usize,
}

impl Default for SourceSettings {
    fn default() -> Self {
        Self {
            tools_max: 1000,
            resources_max: 4000,
            definition_bytes_max: 128 * 1024,
            catalogue_bytes_max: 8 * 1024 * 1024,
            check_every: Duration::from_secs(10 * 60),
            looks_at_once: 8,
        }
    }
}

/// The sources of everybody; cheap to clone.
#[derive(Clone)]
pub struct Sources(Arc<Inner>);

struct Inner {
    store: Store,
    vault: Vault,
    upstreams: Upstreams,
    connections: Connections,
    trail: Trail,
    clock: Clock,
    settings: SourceSettings,
    changes: Changes,
    targets: Arc<Targets>,
    listeners: Arc<Listeners>,
    /// Bounds the probes people ask for.
    probes: Semaphore,
}

impl Sources {
    /// Begins with nothing remembered.
    #[expect(clippy::too_many_arguments, reason = "one for each room it stands on")]
    pub fn new(
        store: Store,
        vault: Vault,
        upstreams: Upstreams,
        connections: Connections,
        audit: Audit,
        clock: Clock,
        settings: SourceSettings,
        changes: Changes,
    ) -> Self {
        let targets = Arc::new(Targets::default());
        let heard = Arc::clone(&targets);
        changes.listen(move |change| heard.forget(change));
        Self(Arc::new(Inner {
            store,
            vault,
            upstreams,
            connections,
            trail: Trail::new(audit, clock.clone()),
            clock,
            probes: Semaphore::new(settings.looks_at_once.max(1)),
            settings,
            changes,
            targets,
            listeners: Arc::default(),
        }))
    }

    /// Returns the sources of the member's organisation by name.
    pub async fn list(&self, member: &Member) -> Result<Vec<SourceSummary>> {
        let permit = policy::may_see(member, member.tenant)?;
        let mut tx = self.0.store.read(permit.tenant()).await?;
        let mut counts: HashMap<SourceId, ToolCounts> = HashMap::new();
        for (source, _, state) in tx.list_tool_states().await? {
            counts.entry(source).or_default().count(state);
        }
        let mut prompts: HashMap<SourceId, ToolCounts> = HashMap::new();
        for (source, _, state) in tx.list_prompt_states().await? {
            prompts.entry(source).or_default().count(state);
        }
        let sources = tx.list_sources().await?.into_iter();
        let summary = |source: Source| SourceSummary {
            tools: counts.remove(&source.id).unwrap_or_default(),
            prompts: prompts.remove(&source.id).unwrap_or_default(),
            source,
        };
        Ok(sources.map(summary).collect())
    }

    /// Returns a source of the member's organisation; `None` also if it is somebody else's.
    pub async fn find(&self, member: &Member, id: SourceId) -> Result<Option<Source>> {
        let permit = policy::may_see(member, member.tenant)?;
        Ok(self.0.store.read(permit.tenant()).await?.find_source(id).await?)
    }

    /// Returns a source of the member's organisation by its name.
    pub async fn find_by_name(&self, member: &Member, name: &SourceName) -> Result<Option<Source>> {
        let permit = policy::may_see(member, member.tenant)?;
        Ok(self.0.store.read(permit.tenant()).await?.find_source_by_name(name).await?)
    }

    /// Returns everything a source's page shows; `None` also if it is somebody else's.
    pub async fn detail(&self, member: &Member, id: SourceId) -> Result<Option<SourceDetail>> {
        let permit = policy::may_see(member, member.tenant)?;
        let mut tx = self.0.store.read(permit.tenant()).await?;
        let Some(source) = tx.find_source(id).await? else { return Ok(None) };
        let tools = tx.list_source_tools(id).await?;
        let presets = impact(&mut tx, id, &tools).await?;
        let prompts = tx.list_source_prompts(id).await?;
        let (resources, templates): (Vec<_>, Vec<_>) = tx
            .list_source_resources(id)
            .await?
            .into_iter()
            .partition(|resource| resource.kind == ResourceKind::Resource);
        let tunnels = tx.list_tunnels().await?;
        let instructions = tx.source_offer(id).await?.map(|offer| visible(&offer.instructions));
        Ok(Some(SourceDetail {
            counts: count(&tools),
            tools: tools.into_iter().map(view).collect(),
            prompts: prompts.into_iter().map(view).collect(),
            resources: resources.iter().map(resource_view).collect(),
            templates: templates.iter().map(resource_view).collect(),
            instructions: instructions.unwrap_or_default(),
            link: self.0.upstreams.status(id),
            source,
            presets,
            tunnels,
        }))
    }

    /// Returns a source's tools by name, each with what changed.
    pub async fn tools(&self, member: &Member, id: SourceId) -> Result<Vec<ToolView>> {
        let permit = policy::may_see(member, member.tenant)?;
        let mut tx = self.0.store.read(permit.tenant()).await?;
        tx.find_source(id).await?.ok_or(SourceError::NotFound)?;
        Ok(tx.list_source_tools(id).await?.into_iter().map(view).collect())
    }

    /// Returns what presets would lose with a source.
    pub async fn impact(&self, member: &Member, id: SourceId) -> Result<Vec<Impact>> {
        let permit = policy::may_see(member, member.tenant)?;
        let mut tx = self.0.store.read(permit.tenant()).await?;
        tx.find_source(id).await?.ok_or(SourceError::NotFound)?;
        let tools = tx.list_source_tools(id).await?;
        impact(&mut tx, id, &tools).await
    }

    /// Returns the trail that edits of sources and presets leave in the audit log.
    pub(crate) fn trail(&self) -> &Trail {
        &self.0.trail
    }

    /// Does something to a source that is worth auditing, and records how it ended.
    async fn audited<T>(
        &self,
        member: &Member,
        done: &str,
        subject: Subject,
        doing: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let entry = self.0.trail.begin(member, done, subject);
        let result = doing.await;
        entry.end(result.as_ref().err().map(|error| (error.fault(), error.to_string())));
        result
    }

    async fn stale(&self, source: &Source) -> SourceError {
        // Not knowing who it was is no reason to hide that somebody was there.
        let by = last_editor(&self.0.store, source.tenant, &source.into()).await.ok().flatten();
        SourceError::Stale { by, version: source.version, at: source.updated_at }
    }

    /// Makes a transaction hold and tells everybody, also when the caller goes away meanwhile.
    pub(crate) async fn commit(&self, tx: Tx, change: Change) -> Result<(), StoreError> {
        self.0.changes.announce_after(change, tx.commit()).await
    }
}

/// May this person change the organisation's sources?
fn may_manage(member: &Member, needs: OrgRole) -> Result<ManagePermit> {
    Ok(policy::may_manage(member, member.tenant, needs)?)
}

/// May this person have to do with a source that is reached like this? Processes are for those who
/// manage the instance, whatever the way in.
fn may_reach(member: &Member, reach: &Reach) -> Result<()> {
    match reach {
        Reach::McpHttp { .. } | Reach::SparkHistory { .. } => Ok(()),
        Reach::McpStdio { .. } => {
            policy::may_use_process(member)?;
            Ok(())
        }
    }
}

fn count(tools: &[SourceTool]) -> ToolCounts {
    let mut counts = ToolCounts::default();
    for tool in tools {
        counts.count(tool.state);
    }
    counts
}

fn view(tool: SourceTool) -> ToolView {
    let definition = Definition::read(&tool.definition).unwrap_or_default();
    let diff = match (&tool.accepted_definition, tool.state) {
        (Some(accepted), ToolState::Changed) => Some(ToolDiff::between(accepted, &tool.definition)),
        _ => None,
    };
    ToolView {
        title: visible(&text(definition.title)),
        description: visible(&text(definition.description)),
        definition: visible(&indented(tool.definition.get())),
        state: tool.state,
        diff,
        seen_at: tool.seen_at,
        name: tool.name,
        hash: tool.hash,
    }
}

/// Returns what is shown of a resource or resource template.
pub(crate) fn resource_view(resource: &SourceResource) -> ResourceView {
    let definition = Raw::of(&resource.definition);
    let member = |name| {
        let text = definition.member(name).and_then(Raw::as_str).unwrap_or_default();
        visible(&text)
    };
    let title = member("title");
    ResourceView {
        uri: resource.uri.clone(),
        title: if title.is_empty() { member("name") } else { title },
        description: member("description"),
        mime_type: member("mimeType"),
    }
}

async fn impact(tx: &mut Tx, id: SourceId, tools: &[SourceTool]) -> Result<Vec<Impact>> {
    let mut impacts = Vec::new();
    for preset in tx.presets_using_source(id).await? {
        let selections = tx.selections(preset.id).await?;
        let taken = selections.iter().filter(|selection| selection.source == id).flat_map(|selection| {
            tools.iter().filter(|tool| tool.state == ToolState::Accepted && selection.takes(&tool.name))
        });
        impacts.push(Impact { tools: taken.count(), preset });
    }
    Ok(impacts)
}

#[cfg(test)]
pub(crate) mod tests;

//! Data sources: connecting them, the catalogue of what they offer, their health, and the
//! credential at the moment of use.
//!
//! A source's tools are pinned: what the owner saw when adding counts as accepted, and what
//! appears or changes later is held until the owner looks. Whatever a source says of itself fills
//! descriptive fields only; it never names an address, a program, a credential or another source.
//! Never decides which tools a caller sees (that is `presets`), and never speaks to a source itself
//! (that is `upstream`).
//!
//! A new kind of source is a variant of `model::Reach`, checked in `check.rs`.

mod catalogue;
mod definition;
mod diff;
mod error;
mod view;

use std::{sync::Arc, time::Duration};

use url::Url;

use crate::{
    audit::Audit,
    changes::Changes,
    clock::Clock,
    model::{Member, Source, SourceId, SourceName, TenantId},
    store::Store,
    upstream::{Link, ProbeReport, UpstreamError, Upstreams},
    vault::Vault,
};

pub use diff::{PartDiff, ToolDiff, ToolPart, indented, visible};
pub use error::SourceError;
pub use view::{
    Accept, Accepted, Added, CatalogueChange, Detected, Impact, NewSource, RefusedTool, Removed,
    SourceChange, SourceDetail, SourceSummary, ToolCounts, ToolView,
};

type Result<T, E = SourceError> = std::result::Result<T, E>;

/// The bounds of sources.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// How many tools of one source are kept.
    pub tools_max: usize,
    /// The largest definition of a tool that is kept, in bytes.
    pub definition_bytes_max: usize,
    /// How large all definitions of one source may be together, in bytes.
    pub catalogue_bytes_max: usize,
    /// How long after the last look a source is looked at again.
    pub check_every: Duration,
    /// How many sources are looked at at the same time.
    pub checks_at_once: usize,
}

impl Default for SourceSettings {
    fn default() -> Self {
        Self {
            tools_max: 1000,
            definition_bytes_max: 128 * 1024,
            catalogue_bytes_max: 8 * 1024 * 1024,
            check_every: Duration::from_secs(10 * 60),
            checks_at_once: 4,
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
    audit: Audit,
    clock: Clock,
    settings: SourceSettings,
    changes: Changes,
}

impl Sources {
    /// Begins with nothing remembered.
    pub fn new(
        store: Store,
        vault: Vault,
        upstreams: Upstreams,
        audit: Audit,
        clock: Clock,
        settings: SourceSettings,
        changes: Changes,
    ) -> Self {
        Self(Arc::new(Inner { store, vault, upstreams, audit, clock, settings, changes }))
    }

    /// Returns the sources of the member's organisation by name.
    pub async fn list(&self, _member: &Member) -> Result<Vec<SourceSummary>> {
        todo!()
    }

    /// Returns a source of the member's organisation; `None` also if it is somebody else's.
    pub async fn find(&self, _member: &Member, _id: SourceId) -> Result<Option<Source>> {
        todo!()
    }

    /// Returns a source of the member's organisation by its name.
    pub async fn find_by_name(&self, _member: &Member, _name: &SourceName) -> Result<Option<Source>> {
        todo!()
    }

    /// Returns everything a source's page shows; `None` also if it is somebody else's.
    pub async fn detail(&self, _member: &Member, _id: SourceId) -> Result<Option<SourceDetail>> {
        todo!()
    }

    /// Looks what is at an address, and keeps nothing.
    pub async fn detect(&self, _member: &Member, _url: &Url) -> Result<Detected> {
        todo!()
    }

    /// Adds a source and looks at it for the first time.
    pub async fn add(&self, _member: &Member, _new: NewSource) -> Result<Added> {
        todo!()
    }

    /// Edits a source, if it still has the version the editor saw.
    pub async fn update(
        &self,
        _member: &Member,
        _id: SourceId,
        _change: SourceChange,
        _version: i64,
    ) -> Result<Source> {
        todo!()
    }

    /// Switches a source on or off.
    pub async fn set_enabled(&self, _member: &Member, _id: SourceId, _enabled: bool) -> Result<Source> {
        todo!()
    }

    /// Returns what presets would lose with a source.
    pub async fn impact(&self, _member: &Member, _id: SourceId) -> Result<Vec<Impact>> {
        todo!()
    }

    /// Deletes a source with its credential and its tools.
    pub async fn remove(&self, _member: &Member, _id: SourceId) -> Result<Removed> {
        todo!()
    }

    /// Reaches a source over fresh connections and reports each step. What it lists is compared
    /// with the catalogue as by [`Sources::refresh`].
    pub async fn test(&self, _member: &Member, _id: SourceId) -> Result<ProbeReport> {
        todo!()
    }

    /// Asks a source for its tools, and holds what is new or another than accepted.
    pub async fn refresh(&self, _member: &Member, _id: SourceId) -> Result<CatalogueChange> {
        todo!()
    }

    /// Returns a source's tools by name, each with what changed.
    pub async fn tools(&self, _member: &Member, _id: SourceId) -> Result<Vec<ToolView>> {
        todo!()
    }

    /// Accepts held tools.
    pub async fn accept_tools(&self, _member: &Member, _id: SourceId, _accept: Accept) -> Result<Accepted> {
        todo!()
    }

    /// Returns the live link to a source of this organisation. Answers from memory once it was
    /// asked; a change makes the next call read the source again.
    pub async fn link(&self, _tenant: TenantId, _source: SourceId) -> Result<Arc<Link>> {
        todo!()
    }

    /// Takes note of how a call of a source ended, for its health. Costs next to nothing while the
    /// health stays what it is.
    pub fn note(&self, _tenant: TenantId, _source: SourceId, _outcome: Result<(), &UpstreamError>) {
        todo!()
    }

    /// Looks at every source whose last look is old, and says how many it looked at. For the
    /// background job.
    pub async fn check_due(&self) -> Result<usize> {
        todo!()
    }
}

//! Presets: virtual MCP servers composed of tools that sources offer.
//!
//! Composes and shares them, and resolves an address to a [`RouteTable`]. Never decides who may
//! call (that is `policy`), and never calls a tool (that is `proxy`). Tools are named by source and
//! by the name the source knows them by, inside the owner's organisation only: a name alone never
//! leads anywhere.
//!
//! A new thing a preset may say of a tool is a member of `model::PresetTool`, shown by `view.rs`,
//! applied in `compose.rs`.

mod arguments;
mod cache;
mod compose;
mod error;
mod names;
mod table;
mod view;

use std::sync::Arc;

use crate::{
    changes::Changes,
    clock::Clock,
    model::{Member, Preset, PresetId, PresetStatus, Selection, Slug},
    presets::cache::Tables,
    sources::Sources,
    store::Store,
};

pub use arguments::{ArgumentCheck, ArgumentError};
pub use error::PresetError;
pub use names::NameFlag;
pub use table::{ListPage, Route, RouteTable};
pub use view::{
    Collision, EditorSource, EditorTool, Exposed, NewPreset, PresetChange, PresetEditor, PresetSummary,
    Preview, SourceBrief,
};

type Result<T, E = PresetError> = std::result::Result<T, E>;

/// The presets of everybody; cheap to clone.
#[derive(Clone)]
pub struct Presets(Arc<Inner>);

struct Inner {
    store: Store,
    sources: Sources,
    clock: Clock,
    changes: Changes,
    tables: Arc<Tables>,
}

impl Presets {
    /// Begins with nothing remembered.
    pub fn new(store: Store, sources: Sources, clock: Clock, changes: Changes) -> Self {
        let tables = Arc::new(Tables::new());
        let heard = Arc::clone(&tables);
        changes.listen(move |change| heard.forget(change));
        Self(Arc::new(Inner { store, sources, clock, changes, tables }))
    }

    /// Returns the presets of the member's organisation by slug, archived ones too.
    pub async fn list(&self, _member: &Member) -> Result<Vec<PresetSummary>> {
        todo!()
    }

    /// Returns a preset of the member's organisation; `None` also if it is somebody else's.
    pub async fn find(&self, _member: &Member, _id: PresetId) -> Result<Option<Preset>> {
        todo!()
    }

    /// Returns a preset of the member's organisation by its slug.
    pub async fn find_by_slug(&self, _member: &Member, _slug: &Slug) -> Result<Option<Preset>> {
        todo!()
    }

    /// Returns what the editor shows; without `id`, for a preset to be made.
    pub async fn editor(&self, _member: &Member, _id: Option<PresetId>) -> Result<Option<PresetEditor>> {
        todo!()
    }

    /// Returns what a preset with these selections would publish; nothing is kept.
    pub async fn preview(
        &self,
        _member: &Member,
        _slug: Option<&Slug>,
        _selections: &[Selection],
    ) -> Result<Preview> {
        todo!()
    }

    /// Makes a preset.
    pub async fn add(&self, _member: &Member, _new: NewPreset) -> Result<Preset> {
        todo!()
    }

    /// Edits a preset, if it still has the version the editor saw.
    pub async fn update(
        &self,
        _member: &Member,
        _id: PresetId,
        _change: PresetChange,
        _version: i64,
    ) -> Result<Preset> {
        todo!()
    }

    /// Switches a preset on or off, or puts it away.
    pub async fn set_status(&self, _member: &Member, _id: PresetId, _status: PresetStatus) -> Result<Preset> {
        todo!()
    }

    /// Deletes a preset for good. Its slug is free again.
    pub async fn remove(&self, _member: &Member, _id: PresetId) -> Result<Preset> {
        todo!()
    }

    /// Returns what a preset takes from which source, as its owner chose.
    pub async fn selections(&self, _member: &Member, _id: PresetId) -> Result<Vec<Selection>> {
        todo!()
    }

    /// Chooses what a preset takes, if it still has the version the editor saw.
    pub async fn set_selections(
        &self,
        _member: &Member,
        _id: PresetId,
        _selections: Vec<Selection>,
        _version: i64,
    ) -> Result<Preset> {
        todo!()
    }

    /// Returns the route table of an address; `None` if there is no such preset. Answers from
    /// memory once it was asked; a change makes the next call build it again.
    pub async fn route_table(&self, _owner: &str, _slug: &str) -> Result<Option<Arc<RouteTable>>> {
        todo!()
    }
}

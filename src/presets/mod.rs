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
mod check;
mod compose;
mod difference;
mod edit;
mod error;
mod fork;
mod gallery;
mod invite;
mod lists;
mod missing;
mod names;
mod reach;
mod share;
mod show;
mod story;
mod table;
mod template;
mod transfer;
mod uris;
mod versions;
mod view;
mod watch;

use std::sync::Arc;

use crate::{
    apart,
    changes::Changes,
    clock::Clock,
    mail::Mail,
    model::{Access, Handle, Selection, Slug, Source},
    presets::{cache::Tables, compose::Stock, missing::Missing, watch::Watches},
    sources::Sources,
    store::{Store, Tx},
};

pub use arguments::{ArgumentCheck, ArgumentError};
pub use error::PresetError;
pub use fork::{ForkChoice, ForkPart, Forkable, Forked, NewFork};
pub use gallery::{GALLERY_PAGE, GalleryPage};
pub use invite::{INVITES_MAX, NewInvite, Offer};
pub use lists::ListPage;
pub use names::NameFlag;
pub use reach::OpenPreset;
pub use share::{ACCESS_MAX, NewGrantee};
pub use story::{ToolEnd, ToolStory};
pub use table::{PromptRoute, Route, RouteTable};
pub use transfer::{OfferedPreset, TRANSFER_AGE};
pub use uris::ResourceRoute;
pub use versions::{Compared, MissingTool, RolledBack};
pub use view::{
    Collision, EditorPrompt, EditorResource, EditorSource, EditorTool, Exposed, NewPreset, PresetChange,
    PresetEditor, PresetSummary, Preview, SourceBrief,
};
pub use watch::{PresetNews, PresetWatch};

type Result<T, E = PresetError> = std::result::Result<T, E>;

/// The presets of everybody; cheap to clone.
#[derive(Clone)]
pub struct Presets(Arc<Inner>);

struct Inner {
    store: Store,
    sources: Sources,
    clock: Clock,
    tables: Arc<Tables>,
    missing: Arc<Missing>,
    watches: Watches,
    changes: Changes,
    mail: Mail,
}

impl Presets {
    /// Begins with nothing remembered.
    pub fn new(store: Store, sources: Sources, clock: Clock, changes: Changes, mail: Mail) -> Self {
        let tables = Arc::new(Tables::new());
        let missing = Arc::new(Missing::default());
        let (heard, missed) = (Arc::clone(&tables), Arc::clone(&missing));
        changes.listen(move |change| {
            heard.forget(change);
            missed.forget(change);
        });
        Self(Arc::new(Inner {
            store,
            sources,
            clock,
            tables,
            missing,
            watches: Watches::default(),
            changes,
            mail,
        }))
    }

    /// Returns the route table of an address; `None` if there is no such preset. Answers from
    /// memory once it was asked; a change makes the next call build it again.
    ///
    /// Whoever calls must ask `policy` about the table's preset: its status and visibility are not
    /// looked at here.
    pub async fn route_table(&self, owner: &str, slug: &str) -> Result<Option<Arc<RouteTable>>> {
        if let Some(table) = self.0.tables.get(owner, slug) {
            return Ok(Some(table));
        }
        let (Ok(owner), Ok(slug)) = (Handle::parse(owner), Slug::parse(slug)) else { return Ok(None) };
        let (missing, now) = (&self.0.missing, self.0.clock.now());
        let Err(generation) = missing.look(owner.as_str(), slug.as_str(), now) else { return Ok(None) };
        let tables = &self.0.tables;
        // Boxed, as what is rarely needed would otherwise take its room in every call.
        let building = tables.get_or_build(owner.as_str(), slug.as_str(), || self.build(&owner, &slug));
        let found = Box::pin(building).await?;
        if found.is_none() {
            missing.put(owner.as_str(), slug.as_str(), now, generation);
        }
        Ok(found)
    }

    async fn build(&self, owner: &Handle, slug: &Slug) -> Result<Option<Arc<RouteTable>>> {
        let Some(preset) = self.0.store.find_preset_by_address(owner, slug).await? else { return Ok(None) };
        // From here on everything is found inside the organisation of that preset.
        let mut tx = self.0.store.read(preset.tenant).await?;
        let access = Access::of(&tx.list_access(preset.id).await?);
        let selections = tx.selections(preset.id).await?;
        let stocks = stocks(&mut tx, &selections).await?;
        drop(tx);
        // Compiling schemas and laying out a long list is work, not waiting.
        let owner = owner.clone();
        let build = move || RouteTable::build(preset, access, owner, &selections, &stocks);
        Ok(Some(Arc::new(apart::compute(build).await)))
    }
}

/// Reads everything offered by the sources that these selections take from, without those that are gone.
async fn stocks(tx: &mut Tx, selections: &[Selection]) -> Result<Vec<Stock>> {
    let mut stocks = Vec::with_capacity(selections.len());
    for selection in selections {
        if let Some(source) = tx.find_source(selection.source).await? {
            stocks.push(stock(tx, source).await?);
        }
    }
    Ok(stocks)
}

/// Reads everything a source offers.
async fn stock(tx: &mut Tx, source: Source) -> Result<Stock> {
    Ok(Stock {
        tools: tx.list_source_tools(source.id).await?,
        prompts: tx.list_source_prompts(source.id).await?,
        resources: tx.list_source_resources(source.id).await?,
        offer: tx.source_offer(source.id).await?,
        source,
    })
}

#[cfg(test)]
mod tests;

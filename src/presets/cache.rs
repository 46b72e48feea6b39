//! Route tables by address, forgotten when something they were made of changes.
//!
//! Reading takes no lock and copies no text. Building the same table happens once at a time, and a
//! change that arrives while a table is being built is not lost: the table is built again.

use std::{
    collections::HashMap,
    future::Future,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;

use crate::{changes::Change, presets::RouteTable};

/// How many addresses are remembered. When there are more, all are forgotten and the ones in use
/// come back with their next call.
const ADDRESSES_MAX: usize = 10_000;
/// How many tables may be built at the same time.
const BUILDS_MAX: usize = 32;

/// Owner, slug, table. Addresses that lead nowhere are not remembered, so that guessing cannot push
/// out the ones in use.
type Owners = HashMap<Arc<str>, Arc<HashMap<Arc<str>, Arc<RouteTable>>>>;

pub(super) struct Tables {
    owners: ArcSwap<Owners>,
    /// Taken to put an entry in or to take some out.
    edit: Mutex<()>,
    /// Counts the changes heard of.
    generation: AtomicU64,
    builds: Vec<tokio::sync::Mutex<()>>,
    hasher: RandomState,
}

impl Tables {
    pub(super) fn new() -> Self {
        Self {
            owners: ArcSwap::default(),
            edit: Mutex::new(()),
            generation: AtomicU64::new(0),
            builds: std::iter::repeat_with(tokio::sync::Mutex::default).take(BUILDS_MAX).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Returns what is remembered of an address; `None` if that is nothing.
    pub(super) fn get(&self, owner: &str, slug: &str) -> Option<Arc<RouteTable>> {
        self.owners.load().get(owner)?.get(slug).map(Arc::clone)
    }

    /// Returns what is remembered of an address, or builds it; `None` if there is nothing to build.
    pub(super) async fn get_or_build<E, F>(
        &self,
        owner: &str,
        slug: &str,
        build: impl Fn() -> F,
    ) -> Result<Option<Arc<RouteTable>>, E>
    where
        F: Future<Output = Result<Option<Arc<RouteTable>>, E>>,
    {
        /// How often a table is built again because something changed meanwhile. The last one is
        /// answered with and not remembered.
        const TRIES: usize = 3;

        if let Some(table) = self.get(owner, slug) {
            return Ok(Some(table));
        }
        let turn = self.hasher.hash_one((owner, slug)) as usize % BUILDS_MAX;
        let _turn = self.builds[turn].lock().await;
        for _ in 1..TRIES {
            if let Some(table) = self.get(owner, slug) {
                return Ok(Some(table));
            }
            let generation = self.generation.load(Ordering::SeqCst);
            let Some(table) = build().await? else { return Ok(None) };
            if self.put(owner, slug, &table, generation) {
                return Ok(Some(table));
            }
        }
        build().await
    }

    /// Forgets what this change makes wrong.
    pub(super) fn forget(&self, change: &Change) {
        let stale: &dyn Fn(&RouteTable) -> bool = match change {
            Change::Preset(_, id) => &|table| table.preset.id == *id,
            Change::Source(tenant, _) => &|table| table.preset.tenant == *tenant,
            // The owner's handle is part of the address.
            Change::User(_) | Change::Everything => &|_| true,
            // A table says where a source is called, not whether it answers.
            Change::SourceHealth(..) | Change::Key(_) | Change::Plan(_) => return,
        };
        let _edit = self.edit.lock().unwrap_or_else(PoisonError::into_inner);
        self.generation.fetch_add(1, Ordering::SeqCst);
        let mut owners = Owners::clone(&self.owners.load());
        owners.retain(|_, slugs| {
            if slugs.values().any(|table| stale(table)) {
                Arc::make_mut(slugs).retain(|_, table| !stale(table));
            }
            !slugs.is_empty()
        });
        self.owners.store(Arc::new(owners));
    }

    /// Remembers a table, unless something changed since `generation`.
    fn put(&self, owner: &str, slug: &str, table: &Arc<RouteTable>, generation: u64) -> bool {
        let _edit = self.edit.lock().unwrap_or_else(PoisonError::into_inner);
        if self.generation.load(Ordering::SeqCst) != generation {
            return false;
        }
        let owners = self.owners.load();
        let full = owners.values().map(|slugs| slugs.len()).sum::<usize>() >= ADDRESSES_MAX;
        let mut owners = if full { Owners::new() } else { Owners::clone(&owners) };
        Arc::make_mut(owners.entry(owner.into()).or_default()).insert(slug.into(), Arc::clone(table));
        self.owners.store(Arc::new(owners));
        true
    }
}

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
            Change::SourceHealth(..)
            | Change::Connection(_)
            | Change::Key(_)
            | Change::Grant(_)
            | Change::Plan(_) => return,
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::model::{Access, Handle, SourceId, TenantId, samples};

    #[tokio::test]
    async fn a_change_while_a_table_is_built_is_not_lost() {
        let tables = Tables::new();
        let tenant = TenantId::new();
        let builds = AtomicU64::new(0);

        let built = get(&tables, "ops", || {
            if builds.fetch_add(1, Ordering::SeqCst) == 0 {
                tables.forget(&Change::Source(tenant, SourceId::new()));
            }
            Some(table(tenant))
        })
        .await;

        assert_eq!(builds.load(Ordering::SeqCst), 2, "the first one is stale");
        assert!(Arc::ptr_eq(&tables.get("ada", "ops").unwrap(), &built.unwrap()));
    }

    #[tokio::test]
    async fn a_table_that_changes_all_the_time_is_answered_and_not_remembered() {
        let tables = Tables::new();

        let built = get(&tables, "ops", || {
            tables.forget(&Change::Everything);
            Some(table(TenantId::new()))
        })
        .await;

        assert!(built.is_some() && tables.get("ada", "ops").is_none());
    }

    #[tokio::test]
    async fn callers_in_the_same_instant_build_once() {
        let tables = Tables::new();
        let builds = AtomicU64::new(0);
        let build = || {
            builds.fetch_add(1, Ordering::SeqCst);
            Some(table(TenantId::new()))
        };

        let calls = std::iter::repeat_with(|| get(&tables, "ops", build)).take(50);
        let built = futures::future::join_all(calls).await;

        assert_eq!(builds.load(Ordering::SeqCst), 1);
        assert!(built.iter().all(Option::is_some));
    }

    #[tokio::test]
    async fn an_address_that_leads_nowhere_takes_no_room() {
        let tables = Tables::new();

        assert!(get(&tables, "guess", || None).await.is_none());

        assert!(tables.owners.load().is_empty());
    }

    async fn get(
        tables: &Tables,
        slug: &str,
        build: impl Fn() -> Option<Arc<RouteTable>>,
    ) -> Option<Arc<RouteTable>> {
        let slowly = || async {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(build())
        };
        tables.get_or_build("ada", slug, slowly).await.unwrap()
    }

    fn table(tenant: TenantId) -> Arc<RouteTable> {
        let preset = samples::preset(tenant, "ops");
        Arc::new(RouteTable::build(preset, Access::default(), Handle::parse("ada").unwrap(), &[], &[]))
    }
}

//! Telling those who listen at a preset when what they see of it has changed.
//!
//! All who watch one preset share one task, which hears of every edit and listens to the preset's
//! sources. It waits a moment after a change, so that many at once are told once, and tells only
//! what callers can see.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{
    broadcast::{Receiver, error::RecvError},
    watch,
};
use tokio_util::sync::CancellationToken;

use crate::{
    changes::Change,
    mcp::ListKind,
    model::{PresetId, SourceId},
    presets::{Presets, RouteTable},
    sources::Listening,
};

/// How long after a change the lists are compared; further changes until then are told with it.
const DEBOUNCE: Duration = Duration::from_millis(250);

/// The presets that are watched.
#[derive(Default)]
pub(super) struct Watches {
    hubs: Mutex<HashMap<PresetId, Hub>>,
    /// Counts the hubs, so that one that ended does not take its successor away.
    number: AtomicU64,
}

struct Hub {
    number: u64,
    watchers: usize,
    tables: watch::Receiver<Arc<RouteTable>>,
    opened: watch::Receiver<bool>,
    stop: CancellationToken,
}

impl Watches {
    fn lock(&self) -> MutexGuard<'_, HashMap<PresetId, Hub>> {
        self.hubs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a hub out that has ended, or that nobody watches any more.
    fn remove(&self, preset: PresetId, number: u64) {
        let mut hubs = self.lock();
        if hubs.get(&preset).is_some_and(|hub| hub.number == number)
            && let Some(hub) = hubs.remove(&preset)
        {
            hub.stop.cancel();
        }
    }
}

/// What has changed of a preset.
#[derive(Clone, Debug)]
pub struct PresetNews {
    /// The list of tools is another.
    pub tools: bool,
    /// The list of resources or of resource templates is another.
    pub resources: bool,
    /// The list of prompts is another.
    pub prompts: bool,
    /// The preset as it is from here on. Whoever is told asks `policy` about it again: it is told
    /// also when only its settings have changed.
    pub table: Arc<RouteTable>,
}

/// Tells of changes of a preset until it is dropped.
pub struct PresetWatch {
    presets: Presets,
    preset: PresetId,
    number: u64,
    seen: Arc<RouteTable>,
    tables: watch::Receiver<Arc<RouteTable>>,
    opened: watch::Receiver<bool>,
}

impl PresetWatch {
    /// Waits until the preset's sources are heard, each of them for a bounded time.
    pub async fn opened(&mut self) {
        // The other end goes with the preset.
        let _ = self.opened.wait_for(|opened| *opened).await;
    }

    /// Returns the next change; `None` when the preset is gone, or is at another address.
    pub async fn next(&mut self) -> Option<PresetNews> {
        loop {
            self.tables.changed().await.ok()?;
            let table = Arc::clone(&self.tables.borrow_and_update());
            let before = std::mem::replace(&mut self.seen, Arc::clone(&table));
            let news = PresetNews::between(&before, table);
            if news.says_something(&before) {
                return Some(news);
            }
        }
    }
}

impl Drop for PresetWatch {
    fn drop(&mut self) {
        let watches = &self.presets.0.watches;
        let is_last = match watches.lock().get_mut(&self.preset) {
            Some(hub) if hub.number == self.number => {
                hub.watchers -= 1;
                hub.watchers == 0
            }
            _ => false,
        };
        if is_last {
            watches.remove(self.preset, self.number);
        }
    }
}

impl PresetNews {
    fn between(before: &RouteTable, table: Arc<RouteTable>) -> Self {
        let differs = |kind| !before.lists_alike(&table, kind);
        Self {
            tools: differs(ListKind::Tools),
            resources: differs(ListKind::Resources) || differs(ListKind::Templates),
            prompts: differs(ListKind::Prompts),
            table,
        }
    }

    fn says_something(&self, before: &RouteTable) -> bool {
        self.tools || self.resources || self.prompts || self.table.preset != before.preset
    }
}

impl Presets {
    /// Tells of changes of a preset from what this table holds. As long as somebody watches, the
    /// preset's sources are listened to. Must be called inside the runtime.
    pub fn watch(&self, table: &Arc<RouteTable>) -> PresetWatch {
        let preset = table.preset.id;
        let mut hubs = self.0.watches.lock();
        let hub = hubs.entry(preset).or_insert_with(|| self.begin(table));
        hub.watchers += 1;
        let (number, mut tables, opened) = (hub.number, hub.tables.clone(), hub.opened.clone());
        drop(hubs);
        // The hub may know a newer table already.
        tables.mark_changed();
        PresetWatch { presets: self.clone(), preset, number, seen: Arc::clone(table), tables, opened }
    }

    /// Returns how many presets are watched.
    pub fn watched(&self) -> usize {
        self.0.watches.lock().len()
    }

    fn begin(&self, table: &Arc<RouteTable>) -> Hub {
        let number = self.0.watches.number.fetch_add(1, Ordering::Relaxed);
        let stop = CancellationToken::new();
        let (sender, tables) = watch::channel(Arc::clone(table));
        let (open, opened) = watch::channel(false);
        let (presets, stopped) = (self.clone(), stop.clone());
        let news = self.0.changes.subscribe();
        let preset = table.preset.id;
        tokio::spawn(async move {
            stopped.run_until_cancelled(presets.tell(sender, open, news)).await;
            presets.0.watches.remove(preset, number);
        });
        Hub { number, watchers: 0, tables, opened, stop }
    }

    /// Tells of changes until the preset is gone.
    async fn tell(
        &self,
        tables: watch::Sender<Arc<RouteTable>>,
        open: watch::Sender<bool>,
        mut news: Receiver<Change>,
    ) {
        let mut table = Arc::clone(&tables.borrow());
        let mut listening = self.listen(&table, HashMap::new());
        futures::future::join_all(listening.values().map(Listening::opened)).await;
        open.send_replace(true);
        loop {
            if !concerns(&news.recv().await, &table) {
                continue;
            }
            let more = async { while !matches!(news.recv().await, Err(RecvError::Closed)) {} };
            let _ = tokio::time::timeout(DEBOUNCE, more).await;
            let found = self.route_table(table.owner.as_str(), table.preset.slug.as_str()).await;
            let next = match found {
                Ok(Some(next)) if next.preset.id == table.preset.id => next,
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(%error, "could not look what has changed of a preset");
                    continue;
                }
            };
            listening = self.listen(&next, listening);
            table = Arc::clone(&next);
            tables.send_replace(next);
        }
    }

    /// Listens to a preset's sources, and to no others.
    fn listen(
        &self,
        table: &RouteTable,
        mut before: HashMap<SourceId, Listening>,
    ) -> HashMap<SourceId, Listening> {
        let tenant = table.preset.tenant;
        let mut one = |source: &SourceId| {
            let listening = before.remove(source).or_else(|| self.0.sources.listen(tenant, *source));
            Some((*source, listening?))
        };
        table.sources().iter().filter_map(&mut one).collect()
    }
}

fn concerns(change: &Result<Change, RecvError>, table: &RouteTable) -> bool {
    match change {
        Ok(Change::Preset(_, preset)) => *preset == table.preset.id,
        Ok(Change::Source(_, source)) => table.sources().contains(source),
        // The owner's handle is part of the address.
        Ok(Change::User(_) | Change::Everything) | Err(RecvError::Lagged(_)) => true,
        Ok(
            Change::SourceHealth(..)
            | Change::Connection(_)
            | Change::Key(_)
            | Change::Grant(_)
            | Change::Plan(_),
        ) => false,
        // The announcer lives as long as the presets.
        Err(RecvError::Closed) => false,
    }
}

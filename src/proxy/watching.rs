//! Hearing when what callers see of a preset has changed.

use std::{sync::Arc, time::Duration};

use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{changes::Change, mcp::ListKind, presets::RouteTable, proxy::Proxy};

/// How long changes are collected before they are told.
const DEBOUNCE: Duration = Duration::from_millis(250);

/// What has changed of a preset.
#[derive(Clone, Debug)]
pub(super) struct PresetNews {
    pub(super) tools: bool,
    pub(super) resources: bool,
    pub(super) prompts: bool,
    pub(super) table: Arc<RouteTable>,
}

/// Tells of changes of a preset until it is dropped.
pub(super) struct PresetWatch {
    proxy: Proxy,
    table: Arc<RouteTable>,
    changes: Receiver<Change>,
    is_due: bool,
}

impl PresetWatch {
    pub(super) fn of(proxy: &Proxy, table: &Arc<RouteTable>) -> Self {
        let changes = proxy.0.changes.subscribe();
        // Something may have changed since the table was built.
        Self { proxy: proxy.clone(), table: Arc::clone(table), changes, is_due: true }
    }

    /// Returns the next change; `None` when the preset is gone. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<PresetNews> {
        loop {
            while !self.is_due {
                self.is_due = match self.changes.recv().await {
                    Ok(change) => concerns(&change, &self.table),
                    Err(RecvError::Lagged(_)) => true,
                    Err(RecvError::Closed) => return None,
                };
            }
            tokio::time::sleep(DEBOUNCE).await;
            self.changes = self.changes.resubscribe();
            let (owner, slug) = (self.table.owner.as_str(), self.table.preset.slug.as_str());
            let table = match self.proxy.0.presets.route_table(owner, slug).await {
                Ok(Some(table)) if table.preset.id == self.table.preset.id => table,
                Ok(_) => return None,
                Err(_) => continue,
            };
            self.is_due = false;
            let differs = |kind| !self.table.lists_alike(&table, kind);
            let news = PresetNews {
                tools: differs(ListKind::Tools),
                resources: differs(ListKind::Resources) || differs(ListKind::Templates),
                prompts: differs(ListKind::Prompts),
                table: Arc::clone(&table),
            };
            self.table = table;
            if news.tools || news.resources || news.prompts {
                return Some(news);
            }
        }
    }
}

fn concerns(change: &Change, table: &RouteTable) -> bool {
    match change {
        Change::Preset(_, preset) => *preset == table.preset.id,
        Change::Source(_, source) => table.sources().contains(source),
        Change::User(_) | Change::Everything => true,
        Change::SourceHealth(..) | Change::Key(_) | Change::Plan(_) => false,
    }
}

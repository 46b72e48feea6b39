//! Hearing of changes at a source outside any call.
//!
//! All who watch one link share one stream there. Each has a mailbox of its own in which the same
//! change waits at most once, so that a slow watcher costs nothing and misses nothing.

mod hub;
mod listen;
mod mailbox;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;

pub(super) use hub::{Hub, Turn};
pub(super) use listen::{Ear, Pauses, Stretch, listen};
use mailbox::Mailbox;

/// How long one stream of changes over a shared connection is asked for; then it is asked for anew.
pub(super) const LISTEN_MAX: Duration = Duration::from_secs(24 * 3600);

/// What is watched at a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchFilter {
    /// The list of tools.
    pub tools: bool,
    /// The list of prompts.
    pub prompts: bool,
    /// The lists of resources and of resource templates.
    pub resources: bool,
    /// The resources whose contents are watched, by the source's own URIs.
    pub uris: BTreeSet<String>,
    /// The tasks whose progress is watched, by the source's own ids; modern sources only.
    pub tasks: BTreeSet<String>,
    /// The pages whose being done is watched, by the source's own ids; legacy sources only.
    pub pages: BTreeSet<String>,
}

impl WatchFilter {
    /// How many resources, tasks and pages each are watched at one source; more are left out.
    pub const NAMES_MAX: usize = 4096;

    /// Says whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Writes the parameters of `subscriptions/listen`.
    pub(super) fn listen_params(&self) -> Vec<u8> {
        let mut members = serde_json::Map::new();
        let lists = [
            ("toolsListChanged", self.tools),
            ("promptsListChanged", self.prompts),
            ("resourcesListChanged", self.resources),
        ];
        for (name, wanted) in lists {
            if wanted {
                members.insert(name.to_owned(), true.into());
            }
        }
        for (name, wanted) in [("resourceSubscriptions", &self.uris), ("taskIds", &self.tasks)] {
            if !wanted.is_empty() {
                members.insert(name.to_owned(), wanted.iter().cloned().collect());
            }
        }
        serde_json::json!({ "notifications": members }).to_string().into_bytes()
    }

    /// Adds what another filter asks for.
    fn extend(&mut self, other: &Self) {
        self.tools |= other.tools;
        self.prompts |= other.prompts;
        self.resources |= other.resources;
        for (own, others) in
            [(&mut self.uris, &other.uris), (&mut self.tasks, &other.tasks), (&mut self.pages, &other.pages)]
        {
            for name in others {
                if own.len() >= Self::NAMES_MAX && !own.contains(name) {
                    tracing::warn!(max = Self::NAMES_MAX, "too much is watched at one source");
                    break;
                }
                own.insert(name.clone());
            }
        }
    }

    /// Says whether a URI is a part of one that is watched; sources may name parts.
    fn wants_part(&self, uri: &str) -> bool {
        let cuts = uri.bytes().enumerate().filter(|(_, byte)| matches!(byte, b'/' | b'#' | b'?'));
        cuts.map(|(at, _)| at).any(|at| self.uris.contains(&uri[..at]) || self.uris.contains(&uri[..=at]))
    }

    fn wants(&self, notice: &Notice) -> bool {
        match notice {
            Notice::ToolsChanged => self.tools,
            Notice::PromptsChanged => self.prompts,
            Notice::ResourcesChanged => self.resources,
            Notice::ResourceUpdated { uri, .. } => self.uris.contains(uri) || self.wants_part(uri),
            Notice::TaskChanged { task_id, .. } => self.tasks.contains(task_id),
            Notice::PageDone { id, .. } => self.pages.contains(id),
        }
    }
}

/// Something that has changed at a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The list of tools.
    ToolsChanged,
    /// The list of prompts.
    PromptsChanged,
    /// The list of resources or of resource templates.
    ResourcesChanged,
    /// The contents of a resource.
    ResourceUpdated {
        /// The resource, by the source's own URI.
        uri: String,
        /// The notification's parameters as the source sent them; the members that Doorward makes
        /// up itself when changes may have been missed are `uri` alone.
        params: Bytes,
    },
    /// What somebody was sent to a page for is done.
    PageDone {
        /// The page, by the source's own id.
        id: String,
        /// The notification's parameters as the source sent them.
        params: Bytes,
    },
    /// A task.
    TaskChanged {
        /// The task, by the source's own id.
        task_id: String,
        /// The notification's parameters as the source sent them.
        params: Bytes,
    },
}

/// Tells of changes at a source until it is dropped.
///
/// Where the connection to the source was lost and changes may have been missed, everything that is
/// watched is told as changed, except tasks and pages.
pub struct Watch {
    hub: Arc<Hub>,
    number: u64,
    /// The ring of the hub's bell that told what is watched.
    asked: AtomicU64,
    mailbox: Arc<Mailbox>,
}

impl Watch {
    /// Returns the next change; `None` when the link has been closed or replaced by another.
    pub async fn next(&mut self) -> Option<Notice> {
        self.mailbox.next().await
    }

    /// Waits until the source is listened to for everything that is watched, so that nothing of it is
    /// missed from here on, or is known not to be reachable or to have nothing to say.
    pub async fn opened(&self) {
        self.hub.wait_opened(self.asked.load(Ordering::Relaxed)).await;
    }

    /// Watches something else from here on. Changes already waiting are told.
    pub fn change(&self, filter: WatchFilter) {
        self.asked.store(self.hub.change(self.number, filter), Ordering::Relaxed);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.hub.remove(self.number);
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Watch").field("number", &self.number).finish_non_exhaustive()
    }
}

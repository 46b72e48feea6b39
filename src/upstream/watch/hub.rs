//! Who watches one link, and what the source is asked for on behalf of all of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{Mailbox, Notice, Watch, WatchFilter};
use crate::mcp::{Raw, write};

/// Everybody who watches one link.
#[derive(Debug)]
pub(in crate::upstream) struct Hub {
    state: Mutex<State>,
    /// Counts whatever should make the one who listens at the source look again.
    bell: watch::Sender<u64>,
    /// Up to which ring of the bell what was asked for is heard, or cannot be.
    open: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    watchers: HashMap<u64, Watcher>,
    added: u64,
    /// Ends the one who listens at the source with the link; `None` = nobody does.
    listener: Option<CancellationToken>,
    ended: bool,
}

#[derive(Debug)]
struct Watcher {
    filter: WatchFilter,
    mailbox: Arc<Mailbox>,
}

/// What the one who listens at a source needs to know. It is told to end when the link ends.
pub(in crate::upstream) struct Turn {
    pub(in crate::upstream) ended: CancellationToken,
    pub(in crate::upstream) bell: watch::Receiver<u64>,
}

impl Hub {
    pub(in crate::upstream) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), bell: watch::Sender::new(0), open: watch::Sender::new(0) })
    }

    /// Adds a watcher. The second part is there when somebody has to begin to listen at the source.
    pub(in crate::upstream) fn add(self: &Arc<Self>, filter: WatchFilter) -> (Watch, Option<Turn>) {
        let mailbox: Arc<Mailbox> = Arc::default();
        let mut state = self.lock();
        let number = state.added;
        state.added += 1;
        let turn = if state.ended {
            mailbox.end();
            None
        } else {
            state.watchers.insert(number, Watcher { filter, mailbox: Arc::clone(&mailbox) });
            match state.listener {
                Some(_) => None,
                None => {
                    let ended = CancellationToken::new();
                    state.listener = Some(ended.clone());
                    Some(Turn { ended, bell: self.bell.subscribe() })
                }
            }
        };
        drop(state);
        let asked = self.ring().into();
        (Watch { hub: Arc::clone(self), number, asked, mailbox }, turn)
    }

    /// Returns the ring of the bell that tells it.
    pub(super) fn change(&self, number: u64, filter: WatchFilter) -> u64 {
        if let Some(watcher) = self.lock().watchers.get_mut(&number) {
            watcher.filter = filter;
        }
        self.ring()
    }

    pub(super) fn remove(&self, number: u64) {
        self.lock().watchers.remove(&number);
        self.ring();
    }

    /// Waits until nobody has watched for so long. Whoever watches from then on begins anew.
    pub(super) async fn deserted(&self, linger: Duration) {
        let mut bell = self.bell.subscribe();
        let mut since = None;
        loop {
            bell.mark_unchanged();
            if self.is_watched() {
                since = None;
                let _ = bell.changed().await;
                continue;
            }
            let end = *since.get_or_insert_with(Instant::now) + linger;
            if end > Instant::now() && tokio::time::timeout_at(end, bell.changed()).await.is_ok() {
                continue;
            }
            let mut state = self.lock();
            if state.watchers.is_empty() {
                state.listener = None;
                return;
            }
        }
    }

    /// Makes the one who listens at the source look again at what is asked for, and on which
    /// terms. Returns the number of the ring.
    pub(in crate::upstream) fn ring(&self) -> u64 {
        let mut number = 0;
        self.bell.send_modify(|rung| {
            *rung += 1;
            number = *rung;
        });
        number
    }

    /// Lets those who wait for it know that whatever was asked for up to this ring of the bell is
    /// listened to, or cannot be.
    pub(in crate::upstream) fn opened(&self, rung: u64) {
        self.open.send_if_modified(|open| {
            let is_news = *open < rung;
            *open = rung.max(*open);
            is_news
        });
    }

    /// Waits until what was asked for with this ring of the bell is listened to, or cannot be.
    pub(super) async fn wait_opened(&self, rung: u64) {
        // The other end is this hub's.
        let _ = self.open.subscribe().wait_for(|open| *open >= rung).await;
    }

    /// Returns what all watchers together ask for.
    pub(in crate::upstream) fn union(&self) -> WatchFilter {
        let mut union = WatchFilter::default();
        for watcher in self.lock().watchers.values() {
            union.extend(&watcher.filter);
        }
        union
    }

    /// Says whether anybody watches.
    pub(in crate::upstream) fn is_watched(&self) -> bool {
        !self.lock().watchers.is_empty()
    }

    /// Tells everybody who wants to know.
    pub(in crate::upstream) fn publish(&self, notice: &Notice) {
        for watcher in self.lock().watchers.values() {
            if watcher.filter.wants(notice) {
                watcher.mailbox.push(notice);
            }
        }
    }

    /// Tells everybody who wants to know what a notification of the source says, if it is one about
    /// a change.
    pub(in crate::upstream) fn publish_message(&self, method: &str, params: &Bytes) {
        if let Some(notice) = notice(method, params) {
            self.publish(&notice);
        }
    }

    /// Tells every list and resource as changed, because changes may have been missed.
    pub(in crate::upstream) fn publish_all(&self) {
        for watcher in self.lock().watchers.values() {
            for notice in everything(&watcher.filter) {
                watcher.mailbox.push(&notice);
            }
        }
    }

    /// Lets every watcher know that the link is gone.
    pub(in crate::upstream) fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        for watcher in state.watchers.values() {
            watcher.mailbox.end();
        }
        state.watchers.clear();
        if let Some(listener) = state.listener.take() {
            listener.cancel();
        }
        drop(state);
        self.opened(u64::MAX);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the change that a notification tells of.
fn notice(method: &str, params: &Bytes) -> Option<Notice> {
    let text = |name| Raw::parse_bytes(params).ok()?.member(name)?.as_str().map(|text| text.into_owned());
    match method {
        "notifications/tools/list_changed" => Some(Notice::ToolsChanged),
        "notifications/prompts/list_changed" => Some(Notice::PromptsChanged),
        "notifications/resources/list_changed" => Some(Notice::ResourcesChanged),
        "notifications/resources/updated" => {
            Some(Notice::ResourceUpdated { uri: text("uri")?, params: params.clone() })
        }
        "notifications/elicitation/complete" => {
            Some(Notice::PageDone { id: text("elicitationId")?, params: params.clone() })
        }
        "notifications/tasks" => {
            Some(Notice::TaskChanged { task_id: text("taskId")?, params: params.clone() })
        }
        _ => None,
    }
}

fn everything(filter: &WatchFilter) -> impl Iterator<Item = Notice> {
    let lists = [
        filter.tools.then_some(Notice::ToolsChanged),
        filter.prompts.then_some(Notice::PromptsChanged),
        filter.resources.then_some(Notice::ResourcesChanged),
    ];
    let updates = filter.uris.iter().map(|uri| {
        let params = Bytes::from(format!(r#"{{"uri":{}}}"#, write::quoted(uri)));
        Notice::ResourceUpdated { uri: uri.clone(), params }
    });
    lists.into_iter().flatten().chain(updates)
}

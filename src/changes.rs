//! What changed, told to everybody who remembers something about it.
//!
//! [`Changes::announce`] first runs the listeners, in the caller's own task, and then sends the
//! change to the subscribers. A room that keeps a cache listens, so that its entry is gone before
//! the edit that made it wrong has been answered: this is how a revocation holds on the next call.
//! A page that shows live news subscribes, and may miss some when it is slow.
//!
//! Never carries contents: a change names a thing, and whoever cares reads it again. A new kind of
//! thing to forget is one more variant of [`Change`]. What other processes are told goes through [`Changes::relay`],
//! and what they tell comes in by [`Changes::hear`].

use std::{
    fmt,
    future::Future,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::{
    apart,
    model::{ApiKeyId, GrantId, PlanName, PresetId, SourceId, TenantId, UserId},
};

/// A thing that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A source was made, edited, switched, removed, or its accepted tools are others.
    Source(TenantId, SourceId),
    /// A source works again, or fails. What it offers is the same.
    SourceHealth(TenantId, SourceId),
    /// Somebody signed in to a source, or a sign-in there is over. What it offers is the same.
    Connection(SourceId),
    /// A preset was made, edited, switched or removed.
    Preset(TenantId, PresetId),
    /// An API key was made or revoked.
    Key(ApiKeyId),
    /// What a person lets an MCP client do was changed or taken back, or a token of it was.
    Grant(GrantId),
    /// An account was made, changed or switched off.
    User(UserId),
    /// A plan was made or changed.
    Plan(PlanName),
    /// Changes may have been missed: forget everything.
    Everything,
}

type Listener = Box<dyn Fn(&Change) + Send + Sync>;

/// Tells what changed; cheap to clone, every clone is the same.
#[derive(Clone)]
pub struct Changes {
    listeners: Arc<RwLock<Vec<Listener>>>,
    relay: Arc<OnceLock<Listener>>,
    subscribers: broadcast::Sender<Change>,
}

impl Changes {
    /// How many changes a slow subscriber may be behind before it misses some.
    pub const BACKLOG_MAX: usize = 256;

    /// Begins with nobody listening.
    #[expect(clippy::new_without_default, reason = "two calls give two that do not hear each other")]
    pub fn new() -> Self {
        Self {
            listeners: Arc::default(),
            relay: Arc::default(),
            subscribers: broadcast::Sender::new(Self::BACKLOG_MAX),
        }
    }

    /// Calls this on every change, before the announcement returns. It must be quick, must not
    /// wait, and must not announce.
    pub fn listen(&self, listener: impl Fn(&Change) + Send + Sync + 'static) {
        self.listeners.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(listener));
    }

    /// Hands every change of this process to this, which must be quick and must not wait: it tells the other processes
    /// that share the database. Only the first one counts.
    pub fn relay(&self, relay: impl Fn(&Change) + Send + Sync + 'static) {
        let _ = self.relay.set(Box::new(relay));
    }

    /// Tells everybody, in this process and in others.
    pub fn announce(&self, change: Change) {
        if let Some(relay) = self.relay.get() {
            relay(&change);
        }
        self.hear(change);
    }

    /// Tells everybody in this process what has changed by another one.
    pub fn hear(&self, change: Change) {
        for listener in self.listeners.read().unwrap_or_else(PoisonError::into_inner).iter() {
            listener(&change);
        }
        // Nobody subscribing is not a failure.
        let _ = self.subscribers.send(change);
    }

    /// Makes an edit hold and tells everybody, also when the caller goes away meanwhile.
    pub async fn announce_after<T: Send + 'static>(
        &self,
        change: Change,
        edit: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let changes = self.clone();
        apart::finish(async move {
            let done = edit.await;
            changes.announce(change);
            done
        })
        .await
    }

    /// Returns the changes from here on.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.subscribers.subscribe()
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Changes").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_listener_has_heard_when_the_announcement_returns() {
        let changes = Changes::new();
        let heard = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&heard);
        changes.listen(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        });

        changes.clone().announce(Change::Key(ApiKeyId::new()));

        assert_eq!(heard.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_subscriber_gets_what_was_announced_after_it_came() {
        let changes = Changes::new();
        changes.announce(Change::Everything);
        let mut news = changes.subscribe();
        let user = UserId::new();

        changes.announce(Change::User(user));

        assert_eq!(news.recv().await, Ok(Change::User(user)));
    }
}

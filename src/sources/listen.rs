//! Hearing of changes at sources, as long as somebody listens.
//!
//! A source that says its lists have changed is looked at, a moment later, so that a burst of
//! changes costs one look. Everybody who listens to one source shares one task here and one stream
//! there. Where nobody listens, the regular look finds changes out.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::{
        broadcast::{Receiver, error::RecvError},
        watch,
    },
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    changes::Change,
    model::{Source, SourceId, TenantId},
    sources::{Result, Sources},
    upstream::{Link, Notice, Watch, WatchFilter},
};

/// How many sources are listened to at the same time.
const LISTENED_MAX: usize = 256;
/// How long after a change a source is looked at; further changes until then cost no look.
const DEBOUNCE: Duration = Duration::from_millis(250);
/// How young a look may be so that whoever begins to listen causes no further one at once; there is
/// one when it is that old.
const FRESH: Duration = Duration::from_secs(60);
/// How long a source that has no link is left alone, unless it is edited.
const PAUSE: Duration = Duration::from_secs(60);

/// How long a source may take until it is listened to; whoever waits for that goes on then.
const OPENING_MAX: Duration = Duration::from_secs(1);

/// The sources that are listened to.
#[derive(Default)]
pub(super) struct Listeners(Mutex<HashMap<SourceId, Heard>>);

struct Heard {
    listeners: usize,
    stop: CancellationToken,
    opened: watch::Receiver<bool>,
}

/// Listens to a source until it is dropped.
pub struct Listening {
    listeners: Arc<Listeners>,
    source: SourceId,
    opened: watch::Receiver<bool>,
}

impl Listening {
    /// Waits until the source is heard, or has been waited for long enough.
    pub fn opened(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut opened = self.opened.clone();
        async move {
            // The other end goes when nobody listens any more.
            let _ = opened.wait_for(|opened| *opened).await;
        }
    }
}

impl Listeners {
    fn lock(&self) -> MutexGuard<'_, HashMap<SourceId, Heard>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut heard = self.listeners.lock();
        let Some(one) = heard.get_mut(&self.source) else { return };
        one.listeners -= 1;
        if one.listeners == 0 {
            one.stop.cancel();
            heard.remove(&self.source);
        }
    }
}

impl Sources {
    /// Looks at a source whenever it says that its lists have changed, as long as the returned part
    /// lives; what is found is announced as any other change. `None` if too many sources are
    /// listened to; the regular look has to do then. Must be called inside the runtime.
    pub fn listen(&self, tenant: TenantId, source: SourceId) -> Option<Listening> {
        let listeners = Arc::clone(&self.0.listeners);
        let mut heard = listeners.lock();
        let number = heard.len();
        let opened = match heard.get_mut(&source) {
            Some(one) => {
                one.listeners += 1;
                one.opened.clone()
            }
            None if number >= LISTENED_MAX => {
                tracing::warn!(max = LISTENED_MAX, "no further source is listened to");
                return None;
            }
            None => {
                let stop = CancellationToken::new();
                let (sources, stopped) = (self.clone(), stop.clone());
                let (open, opened) = watch::channel(false);
                tokio::spawn(async move {
                    stopped.run_until_cancelled(sources.hear(tenant, source, open)).await;
                });
                heard.insert(source, Heard { listeners: 1, stop, opened: opened.clone() });
                opened
            }
        };
        drop(heard);
        Some(Listening { listeners, source, opened })
    }

    /// Returns how many sources are listened to.
    pub fn listened(&self) -> usize {
        self.0.listeners.lock().len()
    }

    async fn hear(&self, tenant: TenantId, source: SourceId, open: watch::Sender<bool>) {
        let mut news = self.0.changes.subscribe();
        loop {
            if let Ok(link) = self.link(tenant, source).await {
                let watch = link.watch(WatchFilter {
                    tools: true,
                    prompts: true,
                    resources: true,
                    ..WatchFilter::default()
                });
                let watched = Arc::downgrade(&link);
                drop(link);
                let _ = tokio::time::timeout(OPENING_MAX, watch.opened()).await;
                open.send_replace(true);
                // What changed while nobody listened is found now, or, if somebody has looked a
                // moment ago, soon.
                let is_found = self.look_again(tenant, source, FRESH).await;
                self.follow(tenant, source, watch, &watched, &mut news, is_found).await;
                continue;
            }
            // It is switched off, gone, or its credential cannot be opened.
            open.send_replace(true);
            let edited = async { while !concerns(news.recv().await, source) {} };
            let _ = tokio::time::timeout(PAUSE, edited).await;
        }
    }

    /// Follows what a source says until its link is another.
    async fn follow(
        &self,
        tenant: TenantId,
        source: SourceId,
        mut watch: Watch,
        watched: &Weak<Link>,
        news: &mut Receiver<Change>,
        mut is_found: bool,
    ) {
        let second_look = Instant::now() + FRESH;
        loop {
            let notice = tokio::select! {
                notice = watch.next() => notice,
                () = tokio::time::sleep_until(second_look), if !is_found => {
                    is_found = true;
                    self.look_again(tenant, source, FRESH).await;
                    continue;
                }
                change = news.recv() => {
                    if concerns(change, source) && !self.is_still(tenant, source, watched).await {
                        return;
                    }
                    continue;
                }
            };
            match notice {
                None => return,
                Some(Notice::ToolsChanged | Notice::PromptsChanged | Notice::ResourcesChanged) => {
                    let more = async { while watch.next().await.is_some() {} };
                    let _ = tokio::time::timeout(DEBOUNCE, more).await;
                    is_found = self.look_again(tenant, source, Duration::ZERO).await;
                }
                Some(
                    Notice::ResourceUpdated { .. } | Notice::TaskChanged { .. } | Notice::PageDone { .. },
                ) => {}
            }
        }
    }

    async fn is_still(&self, tenant: TenantId, source: SourceId, watched: &Weak<Link>) -> bool {
        let link = self.link(tenant, source).await;
        link.is_ok_and(|link| Weak::ptr_eq(&Arc::downgrade(&link), watched))
    }

    /// Looks at a source, unless its last look is younger than this. Returns whether it was looked at.
    async fn look_again(&self, tenant: TenantId, source: SourceId, young: Duration) -> bool {
        let now = self.0.clock.now();
        let is_due =
            |found: &Source| found.enabled && found.health.at.is_none_or(|at| now.since(at) >= young);
        let looking = async {
            let found = self.0.store.read(tenant).await?.find_source(source).await?;
            match found.filter(is_due) {
                Some(found) => self.look(&found).await.map(|_| true),
                None => Ok(false),
            }
        };
        looking.await.unwrap_or_else(|error| {
            tracing::debug!(source.id = %source, %error, "a look at a source failed");
            false
        })
    }
}

fn concerns(change: Result<Change, RecvError>, source: SourceId) -> bool {
    match change {
        Ok(Change::Source(_, changed)) => changed == source,
        Ok(Change::Everything) | Err(RecvError::Lagged(_)) => true,
        Ok(
            Change::SourceHealth(..)
            | Change::Connection(_)
            | Change::Preset(..)
            | Change::Key(_)
            | Change::Grant(_)
            | Change::User(_)
            | Change::Plan(_),
        ) => false,
        // The announcer lives as long as the sources.
        Err(RecvError::Closed) => false,
    }
}

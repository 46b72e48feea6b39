//! Listening for changes at a process: `subscriptions/listen` of modern ones, `resources/subscribe`
//! of legacy ones. What it tells comes over the same pipe as everything else.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use tokio::{sync::watch::Receiver, time::Instant};

use super::{Era, Process, Running, StdioLink, UpstreamError};
use crate::{
    mcp::{Revision, write},
    upstream::{
        ReplyBody, Watch, WatchFilter,
        mux::{Question, ask},
        watch::{self, Ear, Hub, Pauses, Stretch},
        wire,
    },
};

impl StdioLink {
    /// Tells of changes until the returned part is dropped. The process runs as long.
    pub(in crate::upstream) fn watch(self: &Arc<Self>, filter: WatchFilter) -> Watch {
        let (watch, turn) = self.hub.add(filter);
        if let Some(turn) = turn {
            let pauses = Pauses::of(&self.limits);
            let ear = StdioEar {
                link: Arc::clone(self),
                process: None,
                previous: None,
                subscribed: BTreeSet::new(),
                gap: false,
            };
            tokio::spawn(watch::listen(ear, Arc::clone(&self.hub), turn, pauses));
        }
        watch
    }

    /// Lets everybody who watches know that the link is gone.
    pub(in crate::upstream) fn end_watches(&self) {
        self.hub.end();
    }
}

/// The one who listens at one process.
struct StdioEar {
    link: Arc<StdioLink>,
    /// The process that was asked.
    process: Option<Arc<Process>>,
    /// The listening that is replaced by the next.
    previous: Option<Listening>,
    /// The resources it was asked for.
    subscribed: BTreeSet<String>,
    /// Changes may have been missed.
    gap: bool,
}

impl Ear for StdioEar {
    async fn listen(&mut self, hub: &Arc<Hub>, bell: &mut Receiver<u64>) -> Stretch {
        let asked = *bell.borrow_and_update();
        let deadline = Instant::now() + self.link.limits.start_timeout;
        let running = match self.link.running(deadline, self.link.limits.start_timeout).await {
            Ok(running) => running,
            Err(error) => {
                tracing::debug!(%error, "could not listen for changes at a process");
                self.gap = true;
                return Stretch::Lost { was_open: false, retry: None };
            }
        };
        if !self.process.as_ref().is_some_and(|known| Arc::ptr_eq(known, &running.process)) {
            self.gap |= self.process.is_some();
            self.process = Some(Arc::clone(&running.process));
            self.subscribed.clear();
        }
        let stretch = match running.revision.era() {
            Era::Modern => self.modern(&running, hub, bell, asked).await,
            Era::Legacy => self.legacy(&running, hub, bell, asked).await,
        };
        if stretch != Stretch::Changed {
            self.gap = true;
            self.previous = None;
        }
        stretch
    }

    async fn leave(&mut self) {
        let (Some(process), leaving) = (self.process.take(), std::mem::take(&mut self.subscribed)) else {
            return;
        };
        // Only a legacy process was subscribed to anything.
        let (revision, timeout) = (Revision::LATEST_LEGACY, self.link.limits.handshake_timeout);
        let _ = subscribe(&process, revision, timeout, "resources/unsubscribe", leaving).await;
    }
}

impl StdioEar {
    async fn modern(
        &mut self,
        running: &Running,
        hub: &Arc<Hub>,
        bell: &mut Receiver<u64>,
        asked: u64,
    ) -> Stretch {
        let wanted = hub.union();
        if wanted.is_empty() {
            self.previous = None;
            hub.opened(asked);
            let _ = bell.changed().await;
            return Stretch::Changed;
        }
        let mut listening = listening(&running.process, running.revision, wanted.listen_params());
        // Asked for before the one before it is given up, so that nothing is missed in between.
        let first = futures::poll!(&mut listening);
        self.previous = None;
        if first.is_pending() {
            self.catch_up(hub, asked);
        }
        loop {
            tokio::select! {
                answer = &mut listening => return match answer {
                    Ok(ReplyBody::Error(_)) => Stretch::Deaf,
                    Err(UpstreamError::Timeout { .. }) => Stretch::Changed,
                    Ok(ReplyBody::Result(_)) | Err(_) => Stretch::Lost { was_open: true, retry: None },
                },
                _ = bell.changed() => {
                    let asked = *bell.borrow_and_update();
                    if hub.union() != wanted {
                        self.previous = Some(listening);
                        return Stretch::Changed;
                    }
                    hub.opened(asked);
                }
            }
        }
    }

    async fn legacy(
        &mut self,
        running: &Running,
        hub: &Arc<Hub>,
        bell: &mut Receiver<u64>,
        mut asked: u64,
    ) -> Stretch {
        loop {
            let wanted = hub.union().uris;
            let more: BTreeSet<_> = wanted.difference(&self.subscribed).cloned().collect();
            let less = self.subscribed.difference(&wanted).cloned().collect();
            self.subscribed.extend(more.iter().cloned());
            for (method, uris) in [("resources/subscribe", more), ("resources/unsubscribe", less)] {
                if subscribe(&running.process, running.revision, self.link.limits.list_timeout, method, uris)
                    .await
                    .is_err()
                {
                    return Stretch::Lost { was_open: true, retry: None };
                }
            }
            self.subscribed = wanted;
            self.catch_up(hub, asked);
            tokio::select! {
                _ = bell.changed() => asked = *bell.borrow_and_update(),
                () = running.process.mux.gone() => return Stretch::Lost { was_open: true, retry: None },
            }
        }
    }

    /// Makes up for a time without anybody who listened.
    fn catch_up(&mut self, hub: &Hub, asked: u64) {
        if std::mem::take(&mut self.gap) {
            hub.publish_all();
        }
        hub.opened(asked);
    }
}

/// A listening; it is answered only when it is over, and given up when it is dropped. Changes come as
/// notifications to the hub meanwhile.
type Listening = BoxFuture<'static, Result<ReplyBody, UpstreamError>>;

fn listening(process: &Arc<Process>, revision: Revision, params: Vec<u8>) -> Listening {
    let mux = Arc::clone(&process.mux);
    Box::pin(async move {
        let question = Question {
            params: &params,
            cancels: true,
            ..Question::own(revision, "subscriptions/listen", watch::LISTEN_MAX)
        };
        Ok(ask(&mux, question).await?.finish().await?.body)
    })
}

/// Asks a legacy process for each of these; what it refuses is only noted.
async fn subscribe(
    process: &Process,
    revision: Revision,
    timeout: Duration,
    method: &'static str,
    uris: BTreeSet<String>,
) -> Result<(), UpstreamError> {
    for uri in uris {
        let params = format!(r#"{{"uri":{}}}"#, write::quoted(&uri));
        let question = Question { params: params.as_bytes(), ..Question::own(revision, method, timeout) };
        if let ReplyBody::Error(error) = ask(&process.mux, question).await?.finish().await?.body {
            let (code, message) = wire::error_words(&error);
            tracing::debug!(method, code, message, "a process refused a subscription");
        }
    }
    Ok(())
}

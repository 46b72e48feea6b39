//! Listening for changes at a source: `subscriptions/listen` of modern sources; the stream of its
//! own (GET) and `resources/subscribe` of legacy ones.

use std::{collections::BTreeSet, sync::Arc};

use futures::{FutureExt, StreamExt};
use http::StatusCode;
use tokio::{sync::watch::Receiver, time::Instant};

use super::{
    Era, HttpLink, Session, UpstreamError,
    aside::{Aside, Heard},
    old::Old,
    wire,
};
use crate::{
    mcp::write,
    upstream::{
        Watch, WatchFilter,
        watch::{self, Ear, Hub, Pauses, Stretch},
    },
};

/// How many subscriptions are asked for at once.
const SUBSCRIBING_MAX: usize = 8;

impl HttpLink {
    /// Tells of changes until the returned part is dropped.
    pub(in crate::upstream) fn watch(self: &Arc<Self>, filter: WatchFilter) -> Watch {
        let (watch, turn) = self.hub.add(filter);
        if let Some(turn) = turn {
            let pauses = Pauses::of(&self.limits);
            let ear = HttpEar { link: Arc::clone(self), place: Place::default(), previous: None, gap: false };
            tokio::spawn(watch::listen(ear, Arc::clone(&self.hub), turn, pauses));
        }
        watch
    }

    /// Lets everybody who watches know that the link is gone.
    pub(in crate::upstream) fn end_watches(&self) {
        self.hub.end();
    }
}

/// The one who listens at one source.
struct HttpEar {
    link: Arc<HttpLink>,
    place: Place,
    /// The stream that is replaced as soon as the next one is acknowledged.
    previous: Option<Aside>,
    /// Changes may have been missed.
    gap: bool,
}

/// What a legacy session was asked for, and where its stream broke off.
#[derive(Default)]
struct Place {
    session: Option<Arc<Session>>,
    event_id: Option<String>,
    subscribed: BTreeSet<String>,
}

impl Ear for HttpEar {
    async fn listen(&mut self, hub: &Arc<Hub>, bell: &mut Receiver<u64>) -> Stretch {
        let deadline = Instant::now() + self.link.limits.handshake_timeout;
        let session = self.link.session(&self.link.plain, deadline).await;
        // What is asked for is looked at after this, and new terms ring for others.
        let asked = *bell.borrow_and_update();
        let stretch = match session {
            Ok(session) if session.era() == Era::Modern => self.modern(&session, hub, bell, asked).await,
            Ok(session) => self.legacy(&session, hub, bell, asked).await,
            Err(error) => Err(error),
        };
        let stretch = stretch.unwrap_or_else(|error| {
            tracing::debug!(%error, "could not listen for changes at a source");
            Stretch::Lost { was_open: false, retry: None }
        });
        if stretch != Stretch::Changed {
            self.gap = true;
            self.previous = None;
        }
        stretch
    }

    async fn leave(&mut self) {
        let Some(session) = self.place.session.take() else { return };
        let leaving = std::mem::take(&mut self.place.subscribed);
        let _ = self.subscribe(&session, "resources/unsubscribe", leaving).await;
    }
}

impl HttpEar {
    async fn modern(
        &mut self,
        session: &Arc<Session>,
        hub: &Arc<Hub>,
        bell: &mut Receiver<u64>,
        mut asked: u64,
    ) -> Result<Stretch, UpstreamError> {
        let link = Arc::clone(&self.link);
        let wanted = hub.union();
        if wanted.is_empty() {
            self.previous = None;
            hub.opened(asked);
            let _ = bell.changed().await;
            return Ok(Stretch::Changed);
        }
        let Some(mut aside) = link.open_listen(session, &wanted).await? else {
            return Ok(Stretch::Deaf);
        };
        let mut was_open = false;
        loop {
            tokio::select! {
                heard = aside.next() => match heard {
                    Some(Heard::Acknowledged) => {
                        was_open = true;
                        self.hand_over(hub, asked);
                    }
                    Some(Heard::Notification { method, params }) => hub.publish_message(&method, &params),
                    Some(Heard::Request { .. }) => {}
                    None => return Ok(Stretch::Lost { was_open, retry: None }),
                },
                heard = next_of(&mut self.previous) => match heard {
                    Some(Heard::Notification { method, params }) => hub.publish_message(&method, &params),
                    Some(Heard::Acknowledged | Heard::Request { .. }) => {}
                    None => self.previous = None,
                },
                _ = bell.changed() => {
                    asked = *bell.borrow_and_update();
                    if hub.union() != wanted || !link.plain.is_current(session) {
                        self.previous = Some(aside);
                        return Ok(Stretch::Changed);
                    }
                    if was_open {
                        hub.opened(asked);
                    }
                }
            }
        }
    }

    /// Ends the stream that this one replaces, with what it had still to tell, or makes up for a
    /// time without any.
    fn hand_over(&mut self, hub: &Hub, asked: u64) {
        if let Some(mut previous) = self.previous.take() {
            while let Some(Some(heard)) = previous.next().now_or_never() {
                if let Heard::Notification { method, params } = heard {
                    hub.publish_message(&method, &params);
                }
            }
        }
        if std::mem::take(&mut self.gap) {
            hub.publish_all();
        }
        hub.opened(asked);
    }

    async fn legacy(
        &mut self,
        session: &Arc<Session>,
        hub: &Arc<Hub>,
        bell: &mut Receiver<u64>,
        asked: u64,
    ) -> Result<Stretch, UpstreamError> {
        let link = Arc::clone(&self.link);
        if !self.place.session.as_ref().is_some_and(|known| Arc::ptr_eq(known, session)) {
            // Another session has other subscriptions, and missed what the one before it heard.
            self.gap |= self.place.session.is_some();
            self.place = Place { session: Some(Arc::clone(session)), ..Place::default() };
        }
        if let Some(old) = &session.old {
            return self.old(session, old, hub, bell, asked).await;
        }
        let _leaving = session.listen_alone(link.limits.watch_pause).await;
        let deadline = Instant::now() + link.limits.handshake_timeout;
        let opened = link.open_aside(session, self.place.event_id.as_deref(), deadline).await?;
        if let Err(status) = &opened
            && *status == StatusCode::NOT_FOUND
            && session.has_id
        {
            return self.renew(session).await;
        }
        if !self.follow(session, hub).await? {
            return self.renew(session).await;
        }
        let Ok(mut aside) = opened else {
            // It may still tell of changes in the streams of calls.
            return Ok(Stretch::Deaf);
        };
        if self.place.event_id.is_some() {
            // What was missed is told again by the source itself.
            self.gap = false;
        }
        self.hand_over(hub, asked);
        loop {
            tokio::select! {
                heard = aside.next() => match heard {
                    Some(Heard::Notification { method, params }) => hub.publish_message(&method, &params),
                    Some(Heard::Request { id, method, .. }) => {
                        link.tell_soon(session, wire::refuse(&id, &method), None);
                    }
                    Some(Heard::Acknowledged) => {}
                    None => {
                        self.place.event_id = aside.last_id();
                        return Ok(Stretch::Lost { was_open: true, retry: aside.retry() });
                    }
                },
                _ = bell.changed() => {
                    let asked = *bell.borrow_and_update();
                    if !link.plain.is_current(session) {
                        return Ok(Stretch::Changed);
                    }
                    if !self.follow(session, hub).await? {
                        return self.renew(session).await;
                    }
                    hub.opened(asked);
                }
            }
            self.place.event_id = aside.last_id();
        }
    }

    /// Listens to a source that says everything in one stream.
    async fn old(
        &mut self,
        session: &Arc<Session>,
        old: &Old,
        hub: &Arc<Hub>,
        bell: &mut Receiver<u64>,
        mut asked: u64,
    ) -> Result<Stretch, UpstreamError> {
        loop {
            if !self.follow(session, hub).await? {
                return self.renew(session).await;
            }
            self.hand_over(hub, asked);
            tokio::select! {
                () = old.mux.gone() => return Ok(Stretch::Lost { was_open: true, retry: None }),
                _ = bell.changed() => {
                    asked = *bell.borrow_and_update();
                    if !self.link.plain.is_current(session) {
                        return Ok(Stretch::Changed);
                    }
                }
            }
        }
    }

    /// Makes a new session in place of one that the source does not know any more.
    async fn renew(&mut self, lost: &Arc<Session>) -> Result<Stretch, UpstreamError> {
        let deadline = Instant::now() + self.link.limits.handshake_timeout;
        self.link.renew(&self.link.plain, lost, deadline).await?;
        Ok(Stretch::Changed)
    }

    /// Makes the subscriptions of a session what is asked for. Returns whether the source still
    /// knows the session.
    async fn follow(&mut self, session: &Arc<Session>, hub: &Hub) -> Result<bool, UpstreamError> {
        let wanted = hub.union().uris;
        let more: BTreeSet<_> = wanted.difference(&self.place.subscribed).cloned().collect();
        let less = self.place.subscribed.difference(&wanted).cloned().collect();
        // Noted first: what the source refuses is not asked for again on the same session.
        self.place.subscribed.extend(more.iter().cloned());
        let is_known = self.subscribe(session, "resources/subscribe", more).await?
            && self.subscribe(session, "resources/unsubscribe", less).await?;
        self.place.subscribed = wanted;
        Ok(is_known)
    }

    async fn subscribe(
        &self,
        session: &Arc<Session>,
        method: &'static str,
        uris: BTreeSet<String>,
    ) -> Result<bool, UpstreamError> {
        let link = &self.link;
        let asking = futures::stream::iter(uris.into_iter().map(|uri| async move {
            let params = format!(r#"{{"uri":{}}}"#, write::quoted(&uri));
            link.ask_aside(session, method, params.as_bytes()).await
        }));
        let mut asking = asking.buffer_unordered(SUBSCRIBING_MAX);
        while let Some(known) = asking.next().await {
            if !known? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Returns what a stream says that may not be there; waits for ever if it is not.
async fn next_of(aside: &mut Option<Aside>) -> Option<Heard> {
    match aside {
        Some(aside) => aside.next().await,
        None => std::future::pending().await,
    }
}

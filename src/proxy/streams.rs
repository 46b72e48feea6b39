//! The stream that a legacy caller opens by GET, and streams taken up again.
//!
//! A session has one such stream: whoever opens it again takes it over, since a connection that hangs
//! looks open for a long time. What is sent on it is kept for callers who come back.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::{oneshot, watch};

use crate::{
    mcp::{
        Raw, Revision,
        headers::{self, LAST_EVENT_ID},
        listen, notification, sse,
    },
    presets::RouteTable,
    proxy::{
        Proxy, ProxyAnswer, ProxyRequest, body,
        events::{Resumed, STANDALONE},
        feed::{Changed, Feed, Wish},
        leave::Leave,
        session::Session,
    },
};

/// How long a stream that tells of changes stays open before the caller has to open it again.
pub const STREAM_AGE_MAX: Duration = Duration::from_secs(4 * 3600);

/// How long what changes is kept for a caller whose stream broke. Whoever comes back later is told that everything may have
/// changed.
pub(super) const AWAY_MAX: Duration = Duration::from_secs(30);

impl Proxy {
    /// Answers a GET: opens the stream of a legacy session, or takes one up again.
    pub(super) async fn stream(&self, request: &ProxyRequest<'_>) -> ProxyAnswer {
        let accepts = headers::accepts(request.headers);
        if !accepts.sse {
            let text = "the stream of a session is `text/event-stream`";
            return body::error(StatusCode::NOT_ACCEPTABLE, None, text);
        }
        let (permit, table) = match self.admit(request, None, None).await {
            Ok(admitted) => admitted,
            Err(refusal) => return *refusal,
        };
        let session = match self.session_of(request, &permit, None).await {
            Ok(session) => session,
            Err(refusal) => return *refusal,
        };
        let last = headers::single(request.headers, &LAST_EVENT_ID).ok().flatten();
        let resumed = match last {
            None => None,
            Some(last) => match last.to_str().ok().and_then(|last| session.events().resume(last)) {
                Some(resumed) => Some(resumed),
                None => {
                    let text = "what followed this event is not kept any more";
                    return body::error(StatusCode::BAD_REQUEST, None, text);
                }
            },
        };
        let (stream, missed, receiver) = match resumed {
            None => (STANDALONE, Vec::new(), Some(session.events().listen(STANDALONE))),
            Some(Resumed { missed, coming, stream }) => (stream, missed, coming),
        };
        if stream == STANDALONE && receiver.is_some() {
            if session.terms.revision >= Revision::V2025_11_25 {
                session.events().prime(STANDALONE);
            }
            // Whoever is told that it listens misses nothing from there on.
            match session.follows(Leave::new(request.headers, &permit, &table)) {
                Some(leaves) => {
                    let (told, is_told) = oneshot::channel();
                    let telling = Telling { proxy: self.clone(), leaves, session };
                    tokio::spawn(telling.run(table, told, last.is_some()));
                    let _ = is_told.await;
                }
                None => session.told().await,
            }
        }
        body::stream_after(missed, receiver)
    }
}

fn wish(session: &Session) -> Wish {
    Wish { lists: Changed::ALL.to_vec(), uris: session.watched(), tasks: Vec::new(), pages: session.pages() }
}

/// What tells the stream of a session, and goes on for a while when that breaks.
struct Telling {
    proxy: Proxy,
    session: Arc<Session>,
    /// What the caller who opened the stream last was let in with.
    leaves: watch::Receiver<Leave>,
}

impl Telling {
    /// Tells what changes. Says through `told` from when on; what changed before that for a caller who comes back is not
    /// known, so everything may have.
    async fn run(mut self, table: Arc<RouteTable>, told: oneshot::Sender<()>, is_back: bool) {
        let mut changes = self.session.changes.subscribe();
        let mut feed = {
            let number = *changes.borrow_and_update();
            let mut feed = Feed::open(&self.proxy, &table, wish(&self.session));
            feed.opened().await;
            self.session.tells(number);
            feed
        };
        if is_back {
            feed.tell_everything();
        }
        let _ = told.send(());
        while self.tell_one(&mut feed, &mut changes).await {}
    }

    /// Tells whoever opened the stream last, until somebody else does. Returns `false` if nobody is told any more.
    async fn tell_one(&mut self, feed: &mut Feed, changes: &mut watch::Receiver<u64>) -> bool {
        let patience = self.proxy.0.patience;
        let leave = self.leaves.borrow_and_update().clone();
        let sender = self.session.events().listener(STANDALONE);
        let (withdrawn, over) = (leave.withdrawn(&self.proxy), tokio::time::sleep(patience.stream));
        let away = async {
            if let Some(sender) = &sender {
                sender.closed().await;
            }
            tokio::time::sleep(patience.back).await;
        };
        tokio::pin!(withdrawn, over, away);
        loop {
            tokio::select! {
                biased;
                _ = self.leaves.changed() => return true,
                () = self.session.ended.cancelled() => break,
                () = self.proxy.0.drained.cancelled() => break,
                () = &mut withdrawn => break,
                () = &mut over => break,
                () = &mut away => break,
                _ = changes.changed() => {
                    let number = *changes.borrow_and_update();
                    feed.change(wish(&self.session));
                    feed.opened().await;
                    self.session.tells(number);
                }
                news = tokio::time::timeout(patience.silence, feed.next()) => match (news, &sender) {
                    (Ok(news), _) => {
                        let params = Raw::checked(std::str::from_utf8(&news.params).unwrap_or(""));
                        let params = listen::untagged(params);
                        let message = notification(news.method, params.as_bytes());
                        // Whoever has gone may come back for it.
                        let _ = self.session.send(STANDALONE, &sse::encode(&message)).await;
                    }
                    (Err(_), Some(sender)) => {
                        let _ = sender.send(Bytes::from_static(sse::KEEP_ALIVE)).await;
                    }
                    (Err(_), None) => {}
                },
            }
        }
        !self.session.is_left(&self.leaves, sender.as_ref())
    }
}

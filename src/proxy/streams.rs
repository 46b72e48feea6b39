//! The stream that a legacy caller opens by GET, and streams taken up again.
//!
//! A session has one such stream: whoever opens it again takes it over, since a connection that hangs
//! looks open for a long time. What is sent on it is kept for callers who come back.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    mcp::{
        Raw, Revision,
        headers::{self, LAST_EVENT_ID},
        listen, notification, sse,
    },
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
            let (held, sender) = {
                let mut events = session.events();
                if session.terms.revision >= Revision::V2025_11_25 {
                    events.prime(STANDALONE);
                }
                (events.held(STANDALONE), events.listener(STANDALONE))
            };
            let Some(sender) = sender else {
                return body::error(StatusCode::CONFLICT, None, "the stream was closed in this very moment");
            };
            let mut changes = session.changes.subscribe();
            let number = *changes.borrow_and_update();
            let mut feed = Feed::open(self, &table, wish(&session));
            // Whoever is told that it listens misses nothing from there on.
            feed.opened().await;
            session.tells(number);
            let telling = Telling {
                leave: Leave::new(request.headers, &permit, &table),
                feed,
                proxy: self.clone(),
                session,
                changes,
                sender,
                held,
            };
            tokio::spawn(telling.run());
        }
        body::stream_after(missed, receiver)
    }
}

fn wish(session: &Session) -> Wish {
    Wish { lists: Changed::ALL.to_vec(), uris: session.watched(), tasks: Vec::new(), pages: session.pages() }
}

/// The open stream of a session.
struct Telling {
    proxy: Proxy,
    leave: Leave,
    feed: Feed,
    session: Arc<Session>,
    /// Tells when what the session watches has become something else.
    changes: watch::Receiver<u64>,
    /// Whoever opened the stream.
    sender: mpsc::Sender<Bytes>,
    /// Cancelled when somebody else has taken it over.
    held: CancellationToken,
}

impl Telling {
    async fn run(mut self) {
        let patience = self.proxy.0.patience;
        let withdrawn = self.leave.withdrawn(&self.proxy);
        let over = tokio::time::sleep(patience.stream);
        tokio::pin!(withdrawn, over);
        loop {
            tokio::select! {
                () = self.sender.closed() => break,
                () = self.held.cancelled() => break,
                () = self.session.ended.cancelled() => break,
                () = self.proxy.0.drained.cancelled() => break,
                () = &mut withdrawn => break,
                () = &mut over => break,
                _ = self.changes.changed() => {
                    let number = *self.changes.borrow_and_update();
                    self.feed.change(wish(&self.session));
                    self.feed.opened().await;
                    self.session.tells(number);
                }
                news = tokio::time::timeout(patience.silence, self.feed.next()) => match news {
                    Ok(news) => {
                        let params = Raw::checked(std::str::from_utf8(&news.params).unwrap_or(""));
                        let params = listen::untagged(params);
                        let message = notification(news.method, params.as_bytes());
                        // Whoever has gone may come back for it.
                        let _ = self.session.send(STANDALONE, &sse::encode(&message)).await;
                    }
                    Err(_) => {
                        let _ = self.sender.send(Bytes::from_static(sse::KEEP_ALIVE)).await;
                    }
                },
            }
        }
        self.session.events().leave(STANDALONE, &self.held);
    }
}

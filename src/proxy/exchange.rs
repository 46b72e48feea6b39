//! Brings what comes of a call to its caller.
//!
//! Chooses the form of the answer as late as it can: one JSON object if the result comes first, a
//! stream from the first message the caller wants, or after [`SILENCE_MAX`]. A legacy caller who
//! prefers streams has one at once, and can come back to it from then on. A modern caller who
//! goes away cancels the call. A legacy caller who goes away does not: the call is brought to its
//! end by a task of its own, and counted; if it had a stream, what is sent there is kept for it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::mpsc;

use crate::{
    clock::Clock,
    mcp::{Revision, sse},
    model::Outcome,
    proxy::{
        ProxyAnswer, body,
        dialogue::{ANSWER_MAX, ROUNDS_MAX},
        events::PIECES_MAX,
        session::Session,
        work::{Out, Work},
    },
};

/// How long a stream is silent before a comment shows that it lives, and how long an answer is
/// waited for before it becomes a stream.
pub const SILENCE_MAX: Duration = Duration::from_secs(15);

/// How much longer than the call itself its stream may live, for callers who read slowly.
const LINGER: Duration = Duration::from_secs(60);

/// A call on its way to its caller. Dropping it cancels the call at the source, except for legacy
/// callers, whose call then runs to its end.
pub(super) struct Exchange(Option<Box<Work>>);

impl Exchange {
    pub(super) fn of(work: Work) -> Self {
        Self(Some(Box::new(work)))
    }

    /// Waits for the source and answers in the form that fits.
    pub(super) async fn answer(mut self) -> ProxyAnswer {
        if self
            .0
            .as_deref()
            .is_some_and(|work| work.call.entry.is_some() && work.call.asker.accepts.sse_first)
        {
            return self.into_stream(None).await;
        }
        loop {
            let Some(work) = self.0.as_deref_mut() else {
                unreachable!("it is taken apart only where this function returns");
            };
            let may_stream = work.call.asker.accepts.sse;
            let silence = work.call.proxy.0.patience.silence;
            match work.next(silence).await {
                Out::Message(message) if may_stream => return self.into_stream(Some(&message)).await,
                Out::Silence if may_stream => return self.into_stream(None).await,
                Out::Message(_) | Out::Silence => {}
                Out::End(ending) => {
                    work.call.keep(&ending).await;
                    let Work { call, .. } = *self.take();
                    let answer = match ending.status {
                        StatusCode::OK => body::message(call.asker.accepts, ending.message.clone()),
                        status => body::json(status, ending.message.clone()),
                    };
                    let sent = ending.message.len();
                    call.close(ending, sent);
                    return answer;
                }
                Out::Cancelled => return self.cancelled(),
            }
        }
    }

    fn take(&mut self) -> Box<Work> {
        self.0.take().expect("it is taken apart once")
    }

    /// A cancelled request has no answer, but an HTTP request must have one: a stream that ends
    /// without a message, or nothing at all.
    fn cancelled(mut self) -> ProxyAnswer {
        let Work { call, .. } = *self.take();
        let accepts = call.asker.accepts;
        call.ledger.close(Outcome::Cancelled, "cancelled by the caller");
        if accepts.sse { body::stream(mpsc::channel(1).1) } else { body::empty(StatusCode::ACCEPTED) }
    }

    async fn into_stream(mut self, first: Option<&Bytes>) -> ProxyAnswer {
        let work = self.take();
        let (sink, receiver) = Sink::open(&work);
        // The channel is new and has room.
        let sent = match first {
            Some(message) => sink.send(message).await.unwrap_or(0),
            None => {
                sink.keep_alive().await;
                0
            }
        };
        let age_max = age_max(&work);
        tokio::spawn(async move {
            // Past that age the call is dropped, which cancels and audits it.
            let _ = tokio::time::timeout(age_max, pump(*work, sink, sent)).await;
        });
        body::stream(receiver)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let Some(work) = self.0.take() else { return };
        if work.call.ends_with_caller() {
            return;
        }
        // Outside of a runtime there is nobody left to wait for the answer.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let age_max = age_max(&work);
            let (sender, _) = mpsc::channel(1);
            runtime.spawn(async move {
                let _ = tokio::time::timeout(age_max, pump(*work, Sink::Caller(sender), 0)).await;
            });
        }
    }
}

fn age_max(work: &Work) -> Duration {
    let answers =
        if work.call.asker.capabilities.can_be_asked() { ANSWER_MAX * ROUNDS_MAX } else { Duration::ZERO };
    work.call.timeout + LINGER + answers
}

/// Where the messages of a stream go.
enum Sink {
    /// To the caller, if it is there.
    Caller(mpsc::Sender<Bytes>),
    /// To the caller, or to what is kept for it.
    Kept(Kept),
}

/// A stream of a session, which ends when this is dropped.
struct Kept {
    session: Arc<Session>,
    stream: u32,
    clock: Clock,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.session.events().end(self.stream, self.clock.now());
    }
}

impl Sink {
    fn open(work: &Work) -> (Self, mpsc::Receiver<Bytes>) {
        let Some(session) = work.call.entry.as_ref().map(|entry| &entry.session) else {
            let (sender, receiver) = mpsc::channel(PIECES_MAX);
            return (Self::Caller(sender), receiver);
        };
        let mut events = session.events();
        let (number, receiver) = events.begin();
        if session.terms.revision >= Revision::V2025_11_25 {
            events.prime(number);
        }
        drop(events);
        let clock = work.call.proxy.0.clock.clone();
        (Self::Kept(Kept { session: Arc::clone(session), stream: number, clock }), receiver)
    }

    /// Returns how many bytes reached the caller; `None` if it has gone.
    async fn send(&self, message: &[u8]) -> Option<usize> {
        let event = sse::encode(message);
        match self {
            Self::Caller(sender) => {
                let bytes = event.len();
                sender.send(event).await.ok().map(|()| bytes)
            }
            Self::Kept(Kept { session, stream, .. }) => session.send(*stream, &event).await,
        }
    }

    async fn keep_alive(&self) {
        let comment = Bytes::from_static(sse::KEEP_ALIVE);
        let listener = match self {
            Self::Caller(sender) => Some(sender.clone()),
            Self::Kept(Kept { session, stream, .. }) => session.events().listener(*stream),
        };
        if let Some(listener) = listener {
            let _ = listener.send(comment).await;
        }
    }

    /// Waits until a caller who is not kept anything for has gone.
    async fn closed(&self) {
        match self {
            Self::Caller(sender) => sender.closed().await,
            Self::Kept(_) => std::future::pending().await,
        }
    }
}

/// Passes on what comes of the call, message by message, until it ends.
async fn pump(mut work: Work, sink: Sink, mut sent: usize) {
    let silence = work.call.proxy.0.patience.silence;
    let ends_with_caller = work.call.ends_with_caller();
    loop {
        let out = tokio::select! {
            biased;
            // Dropping the call tells the source and the audit log.
            () = sink.closed(), if ends_with_caller => return,
            out = work.next(silence) => out,
        };
        match out {
            Out::Message(message) => match sink.send(&message).await {
                Some(bytes) => sent += bytes,
                None if ends_with_caller => return,
                None => {}
            },
            Out::Silence => sink.keep_alive().await,
            Out::End(ending) => {
                work.call.keep(&ending).await;
                sent += match sink.send(&ending.message.whole()).await {
                    Some(bytes) => bytes,
                    None if ends_with_caller => return,
                    None => 0,
                };
                work.call.close(ending, sent);
                return;
            }
            Out::Cancelled => {
                let mut ledger = work.call.ledger;
                ledger.sent(sent);
                ledger.close(Outcome::Cancelled, "cancelled by the caller");
                return;
            }
        }
    }
}

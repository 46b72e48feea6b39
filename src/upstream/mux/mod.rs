//! Many requests over one connection: answers, notifications and questions find the one they are
//! for. Processes speak like this, and servers of the first HTTP transport.

mod stream;

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{QuestionId, ReplyBody, UpstreamError, watch::Hub, wire};
use crate::mcp::Capabilities;

pub(super) use stream::{MuxStream, Question, ask};

/// How many messages wait for a source that does not read.
pub(super) const OUTBOX_MAX: usize = 256;

/// How many notifications of one call wait for a caller who does not read; more are dropped.
const NOTES_MAX: usize = 64;

/// How many questions that came before the call they belong to are kept for it.
const EARLY_QUESTIONS_MAX: usize = 8;

/// One connection.
pub(super) struct Mux {
    outbox: mpsc::Sender<Bytes>,
    pending: Mutex<Pending>,
    drained: Notify,
    ids: AtomicU64,
    /// Who wants to hear of changes.
    hub: Arc<Hub>,
    /// What the source was told on this connection that it may ask.
    asks: Capabilities,
    gone: CancellationToken,
}

#[derive(Default)]
struct Pending {
    waiters: HashMap<u64, Waiter>,
    /// Questions that came while no call was there that could be asked.
    early: VecDeque<Note>,
    /// Why nobody can wait any more.
    dead: Option<UpstreamError>,
}

/// Somebody who waits for an answer.
struct Waiter {
    reply: oneshot::Sender<Result<ReplyBody, UpstreamError>>,
    /// Where everything before the answer goes; `None` = it is not wanted.
    notes: Option<mpsc::Sender<Note>>,
    /// Whether the caller can be asked.
    asks: bool,
    /// Whether it is a call; the link's own listening is none.
    is_call: bool,
}

/// What comes before an answer.
#[derive(Clone, Debug)]
enum Note {
    Notification { method: String, params: Bytes },
    Question { id: QuestionId, method: String, params: Bytes },
    Withdrawn { id: QuestionId },
}

impl Mux {
    /// Makes a connection that sends into this queue.
    pub(super) fn new(outbox: mpsc::Sender<Bytes>, hub: Arc<Hub>, asks: Capabilities) -> Self {
        Self {
            outbox,
            pending: Mutex::default(),
            drained: Notify::new(),
            ids: AtomicU64::new(1),
            hub,
            asks,
            gone: CancellationToken::new(),
        }
    }

    fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes somebody who waits for the answer to a request that is about to be sent.
    fn expect(&self, id: u64, waiter: Waiter) -> Result<(), UpstreamError> {
        let mut pending = self.lock();
        if let Some(error) = &pending.dead {
            return Err(error.clone());
        }
        if waiter.asks
            && let Some(notes) = &waiter.notes
        {
            for question in pending.early.drain(..) {
                let _ = notes.try_send(question);
            }
        }
        pending.waiters.insert(id, waiter);
        Ok(())
    }

    /// Forgets somebody; a late answer is dropped. Returns whether the answer was still due.
    fn forget(&self, id: u64) -> bool {
        let mut pending = self.lock();
        let was_due = pending.waiters.remove(&id).is_some();
        self.ring_if_drained(&pending);
        was_due
    }

    /// Sends one message, and waits while the source does not read.
    pub(super) async fn send(&self, message: Bytes) -> Result<(), UpstreamError> {
        match self.outbox.send(message).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.death().unwrap_or_else(|| died("it takes no more input"))),
        }
    }

    /// Sends one message if there is room.
    pub(super) fn send_soon(&self, message: Bytes) {
        if self.outbox.try_send(message).is_err() {
            tracing::debug!("a source does not read; a message nobody waits for was dropped");
        }
    }

    /// Says whether no call is under way.
    pub(super) fn is_quiet(&self) -> bool {
        self.lock().is_quiet()
    }

    /// Returns why it ended; `None` while it is there.
    pub(super) fn death(&self) -> Option<UpstreamError> {
        self.lock().dead.clone()
    }

    /// Waits until it has ended.
    pub(super) async fn gone(&self) {
        self.gone.cancelled().await;
    }

    /// Waits until no call is under way.
    pub(super) async fn drained(&self) {
        loop {
            let drained = self.drained.notified();
            if self.is_quiet() {
                return;
            }
            drained.await;
        }
    }

    /// Takes one message; an error if it is none.
    pub(super) fn take(&self, message: &Bytes) -> Result<(), UpstreamError> {
        match wire::read(message)? {
            wire::Incoming::Answer { id, body } => self.deliver(id, body),
            wire::Incoming::Request { id, method, params } => self.question(id, method, params),
            wire::Incoming::Notification { method, params } => self.note(method, params),
        }
        Ok(())
    }

    fn deliver(&self, id: Option<u64>, body: ReplyBody) {
        let mut pending = self.lock();
        // An error about a message that could not be read has no id. With one request under way
        // there is no doubt which one is meant.
        let Some(waiter) = id.or_else(|| pending.only()).and_then(|id| pending.waiters.remove(&id)) else {
            return;
        };
        self.ring_if_drained(&pending);
        drop(pending);
        // Whoever stopped waiting in this instant does not want it.
        let _ = waiter.reply.send(Ok(body));
    }

    /// Passes a question on to the newest call that can be asked: a question names no call, and all
    /// calls of a connection that may ask are of one principal.
    fn question(&self, id: Bytes, method: String, params: Bytes) {
        if !wire::may_ask(&self.asks, &method, &params) {
            self.send_soon(wire::refuse(&id, &method));
            return;
        }
        let question = Note::Question { id: QuestionId(id.clone()), method: method.clone(), params };
        let mut pending = self.lock();
        let newest =
            pending.waiters.iter().filter(|(_, waiter)| waiter.asks).max_by_key(|(number, _)| **number);
        let taken = match newest.and_then(|(_, waiter)| waiter.notes.as_ref()) {
            Some(notes) => notes.try_send(question).is_ok(),
            // Servers ask for the roots as soon as the handshake is over.
            None if pending.early.len() < EARLY_QUESTIONS_MAX => {
                pending.early.push_back(question);
                true
            }
            None => false,
        };
        drop(pending);
        if !taken {
            self.send_soon(wire::refuse(&id, &method));
        }
    }

    fn note(&self, method: String, params: Bytes) {
        let mut pending = self.lock();
        let waiter = match method.as_str() {
            "notifications/progress" => {
                wire::progress_token(&params).and_then(|token| pending.waiters.get(&token))
            }
            // A log message names no request: it is passed on only when it can belong to one alone,
            // so that no caller sees another's.
            "notifications/message" => pending.only().and_then(|id| pending.waiters.get(&id)),
            "notifications/cancelled" => {
                let Some(id) = wire::withdrawn(&params) else { return };
                pending
                    .early
                    .retain(|early| !matches!(early, Note::Question { id: other, .. } if *other == id));
                // Whoever was not asked that question passes over it.
                for notes in pending
                    .waiters
                    .values()
                    .filter(|waiter| waiter.asks)
                    .filter_map(|waiter| waiter.notes.as_ref())
                {
                    let _ = notes.try_send(Note::Withdrawn { id: id.clone() });
                }
                return;
            }
            _ => {
                drop(pending);
                self.hub.publish_message(&method, &params);
                return;
            }
        };
        if let Some(notes) = waiter.and_then(|waiter| waiter.notes.as_ref()) {
            // A caller who does not read loses notifications, never the answer.
            let _ = notes.try_send(Note::Notification { method, params });
        }
    }

    /// Ends it: tells everybody who waits, now and later.
    pub(super) fn die(&self, error: UpstreamError) {
        let waiters = {
            let mut pending = self.lock();
            pending.dead.get_or_insert_with(|| error.clone());
            std::mem::take(&mut pending.waiters)
        };
        self.gone.cancel();
        self.drained.notify_waiters();
        for waiter in waiters.into_values() {
            let _ = waiter.reply.send(Err(error.clone()));
        }
    }

    /// Tells whoever sent this message that it did not arrive.
    pub(super) fn fail(&self, message: &Bytes, error: UpstreamError) {
        let Some(id) = wire::sent_id(message) else { return };
        let waiter = {
            let mut pending = self.lock();
            let waiter = pending.waiters.remove(&id);
            self.ring_if_drained(&pending);
            waiter
        };
        if let Some(waiter) = waiter {
            let _ = waiter.reply.send(Err(error));
        }
    }

    fn ring_if_drained(&self, pending: &Pending) {
        if pending.is_quiet() {
            self.drained.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    fn is_quiet(&self) -> bool {
        !self.waiters.values().any(|waiter| waiter.is_call)
    }

    /// Returns the id of the only call under way.
    fn only(&self) -> Option<u64> {
        let mut calls = self.waiters.iter().filter(|(_, waiter)| waiter.is_call);
        let (id, _) = calls.next()?;
        calls.next().is_none().then_some(*id)
    }
}

fn died(detail: &str) -> UpstreamError {
    UpstreamError::Died { detail: detail.to_owned() }
}

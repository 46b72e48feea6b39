//! One legacy caller's session: what was agreed on, what runs, what was asked, what was sent.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Ms,
    mcp::{Capabilities, LogLevel, Revision},
    model::{PresetId, SourceId},
    proxy::{
        events::{Budget, EventStore, STANDALONE},
        feed::OPENING_MAX,
        leave::Leave,
        sessions::Holder,
    },
    upstream::ReplyBody,
};

/// How many calls of one session may run at once.
pub const OPEN_CALLS_MAX: usize = 256;
/// How many questions of one session may wait for answers at once.
pub const OPEN_QUESTIONS_MAX: usize = 64;
/// How many resources one session, or one listening caller, may watch.
pub const WATCHED_MAX: usize = 256;
/// How many pages that one session was sent to are remembered; the oldest are forgotten.
pub const PAGES_MAX: usize = 64;

/// How long a caller may take to take one piece of a stream.
const TAKE_MAX: Duration = Duration::from_secs(30);

/// How a session begins.
#[derive(Debug)]
pub(super) struct Terms {
    /// The revision agreed on.
    pub(super) revision: Revision,
    /// What the caller's program calls itself.
    pub(super) client: Box<str>,
    /// What the caller can be asked.
    pub(super) capabilities: Capabilities,
}

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) holder: Holder,
    pub(super) preset: PresetId,
    pub(super) terms: Terms,
    /// Cancelled when the session ends, however it ends.
    pub(super) ended: CancellationToken,
    /// Counts how often what is watched has become something else.
    pub(super) changes: watch::Sender<u64>,
    /// Up to which of these changes the session's stream tells of what is watched.
    told_up_to: watch::Sender<u64>,
    used_at: AtomicI64,
    /// The least level of log messages wanted, plus one; zero before the caller said one.
    level: AtomicU8,
    watched: Mutex<BTreeSet<Box<str>>>,
    /// Pages the caller was sent to, by their sources' own ids, the oldest first.
    pages: Mutex<VecDeque<(SourceId, Box<str>)>>,
    calls: Mutex<Vec<OpenCall>>,
    calls_begun: AtomicU64,
    questions: Mutex<HashMap<u64, mpsc::Sender<Answered>>>,
    questions_asked: AtomicU64,
    events: Mutex<EventStore>,
    /// Who tells the session's stream of what changes, if anybody does.
    telling: Mutex<Option<watch::Sender<Leave>>>,
}

/// A caller's answer to one question.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) question: u64,
    pub(super) body: ReplyBody,
}

/// A call that a notification may cancel.
#[derive(Debug)]
struct OpenCall {
    /// The caller's id as JSON, so that `1` is not `"1"`.
    id: Box<str>,
    number: u64,
    cancel: CancellationToken,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    pub(super) fn new(holder: Holder, preset: PresetId, terms: Terms, budget: &Budget, now: Ms) -> Self {
        Self {
            holder,
            preset,
            terms,
            ended: CancellationToken::new(),
            changes: watch::Sender::new(0),
            told_up_to: watch::Sender::new(0),
            used_at: AtomicI64::new(now.0),
            level: AtomicU8::new(0),
            watched: Mutex::default(),
            pages: Mutex::default(),
            calls: Mutex::default(),
            calls_begun: AtomicU64::new(0),
            questions: Mutex::default(),
            questions_asked: AtomicU64::new(0),
            events: Mutex::new(EventStore::new(budget.clone())),
            telling: Mutex::default(),
        }
    }

    pub(super) fn used(&self, now: Ms) {
        self.used_at.store(now.0, Ordering::Relaxed);
    }

    pub(super) fn used_at(&self) -> i64 {
        self.used_at.load(Ordering::Relaxed)
    }

    /// Says whether nobody has used it for so long. A session with a call under way or somebody
    /// listening is in use, however long that takes.
    pub(super) fn is_idle(&self, now: Ms, idle_max: Duration) -> bool {
        now.since(Ms(self.used_at())) > idle_max
            && lock(&self.calls).is_empty()
            && !self.events().is_listened_to()
    }

    /// Returns what its streams have sent.
    pub(super) fn events(&self) -> MutexGuard<'_, EventStore> {
        lock(&self.events)
    }

    /// Sends an event on one of its streams, and keeps it for callers who come back. Returns how
    /// many bytes somebody took who listens; `None` if nobody does.
    pub(super) async fn send(&self, stream: u32, event: &[u8]) -> Option<usize> {
        let (piece, listener) = self.events().push(stream, event);
        let bytes = piece.len();
        // Whoever comes back for the stream must not wait behind a connection that hangs.
        let taken = tokio::time::timeout(TAKE_MAX, listener?.send(piece)).await;
        taken.ok()?.ok().map(|()| bytes)
    }

    /// Takes note of a caller who has opened the session's stream. Returns what it may be told by and whoever opens it
    /// after that; `None` if it is being told already.
    pub(super) fn follows(&self, leave: Leave) -> Option<watch::Receiver<Leave>> {
        let mut telling = lock(&self.telling);
        let untold = match telling.as_ref() {
            Some(telling) => telling.send(leave).err()?.0,
            None => leave,
        };
        let (sender, leaves) = watch::channel(untold);
        *telling = Some(sender);
        Some(leaves)
    }

    /// Ends the session's stream, which this one listened to; `false` if somebody has opened it in this very moment.
    pub(super) fn is_left(
        &self,
        leaves: &watch::Receiver<Leave>,
        left: Option<&mpsc::Sender<Bytes>>,
    ) -> bool {
        let mut telling = lock(&self.telling);
        if leaves.has_changed().unwrap_or(false) {
            return false;
        }
        *telling = None;
        if let Some(left) = left {
            self.events().leave(STANDALONE, left);
        }
        true
    }

    /// Returns the least level of log messages wanted; `None` if the caller never said one.
    pub(super) fn log_level(&self) -> Option<LogLevel> {
        let place = usize::from(self.level.load(Ordering::Relaxed)).checked_sub(1)?;
        LogLevel::ALL.get(place).copied()
    }

    pub(super) fn set_log_level(&self, level: LogLevel) {
        self.level.store(level as u8 + 1, Ordering::Relaxed);
    }

    /// Begins to watch a resource; `false` if too many are watched.
    pub(super) fn watch(&self, uri: &str) -> bool {
        let mut watched = lock(&self.watched);
        if watched.len() >= WATCHED_MAX && !watched.contains(uri) {
            return false;
        }
        if watched.insert(uri.into()) {
            self.changed();
        }
        true
    }

    pub(super) fn unwatch(&self, uri: &str) {
        if lock(&self.watched).remove(uri) {
            self.changed();
        }
    }

    fn changed(&self) {
        self.changes.send_modify(|number| *number += 1);
    }

    /// Takes note that the session's stream tells of what is watched since this change.
    pub(super) fn tells(&self, number: u64) {
        self.told_up_to.send_modify(|told| *told = number.max(*told));
    }

    /// Waits until the session's stream, if there is one, tells of everything that is watched now.
    /// Does not wait for long.
    pub(super) async fn told(&self) {
        let number = *self.changes.borrow();
        let listener = self.events().listener(STANDALONE);
        if listener.is_none_or(|listener| listener.is_closed()) {
            return;
        }
        let mut told = self.told_up_to.subscribe();
        let _ = tokio::time::timeout(OPENING_MAX, told.wait_for(|told| *told >= number)).await;
    }

    /// Returns what is watched.
    pub(super) fn watched(&self) -> Vec<Box<str>> {
        lock(&self.watched).iter().cloned().collect()
    }

    /// Takes note of a page that a source sends the caller to.
    pub(super) fn sent_to_page(&self, source: SourceId, id: &str) {
        let mut pages = lock(&self.pages);
        if pages.len() >= PAGES_MAX {
            pages.pop_front();
        }
        pages.push_back((source, id.into()));
        self.changed();
    }

    /// Returns the pages the caller was sent to.
    pub(super) fn pages(&self) -> Vec<(SourceId, Box<str>)> {
        lock(&self.pages).iter().cloned().collect()
    }

    /// Takes note of a call, so that it can be cancelled; `None` if too many run.
    pub(super) fn begin_call(self: &Arc<Self>, id: &str) -> Option<CallEntry> {
        let mut calls = lock(&self.calls);
        if calls.len() >= OPEN_CALLS_MAX {
            return None;
        }
        let number = self.calls_begun.fetch_add(1, Ordering::Relaxed);
        let cancel = self.ended.child_token();
        calls.push(OpenCall { id: id.into(), number, cancel: cancel.clone() });
        drop(calls);
        Some(CallEntry { session: Arc::clone(self), number, cancel })
    }

    /// Cancels the calls of this id. An id nobody knows is one whose answer is on its way.
    pub(super) fn cancel(&self, id: &str) {
        for call in lock(&self.calls).iter().filter(|call| *call.id == *id) {
            call.cancel.cancel();
        }
    }

    /// Takes note of a question that is about to be asked; `None` if too many wait for answers.
    pub(super) fn ask(&self, answers: &mpsc::Sender<Answered>) -> Option<u64> {
        let mut questions = lock(&self.questions);
        if questions.len() >= OPEN_QUESTIONS_MAX {
            return None;
        }
        let question = 1 + self.questions_asked.fetch_add(1, Ordering::Relaxed);
        questions.insert(question, answers.clone());
        Some(question)
    }

    /// Gives a question up.
    pub(super) fn forget(&self, question: u64) {
        lock(&self.questions).remove(&question);
    }

    /// Takes the caller's answer to a question. One that nobody waits for is dropped.
    pub(super) fn answer(&self, id: &str, body: ReplyBody) {
        let Some(question) = question_of(id) else { return };
        let Some(asker) = lock(&self.questions).remove(&question) else { return };
        // The channel has room for every question a call may have open.
        let _ = asker.try_send(Answered { question, body });
    }
}

/// What the ids of our questions begin with, so that they are not mistaken for ids of the caller's.
const QUESTION_MARK: &str = "doorward-";

/// Returns the id, as JSON, that a question is sent under.
pub(super) fn question_id(question: u64) -> String {
    format!("\"{QUESTION_MARK}{question}\"")
}

fn question_of(id: &str) -> Option<u64> {
    id.trim_matches('"').strip_prefix(QUESTION_MARK)?.parse().ok()
}

/// A call's place in its session; dropping it gives the place up.
#[derive(Debug)]
pub(super) struct CallEntry {
    pub(super) session: Arc<Session>,
    number: u64,
    cancel: CancellationToken,
}

impl CallEntry {
    /// Waits until the caller cancels the call or the session ends.
    pub(super) async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }
}

impl Drop for CallEntry {
    fn drop(&mut self) {
        lock(&self.session.calls).retain(|call| call.number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn session() -> Arc<Session> {
        let terms = Terms {
            revision: Revision::LATEST_LEGACY,
            client: "test".into(),
            capabilities: Capabilities::default(),
        };
        let preset = PresetId::new();
        Arc::new(Session::new(Holder::Anonymous(preset), preset, terms, &Budget::default(), Ms(0)))
    }

    #[tokio::test]
    async fn a_notification_cancels_the_call_of_that_id_and_type_only() {
        let session = session();
        let number = session.begin_call("1").expect("room");
        let text = session.begin_call("\"1\"").expect("room");

        session.cancel("1");

        number.cancelled().await;
        assert!(!text.cancel.is_cancelled());
        session.ended.cancel();
        text.cancelled().await;
        drop((number, text));
        assert!(lock(&session.calls).is_empty());
    }

    #[tokio::test]
    async fn an_answer_reaches_the_question_of_its_id_once() {
        let session = session();
        let (sender, mut answers) = mpsc::channel(4);
        let first = session.ask(&sender).expect("room");
        let second = session.ask(&sender).expect("room");
        let body = || ReplyBody::Result(Bytes::from_static(b"{}"));

        session.answer(&question_id(second), body());
        session.answer(&question_id(second), body());
        session.answer("\"doorward-99\"", body());
        session.answer("1", body());
        session.forget(first);
        session.answer(&question_id(first), body());
        drop(sender);

        assert_eq!(answers.recv().await.map(|answered| answered.question), Some(second));
        assert!(answers.recv().await.is_none());
    }

    #[test]
    fn what_a_session_holds_has_bounds() {
        let session = session();
        let calls: Vec<_> = (0..OPEN_CALLS_MAX).map(|_| session.begin_call("1").expect("room")).collect();
        assert!(session.begin_call("1").is_none());
        drop(calls);
        let (sender, _answers) = mpsc::channel(1);
        for _ in 0..OPEN_QUESTIONS_MAX {
            assert!(session.ask(&sender).is_some());
        }
        assert!(session.ask(&sender).is_none());
        for number in 0..WATCHED_MAX {
            assert!(session.watch(&number.to_string()));
        }
        assert!(!session.watch("x") && session.watch("1"));
        session.unwatch("1");
        assert!(session.watch("x"));
        assert_eq!(session.watched().len(), WATCHED_MAX);
        let source = SourceId::new();
        for number in 0..=PAGES_MAX {
            session.sent_to_page(source, &number.to_string());
        }
        assert_eq!(session.pages().first(), Some(&(source, "1".into())), "the oldest is forgotten");
    }
}

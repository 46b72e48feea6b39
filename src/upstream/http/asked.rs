//! Calls of legacy sources that may ask, or log for their caller: a question or a log message may come
//! in the stream of the call, in the stream of the session, and even before the call's stream has begun.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::{sync::mpsc, time::Instant};

use super::{
    Answer, Call, Event, HttpLink, QuestionId, ReplyBody, Session, UpstreamError, slot::Slot,
    stream::TELL_TIMEOUT, wire,
};
use crate::upstream::{EventStream, Reply, call::not_waiting};

/// How many questions wait for a call that does not take them.
const QUESTIONS_MAX: usize = 32;

/// How many questions that came before the call they belong to are kept for it.
const EARLY_MAX: usize = 8;

/// After how many calls in a row without a log message beside them none is waited for any more.
const SILENT_MAX: u32 = 3;

/// What a source says beside the streams of calls.
#[derive(Clone)]
pub(super) enum Aside {
    Logged { method: String, params: Bytes },
    Question { id: QuestionId, method: String, params: Bytes, session: Arc<Session> },
    Withdrawn { id: QuestionId },
}

/// The calls under way on one session, for the questions that name none of them. All are of one
/// principal; the newest is taken to be the one that is meant.
#[derive(Default)]
pub(super) struct Desk(Mutex<Seats>);

#[derive(Default)]
struct Seats {
    taken: Vec<Place>,
    counted: u64,
    /// Questions that came while no call was there.
    early: VecDeque<Aside>,
    /// How many answers in a row waited in vain for log messages beside them.
    silent: u32,
}

struct Place {
    number: u64,
    wants_logs: bool,
    inbox: mpsc::Sender<Aside>,
}

impl Desk {
    /// Passes on what a source says. Returns whether anybody will see it.
    pub(super) fn put(&self, said: Aside) -> bool {
        let mut seats = self.lock();
        match &said {
            Aside::Question { .. } => {}
            Aside::Logged { .. } => {
                seats.silent = 0;
                let newest = seats.taken.iter().rfind(|place| place.wants_logs);
                return newest.is_some_and(|place| place.inbox.try_send(said).is_ok());
            }
            Aside::Withdrawn { id } => {
                seats
                    .early
                    .retain(|early| !matches!(early, Aside::Question { id: other, .. } if other == id));
                // Whoever was not asked that question passes over it.
                for place in &seats.taken {
                    let _ = place.inbox.try_send(said.clone());
                }
                return true;
            }
        }
        match seats.taken.last() {
            Some(place) => place.inbox.try_send(said).is_ok(),
            None if seats.early.len() < EARLY_MAX => {
                seats.early.push_back(said);
                true
            }
            None => false,
        }
    }

    /// Says whether an answer is to wait for log messages that may come beside it, and counts it.
    fn may_log_late(&self) -> bool {
        let mut seats = self.lock();
        seats.silent = (seats.silent + 1).min(SILENT_MAX + 1);
        seats.silent <= SILENT_MAX
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call's place at the desk, and its hold on the session.
struct Seat {
    slot: Arc<Slot>,
    number: u64,
    wants_logs: bool,
    inbox: mpsc::Receiver<Aside>,
}

impl Seat {
    fn take(slot: Arc<Slot>, wants_logs: bool) -> Self {
        let (sender, inbox) = mpsc::channel(QUESTIONS_MAX);
        let mut seats = slot.desk.lock();
        let number = seats.counted;
        seats.counted += 1;
        for early in seats.early.drain(..) {
            let _ = sender.try_send(early);
        }
        seats.taken.push(Place { number, wants_logs, inbox: sender });
        drop(seats);
        Self { slot, number, wants_logs, inbox }
    }

    /// Returns what comes next; waits for ever if nothing can come.
    async fn next(&mut self) -> Aside {
        match self.inbox.recv().await {
            Some(said) => said,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.slot.desk.lock().taken.retain(|place| place.number != self.number);
    }
}

/// The pieces of an answer, with the questions that come beside it.
pub(in crate::upstream) struct AskedStream {
    link: Arc<HttpLink>,
    seat: Seat,
    state: State,
    /// The questions from beside the stream that wait for an answer.
    asked: Vec<(QuestionId, Arc<Session>)>,
    /// A piece that was read early.
    waiting: Option<Event>,
    /// The answer, and until when log messages that belong before it are waited for.
    last: Option<(Reply, Instant)>,
}

enum State {
    Posting(BoxFuture<'static, Result<Answer, UpstreamError>>),
    Streaming(EventStream),
    Done,
}

impl State {
    /// Waits for the next piece. Nothing is lost when this is given up and called again.
    async fn next(&mut self) -> Option<Result<Event, UpstreamError>> {
        loop {
            match self {
                Self::Done => return None,
                Self::Posting(posting) => match posting.await {
                    Ok(Answer::Stream(stream)) => *self = Self::Streaming(stream),
                    Ok(Answer::Complete(reply)) => {
                        *self = Self::Done;
                        return Some(Ok(Event::Reply(reply)));
                    }
                    Err(error) => {
                        *self = Self::Done;
                        return Some(Err(error));
                    }
                },
                // A stream holds streams of this kind, too: the future needs a size.
                Self::Streaming(stream) => return Box::pin(stream.next()).await,
            }
        }
    }
}

impl HttpLink {
    /// Sends a call whose session is kept apart, and waits for the first piece.
    pub(super) async fn call_asked(
        self: &Arc<Self>,
        slot: Arc<Slot>,
        session: Arc<Session>,
        call: Call,
        deadline: Instant,
    ) -> Result<Answer, UpstreamError> {
        let link = Arc::clone(self);
        let seat = Seat::take(Arc::clone(&slot), call.log_level.is_some());
        let posting = async move { link.call_on(&slot, session, &call, deadline).await };
        let mut stream = AskedStream {
            link: Arc::clone(self),
            seat,
            state: State::Posting(Box::pin(posting)),
            asked: Vec::new(),
            waiting: None,
            last: None,
        };
        match stream.next().await {
            Some(Ok(Event::Reply(reply))) => Ok(Answer::Complete(reply)),
            Some(Ok(event)) => {
                stream.waiting = Some(event);
                Ok(Answer::Stream(EventStream::asked(stream)))
            }
            Some(Err(error)) => Err(error),
            None => Err(UpstreamError::Died { detail: "its stream ended without an answer".to_owned() }),
        }
    }
}

impl AskedStream {
    /// Returns the next piece, `None` after the last.
    pub(in crate::upstream) async fn next(&mut self) -> Option<Result<Event, UpstreamError>> {
        if let Some(event) = self.waiting.take() {
            return Some(Ok(event));
        }
        loop {
            let Self { seat, state, last, .. } = self;
            let late = self.link.limits.late_logs;
            let pieces = async {
                match last {
                    None => state.next().await,
                    Some((reply, until)) => {
                        tokio::time::sleep_until(*until).await;
                        Some(Ok(Event::Reply(reply.clone())))
                    }
                }
            };
            let said = tokio::select! {
                biased;
                // What came beside the call came before what is still to come in it.
                said = seat.next() => said,
                piece = pieces => match piece {
                    Some(Ok(Event::Reply(reply)))
                        if last.is_none() && seat.wants_logs && seat.slot.desk.may_log_late() =>
                    {
                        *last = Some((reply, Instant::now() + late));
                        continue;
                    }
                    piece => {
                        *last = None;
                        return piece;
                    }
                },
            };
            match said {
                Aside::Logged { method, params } => return Some(Ok(Event::Notification { method, params })),
                Aside::Question { id, method, params, session } => {
                    let revision = session.revision;
                    self.asked.push((id.clone(), session));
                    return Some(Ok(Event::Question { id, method, params, revision }));
                }
                Aside::Withdrawn { id } => {
                    if self.take_asked(&id).is_some() {
                        return Some(Ok(Event::Withdrawn { id }));
                    }
                }
            }
        }
    }

    fn take_asked(&mut self, id: &QuestionId) -> Option<Arc<Session>> {
        let at = self.asked.iter().position(|(asked, _)| asked == id)?;
        Some(self.asked.swap_remove(at).1)
    }

    /// Answers a question.
    pub(in crate::upstream) async fn reply(
        &mut self,
        id: &QuestionId,
        body: &ReplyBody,
    ) -> Result<(), UpstreamError> {
        match (self.take_asked(id), &mut self.state) {
            (Some(session), _) => self.link.answer_question(&session, id, body).await,
            (None, State::Streaming(stream)) => Box::pin(stream.reply(id, body.clone())).await,
            (None, _) => Err(not_waiting()),
        }
    }
}

impl Drop for AskedStream {
    fn drop(&mut self) {
        // A source waits for the answer to what it asked, also when the call is over: its question
        // may be another call's.
        while let Ok(said) = self.seat.inbox.try_recv() {
            if let Aside::Question { id, session, .. } = said {
                self.asked.push((id, session));
            }
        }
        for (id, session) in self.asked.drain(..) {
            self.link.tell_soon(&session, wire::nobody_there(&id), None);
        }
    }
}

impl HttpLink {
    /// Sends the answer to a question.
    pub(super) async fn answer_question(
        &self,
        session: &Session,
        id: &QuestionId,
        body: &ReplyBody,
    ) -> Result<(), UpstreamError> {
        let deadline = Instant::now() + TELL_TIMEOUT;
        let status = self.tell(session, wire::answer(id, body), None, deadline).await?;
        match status.is_success() {
            true => Ok(()),
            false => Err(UpstreamError::Died {
                detail: format!("it answered the answer to its question with {status}"),
            }),
        }
    }
}

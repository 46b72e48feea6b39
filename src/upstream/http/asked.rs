//! Calls of legacy sources that may ask: a question may come in the stream of the call, in the stream
//! of the session, and even before the call's stream has begun.

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
use crate::upstream::{EventStream, call::not_waiting};

/// How many questions wait for a call that does not take them.
const QUESTIONS_MAX: usize = 32;

/// How many questions that came before the call they belong to are kept for it.
const EARLY_MAX: usize = 8;

/// What a source says beside the streams of calls.
#[derive(Clone)]
pub(super) enum Aside {
    Question { id: QuestionId, method: String, params: Bytes, session: Arc<Session> },
    Withdrawn { id: QuestionId },
}

/// The calls under way on one session, for the questions that name none of them. All are of one
/// principal; the newest is taken to be the one that is meant.
#[derive(Default)]
pub(super) struct Desk(Mutex<Seats>);

#[derive(Default)]
struct Seats {
    taken: Vec<(u64, mpsc::Sender<Aside>)>,
    counted: u64,
    /// Questions that came while no call was there.
    early: VecDeque<Aside>,
}

impl Desk {
    /// Passes on what a source says. Returns whether anybody will see it.
    pub(super) fn put(&self, said: Aside) -> bool {
        let mut seats = self.lock();
        if let Aside::Withdrawn { id } = &said {
            seats.early.retain(|early| !matches!(early, Aside::Question { id: other, .. } if other == id));
            // Whoever was not asked that question passes over it.
            for (_, seat) in &seats.taken {
                let _ = seat.try_send(said.clone());
            }
            return true;
        }
        match seats.taken.last() {
            Some((_, seat)) => seat.try_send(said).is_ok(),
            None if seats.early.len() < EARLY_MAX => {
                seats.early.push_back(said);
                true
            }
            None => false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call's place at the desk, and its hold on the session.
struct Seat {
    slot: Arc<Slot>,
    number: u64,
    inbox: mpsc::Receiver<Aside>,
}

impl Seat {
    fn take(slot: Arc<Slot>) -> Self {
        let (sender, inbox) = mpsc::channel(QUESTIONS_MAX);
        let mut seats = slot.desk.lock();
        let number = seats.counted;
        seats.counted += 1;
        for early in seats.early.drain(..) {
            let _ = sender.try_send(early);
        }
        seats.taken.push((number, sender));
        drop(seats);
        Self { slot, number, inbox }
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
        self.slot.desk.lock().taken.retain(|(number, _)| *number != self.number);
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
        let seat = Seat::take(Arc::clone(&slot));
        let posting = async move { link.call_on(&slot, session, &call, deadline).await };
        let mut stream = AskedStream {
            link: Arc::clone(self),
            seat,
            state: State::Posting(Box::pin(posting)),
            asked: Vec::new(),
            waiting: None,
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
            let Self { seat, state, .. } = self;
            let said = tokio::select! {
                biased;
                piece = state.next() => return piece,
                said = seat.next() => said,
            };
            match said {
                Aside::Question { id, method, params, session } => {
                    self.asked.push((id.clone(), session));
                    return Some(Ok(Event::Question { id, method, params }));
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

//! Waiting for one answer, and giving up in the middle.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{Mux, NOTES_MAX, Note, Waiter, died};
use crate::{
    mcp::{Capabilities, LogLevel, Revision},
    upstream::{
        Answer, Event, EventStream, QuestionId, Reply, ReplyBody, UpstreamError, call::Waiting, wire,
    },
};

/// One request.
pub(in crate::upstream) struct Question<'a> {
    pub(in crate::upstream) revision: Revision,
    pub(in crate::upstream) method: &'a str,
    pub(in crate::upstream) params: &'a [u8],
    /// Whether progress is wanted.
    pub(in crate::upstream) progress: bool,
    pub(in crate::upstream) log_level: Option<LogLevel>,
    /// What the caller declares, for a modern source; `None` = nothing.
    pub(in crate::upstream) capabilities: Option<&'a Capabilities>,
    /// Whether the caller can be asked.
    pub(in crate::upstream) asks: bool,
    /// Whether it is somebody's call; the link's own listening is none.
    pub(in crate::upstream) is_call: bool,
    /// Whether the source is told when nobody waits any more; never so in a handshake.
    pub(in crate::upstream) cancels: bool,
    pub(in crate::upstream) deadline: Instant,
    /// The whole time the call was given, for the error's text.
    pub(in crate::upstream) timeout: Duration,
}

impl Question<'static> {
    /// Returns a request that the link makes on its own behalf, without parameters.
    pub(in crate::upstream) fn own(revision: Revision, method: &'static str, timeout: Duration) -> Self {
        Self {
            revision,
            method,
            params: b"{}",
            progress: false,
            log_level: None,
            capabilities: None,
            asks: false,
            is_call: false,
            cancels: false,
            deadline: Instant::now() + timeout,
            timeout,
        }
    }
}

/// The pieces of one answer.
pub(in crate::upstream) struct MuxStream {
    mux: Arc<Mux>,
    id: u64,
    revision: Revision,
    reply: oneshot::Receiver<Result<ReplyBody, UpstreamError>>,
    notes: Option<mpsc::Receiver<Note>>,
    /// The questions that wait for an answer.
    asked: Waiting,
    /// A piece that was read early.
    waiting: Option<Event>,
    /// The answer, while notifications before it are still to be told.
    last: Option<ReplyBody>,
    cancels: bool,
    deadline: Instant,
    timeout: Duration,
    done: bool,
}

/// Sends one request and waits for the first piece of the answer.
pub(in crate::upstream) async fn ask(
    mux: &Arc<Mux>,
    question: Question<'_>,
) -> Result<Answer, UpstreamError> {
    let id = mux.next_id();
    let (answered, reply) = oneshot::channel();
    let wants_notes = question.progress || question.log_level.is_some() || question.asks;
    let (sender, notes) = match wants_notes.then(|| mpsc::channel(NOTES_MAX)) {
        Some((sender, notes)) => (Some(sender), Some(notes)),
        None => (None, None),
    };
    mux.expect(
        id,
        Waiter { reply: answered, notes: sender, asks: question.asks, is_call: question.is_call },
    )?;
    // From here on, dropping this gives the request up.
    let mut stream = MuxStream {
        mux: Arc::clone(mux),
        id,
        revision: question.revision,
        reply,
        notes,
        asked: Waiting::default(),
        waiting: None,
        last: None,
        cancels: question.cancels,
        deadline: question.deadline,
        timeout: question.timeout,
        done: false,
    };
    let envelope = wire::Envelope {
        id,
        revision: question.revision,
        progress: question.progress,
        log_level: question.log_level,
        capabilities: question.capabilities,
    };
    let message = wire::request(envelope, question.method, question.params);
    match tokio::time::timeout_at(question.deadline, mux.send(message)).await {
        Ok(sent) => sent?,
        Err(_) => return Err(UpstreamError::Timeout { after: question.timeout }),
    }
    match stream.next().await {
        Some(Ok(Event::Reply(reply))) => Ok(Answer::Complete(reply)),
        Some(Ok(event)) => {
            stream.waiting = Some(event);
            Ok(Answer::Stream(EventStream::mux(stream)))
        }
        Some(Err(error)) => Err(error),
        None => Err(died("the connection to it ended")),
    }
}

impl MuxStream {
    /// Returns the next piece, `None` after the last.
    pub(in crate::upstream) async fn next(&mut self) -> Option<Result<Event, UpstreamError>> {
        if let Some(event) = self.waiting.take() {
            return Some(Ok(event));
        }
        if self.done {
            return None;
        }
        while self.last.is_none() {
            let Self { reply, notes, .. } = self;
            tokio::select! {
                // Notifications came before the answer, and are told before it.
                biased;
                note = receive(notes) => {
                    if let Some(event) = self.told(note) {
                        return Some(Ok(event));
                    }
                }
                outcome = reply => match outcome {
                    Ok(Ok(body)) => self.last = Some(body),
                    Ok(Err(error)) => return self.fail(error),
                    Err(_) => return self.fail(died("the connection to it ended")),
                },
                () = tokio::time::sleep_until(self.deadline) => {
                    self.give_up();
                    return Some(Err(UpstreamError::Timeout { after: self.timeout }));
                }
            }
        }
        // Some may have come in between.
        while let Some(note) = self.notes.as_mut().and_then(|notes| notes.try_recv().ok()) {
            if let Some(event) = self.told(note) {
                return Some(Ok(event));
            }
        }
        self.done = true;
        let body = self.last.take()?;
        Some(Ok(Event::Reply(Reply { body, revision: self.revision })))
    }

    /// Returns what the caller is told; `None` if it is none of this call's.
    fn told(&mut self, note: Note) -> Option<Event> {
        Some(match note {
            Note::Notification { method, params } => Event::Notification { method, params },
            Note::Question { id, method, params } => {
                self.asked.add(id.clone());
                Event::Question { id, method, params, revision: self.revision }
            }
            Note::Withdrawn { id } => self.asked.withdraw(id)?,
        })
    }

    /// Answers a question.
    pub(in crate::upstream) async fn reply(
        &mut self,
        id: &QuestionId,
        body: &ReplyBody,
    ) -> Result<(), UpstreamError> {
        self.asked.answer(id)?;
        match tokio::time::timeout_at(self.deadline, self.mux.send(wire::answer(id, body))).await {
            Ok(sent) => sent,
            Err(_) => Err(UpstreamError::Timeout { after: self.timeout }),
        }
    }

    fn fail(&mut self, error: UpstreamError) -> Option<Result<Event, UpstreamError>> {
        self.done = true;
        Some(Err(error))
    }

    fn give_up(&mut self) {
        self.done = true;
        if self.mux.forget(self.id) && self.cancels {
            self.mux.send_soon(wire::cancelled(self.id));
        }
    }
}

/// Waits for a notification; for ever if none is wanted, or none can come any more.
async fn receive(notes: &mut Option<mpsc::Receiver<Note>>) -> Note {
    if let Some(notes) = notes
        && let Some(note) = notes.recv().await
    {
        return note;
    }
    std::future::pending().await
}

impl Drop for MuxStream {
    fn drop(&mut self) {
        // A source waits for the answer to what it asked, also when the call is over: its question
        // may be another call's.
        let told =
            std::iter::from_fn(|| self.notes.as_mut()?.try_recv().ok()).filter_map(|note| match note {
                Note::Question { id, .. } => Some(id),
                Note::Notification { .. } | Note::Withdrawn { .. } => None,
            });
        let waiting: Vec<QuestionId> = self.asked.leave().into_iter().chain(told).collect();
        for id in waiting {
            self.mux.send_soon(wire::nobody_there(&id));
        }
        if !self.done {
            self.give_up();
        }
    }
}

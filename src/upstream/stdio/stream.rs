//! Waiting for one answer of a process, and giving up in the middle.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    super::{Answer, Event, EventStream, Reply, ReplyBody, UpstreamError, wire},
    process::{NOTES_MAX, Process, Waiter},
};
use crate::mcp::Revision;

/// One request to a process.
pub(super) struct Question<'a> {
    pub(super) revision: Revision,
    pub(super) method: &'a str,
    pub(super) params: &'a [u8],
    /// Whether progress is wanted.
    pub(super) progress: bool,
    pub(super) log_level: Option<&'a str>,
    /// Whether the source is told when nobody waits any more; never so in a handshake.
    pub(super) cancels: bool,
    pub(super) deadline: Instant,
    /// The whole time the call was given, for the error's text.
    pub(super) timeout: Duration,
}

/// The pieces of one answer.
pub(in crate::upstream) struct StdioStream {
    process: Arc<Process>,
    id: u64,
    revision: Revision,
    reply: oneshot::Receiver<Result<ReplyBody, UpstreamError>>,
    notes: Option<mpsc::Receiver<(String, Bytes)>>,
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
pub(super) async fn ask(process: &Arc<Process>, question: Question<'_>) -> Result<Answer, UpstreamError> {
    let id = process.next_id();
    let (answered, reply) = oneshot::channel();
    let wants_notes = question.progress || question.log_level.is_some();
    let (sender, notes) = match wants_notes.then(|| mpsc::channel(NOTES_MAX)) {
        Some((sender, notes)) => (Some(sender), Some(notes)),
        None => (None, None),
    };
    process.expect(id, Waiter { reply: answered, notes: sender })?;
    // From here on, dropping this gives the request up.
    let mut stream = StdioStream {
        process: Arc::clone(process),
        id,
        revision: question.revision,
        reply,
        notes,
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
    };
    let message = wire::request(envelope, question.method, question.params);
    match tokio::time::timeout_at(question.deadline, process.send(message)).await {
        Ok(sent) => sent?,
        Err(_) => return Err(UpstreamError::Timeout { after: question.timeout }),
    }
    match stream.next().await {
        Some(Ok(Event::Reply(reply))) => Ok(Answer::Complete(reply)),
        Some(Ok(event)) => {
            stream.waiting = Some(event);
            Ok(Answer::Stream(EventStream::stdio(stream)))
        }
        Some(Err(error)) => Err(error),
        None => Err(UpstreamError::Died { detail: "its process ended".to_owned() }),
    }
}

impl StdioStream {
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
                (method, params) = receive(notes) => {
                    return Some(Ok(Event::Notification { method, params }));
                }
                outcome = reply => match outcome {
                    Ok(Ok(body)) => self.last = Some(body),
                    Ok(Err(error)) => return self.fail(error),
                    Err(_) => return self.fail(UpstreamError::Died { detail: "its process ended".to_owned() }),
                },
                () = tokio::time::sleep_until(self.deadline) => {
                    self.give_up();
                    return Some(Err(UpstreamError::Timeout { after: self.timeout }));
                }
            }
        }
        // Some may have come in between.
        if let Some((method, params)) = self.notes.as_mut().and_then(|notes| notes.try_recv().ok()) {
            return Some(Ok(Event::Notification { method, params }));
        }
        self.done = true;
        let body = self.last.take()?;
        Some(Ok(Event::Reply(Reply { body, revision: self.revision })))
    }

    fn fail(&mut self, error: UpstreamError) -> Option<Result<Event, UpstreamError>> {
        self.done = true;
        Some(Err(error))
    }

    fn give_up(&mut self) {
        self.done = true;
        if self.process.forget(self.id) && self.cancels {
            self.process.send_soon(wire::cancelled(self.id));
        }
    }
}

/// Waits for a notification; for ever if none is wanted, or none can come any more.
async fn receive(notes: &mut Option<mpsc::Receiver<(String, Bytes)>>) -> (String, Bytes) {
    if let Some(notes) = notes
        && let Some(note) = notes.recv().await
    {
        return note;
    }
    std::future::pending().await
}

impl Drop for StdioStream {
    fn drop(&mut self) {
        if !self.done {
            self.give_up();
        }
    }
}

//! One call under way: what the source sends, turned into what its caller is told.
//!
//! Waits for the source, and chooses the form of the answer as late as it can: one JSON object if
//! the result comes first, a stream from the first notification the caller wants, or after
//! [`SILENCE_MAX`]. A modern caller who goes away cancels the call. A legacy caller who goes away
//! does not: the call is brought to its end by a task of its own, and counted.

use std::{future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::{
    mcp::{
        Raw, Revision, edit,
        error::{codes, relay},
        headers::Accepts,
        notification, notifications, response, sse,
        translate::{self, CallEnd},
    },
    model::{Era, Outcome, SourceName},
    proxy::{ProxyAnswer, body, call::outcome_of, ledger::Ledger, session::CallEntry, words},
    quota::Reservation,
    upstream::{Answer, Event, EventStream, Reply, ReplyBody, UpstreamError},
};

/// How long a stream is silent before a comment shows that it lives, and how long an answer is
/// waited for before it becomes a stream.
pub const SILENCE_MAX: Duration = Duration::from_secs(15);

/// How many pieces of a stream wait for a slow caller.
const PIECES_MAX: usize = 16;

/// How much longer than the call itself its stream may live, for callers who read slowly.
const LINGER: Duration = Duration::from_secs(60);

/// Levels of log messages, the least severe first.
pub(super) const LEVELS: [&str; 8] =
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// What the answer depends on at the caller's side.
pub(super) struct Asker {
    /// The request's id as JSON.
    pub(super) id: Box<str>,
    pub(super) revision: Revision,
    pub(super) accepts: Accepts,
    /// The caller's progress token as JSON, if it wants to hear of progress.
    pub(super) progress_token: Option<Box<str>>,
    /// The least severe level of log messages the caller wants, by its place in [`LEVELS`].
    pub(super) log_level: Option<usize>,
}

/// Returns a level's place among the levels; `None` if it is none.
pub(super) fn level(name: &str) -> Option<usize> {
    LEVELS.iter().position(|level| *level == name)
}

pub(super) type Calling = Pin<Box<dyn Future<Output = Result<Answer, UpstreamError>> + Send>>;

enum Running {
    Calling(Calling),
    Streaming(EventStream),
}

impl Running {
    /// Returns what the source sends next. Cancel-safe. Nothing follows a reply or an error.
    async fn next(&mut self) -> Result<Event, UpstreamError> {
        if let Self::Calling(calling) = self {
            match calling.await? {
                Answer::Complete(reply) => return Ok(Event::Reply(reply)),
                Answer::Stream(events) => *self = Self::Streaming(events),
            }
        }
        let Self::Streaming(events) = self else {
            unreachable!("a call that is not answered at once streams");
        };
        events.next().await.unwrap_or_else(|| {
            Err(UpstreamError::Died { detail: "its stream ended without an answer".to_owned() })
        })
    }
}

/// Told by a source's link after every call, for the source's health.
pub(super) type Note = Box<dyn Fn(Result<(), &UpstreamError>) + Send + Sync>;

/// One call under way.
pub(super) struct Call {
    pub(super) asker: Asker,
    pub(super) source: SourceName,
    /// Whether legacy callers were shown an output schema that wraps the source's.
    pub(super) wraps_output: bool,
    pub(super) ledger: Ledger,
    pub(super) note: Note,
    /// Its place in a legacy session.
    pub(super) entry: Option<CallEntry>,
    /// How long it may take.
    pub(super) timeout: Duration,
    /// How long nothing is heard before the caller is shown that the call lives.
    pub(super) silence: Duration,
    /// Held until the end: the proof that it was charged.
    pub(super) reservation: Reservation,
}

/// What is sent at the end of a call.
struct Ending {
    message: Bytes,
    outcome: Outcome,
    reason: String,
}

impl Call {
    /// Says whether the caller's going away ends the call.
    fn ends_with_caller(&self) -> bool {
        self.asker.revision.era() == Era::Modern
    }

    /// Waits until the caller cancels by notification, which only legacy callers do.
    async fn cancelled(&self) {
        match &self.entry {
            Some(entry) => entry.cancelled().await,
            None => std::future::pending().await,
        }
    }

    fn id(&self) -> Raw<'_> {
        Raw::checked(&self.asker.id)
    }

    /// Returns a notification as the caller gets it; `None` if it is not for the caller.
    fn notification(&self, method: &str, params: &Bytes) -> Option<Bytes> {
        let params = Raw::checked(std::str::from_utf8(params).ok()?);
        match method {
            notifications::PROGRESS => {
                let token = self.asker.progress_token.as_deref()?;
                let params = edit::set_member(params, "progressToken", token);
                Some(notification(method, params.as_bytes()))
            }
            notifications::MESSAGE => {
                let least = self.asker.log_level?;
                let said = level(&params.member("level")?.as_str()?)?;
                (said >= least).then(|| notification(method, params.as_bytes()))
            }
            _ => None,
        }
    }

    /// Returns what the caller is told at the end.
    fn ending(&self, end: Result<Reply, UpstreamError>) -> Ending {
        let caller = self.asker.revision;
        let failed = |text: &str, outcome, reason: String| Ending {
            message: response(self.id(), &translate::error_result(caller, text)),
            outcome,
            reason,
        };
        let reply = match end {
            Ok(reply) => reply,
            Err(error) => {
                let text = words::upstream(&self.source, &error);
                return failed(&text, outcome_of(error.fault()), error.to_string());
            }
        };
        match &reply.body {
            ReplyBody::Result(result) => {
                match translate::call_end(caller, reply.revision, self.id(), result, self.wraps_output) {
                    CallEnd::Complete { answer, is_error: false } => {
                        Ending { message: answer, outcome: Outcome::Ok, reason: String::new() }
                    }
                    CallEnd::Complete { answer, is_error: true } => Ending {
                        message: answer,
                        outcome: Outcome::ToolError,
                        reason: "the tool answered with an error".to_owned(),
                    },
                    end @ (CallEnd::InputRequired | CallEnd::Task | CallEnd::Other(_)) => {
                        let kind = match &end {
                            CallEnd::Other(kind) => kind.as_str(),
                            CallEnd::Task => "task",
                            CallEnd::InputRequired | CallEnd::Complete { .. } => "input_required",
                        }
                        .escape_debug();
                        let text = format!(
                            "The tool asked for more than arguments (`{kind}`), which this gateway does not \
                             pass on. Nothing was returned."
                        );
                        failed(&text, Outcome::Upstream, format!("a result of the type `{kind}`"))
                    }
                }
            }
            ReplyBody::Error(error) => {
                let raw = Raw::checked(std::str::from_utf8(error).unwrap_or_default());
                let code = raw.member("code").map_or("?", Raw::get);
                let reason = format!("the source answered with the error {code}");
                match translate::error_for(caller, raw) {
                    Some(error) => Ending {
                        message: relay(self.id(), Raw::checked(&error)),
                        outcome: if code.parse() == Ok(codes::INVALID_PARAMS) {
                            Outcome::Caller
                        } else {
                            Outcome::ToolError
                        },
                        reason,
                    },
                    None => {
                        let source = &self.source;
                        let text = format!(
                            "The data source `{source}` and this gateway did not understand each other."
                        );
                        failed(&text, Outcome::Upstream, reason)
                    }
                }
            }
        }
    }

    /// Writes the call down and gives its place up.
    fn close(mut self, ending: Ending, sent: usize) {
        self.ledger.sent(sent);
        self.ledger.close(ending.outcome, ending.reason);
        drop(self.reservation);
    }
}

/// A call and what the source is doing about it. Dropping it cancels the call at the source, except
/// for legacy callers, whose call then runs to its end.
pub(super) struct Exchange(Option<Box<(Call, Running)>>);

enum Step {
    Event(Result<Event, UpstreamError>),
    Silence,
    Cancelled,
}

impl Exchange {
    pub(super) fn begin(call: Call, calling: Calling) -> Self {
        Self(Some(Box::new((call, Running::Calling(calling)))))
    }

    /// Waits for the source and answers in the form that fits.
    pub(super) async fn answer(mut self) -> ProxyAnswer {
        loop {
            let Some((call, running)) = self.0.as_deref_mut() else {
                unreachable!("it is taken apart only where this function returns");
            };
            let may_stream = call.asker.accepts.sse;
            let step = tokio::select! {
                biased;
                () = call.cancelled() => Step::Cancelled,
                next = tokio::time::timeout(call.silence, running.next()) => {
                    next.map_or(Step::Silence, Step::Event)
                }
            };
            match step {
                Step::Event(Ok(Event::Notification { method, params })) => {
                    if let Some(message) = call.notification(&method, &params)
                        && may_stream
                    {
                        return self.into_stream(sse::encode(&message));
                    }
                }
                // Calls say that nobody can be asked, so that no question comes.
                Step::Event(Ok(Event::Question { .. } | Event::Withdrawn { .. })) => {}
                Step::Event(Ok(Event::Reply(reply))) => return self.end(Ok(reply)),
                Step::Event(Err(error)) => return self.end(Err(error)),
                Step::Silence if may_stream => {
                    return self.into_stream(Bytes::from_static(sse::KEEP_ALIVE));
                }
                Step::Silence => {}
                Step::Cancelled => return self.cancelled(),
            }
        }
    }

    fn take(&mut self) -> Box<(Call, Running)> {
        self.0.take().expect("it is taken apart once")
    }

    fn end(mut self, end: Result<Reply, UpstreamError>) -> ProxyAnswer {
        let (call, _running) = *self.take();
        (call.note)(end.as_ref().map(|_| ()));
        let ending = call.ending(end);
        let answer = body::message(call.asker.accepts, ending.message.clone());
        let sent = ending.message.len();
        call.close(ending, sent);
        answer
    }

    /// A cancelled request has no answer, but an HTTP request must have one: a stream that ends
    /// without a message, or nothing at all.
    fn cancelled(mut self) -> ProxyAnswer {
        let (call, _running) = *self.take();
        let accepts = call.asker.accepts;
        call.ledger.close(Outcome::Cancelled, "cancelled by the caller");
        if accepts.sse { body::stream(mpsc::channel(1).1) } else { body::empty(http::StatusCode::ACCEPTED) }
    }

    fn into_stream(mut self, first: Bytes) -> ProxyAnswer {
        let (call, running) = *self.take();
        let (sender, receiver) = mpsc::channel(PIECES_MAX);
        // The channel is new and has room.
        let _ = sender.try_send(first);
        let age_max = call.timeout + LINGER;
        tokio::spawn(async move {
            // Past that age the call is dropped, which cancels and audits it.
            let _ = tokio::time::timeout(age_max, pump(call, running, sender)).await;
        });
        body::stream(receiver)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let Some(parts) = self.0.take() else { return };
        if parts.0.ends_with_caller() {
            return;
        }
        // Outside of a runtime there is nobody left to wait for the answer.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (call, running) = *parts;
            let age_max = call.timeout + LINGER;
            let (sender, receiver) = mpsc::channel(1);
            drop(receiver);
            runtime.spawn(async move {
                let _ = tokio::time::timeout(age_max, pump(call, running, sender)).await;
            });
        }
    }
}

/// Passes on what the source sends, event by event, until the call ends.
async fn pump(mut call: Call, mut running: Running, caller: mpsc::Sender<Bytes>) {
    let mut sent = 0;
    loop {
        let step = tokio::select! {
            biased;
            () = call.cancelled() => Step::Cancelled,
            // Dropping the call tells the source and the audit log.
            () = caller.closed(), if call.ends_with_caller() => return,
            next = tokio::time::timeout(call.silence, running.next()) => next.map_or(Step::Silence, Step::Event),
        };
        let (piece, ending) = match step {
            Step::Event(Ok(Event::Notification { method, params })) => {
                match call.notification(&method, &params) {
                    Some(message) => (sse::encode(&message), None),
                    None => continue,
                }
            }
            Step::Event(Ok(Event::Question { .. } | Event::Withdrawn { .. })) => continue,
            Step::Event(end) => {
                let end = end.map(|event| match event {
                    Event::Reply(reply) => reply,
                    _ => unreachable!("the arms before take everything that is no end"),
                });
                (call.note)(end.as_ref().map(|_| ()));
                let ending = call.ending(end);
                (sse::encode(&ending.message), Some(ending))
            }
            Step::Silence => (Bytes::from_static(sse::KEEP_ALIVE), None),
            Step::Cancelled => {
                call.ledger.sent(sent);
                call.ledger.close(Outcome::Cancelled, "cancelled by the caller");
                return;
            }
        };
        let bytes = piece.len();
        let is_there = caller.send(piece).await.is_ok();
        if is_there {
            sent += bytes;
        } else if call.ends_with_caller() {
            return;
        }
        if let Some(ending) = ending {
            call.close(ending, sent);
            return;
        }
    }
}

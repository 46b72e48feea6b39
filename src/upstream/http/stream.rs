//! An answer that arrives in pieces, and giving up a call in the middle.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    Answer, Era, Event, HttpLink, QuestionId, ReplyBody, Session, UpstreamError,
    post::{Question, reply},
    wire,
};
use crate::{
    egress::{self, AnswerBody, EgressError},
    mcp::{Capabilities, sse::Decoder},
    upstream::{EventStream, call::Waiting},
};

/// How many requests of a source's own are answered during one call.
const REQUESTS_MAX: u32 = 32;

/// After how many pieces that bring nothing for the caller the clock is looked at.
const LOOK_AT_CLOCK: u32 = 16;

/// The shortest wait before a stream that broke off is asked for again.
const RESUME_PAUSE_MIN: Duration = Duration::from_millis(20);

/// How long telling a source something may take that nobody waits for.
pub(super) const TELL_TIMEOUT: Duration = Duration::from_secs(5);

/// The pieces of one answer.
pub(in crate::upstream) struct HttpStream {
    cancel: Cancel,
    body: AnswerBody,
    decoder: Decoder,
    /// Where to go on when the stream breaks off; `None` while the source gives no ids.
    last_id: Option<String>,
    /// How it broke off.
    broken: Option<String>,
    /// How often in a row it was asked for again without anything new.
    resumptions: u32,
    progress: bool,
    /// What the caller can be asked; `None` = nothing.
    asks: Option<Box<Capabilities>>,
    /// The questions that wait for an answer.
    asked: Waiting,
    deadline: Instant,
    timeout: Duration,
    /// A piece that was read early.
    waiting: Option<Event>,
    requests: u32,
    done: bool,
}

impl HttpStream {
    pub(super) fn new(cancel: Cancel, body: AnswerBody, question: &Question<'_>) -> Self {
        let decoder = Decoder::new(cancel.link.limits.answer_bytes_max);
        Self {
            cancel,
            body,
            decoder,
            last_id: None,
            broken: None,
            resumptions: 0,
            progress: question.progress,
            asks: question.asks.cloned().map(Box::new),
            asked: Waiting::default(),
            deadline: question.deadline,
            timeout: question.timeout,
            waiting: None,
            requests: 0,
            done: false,
        }
    }

    /// Returns the next piece, `None` after the last.
    pub(in crate::upstream) async fn next(&mut self) -> Option<Result<Event, UpstreamError>> {
        if let Some(event) = self.waiting.take() {
            return Some(Ok(event));
        }
        if self.done {
            return None;
        }
        let outcome = self.read().await;
        match &outcome {
            Ok(Event::Notification { .. } | Event::Question { .. } | Event::Withdrawn { .. }) => {}
            Ok(Event::Reply(_)) => {
                self.done = true;
                self.body.leave();
                self.cancel.disarm();
            }
            // The call is given up at the source when the stream is dropped.
            Err(_) => self.done = true,
        }
        Some(outcome)
    }

    /// Waits for the next piece. Nothing is lost when this is given up and called again.
    async fn read(&mut self) -> Result<Event, UpstreamError> {
        let mut pieces = 0_u32;
        loop {
            if let Some(how) = &self.broken {
                let how = how.clone();
                Box::pin(self.resume(how)).await?;
            }
            while let Some(event) = self.decoder.next_event().map_err(too_large)? {
                self.resumptions = 0;
                if let Some(event) = self.take(&event.data)? {
                    return Ok(event);
                }
            }
            // A source that never pauses would never let the time run out.
            pieces = pieces.wrapping_add(1);
            if pieces.is_multiple_of(LOOK_AT_CLOCK) && Instant::now() >= self.deadline {
                return Err(UpstreamError::Timeout { after: self.timeout });
            }
            let data = tokio::time::timeout_at(self.deadline, egress::next_data(&mut self.body));
            let how = match data.await {
                Err(_) => return Err(UpstreamError::Timeout { after: self.timeout }),
                Ok(Ok(Some(data))) => {
                    self.decoder.push(&data).map_err(too_large)?;
                    continue;
                }
                Ok(Ok(None)) => "its stream ended without an answer".to_owned(),
                Ok(Err(EgressError::Broken { detail })) => detail,
                Ok(Err(error)) => return Err(error.into()),
            };
            self.broken = Some(how);
        }
    }

    /// Asks for the rest of a stream that broke off: legacy sources that number their events keep
    /// it, and may even end a stream on purpose to be asked again later.
    async fn resume(&mut self, how: String) -> Result<(), UpstreamError> {
        if let Some(id) = self.decoder.last_id() {
            self.last_id = Some(id.to_owned());
        }
        let Cancel { link, session, .. } = &self.cancel;
        let Some(last_id) = self.last_id.clone().filter(|_| session.era() == Era::Legacy) else {
            return Err(died(how));
        };
        if self.resumptions >= link.limits.resumptions_max {
            return Err(died(format!("{how}, and it could not be resumed")));
        }
        let pause = link.limits.resume_pause.saturating_mul(1 << self.resumptions.min(16));
        self.resumptions += 1;
        let until = Instant::now() + self.decoder.retry().unwrap_or(pause).max(RESUME_PAUSE_MIN);
        if until >= self.deadline {
            tokio::time::sleep_until(self.deadline).await;
            return Err(UpstreamError::Timeout { after: self.timeout });
        }
        tokio::time::sleep_until(until).await;
        match link.open_aside(session, Some(&last_id), self.deadline).await {
            Ok(Ok(aside)) => {
                self.body = aside.into_body();
                self.decoder = Decoder::new(link.limits.answer_bytes_max);
                self.broken = None;
                Ok(())
            }
            Ok(Err(status)) => Err(died(format!("{how}, and resuming it was answered with {status}"))),
            Err(error @ (UpstreamError::Credential { .. } | UpstreamError::Refused(_))) => Err(error),
            // It may come back.
            Err(_) => Ok(()),
        }
    }

    /// Looks at one message; `None` if it is not for the caller.
    fn take(&mut self, data: &Bytes) -> Result<Option<Event>, UpstreamError> {
        // Servers open streams with an empty event, so that they can be resumed.
        if data.is_empty() {
            return Ok(None);
        }
        let id = self.cancel.id;
        Ok(match wire::read(data)? {
            wire::Incoming::Answer { id: Some(answered), body } if answered == id => {
                Some(reply(body, &self.cancel.session))
            }
            wire::Incoming::Answer { .. } => None,
            wire::Incoming::Request { id, method, params } => self.question(id, method, params),
            wire::Incoming::Notification { method, params } => {
                let wanted = match method.as_str() {
                    "notifications/progress" => self.progress && wire::progress_token(&params) == Some(id),
                    "notifications/message" => true,
                    "notifications/cancelled" => return Ok(self.withdraw(&params)),
                    "notifications/elicitation/complete" if self.asks.is_some() => true,
                    _ => {
                        self.cancel.link.hub.publish_message(&method, &params);
                        false
                    }
                };
                wanted.then_some(Event::Notification { method, params })
            }
        })
    }

    /// Tells a question of the source's, if anybody can answer it; refuses it otherwise.
    fn question(&mut self, id: Bytes, method: String, params: Bytes) -> Option<Event> {
        self.requests += 1;
        if self.requests > REQUESTS_MAX {
            return None;
        }
        if !self.asks.as_ref().is_some_and(|asks| wire::may_ask(asks, &method, &params)) {
            self.cancel.tell(wire::refuse(&id, &method), None);
            return None;
        }
        let id = QuestionId(id);
        self.asked.add(id.clone());
        let revision = self.cancel.session.revision;
        Some(Event::Question { id, method, params, revision })
    }

    fn withdraw(&mut self, params: &Bytes) -> Option<Event> {
        self.asked.withdraw(wire::withdrawn(params)?)
    }

    /// Answers a question.
    pub(in crate::upstream) async fn reply(
        &mut self,
        id: &QuestionId,
        body: &ReplyBody,
    ) -> Result<(), UpstreamError> {
        self.asked.answer(id)?;
        self.cancel.link.answer_question(&self.cancel.session, id, body).await
    }
}

impl Drop for HttpStream {
    fn drop(&mut self) {
        // A source waits for the answer to what it asked, also when it is told of the end.
        for id in self.asked.leave() {
            self.cancel.tell(wire::nobody_there(&id), None);
        }
    }
}

/// Waits for the first piece, so that an answer which is only one piece long is told as whole.
pub(super) async fn first(mut stream: HttpStream) -> Result<Answer, UpstreamError> {
    match stream.next().await {
        Some(Ok(Event::Reply(reply))) => Ok(Answer::Complete(reply)),
        Some(Ok(event)) => {
            stream.waiting = Some(event);
            Ok(Answer::Stream(EventStream::http(stream)))
        }
        Some(Err(error)) => Err(error),
        None => Err(died("its stream ended without an answer".to_owned())),
    }
}

fn died(detail: String) -> UpstreamError {
    UpstreamError::Died { detail }
}

fn too_large(error: crate::mcp::sse::TooLarge) -> UpstreamError {
    UpstreamError::TooLarge { limit_bytes: error.max }
}

/// Gives up a call at the source when it is dropped before the answer is there.
///
/// A modern source understands the end of the connection, which dropping the body brings about. A
/// legacy one does not, and is told.
pub(super) struct Cancel {
    link: Arc<HttpLink>,
    session: Arc<Session>,
    id: u64,
    armed: bool,
}

impl Cancel {
    pub(super) fn armed(link: &Arc<HttpLink>, session: &Arc<Session>, id: u64) -> Self {
        Self { link: Arc::clone(link), session: Arc::clone(session), id, armed: true }
    }

    pub(super) fn disarm(&mut self) {
        self.armed = false;
    }

    fn tell(&self, message: Bytes, method: Option<&'static str>) {
        self.link.tell_soon(&self.session, message, method);
    }
}

impl Drop for Cancel {
    fn drop(&mut self) {
        // Handshakes must not be cancelled; they carry no negotiated version yet.
        let negotiated = self.session.headers.contains_key(super::headers::PROTOCOL_VERSION);
        if self.armed && negotiated && self.session.era() == Era::Legacy {
            self.tell(wire::cancelled(self.id), Some("notifications/cancelled"));
        }
    }
}

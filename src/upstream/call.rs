//! What travels over a link: a call and its answer.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use crate::{
    mcp::{Capabilities, LogLevel, Revision},
    upstream::{
        UpstreamError,
        http::{AskedStream, HttpStream},
        mux::MuxStream,
    },
};

/// One request to a source.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method, as in `tools/call`.
    pub method: &'static str,
    /// The parameters: one JSON object without the protocol's own `_meta` members, which the link
    /// adds as the source's era needs them. Other `_meta` members travel as they are.
    pub params: Bytes,
    /// The tool, prompt or resource named in `params`, for the `Mcp-Name` header.
    pub name: Option<String>,
    /// The `Mcp-Param-*` headers of the source's own schema. Only modern HTTP sources get them.
    pub param_headers: Vec<(HeaderName, HeaderValue)>,
    /// Whether the caller wants to hear of progress.
    pub progress: bool,
    /// The least severe log message the caller wants to hear of. A legacy source is told the least
    /// severe that anybody on the same session asked for; where its messages name no call, they go to
    /// the newest that wants any.
    pub log_level: Option<LogLevel>,
    /// How long the whole call may take, its stream included.
    pub timeout: Duration,
    /// What the caller can be asked in the middle of the call, and its extensions. A modern source is
    /// told with the call; a legacy one in a session or a process for these capabilities.
    pub capabilities: Capabilities,
    /// Whose call it is; to be set when the caller can be asked anything, or wants log messages, so that
    /// nothing that a legacy source remembers of one principal reaches another.
    pub partition: Option<Partition>,
}

/// Names those who may share what a legacy source remembers: a session there, or a process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Partition(Arc<str>);

impl Partition {
    /// Names a part by any key that is the same for those who may share, and for nobody else.
    pub fn new(key: impl Into<Arc<str>>) -> Self {
        Self(key.into())
    }
}

/// Names a question of a source, as the source itself does: a number or a text, as written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QuestionId(pub(super) Bytes);

impl QuestionId {
    /// Returns the id as JSON, as the source wrote it.
    pub fn as_json(&self) -> &[u8] {
        &self.0
    }
}

/// The questions of one call that wait for an answer: each is answered, withdrawn or left once.
#[derive(Debug, Default)]
pub(super) struct Waiting(Vec<QuestionId>);

impl Waiting {
    /// Notes a question that the caller is told.
    pub(super) fn add(&mut self, id: QuestionId) {
        self.0.push(id);
    }

    /// Takes a question out that its source has withdrawn; `None` if it does not wait.
    pub(super) fn withdraw(&mut self, id: QuestionId) -> Option<Event> {
        self.take(&id).then_some(Event::Withdrawn { id })
    }

    /// Takes a question out that is to be answered; fails if it does not wait.
    pub(super) fn answer(&mut self, id: &QuestionId) -> Result<(), UpstreamError> {
        self.take(id).then_some(()).ok_or_else(not_waiting)
    }

    /// Takes out whatever waits.
    pub(super) fn leave(&mut self) -> Vec<QuestionId> {
        std::mem::take(&mut self.0)
    }

    fn take(&mut self, id: &QuestionId) -> bool {
        let before = self.0.len();
        self.0.retain(|asked| asked != id);
        self.0.len() < before
    }
}

/// Returns what whoever answers a question hears that does not wait for an answer.
pub(super) fn not_waiting() -> UpstreamError {
    UpstreamError::Died { detail: "the question is not waiting for an answer any more".to_owned() }
}

/// What a source is told that asks somebody who does not listen.
const REFUSAL: &[u8] = br#"{"code":-32601,"message":"nobody is there to be asked"}"#;

/// How a source answers: at once, or in pieces.
#[derive(Debug)]
pub enum Answer {
    /// The whole answer.
    Complete(Reply),
    /// Notifications first, then the answer.
    Stream(EventStream),
}

impl Answer {
    /// Waits for the final answer; notifications before it are dropped, and questions refused.
    pub async fn finish(self) -> Result<Reply, UpstreamError> {
        match self {
            Self::Complete(reply) => Ok(reply),
            Self::Stream(mut stream) => loop {
                match stream.next().await {
                    Some(Ok(Event::Reply(reply))) => return Ok(reply),
                    Some(Ok(Event::Notification { .. } | Event::Withdrawn { .. })) => {}
                    Some(Ok(Event::Question { id, .. })) => {
                        let refusal = ReplyBody::Error(Bytes::from_static(REFUSAL));
                        stream.reply(&id, refusal).await?;
                    }
                    Some(Err(error)) => return Err(error),
                    None => {
                        return Err(UpstreamError::Died {
                            detail: "its stream ended without an answer".to_owned(),
                        });
                    }
                }
            },
        }
    }
}

/// The final answer to a call.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The `result` or the `error` member.
    pub body: ReplyBody,
    /// The revision the source speaks.
    pub revision: Revision,
}

/// The member that carries the answer, byte for byte as the source sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyBody {
    /// The `result` member.
    Result(Bytes),
    /// The `error` member.
    Error(Bytes),
}

/// One piece of a streamed answer.
#[derive(Clone, Debug)]
pub enum Event {
    /// A notification that belongs to this call, such as `notifications/progress`. Its progress
    /// token is the gateway's own; the caller's must be put in its place.
    Notification {
        /// The method.
        method: String,
        /// The parameters, `{}` when there are none.
        params: Bytes,
    },
    /// A question that a legacy source asks the caller in the middle of the call. It waits until
    /// [`EventStream::reply`] answers it; other pieces may come meanwhile.
    Question {
        /// Names it in the answer.
        id: QuestionId,
        /// The method, as in `elicitation/create`.
        method: String,
        /// The parameters, `{}` when there are none.
        params: Bytes,
        /// The revision the source speaks, in which it is to be answered.
        revision: Revision,
    },
    /// The source does not want the answer to a question any more.
    Withdrawn {
        /// The question.
        id: QuestionId,
    },
    /// The final answer; nothing follows it.
    Reply(Reply),
}

/// The pieces of an answer as they arrive.
///
/// Dropping it before the final answer cancels the call at the source.
pub struct EventStream(Pieces);

enum Pieces {
    Http(Box<HttpStream>),
    Asked(Box<AskedStream>),
    Mux(Box<MuxStream>),
}

impl EventStream {
    pub(super) fn http(stream: HttpStream) -> Self {
        Self(Pieces::Http(Box::new(stream)))
    }

    pub(super) fn asked(stream: AskedStream) -> Self {
        Self(Pieces::Asked(Box::new(stream)))
    }

    pub(super) fn mux(stream: MuxStream) -> Self {
        Self(Pieces::Mux(Box::new(stream)))
    }

    /// Returns the next piece, `None` after the last. An error is the last piece.
    pub async fn next(&mut self) -> Option<Result<Event, UpstreamError>> {
        match &mut self.0 {
            Pieces::Http(stream) => stream.next().await,
            Pieces::Asked(stream) => stream.next().await,
            Pieces::Mux(stream) => stream.next().await,
        }
    }
}

impl EventStream {
    /// Answers a question that this stream has told; at most once each. Fails if there is no such
    /// question, or no way to the source any more.
    pub async fn reply(&mut self, id: &QuestionId, body: ReplyBody) -> Result<(), UpstreamError> {
        match &mut self.0 {
            Pieces::Http(stream) => stream.reply(id, &body).await,
            Pieces::Asked(stream) => stream.reply(id, &body).await,
            Pieces::Mux(stream) => stream.reply(id, &body).await,
        }
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EventStream")
    }
}

//! What travels over a link: a call and its answer.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use crate::{
    mcp::Revision,
    upstream::{UpstreamError, http::HttpStream, stdio::StdioStream},
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
    /// The least severe log message the caller wants to hear of, as in `info`; modern sources only.
    pub log_level: Option<String>,
    /// How long the whole call may take, its stream included.
    pub timeout: Duration,
}

/// How a source answers: at once, or in pieces.
#[derive(Debug)]
pub enum Answer {
    /// The whole answer.
    Complete(Reply),
    /// Notifications first, then the answer.
    Stream(EventStream),
}

impl Answer {
    /// Waits for the final answer; notifications before it are dropped.
    pub async fn finish(self) -> Result<Reply, UpstreamError> {
        match self {
            Self::Complete(reply) => Ok(reply),
            Self::Stream(mut stream) => loop {
                match stream.next().await {
                    Some(Ok(Event::Reply(reply))) => return Ok(reply),
                    Some(Ok(Event::Notification { .. })) => {}
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
    /// The final answer; nothing follows it.
    Reply(Reply),
}

/// The pieces of an answer as they arrive.
///
/// Dropping it before the final answer cancels the call at the source.
pub struct EventStream(Pieces);

enum Pieces {
    Http(Box<HttpStream>),
    Stdio(Box<StdioStream>),
}

impl EventStream {
    pub(super) fn http(stream: HttpStream) -> Self {
        Self(Pieces::Http(Box::new(stream)))
    }

    pub(super) fn stdio(stream: StdioStream) -> Self {
        Self(Pieces::Stdio(Box::new(stream)))
    }

    /// Returns the next piece, `None` after the last. An error is the last piece.
    pub async fn next(&mut self) -> Option<Result<Event, UpstreamError>> {
        match &mut self.0 {
            Pieces::Http(stream) => stream.next().await,
            Pieces::Stdio(stream) => stream.next().await,
        }
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EventStream")
    }
}

/// What a source offers.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Its tools, each byte for byte as the source sent it.
    pub tools: Vec<Box<serde_json::value::RawValue>>,
    /// The revision the source speaks.
    pub revision: Revision,
}

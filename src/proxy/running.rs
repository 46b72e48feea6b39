//! What a source is doing about a call.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{
    mcp::{Raw, translate},
    proxy::{call::Again, dialogue::raw},
    upstream::{Answer, Event, EventStream, QuestionId, Reply, ReplyBody, UpstreamError},
};

/// A request on its way to a source.
pub(super) type Calling = Pin<Box<dyn Future<Output = Result<Answer, UpstreamError>> + Send>>;

/// What a source is doing about a call.
pub(super) enum Running {
    Calling(Calling),
    Streaming(EventStream),
    /// It waits to be asked again.
    Waiting,
    /// It said its last word while nobody listened.
    Ended(Option<Result<Reply, UpstreamError>>),
}

impl Running {
    /// Returns what the source sends next. Cancel-safe. Nothing follows a reply or an error.
    pub(super) async fn next(&mut self) -> Result<Event, UpstreamError> {
        if let Self::Calling(calling) = self {
            match calling.await? {
                Answer::Complete(reply) => return Ok(Event::Reply(reply)),
                Answer::Stream(events) => *self = Self::Streaming(events),
            }
        }
        match self {
            Self::Streaming(events) => events.next().await.unwrap_or_else(|| {
                Err(UpstreamError::Died { detail: "its stream ended without an answer".to_owned() })
            }),
            Self::Ended(end) => match end.take() {
                Some(end) => end.map(Event::Reply),
                None => std::future::pending().await,
            },
            Self::Waiting => std::future::pending().await,
            Self::Calling(_) => unreachable!("a call that is not answered at once streams"),
        }
    }

    /// Answers a question of the source's.
    pub(super) async fn reply(&mut self, id: &QuestionId, body: ReplyBody) -> Result<(), UpstreamError> {
        match self {
            Self::Streaming(events) => events.reply(id, body).await,
            // A source that asks nothing any more needs no answer.
            Self::Calling(_) | Self::Waiting | Self::Ended(_) => Ok(()),
        }
    }
}

/// Asks a modern source again, with the answers it wanted.
pub(super) fn ask_again(
    again: &Again,
    answers: &[(String, Bytes)],
    state: Option<&Bytes>,
    pause: Duration,
) -> Calling {
    let text = |bytes: &Bytes| std::str::from_utf8(bytes).unwrap_or("{}").to_owned();
    let answers: Vec<(&str, String)> =
        answers.iter().map(|(key, answer)| (key.as_str(), text(answer))).collect();
    let answers: Vec<(&str, &str)> = answers.iter().map(|(key, answer)| (*key, answer.as_str())).collect();
    let params = Some(raw(&again.request.params)).filter(|params| params.is_object());
    let params = params.unwrap_or(Raw::checked("{}"));
    let state = state.map(text);
    let mut request = again.request.clone();
    request.params = translate::retry_params(params, &answers, state.as_deref()).into();
    let link = Arc::clone(&again.link);
    Box::pin(async move {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        link.call(request).await
    })
}

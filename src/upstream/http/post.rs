//! One POST and what comes back.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use tokio::time::Instant;

use super::{
    Answer, Era, EraSetting, Event, HeaderName, HeaderValue, HttpLink, HttpStream, ReplyBody, Session,
    UpstreamError, era, headers,
    stream::{self, Cancel},
    wire,
};
use crate::{
    egress::{self, AnswerBody, EgressError},
    mcp::Capabilities,
    upstream::{Refusal, Reply, Tokens},
};

/// How much of an answer that is no success is read.
const REFUSAL_BYTES_MAX: usize = 256 * 1024;

/// One request, ready to be sent on the terms of a session.
pub(super) struct Question<'a> {
    pub(super) id: u64,
    pub(super) body: Bytes,
    pub(super) method: &'static str,
    pub(super) name: Option<&'a str>,
    pub(super) param_headers: &'a [(HeaderName, HeaderValue)],
    pub(super) progress: bool,
    /// What the caller can be asked; `None` = nothing.
    pub(super) asks: Option<&'a Capabilities>,
    pub(super) deadline: Instant,
    /// The whole time the call was given, for the error's text.
    pub(super) timeout: Duration,
}

/// What came back.
pub(super) enum Posted {
    /// An MCP answer.
    Answer {
        status: StatusCode,
        /// The session that the source has opened.
        session: Option<HeaderValue>,
        answer: Answer,
    },
    /// Something else.
    Foreign {
        status: StatusCode,
        /// What it was, in a few words.
        what: String,
    },
}

impl HttpLink {
    /// Sends one request. A missing credential and a failing server are errors here already: they
    /// say nothing about era or session.
    pub(super) async fn post(
        self: &Arc<Self>,
        session: &Arc<Session>,
        question: Question<'_>,
    ) -> Result<Posted, UpstreamError> {
        let mut cancel = Cancel::armed(self, session, question.id);
        let make = |uri: &Uri| request(uri, session, &question);
        let sent = self.send(make, question.deadline).await;
        let response = match sent {
            Ok(response) => response,
            Err(error) => {
                if error.before_sending() {
                    cancel.disarm();
                }
                return Err(in_time(error.into(), question.timeout));
            }
        };
        let (parts, body) = response.into_parts();
        if let Some(error) = refusal(parts.status, &parts.headers) {
            cancel.disarm();
            return Err(error);
        }
        let session_id = parts.headers.get(headers::SESSION_ID).cloned();
        if parts.status.is_success() && is_events(&parts.headers) {
            let stream = HttpStream::new(cancel, body, &question);
            let answer = stream::first(stream).await?;
            return Ok(Posted::Answer { status: parts.status, session: session_id, answer });
        }
        self.read_whole(session, &question, cancel, parts, body, session_id).await
    }

    async fn read_whole(
        &self,
        session: &Session,
        question: &Question<'_>,
        mut cancel: Cancel,
        parts: http::response::Parts,
        body: AnswerBody,
        session_id: Option<HeaderValue>,
    ) -> Result<Posted, UpstreamError> {
        let status = parts.status;
        let limit = if status.is_success() { self.limits.answer_bytes_max } else { REFUSAL_BYTES_MAX };
        let reading = egress::read_body(body, limit);
        let body = tokio::time::timeout_at(question.deadline, reading)
            .await
            .map_err(|_| UpstreamError::Timeout { after: question.timeout })??;
        cancel.disarm();
        match wire::read(&body) {
            Ok(wire::Incoming::Answer { id, body })
                if id == Some(question.id) || (id.is_none() && !status.is_success()) =>
            {
                let answer = Answer::Complete(Reply { body, revision: session.revision });
                Ok(Posted::Answer { status, session: session_id, answer })
            }
            Ok(_) => Ok(Posted::Foreign { status, what: "a message that answers something else".to_owned() }),
            Err(_) => Ok(Posted::Foreign { status, what: description(status, &parts.headers, &body) }),
        }
    }

    /// Sends a notification, or the answer to a request of the source's, and looks at no answer.
    pub(super) async fn tell(
        &self,
        session: &Session,
        body: Bytes,
        method: Option<&'static str>,
        deadline: Instant,
    ) -> Result<StatusCode, EgressError> {
        let make = |uri: &Uri| {
            let mut headers = session.headers.clone();
            if let Some(method) = method.filter(|_| session.era() == Era::Modern) {
                headers.insert(headers::METHOD, HeaderValue::from_static(method));
            }
            assemble(Method::POST, uri, headers, body.clone())
        };
        let response = self.send(make, deadline).await?;
        let status = response.status();
        // Reading the rest, which is nothing or little, lets the connection be used again.
        let rest = egress::read_body(response.into_body(), REFUSAL_BYTES_MAX);
        let _ = tokio::time::timeout_at(deadline, rest).await;
        Ok(status)
    }

    /// Sends one request, with its token if one is kept alive for it, and once more with the next
    /// token if the source did not take it.
    pub(super) async fn send(
        &self,
        make: impl Fn(&Uri) -> Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<http::Response<AnswerBody>, EgressError> {
        match &self.tokens {
            None => self.send_once(make, deadline).await,
            // Boxed, as it would otherwise take its room in every call.
            Some(tokens) => Box::pin(self.send_with(tokens.as_ref(), make, deadline)).await,
        }
    }

    async fn send_with(
        &self,
        tokens: &dyn Tokens,
        make: impl Fn(&Uri) -> Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<http::Response<AnswerBody>, EgressError> {
        let sent = tokens.current();
        let response = self.send_once(with_token(&make, sent.as_ref()), deadline).await?;
        let status = response.status();
        if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Ok(response);
        }
        let challenge = response.headers().get(header::WWW_AUTHENTICATE).cloned();
        let challenge = challenge.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
        let refusal = Refusal { status: status.as_u16(), challenge, sent: sent.as_ref() };
        match tokio::time::timeout_at(deadline, tokens.refused(refusal)).await {
            Ok(true) => self.send_once(with_token(&make, tokens.current().as_ref()), deadline).await,
            Ok(false) | Err(_) => Ok(response),
        }
    }

    /// Sends one request and keeps the breaker's book.
    async fn send_once(
        &self,
        make: impl Fn(&Uri) -> Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<http::Response<AnswerBody>, EgressError> {
        let address = self.address.load();
        let left = deadline.saturating_duration_since(Instant::now());
        match self.egress.request(&address, make, left).await {
            Ok(answered) => {
                self.breaker.worked();
                if let Some(moved) = answered.moved_to {
                    self.address.store(Arc::new(moved));
                }
                Ok(answered.response)
            }
            Err(error) => {
                if error.before_sending() {
                    self.breaker.failed(self.clock.now(), &error.to_string());
                }
                Err(error)
            }
        }
    }
}

/// Makes requests that carry a token.
fn with_token(
    make: &impl Fn(&Uri) -> Request<Full<Bytes>>,
    token: Option<&HeaderValue>,
) -> impl Fn(&Uri) -> Request<Full<Bytes>> {
    move |uri| {
        let mut request = make(uri);
        if let Some(token) = token {
            request.headers_mut().insert(header::AUTHORIZATION, token.clone());
        }
        request
    }
}

pub(super) fn request(uri: &Uri, session: &Session, question: &Question<'_>) -> Request<Full<Bytes>> {
    let mut headers = session.headers.clone();
    if session.era() == Era::Modern {
        headers.insert(headers::METHOD, HeaderValue::from_static(question.method));
        if let Some(name) = question.name {
            headers.insert(headers::NAME, headers::encode_value(name));
        }
        for (name, value) in question.param_headers {
            headers.insert(name.clone(), value.clone());
        }
    }
    assemble(Method::POST, uri, headers, question.body.clone())
}

pub(super) fn assemble(method: Method, uri: &Uri, headers: HeaderMap, body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri.clone();
    *request.headers_mut() = headers;
    request
}

/// Returns the error that a status means whatever the body says.
pub(super) fn refusal(status: StatusCode, headers: &HeaderMap) -> Option<UpstreamError> {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let challenge = headers.get(header::WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
            Some(UpstreamError::Credential {
                status: status.as_u16(),
                challenge: challenge.map(|challenge| wire::clip(challenge, 1000)),
            })
        }
        StatusCode::TOO_MANY_REQUESTS => {
            Some(UpstreamError::Unreachable { detail: format!("it answered {status}") })
        }
        _ => None,
    }
}

pub(super) fn is_events(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().to_ascii_lowercase().starts_with(b"text/event-stream"))
}

/// Says what an answer that is not MCP looks like.
fn description(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> String {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media = wire::clip(media.split(';').next().unwrap_or("").trim(), 60);
    let what = match media.as_str() {
        "text/html" | "application/xhtml+xml" => "a web page".to_owned(),
        _ if body.is_empty() => "nothing".to_owned(),
        "" => "something of no declared type".to_owned(),
        "application/json" => "JSON that is no answer of MCP".to_owned(),
        other => other.to_owned(),
    };
    format!("{what}, with status {status}")
}

/// A time that ran out is told as the time the whole call was given.
fn in_time(error: UpstreamError, timeout: Duration) -> UpstreamError {
    match error {
        UpstreamError::Timeout { .. } => UpstreamError::Timeout { after: timeout },
        other => other,
    }
}

impl Posted {
    /// Returns what a connection says that carries more than one answer.
    pub(super) fn told(answer: Answer) -> Self {
        Self::Answer { status: StatusCode::OK, session: None, answer }
    }

    /// Returns what a source says that has forgotten the connection.
    pub(super) fn forgotten() -> Self {
        Self::Foreign { status: StatusCode::NOT_FOUND, what: "it has forgotten the connection".to_owned() }
    }

    /// Says whether the source does not know the terms the request was sent on, and so has done
    /// nothing.
    pub(super) fn shows_lost(&self, session: &Session, setting: EraSetting) -> bool {
        let (status, error) = match self {
            Self::Answer { status, answer: Answer::Complete(reply), .. } => match &reply.body {
                ReplyBody::Error(error) => (*status, Some(error)),
                ReplyBody::Result(_) => return false,
            },
            Self::Answer { answer: Answer::Stream(_), .. } => return false,
            Self::Foreign { status, .. } => (*status, None),
        };
        match session.era() {
            Era::Legacy => {
                let asked_for_session =
                    status == StatusCode::BAD_REQUEST && error.is_some_and(era::denies_session);
                let has_memory = session.has_id || session.old.is_some();
                (has_memory && status == StatusCode::NOT_FOUND) || asked_for_session
            }
            Era::Modern if setting == EraSetting::Modern => false,
            Era::Modern => match error {
                Some(error) => era::denies_modern(error),
                None => status.is_client_error(),
            },
        }
    }

    /// Returns the answer, or the error for what is none.
    pub(super) fn into_answer(self) -> Result<Answer, UpstreamError> {
        match self {
            Self::Answer { answer, .. } => Ok(answer),
            Self::Foreign { status, .. } if status.is_server_error() => {
                Err(UpstreamError::Unreachable { detail: format!("it answered {status}") })
            }
            Self::Foreign { what, .. } => Err(UpstreamError::NotMcp { answer: what }),
        }
    }

    /// Waits for the final answer.
    pub(super) async fn finish(self) -> Result<Finished, UpstreamError> {
        match self {
            Self::Answer { status, .. } | Self::Foreign { status, .. } if status.is_server_error() => {
                Err(UpstreamError::Unreachable { detail: format!("it answered {status}") })
            }
            Self::Answer { session, answer, .. } => {
                Ok(Finished::Reply { session, body: answer.finish().await?.body })
            }
            Self::Foreign { status, what } => Ok(Finished::Foreign { status, what }),
        }
    }
}

/// The end of an exchange that only the link itself looks at.
pub(super) enum Finished {
    Reply { session: Option<HeaderValue>, body: ReplyBody },
    Foreign { status: StatusCode, what: String },
}

/// Used by `stream`: wraps the final answer.
pub(super) fn reply(body: ReplyBody, session: &Session) -> Event {
    Event::Reply(Reply { body, revision: session.revision })
}

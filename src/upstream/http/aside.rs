//! Streams beside calls: what a source says without having been asked.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use tokio::time::Instant;

use super::{
    HttpLink, ReplyBody, Session, UpstreamError, old,
    post::{Finished, Posted, Question, assemble, is_events, refusal, request},
    stream::TELL_TIMEOUT,
    wire,
};
use crate::{
    egress::{self, AnswerBody},
    mcp::{headers, sse::Decoder},
    upstream::{WatchFilter, in_background, mux},
};

/// A stream that belongs to no call.
pub(super) struct Aside {
    body: AnswerBody,
    decoder: Decoder,
    /// What came before it on the stream that it continues.
    resumed_from: Option<String>,
}

impl Aside {
    /// Returns the body, for a call whose stream goes on in it.
    pub(super) fn into_body(self) -> AnswerBody {
        self.body
    }
}

/// What a source says on such a stream.
pub(super) enum Heard {
    /// The stream is what was asked for.
    Acknowledged,
    /// Something has changed.
    Notification { method: String, params: Bytes },
    /// It wants to know something.
    Request { id: Bytes, method: String, params: Bytes },
}

impl Aside {
    /// Returns the next message, `None` when the stream is lost. What cannot be read is left out.
    pub(super) async fn next(&mut self) -> Option<Heard> {
        loop {
            while let Some(event) = self.decoder.next_event().ok()? {
                match wire::read(&event.data) {
                    Ok(wire::Incoming::Notification { method, params }) => {
                        return Some(match method.as_str() {
                            "notifications/subscriptions/acknowledged" => Heard::Acknowledged,
                            _ => Heard::Notification { method, params },
                        });
                    }
                    Ok(wire::Incoming::Request { id, method, params }) => {
                        return Some(Heard::Request { id, method, params });
                    }
                    // The end of a listening in order, or an answer that nobody waits for.
                    Ok(wire::Incoming::Answer { .. }) | Err(_) => {}
                }
            }
            let data = egress::next_data(&mut self.body).await.ok()??;
            self.decoder.push(&data).ok()?;
        }
    }

    /// Returns where to go on when the stream is lost; `None` if the source gives no ids.
    pub(super) fn last_id(&self) -> Option<String> {
        self.decoder.last_id().map(str::to_owned).or_else(|| self.resumed_from.clone())
    }

    /// Returns how long the source wants to be left alone after the stream has ended.
    pub(super) fn retry(&self) -> Option<Duration> {
        self.decoder.retry()
    }
}

impl HttpLink {
    /// Opens the stream of changes of a modern source; `None` if it has none.
    pub(super) async fn open_listen(
        self: &Arc<Self>,
        session: &Arc<Session>,
        wanted: &WatchFilter,
    ) -> Result<Option<Aside>, UpstreamError> {
        let id = self.next_id();
        let envelope = wire::Envelope::own(id, session.revision);
        let method = "subscriptions/listen";
        let question = Question {
            body: wire::request(envelope, method, &wanted.listen_params()),
            ..self.own_question(id, method)
        };
        let make = |uri: &Uri| request(uri, session, &question);
        let response = self.send(make, question.deadline).await?;
        Ok(self.aside(response, None)?.ok())
    }

    /// Opens the stream of its own of a legacy source, or goes on with it after this event; the
    /// status if it has none.
    pub(super) async fn open_aside(
        &self,
        session: &Session,
        last_id: Option<&str>,
        deadline: Instant,
    ) -> Result<Result<Aside, StatusCode>, UpstreamError> {
        let make = |uri: &Uri| listening(uri, session, last_id);
        let response = self.send(make, deadline).await?;
        self.aside(response, last_id)
    }

    fn aside(
        &self,
        response: http::Response<AnswerBody>,
        resumed_from: Option<&str>,
    ) -> Result<Result<Aside, StatusCode>, UpstreamError> {
        let (parts, body) = response.into_parts();
        if let Some(error) = refusal(parts.status, &parts.headers) {
            return Err(error);
        }
        if parts.status.is_server_error() {
            return Err(UpstreamError::Unreachable { detail: format!("it answered {}", parts.status) });
        }
        if !parts.status.is_success() || !is_events(&parts.headers) {
            return Ok(Err(parts.status));
        }
        let decoder = Decoder::new(self.limits.answer_bytes_max);
        Ok(Ok(Aside { body, decoder, resumed_from: resumed_from.map(str::to_owned) }))
    }

    /// Asks a legacy source something on behalf of nobody in particular. Returns whether it still
    /// knows the session; what else it answers is only noted.
    pub(super) async fn ask_aside(
        self: &Arc<Self>,
        session: &Arc<Session>,
        method: &'static str,
        params: &[u8],
    ) -> Result<bool, UpstreamError> {
        let posted = match &session.old {
            Some(connection) => {
                let own = mux::Question::own(session.revision, method, self.limits.handshake_timeout);
                match mux::ask(&connection.mux, mux::Question { params, ..own }).await {
                    Err(error) if old::is_forgotten(&error) => Posted::forgotten(),
                    answer => Posted::told(answer?),
                }
            }
            None => {
                let id = self.next_id();
                let body = wire::request(wire::Envelope::own(id, session.revision), method, params);
                self.post(session, Question { body, ..self.own_question(id, method) }).await?
            }
        };
        if posted.shows_lost(session, self.setting) {
            return Ok(false);
        }
        if let Finished::Reply { body: ReplyBody::Error(error), .. } = posted.finish().await? {
            let (code, message) = wire::error_words(&error);
            tracing::debug!(method, code, message, "a source refused what nobody in particular asked");
        }
        Ok(true)
    }

    /// Tells a source something that nobody waits for.
    pub(super) fn tell_soon(
        self: &Arc<Self>,
        session: &Arc<Session>,
        message: Bytes,
        method: Option<&'static str>,
    ) {
        let (link, session) = (Arc::clone(self), Arc::clone(session));
        in_background(async move {
            let deadline = Instant::now() + TELL_TIMEOUT;
            if let Err(error) = link.tell(&session, message, method, deadline).await {
                tracing::debug!(%error, "could not tell a source something nobody waits for");
            }
        });
    }

    fn own_question(&self, id: u64, method: &'static str) -> Question<'static> {
        let timeout = self.limits.handshake_timeout;
        Question {
            id,
            body: Bytes::new(),
            method,
            name: None,
            param_headers: &[],
            progress: false,
            asks: None,
            deadline: Instant::now() + timeout,
            timeout,
        }
    }
}

/// Returns the request for a stream.
fn listening(uri: &Uri, session: &Session, last_id: Option<&str>) -> Request<Full<Bytes>> {
    let mut headers = session.headers.clone();
    headers.remove(header::CONTENT_TYPE);
    headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
    if let Some(id) = last_id.and_then(|id| HeaderValue::from_str(id).ok()) {
        headers.insert(headers::LAST_EVENT_ID, id);
    }
    assemble(Method::GET, uri, headers, Bytes::new())
}

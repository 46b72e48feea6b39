//! The HTTP transport of revision 2024-11-05: a stream that is opened first, says where messages are
//! to be posted, and carries every answer.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use super::{
    HttpLink, Session, UpstreamError, era,
    post::{assemble, is_events, refusal},
    slot::Slot,
    wire,
};
use crate::{
    egress::{self, AnswerBody, Egress},
    mcp::{Revision, sse::Decoder, write},
    upstream::mux::{self, Mux, OUTBOX_MAX},
};

/// How long a stream may be silent about where messages are to be posted.
const ENDPOINT_WAIT: Duration = Duration::from_secs(5);

/// How many messages are on their way at once.
const POSTS_MAX: usize = 16;

/// How much of the answer to a posted message is read.
const RECEIPT_BYTES_MAX: usize = 64 * 1024;

/// One connection.
pub(super) struct Old {
    pub(super) mux: Arc<Mux>,
    _end: DropGuard,
}

impl Old {
    /// Says whether requests can still be sent.
    pub(super) fn is_open(&self) -> bool {
        self.mux.death().is_none()
    }
}

/// How a message failed that named a connection the source does not know.
const FORGOTTEN: &str = "it has forgotten the connection";

/// Says whether a request failed because the source does not know the connection, so that nothing was
/// done.
pub(super) fn is_forgotten(error: &UpstreamError) -> bool {
    matches!(error, UpstreamError::Died { detail } if detail == FORGOTTEN)
}

impl HttpLink {
    /// Opens a session over the first HTTP transport; `None` if the source does not speak it.
    pub(super) async fn initialize_old(
        self: &Arc<Self>,
        slot: &Slot,
        deadline: Instant,
    ) -> Result<Option<Session>, UpstreamError> {
        let Some((old, endpoint)) = self.open_old(slot, deadline).await? else {
            return Ok(None);
        };
        let params = era::initialize(&slot.capabilities);
        let question = mux::Question {
            params: params.as_bytes(),
            ..mux::Question::own(Revision::LATEST_LEGACY, "initialize", self.limits.handshake_timeout)
        };
        let asking = async { mux::ask(&old.mux, question).await?.finish().await };
        let answer = tokio::time::timeout_at(deadline, asking)
            .await
            .map_err(|_| UpstreamError::Timeout { after: self.limits.handshake_timeout })??;
        let speech = era::initialized(&answer.body)?;
        // Not left to the queue: it must be there before the first call is.
        let notice = write::notification("notifications/initialized", b"");
        let left = deadline.saturating_duration_since(Instant::now());
        post(&self.egress, &endpoint, self.headers_with_token()?, notice, left).await?;
        self.offered.store(Some(Arc::clone(&speech.offer)));
        self.speaks_old.store(true, Ordering::Relaxed);
        let verdict = self.verdict_of(speech.revision, speech.server);
        let session = Session::new(slot, speech.revision, self.headers.clone()?, verdict);
        Ok(Some(Session { old: Some(old), ..session }))
    }

    /// Returns what requests carry that do not go through [`HttpLink::send`]. A connection of this
    /// transport keeps the token that it was opened with; the next one has the next.
    fn headers_with_token(&self) -> Result<HeaderMap, UpstreamError> {
        let mut headers = self.headers.clone()?;
        if let Some(token) = self.tokens.as_ref().and_then(|tokens| tokens.current()) {
            headers.insert(header::AUTHORIZATION, token);
        }
        Ok(headers)
    }

    async fn open_old(
        self: &Arc<Self>,
        slot: &Slot,
        deadline: Instant,
    ) -> Result<Option<(Old, Uri)>, UpstreamError> {
        let own = self.headers.clone()?;
        let make = |uri: &Uri| {
            let mut headers = own.clone();
            headers.remove(header::CONTENT_TYPE);
            headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
            assemble(Method::GET, uri, headers, Bytes::new())
        };
        let response = self.send(make, deadline).await?;
        let (parts, mut body) = response.into_parts();
        if let Some(error) = refusal(parts.status, &parts.headers) {
            return Err(error);
        }
        if !parts.status.is_success() || !is_events(&parts.headers) {
            return Ok(None);
        }
        let mut decoder = Decoder::new(self.limits.answer_bytes_max);
        let until = deadline.min(Instant::now() + ENDPOINT_WAIT);
        let naming = tokio::time::timeout_at(until, endpoint(&mut body, &mut decoder)).await;
        let Ok(Some(named)) = naming else {
            return Ok(None);
        };
        let endpoint = resolve(&self.address.load(), &named)?;

        let ended = CancellationToken::new();
        let (outbox, inbox) = mpsc::channel(OUTBOX_MAX);
        let mux = Arc::new(Mux::new(outbox, Arc::clone(&self.hub), slot.capabilities.clone()));
        tokio::spawn(ended.clone().run_until_cancelled_owned(read(body, decoder, Arc::clone(&mux))));
        let poster = Poster {
            egress: self.egress.clone(),
            endpoint: endpoint.clone(),
            headers: self.headers_with_token()?,
            mux: Arc::clone(&mux),
            timeout: self.limits.handshake_timeout,
        };
        tokio::spawn(ended.clone().run_until_cancelled_owned(poster.run(inbox)));
        Ok(Some((Old { mux, _end: ended.drop_guard() }, endpoint)))
    }
}

/// Reads where messages are to be posted; `None` if the stream begins with something else.
async fn endpoint(body: &mut AnswerBody, decoder: &mut Decoder) -> Option<String> {
    loop {
        if let Some(event) = decoder.next_event().ok()? {
            let is_endpoint = event.event.as_deref() == Some("endpoint");
            return is_endpoint.then(|| String::from_utf8_lossy(&event.data).trim().to_owned());
        }
        let data = egress::next_data(body).await.ok()??;
        decoder.push(&data).ok()?;
    }
}

/// Returns the address that a source names, if it is one of the source's own: a credential travels
/// there.
fn resolve(address: &Uri, named: &str) -> Result<Uri, UpstreamError> {
    let broken = |how: &str| UpstreamError::Protocol {
        detail: format!("it wants messages posted to `{}`, {how}", wire::clip(named, 200)),
    };
    let base = Url::parse(&address.to_string()).map_err(|_| broken("which cannot be resolved"))?;
    let endpoint = base.join(named).map_err(|_| broken("which is no address"))?;
    if endpoint.origin() != base.origin() {
        return Err(broken("which is of another origin than the source"));
    }
    if !endpoint.username().is_empty() || endpoint.password().is_some() {
        return Err(broken("which carries a user name or a password"));
    }
    endpoint.as_str().parse().map_err(|_| broken("which is no address"))
}

/// Reads everything the source says, until it says no more.
async fn read(mut body: AnswerBody, mut decoder: Decoder, mux: Arc<Mux>) {
    let error = loop {
        match decoder.next_event() {
            Ok(Some(event)) => {
                if mux.take(&event.data).is_err() {
                    tracing::debug!("a source said something that is no message");
                }
                continue;
            }
            Ok(None) => {}
            Err(error) => break UpstreamError::TooLarge { limit_bytes: error.max },
        }
        let ended = |detail: String| UpstreamError::Died { detail };
        match egress::next_data(&mut body).await {
            Ok(Some(data)) => {
                if let Err(error) = decoder.push(&data) {
                    break UpstreamError::TooLarge { limit_bytes: error.max };
                }
            }
            Ok(None) => break ended("its stream ended".to_owned()),
            Err(error) => break ended(error.to_string()),
        }
    };
    mux.die(error);
}

/// Posts messages.
struct Poster {
    egress: Egress,
    endpoint: Uri,
    headers: HeaderMap,
    mux: Arc<Mux>,
    timeout: Duration,
}

impl Poster {
    async fn run(self, inbox: mpsc::Receiver<Bytes>) {
        let messages = futures::stream::unfold(inbox, |mut inbox| async move {
            let message = inbox.recv().await?;
            Some((message, inbox))
        });
        messages.for_each_concurrent(POSTS_MAX, |message| self.deliver(message)).await;
    }

    async fn deliver(&self, message: Bytes) {
        let headers = self.headers.clone();
        let outcome = post(&self.egress, &self.endpoint, headers, message.clone(), self.timeout).await;
        let error = match outcome {
            Ok(status) if status.is_success() => return,
            Ok(StatusCode::NOT_FOUND) => {
                self.mux.fail(&message, UpstreamError::Died { detail: FORGOTTEN.to_owned() });
                // What other requests brought about is not known.
                let detail = "it forgot the connection in the middle of the call".to_owned();
                self.mux.die(UpstreamError::Died { detail });
                return;
            }
            Ok(status) => {
                UpstreamError::Unreachable { detail: format!("it answered a message with {status}") }
            }
            Err(error) => error,
        };
        // Nobody would ever answer it.
        self.mux.fail(&message, error);
    }
}

async fn post(
    egress: &Egress,
    endpoint: &Uri,
    headers: HeaderMap,
    message: Bytes,
    timeout: Duration,
) -> Result<StatusCode, UpstreamError> {
    let make = |uri: &Uri| assemble(Method::POST, uri, headers.clone(), message.clone());
    let response = egress.request(endpoint, make, timeout).await?.response;
    let (parts, body) = response.into_parts();
    if let Some(error) = refusal(parts.status, &parts.headers) {
        return Err(error);
    }
    // Reading the rest, which is nothing or little, lets the connection be used again.
    let _ = tokio::time::timeout(timeout, egress::read_body(body, RECEIPT_BYTES_MAX)).await;
    Ok(parts.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_posted_to_the_sources_own_origin_only() {
        let address: Uri = "https://mcp.example.org:8443/sse?x=1".parse().unwrap();

        for (named, expected) in [
            ("/messages?id=7", "https://mcp.example.org:8443/messages?id=7"),
            ("messages", "https://mcp.example.org:8443/messages"),
            ("https://mcp.example.org:8443/m", "https://mcp.example.org:8443/m"),
        ] {
            assert_eq!(resolve(&address, named).unwrap().to_string(), expected);
        }
        for foreign in [
            "https://evil.example.org/m",
            "//evil.example.org/m",
            "https://mcp.example.org/m",
            "http://mcp.example.org:8443/m",
            "https://user:pw@mcp.example.org:8443/m",
            "file:///etc/passwd",
        ] {
            assert!(resolve(&address, foreign).is_err(), "{foreign}");
        }
    }
}

//! The HTTP side of the bridge: one request per message, and the legacy era's session.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use doorward::{
    egress::{AnswerBody, Answered, Egress, EgressError, next_data, read_body},
    mcp::{Raw, headers::ParamHeaders, sse},
    secret::Secret,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc},
    task::AbortHandle,
};

use super::{
    ConnectError, MESSAGE_BYTES_MAX, Target, lock,
    message::{self, Envelope},
};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// How long an answer may take to begin. Clients have shorter limits of their own.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3600);

/// How long ending the session may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait before listening again after the gateway ended the stream.
const LISTEN_AGAIN: Duration = Duration::from_secs(5);

/// The way to the gateway.
pub(super) struct Link {
    target: Target,
    egress: Egress,
    authorization: Option<HeaderValue>,
    lines: mpsc::Sender<Bytes>,
    session: Mutex<Session>,
    /// The arguments that the modern era repeats in headers, by tool, as last listed.
    mirrored: Mutex<HashMap<String, ParamHeaders>>,
    /// Held while a lost session is opened again, so that it happens once.
    reopening: AsyncMutex<()>,
}

#[derive(Default)]
struct Session {
    id: Option<HeaderValue>,
    revision: Option<HeaderValue>,
    /// The client's own `initialize`, to say again when the gateway has forgotten the session.
    initialize: Option<Bytes>,
    listener: Option<AbortHandle>,
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Initialized<'a> {
    #[serde(borrow, rename = "protocolVersion")]
    revision: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(borrow)]
    tools: Vec<ListedTool<'a>>,
}

#[derive(Deserialize)]
struct ListedTool<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default, rename = "inputSchema")]
    input_schema: Option<&'a RawValue>,
}

impl Link {
    pub(super) fn new(
        target: Target,
        egress: Egress,
        lines: mpsc::Sender<Bytes>,
    ) -> Result<Self, ConnectError> {
        let authorization = match &target.key {
            Some(key) => Some(bearer(key)?),
            None => None,
        };
        Ok(Self {
            target,
            egress,
            authorization,
            lines,
            session: Mutex::default(),
            mirrored: Mutex::default(),
            reopening: AsyncMutex::default(),
        })
    }

    /// Carries one message and everything that is answered to it.
    pub(super) async fn send(self: &Arc<Self>, envelope: Envelope, line: Bytes) {
        if envelope.opens_session() {
            *lock(&self.session) = Session { initialize: Some(line.clone()), ..Session::default() };
        }
        let id = envelope.request_id();
        let mut headers = envelope.headers();
        headers.extend(self.mirrored_headers(&envelope, &line));
        let used = lock(&self.session).id.clone();
        let mut outcome = self.post(&headers, &line).await;
        if is_forgotten(&outcome) && used.is_some() && self.reopen(used).await {
            outcome = self.post(&headers, &line).await;
        }
        match outcome {
            Ok(answered) => self.pass_on(answered.response, id.as_deref(), &envelope).await,
            Err(error) => self.say_failed(id.as_deref(), &words(&error)).await,
        }
        if envelope.is_initialized() {
            let link = Arc::clone(self);
            let listener = tokio::spawn(async move { link.listen().await }).abort_handle();
            lock(&self.session).listener = Some(listener);
        }
    }

    /// Ends the session.
    pub(super) async fn close(&self) {
        let (has_session, listener) = {
            let mut session = lock(&self.session);
            (session.id.is_some(), session.listener.take())
        };
        if let Some(listener) = listener {
            listener.abort();
        }
        if has_session {
            let make = |uri: &http::Uri| self.request(Method::DELETE, uri, &[], Bytes::new());
            let _ = self.egress.request(&self.target.url, make, CLOSE_TIMEOUT).await;
        }
    }

    /// Tells the client that what it wrote is not a message.
    pub(super) async fn say_unreadable(&self) {
        self.write(Bytes::from_static(
            br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"this line is not a JSON-RPC message"}}"#,
        ))
        .await;
    }

    async fn post(
        &self,
        headers: &[(HeaderName, HeaderValue)],
        line: &Bytes,
    ) -> Result<Answered, EgressError> {
        let make = |uri: &http::Uri| self.request(Method::POST, uri, headers, line.clone());
        self.egress.request(&self.target.url, make, ANSWER_TIMEOUT).await
    }

    fn request(
        &self,
        method: Method,
        uri: &http::Uri,
        extra: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> Request<Full<Bytes>> {
        let accept =
            if method == Method::GET { sse::MEDIA_TYPE } else { "application/json, text/event-stream" };
        let has_body = !body.is_empty();
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri.clone();
        let headers: &mut HeaderMap = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        if has_body {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(value) = &self.authorization {
            headers.insert(header::AUTHORIZATION, value.clone());
        }
        let session = lock(&self.session);
        if extra.is_empty() {
            for (name, value) in [(SESSION, &session.id), (REVISION, &session.revision)] {
                if let Some(value) = value {
                    headers.insert(name, value.clone());
                }
            }
        }
        drop(session);
        for (name, value) in extra {
            headers.insert(name.clone(), value.clone());
        }
        request
    }

    async fn pass_on(&self, response: Response<AnswerBody>, id: Option<&str>, asked: &Envelope) {
        let status = response.status();
        if asked.opens_session() && status.is_success() {
            lock(&self.session).id = response.headers().get(SESSION).cloned();
        }
        let outcome = if is_stream(response.headers()) {
            self.pass_on_events(response.into_body(), id, Some(asked)).await
        } else {
            self.pass_on_body(response.into_body(), status, id, asked).await
        };
        if let Err(error) = outcome {
            self.say_failed(id, &words(&error)).await;
        }
    }

    async fn pass_on_body(
        &self,
        body: AnswerBody,
        status: StatusCode,
        id: Option<&str>,
        asked: &Envelope,
    ) -> Result<(), EgressError> {
        let body = read_body(body, MESSAGE_BYTES_MAX).await?;
        let Some(id) = id else { return Ok(()) };
        match serde_json::from_slice::<Reply<'_>>(&body) {
            Ok(reply) if reply.id.is_some_and(|given| given.get() == id) => {
                self.remember(asked, &reply);
                self.write(body.clone()).await;
            }
            // A refusal that was made before the message was read names no id; the client waits
            // for its own.
            Ok(Reply { error: Some(error), .. }) => self.write(error_line(id, error.get())).await,
            Ok(_) | Err(_) => self.say_failed(Some(id), &status_words(status)).await,
        }
        Ok(())
    }

    async fn pass_on_events(
        &self,
        mut body: AnswerBody,
        id: Option<&str>,
        asked: Option<&Envelope>,
    ) -> Result<(), EgressError> {
        let too_large = |_| EgressError::TooLarge { limit_bytes: MESSAGE_BYTES_MAX };
        let mut decoder = sse::Decoder::new(MESSAGE_BYTES_MAX);
        let mut answered = id.is_none();
        while let Some(piece) = next_data(&mut body).await? {
            decoder.push(&piece).map_err(too_large)?;
            while let Some(event) = decoder.next_event().map_err(too_large)? {
                if event.data.is_empty() {
                    continue;
                }
                if let Ok(reply) = serde_json::from_slice::<Reply<'_>>(&event.data)
                    && (reply.result.is_some() || reply.error.is_some())
                {
                    answered |= reply.id.map(RawValue::get) == id;
                    if let Some(asked) = asked {
                        self.remember(asked, &reply);
                    }
                }
                self.write(event.data).await;
            }
        }
        if !answered {
            self.say_failed(id, "the gateway ended the stream without an answer").await;
        }
        Ok(())
    }

    /// Keeps what later messages need of an answer.
    fn remember(&self, asked: &Envelope, reply: &Reply<'_>) {
        let Some(result) = reply.result else { return };
        if asked.opens_session() {
            let initialized = serde_json::from_str::<Initialized<'_>>(result.get()).ok();
            lock(&self.session).revision =
                initialized.and_then(|initialized| HeaderValue::from_str(&initialized.revision).ok());
        }
        if asked.lists_tools()
            && let Ok(listed) = serde_json::from_str::<Listed<'_>>(result.get())
        {
            let mut mirrored = lock(&self.mirrored);
            for tool in listed.tools {
                let headers =
                    tool.input_schema.and_then(|schema| ParamHeaders::of_schema(Raw::of(schema)).ok());
                match headers.filter(|headers| !headers.is_empty()) {
                    Some(headers) => mirrored.insert(tool.name.into_owned(), headers),
                    None => mirrored.remove(tool.name.as_ref()),
                };
            }
        }
    }

    fn mirrored_headers(&self, envelope: &Envelope, line: &[u8]) -> Vec<(HeaderName, HeaderValue)> {
        let Some(name) = envelope.called_tool() else { return Vec::new() };
        let mirrored = lock(&self.mirrored);
        let Some(headers) = mirrored.get(name) else { return Vec::new() };
        let arguments = message::arguments(line);
        headers.for_arguments(arguments.map(Raw::of))
    }

    /// Opens a session that the gateway has forgotten again; says whether there is one.
    async fn reopen(&self, lost: Option<HeaderValue>) -> bool {
        let _one = self.reopening.lock().await;
        let initialize = {
            let mut session = lock(&self.session);
            if session.id != lost {
                return session.id.is_some();
            }
            session.id = None;
            session.initialize.clone()
        };
        let Some(initialize) = initialize else { return false };
        let Ok(answered) = self.post(&[], &initialize).await else { return false };
        if !answered.response.status().is_success() {
            return false;
        }
        let Some(id) = answered.response.headers().get(SESSION).cloned() else { return false };
        // The client has had this answer already; it is only read to its end.
        let _ = read_body(answered.response.into_body(), MESSAGE_BYTES_MAX).await;
        lock(&self.session).id = Some(id);
        let ready = Bytes::from_static(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        self.post(&[], &ready).await.is_ok()
    }

    /// Passes on what the gateway says unasked, as long as it takes listeners.
    async fn listen(&self) {
        loop {
            let make = |uri: &http::Uri| self.request(Method::GET, uri, &[], Bytes::new());
            let Ok(answered) = self.egress.request(&self.target.url, make, ANSWER_TIMEOUT).await else {
                return;
            };
            if !answered.response.status().is_success() || !is_stream(answered.response.headers()) {
                return;
            }
            let _ = self.pass_on_events(answered.response.into_body(), None, None).await;
            tokio::time::sleep(LISTEN_AGAIN).await;
        }
    }

    async fn say_failed(&self, id: Option<&str>, reason: &str) {
        tracing::warn!("{reason}");
        if let Some(id) = id {
            let error = serde_json::json!({ "code": -32603, "message": reason });
            self.write(error_line(id, &error.to_string())).await;
        }
    }

    async fn write(&self, line: Bytes) {
        // The writer is gone only when the client is, and then the whole bridge ends.
        let _ = self.lines.send(line).await;
    }
}

fn bearer(key: &Secret) -> Result<HeaderValue, ConnectError> {
    let mut value =
        HeaderValue::from_str(&format!("Bearer {}", key.expose())).map_err(|_| ConnectError::Key)?;
    value.set_sensitive(true);
    Ok(value)
}

fn is_forgotten(outcome: &Result<Answered, EgressError>) -> bool {
    outcome.as_ref().is_ok_and(|answered| answered.response.status() == StatusCode::NOT_FOUND)
}

fn is_stream(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().to_ascii_lowercase().starts_with(sse::MEDIA_TYPE.as_bytes()))
}

fn error_line(id: &str, error: &str) -> Bytes {
    let mut line = BytesMut::new();
    line.put_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    line.put_slice(id.as_bytes());
    line.put_slice(b",\"error\":");
    line.put_slice(error.as_bytes());
    line.put_slice(b"}");
    line.freeze()
}

fn status_words(status: StatusCode) -> String {
    match status {
        StatusCode::UNAUTHORIZED => "the gateway does not accept the key".to_owned(),
        StatusCode::NOT_FOUND => "there is no such preset, or the key may not use it".to_owned(),
        other => format!("the gateway answered {other} without an MCP message"),
    }
}

fn words(error: &EgressError) -> String {
    format!("could not reach the gateway: {error}")
}

//! The path of a call: from a request at `/mcp/<owner>/<slug>` to the tool and back.
//!
//! [`Proxy::answer`] is the table of contents, one stage a line. Never checks `Host` (the server
//! does, before anything is read), never speaks to a source itself (`upstream`), and never decides
//! who may call (`policy`).
//!
//! One more method: an arm in [`Proxy::modern`] or [`Proxy::legacy`].

mod body;
mod call;
mod exchange;
mod ledger;
mod origin;
mod params;
mod session;
#[cfg(test)]
mod tests;
mod words;

use std::{
    borrow::Cow,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Method as HttpMethod, StatusCode, header};

use crate::{
    audit::Audit,
    clock::Clock,
    identity::{Identity, KeyError},
    mcp::{
        self, Inbound, ListKind, Message, Method, Raw, Revision, ServerCapabilities, ServerCard, codes,
        headers::{self, Accepts},
        notifications,
    },
    model::{Era, KeyScope, Member, Principal, Via},
    policy::{self, CallPermit},
    presets::{Presets, RouteTable},
    proxy::session::{Session, Sessions},
    quota::Quota,
    sources::Sources,
};

pub use body::{ProxyAnswer, ProxyBody};
pub use exchange::SILENCE_MAX;
pub use session::{IDLE_MAX, OPEN_CALLS_MAX, PER_PERSON_MAX, PER_PUBLIC_PRESET_MAX};

/// The longest name of a calling program kept, in bytes.
const CLIENT_BYTES_MAX: usize = 120;

/// What the path of a call needs to know.
#[derive(Clone, Debug)]
pub struct ProxySettings {
    /// The address people and agents use, without a slash at the end; empty if nobody said.
    pub base_url: String,
    /// Origins of web pages whose scripts may call presets, beside our own.
    pub allowed_origins: Vec<String>,
    /// The largest body of a request, in bytes. The server reads no more than this.
    pub request_bytes_max: usize,
    /// How long a tool may take, its stream included, in milliseconds.
    pub call_timeout_ms: u64,
}

impl Default for ProxySettings {
    fn default() -> Self {
        Self {
            base_url: String::new(),
            allowed_origins: Vec::new(),
            request_bytes_max: 4 * 1024 * 1024,
            call_timeout_ms: 300_000,
        }
    }
}

/// One HTTP request to a preset's address.
#[derive(Debug)]
pub struct ProxyRequest<'a> {
    /// The owner's part of the address, as it came.
    pub owner: &'a str,
    /// The preset's part of the address, as it came.
    pub slug: &'a str,
    /// The method.
    pub method: &'a HttpMethod,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body, all of it. [`Proxy::too_large`] answers one that was not read to its end.
    pub body: Bytes,
    /// Where the caller is.
    pub address: IpAddr,
    /// The request's id, as in the logs.
    pub request_id: &'a str,
}

/// The answer to a request that gets no further. Boxed, since few requests need the room.
type Refusal = Box<ProxyAnswer>;

/// Answers calls; cheap to clone.
#[derive(Clone)]
pub struct Proxy(Arc<Inner>);

struct Inner {
    identity: Identity,
    presets: Presets,
    sources: Sources,
    quota: Quota,
    audit: Audit,
    clock: Clock,
    settings: ProxySettings,
    sessions: Sessions,
    /// [`SILENCE_MAX`], or less in tests.
    silence: Duration,
}

/// Everything known of a request once its caller may use the preset.
struct Guest<'r> {
    request: &'r ProxyRequest<'r>,
    begun: Instant,
    accepts: Accepts,
    permit: CallPermit,
    table: Arc<RouteTable>,
}

impl Proxy {
    /// Makes a proxy without sessions.
    pub fn new(
        identity: Identity,
        presets: Presets,
        sources: Sources,
        quota: Quota,
        audit: Audit,
        clock: Clock,
        settings: ProxySettings,
    ) -> Self {
        let sessions = Sessions::default();
        let silence = SILENCE_MAX;
        Self(Arc::new(Inner { identity, presets, sources, quota, audit, clock, settings, sessions, silence }))
    }

    /// Answers one request. Never fails: everything that goes wrong is an answer.
    ///
    /// A caller who may not use the preset gets the same answer as one who asks for a preset that
    /// does not exist, so that private presets cannot be found by guessing.
    pub async fn answer(&self, request: ProxyRequest<'_>) -> ProxyAnswer {
        if !origin::may_call(request.headers, &self.0.settings) {
            return body::error(StatusCode::FORBIDDEN, None, "pages of this origin may not call presets");
        }
        match *request.method {
            HttpMethod::POST => self.post(&request, None).await,
            HttpMethod::DELETE => self.delete(&request).await,
            _ => body::method_not_allowed(),
        }
    }

    /// Answers one POST of a person the console knows already. It goes the same way as any other
    /// call: judged, charged, audited, measured.
    pub async fn answer_for(&self, member: &Arc<Member>, request: ProxyRequest<'_>) -> ProxyAnswer {
        self.post(&request, Some(Principal::Member(Arc::clone(member)))).await
    }

    /// Ends legacy sessions that nobody uses. To be called every minute or so.
    pub fn end_idle(&self) {
        self.0.sessions.end_idle(self.0.clock.now());
    }

    /// Returns how many legacy sessions there are.
    pub fn sessions(&self) -> usize {
        self.0.sessions.count()
    }

    async fn post(&self, request: &ProxyRequest<'_>, known: Option<Principal>) -> ProxyAnswer {
        let begun = Instant::now();
        let accepts = headers::accepts(request.headers);
        if let Some(refusal) = self.unusable_form(request, accepts) {
            return refusal;
        }
        let inbound = match mcp::classify(request.headers, &request.body) {
            Ok(inbound) => inbound,
            Err(rejection) => return body::rejected(&rejection),
        };
        let (permit, table) = match self.admit(request, inbound.message.id, known).await {
            Ok(admitted) => admitted,
            Err(refusal) => return *refusal,
        };
        let guest = Guest { request, begun, accepts, permit, table };
        match inbound.era {
            Era::Modern => self.modern(&guest, &inbound).await,
            Era::Legacy => self.legacy(&guest, &inbound).await,
        }
    }

    /// Refuses a body that is larger than the settings allow.
    pub fn too_large(&self) -> ProxyAnswer {
        let text = format!("a request has at most {} bytes", self.0.settings.request_bytes_max);
        body::error(StatusCode::PAYLOAD_TOO_LARGE, None, text)
    }

    /// Refuses what cannot be read or could not be answered.
    fn unusable_form(&self, request: &ProxyRequest<'_>, accepts: Accepts) -> Option<ProxyAnswer> {
        if request.body.len() > self.0.settings.request_bytes_max {
            return Some(self.too_large());
        }
        if !headers::is_json(request.headers) {
            let text = "send JSON, declared as `application/json`";
            return Some(body::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, None, text));
        }
        if !accepts.json && !accepts.sse {
            let text = "accept `application/json` and `text/event-stream`";
            return Some(body::error(StatusCode::NOT_ACCEPTABLE, None, text));
        }
        None
    }

    /// Finds out who calls and whether they may use the preset.
    async fn admit(
        &self,
        request: &ProxyRequest<'_>,
        id: Option<Raw<'_>>,
        known: Option<Principal>,
    ) -> Result<(CallPermit, Arc<RouteTable>), Refusal> {
        let caller = match known {
            Some(caller) => caller,
            None => self.authenticate(request.headers, id).await?,
        };
        let table = self.0.presets.route_table(request.owner, request.slug).await.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "could not resolve a preset");
            Box::new(unavailable(id))
        })?;
        let admitted = table.and_then(|table| Some((policy::may_call(&caller, &table.preset)?, table)));
        admitted.ok_or_else(|| {
            Box::new(match &caller {
                Principal::Anonymous => body::challenge(id, false),
                Principal::Member(member) if is_limited(member) => body::challenge(id, true),
                Principal::Member(_) => body::error(StatusCode::NOT_FOUND, id, "there is no such preset"),
            })
        })
    }

    async fn authenticate(&self, headers: &HeaderMap, id: Option<Raw<'_>>) -> Result<Principal, Refusal> {
        let header = headers::single(headers, &header::AUTHORIZATION)
            .map_err(|_| Box::new(body::challenge(id, true)))?;
        let Some(header) = header else { return Ok(Principal::Anonymous) };
        let Some(key) = bearer(header) else { return Err(Box::new(body::challenge(id, true))) };
        match self.0.identity.authenticate_key(key).await {
            Ok(member) => Ok(Principal::Member(member)),
            Err(KeyError::Store(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "could not look up an API key");
                Err(Box::new(unavailable(id)))
            }
            Err(
                KeyError::Malformed
                | KeyError::Unknown
                | KeyError::Expired
                | KeyError::Revoked
                | KeyError::Disabled,
            ) => Err(Box::new(body::challenge(id, true))),
        }
    }

    async fn modern(&self, guest: &Guest<'_>, inbound: &Inbound<'_>) -> ProxyAnswer {
        let message = &inbound.message;
        let revision = inbound.revision.unwrap_or(Revision::LATEST);
        let (Some(name), Some(id)) = (&message.method, message.id) else {
            return body::empty(StatusCode::ACCEPTED);
        };
        match Method::parse(name) {
            Some(Method::Discover) => guest.result(id, &mcp::discover_result(&card(&guest.table))),
            Some(Method::ToolsList) => guest.tools(message, id, Era::Modern),
            Some(Method::ToolsCall) => {
                let client = client_name(message.meta().and_then(|meta| meta.client_info));
                self.call(guest, message, id, revision, &client, None).await
            }
            Some(_) | None => {
                let text = format!("this revision has no method `{}`", words::shown(name));
                body::protocol_error(StatusCode::NOT_FOUND, Some(id), codes::METHOD_NOT_FOUND, text)
            }
        }
    }

    async fn legacy(&self, guest: &Guest<'_>, inbound: &Inbound<'_>) -> ProxyAnswer {
        let message = &inbound.message;
        if message.is_request() && message.method.as_deref() == Some(Method::Initialize.as_str()) {
            return self.initialize(guest, message);
        }
        let session = match self.session(guest, message.id) {
            Ok(session) => session,
            Err(refusal) => return *refusal,
        };
        let (Some(name), Some(id)) = (&message.method, message.id) else {
            self.notified(&session, message);
            return body::empty(StatusCode::ACCEPTED);
        };
        match Method::parse(name) {
            Some(Method::Ping) => guest.result(id, b"{}"),
            Some(Method::ToolsList) => guest.tools(message, id, Era::Legacy),
            Some(Method::ToolsCall) => {
                self.call(guest, message, id, session.revision, &session.client, Some(&session)).await
            }
            Some(_) | None => {
                let text = format!("there is no method `{}` here", words::shown(name));
                body::protocol_error(StatusCode::OK, Some(id), codes::METHOD_NOT_FOUND, text)
            }
        }
    }

    fn initialize(&self, guest: &Guest<'_>, message: &Message<'_>) -> ProxyAnswer {
        let member = |name| message.params.as_ref().and_then(|params| params.member(name));
        let asked = member("protocolVersion").and_then(Raw::as_str);
        let revision = Revision::negotiate(asked.as_deref().unwrap_or_default());
        let client = client_name(member("clientInfo")).into_owned().into_boxed_str();
        let permit = &guest.permit;
        let now = self.0.clock.now();
        let id = message.id.unwrap_or(Raw::NULL);
        match self.0.sessions.begin(permit.caller(), permit.preset(), revision, client, now) {
            Ok(session) => {
                let answer = guest.result(id, &mcp::initialize_result(revision, &card(&guest.table)));
                body::with_session(answer, session.header())
            }
            Err(error) => {
                tracing::error!(%error, "the system gave no random bytes for a session");
                unavailable(Some(id))
            }
        }
    }

    fn session(&self, guest: &Guest<'_>, id: Option<Raw<'_>>) -> Result<Arc<Session>, Refusal> {
        let headers = guest.request.headers;
        let Ok(Some(value)) = headers::single(headers, &headers::SESSION_ID) else {
            let text = "name one session in the header `Mcp-Session-Id`; `initialize` begins one";
            return Err(Box::new(body::error(StatusCode::BAD_REQUEST, id, text)));
        };
        let permit = &guest.permit;
        let session = self.0.sessions.find(value, permit.caller(), permit.preset(), self.0.clock.now());
        session.ok_or_else(|| {
            let text = "there is no such session; `initialize` begins one";
            Box::new(body::error(StatusCode::NOT_FOUND, id, text))
        })
    }

    /// Takes a notification, or an answer to a question that was never asked.
    fn notified(&self, session: &Session, message: &Message<'_>) {
        if message.method.as_deref() == Some(notifications::CANCELLED)
            && let Some(id) = message.params.and_then(|params| params.member("requestId"))
        {
            session.cancel(id.get());
        }
    }

    async fn delete(&self, request: &ProxyRequest<'_>) -> ProxyAnswer {
        let (permit, _) = match self.admit(request, None, None).await {
            Ok(admitted) => admitted,
            Err(refusal) => return *refusal,
        };
        let Ok(Some(value)) = headers::single(request.headers, &headers::SESSION_ID) else {
            let text = "name one session in the header `Mcp-Session-Id`";
            return body::error(StatusCode::BAD_REQUEST, None, text);
        };
        let now = self.0.clock.now();
        if self.0.sessions.end(value, permit.caller(), permit.preset(), now) {
            body::empty(StatusCode::NO_CONTENT)
        } else {
            body::error(StatusCode::NOT_FOUND, None, "there is no such session")
        }
    }
}

impl Guest<'_> {
    fn result(&self, id: Raw<'_>, result: &[u8]) -> ProxyAnswer {
        body::message(self.accepts, mcp::response(id, result))
    }

    fn tools(&self, message: &Message<'_>, id: Raw<'_>, era: Era) -> ProxyAnswer {
        let cursor = message.params.as_ref().and_then(|params| params.member("cursor"));
        let page = match cursor {
            None => self.table.page(ListKind::Tools, era, None),
            Some(cursor) => {
                cursor.as_str().and_then(|cursor| self.table.page(ListKind::Tools, era, Some(&cursor)))
            }
        };
        match page {
            Some(page) => self.result(id, &page.result),
            None => {
                let text = "the cursor is none of this list's";
                body::protocol_error(StatusCode::OK, Some(id), codes::INVALID_PARAMS, text)
            }
        }
    }
}

/// Says whether the caller's key reaches only some presets. Such a key is told that it is the wrong
/// one wherever it does not reach, whether there is a preset or not.
fn is_limited(member: &Member) -> bool {
    matches!(&member.via, Via::ApiKey { scope: KeyScope::Presets(_), .. })
}

fn unavailable(id: Option<Raw<'_>>) -> ProxyAnswer {
    let text = "the gateway cannot answer at this moment";
    body::protocol_error(StatusCode::SERVICE_UNAVAILABLE, id, codes::INTERNAL, text)
}

fn bearer(header: &http::HeaderValue) -> Option<&str> {
    let (scheme, key) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// What presets publish.
static OFFERED: std::sync::LazyLock<ServerCapabilities> =
    std::sync::LazyLock::new(|| ServerCapabilities { tools: true, ..ServerCapabilities::default() });

fn card(table: &RouteTable) -> ServerCard<'_> {
    ServerCard {
        title: &table.preset.title,
        instructions: &table.preset.description,
        version: env!("CARGO_PKG_VERSION"),
        capabilities: &OFFERED,
    }
}

/// Returns what a program calls itself, as `name version`, for display.
fn client_name(info: Option<Raw<'_>>) -> Cow<'static, str> {
    let Some(info) = info else { return Cow::Borrowed("") };
    let mut name = String::new();
    for member in info.members() {
        if member.is("name") {
            name.insert_str(0, &member.value.as_str().unwrap_or_default());
        } else if member.is("version") {
            name.push(' ');
            name.push_str(&member.value.as_str().unwrap_or_default());
        }
    }
    name.retain(|character| !character.is_control());
    name.truncate(name.floor_char_boundary(CLIENT_BYTES_MAX));
    Cow::Owned(name)
}

//! Who asks, whether they may, and what for.

use std::{borrow::Cow, sync::Arc, time::Instant};

use http::{HeaderMap, HeaderValue, Method as HttpMethod, StatusCode, header};

use crate::{
    identity::KeyError,
    mcp::{
        self, Capabilities, Inbound, Message, Method, Params, Raw, Revision, codes,
        headers::{self, Accepts},
        notifications,
    },
    model::{Era, KeyScope, Member, Principal, Via},
    policy::{self, CallPermit, TryPermit},
    presets::RouteTable,
    proxy::{
        Guest, Proxy, ProxyAnswer, ProxyRequest, body, lists, origin,
        requests::{Client, invalid},
        seal::CannotSeal,
        session::{Session, Terms},
        sessions::SessionId,
        words,
    },
    upstream::ReplyBody,
};

/// The longest name of a calling program kept, in bytes.
const CLIENT_BYTES_MAX: usize = 120;

/// The answer to a request that gets no further. Boxed, since few requests need the room.
pub(super) type Refusal = Box<ProxyAnswer>;

impl Proxy {
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
            HttpMethod::GET if !is_modern(request.headers) => Box::pin(self.stream(&request)).await,
            HttpMethod::DELETE if !is_modern(request.headers) => Box::pin(self.delete(&request)).await,
            _ => body::method_not_allowed(),
        }
    }

    /// Answers one POST of a person the console knows already. It goes the same way as any other
    /// call: judged, charged, audited, measured.
    pub async fn answer_for(&self, permit: &TryPermit, request: ProxyRequest<'_>) -> ProxyAnswer {
        self.post(&request, Some(Principal::Member(Arc::clone(permit.member())))).await
    }

    /// Refuses by its head a request whose caller may not use the preset; `None` if its body is worth reading.
    pub async fn turn_away(&self, head: &ProxyRequest<'_>) -> Option<ProxyAnswer> {
        self.admit(head, None, None).await.err().map(|refusal| *refusal)
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
    pub(super) async fn admit(
        &self,
        request: &ProxyRequest<'_>,
        id: Option<Raw<'_>>,
        known: Option<Principal>,
    ) -> Result<(CallPermit, Arc<RouteTable>), Refusal> {
        let caller = match known {
            Some(caller) => caller,
            None => self.authenticate(request, id).await?,
        };
        let table = self.0.presets.route_table(request.owner, request.slug).await.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "could not resolve a preset");
            Box::new(unavailable(id))
        })?;
        let admitted = table.and_then(|table| {
            let permit = policy::may_call(&caller, &table.preset, &table.access, self.0.clock.now())?;
            Some((permit, self.0.narrowed.of(&caller, table)))
        });
        admitted.ok_or_else(|| {
            Box::new(match &caller {
                Principal::Anonymous => self.challenge(request, id, false),
                Principal::Member(member) if is_limited(member) => self.challenge(request, id, true),
                Principal::Member(_) => body::error(StatusCode::NOT_FOUND, id, "there is no such preset"),
            })
        })
    }

    async fn authenticate(
        &self,
        request: &ProxyRequest<'_>,
        id: Option<Raw<'_>>,
    ) -> Result<Principal, Refusal> {
        let header = headers::single(request.headers, &header::AUTHORIZATION)
            .map_err(|_| Box::new(self.challenge(request, id, true)))?;
        match self.recognise(header).await {
            Ok(caller) => Ok(caller),
            Err(KeyError::Store(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "could not look up a credential");
                Err(Box::new(unavailable(id)))
            }
            Err(
                KeyError::Malformed
                | KeyError::Unknown
                | KeyError::Expired
                | KeyError::Revoked
                | KeyError::Disabled,
            ) => Err(Box::new(self.challenge(request, id, true))),
        }
    }

    /// Returns whose credential this is.
    pub(super) async fn recognise(&self, header: Option<&HeaderValue>) -> Result<Principal, KeyError> {
        let Some(header) = header else { return Ok(Principal::Anonymous) };
        let key = bearer(header).ok_or(KeyError::Malformed)?;
        self.0.identity.authenticate_bearer(key).await.map(Principal::Member)
    }

    async fn modern(&self, guest: &Guest<'_>, inbound: &Inbound<'_>) -> ProxyAnswer {
        let message = &inbound.message;
        let revision = inbound.revision.unwrap_or(Revision::LATEST);
        let (Some(name), Some(id)) = (&message.method, message.id) else {
            return body::empty(StatusCode::ACCEPTED);
        };
        let meta = message.meta();
        let client_name = client_name(meta.and_then(|meta| meta.client_info));
        let trace = meta.and_then(|meta| meta.trace());
        let client = Client { revision, name: &client_name, session: None, trace };
        let method = Method::parse(name).filter(|method| method.is_known_to(revision));
        if let Some(refusal) = method.and_then(|method| self.beyond_grant(guest, id, method)) {
            return refusal;
        }
        match method {
            Some(Method::ToolsCall) => self.call_tool(guest, message, id, &client).await,
            // Boxed, as what is rarer would otherwise take its room in every call.
            Some(Method::ResourcesRead) => Box::pin(self.read_resource(guest, message, id, &client)).await,
            Some(Method::PromptsGet) => Box::pin(self.get_prompt(guest, message, id, &client)).await,
            Some(Method::Complete) => Box::pin(self.complete(guest, message, id, &client)).await,
            Some(Method::Discover) => guest.result(id, &mcp::discover_result(&lists::card(&guest.table))),
            Some(Method::Listen) => Box::pin(self.listen(guest, message, id)).await,
            Some(method @ (Method::TasksGet | Method::TasksUpdate | Method::TasksCancel)) => {
                Box::pin(self.task(guest, message, id, method)).await
            }
            Some(method) if method.list_kind().is_some() => guest.list(message, id, method, Era::Modern),
            _ => {
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
        let session = match self.session_of(guest.request, &guest.permit, message.id).await {
            Ok(session) => session,
            Err(refusal) => return *refusal,
        };
        let (Some(name), Some(id)) = (&message.method, message.id) else {
            notified(guest, &session, message);
            return body::empty(StatusCode::ACCEPTED);
        };
        let Terms { revision, client, .. } = &session.terms;
        let trace = message.meta().and_then(|meta| meta.trace());
        let client = Client { revision: *revision, name: client, session: Some(&session), trace };
        let method = Method::parse(name);
        if let Some(refusal) = method.and_then(|method| self.beyond_grant(guest, id, method)) {
            return refusal;
        }
        match method {
            Some(Method::ToolsCall) => self.call_tool(guest, message, id, &client).await,
            // Boxed, as what is rarer would otherwise take its room in every call.
            Some(Method::ResourcesRead) => Box::pin(self.read_resource(guest, message, id, &client)).await,
            Some(Method::PromptsGet) => Box::pin(self.get_prompt(guest, message, id, &client)).await,
            Some(Method::Complete) => Box::pin(self.complete(guest, message, id, &client)).await,
            Some(Method::Ping) => guest.result(id, b"{}"),
            Some(Method::SetLevel) => set_level(guest, &session, message, id),
            Some(Method::ResourcesSubscribe) => Box::pin(guest.subscribe(&session, message, id)).await,
            Some(Method::ResourcesUnsubscribe) => guest.unsubscribe(&session, message, id),
            Some(method) if method.list_kind().is_some() => guest.list(message, id, method, Era::Legacy),
            _ => {
                let text = format!("there is no method `{}` here", words::shown(name));
                body::protocol_error(StatusCode::OK, Some(id), codes::METHOD_NOT_FOUND, text)
            }
        }
    }

    fn initialize(&self, guest: &Guest<'_>, message: &Message<'_>) -> ProxyAnswer {
        let member = |name| message.params.as_ref().and_then(|params| params.member(name));
        let asked = member("protocolVersion").and_then(Raw::as_str);
        let revision = Revision::negotiate(asked.as_deref().unwrap_or_default());
        let capabilities = message.params.as_ref().and_then(Params::capabilities);
        let terms = Terms {
            revision,
            client: client_name(member("clientInfo")).into_owned().into_boxed_str(),
            capabilities: capabilities.map(Capabilities::read).unwrap_or_default().legacy_key(),
        };
        let permit = &guest.permit;
        let now = self.0.clock.now();
        let id = message.id.unwrap_or(Raw::NULL);
        let (caller, preset) = (permit.caller(), permit.preset());
        let begun =
            SessionId::random(self.0.replicas.own()).map_err(CannotSeal::Random).and_then(|session| {
                let header = session.header(&self.0.sealer, caller, preset, &terms, now)?;
                self.0.sessions.go_on(session, caller, preset, terms, now);
                Ok(header)
            });
        match begun {
            Ok(session) => {
                let greeting = mcp::initialize_result(revision, &lists::card(&guest.table));
                body::with_session(guest.result(id, &greeting), session)
            }
            Err(CannotSeal::Random(error)) => {
                tracing::error!(%error, "the system gave no random bytes for a session");
                unavailable(Some(id))
            }
            Err(CannotSeal::Form(_)) => invalid(id, "the capabilities are too many to be carried"),
        }
    }

    /// Returns the session that a request names.
    pub(super) async fn session_of(
        &self,
        request: &ProxyRequest<'_>,
        permit: &CallPermit,
        id: Option<Raw<'_>>,
    ) -> Result<Arc<Session>, Refusal> {
        let Ok(Some(value)) = headers::single(request.headers, &headers::SESSION_ID) else {
            let text = "name one session in the header `Mcp-Session-Id`; `initialize` begins one";
            return Err(Box::new(body::error(StatusCode::BAD_REQUEST, id, text)));
        };
        match self.0.sessions.find(value, permit.caller(), permit.preset(), self.0.clock.now()) {
            Some(session) => Ok(session),
            // Boxed, as what is rarer would otherwise take its room in every call.
            None => Box::pin(self.session_elsewhere(request, value, permit, id)).await,
        }
    }

    async fn delete(&self, request: &ProxyRequest<'_>) -> ProxyAnswer {
        let (permit, _) = match self.admit(request, None, None).await {
            Ok(admitted) => admitted,
            Err(refusal) => return *refusal,
        };
        if let Err(refusal) = self.session_of(request, &permit, None).await {
            return *refusal;
        }
        if let Ok(Some(value)) = headers::single(request.headers, &headers::SESSION_ID) {
            self.0.sessions.end(value);
        }
        body::empty(StatusCode::NO_CONTENT)
    }
}

/// Takes a notification, or an answer to a question.
fn notified(guest: &Guest<'_>, session: &Session, message: &Message<'_>) {
    let share = |raw: Raw<'_>| guest.request.body.slice_ref(raw.as_bytes());
    match (message.method.as_deref(), message.id) {
        (Some(notifications::CANCELLED), _) => {
            if let Some(id) = message.params.as_ref().and_then(Params::request_id) {
                session.cancel(id.get());
            }
        }
        (None, Some(id)) => {
            let error = || message.error.map(share).map(ReplyBody::Error);
            if let Some(body) = message.result.map(share).map(ReplyBody::Result).or_else(error) {
                session.answer(id.get(), body);
            }
        }
        _ => {}
    }
}

fn set_level(guest: &Guest<'_>, session: &Session, message: &Message<'_>, id: Raw<'_>) -> ProxyAnswer {
    match message.params.as_ref().and_then(Params::level) {
        Some(level) => {
            session.set_log_level(level);
            guest.result(id, b"{}")
        }
        None => invalid(id, "`params.level` is no level of log messages"),
    }
}

/// Says whether a request without a body names a modern revision, which has neither streams to GET
/// nor sessions to DELETE.
fn is_modern(headers: &HeaderMap) -> bool {
    let version = headers::single(headers, &headers::PROTOCOL_VERSION).ok().flatten();
    let version = version.and_then(|version| version.to_str().ok()).and_then(Revision::parse);
    version.is_some_and(|version| version.era() == Era::Modern)
}

/// Says whether the caller's key or token reaches only some presets. Such a one is told that it is the wrong
/// one wherever it does not reach, whether there is a preset or not.
fn is_limited(member: &Member) -> bool {
    matches!(&member.via, Via::ApiKey { scope: KeyScope::Presets(_), .. } | Via::Grant { .. })
}

pub(super) fn unavailable(id: Option<Raw<'_>>) -> ProxyAnswer {
    let text = "the gateway cannot answer at this moment";
    body::protocol_error(StatusCode::SERVICE_UNAVAILABLE, id, codes::INTERNAL, text)
}

fn bearer(header: &HeaderValue) -> Option<&str> {
    let (scheme, key) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
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

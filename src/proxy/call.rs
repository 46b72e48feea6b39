//! `tools/call`, stage by stage.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;

use crate::{
    fault::Fault,
    mcp::{LogLevel, Message, Method, Raw, Revision, codes, response, translate},
    model::{Era, Outcome, Principal},
    presets::Route,
    proxy::{
        Guest, Proxy, ProxyAnswer, body,
        exchange::{Asker, Call, Calling, Exchange, Note, level},
        ledger::{Facts, Ledger},
        params,
        session::Session,
        unavailable, words,
    },
    quota::{QuotaError, QuotaSubject, Reservation},
    sources::SourceError,
    upstream,
};

impl Proxy {
    /// Answers one tool call. Whatever happens from the moment the tool's name is known is written
    /// down once, by the ledger.
    pub(super) async fn call(
        &self,
        guest: &Guest<'_>,
        message: &Message<'_>,
        id: Raw<'_>,
        revision: Revision,
        client: &str,
        session: Option<&Arc<Session>>,
    ) -> ProxyAnswer {
        let params = message.params.as_ref();
        let arguments = params.and_then(|params| params.arguments);
        let Some(tool) = params.and_then(|params| params.name).and_then(Raw::as_str) else {
            return invalid(id, "`params.name` is not the name of a tool");
        };
        if self.0.audit.admit().is_err() {
            return unavailable(Some(id));
        }
        let mut ledger = self.open(guest, &tool, revision, client, arguments);
        let told = |mut ledger: Ledger, outcome: Outcome, reason: String, text: &str| {
            let message = response(id, &translate::error_result(revision, text));
            ledger.sent(message.len());
            ledger.close(outcome, reason);
            body::message(guest.accepts, message)
        };
        let Some(route) = guest.table.route(&tool) else {
            ledger.close(Outcome::Caller, "there is no such tool in the preset");
            return invalid(id, format!("there is no tool `{}`", words::shown(&tool)));
        };
        ledger.routed(route);
        if revision.era() == Era::Modern
            && let Err(error) = route.exposed.param_headers.check(guest.request.headers, arguments)
        {
            ledger.close(Outcome::Caller, error.to_string());
            let code = codes::HEADER_MISMATCH;
            return body::protocol_error(StatusCode::BAD_REQUEST, Some(id), code, error.to_string());
        }
        let reservation = match self.charge(guest).await {
            Ok(reservation) => reservation,
            Err(error) => {
                return told(ledger, outcome_of(error.fault()), error.to_string(), &words::quota(&error));
            }
        };
        if let Some(check) = &route.check
            && let Err(error) = check.check(arguments)
        {
            // The reasons quote the arguments, which belong in no log.
            let reason = "the arguments do not fit the input schema".to_owned();
            return told(ledger, Outcome::Caller, reason, &error.to_string());
        }
        let entry = match session.map(|session| session.begin_call(id.get())) {
            None => None,
            Some(Some(entry)) => Some(entry),
            Some(None) => {
                reservation.refund();
                let reason = "too many calls of one session run at once".to_owned();
                let text = "Too many calls of this session run at once. Wait for one to end.";
                return told(ledger, Outcome::Refused, reason, text);
            }
        };
        let link = match self.0.sources.link(guest.table.preset.tenant, route.source).await {
            Ok(link) => link,
            Err(error) => {
                if error.fault() == Fault::Gateway {
                    let chain = &error as &dyn std::error::Error;
                    tracing::error!(source.id = %route.source, error = chain, "a source has no link");
                    reservation.refund();
                }
                let text = words::source(&route.source_name, &error);
                return told(ledger, source_outcome(&error), error.to_string(), &text);
            }
        };
        let asker = asker(guest, message, id, revision);
        let outbound = self.outbound(guest, message, route, &asker);
        let calling: Calling = Box::pin(async move { link.call(outbound).await });
        let call = Call {
            asker,
            source: route.source_name.clone(),
            wraps_output: route.exposed.wraps_output,
            ledger,
            note: self.note(guest, route),
            entry,
            timeout: self.call_timeout(),
            silence: self.0.silence,
            reservation,
        };
        Exchange::begin(call, calling).answer().await
    }
}

impl Proxy {
    fn call_timeout(&self) -> Duration {
        Duration::from_millis(self.0.settings.call_timeout_ms)
    }

    fn open(
        &self,
        guest: &Guest<'_>,
        tool: &str,
        revision: Revision,
        client: &str,
        arguments: Option<Raw<'_>>,
    ) -> Ledger {
        let facts = Facts {
            begun: guest.begun,
            address: guest.request.address,
            request_id: guest.request.request_id,
            request_bytes: guest.request.body.len(),
            client,
            revision,
            arguments,
        };
        Ledger::open(&self.0.audit, &self.0.clock, &guest.permit, &guest.table, tool, &facts)
    }

    /// Charges the caller, or, if nobody knows who that is, the preset's owner.
    async fn charge(&self, guest: &Guest<'_>) -> Result<Reservation, QuotaError> {
        match guest.permit.caller() {
            Principal::Member(member) => self.0.quota.reserve(&QuotaSubject::from(&**member)).await,
            Principal::Anonymous => {
                let owner = self.0.quota.owner_of(guest.permit.tenant()).await?;
                self.0.quota.reserve(&owner).await
            }
        }
    }

    /// Returns the call as the source gets it.
    fn outbound(
        &self,
        guest: &Guest<'_>,
        message: &Message<'_>,
        route: &Route,
        asker: &Asker,
    ) -> upstream::Call {
        let params = message.params.as_ref();
        let arguments = params.and_then(|params| params.arguments);
        upstream::Call {
            method: Method::ToolsCall.as_str(),
            params: params.map_or_else(Bytes::new, |params| {
                params::for_source(&guest.request.body, params, &route.tool_name)
            }),
            name: Some(route.tool_name.to_string()),
            param_headers: route.exposed.param_headers.for_arguments(arguments),
            progress: asker.progress_token.is_some(),
            log_level: asker.log_level.map(|level| LogLevel::ALL[level]),
            timeout: self.call_timeout(),
            capabilities: Default::default(),
            partition: None,
        }
    }

    /// Returns what tells the source's health how the call ended.
    fn note(&self, guest: &Guest<'_>, route: &Route) -> Note {
        let sources = self.0.sources.clone();
        let (tenant, source) = (guest.permit.tenant(), route.source);
        Box::new(move |outcome| sources.note(tenant, source, outcome))
    }
}

fn asker(guest: &Guest<'_>, message: &Message<'_>, id: Raw<'_>, revision: Revision) -> Asker {
    let meta = message.meta();
    let token = meta.and_then(|meta| meta.progress_token);
    let token = token.filter(|token| token.is_string() || token.is_integer());
    Asker {
        id: id.get().into(),
        revision,
        accepts: guest.accepts,
        // Progress needs a stream, and only callers who take one can hear of it.
        progress_token: token.filter(|_| guest.accepts.sse).map(|token| token.get().into()),
        log_level: meta.and_then(|meta| meta.log_level).and_then(Raw::as_str).and_then(|name| level(&name)),
    }
}

fn invalid(id: Raw<'_>, text: impl Into<Cow<'static, str>>) -> ProxyAnswer {
    body::protocol_error(StatusCode::OK, Some(id), codes::INVALID_PARAMS, text)
}

fn source_outcome(error: &SourceError) -> Outcome {
    match error {
        SourceError::Disabled { .. } | SourceError::NotFound => Outcome::Refused,
        error => outcome_of(error.fault()),
    }
}

/// Returns how a call ended whose error is this one's fault.
pub(super) fn outcome_of(fault: Fault) -> Outcome {
    match fault {
        Fault::Caller => Outcome::Caller,
        Fault::Refused => Outcome::Refused,
        Fault::Upstream => Outcome::Upstream,
        Fault::Gateway => Outcome::Gateway,
    }
}

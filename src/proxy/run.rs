//! What is done for every request that a source answers, stage by stage: charging it, finding out
//! whether it goes on with an earlier one, the way to the source, and the call.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::{
    fault::Fault,
    mcp::{Capabilities, Message, Method, Params, Raw, sealed, translate},
    model::{Era, Outcome, Principal, ReplicaNumber, SourceId, SourceName},
    presets::Route,
    proxy::{
        Guest, Proxy, ProxyAnswer,
        asker::Asker,
        body,
        call::{Again, Call, outcome_of},
        dialogue::{ANSWER_MAX, ROUNDS_MAX},
        exchange::Exchange,
        leave::Leave,
        ledger::Ledger,
        once::{Instead, MadeOnce},
        params::{self, Edits},
        park::Parked,
        requests::{Client, invalid},
        running::Calling,
        seal::{Bound, SealError},
        state::State,
        words,
        work::Work,
    },
    quota::{Asked, QuotaError, QuotaSubject, Reservation, TooFast},
    sources::{SourceError, Way},
    upstream::{self, Partition, UpstreamError},
};

/// What a request is for.
pub(super) struct Errand<'a> {
    pub(super) method: Method,
    pub(super) source: SourceId,
    pub(super) source_name: &'a SourceName,
    /// What `Mcp-Name` says at the source.
    pub(super) name: Option<String>,
    pub(super) edits: Edits<'a>,
    pub(super) param_headers: Vec<(HeaderName, HeaderValue)>,
    /// The tool, if one is called.
    pub(super) tool: Option<&'a Route>,
}

impl<'a> Errand<'a> {
    /// Begins one to this source, and writes down that it goes there.
    pub(super) fn to(
        ledger: &mut Ledger,
        method: Method,
        source: SourceId,
        source_name: &'a SourceName,
    ) -> Self {
        ledger.routed(source, source_name);
        Self {
            method,
            source,
            source_name,
            name: None,
            edits: Edits::default(),
            param_headers: Vec::new(),
            tool: None,
        }
    }
}

/// What a caller's next round goes on with.
enum Round {
    /// With nothing: it is the first.
    First,
    /// With the source's own state.
    Relayed(Option<String>),
    /// With a call that waits.
    Parked(Parked),
}

/// Why a request goes on with nothing here.
enum NoRound {
    /// It cannot.
    Text(String),
    /// What it goes on with is in the memory of this process.
    Elsewhere(ReplicaNumber),
}

impl From<String> for NoRound {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Proxy {
    /// Charges what is to be charged, finds the way to the source, and brings back what it answers.
    pub(super) async fn run(
        &self,
        guest: &Guest<'_>,
        message: &Message<'_>,
        id: Raw<'_>,
        client: &Client<'_>,
        mut ledger: Ledger,
        errand: Errand<'_>,
    ) -> ProxyAnswer {
        let told = |mut ledger: Ledger, outcome: Outcome, reason: String, text: &str| {
            let message = words::failure(errand.method, client.revision, id, text);
            ledger.sent(message.len());
            ledger.close(outcome, reason);
            body::message(guest.accepts, message)
        };
        let params = message.params.as_ref();
        let state = params.and_then(|params| params.request_state).filter(|_| errand.method.may_ask());
        let round = match state {
            None => Ok(Round::First),
            Some(state) => Box::pin(self.round(guest, params, state, &ledger, &errand)).await,
        };
        let round = match round {
            Ok(round) => round,
            Err(NoRound::Text(text)) => {
                ledger.close(Outcome::Caller, text.clone());
                return invalid(id, format!("`requestState` cannot be used: {text}"));
            }
            Err(NoRound::Elsewhere(replica)) => match self.hand_on(guest.request, replica, Some(id)).await {
                Some(answer) => {
                    // The other process keeps the books.
                    ledger.handed_on();
                    return answer;
                }
                None => {
                    let text = "the replica that has the call it belongs to is not reached";
                    return told(ledger, Outcome::Gateway, text.to_owned(), "Try again in a moment.");
                }
            },
        };
        if !matches!(round, Round::Parked(_))
            && let Err(error) = self.0.quota.admit(&asked(guest, &errand)).await
        {
            return match &error {
                QuotaError::TooFast(too_fast) => refused(ledger, client, id, too_fast),
                error => told(ledger, outcome_of(error.fault()), error.to_string(), &words::quota(error)),
            };
        }
        let first = errand.tool.filter(|_| matches!(round, Round::First));
        let claimed = match first.map_or(Ok(None), |route| MadeOnce::of(guest, message, route)) {
            Ok(None) => Ok(None),
            // Boxed, as what is rarely needed would otherwise take its room in every call.
            Ok(Some(once)) => {
                Box::pin(self.claim(once, guest, id, client.revision.era(), &ledger)).await.map(Some)
            }
            Err(instead) => Err(instead),
        };
        let mut claim = match claimed {
            Ok(claim) => claim,
            Err(Instead::Answer(message, outcome)) => {
                ledger.sent(message.len());
                ledger.close(outcome, "a replay: the call was made before");
                return body::message(guest.accepts, message);
            }
            Err(Instead::Refusal { text, outcome, reason }) => return told(ledger, outcome, reason, &text),
            Err(Instead::NoKey(text)) => {
                ledger.close(Outcome::Caller, text);
                return invalid(id, text);
            }
        };
        let is_analysis = errand.tool.is_some_and(|route| route.is_analysis);
        let is_charged = errand.tool.is_some() && !is_analysis && !matches!(round, Round::Parked(_));
        let reservation = match self.charge(guest, is_charged).await {
            Ok(reservation) => reservation,
            Err(error) => {
                return told(ledger, outcome_of(error.fault()), error.to_string(), &words::quota(&error));
            }
        };
        if let Some(check) = errand.tool.and_then(|route| route.check.as_deref())
            && let Err(error) = check.check(params.and_then(|params| params.arguments))
        {
            // The reasons quote the arguments, which belong in no log.
            let reason = "the arguments do not fit the input schema".to_owned();
            return told(ledger, Outcome::Caller, reason, &error.to_string());
        }
        let entry = match client.session.map(|session| session.begin_call(id.get())) {
            None => None,
            Some(Some(entry)) => Some(entry),
            Some(None) => {
                refund(reservation);
                let reason = "too many calls of one session run at once".to_owned();
                let text = "Too many calls of this session run at once. Wait for one to end.";
                return told(ledger, Outcome::Refused, reason, text);
            }
        };
        let asker = asker(guest, message, id, client);
        let call = |ledger, asker, reservation, again, claim| Call {
            proxy: self.clone(),
            asker,
            method: errand.method,
            source: errand.source,
            source_name: errand.source_name.clone(),
            wraps_output: errand.tool.is_some_and(|route| route.exposed.wraps_output),
            ledger,
            entry,
            timeout: self.call_timeout(),
            reservation,
            again,
            claim,
            signed_in: None,
            leave: Leave::new(guest.request.headers, &guest.permit, &guest.table),
        };
        let state = match round {
            Round::First => None,
            Round::Relayed(state) => state,
            Round::Parked(parked) => {
                let answers = params.and_then(|params| params.input_responses);
                let call = call(ledger, asker, reservation, None, None);
                let work = Work::resume(call, parked, |key| {
                    Some(guest.request.body.slice_ref(answers?.member(key)?.as_bytes()))
                });
                return Box::pin(Exchange::of(work).answer()).await;
            }
        };
        if is_analysis {
            let sent = params.map_or_else(Bytes::new, |params| {
                params::for_source(&guest.request.body, params, errand.edits)
            });
            return match Box::pin(self.analyse(guest, errand.source, &sent)).await {
                Ok(calling) => {
                    if let Some(claim) = &mut claim {
                        claim.sent();
                    }
                    let work = Work::begin(call(ledger, asker, None, None, claim), calling);
                    Box::pin(Exchange::of(work).answer()).await
                }
                Err(error) => {
                    let (fault, reason, text) = error.words(errand.source_name);
                    told(ledger, outcome_of(fault), reason, &text)
                }
            };
        }
        let caller = guest.permit.caller().member().map(|member| member.user);
        let Way { link, signed_in } =
            match self.0.sources.way(guest.table.preset.tenant, errand.source, caller).await {
                Ok(way) => way,
                Err(SourceError::SignIn { signed_in, .. }) => {
                    refund(reservation);
                    let call = Call { signed_in: Some(signed_in), ..call(ledger, asker, None, None, None) };
                    let refused = UpstreamError::Credential { status: 401, challenge: None };
                    let calling: Calling = Box::pin(std::future::ready(Err(refused)));
                    return Box::pin(Exchange::of(Work::begin(call, calling)).answer()).await;
                }
                Err(error) => {
                    if error.fault() == Fault::Gateway {
                        let chain = &error as &dyn std::error::Error;
                        tracing::error!(source.id = %errand.source, error = chain, "a source has no link");
                        refund(reservation);
                    }
                    let text = words::source(errand.source_name, &error);
                    return told(ledger, source_outcome(&error), error.to_string(), &text);
                }
            };
        let can_be_asked = asker.capabilities.can_be_asked();
        let request = upstream::Call {
            method: errand.method.as_str(),
            params: params.map_or_else(Bytes::new, |params| {
                let edits = Edits { state: state.as_deref(), ..errand.edits };
                params::for_source(&guest.request.body, params, edits)
            }),
            name: errand.name,
            param_headers: errand.param_headers,
            progress: asker.progress_token.is_some(),
            log_level: asker.log_level,
            // Callers may take their time to answer, which is not the source's.
            timeout: self.call_timeout()
                + if can_be_asked { ANSWER_MAX * ROUNDS_MAX } else { Duration::ZERO },
            partition: (can_be_asked || asker.log_level.is_some()).then(|| partition(guest)),
            capabilities: asker.capabilities.clone(),
        };
        let is_asked_on_a_stream = client.session.is_some() && can_be_asked;
        let again = is_asked_on_a_stream
            .then(|| Box::new(Again { link: Arc::clone(&link), request: request.clone() }));
        if let Some(claim) = &mut claim {
            claim.sent();
        }
        let calling: Calling = Box::pin(async move { link.call(request).await });
        let call = Call { signed_in, ..call(ledger, asker, reservation, again, claim) };
        Exchange::of(Work::begin(call, calling)).answer().await
    }

    /// Finds out what a request goes on with.
    async fn round(
        &self,
        guest: &Guest<'_>,
        params: Option<&Params<'_>>,
        state: Raw<'_>,
        ledger: &Ledger,
        errand: &Errand<'_>,
    ) -> Result<Round, NoRound> {
        let foreign = || SealError::Foreign.to_string();
        let state = state.as_str().ok_or_else(foreign)?;
        let bound = Bound {
            purpose: sealed::Purpose::RequestState,
            caller: guest.permit.caller(),
            preset: guest.permit.preset(),
            method: errand.method.as_str(),
            subject: ledger.subject(),
            digest: ledger.digest(),
        };
        let opened =
            self.0.sealer.open(&bound, &state, self.0.clock.now()).map_err(|error| error.to_string())?;
        if opened.source != errand.source {
            return Err("the name leads to another data source by now".to_owned().into());
        }
        let answers = params.and_then(|params| params.input_responses);
        if answers.is_some_and(|answers| translate::answers(answers).is_none()) {
            return Err("`inputResponses` is not an object of answers".to_owned().into());
        }
        match State::read(&opened.fields).ok_or_else(foreign)? {
            State::Relayed(state) => Ok(Round::Relayed(state)),
            State::Parked(handle) => match self.0.park.take(handle).await {
                Some(parked) => Ok(Round::Parked(parked)),
                None => {
                    let replica = ReplicaNumber::of_name(handle);
                    let own = replica == self.0.replicas.own();
                    if !own && !guest.request.stays && self.0.replicas.find(replica).await.unwrap_or(false) {
                        return Err(NoRound::Elsewhere(replica));
                    }
                    Err("the call it belongs to is over: it was answered already, waited too long, or the \
                         gateway was restarted. Make the request again without it."
                        .to_owned()
                        .into())
                }
            },
        }
    }

    pub(super) fn call_timeout(&self) -> Duration {
        Duration::from_millis(self.0.settings.call_timeout_ms)
    }

    /// Charges the caller, or, if nobody knows who that is, the preset's owner, and a team that owns it beside. Only calls of tools
    /// are charged, and only once: going on with a call that waits is none, and one that is an analysis
    /// is charged as that.
    async fn charge(&self, guest: &Guest<'_>, is_charged: bool) -> Result<Option<Reservation>, QuotaError> {
        if !is_charged {
            return Ok(None);
        }
        let charged = self.charged(guest).await?;
        self.0.quota.reserve(&charged, guest.permit.tenant()).await.map(Some)
    }

    /// Returns who is charged for a call.
    pub(super) async fn charged(&self, guest: &Guest<'_>) -> Result<QuotaSubject, QuotaError> {
        match guest.permit.caller() {
            Principal::Member(member) => Ok(QuotaSubject::from(&**member)),
            Principal::Anonymous => {
                let owner = self.0.quota.owner_of(guest.permit.tenant()).await?;
                Ok(QuotaSubject::clone(&owner))
            }
        }
    }
}

/// Returns what the buckets are to know of a request.
fn asked<'a>(guest: &'a Guest<'_>, errand: &Errand<'a>) -> Asked<'a> {
    Asked {
        caller: guest.permit.caller(),
        preset: &guest.table.preset,
        source: errand.source,
        source_rules: guest.table.source_rules(errand.source),
        tool: errand.tool.map(|route| (&*route.exposed_name, &*route.tool_name)),
    }
}

/// Refuses a request that comes too fast. Earlier revisions know no answer but 200 that holds a message.
fn refused(mut ledger: Ledger, client: &Client<'_>, id: Raw<'_>, too_fast: &TooFast) -> ProxyAnswer {
    let message = words::too_fast(id, too_fast);
    ledger.sent(message.len());
    ledger.close(Outcome::Refused, too_fast.to_string());
    let status = match client.revision.era() {
        Era::Modern => StatusCode::TOO_MANY_REQUESTS,
        Era::Legacy => StatusCode::OK,
    };
    body::with_retry_after(body::json(status, message), too_fast.retry_after_secs())
}

fn refund(reservation: Option<Reservation>) {
    if let Some(reservation) = reservation {
        reservation.refund();
    }
}

fn asker(guest: &Guest<'_>, message: &Message<'_>, id: Raw<'_>, client: &Client<'_>) -> Asker {
    let meta = message.meta();
    let token = meta.and_then(|meta| meta.progress_token);
    let token = token.filter(|token| token.is_string() || token.is_integer());
    let (log_level, capabilities) = match client.session {
        Some(session) => (session.log_level(), session.terms.capabilities.clone()),
        None => (
            meta.and_then(|meta| meta.level()),
            meta.map_or_else(Capabilities::default, |meta| meta.capabilities()),
        ),
    };
    Asker {
        id: id.get().into(),
        revision: client.revision,
        accepts: guest.accepts,
        // Progress needs a stream, and only callers who take one can hear of it.
        progress_token: token.filter(|_| guest.accepts.sse).map(|token| token.get().into()),
        log_level,
        capabilities,
    }
}

/// Returns who may share what a legacy source remembers: one person at one preset.
pub(super) fn partition(guest: &Guest<'_>) -> Partition {
    let preset = guest.permit.preset();
    match guest.permit.caller() {
        Principal::Anonymous => Partition::new(format!("anonymous {preset}")),
        Principal::Member(member) => Partition::new(format!("{} {preset}", member.user)),
    }
}

fn source_outcome(error: &SourceError) -> Outcome {
    match error {
        SourceError::Disabled { .. } | SourceError::NotFound | SourceError::SignIn { .. } => Outcome::Refused,
        error => outcome_of(error.fault()),
    }
}

//! One call under way, and what its caller is told at the end.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;

use crate::{
    clock::Ms,
    fault::Fault,
    mcp::{
        CacheScope, Capabilities, ErrorObject, Method, Pieces, Raw, Revision,
        capabilities::extensions,
        codes,
        error::relay,
        response,
        sealed::Purpose,
        translate::{self, Ask, CallEnd, Entry},
        write,
    },
    model::{Era, OrgRole, Outcome, Principal, SourceId, SourceName},
    proxy::{
        Proxy, asker::Asker, dialogue::raw, leave::Leave, ledger::Ledger, once, seal::Bound,
        session::CallEntry, tasks, words,
    },
    quota::{Claim, Reservation},
    sources::SignedIn,
    upstream::{self, Link, Reply, ReplyBody, UpstreamError},
};

/// One call under way.
pub(super) struct Call {
    pub(super) proxy: Proxy,
    pub(super) asker: Asker,
    pub(super) method: Method,
    pub(super) source: SourceId,
    pub(super) source_name: SourceName,
    /// Whether legacy callers were shown an output schema that wraps the source's.
    pub(super) wraps_output: bool,
    pub(super) ledger: Ledger,
    /// Its place in a legacy session.
    pub(super) entry: Option<CallEntry>,
    /// How long it may take.
    pub(super) timeout: Duration,
    /// Held until the end: the proof that it was charged. `None` if it goes on with what was.
    pub(super) reservation: Option<Reservation>,
    /// What a modern source is asked again with; there for callers who can be asked on a stream.
    pub(super) again: Option<Box<Again>>,
    /// The right to make it, where it is made once.
    pub(super) claim: Option<Box<Claim>>,
    /// Whose sign-in at the source it goes with, or would have to.
    pub(super) signed_in: Option<SignedIn>,
    /// What the caller was let in with.
    pub(super) leave: Leave,
}

/// A request to a modern source, to be repeated with answers.
pub(super) struct Again {
    pub(super) link: Arc<Link>,
    pub(super) request: upstream::Call,
}

/// What is sent at the end of a call.
pub(super) struct Ending {
    /// The status, if nothing has been sent yet.
    pub(super) status: StatusCode,
    pub(super) message: Pieces,
    pub(super) outcome: Outcome,
    pub(super) reason: String,
    /// Whether the source has done what it was asked.
    made: Made,
}

/// Whether a source has done what it was asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    Yes,
    No,
    /// Nobody knows.
    Perhaps,
}

impl Made {
    /// Returns what is known of it when a source did not answer.
    fn after(error: &UpstreamError) -> Self {
        match error {
            UpstreamError::Unreachable { .. }
            | UpstreamError::Refused(_)
            | UpstreamError::Credential { .. }
            | UpstreamError::Busy { .. } => Self::No,
            UpstreamError::NotMcp { .. }
            | UpstreamError::Timeout { .. }
            | UpstreamError::Died { .. }
            | UpstreamError::TooLarge { .. }
            | UpstreamError::Protocol { .. } => Self::Perhaps,
        }
    }
}

impl Ending {
    fn new(message: impl Into<Pieces>, outcome: Outcome, reason: impl Into<String>) -> Self {
        let made = match outcome {
            Outcome::Ok | Outcome::ToolError => Made::Yes,
            Outcome::Caller | Outcome::Refused => Made::No,
            Outcome::Upstream | Outcome::Gateway | Outcome::Cancelled => Made::Perhaps,
        };
        Self { status: StatusCode::OK, message: message.into(), outcome, reason: reason.into(), made }
    }
}

/// How a source's answer goes on.
pub(super) enum Turn {
    /// The call is over.
    Over(Ending),
    /// A modern source wants to know more: its whole result.
    Asks(Bytes),
    /// A legacy source wants pages to be visited before it is asked again.
    Pages(Vec<Entry>),
}

impl Call {
    /// Says whether the caller's going away ends the call.
    pub(super) fn ends_with_caller(&self) -> bool {
        self.asker.era() == Era::Modern
    }

    /// Waits until the caller cancels by notification, which only legacy callers do.
    pub(super) async fn cancelled(&self) {
        match &self.entry {
            Some(entry) => entry.cancelled().await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn now(&self) -> Ms {
        self.proxy.0.clock.now()
    }

    /// Tells the source's health how the call ended.
    pub(super) fn note(&self, outcome: Result<(), &UpstreamError>) {
        self.proxy.0.sources.note(self.leave.permit.tenant(), self.source, outcome);
    }

    /// Returns what the state of this call is sealed for.
    pub(super) fn bound(&self) -> Bound<'_> {
        Bound {
            purpose: Purpose::RequestState,
            caller: self.leave.permit.caller(),
            preset: self.leave.permit.preset(),
            method: self.method.as_str(),
            subject: self.ledger.subject(),
            digest: self.ledger.digest(),
        }
    }

    /// Returns what the caller is told of a call that failed on its way. A tool's failure is told
    /// as its result, so that a model can read it.
    pub(super) fn failed(&self, text: &str, outcome: Outcome, reason: impl Into<String>) -> Ending {
        Ending::new(words::failure(self.method, self.asker.revision, self.asker.id(), text), outcome, reason)
    }

    /// Returns what a caller is told who cannot be asked what the source wants to know.
    /// `required` is what it would have had to declare, as JSON; `page` is where it could go by hand.
    pub(super) fn cannot_be_asked(&self, asked: &str, required: &str, page: Option<&str>) -> Ending {
        let reason = format!("the caller cannot be asked `{asked}`");
        if self.asker.era() == Era::Modern {
            let message = ErrorObject::missing_capability(required).render(Some(self.asker.id()));
            let status = StatusCode::BAD_REQUEST;
            return Ending { status, ..Ending::new(message, Outcome::Caller, reason) };
        }
        let page = page.map_or_else(String::new, |page| {
            format!(" The page it wants to be visited is {}", words::shown_page(page))
        });
        let text = format!(
            "The data source `{}` wants to ask (`{asked}`), but this client cannot be asked that, or did not \
             declare it: {required}. Nothing was returned.{page}",
            self.source_name
        );
        self.failed(&text, Outcome::Caller, reason)
    }

    /// Returns what is told of a call that has ended with a result of questions.
    pub(super) fn asked(&self, result: &[u8], reason: impl Into<String>) -> Ending {
        Ending { made: Made::No, ..Ending::new(response(self.asker.id(), result), Outcome::Ok, reason) }
    }

    /// Returns how the call goes on after the source's last word.
    pub(super) fn turn(&self, end: Result<Reply, UpstreamError>) -> Turn {
        let reply = match end {
            Ok(reply) => reply,
            Err(error) => {
                if let (Some(signed_in), UpstreamError::Credential { .. }) = (self.signed_in, &error) {
                    return self.sign_in(signed_in);
                }
                let text = words::upstream(&self.source_name, &error);
                let failed = self.failed(&text, outcome_of(error.fault()), error.to_string());
                return Turn::Over(Ending { made: Made::after(&error), ..failed });
            }
        };
        match &reply.body {
            ReplyBody::Result(result) => self.result(&reply, result),
            ReplyBody::Error(error) => self.refusal(reply.revision, raw(error)),
        }
    }

    /// Returns how a call goes on whose sign-in at the source is missing or not enough: those who can
    /// do something about it are sent to the page where, everybody else is told who can.
    fn sign_in(&self, signed_in: SignedIn) -> Turn {
        let may_sign_in = match self.leave.permit.caller() {
            Principal::Anonymous => false,
            Principal::Member(member) => {
                signed_in.of_caller
                    || (member.tenant == self.leave.permit.tenant() && member.org_role >= OrgRole::Admin)
            }
        };
        let page = signed_in
            .connection
            .filter(|_| may_sign_in)
            .map(|connection| format!("{}/connections/{connection}", self.proxy.0.settings.base_url));
        let text = words::sign_in(&self.source_name, signed_in.of_caller, page.as_deref());
        let reason = "somebody has to sign in to the source";
        let can_be_sent = self.asker.capabilities.elicitation_url
            && self.method.may_ask()
            && self.asker.revision >= Revision::V2025_11_25;
        let Some(page) = page.filter(|_| can_be_sent) else {
            return Turn::Over(self.failed(&text, Outcome::Refused, reason));
        };
        let id = signed_in.connection.map(|connection| connection.to_string()).unwrap_or_default();
        let (page, text, id) = (write::quoted(&page), write::quoted(&text), write::quoted(&id));
        match self.asker.era() {
            Era::Modern => {
                let params = format!(r#"{{"mode":"url","url":{page},"message":{text}}}"#);
                let entry = translate::entry("sign-in", Ask::Elicitation, Some(Raw::checked(&params)));
                Turn::Pages(vec![entry])
            }
            Era::Legacy => {
                let asked = format!(
                    r#"{{"elicitations":[{{"mode":"url","elicitationId":{id},"url":{page},"message":{text}}}]}}"#
                );
                let mut error = ErrorObject::new(
                    codes::URL_ELICITATION_REQUIRED,
                    "somebody has to sign in to the source",
                );
                error.data = Some(asked);
                let message = error.render(Some(self.asker.id()));
                Turn::Over(Ending::new(message, Outcome::Refused, reason))
            }
        }
    }

    fn result(&self, reply: &Reply, result: &Bytes) -> Turn {
        let exposed = self.leave.table.exposed_message(self.source, result).map(Bytes::from);
        let result = exposed.as_ref().unwrap_or(result);
        let (caller, source, id) = (self.asker.revision, reply.revision, self.asker.id());
        let end = match self.method {
            Method::ToolsCall => translate::call_end(caller, source, id, result, self.wraps_output),
            method => translate::result_end(method, caller, source, id, result, CacheScope::Private),
        };
        Turn::Over(match end {
            CallEnd::Complete { answer, is_error: false } => Ending::new(answer, Outcome::Ok, ""),
            CallEnd::Complete { answer, is_error: true } => {
                Ending::new(answer, Outcome::ToolError, "the tool answered with an error")
            }
            CallEnd::InputRequired => return Turn::Asks(result.clone()),
            CallEnd::Task => self.task(raw(result)),
            CallEnd::Other(kind) => {
                let kind = kind.escape_debug();
                let text = format!(
                    "The data source `{}` answered with a result of the type `{kind}`, which this gateway does \
                     not pass on. Nothing was returned.",
                    self.source_name
                );
                self.failed(&text, Outcome::Upstream, format!("a result of the type `{kind}`"))
            }
        })
    }

    /// Returns a task as the caller knows it: under a name that leads back here.
    fn task(&self, result: Raw<'_>) -> Ending {
        if !self.asker.capabilities.extensions.has(extensions::TASKS) {
            let required = Capabilities::requiring_extension(extensions::TASKS);
            return self.cannot_be_asked("tasks/get", &required, None);
        }
        match tasks::outward(&self.proxy, &self.leave.permit, self.source, result) {
            Some(result) => Ending::new(response(self.asker.id(), result.as_bytes()), Outcome::Ok, "a task"),
            None => {
                let text = format!("The data source `{}` began a task without a name.", self.source_name);
                self.failed(&text, Outcome::Upstream, "a task without a name")
            }
        }
    }

    fn refusal(&self, source: Revision, error: Raw<'_>) -> Turn {
        let code: Option<i64> = error.member("code").and_then(|code| code.get().parse().ok());
        let reason =
            format!("the source answered with the error {}", error.member("code").map_or("?", Raw::get));
        let relayed = |error: &str, outcome| {
            Turn::Over(Ending::new(relay(self.asker.id(), Raw::checked(error)), outcome, reason.clone()))
        };
        match (code, self.asker.era()) {
            // A legacy source is not told everything that a modern caller declares.
            (Some(codes::MISSING_CAPABILITY), Era::Modern)
                if source.era() == Era::Legacy && self.declares(error) =>
            {
                let text = format!(
                    "The data source `{}` does this only for clients with `{}`, and speaks a revision of the \
                     protocol ({source}) in which it cannot be told that this client has it. Nothing was \
                     returned.",
                    self.source_name,
                    translate::required_capabilities(error).map_or("{}", Raw::get),
                );
                Turn::Over(self.failed(&text, Outcome::Upstream, reason))
            }
            // What it misses is what the caller did not declare, which is all it was told.
            (Some(codes::MISSING_CAPABILITY), Era::Modern) => {
                let message = relay(self.asker.id(), error);
                let status = StatusCode::BAD_REQUEST;
                Turn::Over(Ending { status, ..Ending::new(message, Outcome::Caller, reason) })
            }
            (Some(codes::MISSING_CAPABILITY), Era::Legacy) => {
                let required = translate::required_capabilities(error).map_or("{}", Raw::get);
                Turn::Over(self.cannot_be_asked("more", required, None))
            }
            (Some(codes::URL_ELICITATION_REQUIRED), Era::Legacy) => {
                let pages = error.member("data").and_then(|data| data.member("elicitations"));
                pages.into_iter().flat_map(Raw::elements).for_each(|page| self.sent_to_page(page));
                relayed(error.get(), Outcome::ToolError)
            }
            (Some(codes::URL_ELICITATION_REQUIRED), Era::Modern) if self.method.may_ask() => {
                match translate::url_entries(error) {
                    Some(pages) => Turn::Pages(pages),
                    None => Turn::Over(self.not_understood(reason)),
                }
            }
            _ => match translate::error_for(self.asker.revision, error) {
                Some(error) => {
                    let is_callers =
                        matches!(code, Some(codes::INVALID_PARAMS | codes::LEGACY_RESOURCE_NOT_FOUND));
                    relayed(&error, if is_callers { Outcome::Caller } else { Outcome::ToolError })
                }
                None => Turn::Over(self.not_understood(reason)),
            },
        }
    }

    /// Takes note of a page that a legacy source sends its legacy caller to, so that the caller hears
    /// when it is done there.
    pub(super) fn sent_to_page(&self, params: Raw<'_>) {
        let id = params.member("elicitationId").and_then(Raw::as_str);
        if let (Some(entry), Some(id)) = (&self.entry, id) {
            entry.session.sent_to_page(self.source, &id);
        }
    }

    /// Says whether the caller has declared an extension that a source says it misses.
    fn declares(&self, error: Raw<'_>) -> bool {
        let required = translate::required_capabilities(error).map(Capabilities::read);
        required.is_some_and(|required| {
            !required.extensions.is_empty()
                && self.asker.capabilities.extensions.has_all(&required.extensions)
        })
    }

    fn not_understood(&self, reason: String) -> Ending {
        let source = &self.source_name;
        let text = format!("The data source `{source}` and this gateway did not understand each other.");
        self.failed(&text, Outcome::Upstream, reason)
    }

    /// Keeps what came of a call that is made once, before anybody is told.
    pub(super) async fn keep(&mut self, ending: &Ending) {
        let Some(mut claim) = self.claim.take() else { return };
        match ending.made {
            Made::Yes => claim.done(once::kept(self.asker.era(), &ending.message.whole())).await,
            Made::No => claim.not_made(),
            Made::Perhaps => {}
        }
    }

    /// Writes the call down and gives its place up.
    pub(super) fn close(mut self, ending: Ending, sent: usize) {
        self.ledger.sent(sent);
        self.ledger.close(ending.outcome, ending.reason);
        drop(self.reservation);
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

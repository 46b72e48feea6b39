//! The tasks extension, modern to modern: calls that answer later.
//!
//! A source's task has for its caller a sealed name, which says whose it is and where, so that nothing
//! is kept here. Asking how a task is costs next to nothing and is neither charged nor audited: the
//! call that began it was.

use http::StatusCode;

use crate::{
    mcp::{
        CacheScope, Capabilities, ErrorObject, Message, Method, Raw, Revision,
        capabilities::extensions,
        codes, edit,
        error::relay,
        sealed::Purpose,
        translate::{self, CallEnd, InputRequired},
        write,
    },
    model::SourceId,
    policy::CallPermit,
    proxy::{
        Guest, Proxy, ProxyAnswer, body,
        dialogue::raw,
        params::{self, Edits},
        requests::invalid,
        run::partition,
        seal::Bound,
        words,
    },
    upstream::{self, ReplyBody},
};

impl Proxy {
    /// Answers how a task is, answers what it asks, or gives it up.
    pub(super) async fn task(
        &self,
        guest: &Guest<'_>,
        message: &Message<'_>,
        id: Raw<'_>,
        method: Method,
    ) -> ProxyAnswer {
        let capabilities = message.meta().map_or_else(Capabilities::default, |meta| meta.capabilities());
        if !capabilities.extensions.has(extensions::TASKS) {
            let error = ErrorObject::missing_capability(Capabilities::requiring_extension(extensions::TASKS));
            return body::json(StatusCode::BAD_REQUEST, error.render(Some(id)));
        }
        let Some(params) = &message.params else { return invalid(id, "`params.taskId` names no task") };
        let Some(name) = params.task_id() else { return invalid(id, "`params.taskId` names no task") };
        let Some((source, own)) = self.open_task(guest, &name) else {
            return invalid(id, "there is no such task");
        };
        // A task is a tool's: if none of the source is published any more, neither are its tasks.
        let tool = guest.table.tools.iter().find(|tool| tool.source == source);
        let Some(source_name) = tool.map(|tool| tool.source_name.clone()) else {
            return invalid(id, "there is no such task");
        };
        let tenant = guest.table.preset.tenant;
        let failed = |text: String| {
            let error = ErrorObject::new(codes::INTERNAL, text);
            body::message(guest.accepts, error.render(Some(id)))
        };
        let caller = guest.permit.caller().member().map(|member| member.user);
        let link = match self.0.sources.way(tenant, source, caller).await {
            Ok(way) => way.link,
            Err(error) => return failed(words::source(&source_name, &error)),
        };
        let edits = Edits { name: Some(("taskId", &own)), ..Edits::default() };
        let request = upstream::Call {
            method: method.as_str(),
            params: params::for_source(&guest.request.body, params, edits),
            name: Some(own.clone()),
            param_headers: Vec::new(),
            progress: false,
            log_level: None,
            timeout: self.call_timeout(),
            partition: capabilities.can_be_asked().then(|| partition(guest)),
            capabilities: capabilities.clone(),
        };
        let reply = match link.call(request).await {
            Ok(answer) => answer.finish().await,
            Err(error) => Err(error),
        };
        self.0.sources.note(tenant, source, reply.as_ref().map(|_| ()));
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return failed(words::upstream(&source_name, &error)),
        };
        let result = match &reply.body {
            ReplyBody::Result(result) => result,
            ReplyBody::Error(error) => {
                let revision = Revision::LATEST;
                let answer = match translate::error_for(revision, raw(error)) {
                    Some(error) => relay(id, Raw::checked(&error)),
                    None => {
                        return failed(
                            "The data source and this gateway did not understand each other.".into(),
                        );
                    }
                };
                return body::message(guest.accepts, answer);
            }
        };
        if let Some(required) = not_declared(&capabilities, raw(result)) {
            let error = ErrorObject::missing_capability(required);
            return body::json(StatusCode::BAD_REQUEST, error.render(Some(id)));
        }
        let exposed = guest.table.exposed_message(source, result);
        let result = exposed.as_deref().map_or(raw(result), Raw::checked);
        let result = match result.member("taskId") {
            Some(_) => edit::set_member(result, "taskId", &write::quoted(&name)),
            None => result.get().to_owned(),
        };
        let latest = Revision::LATEST;
        match translate::result_end(method, latest, reply.revision, id, &result.into(), CacheScope::Private) {
            CallEnd::Complete { answer, .. } => body::message(guest.accepts, answer),
            CallEnd::InputRequired | CallEnd::Task | CallEnd::Other(_) => {
                failed("The data source answered with something that is no task.".to_owned())
            }
        }
    }

    /// Returns the source of a task and its own name for it; `None` if it is none of this caller's.
    pub(super) fn open_task(&self, guest: &Guest<'_>, name: &str) -> Option<(SourceId, String)> {
        let bound = bound(&guest.permit);
        let opened = self.0.sealer.open(&bound, name, self.0.clock.now()).ok()?;
        let [own] = opened.fields.as_slice() else { return None };
        let is_published = guest.table.sources().contains(&opened.source);
        Some((opened.source, String::from_utf8(own.clone()).ok()?)).filter(|_| is_published)
    }
}

/// Returns a result that begins a task with the name the caller knows it by; `None` if it has none.
pub(super) fn outward(
    proxy: &Proxy,
    permit: &CallPermit,
    source: SourceId,
    result: Raw<'_>,
) -> Option<String> {
    let own = result.member("taskId")?.as_str()?;
    let name = proxy.0.sealer.seal_name(&bound(permit), source, &[own.as_bytes()]).ok()?;
    Some(edit::set_member(result, "taskId", &write::quoted(&name)))
}

fn bound(permit: &CallPermit) -> Bound<'_> {
    Bound {
        purpose: Purpose::Task,
        caller: permit.caller(),
        preset: permit.preset(),
        method: "",
        subject: "",
        digest: "",
    }
}

/// Returns what the caller would have had to declare for what a task asks, as JSON.
fn not_declared(capabilities: &Capabilities, task: Raw<'_>) -> Option<String> {
    task.member("inputRequests")?;
    let asked = InputRequired::read(task).ok()?;
    asked.questions.iter().find_map(|question| capabilities.missing_for(question.ask, question.params))
}

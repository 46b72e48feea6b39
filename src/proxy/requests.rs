//! Requests that a source answers: tools, resources, prompts, completions. Each is found its place
//! here; what is done there is the same for all of them, and in `run.rs`.

use std::{borrow::Cow, sync::Arc};

use http::StatusCode;

use crate::{
    mcp::{
        ErrorObject, Message, Method, Params, Raw, Reference, Revision, codes, edit, trace::Traceparent,
        write,
    },
    model::{Action, Era, Outcome},
    proxy::{
        Guest, Proxy, ProxyAnswer,
        answer::{Refusal, unavailable},
        body,
        ledger::{Facts, Ledger},
        params::Edits,
        run::Errand,
        session::Session,
        words,
    },
};

/// Who asks, beyond what the request itself says.
pub(super) struct Client<'a> {
    pub(super) revision: Revision,
    /// What its program calls itself.
    pub(super) name: &'a str,
    /// The session of a legacy caller.
    pub(super) session: Option<&'a Arc<Session>>,
    /// The trace that the request says it belongs to.
    pub(super) trace: Option<Traceparent>,
}

impl Proxy {
    /// Answers one tool call. Whatever happens from the moment the tool's name is known is written
    /// down once, by the ledger.
    pub(super) async fn call_tool(
        &self,
        guest: &Guest<'_>,
        message: &Message<'_>,
        id: Raw<'_>,
        client: &Client<'_>,
    ) -> ProxyAnswer {
        let params = message.params.as_ref();
        let arguments = params.and_then(|params| params.arguments);
        let Some(tool) = params.and_then(|params| params.name).and_then(Raw::as_str) else {
            return invalid(id, "`params.name` is not the name of a tool");
        };
        let mut ledger = match self.open(guest, client, id, Action::ToolCall, &tool, arguments).await {
            Ok(ledger) => ledger,
            Err(refusal) => return *refusal,
        };
        let Some(route) = guest.table.route(&tool) else {
            ledger.close(Outcome::Caller, "there is no such tool in the preset");
            return invalid(id, format!("there is no tool `{}`", words::shown(&tool)));
        };
        let errand = Errand::to(&mut ledger, Method::ToolsCall, route.source, &route.source_name);
        if client.revision.era() == Era::Modern
            && let Err(error) = route.exposed.param_headers.check(guest.request.headers, arguments)
        {
            ledger.close(Outcome::Caller, error.to_string());
            let code = codes::HEADER_MISMATCH;
            return body::protocol_error(StatusCode::BAD_REQUEST, Some(id), code, error.to_string());
        }
        let errand = Errand {
            name: Some(route.tool_name.to_string()),
            edits: Edits { name: Some(("name", &route.tool_name)), ..Edits::default() },
            param_headers: route.exposed.param_headers.for_arguments(arguments),
            tool: Some(route),
            ..errand
        };
        self.run(guest, message, id, client, ledger, errand).await
    }

    /// Reads one resource.
    pub(super) async fn read_resource(
        &self,
        guest: &Guest<'_>,
        message: &Message<'_>,
        id: Raw<'_>,
        client: &Client<'_>,
    ) -> ProxyAnswer {
        let Some(uri) = message.params.as_ref().and_then(Params::uri) else {
            return invalid(id, "`params.uri` is not the address of a resource");
        };
        let mut ledger = match self.open(guest, client, id, Action::ResourceRead, &uri, None).await {
            Ok(ledger) => ledger,
            Err(refusal) => return *refusal,
        };
        let Some(route) = guest.table.resource(&uri) else {
            ledger.close(Outcome::Caller, "there is no such resource in the preset");
            return no_resource(id, client.revision, &uri);
        };
        let own = route.uri.into_owned();
        let errand = Errand {
            name: Some(own.clone()),
            edits: Edits { name: Some(("uri", &own)), ..Edits::default() },
            ..Errand::to(&mut ledger, Method::ResourcesRead, route.source, route.source_name)
        };
        self.run(guest, message, id, client, ledger, errand).await
    }

    /// Fills in one prompt.
    pub(super) async fn get_prompt(
        &self,
        guest: &Guest<'_>,
        message: &Message<'_>,
        id: Raw<'_>,
        client: &Client<'_>,
    ) -> ProxyAnswer {
        let params = message.params.as_ref();
        let Some(name) = params.and_then(|params| params.name).and_then(Raw::as_str) else {
            return invalid(id, "`params.name` is not the name of a prompt");
        };
        let arguments = params.and_then(|params| params.arguments);
        let mut ledger = match self.open(guest, client, id, Action::PromptGet, &name, arguments).await {
            Ok(ledger) => ledger,
            Err(refusal) => return *refusal,
        };
        let Some(route) = guest.table.prompt(&name) else {
            ledger.close(Outcome::Caller, "there is no such prompt in the preset");
            return invalid(id, format!("there is no prompt `{}`", words::shown(&name)));
        };
        let errand = Errand {
            name: Some(route.prompt_name.to_string()),
            edits: Edits { name: Some(("name", &route.prompt_name)), ..Edits::default() },
            ..Errand::to(&mut ledger, Method::PromptsGet, route.source, &route.source_name)
        };
        self.run(guest, message, id, client, ledger, errand).await
    }

    /// Suggests values for an argument of a prompt or a resource template.
    pub(super) async fn complete(
        &self,
        guest: &Guest<'_>,
        message: &Message<'_>,
        id: Raw<'_>,
        client: &Client<'_>,
    ) -> ProxyAnswer {
        let params = message.params.as_ref();
        let (Some(reference), Some(raw)) =
            (params.and_then(Params::reference), params.and_then(|params| params.member("ref")))
        else {
            return invalid(id, "`params.ref` is neither a prompt nor a resource template");
        };
        let subject = match &reference {
            Reference::Prompt(name) => name,
            Reference::Template(template) => template,
        };
        let mut ledger = match self.open(guest, client, id, Action::Completion, subject, None).await {
            Ok(ledger) => ledger,
            Err(refusal) => return *refusal,
        };
        let found = match &reference {
            Reference::Prompt(name) => guest
                .table
                .prompt(name)
                .map(|route| (route.source, &route.source_name, "name", Cow::Borrowed(&*route.prompt_name))),
            Reference::Template(template) => guest
                .table
                .resource_ref(template)
                .map(|route| (route.source, route.source_name, "uri", route.uri)),
        };
        let Some((source, source_name, member, own)) = found else {
            ledger.close(Outcome::Caller, "there is no such prompt or template in the preset");
            return invalid(id, format!("there is no prompt or template `{}`", words::shown(subject)));
        };
        let is_same = **subject == *own;
        let reference = (!is_same).then(|| edit::set_member(raw, member, &write::quoted(&own)));
        let errand = Errand {
            edits: Edits { reference: reference.as_deref(), ..Edits::default() },
            ..Errand::to(&mut ledger, Method::Complete, source, source_name)
        };
        self.run(guest, message, id, client, ledger, errand).await
    }

    /// Opens the entry of a request in the audit log; refuses the request if there is no room for it.
    async fn open(
        &self,
        guest: &Guest<'_>,
        client: &Client<'_>,
        id: Raw<'_>,
        action: Action,
        subject: &str,
        arguments: Option<Raw<'_>>,
    ) -> Result<Ledger, Refusal> {
        if self.0.audit.admit().await.is_err() {
            return Err(Box::new(unavailable(Some(id))));
        }
        let facts = Facts {
            begun: guest.begun,
            address: guest.request.address,
            request_id: guest.request.request_id,
            request_bytes: guest.request.body.len(),
            client: client.name,
            revision: client.revision,
            action,
            subject,
            arguments,
            trace: client.trace,
        };
        Ok(Ledger::open(&self.0.audit, &self.0.clock, &guest.permit, &guest.table, &facts))
    }
}

pub(super) fn invalid(id: Raw<'_>, text: impl Into<Cow<'static, str>>) -> ProxyAnswer {
    body::protocol_error(StatusCode::OK, Some(id), codes::INVALID_PARAMS, text)
}

/// Says that there is no such resource, as each era says it.
pub(super) fn no_resource(id: Raw<'_>, revision: Revision, uri: &str) -> ProxyAnswer {
    let code = match revision.era() {
        Era::Modern => codes::INVALID_PARAMS,
        Era::Legacy => codes::LEGACY_RESOURCE_NOT_FOUND,
    };
    let mut error = ErrorObject::new(code, "there is no such resource");
    error.data = Some(format!(r#"{{"uri":{}}}"#, write::quoted(&words::shown(uri))));
    body::json(StatusCode::OK, error.render(Some(id)))
}

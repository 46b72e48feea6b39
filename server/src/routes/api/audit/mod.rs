//! `/api/v1/audit`: what happened in the caller's organisation, searched and exported.

pub(in crate::routes) mod export;
pub(in crate::routes) mod proof;

use axum::{Json, extract::State};
use doorward::{
    audit::PAGE_MAX as EVENTS_MAX,
    clock::Ms,
    model::{Action, ApiKeyId, EventId, Handle, Member, Outcome, PresetId, RunEvent, SourceId, UserId},
    policy::{self, AuditPermit},
    store::EventFilter,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Asked, Id, Page, page_limit, time};
use crate::{
    respond::{Problem, ProblemBody, ProblemKind},
    routes::caller::Caller,
    state::AppState,
};

/// One thing that happened. What is empty is left out.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct EventBody {
    #[schema(value_type = String, format = "uuid")]
    id: EventId,
    at: String,
    action: &'static str,
    outcome: &'static str,
    /// Why it ended so, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    #[schema(value_type = Option<String>, format = "uuid")]
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserId>,
    /// The handle of who did it at the time, or `anonymous`.
    #[serde(skip_serializing_if = "String::is_empty")]
    principal: String,
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<ApiKeyId>,
    /// The IP address it came from.
    #[serde(skip_serializing_if = "String::is_empty")]
    address: String,
    /// What the calling program calls itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    client: String,
    /// The revision of MCP spoken.
    #[serde(skip_serializing_if = "String::is_empty")]
    revision: String,
    #[schema(value_type = Option<String>, format = "uuid")]
    #[serde(skip_serializing_if = "Option::is_none")]
    preset: Option<PresetId>,
    #[serde(skip_serializing_if = "String::is_empty")]
    preset_slug: String,
    #[schema(value_type = Option<String>, format = "uuid")]
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<SourceId>,
    #[serde(skip_serializing_if = "String::is_empty")]
    source_name: String,
    /// The tool by its exposed name, or the thing changed.
    #[serde(skip_serializing_if = "String::is_empty")]
    subject: String,
    /// In microseconds.
    duration_us: i64,
    /// The size of the request's body.
    request_bytes: i64,
    /// The size of the answer's body.
    response_bytes: i64,
    /// SHA-256 of the arguments as sent, as hexadecimal.
    #[serde(skip_serializing_if = "String::is_empty")]
    argument_digest: String,
    /// As in the logs.
    #[serde(skip_serializing_if = "String::is_empty")]
    request_id: String,
}

impl From<RunEvent> for EventBody {
    fn from(event: RunEvent) -> Self {
        Self {
            id: event.id,
            at: time(event.at),
            action: event.action.word(),
            outcome: event.outcome.word(),
            reason: event.reason,
            user: event.user,
            principal: event.principal,
            key: event.key,
            address: event.address,
            client: event.client,
            revision: event.revision,
            preset: event.preset,
            preset_slug: event.preset_slug,
            source: event.source,
            source_name: event.source_name,
            subject: event.subject,
            duration_us: event.duration_us,
            request_bytes: event.request_bytes,
            response_bytes: event.response_bytes,
            argument_digest: event.argument_digest,
            request_id: event.request_id,
        }
    }
}

/// Which events are asked for; each member narrows.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct EventsQuery {
    /// In the organisation of this handle, for auditors of the instance; absent = in the one acted in.
    #[param(value_type = Option<String>)]
    organisation: Option<Handle>,
    /// From this time on, as in `2026-11-21T06:30:00Z`.
    from: Option<String>,
    /// Before this time.
    to: Option<String>,
    /// By whoever had this handle at the time; `anonymous` for nobody.
    principal: Option<String>,
    /// On the preset of this id.
    preset: Option<String>,
    /// On this tool or thing, by its exact name.
    tool: Option<String>,
    /// Of this kind, such as `tool_call`.
    action: Option<String>,
    /// That ended so, such as `ok`.
    outcome: Option<String>,
    /// With this text in any column of text, in any case.
    text: Option<String>,
    /// How many events: a page has from 1 to 200, 50 if absent; an export all that match if absent.
    limit: Option<usize>,
    /// The `next` of the page before; an export begins with the event after it.
    after: Option<String>,
}

impl EventsQuery {
    /// Says whose events these are, and that the caller may read them.
    async fn permit(&self, state: &AppState, member: &Member) -> Result<AuditPermit, Problem> {
        match &self.organisation {
            Some(organisation) => Ok(state.engine().orgs.audit(member, organisation).await?),
            None => Ok(policy::may_audit(member)?),
        }
    }

    /// Returns the filter, for pages of this size.
    fn filter(&self, limit: usize) -> Result<EventFilter, Problem> {
        let wrong =
            |name: &str, right: String| Problem::new(ProblemKind::BadRequest, format!("`{name}` is {right}"));
        let preset = self.preset.as_ref().map(|id| id.parse::<PresetId>()).transpose();
        let before = self.after.as_ref().map(|id| id.parse::<EventId>()).transpose();
        Ok(EventFilter {
            from: read_time("from", &self.from)?,
            to: read_time("to", &self.to)?,
            user: None,
            principal: self.principal.clone(),
            preset: preset.map_err(|_| wrong("preset", "the id of a preset".to_owned()))?,
            tool: self.tool.clone(),
            outcome: word(&self.outcome, Outcome::from_word)
                .map_err(|()| wrong("outcome", one_of(Outcome::ALL.iter().map(|known| known.word()))))?,
            action: word(&self.action, Action::from_word)
                .map_err(|()| wrong("action", one_of(Action::ALL.iter().map(|known| known.word()))))?,
            text: self.text.clone(),
            before: before.map_err(|_| wrong("after", "the `next` of a page".to_owned()))?,
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
        })
    }
}

/// Reads a time of the query.
fn read_time(name: &str, text: &Option<String>) -> Result<Option<Ms>, Problem> {
    let wrong = || {
        let right = format!("`{name}` is a time in UTC, as in `2026-11-21T06:30:00Z`");
        Problem::new(ProblemKind::BadRequest, right)
    };
    text.as_deref().map(|text| Ms::parse(text).ok_or_else(wrong)).transpose()
}

fn word<T>(asked: &Option<String>, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, ()> {
    asked.as_deref().map(|asked| read(asked).ok_or(())).transpose()
}

fn one_of(words: impl Iterator<Item = &'static str>) -> String {
    let words: Vec<_> = words.map(|word| format!("`{word}`")).collect();
    format!("one of {}", words.join(", "))
}

/// Lists what happened in the caller's organisation, the newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(EventsQuery),
    responses((status = 200, body = Page<EventBody>), (status = 400, body = ProblemBody),
        (status = 401, body = ProblemBody), (status = 403, body = ProblemBody)))]
pub(in crate::routes) async fn list(
    State(state): State<AppState>,
    Caller(member): Caller,
    Asked(query): Asked<EventsQuery>,
) -> Result<Json<Page<EventBody>>, Problem> {
    let permit = query.permit(&state, &member).await?;
    let limit = page_limit(query.limit, EVENTS_MAX)?;
    // One more tells whether there is another page.
    let events = state.engine().audit.search_by(&permit, &query.filter(limit + 1)?).await?;
    Ok(Json(Page::of(events, limit, |event| event.id.to_string())))
}

/// Returns one thing that happened in the caller's organisation.
#[utoipa::path(get, path = "/api/v1/audit/{id}", tag = "audit",
    params(("id" = String, Path, description = "the event")),
    responses((status = 200, body = EventBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn read(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<EventId>,
) -> Result<Json<EventBody>, Problem> {
    let event = state.engine().audit.find(&policy::may_audit(&member)?, id).await?;
    Ok(Json(event.ok_or_else(|| Problem::new(ProblemKind::NotFound, ""))?.into()))
}

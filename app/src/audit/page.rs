//! The audit log's pages: the list with its filters, and one event.

use doorward::{
    model::{Action, EventId, Handle, Outcome, RunEvent},
    policy::{self, AuditPermit},
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::{
    query::{PAGE, Query, SPANS},
    row::{outcome, sentence},
};
use crate::{
    context::console,
    form::encode,
    island::LiveTail,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{Ago, Badge, Column, Empty, Fact, Facts, Icon, Pages, Panel, Table, bytes, duration_us, now},
};

/// Draws the list.
pub(crate) fn page() -> AnyView {
    let query = use_query_map().with_untracked(Query::read);
    framed(Place::Audit, move |visit| load(visit, query))
}

async fn load(visit: Visit, query: Query) -> Result<Page, Trouble> {
    let console = console();
    let permit = permit(&visit, &query.organisation).await?;
    let mut events = console.audit.search_by(&permit, &query.filter(now())).await?;
    let presets = console.presets.list(&visit.member).await?;
    let presets =
        presets.into_iter().map(|item| (item.preset.id.to_string(), item.preset.slug.to_string())).collect();
    let more = events.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
    if more {
        events.pop();
    }
    let older =
        events.last().filter(|_| more).map(|last| Query { before: last.id.to_string(), ..query.clone() });
    let audits = policy::is_auditor(&visit.member).is_ok();
    Ok(Page::new("Audit", draw(events, query, older, presets, audits))
        .lead("Every call, sign-in and change: who, what, from where, with which outcome. Never arguments or results."))
}

fn draw(
    events: Vec<RunEvent>,
    query: Query,
    older: Option<Query>,
    presets: Vec<(String, String)>,
    audits: bool,
) -> impl IntoView {
    let newest = (!query.before.is_empty()).then(|| Query { before: String::new(), ..query.clone() }.path());
    let exports = [("CSV", query.export("csv", now())), ("JSON lines", query.export("jsonl", now()))];
    let exports = exports.map(|(name, path)| {
        view! { <a class="button" href=path download="">{name}</a> }
    });
    let any = !events.is_empty();
    let live = query.before.is_empty() && !query.narrows();
    let body = if events.is_empty() {
        let (title, text) = if query.narrows() {
            ("Nothing matches", "No event that is kept fits all of these filters.")
        } else {
            ("Nothing has happened yet", "The first sign-in, change or call will stand here.")
        };
        view! { <Empty icon=Icon::Audit title text/> }.into_any()
    } else {
        let rows = events.iter().map(|event| row(event, &query.organisation)).collect_view();
        let columns = vec![
            Column::text("Time"),
            Column::text("Who").wide(),
            Column::text("What"),
            Column::text("Preset").wide(),
            Column::text("Outcome"),
            Column::number("Duration").wide(),
        ];
        view! { <Table caption="Events, newest first" columns>{rows}</Table> }.into_any()
    };
    view! {
        <div class="grid grid-cols-1 gap-5">
            {filters(&query, presets, audits)}
            {live.then(|| view! { <LiveTail rows=8/> })}
            {body}
            <Pages newest older=older.map(|query| query.path())/>
            {any.then(|| view! {
                <div class="flex flex-wrap items-center gap-2 text-[13px]">
                    <span class="text-muted">"Everything that matches, as a file:"</span>
                    {exports}
                </div>
            })}
        </div>
    }
}

fn row(event: &RunEvent, organisation: &str) -> impl IntoView + use<> {
    let (tone, word) = outcome(event.outcome);
    let path = match organisation {
        "" => format!("/audit/{}", event.id),
        organisation => format!("/audit/{}?organisation={}", event.id, encode(organisation)),
    };
    view! {
        <tr>
            <td><a class="link" href=path><Ago at=event.at/></a></td>
            <td class="hidden sm:table-cell">{event.principal.clone()}</td>
            <td class="max-w-40 truncate sm:max-w-xs" title=event.reason.clone()>{sentence(event)}</td>
            <td class="hidden sm:table-cell">{event.preset_slug.clone()}</td>
            <td><Badge tone word/></td>
            <td class="number hidden sm:table-cell">{(event.action.is_call()).then(|| duration_us(event.duration_us))}</td>
        </tr>
    }
}

/// The filters, as a form that is sent by GET: the address says what is shown.
fn filters(query: &Query, presets: Vec<(String, String)>, audits: bool) -> impl IntoView + use<> {
    let spans = SPANS.iter().map(|(word, label, _)| ((*word).to_owned(), (*label).to_owned())).collect();
    let actions = Action::ALL
        .iter()
        .map(|action| (action.word().to_owned(), action.word().replace('_', " ")))
        .collect();
    let outcomes =
        Outcome::ALL.iter().map(|known| (known.word().to_owned(), outcome(*known).1.to_owned())).collect();
    view! {
        <form class="panel grid grid-cols-2 gap-3 p-4 lg:grid-cols-4" method="get" action="/audit" role="search">
            {audits.then(|| typed("organisation", "Organisation", &query.organisation, "handle; empty is where you act"))}
            {pick("span", "Time", &query.span, spans)}
            {pick("preset", "Preset", &query.preset, presets)}
            {pick("action", "Action", &query.action, actions)}
            {pick("outcome", "Outcome", &query.outcome, outcomes)}
            {typed("principal", "Who", &query.principal, "handle or anonymous")}
            {typed("tool", "Tool or thing", &query.tool, "exact name")}
            {typed("text", "Text", &query.text, "in any column")}
            <div class="flex items-end gap-2">
                <button class="button button-primary" type="submit">"Show"</button>
                {query.narrows().then(|| view! { <a class="button" href="/audit">"Clear"</a> })}
            </div>
        </form>
    }
}

fn pick(
    name: &'static str,
    label: &'static str,
    chosen: &str,
    options: Vec<(String, String)>,
) -> impl IntoView + use<> {
    let options = options
        .into_iter()
        .map(|(value, label)| {
            let selected = value == chosen;
            view! { <option value=value selected=selected>{label}</option> }
        })
        .collect_view();
    view! {
        <div class="field text-[13px]">
            <label class="text-muted" for=name>{label}</label>
            <select id=name name=name>
                <option value="">"Any"</option>
                {options}
            </select>
        </div>
    }
}

fn typed(name: &'static str, label: &'static str, value: &str, hint: &'static str) -> impl IntoView + use<> {
    view! {
        <div class="field text-[13px]">
            <label class="text-muted" for=name>{label}</label>
            <input id=name type="search" name=name value=value.to_owned() placeholder=hint/>
        </div>
    }
}

/// Draws one event.
pub(crate) fn event() -> AnyView {
    let id = use_params_map().with_untracked(|map| map.get("id").unwrap_or_default());
    let organisation = use_query_map().with_untracked(|map| map.get("organisation").unwrap_or_default());
    framed(Place::Audit, move |visit| load_event(visit, id, organisation))
}

/// Says whose events whoever looks may read: of the organisation they act in, or, as an auditor, of the one named.
async fn permit(visit: &Visit, organisation: &str) -> Result<AuditPermit, Trouble> {
    if organisation.is_empty() {
        return Ok(policy::may_audit(&visit.member)?);
    }
    let handle = Handle::parse(organisation).map_err(|_| Trouble::NotFound)?;
    Ok(console().orgs.audit(&visit.member, &handle).await?)
}

async fn load_event(visit: Visit, id: String, organisation: String) -> Result<Page, Trouble> {
    let id: EventId = id.parse().map_err(|_| Trouble::NotFound)?;
    let permit = permit(&visit, &organisation).await?;
    let event = console().audit.find(&permit, id).await?.ok_or(Trouble::NotFound)?;
    let title = format!("{} {}", event.principal, sentence(&event));
    Ok(Page::new(title, details(&event)).above("/audit", "Audit"))
}

fn details(event: &RunEvent) -> impl IntoView + use<> {
    let (tone, word) = outcome(event.outcome);
    let at = event.at;
    let exact = at.to_string().replace('T', " ").replace('Z', " UTC");
    let called = event.action.is_call();
    let of_a_call = |text: String| if called { text } else { String::new() };
    let rows = [
        ("Reason", event.reason.clone()),
        ("Who", event.principal.clone()),
        ("API key", event.key.map(|key| key.to_string()).unwrap_or_default()),
        ("From", event.address.clone()),
        ("Client", event.client.clone()),
        ("Protocol revision", event.revision.clone()),
        ("Preset", event.preset_slug.clone()),
        ("Source", event.source_name.clone()),
        (if called { "Tool" } else { "Thing" }, event.subject.clone()),
        ("Duration", of_a_call(duration_us(event.duration_us))),
        ("Request", of_a_call(bytes(event.request_bytes))),
        ("Answer", of_a_call(bytes(event.response_bytes))),
        ("Digest of the arguments", event.argument_digest.clone()),
        ("Request id", event.request_id.clone()),
        ("Event", event.id.to_string()),
    ];
    let rows = rows
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(term, value)| view! { <Fact term><span class="break-all">{value}</span></Fact> })
        .collect_view();
    view! {
        <Panel title="What happened">
            <Facts>
                <Fact term="Outcome"><Badge tone word/></Fact>
                <Fact term="Time">{exact} " (" <Ago at/> ")"</Fact>
                {rows}
            </Facts>
        </Panel>
    }
}

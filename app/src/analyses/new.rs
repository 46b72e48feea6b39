//! Beginning an analysis: the source, then one of its applications.

use doorward::{
    fault::told,
    insights::{AnalysisError, AnalysisUsage},
    model::{ReportedApplication, Source, SourceId},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{
    api::{BEGIN, BEGIN_FORM},
    usage,
    words::long,
};
use crate::{
    context::console,
    form::Form,
    island::FilterBox,
    page::{Page, Place, Visit, page as framed},
    trouble::{Trouble, sentence},
    ui::{Ago, Empty, Field, FormMistake, Icon, Notice, Panel, Tone, prose},
};

/// The most applications listed; an id can be typed in any case.
const LISTED_MAX: usize = 100;

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let wanted =
        use_query_map().with_untracked(|map| map.get("source").and_then(|id| id.parse::<SourceId>().ok()));
    framed(Place::Analyses, move |visit| load(visit, wanted))
}

async fn load(visit: Visit, wanted: Option<SourceId>) -> Result<Page, Trouble> {
    let console = console();
    let sources = console.analyses.sources(&visit.member).await?;
    let used = console.analyses.usage(&visit.member).await?;
    let page = |body: AnyView| {
        Page::new("New analysis", body)
            .lead("Everything is read from the source at once, within a minute. It goes on when you leave the page.")
            .above("/analyses", "Analyses")
    };
    if sources.is_empty() {
        return Ok(page(without_source().into_any()));
    }
    let chosen = match (wanted, sources.as_slice()) {
        (Some(id), _) => sources.iter().find(|source| source.id == id),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let unknown = (wanted.is_some() && chosen.is_none()).then(|| {
        view! {
            <Notice tone=Tone::Warn>
                <p>"That data source is not there, is switched off, or has nothing that an analysis could be made of."</p>
            </Notice>
        }
    });
    let applications = match chosen {
        None => None,
        Some(source) => Some(ask(&visit, source.id).await?),
    };
    let form = visit.form(BEGIN_FORM);
    let may = usage::may_begin(&visit.member) && usage::stops(&used).is_none();
    let chosen_part = chosen.zip(applications).map(|(source, applications)| {
        view! {
            {listed(source, applications, may)}
            {typed(source, form.clone(), may)}
        }
    });
    let body = view! {
        <div class="grid grid-cols-1 gap-6">
            {plan(&used)}
            {unknown}
            <FormMistake form=form.clone()/>
            {(sources.len() > 1 || chosen.is_none()).then(|| choice(&sources, chosen))}
            {chosen_part}
        </div>
    };
    Ok(page(body.into_any()))
}

fn plan(used: &AnalysisUsage) -> impl IntoView + use<> {
    view! { {usage::line(used)} {usage::notice(used)} }
}

/// Asks the source for its applications; the sentence says why there is no list.
async fn ask(visit: &Visit, source: SourceId) -> Result<Result<Vec<ReportedApplication>, String>, Trouble> {
    match console().analyses.applications(&visit.member, source).await {
        Ok(applications) => Ok(Ok(applications)),
        Err(error @ (AnalysisError::NotFound | AnalysisError::Denied(_) | AnalysisError::Store(_))) => {
            Err(error.into())
        }
        Err(error) => Ok(Err(sentence(&told(&error)))),
    }
}

fn without_source() -> impl IntoView {
    view! {
        <Empty
            icon=Icon::Plug
            title="No data source that can be analysed yet"
            text="Add a Spark History Server, or an MCP server with the tools of one. Its applications can then be analysed."
        >
            <a class="button button-primary" href="/sources/new">{Icon::Plus.draw()} "Add a data source"</a>
        </Empty>
    }
}

/// Which source; the list of applications comes with the next page.
fn choice(sources: &[Source], chosen: Option<&Source>) -> impl IntoView + use<> {
    let options = sources
        .iter()
        .map(|source| {
            let selected = chosen.is_some_and(|chosen| chosen.id == source.id);
            view! { <option value=source.id.to_string() selected=selected>{source.name.to_string()}</option> }
        })
        .collect_view();
    view! {
        <form class="flex max-w-xl flex-wrap items-end gap-3" method="get" action="/analyses/new">
            <div class="field min-w-0 flex-1 basis-56">
                <label for="source">"Data source"</label>
                <select id="source" name="source">{options}</select>
            </div>
            <button class="button" type="submit">"List its applications"</button>
        </form>
    }
}

fn listed(source: &Source, applications: Result<Vec<ReportedApplication>, String>, may: bool) -> AnyView {
    let title = format!("Applications of {}", source.name);
    let applications = match applications {
        Ok(applications) => applications,
        Err(why) => {
            let path = format!("/sources/{}", source.id);
            return view! {
                <Notice tone=Tone::Bad>
                    <p class="font-medium">"The data source did not say which applications it knows."</p>
                    <p class="break-words">{prose(&why)}</p>
                    <p><a href=path>"Test the data source"</a>", or type the application's id below."</p>
                </Notice>
            }
            .into_any();
        }
    };
    if applications.is_empty() {
        return view! {
            <Panel title=title>
                <p class="text-muted">"It knows none. An application stands here once its event log has been read."</p>
            </Panel>
        }
        .into_any();
    }
    let more = applications.len().saturating_sub(LISTED_MAX);
    let id = source.id;
    let rows = applications.into_iter().take(LISTED_MAX).map(|app| row(id, app, may)).collect_view();
    view! {
        <section class="grid grid-cols-1 gap-3">
            <div class="flex flex-wrap items-end justify-between gap-3">
                <h2>{title}</h2>
                <FilterBox label="Filter the list".to_owned()/>
            </div>
            <ul class="panel divide-y divide-line">{rows}</ul>
            {(more > 0).then(|| view! { <p class="text-[13px] text-muted">{format!("{more} more are not listed: type the id below.")}</p> })}
        </section>
    }
    .into_any()
}

fn row(source: SourceId, app: ReportedApplication, may: bool) -> impl IntoView {
    let name = if app.name.is_empty() { app.id.clone() } else { app.name.clone() };
    let held = format!("{name} {} {}", app.id, app.user).to_lowercase();
    let took = app.ended_at_ms - app.begun_at_ms;
    let duration = match (app.is_completed, app.begun_at_ms > 0 && took >= 0) {
        (true, true) => format!("took {}", long(took as f64)),
        (true, false) => String::new(),
        (false, _) => "without an end so far".to_owned(),
    };
    let runs = (app.attempts > 1).then(|| format!("{} runs, of which the last is read", app.attempts));
    let label = format!("Analyze {name} ({})", app.id);
    view! {
        <li class="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-2.5" data-filter=held>
            <div class="min-w-0 flex-1 basis-56">
                <p class="font-medium break-words">{name}</p>
                <p class="flex flex-wrap gap-x-3 text-[13px] text-muted">
                    <code class="break-all">{app.id.clone()}</code>
                    {(app.begun_at_ms > 0).then(|| view! { <Ago at=doorward::clock::Ms(app.begun_at_ms)/> })}
                    {(!duration.is_empty()).then(|| view! { <span>{duration}</span> })}
                    {(!app.user.is_empty()).then(|| view! { <span>{format!("by {}", app.user)}</span> })}
                    {runs.map(|runs| view! { <span>{runs}</span> })}
                </p>
            </div>
            <form method="post" action=BEGIN class="contents">
                <input type="hidden" name="source" value=source.to_string()/>
                <input type="hidden" name="app_id" value=app.id/>
                <button class="button button-small" type="submit" aria-label=label disabled=!may>{Icon::Play.draw()} "Analyze"</button>
            </form>
        </li>
    }
}

fn typed(source: &Source, form: Form, may: bool) -> impl IntoView + use<> {
    let source = source.id.to_string();
    view! {
        <Panel title="By its id" lead="For an application that is not listed, or for another run than its last.">
            <form class="grid max-w-xl gap-5" method="post" action=BEGIN>
                <input type="hidden" name="source" value=source/>
                <Field
                    form=form.clone()
                    name="app_id"
                    label="Id of the application"
                    placeholder="application_1795233000000_0001"
                    hint="As Spark prints it and the history server lists it."
                    mono=true
                />
                <Field
                    form=form
                    name="attempt"
                    label="Run"
                    placeholder="1"
                    hint="Its number, for applications that ran more than once. Without one the last is read."
                    optional=true
                    mono=true
                />
                <div><button class="button button-primary" type="submit" disabled=!may>{Icon::Play.draw()} "Analyze"</button></div>
            </form>
        </Panel>
    }
}

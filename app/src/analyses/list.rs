//! The list of analyses.

use doorward::{
    insights::AnalysisUsage,
    model::{Analysis, AnalysisState, Source},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{
    query::{PAGE, Query},
    usage,
    words::{state_badge, tally_badges, title},
};
use crate::{
    context::console,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{Ago, Column, Empty, Icon, Pages, Table, prose},
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let query = use_query_map().with_untracked(Query::read);
    framed(Place::Analyses, move |visit| load(visit, query))
}

async fn load(visit: Visit, query: Query) -> Result<Page, Trouble> {
    let console = console();
    let mut analyses = console.analyses.list(&visit.member, &query.filter()).await?;
    let sources = console.analyses.sources(&visit.member).await?;
    let used = console.analyses.usage(&visit.member).await?;
    let more = analyses.len() > PAGE;
    analyses.truncate(PAGE);
    let older = analyses
        .last()
        .filter(|_| more)
        .map(|last| Query { before: last.id.to_string(), ..query.clone() }.path());
    let may_begin = usage::may_begin(&visit.member);
    let begin = (may_begin && !sources.is_empty()).then(|| begin_button(&used));
    let body = view! {
        <div class="grid grid-cols-1 gap-5">
            {usage::line(&used)}
            {may_begin.then(|| usage::notice(&used))}
            {draw(analyses, &query, &sources, older, may_begin)}
        </div>
    };
    Ok(Page::new("Analyses", body)
        .lead("What is wrong with Spark applications and what to change, with the numbers that show it.")
        .actions(begin))
}

/// Draws the way to a new one, which leads nowhere while the plan has no room.
fn begin_button(used: &AnalysisUsage) -> AnyView {
    match usage::stops(used) {
        Some(_) => view! {
            <button class="button button-primary" type="button" disabled>{Icon::Plus.draw()} "New analysis"</button>
        }
        .into_any(),
        None => view! {
            <a class="button button-primary" href="/analyses/new">{Icon::Plus.draw()} "New analysis"</a>
        }
        .into_any(),
    }
}

fn draw(
    analyses: Vec<Analysis>,
    query: &Query,
    sources: &[Source],
    older: Option<String>,
    may_begin: bool,
) -> AnyView {
    if analyses.is_empty() && !query.narrows() && query.before.is_empty() {
        return nothing_yet(sources.is_empty(), may_begin);
    }
    let newest = (!query.before.is_empty()).then(|| Query { before: String::new(), ..query.clone() }.path());
    let body = if analyses.is_empty() {
        view! {
            <Empty icon=Icon::Search title="Nothing matches" text="No analysis that is kept fits all of these filters."/>
        }
        .into_any()
    } else {
        let columns = vec![
            Column::text("Application"),
            Column::text("Found"),
            Column::text("Data source").wide(),
            Column::text("By").wide(),
            Column::text("Begun"),
        ];
        let rows = analyses.into_iter().map(row).collect_view();
        view! { <Table caption="Analyses, newest first" columns>{rows}</Table> }.into_any()
    };
    view! {
        {filters(query, sources)}
        {body}
        <Pages newest older/>
    }
    .into_any()
}

fn nothing_yet(without_source: bool, may_begin: bool) -> AnyView {
    let (title, text) = match (without_source, may_begin) {
        (true, _) => (
            "No data source that can be analysed yet",
            "Add a Spark History Server, or an MCP server with the tools of one. Its applications can then be analysed.",
        ),
        (false, true) => (
            "No analyses yet",
            "Choose an application: its jobs, stages, executors and queries are read, and what is wrong is said with numbers.",
        ),
        (false, false) => {
            ("No analyses yet", "As soon as an operator of the organisation begins one, it stands here.")
        }
    };
    view! {
        <Empty icon=Icon::Analysis title text>
            {match (without_source, may_begin) {
                (true, _) => view! {
                    <a class="button button-primary" href="/sources/new">{Icon::Plus.draw()} "Add a data source"</a>
                }.into_any(),
                (false, true) => view! {
                    <a class="button button-primary" href="/analyses/new">{Icon::Plus.draw()} "New analysis"</a>
                }.into_any(),
                (false, false) => ().into_any(),
            }}
        </Empty>
    }
    .into_any()
}

fn row(analysis: Analysis) -> impl IntoView {
    let Analysis { id, state, tally, ref failure, .. } = analysis;
    let attempt = analysis.attempt.clone().map(|attempt| format!("attempt {attempt}"));
    let found = match state {
        AnalysisState::Done => tally_badges(tally),
        AnalysisState::Running | AnalysisState::Failed | AnalysisState::Cancelled => {
            state_badge(state).into_any()
        }
    };
    let why = failure.clone().filter(|_| state == AnalysisState::Failed);
    view! {
        <tr>
            <td class="max-w-40 sm:max-w-64">
                <a class="link font-medium break-words" href=format!("/analyses/{id}")>{title(&analysis)}</a>
                <p class="flex gap-x-2 text-[13px] text-muted">
                    <span class="min-w-0 truncate" title=analysis.app_id.clone()>{analysis.app_id.clone()}</span>
                    {attempt.map(|attempt| view! { <span class="whitespace-nowrap">{attempt}</span> })}
                </p>
            </td>
            <td class="max-w-72">
                <span class="flex flex-wrap gap-1.5">{found}</span>
                {why.map(|why| view! { <p class="mt-1 line-clamp-2 text-[13px] text-muted" title=why.clone()>{prose(&why)}</p> })}
            </td>
            <td class="hidden sm:table-cell">{analysis.source_name.to_string()}</td>
            <td class="hidden sm:table-cell">{analysis.begun_by_handle.clone()}</td>
            <td class="text-muted"><Ago at=analysis.begun_at/></td>
        </tr>
    }
}

/// The filters, as a form that is sent by GET: the address says what is shown.
fn filters(query: &Query, sources: &[Source]) -> impl IntoView + use<> {
    let options = |chosen: &str, picks: Vec<(String, String)>| {
        picks
            .into_iter()
            .map(|(value, label)| {
                let selected = value == chosen;
                view! { <option value=value selected=selected>{label}</option> }
            })
            .collect_view()
    };
    let sources = sources.iter().map(|source| (source.id.to_string(), source.name.to_string())).collect();
    let states = AnalysisState::ALL.iter().map(|state| (state.word().to_owned(), state.word().to_owned()));
    view! {
        <form class="panel grid grid-cols-2 gap-3 p-4 lg:grid-cols-4" method="get" action="/analyses" role="search">
            <div class="field col-span-2 text-[13px] lg:col-span-1">
                <label class="text-muted" for="text">"Text"</label>
                <input id="text" type="search" name="text" value=query.text.clone() placeholder="application, source or person"/>
            </div>
            <div class="field text-[13px]">
                <label class="text-muted" for="source">"Data source"</label>
                <select id="source" name="source"><option value="">"Any"</option>{options(&query.source, sources)}</select>
            </div>
            <div class="field text-[13px]">
                <label class="text-muted" for="state">"State"</label>
                <select id="state" name="state"><option value="">"Any"</option>{options(&query.state, states.collect())}</select>
            </div>
            <div class="flex items-end gap-2">
                <button class="button" type="submit">{Icon::Search.draw()} "Show"</button>
                {query.narrows().then(|| view! { <a class="button button-quiet" href="/analyses">"Clear"</a> })}
            </div>
        </form>
    }
}

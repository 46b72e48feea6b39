//! The metrics page.

use std::collections::HashMap;

use doorward::{
    metrics::{Dashboard, DashboardRow, Summary, Window},
    model::{Member, PresetId, SourceId},
    store::TotalKey,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::query::Query;
use crate::{
    context::console,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{
        Column, Empty, Figure, Icon, Panel, Series, Tab, Table, Tabs, TimeSeries, count, duration_us, now,
        per_cent,
    },
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let query = use_query_map().with_untracked(Query::read);
    framed(Place::Metrics, move |visit| load(visit, query))
}

async fn load(visit: Visit, query: Query) -> Result<Page, Trouble> {
    let console = console();
    let member = &visit.member;
    let dashboard = console.metrics.dashboard(member, query.window, &query.filter, now()).await?;
    let names = Names::load(member).await?;
    Ok(Page::new("Metrics", draw(dashboard, &names, query))
        .lead("Calls through your presets: how many, how many failed, how long they took."))
}

/// What ids are called.
struct Names {
    presets: HashMap<PresetId, String>,
    sources: HashMap<SourceId, String>,
}

impl Names {
    async fn load(member: &Member) -> Result<Self, Trouble> {
        let console = console();
        let presets = console.presets.list(member).await?;
        let sources = console.sources.list(member).await?;
        Ok(Self {
            presets: presets.into_iter().map(|item| (item.preset.id, item.preset.slug.to_string())).collect(),
            sources: sources.into_iter().map(|item| (item.source.id, item.source.name.to_string())).collect(),
        })
    }

    fn preset(&self, id: Option<PresetId>) -> String {
        id.map_or("none".into(), |id| self.presets.get(&id).cloned().unwrap_or("deleted".into()))
    }

    fn source(&self, id: Option<SourceId>) -> String {
        id.map_or("none".into(), |id| self.sources.get(&id).cloned().unwrap_or("deleted".into()))
    }
}

fn draw(dashboard: Dashboard, names: &Names, query: Query) -> impl IntoView + use<> {
    let tabs =
        Window::ALL.iter().map(|window| Tab::new(query.over(*window).path(), label(*window))).collect();
    let body = if dashboard.total.calls == 0 {
        view! {
            <Empty
                icon=Icon::Metrics
                title="No calls in this window"
                text="As soon as an agent calls a tool through one of your presets, its calls, errors and durations stand here."
            >
                <a class="button" href="/presets">"Connect a client to a preset"</a>
            </Empty>
        }
        .into_any()
    } else {
        numbers(dashboard, names, &query).into_any()
    };
    view! {
        <div class="grid grid-cols-1 gap-5">
            <Tabs label="How far back" tabs open=query.path()/>
            {narrowing(names, &query)}
            {body}
        </div>
    }
}

fn numbers(dashboard: Dashboard, names: &Names, query: &Query) -> impl IntoView + use<> {
    let Dashboard { points, total, by_preset, by_tool, by_source, .. } = dashboard;
    let times: Vec<_> = points.iter().map(|(at, _)| *at).collect();
    let later_times = times.clone();
    let line = |name: &str, value: fn(&Summary) -> Option<f64>| Series {
        name: name.to_owned(),
        values: points.iter().map(|(_, summary)| value(summary)).collect(),
    };
    let calls = vec![
        line("Calls", |summary| Some(summary.calls as f64)),
        line("Errors", |summary| Some(summary.errors as f64)),
    ];
    let durations = vec![
        line("p50", |summary| summary.p50_us.map(|us| us as f64)),
        line("p95", |summary| summary.p95_us.map(|us| us as f64)),
        line("p99", |summary| summary.p99_us.map(|us| us as f64)),
    ];
    let duration = |us: Option<i64>| us.map_or("–".into(), duration_us);
    view! {
        <div class="grid grid-cols-2 gap-3 lg:grid-cols-5">
            <Figure term="Calls" value=count(total.calls)/>
            <Figure term="Errors" value=count(total.errors) note=format!("{} of all calls", per_cent(total.errors, total.calls))/>
            <Figure term="p50" value=duration(total.p50_us) note="half took no longer"/>
            <Figure term="p95" value=duration(total.p95_us) note="95 of 100 took no longer"/>
            <Figure term="p99" value=duration(total.p99_us) note=format!("the longest {}", duration_us(total.max_us))/>
        </div>
        <Panel title="Calls and errors">
            <TimeSeries title="Calls and errors over time" times series=calls write=whole filled=true/>
        </Panel>
        <Panel title="Duration">
            <TimeSeries title="Duration of calls over time" times=later_times series=durations write=long/>
        </Panel>
        {table("By preset", "Preset", by_preset, names, query)}
        {table("By tool", "Tool", by_tool, names, query)}
        {table("By source", "Source", by_source, names, query)}
    }
}

fn table(
    title: &str,
    head: &str,
    rows: Vec<DashboardRow>,
    names: &Names,
    query: &Query,
) -> impl IntoView + use<> {
    let rows = rows
        .into_iter()
        .map(|DashboardRow { key, summary }| {
            let (name, narrowed) = match key {
                TotalKey::Preset(id) => (names.preset(id), query.with(|filter| filter.preset = id)),
                TotalKey::Source(id) => (names.source(id), query.with(|filter| filter.source = id)),
                TotalKey::Tool(tool) => (tool.clone(), query.with(|filter| filter.tool = Some(tool))),
            };
            let duration = |us: Option<i64>| us.map_or("–".into(), duration_us);
            view! {
                <tr>
                    <td><a class="link" href=narrowed.path()>{name}</a></td>
                    <td class="number">{count(summary.calls)}</td>
                    <td class="number">{count(summary.errors)}</td>
                    <td class="number hidden sm:table-cell">{per_cent(summary.errors, summary.calls)}</td>
                    <td class="number hidden sm:table-cell">{duration(summary.p50_us)}</td>
                    <td class="number">{duration(summary.p95_us)}</td>
                    <td class="number hidden sm:table-cell">{duration(summary.p99_us)}</td>
                </tr>
            }
        })
        .collect_view();
    let columns = vec![
        Column::text(head),
        Column::number("Calls"),
        Column::number("Errors"),
        Column::number("Share").wide(),
        Column::number("p50").wide(),
        Column::number("p95"),
        Column::number("p99").wide(),
    ];
    let caption = title.to_owned();
    view! {
        <section class="grid grid-cols-1 gap-2">
            <h2>{title.to_owned()}</h2>
            <Table caption columns>{rows}</Table>
        </section>
    }
}

/// What the numbers are narrowed to, each with a link that takes it away.
fn narrowing(names: &Names, query: &Query) -> impl IntoView + use<> {
    let filter = &query.filter;
    let mut chips = Vec::new();
    if filter.preset.is_some() {
        chips.push((
            format!("Preset {}", names.preset(filter.preset)),
            query.with(|filter| filter.preset = None),
        ));
    }
    if let Some(tool) = &filter.tool {
        chips.push((format!("Tool {tool}"), query.with(|filter| filter.tool = None)));
    }
    if filter.source.is_some() {
        chips.push((
            format!("Source {}", names.source(filter.source)),
            query.with(|filter| filter.source = None),
        ));
    }
    (!chips.is_empty()).then(|| {
        let chips = chips
            .into_iter()
            .map(|(text, without)| {
                let hint = format!("Show all again, not only: {text}");
                view! {
                    <a class="button button-small" href=without.path() title=hint>
                        {text} {Icon::Close.sized(tw!("size-3"))}
                    </a>
                }
            })
            .collect_view();
        view! { <p class="flex flex-wrap items-center gap-2 text-muted">"Only" {chips}</p> }
    })
}

fn label(window: Window) -> &'static str {
    match window {
        Window::Hour => "1 hour",
        Window::Day => "24 hours",
        Window::Week => "7 days",
        Window::Month => "30 days",
    }
}

fn whole(value: f64) -> String {
    if value.fract() == 0.0 { count(value as i64) } else { format!("{value:.1}") }
}

fn long(us: f64) -> String {
    duration_us(us as i64)
}

//! The home page.

use doorward::{
    metrics::{Dashboard, MetricFilter, Summary, Window},
    model::{Action, RunEvent},
    quota::Usage,
    store::EventFilter,
};
use leptos::prelude::*;

use super::{
    attention::{Item, items},
    checklist::{Checklist, Progress},
};
use crate::{
    audit::{outcome, sentence},
    context::console,
    island::LiveTail,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{
        Ago, Badge, Column, Figure, Icon, Meter, Sparkline, Table, Tone, count, duration_us, now, per_cent,
        prose,
    },
    usage::months,
};

/// How many of the newest calls are shown.
const RECENT: i64 = 8;

/// Draws the page.
pub(crate) fn page() -> AnyView {
    framed(Place::Home, load)
}

async fn load(visit: Visit) -> Result<Page, Trouble> {
    let console = console();
    let member = &visit.member;
    let now = now();
    let sources = console.sources.list(member).await?;
    let presets = console.presets.list(member).await?;
    let keys = console.identity.keys(member).await?;
    let connections = console.sources.connections(member).await?;
    let usage = console.quota.usage(member.user).await?;
    let recent = EventFilter { action: Some(Action::ToolCall), limit: RECENT, ..EventFilter::default() };
    let calls = console.audit.search(member, &recent).await?;
    let day = console.metrics.dashboard(member, Window::Day, &MetricFilter::default(), now).await?;
    let week = console.metrics.summary(member, now.minus(Window::Week.length()), now).await?;

    let live = |preset: &doorward::model::Preset| preset.answers(now);
    let first_preset = presets.iter().find(|summary| live(&summary.preset) && summary.tools > 0);
    let works = |end: Option<doorward::clock::Ms>| end.is_none_or(|end| end > now);
    let progress = Progress {
        source: !sources.is_empty(),
        preset: first_preset.is_some(),
        key: keys.iter().any(|key| key.revoked_at.is_none() && works(key.expires_at))
            || presets.iter().any(|summary| live(&summary.preset) && summary.preset.anonymous),
        call: !calls.is_empty(),
    };
    let connect = first_preset
        .map_or_else(|| "/presets".to_owned(), |summary| format!("/presets/{}/connect", summary.preset.id));
    let months = months(member, &usage).await?;
    let attention = items(&sources, &presets, &keys, &connections, &months, now);
    let body = view! {
        <div class="grid grid-cols-1 gap-6">
            {needs_attention(attention, progress)}
            {(visit.manages() && !progress.is_done()).then(|| view! { <Checklist progress=progress connect=connect/> })}
            {progress.call.then(|| figures(&day, &week, usage))}
            {(progress.preset || progress.call).then(|| recent_calls(calls))}
        </div>
    };
    Ok(Page::new("Home", body))
}

fn needs_attention(items: Vec<Item>, progress: Progress) -> AnyView {
    if items.is_empty() {
        return match progress.is_done() {
            true => view! {
                <p class="flex items-center gap-2 text-muted">
                    {Icon::Good.sized(tw!("size-4 text-good"))}
                    "Nothing needs your attention."
                </p>
            }
            .into_any(),
            false => ().into_any(),
        };
    }
    let rows = items
        .into_iter()
        .map(|Item { tone, sentence, why, path, button }| {
            let colour = match tone {
                Tone::Bad => tw!("mt-0.5 size-4 text-bad"),
                Tone::Held => tw!("mt-0.5 size-4 text-held"),
                Tone::Good | Tone::Warn | Tone::Off | Tone::Plain => tw!("mt-0.5 size-4 text-warn"),
            };
            view! {
                <li class="flex flex-wrap items-start gap-3 px-4 py-3">
                    {tone.icon().sized(colour)}
                    <div class="min-w-48 flex-1">
                        <p class="font-medium">{prose(&sentence)}</p>
                        <p class="line-clamp-2 break-words text-muted">{prose(&why)}</p>
                    </div>
                    <a class="button button-small" href=path>{button}</a>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="panel">
            <header class="border-b border-line px-4 py-3"><h2>"Needs your attention"</h2></header>
            <ul class="divide-y divide-line">{rows}</ul>
        </section>
    }
    .into_any()
}

fn figures(day: &Dashboard, week: &Summary, usage: Usage) -> impl IntoView + use<> {
    let values = day.points.iter().map(|(_, point)| point.calls as f64).collect();
    let Summary { calls, errors, p95_us, .. } = day.total;
    let slow = p95_us.map_or_else(|| "–".to_owned(), duration_us);
    let slow_note =
        week.p95_us.map_or_else(String::new, |p95| format!("{} over the last 7 days", duration_us(p95)));
    let errors_note = format!(
        "{} of calls; {} over the last 7 days",
        per_cent(errors, calls),
        per_cent(week.errors, week.calls)
    );
    let per_day = week.calls / 7;
    let (left, left_note) = match (usage.limit, usage.left) {
        (Some(limit), Some(left)) => (count(left), format!("of {} this month", count(limit))),
        _ => ("No limit".to_owned(), format!("{} calls this month", count(usage.used))),
    };
    view! {
        <div class="grid gap-4 sm:grid-cols-2 xl:grid-cols-4">
            <Figure term="Calls, last 24 hours" value=count(calls) note=format!("{} a day over the last 7 days", count(per_day))>
                <Sparkline title="Calls over the last 24 hours" values=values/>
            </Figure>
            <Figure term="Errors, last 24 hours" value=count(errors) note=errors_note/>
            <Figure term="95 of 100 calls within" value=slow note=slow_note/>
            <Figure term="Calls left" value=left note=left_note>
                {usage.limit.map(|limit| view! { <Meter title="Calls used this month" part=usage.used whole=limit/> })}
            </Figure>
        </div>
    }
}

fn recent_calls(calls: Vec<RunEvent>) -> impl IntoView {
    let nothing = calls.is_empty();
    let columns = vec![
        Column::text("When"),
        Column::text("Who").wide(),
        Column::text("What"),
        Column::text("Preset").wide(),
        Column::text("Outcome"),
        Column::number("Duration").wide(),
    ];
    let rows = calls
        .into_iter()
        .map(|event| {
            let (tone, word) = outcome(event.outcome);
            view! {
                <tr>
                    <td class="text-muted"><Ago at=event.at/></td>
                    <td class="hidden sm:table-cell">{event.principal.clone()}</td>
                    <td><a class="link" href=format!("/audit/{}", event.id)>{sentence(&event)}</a></td>
                    <td class="hidden sm:table-cell">{event.preset_slug.clone()}</td>
                    <td><Badge tone=tone word=word/></td>
                    <td class="number hidden sm:table-cell">{duration_us(event.duration_us)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="grid grid-cols-1 gap-3">
            <div class="flex items-baseline justify-between gap-3">
                <h2>"Recent calls"</h2>
                <a class="link text-[13px]" href="/audit">"The whole audit log"</a>
            </div>
            <LiveTail rows=5/>
            {if nothing {
                view! { <p class="panel px-4 py-6 text-center text-muted">"No call yet. It will stand here a moment after it was made."</p> }.into_any()
            } else {
                view! { <Table caption="Recent calls" columns=columns>{rows}</Table> }.into_any()
            }}
        </section>
    }
}

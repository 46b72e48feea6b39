//! The page of what is used.

use doorward::{
    insights::AnalysisUsage,
    model::PlanName,
    quota::{MonthUsage, Usage, forecast},
};
use leptos::prelude::*;

use crate::{
    context::console,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{Ago, Column, Empty, Fact, Facts, Icon, Meter, Notice, Panel, Table, Tone, count, now},
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    framed(Place::Account, load)
}

async fn load(visit: Visit) -> Result<Page, Trouble> {
    let (console, member) = (console(), &visit.member);
    let calls = console.quota.usage(member.user).await?;
    let analyses = console.analyses.usage(member).await?;
    let sources = i64::try_from(console.sources.list(member).await?.len()).unwrap_or(i64::MAX);
    let sources_max = console.sources.limit(&member.plan).await?;
    let months = console.quota.months(member.user).await?;
    let body = view! {
        <div class="grid grid-cols-1 gap-6">
            <div class="grid grid-cols-1 items-start gap-6 lg:grid-cols-2">
                {of_calls(&calls)}
                {of_analyses(&analyses)}
            </div>
            {bounds(&member.plan, sources, sources_max, &analyses)}
            {before(months)}
        </div>
    };
    let actions = view! { <a class="button" href="/api/v1/usage/months.csv" download="usage.csv">"Download as CSV"</a> };
    Ok(Page::new("Usage", body)
        .lead("What you have used of what your plan allows. A month is a calendar month in UTC.")
        .above("/account", "Your account")
        .actions(actions))
}

/// How much of something there may be, and how much there is.
struct Use {
    what: &'static str,
    used: i64,
    limit: Option<i64>,
}

impl Use {
    fn draw(self) -> impl IntoView {
        let Self { what, used, limit } = self;
        let words = match limit {
            Some(limit) => format!("{} of {} {what}", count(used), count(limit)),
            None => format!("{} {what}, no limit", count(used)),
        };
        let expected = forecast(used, now()).filter(|_| used > 0);
        let warning = expected.zip(limit).and_then(|(expected, limit)| warning(used, expected, limit));
        let expected = expected
            .map(|expected| format!("About {} by the end of the month, at this pace.", count(expected)));
        view! {
            <div class="grid gap-1.5">
                <p class="font-medium">{words}</p>
                {limit.map(|limit| view! { <Meter title=format!("{what} used this month") part=used whole=limit/> })}
                {expected.map(|expected| view! { <p class="text-muted">{expected}</p> })}
                {warning.map(|(tone, words)| view! { <Notice tone=tone><p>{words}</p></Notice> })}
            </div>
        }
    }
}

/// Says what is to be worried about: that everything is used, nearly everything, or will be.
fn warning(used: i64, expected: i64, limit: i64) -> Option<(Tone, &'static str)> {
    if used >= limit {
        Some((Tone::Bad, "All of them are used: further ones are refused until the next month begins."))
    } else if i128::from(used) * 5 >= i128::from(limit) * 4 {
        Some((Tone::Warn, "More than four fifths are used."))
    } else if expected > limit {
        Some((Tone::Warn, "At this pace they are used up before the month ends."))
    } else {
        None
    }
}

fn of_calls(usage: &Usage) -> impl IntoView + use<> {
    let Usage { used, limit, left: _, resets_at } = *usage;
    view! {
        <Panel title="Calls">
            {Use { what: "calls", used, limit }.draw()}
            <p class="mt-3 text-[13px] text-muted">"The next month begins " <Ago at=resets_at/> "."</p>
        </Panel>
    }
}

fn of_analyses(usage: &AnalysisUsage) -> impl IntoView + use<> {
    let AnalysisUsage { used, limit, running, concurrent, .. } = *usage;
    let at_once = match concurrent {
        Some(limit) => format!("{} of {} at a time run.", count(running), count(limit)),
        None => format!("{} run, as many at a time as wanted.", count(running)),
    };
    view! {
        <Panel title="Analyses">
            {Use { what: "analyses", used, limit }.draw()}
            <p class="mt-3 text-[13px] text-muted">{at_once}</p>
        </Panel>
    }
}

fn bounds(
    plan: &PlanName,
    sources: i64,
    sources_max: Option<i64>,
    analyses: &AnalysisUsage,
) -> impl IntoView + use<> {
    let plan = plan.to_string();
    let of = |limit: Option<i64>| {
        limit.map_or_else(|| "no limit".to_owned(), |limit| format!("{} at most", count(limit)))
    };
    let kept = match analyses.retention_days {
        Some(1) => "1 day".to_owned(),
        Some(days) => format!("{} days", count(days)),
        None => "until somebody removes them".to_owned(),
    };
    view! {
        <Panel title="Your plan">
            <Facts>
                <Fact term="Plan">{plan}</Fact>
                <Fact term="Data sources">{format!("{}, {}", count(sources), of(sources_max))}</Fact>
                <Fact term="Events, metrics and analyses are kept">{kept}</Fact>
            </Facts>
        </Panel>
    }
}

fn before(months: Vec<MonthUsage>) -> AnyView {
    if months.is_empty() {
        return view! {
            <Empty icon=Icon::Metrics title="Nothing used yet" text="Every month in which you call something stands here.">
                <a class="button" href="/presets">"Connect a client to a preset"</a>
            </Empty>
        }
        .into_any();
    }
    let columns = vec![Column::text("Month"), Column::number("Calls"), Column::number("Analyses")];
    let rows = months
        .into_iter()
        .map(|used| {
            view! {
                <tr>
                    <td>{used.month.to_string()}</td>
                    <td class="number">{count(used.calls)}</td>
                    <td class="number">{count(used.analyses)}</td>
                </tr>
            }
        })
        .collect_view();
    view! { <Table caption="Month by month" columns=columns>{rows}</Table> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_up_or_will_be_is_warned_of() {
        let tone = |used, expected| warning(used, expected, 100).map(|(tone, _)| tone);
        assert_eq!(tone(50, 100), None);
        assert_eq!(tone(50, 101), Some(Tone::Warn));
        assert_eq!(tone(80, 80), Some(Tone::Warn));
        assert_eq!(tone(100, 100), Some(Tone::Bad));
        assert_eq!(warning(0, 0, 0).map(|(tone, _)| tone), Some(Tone::Bad));
    }
}

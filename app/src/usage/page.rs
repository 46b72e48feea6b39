//! The page of what is used.

use doorward::{
    clock::Ms,
    insights::AnalysisUsage,
    model::{Member, OrgRole, Plan},
    policy,
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
    let months = console.quota.months(member.user).await?;
    let sources = console.sources.list(member).await?.len();
    let presets = console.presets.list(member).await?.len();
    let has = Has { sources, presets, plan: console.sources.plan(member).await? };
    let team = team(member, &analyses).await?;
    let body = view! {
        <div class="grid grid-cols-1 gap-6">
            {team}
            <div class="grid grid-cols-1 items-start gap-6 lg:grid-cols-2">
                {of_calls("Your calls", &calls)}
                {of_analyses("Your analyses", analyses.used, analyses.limit)}
            </div>
            {bounds(has, &analyses)}
            {before("Your months", months)}
        </div>
    };
    let actions = view! { <a class="button" href="/api/v1/usage/months.csv" download="usage.csv">"Download as CSV"</a> };
    Ok(Page::new("Usage", body)
        .lead("What you have used of what your plan allows. A month is a calendar month in UTC.")
        .above("/account", "Your account")
        .actions(actions))
}

/// Draws what the team has used that somebody manages and acts in.
async fn team(member: &Member, analyses: &AnalysisUsage) -> Result<Option<AnyView>, Trouble> {
    let (Some((used, limit)), true) = (analyses.team, manages_team(member)) else { return Ok(None) };
    let console = console();
    let organisation = console.orgs.find(member).await?;
    let calls = console.quota.usage(member.tenant).await?;
    let months = console.quota.months(member.tenant).await?;
    let name = organisation.name().to_owned();
    let plan = match organisation.plan {
        Some(plan) => format!(
            "{name} has the plan {plan}. Each call and analysis counts for it, and for whoever makes it."
        ),
        None => {
            format!("{name} has no plan of its own: only the plans of its members limit what they use here.")
        }
    };
    let csv = "/api/v1/usage/months.csv?of=organisation";
    let drawn = view! {
        <section class="grid grid-cols-1 gap-6">
            <div class="flex flex-wrap items-center justify-between gap-3">
                <p class="text-muted">{plan}</p>
                <a class="button button-small" href=csv download="organisation-usage.csv">"Download its months as CSV"</a>
            </div>
            <div class="grid grid-cols-1 items-start gap-6 lg:grid-cols-2">
                {of_calls(format!("Calls of {name}"), &calls)}
                {of_analyses(format!("Analyses of {name}"), used, limit)}
            </div>
            {before(format!("Months of {name}"), months)}
        </section>
    };
    Ok(Some(drawn.into_any()))
}

/// Says whether somebody acts in a team that they manage.
fn manages_team(member: &Member) -> bool {
    !member.is_at_home() && policy::may_manage(member, member.tenant, OrgRole::Admin).is_ok()
}

/// What a month has of something, and how much was used.
#[derive(Clone, Debug)]
pub(crate) struct MonthUse {
    /// What it is, in the plural.
    pub what: String,
    /// How much was used.
    pub used: i64,
    /// How much there may be; `None` = unlimited.
    pub limit: Option<i64>,
    /// When the next month begins.
    pub resets_at: Ms,
}

/// Returns what somebody has to watch of the month: their own, and that of the team they manage and act in.
pub(crate) async fn months(member: &Member, calls: &Usage) -> Result<Vec<MonthUse>, Trouble> {
    let console = console();
    let analyses = console.analyses.usage(member).await?;
    let resets_at = calls.resets_at;
    let month = |what: &str, used, limit| MonthUse { what: what.to_owned(), used, limit, resets_at };
    let mut months = vec![month("calls", calls.used, calls.limit)];
    months.push(month("analyses", analyses.used, analyses.limit));
    if let (Some((used, limit)), true) = (analyses.team, manages_team(member)) {
        let calls = console.quota.usage(member.tenant).await?;
        months.push(month("calls of the organisation", calls.used, calls.limit));
        months.push(month("analyses of the organisation", used, limit));
    }
    // An account without analyses misses none.
    months.retain(|month| month.limit != Some(0) || month.what.starts_with("calls"));
    Ok(months)
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
        Some((Tone::Warn, "Four fifths or more are used."))
    } else if expected > limit {
        Some((Tone::Warn, "At this pace they are used up before the month ends."))
    } else {
        None
    }
}

fn of_calls(title: impl Into<String>, usage: &Usage) -> AnyView {
    let Usage { used, limit, left: _, resets_at } = *usage;
    view! {
        <Panel title=title.into()>
            {Use { what: "calls", used, limit }.draw()}
            <p class="mt-3 text-[13px] text-muted">"The next month begins " <Ago at=resets_at/> "."</p>
        </Panel>
    }
    .into_any()
}

fn of_analyses(title: impl Into<String>, used: i64, limit: Option<i64>) -> AnyView {
    view! { <Panel title=title.into()>{Use { what: "analyses", used, limit }.draw()}</Panel> }.into_any()
}

/// What the organisation has that somebody acts in, and the plan that bounds it.
struct Has {
    sources: usize,
    presets: usize,
    plan: Option<Plan>,
}

fn bounds(has: Has, analyses: &AnalysisUsage) -> impl IntoView + use<> {
    let Has { sources, presets, plan } = has;
    let limit = |pick: fn(&Plan) -> Option<i64>| plan.as_ref().and_then(pick);
    let of = |used: i64, limit: Option<i64>| match limit {
        Some(limit) => format!("{} of {}", count(used), count(limit)),
        None => format!("{}, no limit", count(used)),
    };
    let number = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    let kept = match analyses.retention_days {
        Some(1) => "1 day".to_owned(),
        Some(days) => format!("{} days", count(days)),
        None => "until somebody removes them".to_owned(),
    };
    let sources = of(number(sources), limit(|plan| plan.sources_max));
    let presets = of(number(presets), limit(|plan| plan.presets_max));
    let stored = of(analyses.stored, analyses.stored_max);
    let running = of(analyses.running, analyses.concurrent);
    let name = plan.as_ref().map_or_else(|| "none".to_owned(), |plan| plan.name.to_string());
    view! {
        <Panel title="What there may be" lead="Whoever manages this gateway can change the plan.">
            <Facts>
                <Fact term="Plan">{name}</Fact>
                <Fact term="Data sources">{sources}</Fact>
                <Fact term="Presets">{presets}</Fact>
                <Fact term="Analyses kept">{stored}</Fact>
                <Fact term="Analyses that run">{running}</Fact>
                <Fact term="Events, metrics and analyses are kept">{kept}</Fact>
            </Facts>
        </Panel>
    }
}

fn before(caption: impl Into<String>, months: Vec<MonthUsage>) -> AnyView {
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
    view! { <Table caption=caption.into() columns=columns>{rows}</Table> }.into_any()
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

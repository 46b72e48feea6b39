//! Two analyses side by side: what got better, what got worse, what is the same.

use doorward::{
    insights::{
        Comparison, FindingChange, KeptReport, SettingChange, StageChange, SumChange, Unit, Verdict, compare,
    },
    model::{AnalysisId, Finding, Member, ReportedStage},
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::{
    api::analysis_id,
    detail::others,
    report::choice_words,
    timeline::stage_link,
    words::{app_words, counted, long, severity_badge, tally_badges, title},
};
use crate::{
    context::console,
    page::{Page, Place, Visit, page as framed},
    trouble::{Trouble, capital},
    ui::{Ago, Badge, Column, Empty, Icon, Panel, Table, Tone, bytes, count, per_cent, prose},
};

/// The most stages side by side.
const STAGES_MAX: usize = 200;

/// Draws the choice of what an analysis is compared with, or leads to the comparison that was chosen.
pub(crate) fn choose_page() -> AnyView {
    let id = use_params_map().get_untracked().get("id").unwrap_or_default();
    let other = use_query_map().with_untracked(|map| map.get("other")).unwrap_or_default();
    framed(Place::Analyses, move |visit| choose(visit, id, other))
}

/// Draws the comparison.
pub(crate) fn page() -> AnyView {
    let (id, other) = use_params_map()
        .with_untracked(|map| (map.get("id").unwrap_or_default(), map.get("other").unwrap_or_default()));
    framed(Place::Analyses, move |visit| load(visit, id, other))
}

async fn choose(visit: Visit, id: String, other: String) -> Result<Page, Trouble> {
    let console = console();
    let id = analysis_id(&id)?;
    let analysis = console.analyses.find(&visit.member, id).await?.ok_or(Trouble::NotFound)?;
    if !other.is_empty() {
        let other = analysis_id(&other)?;
        let other = console.analyses.find(&visit.member, other).await?.ok_or(Trouble::NotFound)?;
        // The earlier one is what the later one is held against.
        let (after, before) = if other.begun_at > analysis.begun_at {
            (other.id, analysis.id)
        } else {
            (analysis.id, other.id)
        };
        return Err(Trouble::Elsewhere(path(after, before)));
    }
    let rows = others(&visit.member, &analysis)
        .await?
        .iter()
        .map(|other| {
            let link = format!("/analyses/{id}/against?other={}", other.id);
            view! {
                <li class="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-2.5">
                    <a class="link min-w-0 flex-1 basis-56 break-words" href=link>{choice_words(other)}</a>
                    <span class="flex flex-wrap gap-1.5">{tally_badges(other.tally)}</span>
                </li>
            }
        })
        .collect::<Vec<_>>();
    let body = if rows.is_empty() {
        view! {
            <Empty
                icon=Icon::Analysis
                title="There is nothing to compare it with yet"
                text="Analyse the application again after a change, or another run of the same name."
            />
        }
        .into_any()
    } else {
        view! { <ul class="panel divide-y divide-line">{rows}</ul> }.into_any()
    };
    Ok(Page::new("Compare", body)
        .lead(choice_words(&analysis))
        .above(format!("/analyses/{id}"), title(&analysis)))
}

async fn load(visit: Visit, id: String, other: String) -> Result<Page, Trouble> {
    let after = kept(&visit.member, &id).await?;
    let before = kept(&visit.member, &other).await?;
    let comparison = compare(&before.report, &after.report);
    let swapped = path(before.analysis.id, after.analysis.id);
    let back = format!("/analyses/{}", after.analysis.id);
    let name = title(&after.analysis);
    let lead = in_short(&comparison);
    let body = view! {
        <div class="grid grid-cols-1 gap-6">
            <div class="grid gap-3 sm:grid-cols-2">{side("Before", &before)} {side("After", &after)}</div>
            {sums(&comparison.sums)}
            {findings(&comparison)}
            {settings(&comparison.settings)}
            {stages(&comparison.stages)}
        </div>
    };
    Ok(Page::new(format!("{name}, compared"), body)
        .lead(lead)
        .above(back, name)
        .actions(view! { <a class="button" href=swapped>"Swap before and after"</a> }))
}

async fn kept(member: &Member, id: &str) -> Result<KeptReport, Trouble> {
    console().analyses.report(member, analysis_id(id)?).await?.ok_or(Trouble::NotFound)
}

fn path(after: AnalysisId, before: AnalysisId) -> String {
    format!("/analyses/{after}/against/{before}")
}

/// Says in a sentence what differs.
fn in_short(comparison: &Comparison) -> String {
    let Comparison { gone, new, changed, .. } = comparison;
    let time = comparison.sums.iter().find(|sum| sum.what == "duration").map(|sum| match sum.verdict {
        Verdict::Better => format!("It took {} less. ", difference(sum)),
        Verdict::Worse => format!("It took {} more. ", difference(sum)),
        Verdict::Same | Verdict::Other => "It took about as long. ".to_owned(),
    });
    let time = time.unwrap_or_default();
    if gone.is_empty() && new.is_empty() && changed.is_empty() {
        return format!("{time}No finding came or went.");
    }
    format!(
        "{time}{} gone, {} new, {} of another severity.",
        counted(gone.len(), "finding"),
        new.len(),
        changed.len()
    )
}

fn side(word: &'static str, kept: &KeptReport) -> impl IntoView + use<> {
    let analysis = &kept.analysis;
    let app = app_words(&analysis.app_id, analysis.attempt.as_deref());
    view! {
        <section class="panel grid content-start gap-1.5 p-4">
            <h2 class="text-[13px] text-muted">{word}</h2>
            <p class="font-medium break-words">
                <a class="link" href=format!("/analyses/{}", analysis.id)>{title(analysis)}</a>
            </p>
            <p class="text-[13px] break-all text-muted"><code>{app}</code></p>
            <p class="text-[13px] text-muted">"analysed " <Ago at=analysis.begun_at/></p>
            <p class="flex flex-wrap gap-1.5">{tally_badges(analysis.tally)}</p>
        </section>
    }
}

fn sums(sums: &[SumChange]) -> impl IntoView + use<> {
    let rows = sums
        .iter()
        .map(|sum| {
            view! {
                <tr>
                    <td>{capital(sum.what)}</td>
                    <td class="number whitespace-nowrap">{written(sum.unit, sum.before)}</td>
                    <td class="number whitespace-nowrap">{written(sum.unit, sum.after)}</td>
                    <td class="number hidden whitespace-nowrap sm:table-cell">{signed(sum)}</td>
                    <td>{verdict_badge(sum.verdict)}</td>
                </tr>
            }
        })
        .collect_view();
    let columns = vec![
        Column::text("Sum"),
        Column::number("Before"),
        Column::number("After"),
        Column::number("Difference").wide(),
        Column::text("Verdict"),
    ];
    view! {
        <section class="grid grid-cols-1 gap-3">
            <h2>"Sums"</h2>
            <Table caption="Sums before and after" columns>{rows}</Table>
            <p class="text-[13px] text-muted">"Differences of up to 5 % count as the same: no two runs take equally long."</p>
        </section>
    }
}

fn findings(comparison: &Comparison) -> impl IntoView + use<> {
    let Comparison { gone, new, changed, same, .. } = comparison;
    let titles = [
        format!("Gone ({})", gone.len()),
        format!("New ({})", new.len()),
        format!("Of another severity ({})", changed.len()),
        format!("As before ({})", same.len()),
    ];
    let bodies = [one_sided(gone), one_sided(new), two_sided(changed), two_sided(same)];
    let panels = titles
        .into_iter()
        .zip(bodies)
        .map(|(title, body)| view! { <Panel title>{body}</Panel> })
        .collect_view();
    view! { <div class="grid gap-6 lg:grid-cols-2">{panels}</div> }
}

fn one_sided(findings: &[Finding]) -> AnyView {
    if findings.is_empty() {
        return view! { <p class="text-muted">"None."</p> }.into_any();
    }
    let rows = findings
        .iter()
        .map(|finding| {
            view! {
                <li class="flex items-start gap-2.5">
                    {severity_badge(finding.severity)}
                    <span class="min-w-0 flex-1 break-words">{prose(&finding.title)}</span>
                </li>
            }
        })
        .collect_view();
    view! { <ul class="grid gap-2">{rows}</ul> }.into_any()
}

fn two_sided(changes: &[FindingChange]) -> AnyView {
    if changes.is_empty() {
        return view! { <p class="text-muted">"None."</p> }.into_any();
    }
    let rows = changes
        .iter()
        .map(|FindingChange { before, after }| {
            let differs = before.severity != after.severity;
            let was = (before.title != after.title)
                .then(|| view! { <p class="text-[13px] text-muted">"before: " {prose(&before.title)}</p> });
            view! {
                <li class="grid gap-1">
                    <span class="flex flex-wrap items-center gap-1.5">
                        {differs.then(|| view! {
                            {severity_badge(before.severity)} <span class="sr-only">"became"</span> {Icon::ArrowRight.draw()}
                        })}
                        {severity_badge(after.severity)}
                    </span>
                    <p class="break-words">{prose(&after.title)}</p>
                    {was}
                </li>
            }
        })
        .collect_view();
    view! { <ul class="grid gap-3">{rows}</ul> }.into_any()
}

fn settings(settings: &[SettingChange]) -> impl IntoView + use<> {
    let value = |value: &Option<String>| match value {
        Some(value) => view! { <code class="break-all">{value.clone()}</code> }.into_any(),
        None => view! { <span class="text-muted">"not set"</span> }.into_any(),
    };
    let rows = settings
        .iter()
        .map(|setting| {
            view! {
                <tr>
                    <td class="break-all"><code>{setting.name.clone()}</code></td>
                    <td class="break-all">{value(&setting.before)}</td>
                    <td class="break-all">{value(&setting.after)}</td>
                </tr>
            }
        })
        .collect_view();
    let body = if settings.is_empty() {
        view! { <p class="text-muted">"Both ran with the same settings, as far as they are known."</p> }
            .into_any()
    } else {
        let columns = vec![Column::text("Setting"), Column::text("Before"), Column::text("After")];
        view! { <Table caption="Settings that differ" columns>{rows}</Table> }.into_any()
    };
    view! { <section class="grid grid-cols-1 gap-3"><h2>"Settings that differ"</h2>{body}</section> }
}

fn stages(stages: &[StageChange]) -> impl IntoView + use<> {
    let left_out = stages.len().saturating_sub(STAGES_MAX);
    let rows = stages
        .iter()
        .take(STAGES_MAX)
        .map(|stage| {
            let cell = |of: &Option<ReportedStage>| match of {
                Some(one) => view! { {stage_took(one)} }.into_any(),
                None => view! { <span class="text-muted">"–"</span> }.into_any(),
            };
            let (word, verdict) = match (&stage.before, &stage.after) {
                (Some(_), None) => (Some("gone"), stage.verdict),
                (None, Some(_)) => (Some("new"), stage.verdict),
                (_, _) => (None, stage.verdict),
            };
            let badge = match word {
                Some(word) => view! { <Badge tone=Tone::Off word icon=Icon::Unknown/> }.into_any(),
                None => verdict_badge(verdict).into_any(),
            };
            let named = stage.after.as_ref().or(stage.before.as_ref());
            view! {
                <tr>
                    <td class="max-w-32 break-words sm:max-w-md">{named.map(stage_link)}</td>
                    <td class="number whitespace-nowrap">{cell(&stage.before)}</td>
                    <td class="number whitespace-nowrap">{cell(&stage.after)}</td>
                    <td>{badge}</td>
                </tr>
            }
        })
        .collect_view();
    let columns = vec![
        Column::text("Stage"),
        Column::number("Before"),
        Column::number("After"),
        Column::text("Verdict"),
    ];
    view! {
        <section class="grid grid-cols-1 gap-3">
            <h2>"Stages side by side"</h2>
            <p class="text-muted">"Matched by what they do, in their order. Times are by the clock, from when a stage was handed in until it ended."</p>
            <Table caption="Stages before and after" columns>{rows}</Table>
            {(left_out > 0).then(|| view! { <p class="text-[13px] text-muted">{format!("{left_out} more are left out.")}</p> })}
        </section>
    }
}

fn stage_took(stage: &ReportedStage) -> String {
    match (stage.begun_at_ms, stage.ended_at_ms) {
        (Some(begun), Some(ended)) => long(ended.saturating_sub(begun) as f64),
        (_, _) => "not known".to_owned(),
    }
}

fn verdict_badge(verdict: Verdict) -> impl IntoView {
    match verdict {
        Verdict::Better => view! { <Badge tone=Tone::Good word="better"/> },
        Verdict::Worse => view! { <Badge tone=Tone::Bad word="worse"/> },
        Verdict::Same => view! { <Badge tone=Tone::Off word="same" icon=Icon::Check/> },
        Verdict::Other => view! { <Badge tone=Tone::Off word="differs" icon=Icon::Unknown/> },
    }
}

fn written(unit: Unit, value: i64) -> String {
    match unit {
        Unit::Ms => long(value as f64),
        Unit::Bytes => bytes(value),
        Unit::Count => count(value),
    }
}

/// Writes how much two sums differ, without a sign, with the share of the first where there is one.
fn difference(sum: &SumChange) -> String {
    let by = sum.after.saturating_sub(sum.before).saturating_abs();
    let text = written(sum.unit, by);
    if sum.before > 0 { format!("{text} ({})", per_cent(by, sum.before)) } else { text }
}

fn signed(sum: &SumChange) -> String {
    match sum.after.cmp(&sum.before) {
        std::cmp::Ordering::Less => format!("−{}", difference(sum)),
        std::cmp::Ordering::Equal => "–".to_owned(),
        std::cmp::Ordering::Greater => format!("+{}", difference(sum)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(before: i64, after: i64) -> SumChange {
        SumChange { what: "duration", unit: Unit::Ms, before, after, verdict: Verdict::Other }
    }

    #[test]
    fn a_difference_has_its_sign_and_its_share() {
        let plain = |sum: SumChange| signed(&sum).replace('\u{202f}', " ");

        assert_eq!(plain(sum(20_000, 5_000)), "−15 s (75 %)");
        assert_eq!(plain(sum(0, 5_000)), "+5 s");
        assert_eq!(plain(sum(7, 7)), "–");
    }

    #[test]
    fn what_differs_is_said_in_a_sentence() {
        let faster = SumChange { verdict: Verdict::Better, ..sum(20_000, 5_000) };
        let comparison = Comparison { sums: vec![faster], ..Comparison::default() };

        let words = in_short(&comparison).replace('\u{202f}', " ");

        assert_eq!(words, "It took 15 s (75 %) less. No finding came or went.");
    }
}

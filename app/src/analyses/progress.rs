//! How far an analysis is, or how far it came.

use doorward::model::{Analysis, AnalysisState, AnalysisStep, StepState};
use leptos::prelude::*;

use super::words::counted;
use crate::{
    island::Renew,
    trouble::sentence,
    ui::{Ago, Icon, Meter, Notice, Panel, Tone, duration_us, prose},
};

/// What is asked for again while an analysis runs.
const PART: &str = "analysis-progress";
/// How long a page waits before it asks again, in milliseconds.
const RENEW_MS: u64 = 1000;

/// Draws one that runs: its steps, kept up to date with and without scripts.
pub(super) fn running(analysis: &Analysis) -> impl IntoView + use<> {
    let over = analysis.steps.iter().filter(|step| step.state != StepState::Waiting).count();
    let all = analysis.steps.len();
    let begun_at = analysis.begun_at;
    let steps = steps(&analysis.steps, true);
    view! {
        <Panel title="What is read" lead="All of it at once. It goes on when you leave the page.">
            <noscript><meta http-equiv="refresh" content="2"/></noscript>
            <Renew part=PART.to_owned() every_ms=RENEW_MS/>
            <div id=PART class="grid grid-cols-1 gap-3">
                <p aria-live="polite">{format!("{over} of {} answered.", counted(all, "step"))}</p>
                <Meter title="Steps answered" part=whole(over) whole=whole(all)/>
                {steps}
                <p class="text-[13px] text-muted">"Begun " <Ago at=begun_at/> "."</p>
            </div>
        </Panel>
    }
}

/// Draws one that ended without a report: why, what can be done, and how far it came.
pub(super) fn without_report(analysis: &Analysis) -> impl IntoView + use<> {
    let cancelled = analysis.state == AnalysisState::Cancelled;
    let (tone, what) = match cancelled {
        true => (Tone::Warn, "It was cancelled."),
        false => (Tone::Bad, "There is no report."),
    };
    let why = analysis.failure.as_deref().map(sentence).unwrap_or_default();
    let any_read = analysis.steps.iter().any(|step| step.state == StepState::Done);
    let counts = match any_read {
        true => "Something had been read for it, so it counts as one of this month's analyses.",
        false => "Nothing had been read for it, so it is not counted.",
    };
    let test = analysis.source.map(|id| format!("/sources/{id}"));
    let new = analysis.source.map(|id| super::api::new_path(Some(id)));
    let remedies = (!cancelled).then(|| view! {
        <Panel title="What can be done">
            <ul class="ml-5 grid list-disc gap-1">
                {test.map(|path| view! {
                    <li><a href=path>"Test the data source"</a>": each step says whether it worked, and why not."</li>
                })}
                {new.map(|path| view! {
                    <li><a href=path>"Choose the application from the list"</a>": an id that the source does not know has no report."</li>
                })}
                <li>"Run it again. A source that is busy, or reads a long event log for the first time, may answer the next time."</li>
            </ul>
        </Panel>
    });
    let steps = steps(&analysis.steps, false);
    view! {
        <Notice tone>
            <p class="font-medium">{what}</p>
            {(!why.is_empty()).then(|| view! { <p class="break-words">{prose(&why)}</p> })}
            <p>{counts}</p>
        </Notice>
        {remedies}
        <Panel title="How far it came">{steps}</Panel>
    }
}

/// Draws what is read, with how far each is, or came if it has ended.
fn steps(steps: &[AnalysisStep], runs: bool) -> impl IntoView + use<> {
    let rows = steps
        .iter()
        .map(|step| {
            let (icon, colour, word) = match step.state {
                StepState::Waiting if runs => (Icon::Held, tw!("mt-0.5 size-4 text-subtle"), "waited for"),
                StepState::Waiting => (Icon::Unknown, tw!("mt-0.5 size-4 text-subtle"), "not read"),
                StepState::Done => (Icon::Good, tw!("mt-0.5 size-4 text-good"), "read"),
                StepState::Failed => (Icon::Failing, tw!("mt-0.5 size-4 text-bad"), "failed"),
            };
            let took =
                (step.state != StepState::Waiting).then(|| duration_us(step.elapsed_ms.saturating_mul(1000)));
            view! {
                <li class="flex items-start gap-3 py-2">
                    {icon.sized(colour)}
                    <div class="min-w-0 flex-1">
                        <span class="font-medium">{step.name.clone()}</span>
                        <span class="sr-only">{format!(" {word}")}</span>
                        <p class="break-words text-muted">{prose(&step.detail)}</p>
                    </div>
                    <span class="whitespace-nowrap text-muted">{took}</span>
                </li>
            }
        })
        .collect_view();
    view! { <ol class="divide-y divide-line">{rows}</ol> }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

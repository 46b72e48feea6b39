//! The steps of a test, each with what was found and its time.

use leptos::prelude::*;

use crate::{
    form::Report,
    ui::{Icon, Panel, Tone, duration_us, prose},
};

/// Shows each step of a test.
#[component]
pub(super) fn Steps(
    /// The steps.
    report: Report,
) -> impl IntoView {
    let rows = report
        .steps
        .into_iter()
        .map(|step| {
            let (icon, colour, word) = match step.tone {
                Tone::Good => (Icon::Good, tw!("mt-0.5 size-4 text-good"), "worked"),
                Tone::Bad => (Icon::Failing, tw!("mt-0.5 size-4 text-bad"), "failed"),
                Tone::Warn | Tone::Held | Tone::Off | Tone::Plain => {
                    (Icon::Unknown, tw!("mt-0.5 size-4 text-subtle"), "not tried")
                }
            };
            let tried = matches!(step.tone, Tone::Good | Tone::Bad);
            view! {
                <li class="flex items-start gap-3 py-2">
                    {icon.sized(colour)}
                    <div class="min-w-0 flex-1">
                        <span class="font-medium">{step.name}</span>
                        <span class="sr-only">{format!(" {word}")}</span>
                        <p class="break-words text-muted">{prose(&step.detail)}</p>
                    </div>
                    <span class="whitespace-nowrap text-muted">{tried.then(|| duration_us(step.elapsed_us))}</span>
                </li>
            }
        })
        .collect_view();
    view! { <ol class="divide-y divide-line">{rows}</ol> }
}

/// Shows the test that was just made.
#[component]
pub(crate) fn TestReport(
    /// The steps.
    report: Report,
) -> impl IntoView {
    let failed = report.steps.iter().any(|step| step.tone == Tone::Bad);
    let total: i64 = report.steps.iter().map(|step| step.elapsed_us).sum();
    let lead = if failed { "It stopped at the step that failed." } else { "Every step worked." };
    view! {
        <Panel title="The test, step by step" lead=format!("{lead} {} in all.", duration_us(total))>
            <Steps report=report/>
        </Panel>
    }
}

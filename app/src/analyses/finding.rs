//! A finding: what is wrong, the numbers that show it, and what to change.

use doorward::model::{Fact, Finding};
use leptos::prelude::*;

use super::words::{outward, settings_in, severity_badge};
use crate::{
    trouble::sentence,
    ui::{Copyable, prose},
};

/// Draws one as a card.
pub(super) fn card(number: usize, finding: &Finding) -> impl IntoView + use<> {
    let evidence = finding.evidence.iter().map(fact).collect_view();
    let changes = finding.change.iter().map(|change| step(change)).collect_view();
    let expected = sentence(&finding.expected);
    let estimated = (!finding.estimated_by.is_empty())
        .then(|| format!("How that was estimated: {}.", finding.estimated_by));
    let (id, labelled) = (format!("finding-{number}"), format!("finding-{number}"));
    view! {
        <article class="panel" aria-labelledby=labelled>
            <header class="flex flex-wrap items-start gap-x-3 gap-y-1.5 border-b border-line px-4 py-3">
                {severity_badge(finding.severity)}
                <h3 id=id class="min-w-0 flex-1 basis-64 text-base leading-6 break-words">{prose(&finding.title)}</h3>
                <span class="text-[13px] text-muted">{finding.kind.replace('_', " ")}</span>
            </header>
            <div class="grid gap-x-8 gap-y-4 p-4 lg:grid-cols-2">
                <div class="grid content-start gap-4">
                    <section class="grid gap-1.5">
                        <h4 class="text-muted">"What shows it"</h4>
                        <dl class="grid gap-1.5">{evidence}</dl>
                    </section>
                    <section class="grid gap-1.5">
                        <h4 class="text-muted">"Why it matters"</h4>
                        <p>{prose(&finding.why)}</p>
                    </section>
                </div>
                <div class="grid content-start gap-4">
                    <section class="grid gap-1.5">
                        <h4 class="text-muted">"What to change"</h4>
                        <ol class="ml-5 grid list-decimal gap-2">{changes}</ol>
                    </section>
                    <section class="grid gap-1.5">
                        <h4 class="text-muted">"What that is expected to bring"</h4>
                        <p>{prose(&expected)}</p>
                        {estimated.map(|text| view! { <p class="text-[13px] text-muted">{prose(&text)}</p> })}
                    </section>
                </div>
            </div>
        </article>
    }
}

fn fact(fact: &Fact) -> impl IntoView + use<> {
    let value = match outward(&fact.link) {
        Some(link) => {
            view! { <a class="link" href=link rel="noreferrer">{fact.value.clone()}</a> }.into_any()
        }
        None => fact.value.clone().into_any(),
    };
    view! {
        <div class="grid gap-x-4 sm:grid-cols-2">
            <dt class="break-words text-muted">{fact.what.clone()}</dt>
            <dd class="break-words">{value}</dd>
        </div>
    }
}

/// A step of the change, with the settings in it to take along.
fn step(change: &str) -> impl IntoView + use<> {
    let settings =
        settings_in(change).into_iter().map(|setting| view! { <Copyable text=setting/> }).collect_view();
    view! {
        <li class="break-words">
            <p>{prose(&sentence(change))}</p>
            <p class="mt-1 flex flex-wrap gap-2 empty:hidden">{settings}</p>
        </li>
    }
}

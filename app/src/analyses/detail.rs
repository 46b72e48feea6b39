//! The page of one analysis: how far it is, why it has no report, or its report.

use doorward::{
    insights::{AnalysisFilter, may_cancel},
    model::{Analysis, AnalysisState, Member, OrgRole},
    policy,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    api::{AGAIN, CANCEL, REMOVE, analysis_id},
    progress, report, usage,
    words::{app_words, state_badge, tally_badges, title},
};
use crate::{
    context::console,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{Ago, ConfirmInPlace, Icon, PostButton},
};

/// The most analyses offered to compare with.
const OTHERS_MAX: usize = 100;

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let id = use_params_map().get_untracked().get("id").unwrap_or_default();
    framed(Place::Analyses, move |visit| load(visit, id))
}

async fn load(visit: Visit, id: String) -> Result<Page, Trouble> {
    let console = console();
    let id = analysis_id(&id)?;
    let analysis = console.analyses.find(&visit.member, id).await?.ok_or(Trouble::NotFound)?;
    let lead = lead(&analysis);
    let actions = actions(&visit.member, &analysis);
    let name = title(&analysis);
    let removal = removal(&visit.member, &analysis);
    let body = match analysis.state {
        AnalysisState::Running => progress::running(&analysis).into_any(),
        AnalysisState::Failed | AnalysisState::Cancelled => progress::without_report(&analysis).into_any(),
        AnalysisState::Done => {
            let others = others(&visit.member, &analysis).await?;
            let kept = console.analyses.report(&visit.member, id).await?.ok_or(Trouble::NotFound)?;
            report::draw(&kept, &others, &console.settings.base_url).into_any()
        }
    };
    let body = view! { <div class="grid grid-cols-1 gap-6">{body} {removal}</div> };
    Ok(Page::new(name, body).lead(lead).above("/analyses", "Analyses").actions(actions))
}

/// Returns those of the same application, or of one of the same name, that it can be compared with.
pub(super) async fn others(member: &Member, analysis: &Analysis) -> Result<Vec<Analysis>, Trouble> {
    let filter = AnalysisFilter {
        text: Some(title(analysis)),
        state: Some(AnalysisState::Done),
        limit: OTHERS_MAX,
        ..AnalysisFilter::default()
    };
    let mut found = console().analyses.list(member, &filter).await?;
    found.retain(|other| other.id != analysis.id && is_same(other, analysis));
    Ok(found)
}

fn is_same(one: &Analysis, other: &Analysis) -> bool {
    one.app_id == other.app_id || (!one.app_name.is_empty() && one.app_name == other.app_name)
}

fn lead(analysis: &Analysis) -> impl IntoView + use<> {
    let state = match analysis.state {
        AnalysisState::Done => tally_badges(analysis.tally),
        state @ (AnalysisState::Running | AnalysisState::Failed | AnalysisState::Cancelled) => {
            state_badge(state).into_any()
        }
    };
    let app = app_words(&analysis.app_id, analysis.attempt.as_deref());
    let source = analysis.source_name.to_string();
    let source = match analysis.source {
        Some(id) => view! { <a class="link" href=format!("/sources/{id}")>{source}</a> }.into_any(),
        None => format!("{source}, which is deleted").into_any(),
    };
    view! {
        <span class="flex flex-wrap items-center gap-1.5">{state}</span>
        <p class="mt-1.5">
            <code class="break-all">{app}</code> " of " {source} {if analysis.ended_at.is_some() { ", analysed " } else { ", begun " }} <Ago at=analysis.begun_at/> " by "
            {analysis.begun_by_handle.clone()}
        </p>
    }
}

fn actions(member: &Member, analysis: &Analysis) -> AnyView {
    let fields = vec![("id", analysis.id.to_string())];
    match analysis.state {
        AnalysisState::Running if may_cancel(member, analysis).is_ok() => view! {
            <PostButton action=CANCEL fields class="button button-danger">"Cancel"</PostButton>
        }
        .into_any(),
        AnalysisState::Running => ().into_any(),
        AnalysisState::Done | AnalysisState::Failed | AnalysisState::Cancelled => (usage::may_begin(member)
            && analysis.source.is_some())
        .then(|| {
            view! {
                <PostButton action=AGAIN fields class="button">{Icon::Refresh.draw()} "Run again"</PostButton>
            }
        })
        .into_any(),
    }
}

fn removal(member: &Member, analysis: &Analysis) -> Option<impl IntoView + use<>> {
    let may = policy::may_manage(member, member.tenant, OrgRole::Admin).is_ok()
        && analysis.state != AnalysisState::Running;
    may.then(|| {
        let fields = vec![("id", analysis.id.to_string())];
        let label = format!("Remove the analysis of {}", title(analysis));
        view! {
            <div class="flex justify-end border-t border-line pt-4">
                <ConfirmInPlace action=REMOVE fields verb="Remove" label=label>
                    "Its report goes with it, for everybody in the organisation, and links to it lead nowhere. It stays counted."
                </ConfirmInPlace>
            </div>
        }
    })
}

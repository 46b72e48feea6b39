//! Sources in the words and shapes of the pages.

use doorward::{
    model::{Era, EraVerdict, HealthState, Reach, Source, SourceKind, ToolState},
    sources::ToolCounts,
    upstream::{ProbeReport, StepOutcome},
};
use leptos::prelude::*;

use crate::{
    form::{Report, ReportStep},
    ui::{Badge, Icon, Tone},
};

/// The longest detail of a step that is carried to the next page, in characters.
const DETAIL_MAX: usize = 180;

/// Says in one badge whether a source can be used.
pub(crate) fn health_badge(source: &Source) -> impl IntoView + use<> {
    if !source.enabled {
        return view! { <Badge tone=Tone::Off word="Off"/> };
    }
    match source.health.state {
        HealthState::Unknown => view! { <Badge tone=Tone::Off word="Not tried" icon=Icon::Unknown/> },
        HealthState::Healthy => view! { <Badge tone=Tone::Good word="Healthy"/> },
        HealthState::Failing => view! { <Badge tone=Tone::Bad word="Failing"/> },
    }
}

/// Says how many tools are held, if any are.
pub(super) fn held_badge(counts: ToolCounts) -> impl IntoView {
    (counts.held() > 0).then(|| view! { <Badge tone=Tone::Held word=format!("{} held", counts.held())/> })
}

/// Says whether a tool may be used.
pub(super) fn tool_badge(state: ToolState) -> impl IntoView {
    match state {
        ToolState::Accepted => view! { <Badge tone=Tone::Good word="Accepted"/> },
        ToolState::New => view! { <Badge tone=Tone::Held word="New, held"/> },
        ToolState::Changed => view! { <Badge tone=Tone::Held word="Changed, held"/> },
        ToolState::Gone => view! { <Badge tone=Tone::Off word="Gone" icon=Icon::Unknown/> },
    }
}

/// Returns the place of a source in one line.
pub(super) fn place(reach: &Reach) -> String {
    match reach {
        Reach::McpHttp { url } => url.to_string(),
        Reach::McpStdio { command, .. } => super::command::join(command),
    }
}

/// Returns what people call the kind.
pub(super) fn kind_words(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::McpHttp => "MCP over HTTP",
        SourceKind::McpStdio => "MCP process",
    }
}

/// Returns what people call the credential kept.
pub(super) fn auth_words(kind: &str) -> &'static str {
    match kind {
        "bearer" => "Bearer token, sealed",
        "basic" => "User and password, sealed",
        "header" => "Header of its own, sealed",
        _ => "None",
    }
}

/// Says which protocol a source speaks.
pub(super) fn era_words(verdict: Option<&EraVerdict>) -> String {
    match verdict {
        None => "not known yet".to_owned(),
        Some(EraVerdict { era: Era::Modern, revision, .. }) => format!("{revision}, stateless"),
        Some(EraVerdict { era: Era::Legacy, revision, .. }) => format!("{revision}, with sessions"),
    }
}

/// Turns what a probe found into what a page shows.
pub(super) fn report(probe: &ProbeReport) -> Report {
    let steps = probe
        .steps
        .iter()
        .map(|step| ReportStep {
            name: step.name.clone(),
            tone: match step.outcome {
                StepOutcome::Ok => Tone::Good,
                StepOutcome::Failed => Tone::Bad,
                StepOutcome::Skipped => Tone::Off,
            },
            detail: step.detail.chars().take(DETAIL_MAX).collect(),
            elapsed_us: i64::try_from(step.elapsed.as_micros()).unwrap_or(i64::MAX),
        })
        .collect();
    let challenge = probe.needs_credential.as_deref().unwrap_or_default();
    Report { steps, challenge: challenge.chars().take(DETAIL_MAX).collect() }
}

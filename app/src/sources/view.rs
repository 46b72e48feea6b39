//! Sources in the words and shapes of the pages.

use doorward::{
    model::{Era, EraVerdict, HealthState, Reach, Source, SourceKind, SourceName, ToolState},
    sources::Detected,
    upstream::{ProbeReport, Step, StepOutcome},
};
use leptos::prelude::*;
use url::Host;

use crate::{
    form::{Report, ReportStep},
    ui::{Badge, Icon, Tone},
};

/// The longest detail of a step that is carried to the next page, in characters.
const DETAIL_MAX: usize = 180;
/// The longest reason of the step that failed, behind which there is none.
const FAILURE_MAX: usize = 600;

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

/// Says how many tools and prompts are held, if any are.
pub(super) fn held_badge(held: usize) -> impl IntoView {
    (held > 0).then(|| view! { <Badge tone=Tone::Held word=format!("{held} held")/> })
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
        Reach::McpHttp { url } | Reach::SparkHistory { url } => url.to_string(),
        Reach::McpStdio { command, .. } => super::command::join(command),
    }
}

/// Returns what people call the kind.
pub(super) fn kind_words(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::McpHttp => "MCP over HTTP",
        SourceKind::McpStdio => "MCP process",
        SourceKind::SparkHistory => "Spark History Server",
    }
}

/// Returns the drawing of the kind.
pub(super) fn kind_icon(kind: SourceKind) -> Icon {
    match kind {
        SourceKind::McpHttp => Icon::Globe,
        SourceKind::McpStdio => Icon::Terminal,
        SourceKind::SparkHistory => Icon::Metrics,
    }
}

/// Returns what people call the credential kept.
pub(super) fn auth_words(kind: &str) -> &'static str {
    match kind {
        "bearer" => "Bearer token, sealed",
        "basic" => "User and password, sealed",
        "header" => "Header of its own, sealed",
        "oauth" => "Sign-in, kept alive",
        "jws" => "Key to sign tokens with, sealed",
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

/// Returns a name to begin with: the one made from the host, or, where the host is a bare address, one
/// made from what the server calls itself. The person sees it before it is kept.
pub(super) fn suggested_name(detected: &Detected, taken: &[&str]) -> String {
    let is_bare = !matches!(detected.url.host(), Some(Host::Domain(name)) if name != "localhost");
    let server = detected.verdict.as_ref().map(|verdict| verdict.server.as_str()).unwrap_or_default();
    match name_of_server(server) {
        Some(name) if is_bare && !taken.contains(&name.as_str()) => name,
        _ => detected.name.to_string(),
    }
}

/// Returns the last part of what a server calls itself, as in `everything` for
/// `mcp-servers/everything 2.0.0`, if it makes a name.
fn name_of_server(server: &str) -> Option<String> {
    let word = server.split_whitespace().next()?.rsplit('/').next()?.to_lowercase();
    let plain: String =
        word.chars().map(|c| if matches!(c, 'a'..='z' | '0'..='9') { c } else { '-' }).take(40).collect();
    SourceName::parse(plain.trim_matches('-')).ok().map(|name| name.to_string())
}

/// Turns what a probe found into what a page shows.
pub(super) fn report(probe: &ProbeReport) -> Report {
    let challenge = probe.needs_credential.as_deref().unwrap_or_default();
    Report { challenge: challenge.chars().take(DETAIL_MAX).collect(), ..steps(&probe.steps) }
}

/// Returns the steps of something that was tried, for the page after it.
pub(crate) fn steps(tried: &[Step]) -> Report {
    let steps = tried
        .iter()
        .map(|step| ReportStep {
            name: step.name.clone(),
            tone: match step.outcome {
                StepOutcome::Ok => Tone::Good,
                StepOutcome::Failed => Tone::Bad,
                StepOutcome::Skipped => Tone::Off,
            },
            detail: {
                let is_failure = step.outcome == StepOutcome::Failed;
                step.detail.chars().take(if is_failure { FAILURE_MAX } else { DETAIL_MAX }).collect()
            },
            elapsed_us: i64::try_from(step.elapsed.as_micros()).unwrap_or(i64::MAX),
        })
        .collect();
    Report { steps, ..Report::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_s_own_name_makes_a_name_or_nothing() {
        assert_eq!(name_of_server("mcp-servers/everything 2.0.0").as_deref(), Some("everything"));
        assert_eq!(name_of_server("My_Server").as_deref(), Some("my-server"));
        assert_eq!(name_of_server("FastMCP").as_deref(), Some("fastmcp"));
        assert_eq!(name_of_server("… 1"), None);
        assert_eq!(name_of_server(""), None);
    }
}

//! How an event reads: in the audit log, on the home page, in the live tail.

use doorward::model::{Action, Outcome, RunEvent};

use crate::ui::Tone;

/// Returns the word for an outcome, and what it means to the reader.
pub(crate) fn outcome(outcome: Outcome) -> (Tone, &'static str) {
    match outcome {
        Outcome::Ok => (Tone::Good, "ok"),
        Outcome::ToolError => (Tone::Warn, "tool error"),
        Outcome::Caller => (Tone::Warn, "bad request"),
        Outcome::Refused => (Tone::Held, "refused"),
        Outcome::Upstream => (Tone::Bad, "source failed"),
        Outcome::Gateway => (Tone::Bad, "gateway failed"),
        Outcome::Cancelled => (Tone::Off, "cancelled"),
    }
}

/// Says what was done, without who did it.
pub(crate) fn sentence(event: &RunEvent) -> String {
    let RunEvent { subject, preset_slug, source_name, .. } = event;
    match event.action {
        Action::ToolCall => format!("called {subject}"),
        Action::ResourceRead => format!("read {subject}"),
        Action::PromptGet => format!("used the prompt {subject}"),
        Action::Completion => format!("completed an argument of {subject}"),
        Action::SignIn if subject.is_empty() => "signed in".into(),
        Action::SignIn => format!("signed in ({subject})"),
        Action::SignOut => "signed out".into(),
        Action::PasswordChange => "changed a password".into(),
        Action::LoginChange => format!("login: {subject}"),
        Action::FactorChange => format!("second step: {subject}"),
        Action::UserChange => format!("account: {subject}"),
        Action::OrganisationChange => format!("organisation: {subject}"),
        Action::PlanChange => format!("plan: {subject}"),
        Action::SourceChange => format!("source {source_name}: {subject}"),
        Action::TunnelChange => format!("tunnel: {subject}"),
        Action::AnalysisChange => format!("analysis on {source_name}: {subject}"),
        Action::PresetChange => format!("preset {preset_slug}: {subject}"),
        Action::KeyCreate => format!("made the API key {subject}"),
        Action::KeyEdit => format!("changed the limit of the API key {subject}"),
        Action::KeyRevoke => format!("revoked the API key {subject}"),
        Action::GrantCreate => format!("let {subject} use {preset_slug}"),
        Action::GrantRevoke => format!("took back the access of {subject}"),
        Action::AuditChange => format!("audit log: {subject}"),
    }
}

//! The form to edit a source.

use doorward::model::{CaCertificates, Reach, RunsAs, Source};
use leptos::prelude::*;

use super::{
    api::{EDIT_HTTP, EDIT_PROCESS},
    authorities, command,
    credential::CredentialChoice,
    new::{ProcessFields, ProcessFirst},
    tunnel::TunnelPicks,
    view::auth_words,
};
use crate::{
    form::Form,
    ui::{Choice, Field, FormMistake, Pick, Select},
};

/// Draws the form with what is kept; a credential is kept or replaced, and never shown.
pub(super) fn draw(form: Form, source: Source, tunnels: &TunnelPicks) -> AnyView {
    let hidden = view! {
        <input type="hidden" name="id" value=source.id.to_string()/>
        <input type="hidden" name="version" value=source.version/>
    };
    let save = view! {
        <div class="flex flex-wrap gap-2">
            <button class="button button-primary" type="submit">"Save"</button>
            <a class="button button-quiet" href=format!("/sources/{}", source.id)>"Cancel"</a>
        </div>
    };
    let asks_whose = source.is_signed_in_to();
    let trusted = source.ca_certificates.as_ref().map(CaCertificates::as_str).unwrap_or_default();
    match source.reach {
        Reach::McpHttp { url } => {
            let picks = vec![
                Pick::new("auto", "Found out, and looked at again every day"),
                Pick::new("modern", "2026-07-28 and later, always"),
                Pick::new("legacy", "2025-11-25 and earlier, always"),
                Pick::new("sse", "2024-11-05 over HTTP with server-sent events, always"),
            ];
            view! {
                <form class="grid max-w-3xl gap-5" method="post" action=EDIT_HTTP>
                    {hidden}
                    <FormMistake form=form.clone()/>
                    <Field form=form.clone() name="name" label="Name" first=source.name.to_string() mono=true/>
                    <Field form=form.clone() name="url" kind="url" label="Address" first=url.to_string() mono=true/>
                    <Select form=form.clone() name="era" label="Protocol" first=source.era.word() picks=picks/>
                    {tunnels.field(form.clone(), &source.tunnel.map(|id| id.to_string()).unwrap_or_default())}
                    {authorities::field(form.clone(), trusted)}
                    {credential_choice(form.clone(), &source.auth_kind)}
                    {asks_whose.then(|| runs_as(form, source.runs_as))}
                    {save}
                </form>
            }
            .into_any()
        }
        Reach::SparkHistory { url } => view! {
            <form class="grid max-w-3xl gap-5" method="post" action=EDIT_HTTP>
                {hidden}
                <input type="hidden" name="era" value="auto"/>
                <FormMistake form=form.clone()/>
                <Field form=form.clone() name="name" label="Name" first=source.name.to_string() mono=true/>
                <Field
                    form=form.clone()
                    name="url"
                    kind="url"
                    label="Address of the history server"
                    first=url.to_string()
                    mono=true
                />
                {tunnels.field(form.clone(), &source.tunnel.map(|id| id.to_string()).unwrap_or_default())}
                {authorities::field(form.clone(), trusted)}
                {credential_choice(form, &source.auth_kind)}
                {save}
            </form>
        }
        .into_any(),
        Reach::McpStdio { command, working_dir } => {
            let first = ProcessFirst {
                name: source.name.to_string(),
                command: command::join(&command),
                working_dir: working_dir.map(|dir| dir.display().to_string()).unwrap_or_default(),
                env: source.env_names.join("\n"),
            };
            view! {
                <form class="grid max-w-3xl gap-5" method="post" action=EDIT_PROCESS>
                    {hidden}
                    <FormMistake form=form.clone()/>
                    <ProcessFields form=form first=first/>
                    {save}
                </form>
            }
            .into_any()
        }
    }
}

/// Asks whose sign-in calls run with.
fn runs_as(form: Form, first: RunsAs) -> impl IntoView {
    let picks = vec![
        Pick::new("owner", "The organisation's").meaning("Whoever calls, the source sees the same account."),
        Pick::new("caller", "The caller's own")
            .meaning("Everybody signs in for themselves before their first call."),
        Pick::new("caller_or_owner", "The caller's own, else the organisation's")
            .meaning("Whoever has not signed in calls with the organisation's account."),
    ];
    view! { <Choice form=form name="runs_as" label="Calls run with the sign-in of" first=first.word() picks=picks/> }
}

fn credential_choice(form: Form, kind: &str) -> impl IntoView + use<> {
    match kind {
        "none" => view! { <CredentialChoice form=form first="none" kept=None/> },
        kind => view! { <CredentialChoice form=form first="keep" kept=Some(auth_words(kind))/> },
    }
}

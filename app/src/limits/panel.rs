//! What is set and free, and the form that sets it.

use std::collections::HashMap;

use doorward::{
    model::{ApiKey, ApiKeyId, CallRules, Preset, Rate, Source},
    quota::{SetBy, Shown, Standing},
};
use leptos::prelude::*;

use super::api::{OF_KEY, OF_PRESET, OF_SOURCE};
use crate::{
    context::console,
    form::Form,
    ui::{Field, FormMistake, Panel, TextArea, count},
};

/// What would be right for a rate.
const RATE_HINT: &str = "So many per `second`, `minute`, `hour` or `day`, as `600/minute`. Where fewer may come \
                         at the same moment: `600/minute, 20 at once`. Empty is no limit.";

/// Draws the field of a rate.
pub(crate) fn rate_field(form: Form, label: &'static str, first: Option<Rate>) -> impl IntoView + use<> {
    let first = first.map(|rate| rate.to_string()).unwrap_or_default();
    view! {
        <Field form name="rate" label=format!("{label} come no faster than") first hint=RATE_HINT optional=true mono=true/>
    }
}

/// The limits of keys, with what is free of them.
pub(crate) struct KeyLimits {
    standing: HashMap<ApiKeyId, Vec<Standing>>,
    form: Form,
}

/// Returns how full the buckets of keys are, and what was typed into the form of one.
pub(crate) async fn of_keys(keys: &[ApiKey], form: Form) -> KeyLimits {
    let mut standing = HashMap::new();
    for key in keys.iter().filter(|key| key.revoked_at.is_none()) {
        standing.insert(key.id, console().quota.shown(Shown::Key(key)).await);
    }
    KeyLimits { standing, form }
}

impl KeyLimits {
    /// Draws the limit of a key, and the form that sets it.
    pub(crate) fn of(&self, key: &ApiKey) -> impl IntoView + use<> {
        let says = match self.standing.get(&key.id).and_then(|standing| standing.first()) {
            Some(one) => format!("{}: {} free", one.rate, one.free),
            None => "no limit of its own".to_owned(),
        };
        // A refusal belongs to the key that it was typed for.
        let id = key.id.to_string();
        let is_this = self.form.value("id") == Some(&id);
        let form = if is_this { self.form.clone() } else { Form::new(&format!("limits-{id}")) };
        let (rate, name) = (key.rate, key.name.clone());
        view! {
            <details open=is_this class="mt-1 text-xs">
                <summary class="link inline-block">{says} <span class="sr-only">" for the key " {name}</span></summary>
                <form class="mt-2 grid min-w-48 gap-2" method="post" action=OF_KEY>
                    <FormMistake form=form.clone()/>
                    <input type="hidden" name="id" value=id/>
                    {rate_field(form, "Calls with it", rate)}
                    <div><button class="button" type="submit">"Save the limit"</button></div>
                </form>
            </details>
        }
    }
}

/// Draws the limits of a preset.
pub(crate) async fn of_preset(preset: &Preset, form: Form) -> AnyView {
    let standing = console().quota.shown(Shown::Preset(preset.id, &preset.rules)).await;
    let lead = "How fast calls of this preset may come, whoever makes them. Whoever calls faster is told when to try again, \
                and nothing is charged.";
    let hidden = hidden([("id", preset.id.to_string()), ("version", preset.version.to_string())]);
    let more = retries(&preset.rules, form.clone()).into_any();
    let fields =
        view! { {hidden} {rules(&preset.rules, form.clone(), "by the name that callers see")} {more} };
    panel(lead, OF_PRESET, standing, form, fields.into_any())
}

/// Draws the limits of a data source.
pub(crate) async fn of_source(source: &Source, form: Form) -> AnyView {
    let standing = console().quota.shown(Shown::Source(source.id, &source.rules)).await;
    let lead = "How fast calls may reach this data source, by whichever preset and whoever makes them.";
    let hidden = hidden([("id", source.id.to_string()), ("version", source.version.to_string())]);
    let rules = rules(&source.rules, form.clone(), "by the name that the data source knows");
    panel(lead, OF_SOURCE, standing, form, view! { {hidden} {rules} }.into_any())
}

fn hidden(fields: [(&'static str, String); 2]) -> impl IntoView {
    fields.map(|(name, value)| view! { <input type="hidden" name=name value=value/> }).collect_view()
}

/// Draws the fields of what is said of calls, tools named in this way.
fn rules(rules: &CallRules, form: Form, names: &'static str) -> impl IntoView + use<> {
    let tools: String = rules.tools.iter().map(|(name, rate)| format!("{name} = {rate}\n")).collect();
    let hint = format!(
        "Each on a line of its own, {names}: `send = 10/minute`. Such a limit holds beside the one for all calls."
    );
    let rate = rules.rate;
    view! {
        {rate_field(form.clone(), "All calls together", rate)}
        <TextArea form name="tools" label="Limits of single tools" first=tools hint optional=true mono=true/>
    }
}

fn panel(
    lead: &'static str,
    action: &'static str,
    standing: Vec<Standing>,
    form: Form,
    fields: AnyView,
) -> AnyView {
    view! {
        <Panel title="Limits" lead>
            <div class="grid grid-cols-1 gap-4">
                {state(standing)}
                <form class="grid max-w-xl gap-4" method="post" action=action>
                    <FormMistake form=form/>
                    {fields}
                    <div><button class="button" type="submit">"Save the limits"</button></div>
                </form>
            </div>
        </Panel>
    }
    .into_any()
}

/// Draws which calls are made once.
fn retries(rules: &CallRules, form: Form) -> impl IntoView + use<> {
    let tools: String = rules.retries.tools.iter().map(|name| format!("{name}\n")).collect();
    let all = rules.retries.by_annotations;
    view! {
        <TextArea
            form
            name="once"
            label="Tools that are called once"
            first=tools
            hint="Each on a line of its own, by the name that callers see. Whoever sends the same call again, with the same \
                  arguments, gets the answer of the first."
            optional=true
            mono=true
        />
        <label class="flex items-start gap-2">
            <input class="mt-1" type="checkbox" name="by_annotations" value="on" checked=all/>
            <span>
                "Also every tool that may change something: one that does not say of itself that it only reads, or that calling \
                 it again does nothing more."
            </span>
        </label>
    }
}

/// Draws what is free at this moment.
fn state(standing: Vec<Standing>) -> AnyView {
    if standing.is_empty() {
        return view! { <p class="text-muted">"Nothing limits how fast calls may come."</p> }.into_any();
    }
    let rows = standing
        .into_iter()
        .map(|Standing { tool, set_by, rate, free, .. }| {
            let what = tool.map_or_else(|| "All calls together".to_owned(), |tool| format!("`{tool}`"));
            let by = match set_by {
                SetBy::Owner => "",
                SetBy::Operator => " (set by the operator for all)",
            };
            view! {
                <li class="flex flex-wrap items-baseline justify-between gap-x-3 py-1.5">
                    <span>{what} {by}</span>
                    <span class="text-muted">{rate.to_string()} ", " {count(i64::from(free))} " free at this moment"</span>
                </li>
            }
        })
        .collect_view();
    view! { <ul class="divide-y divide-line">{rows}</ul> }.into_any()
}

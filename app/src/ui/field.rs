//! Fields with their label, hint and mistake; the value typed survives a refusal.

use leptos::prelude::*;

use crate::form::Form;

/// A text field.
#[component]
pub(crate) fn Field(
    /// The form it belongs to.
    form: Form,
    /// Its name in the form.
    name: &'static str,
    /// Its label.
    #[prop(into)]
    label: String,
    /// What it shows at first.
    #[prop(optional, into)]
    first: String,
    /// What would be right.
    #[prop(optional, into)]
    hint: String,
    /// The type of the element.
    #[prop(default = "text")]
    kind: &'static str,
    /// What browsers may fill in.
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// An example.
    #[prop(optional, into)]
    placeholder: String,
    /// A regular expression for the browser.
    #[prop(optional)]
    pattern: Option<&'static str>,
    /// Whether it may be empty.
    #[prop(optional)]
    optional: bool,
    /// Whether it may be empty, for reasons that are plain to see.
    #[prop(optional)]
    plain: bool,
    /// Whether the keyboard begins here.
    #[prop(optional)]
    autofocus: bool,
    /// Whether it holds code, an address or a name for machines.
    #[prop(optional)]
    mono: bool,
    /// The least length.
    #[prop(optional)]
    minlength: Option<u32>,
) -> impl IntoView {
    let mistake = form.mistake(name).map(str::to_owned);
    // A password is never shown again, not even to whoever typed it.
    let value = (kind != "password").then(|| form.value_or(name, &first));
    // After a refusal the keyboard begins where the mistake is.
    let begins_here = if form.is_refused() { mistake.is_some() } else { autofocus };
    let id = id_of(&form, name);
    let described = described_by(&id, &hint, mistake.is_some());
    let class = if mono { tw!("font-mono") } else { "" };
    view! {
        <div class="field">
            <label for=id.clone()>
                {label} {(optional && !plain).then(|| view! { <span class="font-normal text-muted">" (optional)"</span> })}
            </label>
            <input
                class=class
                id=id.clone()
                name=name
                type=kind
                value=value
                autocomplete=autocomplete
                placeholder=(!placeholder.is_empty()).then_some(placeholder)
                pattern=pattern
                required=!optional
                autofocus=begins_here
                minlength=minlength
                spellcheck="false"
                aria-invalid=mistake.is_some().then_some("true")
                aria-describedby=described
            />
            <Below id=id hint=hint mistake=mistake/>
        </div>
    }
}

/// A field of several lines.
#[component]
pub(crate) fn TextArea(
    /// The form it belongs to.
    form: Form,
    /// Its name in the form.
    name: &'static str,
    /// Its label.
    #[prop(into)]
    label: String,
    /// What it shows at first.
    #[prop(optional, into)]
    first: String,
    /// What would be right.
    #[prop(optional, into)]
    hint: String,
    /// How many lines are shown.
    #[prop(default = 3)]
    rows: u32,
    /// An example.
    #[prop(optional, into)]
    placeholder: String,
    /// Whether it may be empty.
    #[prop(optional)]
    optional: bool,
    /// Whether it holds code.
    #[prop(optional)]
    mono: bool,
) -> impl IntoView {
    let mistake = form.mistake(name).map(str::to_owned);
    let value = form.value_or(name, &first);
    let id = id_of(&form, name);
    let described = described_by(&id, &hint, mistake.is_some());
    let class = if mono { tw!("font-mono text-[13px]") } else { "" };
    view! {
        <div class="field">
            <label for=id.clone()>
                {label} {optional.then(|| view! { <span class="font-normal text-muted">" (optional)"</span> })}
            </label>
            <textarea
                class=class
                id=id.clone()
                name=name
                rows=rows
                required=!optional
                spellcheck="false"
                placeholder=(!placeholder.is_empty()).then_some(placeholder)
                aria-invalid=mistake.is_some().then_some("true")
                aria-describedby=described
            >
                {value}
            </textarea>
            <Below id=id hint=hint mistake=mistake/>
        </div>
    }
}

/// One of the things that can be chosen.
#[derive(Clone, Debug)]
pub(crate) struct Pick {
    /// What the form sends.
    pub value: String,
    /// What the person reads.
    pub label: String,
    /// What it means; empty if the label says it.
    pub hint: String,
}

impl Pick {
    /// Makes one whose label says everything.
    pub(crate) fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into(), hint: String::new() }
    }

    /// Says what it means.
    pub(crate) fn meaning(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

/// A list to choose one thing from.
#[component]
pub(crate) fn Select(
    /// The form it belongs to.
    form: Form,
    /// Its name in the form.
    name: &'static str,
    /// Its label.
    #[prop(into)]
    label: String,
    /// What is chosen at first.
    #[prop(optional, into)]
    first: String,
    /// What would be right.
    #[prop(optional, into)]
    hint: String,
    /// What can be chosen.
    picks: Vec<Pick>,
) -> impl IntoView {
    let mistake = form.mistake(name).map(str::to_owned);
    let chosen = form.value_or(name, &first);
    let id = id_of(&form, name);
    let described = described_by(&id, &hint, mistake.is_some());
    let options = picks
        .into_iter()
        .map(|pick| {
            let selected = pick.value == chosen;
            view! { <option value=pick.value selected=selected>{pick.label}</option> }
        })
        .collect_view();
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <select
                id=id.clone()
                name=name
                aria-invalid=mistake.is_some().then_some("true")
                aria-describedby=described
            >
                {options}
            </select>
            <Below id=id hint=hint mistake=mistake/>
        </div>
    }
}

/// A few things to choose one from, all of them visible.
#[component]
pub(crate) fn Choice(
    /// The form it belongs to.
    form: Form,
    /// Its name in the form.
    name: &'static str,
    /// Its label.
    #[prop(into)]
    label: String,
    /// What is chosen at first.
    #[prop(optional, into)]
    first: String,
    /// What can be chosen.
    picks: Vec<Pick>,
) -> impl IntoView {
    let mistake = form.mistake(name).map(str::to_owned);
    let chosen = form.value_or(name, &first);
    let id = id_of(&form, name);
    let described = described_by(&id, "", mistake.is_some());
    let rows = picks
        .into_iter()
        .map(|pick| {
            let checked = pick.value == chosen;
            view! {
                <label class="flex items-start gap-2.5 rounded-md border border-line px-3 py-2 font-normal hover:bg-hover has-checked:border-accent has-checked:bg-accent-soft">
                    <input class="mt-0.5" type="radio" name=name value=pick.value checked=checked/>
                    <span class="grid">
                        <span class="font-medium">{pick.label}</span>
                        {(!pick.hint.is_empty()).then(|| view! { <span class="field-hint">{pick.hint}</span> })}
                    </span>
                </label>
            }
        })
        .collect_view();
    view! {
        <fieldset class="field" aria-describedby=described>
            <legend class="mb-1 font-medium">{label}</legend>
            <div class="grid gap-2">{rows}</div>
            <Below id=id hint=String::new() mistake=mistake/>
        </fieldset>
    }
}

/// What is wrong with the form as a whole.
#[component]
pub(crate) fn FormMistake(
    /// The form.
    form: Form,
) -> impl IntoView {
    form.mistake("").map(str::to_owned).map(|text| {
        view! {
            <crate::ui::Notice tone=crate::ui::Tone::Bad>
                <p>{text}</p>
            </crate::ui::Notice>
        }
    })
}

#[component]
fn Below(id: String, hint: String, mistake: Option<String>) -> impl IntoView {
    view! {
        {mistake.map(|text| view! { <p class="field-error" id=format!("{id}-mistake")>{text}</p> })}
        {(!hint.is_empty()).then(|| view! { <p class="field-hint" id=format!("{id}-hint")>{hint}</p> })}
    }
}

fn id_of(form: &Form, name: &str) -> String {
    format!("{}-{name}", form.name())
}

fn described_by(id: &str, hint: &str, mistaken: bool) -> Option<String> {
    match (mistaken, hint.is_empty()) {
        (true, true) => Some(format!("{id}-mistake")),
        (true, false) => Some(format!("{id}-mistake {id}-hint")),
        (false, false) => Some(format!("{id}-hint")),
        (false, true) => None,
    }
}

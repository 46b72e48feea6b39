//! Fields with their label, hint and mistake; the value typed survives a refusal.

use leptos::prelude::*;

use crate::{form::Form, ui::prose};

/// What every field has around its control: a label, a hint, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    id: String,
    hint: String,
    mistake: Option<String>,
    optional: bool,
}

impl Frame {
    /// Begins the frame of a form's field.
    pub(crate) fn new(form: &Form, name: &str) -> Self {
        Self {
            id: format!("{}-{name}", form.name()),
            mistake: form.mistake(name).map(str::to_owned),
            ..Self::default()
        }
    }

    /// Says what would be right.
    pub(crate) fn hint(self, hint: String) -> Self {
        Self { hint, ..self }
    }

    /// Says whether the label tells that the field may be empty.
    pub(crate) fn optional(self, optional: bool) -> Self {
        Self { optional, ..self }
    }

    /// The id of the control.
    pub(crate) fn id(&self) -> String {
        self.id.clone()
    }

    /// The control's `aria-invalid`.
    pub(crate) fn invalid(&self) -> Option<&'static str> {
        self.mistake.is_some().then_some("true")
    }

    /// The control's `aria-describedby`.
    pub(crate) fn described_by(&self) -> Option<String> {
        let id = &self.id;
        match (self.mistake.is_some(), self.hint.is_empty()) {
            (true, true) => Some(format!("{id}-mistake")),
            (true, false) => Some(format!("{id}-mistake {id}-hint")),
            (false, false) => Some(format!("{id}-hint")),
            (false, true) => None,
        }
    }

    /// Draws label, control and what stands below.
    pub(crate) fn around(
        self,
        label: impl IntoView + 'static,
        control: impl IntoView + 'static,
    ) -> impl IntoView {
        let optional =
            self.optional.then(|| view! { <span class="font-normal text-muted">" (optional)"</span> });
        let id = self.id();
        view! {
            <div class="field">
                <label for=id>{label} {optional}</label>
                {control}
                {self.below()}
            </div>
        }
    }

    /// Draws things to choose one from under one legend.
    pub(crate) fn around_several(
        self,
        legend: impl IntoView + 'static,
        controls: impl IntoView + 'static,
    ) -> impl IntoView {
        let (invalid, described) = (self.invalid(), self.described_by());
        view! {
            <fieldset class="field" role="radiogroup" aria-invalid=invalid aria-describedby=described>
                <legend class="mb-1 font-medium">{legend}</legend>
                <div class="grid gap-2">{controls}</div>
                {self.below()}
            </fieldset>
        }
    }

    fn below(self) -> impl IntoView {
        let Self { id, hint, mistake, .. } = self;
        view! {
            {mistake.map(|text| view! { <p class="field-error" id=format!("{id}-mistake")>{prose(&text)}</p> })}
            {(!hint.is_empty()).then(|| view! { <p class="field-hint" id=format!("{id}-hint")>{prose(&hint)}</p> })}
        }
    }
}

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
    let frame = Frame::new(&form, name).hint(hint).optional(optional && !plain);
    // A password is never shown again, not even to whoever typed it.
    let value = (kind != "password").then(|| form.value_or(name, &first));
    // After a refusal the keyboard begins where the mistake is.
    let begins_here = if form.is_refused() { frame.invalid().is_some() } else { autofocus };
    let control = view! {
        <input
            class=if mono { tw!("font-mono") } else { "" }
            id=frame.id()
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
            aria-invalid=frame.invalid()
            aria-describedby=frame.described_by()
        />
    };
    frame.around(label, control)
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
    let frame = Frame::new(&form, name).hint(hint).optional(optional);
    let value = form.value_or(name, &first);
    let control = view! {
        <textarea
            class=if mono { tw!("font-mono text-[13px]") } else { "" }
            id=frame.id()
            name=name
            rows=rows
            required=!optional
            spellcheck="false"
            placeholder=(!placeholder.is_empty()).then_some(placeholder)
            aria-invalid=frame.invalid()
            aria-describedby=frame.described_by()
        >
            {value}
        </textarea>
    };
    frame.around(label, control)
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
    let frame = Frame::new(&form, name).hint(hint);
    let chosen = form.value_or(name, &first);
    let options = picks
        .into_iter()
        .map(|pick| {
            let selected = pick.value == chosen;
            view! { <option value=pick.value selected=selected>{pick.label}</option> }
        })
        .collect_view();
    let control = view! {
        <select id=frame.id() name=name aria-invalid=frame.invalid() aria-describedby=frame.described_by()>
            {options}
        </select>
    };
    frame.around(label, control)
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
    let frame = Frame::new(&form, name);
    let chosen = form.value_or(name, &first);
    let rows = picks
        .into_iter()
        .map(|pick| {
            let checked = pick.value == chosen;
            view! { <Radio name=name value=pick.value checked=checked label=pick.label hint=pick.hint/> }
        })
        .collect_view();
    frame.around_several(label, rows)
}

/// One of a few things to choose from, in a box that is marked when it is chosen.
#[component]
pub(crate) fn Radio(
    /// The name all of them share.
    name: &'static str,
    /// What the form sends.
    #[prop(into)]
    value: String,
    /// Whether it is the one chosen at first.
    checked: bool,
    /// What the person reads.
    #[prop(into)]
    label: String,
    /// What it means; empty if the label says it.
    #[prop(into)]
    hint: String,
    /// What is asked for besides, once it is chosen.
    #[prop(optional_no_strip)]
    fields: Option<AnyView>,
) -> impl IntoView {
    view! {
        <div class="group rounded-md border border-line has-checked:border-accent has-checked:bg-accent-soft">
            <label class="flex items-start gap-2.5 rounded-md px-3 py-2 font-normal hover:bg-hover">
                <input class="mt-0.5" type="radio" name=name value=value checked=checked/>
                <span class="grid">
                    <span class="font-medium">{label}</span>
                    {(!hint.is_empty()).then(|| view! { <span class="field-hint">{prose(&hint)}</span> })}
                </span>
            </label>
            {fields.map(|fields| view! {
                <div class="hidden px-3 pb-3 pl-9 group-[:has(:checked)]:block">{fields}</div>
            })}
        </div>
    }
}

/// What is wrong with the form as a whole.
#[component]
pub(crate) fn FormMistake(
    /// The form.
    form: Form,
) -> impl IntoView {
    form.mistake("").map(prose).map(|text| {
        view! {
            <crate::ui::Notice tone=crate::ui::Tone::Bad>
                <p>{text}</p>
            </crate::ui::Notice>
        }
    })
}

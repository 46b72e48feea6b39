//! Buttons that change something: a form each, so that they work everywhere.

use leptos::prelude::*;

use crate::{
    form::Form,
    ui::{Field, FormMistake, Icon},
};

/// A button that posts to a server function.
#[component]
pub(crate) fn PostButton(
    /// The server function's path.
    action: &'static str,
    /// What is sent along.
    #[prop(optional)]
    fields: Vec<(&'static str, String)>,
    /// The classes of the button.
    #[prop(default = tw!("button button-small"))]
    class: &'static str,
    /// What the button is called for screen readers, if its text does not say it.
    #[prop(optional, into)]
    label: Option<String>,
    /// What stands on it.
    children: Children,
) -> impl IntoView {
    let hidden = fields
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
        .collect_view();
    view! {
        <form method="post" action=action class="contents">
            {hidden}
            <button type="submit" class=class aria-label=label>{children()}</button>
        </form>
    }
}

/// A button that unfolds into what would be lost and the button that does it.
#[component]
pub(crate) fn ConfirmInPlace(
    /// The server function's path.
    action: &'static str,
    /// What is sent along.
    fields: Vec<(&'static str, String)>,
    /// What both buttons say.
    verb: &'static str,
    /// What the last button is called for screen readers.
    #[prop(into)]
    label: String,
    /// What will stop working, and for whom.
    children: Children,
) -> impl IntoView {
    view! {
        <details class="group">
            <summary class="button button-small button-danger">
                <span class="group-open:hidden">{verb} "…"</span>
                <span class="hidden group-open:inline">"Keep it"</span>
            </summary>
            <div class="mt-2 ml-auto grid w-44 justify-items-end sm:w-56 gap-2 whitespace-normal">
                <p class="text-[13px] text-muted">{children()}</p>
                <PostButton action fields label class=tw!("button button-small button-danger")>{verb}</PostButton>
            </div>
        </details>
    }
}

/// A form that deletes something after its name was typed.
#[component]
pub(crate) fn ConfirmByName(
    /// The server function's path; it gets `confirm` and the fields.
    action: &'static str,
    /// What is sent along.
    fields: Vec<(&'static str, String)>,
    /// The form as typed before.
    form: Form,
    /// The name to type.
    #[prop(into)]
    name: String,
    /// What the button says.
    #[prop(into)]
    verb: String,
    /// What will stop working, and for whom.
    children: Children,
) -> impl IntoView {
    let hidden = fields
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
        .collect_view();
    view! {
        <form method="post" action=action class="grid max-w-xl gap-4">
            {hidden}
            <FormMistake form=form.clone()/>
            <div class="grid gap-2">{children()}</div>
            <Field form=form name="confirm" label=format!("Type “{name}” to confirm") mono=true/>
            <div>
                <button type="submit" class="button button-danger">{Icon::Trash.draw()} {verb}</button>
            </div>
        </form>
    }
}

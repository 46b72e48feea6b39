//! The sign-in page.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::api::{FORM, SIGN_IN};
use crate::{
    context::{console, local_path},
    form::{Flash, Form},
    page::{Page, bare},
    session,
    trouble::Trouble,
    ui::{Field, FormMistake},
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let next = local_path(&use_query_map().get_untracked().get("next").unwrap_or_default());
    bare(move |flash| load(flash, next))
}

async fn load(flash: Flash, next: String) -> Result<Page, Trouble> {
    if console().identity.setup_needed().await? {
        return Err(Trouble::Elsewhere("/setup".to_owned()));
    }
    if session::find().await?.is_some() {
        return Err(Trouble::Elsewhere(next));
    }
    let form = flash.form.filter(|form| form.name() == FORM).unwrap_or_else(|| Form::new(FORM));
    Ok(Page::new("Sign in", draw(form, next)))
}

fn draw(form: Form, next: String) -> impl IntoView {
    let typed = form.value("login").is_some();
    view! {
        <form class="grid gap-4" method="post" action=SIGN_IN>
            <FormMistake form=form.clone()/>
            <input type="hidden" name="next" value=next/>
            <Field
                form=form.clone()
                name="login"
                label="Handle or e-mail"
                autocomplete="username"
                autofocus=!typed
            />
            <Field
                form=form
                name="password"
                kind="password"
                label="Password"
                autocomplete="current-password"
                autofocus=typed
            />
            <button class="button button-primary" type="submit">"Sign in"</button>
        </form>
    }
}

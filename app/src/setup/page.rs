//! The set-up page.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::api::{CREATE_OWNER, FORM};
use crate::{
    context::console,
    form::{Flash, Form},
    page::{Page, bare},
    trouble::Trouble,
    ui::{Field, FormMistake, Notice, Tone},
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let token = use_query_map().get_untracked().get("token").unwrap_or_default();
    bare(move |flash| load(flash, token))
}

async fn load(flash: Flash, token: String) -> Result<Page, Trouble> {
    if !console().identity.setup_needed().await? {
        return Err(Trouble::Elsewhere("/sign-in".to_owned()));
    }
    if token.is_empty() {
        let body = view! {
            <Notice tone=Tone::Plain>
                <p>
                    "The program printed a one-time link when it started. Open that link: it holds the token that "
                    "lets you make the owner account."
                </p>
            </Notice>
            <p class="text-muted">
                "If the line is out of sight, start the program again; it prints a new one."
            </p>
        };
        return Ok(Page::new("Almost there", body).lead("This Doorward has no owner yet."));
    }
    let form = flash.form(FORM);
    Ok(Page::new("Make it yours", draw(form, token))
        .lead("One account owns this Doorward: it manages people, plans and everything else."))
}

fn draw(form: Form, token: String) -> impl IntoView {
    view! {
        <form class="grid gap-4" method="post" action=CREATE_OWNER>
            <FormMistake form=form.clone()/>
            <input type="hidden" name="token" value=token/>
            <Field
                form=form.clone()
                name="handle"
                label="Handle"
                hint="Part of every address you share, as in /mcp/ada/release-notes. Lower-case letters, digits and -."
                placeholder="ada"
                pattern="[a-z0-9]([a-z0-9\\-]*[a-z0-9])?"
                autocomplete="username"
                autofocus=true
            />
            <Field
                form=form.clone()
                name="email"
                kind="email"
                label="E-mail"
                placeholder="ada@example.org"
                autocomplete="email"
            />
            <Field
                form=form
                name="password"
                kind="password"
                label="Password"
                hint="Ten characters or more. A few words in a row do well."
                autocomplete="new-password"
            />
            <button class="button button-primary" type="submit">"Create the owner account"</button>
        </form>
    }
}

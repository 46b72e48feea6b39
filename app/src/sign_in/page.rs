//! The sign-in page.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::api::{FORM, SIGN_IN};
use crate::{
    context::{console, local_path},
    form::{Flash, Form, encode},
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
    let form = flash.form(FORM);
    let body = view! {
        <div class="grid gap-5">{draw(form, next.clone())} {others(&next)}</div>
    };
    Ok(Page::new("Sign in", body))
}

/// Draws a button for each provider; nothing if there is none.
fn others(next: &str) -> Option<impl IntoView + use<>> {
    let identity = console().identity.clone();
    let buttons: Vec<_> = identity
        .login_providers()
        .map(|provider| {
            let path = format!("/login/{}?next={}", provider.name, encode(next));
            let label = provider.label.clone();
            view! { <a class="button" href=path rel="nofollow">"Sign in with " {label}</a> }
        })
        .collect();
    (!buttons.is_empty()).then(|| view! { <div class="grid gap-2 border-t border-line pt-5">{buttons}</div> })
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

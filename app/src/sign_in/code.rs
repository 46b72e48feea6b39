//! The page that asks for the second factor, after the password or another provider.

use doorward::identity::IdentityError;
use leptos::{prelude::*, server_fn::ServerFn};
use leptos_router::hooks::use_query_map;

use crate::{
    context::{console, local_path},
    form::{Flash, Form, Mistake, Onward, encode, sign_in_path},
    page::{Page, bare},
    session::{self, UnderWay},
    trouble::Trouble,
    ui::{Field, FormMistake},
};

const SIGN_IN_WITH_CODE: &str = <SignInWithCode as ServerFn>::PATH;
const FORM: &str = "sign-in-code";

/// Returns the path of the page, which leads to `next` afterwards.
pub(super) fn code_path(next: &str) -> String {
    if next == "/" { "/sign-in/code".to_owned() } else { format!("/sign-in/code?next={}", encode(next)) }
}

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let next = local_path(&use_query_map().get_untracked().get("next").unwrap_or_default());
    bare(move |flash| load(flash, next))
}

async fn load(flash: Flash, next: String) -> Result<Page, Trouble> {
    if session::find().await?.is_some() {
        return Err(Trouble::Elsewhere(next));
    }
    let cookie = UnderWay::Half.sent().unwrap_or_default();
    if !console().identity.is_half_signed_in(&cookie).await? {
        return Err(Trouble::Elsewhere(sign_in_path(&next)));
    }
    let form = flash.form(FORM);
    Ok(Page::new("One more step", draw(form, next))
        .lead("Your authenticator shows a code of six digits for Doorward."))
}

fn draw(form: Form, next: String) -> impl IntoView {
    view! {
        <form class="grid gap-4" method="post" action=SIGN_IN_WITH_CODE>
            <FormMistake form=form.clone()/>
            <input type="hidden" name="next" value=next/>
            <Field
                form=form
                name="code"
                label="Code"
                hint="Or one of your recovery codes, if you do not have the authenticator. Each works once."
                autocomplete="one-time-code"
                autofocus=true
            />
            <button class="button button-primary" type="submit">"Sign in"</button>
            <p class="text-[13px] text-muted">
                "You have neither? The operator of this Doorward can take the second step away."
            </p>
        </form>
    }
}

/// Signs in whoever has shown the first factor and shows the second.
#[server(prefix = "/do", endpoint = "sign-in-code")]
pub async fn sign_in_with_code(code: String, #[server(default)] next: String) -> Result<(), ServerFnError> {
    let next = local_path(&next);
    Form::new(FORM).answer(&code_path(&next), begin(&code, &next).await)
}

async fn begin(code: &str, next: &str) -> Result<Onward, Mistake> {
    let identity = console().identity.clone();
    let cookie = UnderWay::Half.sent().unwrap_or_default();
    let session = identity.sign_in_with_code(&cookie, code, &session::origin()).await;
    let session = session.map_err(|error| match error {
        IdentityError::WrongCode => Mistake::field("code", error),
        // Who was too slow begins again, with what was to be seen afterwards.
        IdentityError::CodeTooLate => Trouble::Elsewhere(sign_in_path(next)).into(),
        other => super::api::mistake(other),
    })?;
    UnderWay::Half.end();
    session::replace(&session.cookie).await?;
    Ok(Onward::to(next))
}

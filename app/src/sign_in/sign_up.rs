//! The page on which somebody whom a provider knows makes an account.

use doorward::{
    identity::{IdentityError, LoginError},
    model::{Handle, PendingLogin},
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::login::{ADD_PATH, SIGN_UP_PATH, told};
use crate::{
    context::{console, local_path},
    form::{Flash, Form, Mistake, Onward, sign_in_path},
    invitation::invitee,
    page::{Page, bare},
    session::{self, UnderWay},
    trouble::Trouble,
    ui::{Fact, Facts, Field, FormMistake},
};

const SIGN_UP: &str = <SignUp as ServerFn>::PATH;
const FORM: &str = "sign-up";
/// The longest handle suggested, in characters. It is as long as one may be.
const SUGGESTED_MAX: usize = 39;

/// Draws the page.
pub(crate) fn page() -> AnyView {
    bare(load)
}

async fn load(flash: Flash) -> Result<Page, Trouble> {
    let identity = console().identity.clone();
    let cookie = UnderWay::Unclaimed.sent().unwrap_or_default();
    let Some(pending) = identity.pending_login(&cookie).await? else {
        return Err(Trouble::Elsewhere("/sign-in".to_owned()));
    };
    if session::find().await?.is_some() {
        return Err(Trouble::Elsewhere(ADD_PATH.to_owned()));
    }
    let label = identity.login_providers().find(|provider| provider.name == pending.provider);
    let label = label.map_or_else(|| pending.provider.clone(), |provider| provider.label.clone());
    let form = flash.form(FORM);
    Ok(Page::new("Make your account", draw(form, &pending, label))
        .lead("You sign in to it as you just did; it needs no password."))
}

fn draw(form: Form, pending: &PendingLogin, label: String) -> impl IntoView + use<> {
    let email = pending.email.as_ref().map(ToString::to_string).unwrap_or_default();
    let form = form.filled([("handle".to_owned(), suggested(&email))]);
    view! {
        <form class="grid gap-4" method="post" action=SIGN_UP>
            <FormMistake form=form.clone()/>
            <Facts>
                <Fact term="You sign in with">{label}</Fact>
                <Fact term="E-mail">{email}</Fact>
            </Facts>
            <Field
                form=form
                name="handle"
                label="Handle"
                hint="Part of every address you share, as in /mcp/ada/release-notes. It cannot be changed later."
                pattern="[a-z0-9]([a-z0-9\\-]*[a-z0-9])?"
                autocomplete="username"
                autofocus=true
            />
            <button class="button button-primary" type="submit">"Make the account"</button>
            <p class="text-[13px] text-muted">
                "You have an account already? "
                <a class="link" href=sign_in_path(ADD_PATH)>"Sign in to it"</a> " and add this login."
            </p>
        </form>
    }
}

/// Returns what of an address makes a handle.
fn suggested(email: &str) -> String {
    let local = email.split('@').next().unwrap_or_default().to_lowercase();
    let plain: String = local
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .take(SUGGESTED_MAX)
        .collect();
    plain.trim_matches('-').to_owned()
}

/// Makes an account for whoever a provider has just recognised in this browser.
#[server(prefix = "/do", endpoint = "sign-up")]
pub async fn sign_up(handle: String) -> Result<(), ServerFnError> {
    let handle = handle.trim().to_lowercase();
    let form = Form::new(FORM).keep("handle", &handle);
    form.answer(SIGN_UP_PATH, make(&handle).await)
}

async fn make(handle: &str) -> Result<Onward, Mistake> {
    let handle = Handle::parse(handle).map_err(|error| Mistake::field("handle", error))?;
    let cookie = UnderWay::Unclaimed.sent().unwrap_or_default();
    let welcome = format!("Welcome, {handle}.");
    let invitee = invitee().await.map_err(Trouble::from)?;
    let made = console().identity.sign_up(&cookie, handle, invitee.as_ref(), &session::origin()).await;
    let (session, next) = made.map_err(|error| match error {
        LoginError::Identity(error @ IdentityError::Taken { what: "handle" }) => {
            Mistake::field("handle", error)
        }
        LoginError::Identity(error @ (IdentityError::Taken { .. } | IdentityError::NotInvited)) => {
            Mistake::form(error)
        }
        other => told(other),
    })?;
    UnderWay::Unclaimed.end();
    session::begin(&session.cookie);
    Ok(Onward::to(local_path(&next)).saying(welcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_suggested_from_the_address() {
        assert_eq!(suggested("Ada.Lovelace+x@example.org"), "ada-lovelace-x");
        assert_eq!(suggested("_@example.org"), "");
    }
}

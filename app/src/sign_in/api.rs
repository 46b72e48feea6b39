//! What the sign-in page and the account's menu post.

use doorward::{identity::IdentityError, secret::Secret};
use leptos::{prelude::*, server_fn::ServerFn};

use super::code::code_path;
use crate::{
    context::{console, local_path},
    form::{Form, Mistake, Onward, sign_in_path},
    session,
};

/// Where signing in is posted to.
pub(crate) const SIGN_IN: &str = <SignIn as ServerFn>::PATH;
/// Where signing out is posted to.
pub(crate) const SIGN_OUT: &str = <SignOut as ServerFn>::PATH;

/// The name of the form.
pub(crate) const FORM: &str = "sign-in";

/// Signs in. Nobody is signed in yet, so there is no session to check.
#[server(prefix = "/do", endpoint = "sign-in")]
pub async fn sign_in(
    login: String,
    password: String,
    #[server(default)] next: String,
) -> Result<(), ServerFnError> {
    let password = Secret::new(password);
    let next = local_path(&next);
    let form = Form::new(FORM).keep("login", login.trim());
    form.answer(&sign_in_path(&next), begin(login.trim(), password, &next).await)
}

async fn begin(login: &str, password: Secret, next: &str) -> Result<Onward, Mistake> {
    let identity = console().identity.clone();
    let session = match identity.sign_in(login, password, &session::origin()).await {
        Err(IdentityError::CodeNeeded { cookie }) => {
            session::UnderWay::Half.begin(&cookie);
            return Ok(Onward::to(code_path(next)));
        }
        other => other.map_err(mistake)?,
    };
    session::replace(&session.cookie).await?;
    Ok(Onward::to(next))
}

pub(super) fn mistake(error: IdentityError) -> Mistake {
    match error {
        IdentityError::WrongCredentials
        | IdentityError::Disabled
        | IdentityError::SignInAgain
        | IdentityError::Throttled { .. } => Mistake::form(error),
        other => other.into(),
    }
}

/// Signs out. Whoever is not signed in is signed out already.
#[server(prefix = "/do", endpoint = "sign-out")]
pub async fn sign_out() -> Result<(), ServerFnError> {
    let form = Form::new("sign-out");
    form.answer("/", end().await)
}

async fn end() -> Result<Onward, Mistake> {
    if let Some(cookie) = session::sent() {
        console().identity.sign_out(&cookie, &session::origin()).await?;
    }
    session::end();
    Ok(Onward::to("/sign-in").saying("You are signed out."))
}

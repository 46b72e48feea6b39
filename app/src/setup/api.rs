//! What the set-up page posts.

use doorward::{
    identity::IdentityError,
    model::{Email, Handle},
    secret::Secret,
};
use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    context::console,
    form::{Form, Mistake, Onward, encode},
    session,
    trouble::Trouble,
};

/// Where making the owner account is posted to.
pub(crate) const CREATE_OWNER: &str = <CreateOwner as ServerFn>::PATH;

/// The name of the form.
pub(crate) const FORM: &str = "setup";

/// Makes the owner account. The token from the program's output stands for the session there cannot
/// be yet.
#[server(prefix = "/do", endpoint = "setup")]
pub async fn create_owner(
    token: String,
    handle: String,
    email: String,
    password: String,
) -> Result<(), ServerFnError> {
    let password = Secret::new(password);
    let back = format!("/setup?token={}", encode(&token));
    let (handle, email) = (handle.trim().to_lowercase(), email.trim().to_owned());
    let form = Form::new(FORM).keep("handle", &handle).keep("email", &email);
    form.answer(&back, begin(Secret::new(token), &handle, &email, password).await)
}

async fn begin(token: Secret, handle: &str, email: &str, password: Secret) -> Result<Onward, Mistake> {
    let handle = Handle::parse(handle).map_err(|error| Mistake::field("handle", error))?;
    let email = Email::parse(email).map_err(|error| Mistake::field("email", error))?;
    let identity = console().identity.clone();
    let session = identity
        .create_owner(&token, &handle, &email, password, &session::origin())
        .await
        .map_err(mistake)?;
    session::begin(&session.cookie);
    Ok(Onward::to("/").saying(format!("Welcome, {handle}. This Doorward is yours.")))
}

fn mistake(error: IdentityError) -> Mistake {
    match error {
        IdentityError::WeakPassword { .. } => Mistake::field("password", error),
        IdentityError::Taken { what: "handle" } => Mistake::field("handle", error),
        IdentityError::Taken { .. } => Mistake::field("email", error),
        IdentityError::WrongSetupToken => Mistake::form(error),
        IdentityError::AlreadySetUp => Trouble::Elsewhere("/sign-in".to_owned()).into(),
        other => other.into(),
    }
}

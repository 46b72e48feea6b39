//! What the page of an invitation posts.

use std::sync::Arc;

use doorward::{
    identity::IdentityError,
    model::{Handle, Member},
    orgs::OrgError,
    presets::PresetError,
    secret::Secret,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::offered::{Offered, find};
use crate::{
    context::console,
    form::{Form, Mistake, Onward},
    session::{self, UnderWay},
    trouble::{Trouble, sentence},
};

/// Where accepting is posted to.
pub(crate) const ACCEPT: &str = <AcceptInvitation as ServerFn>::PATH;
/// Where making an account is posted to.
pub(crate) const SIGN_UP: &str = <SignUpInvited as ServerFn>::PATH;

/// The name of the form that accepts.
pub(crate) const FORM_ACCEPT: &str = "invitation-accept";
/// The name of the form that makes an account.
pub(crate) const FORM_SIGN_UP: &str = "invitation-sign-up";

/// The path of the page, for a browser that has opened an invitation.
pub(crate) const PATH: &str = "/invitation";

/// Accepts an invitation for whoever is signed in.
#[server(prefix = "/do", endpoint = "invitation-accept")]
pub async fn accept_invitation(token: String) -> Result<(), ServerFnError> {
    let token = Secret::new(token);
    let outcome = accept(&token).await;
    keep(&token, &outcome);
    Form::new(FORM_ACCEPT).answer(PATH, outcome)
}

async fn accept(token: &Secret) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    take(&member, token, "").await
}

/// Takes what is offered, and leads to it. Begins what is said with `first`.
async fn take(member: &Arc<Member>, token: &Secret, first: &str) -> Result<Onward, Mistake> {
    let console = console();
    match find(token).await?.ok_or_else(ended)? {
        Offered::Preset(_) => {
            let open = console.presets.accept(member, token).await.map_err(mistake)?;
            let said = format!("{first}It is yours to use. Connect your client with one of the lines below.");
            Ok(Onward::to(format!("/presets/{}/connect", open.preset.id)).saying(said))
        }
        Offered::Organisation(_) => {
            let acting = console.orgs.accept(member, token).await.map_err(no_member)?;
            console.identity.switch(&acting).await?;
            let said = format!("{first}You belong to {} now, and act in it.", acting.tenant_handle);
            Ok(Onward::to(format!("/organisations/{}", acting.tenant_handle)).saying(said))
        }
    }
}

/// Makes an account for the address that was invited, and accepts.
#[server(prefix = "/do", endpoint = "invitation-sign-up")]
pub async fn sign_up_invited(token: String, handle: String, password: String) -> Result<(), ServerFnError> {
    let (token, handle) = (Secret::new(token), handle.trim().to_lowercase());
    let form = Form::new(FORM_SIGN_UP).keep("handle", &handle);
    let outcome = sign_up(&token, &handle, Secret::new(password)).await;
    keep(&token, &outcome);
    form.answer(PATH, outcome)
}

/// Has the browser come back to this invitation, and forget it once it is accepted. The secret of its
/// link never stands in an address we send it to.
fn keep(token: &Secret, outcome: &Result<Onward, Mistake>) {
    match outcome {
        Ok(_) => UnderWay::Invited.end(),
        Err(_) => UnderWay::Invited.begin(token),
    }
}

async fn sign_up(token: &Secret, handle: &str, password: Secret) -> Result<Onward, Mistake> {
    let handle = Handle::parse(handle).map_err(|error| Mistake::field("handle", error))?;
    // What has ended makes no account either.
    let offer = find(token).await?.ok_or_else(ended)?;
    let made =
        console().identity.sign_up_invited(offer.invitee(), handle, password, &session::origin()).await;
    let session = made.map_err(|error| match error {
        IdentityError::WeakPassword { .. } => Mistake::field("password", error),
        IdentityError::Taken { what: "handle" } => Mistake::field("handle", error),
        IdentityError::Taken { .. } | IdentityError::NotInvited => Mistake::form(error),
        other => other.into(),
    })?;
    session::begin(&session.cookie);
    take(&session.member, token, "Your account is made. ").await
}

fn mistake(error: PresetError) -> Mistake {
    match error {
        PresetError::NotYours => Mistake::form(error),
        PresetError::NotFound => ended(),
        other => other.into(),
    }
}

fn no_member(error: OrgError) -> Mistake {
    match error {
        OrgError::NotYours => Mistake::form(error),
        OrgError::NoInvitation => ended(),
        OrgError::TooManyMembers { .. } => Mistake::Trouble(Trouble::Forbidden(sentence(&error.to_string()))),
        other => other.into(),
    }
}

fn ended() -> Mistake {
    Mistake::form("this invitation was accepted, withdrawn, or has ended")
}

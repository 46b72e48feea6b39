//! What the account page posts.

use doorward::{
    identity::IdentityError,
    model::{BrowserSessionId, Via},
    secret::Secret,
};
use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    context::console,
    form::{Form, Mistake, Onward},
    session,
    trouble::Trouble,
};

pub(super) const CHANGE_PASSWORD: &str = <ChangePassword as ServerFn>::PATH;
pub(super) const END_SESSION: &str = <EndSession as ServerFn>::PATH;

pub(super) const PASSWORD_FORM: &str = "change-password";

pub(super) const PATH: &str = "/account";

/// Changes the password and ends the other browser sessions.
#[server(prefix = "/do", endpoint = "account/password")]
pub async fn change_password(
    #[server(default)] old: String,
    new: String,
    again: String,
) -> Result<(), ServerFnError> {
    let (old, new, again) = (Secret::new(old), Secret::new(new), Secret::new(again));
    let outcome = async {
        let member = session::member().await?;
        if new.expose() != again.expose() {
            return Err(Mistake::field("again", "the two are not the same"));
        }
        console().identity.change_password(&member, old, new).await.map_err(mistake)?;
        Ok(Onward::to(PATH).saying("Your password is changed. All other browsers are signed out."))
    };
    Form::new(PASSWORD_FORM).answer(PATH, outcome.await)
}

fn mistake(error: IdentityError) -> Mistake {
    match error {
        IdentityError::WrongCredentials => Mistake::field("old", "this is not your password"),
        IdentityError::WeakPassword { .. } => Mistake::field("new", error),
        IdentityError::Throttled { .. } | IdentityError::SignInAgain => Mistake::form(error),
        other => other.into(),
    }
}

/// Ends one of one's own browser sessions.
#[server(prefix = "/do", endpoint = "account/end-session")]
pub async fn end_session(id: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let member = session::member().await?;
        let id: BrowserSessionId = id.parse().map_err(|_| Trouble::NotFound)?;
        let own = member.via == Via::BrowserSession(id);
        if !console().identity.revoke_session(&member, id).await? {
            return Err(Trouble::NotFound.into());
        }
        if own {
            session::end();
            return Ok(Onward::to("/sign-in").saying("You are signed out."));
        }
        Ok(Onward::to(PATH).saying("That browser is signed out."))
    };
    Form::new("end-session").answer(PATH, outcome.await)
}

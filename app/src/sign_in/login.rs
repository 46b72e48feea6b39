//! The way to another identity provider and back. Neither address draws anything: both send the
//! browser on.

use doorward::identity::{FinishedLogin, LoginAnswer, LoginError};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::{api::FORM, code::code_path};
use crate::{
    context::{console, local_path, send_away},
    form::{Form, Mistake, Onward, sign_in_path},
    invitation::invitee,
    page,
    session::{self, UnderWay},
    trouble::Trouble,
};

/// Where a login is added to the account of whoever is signed in.
pub(crate) const ADD_PATH: &str = "/account/add-login";
/// Where whoever has no account makes one.
pub(super) const SIGN_UP_PATH: &str = "/sign-up";

/// Sends the browser to a provider.
pub(crate) fn begin_page() -> AnyView {
    let Some(provider) = provider() else { return page::nowhere() };
    let next = local_path(&use_query_map().get_untracked().get("next").unwrap_or_default());
    Suspend::new(async move {
        match console().identity.begin_login(&provider, &next, &session::origin()).await {
            Ok(begun) => {
                UnderWay::Login.begin(&begun.cookie);
                send_away(&begun.address);
            }
            Err(error) => turn_back(error).await,
        }
    })
    .into_any()
}

/// Takes the browser back from a provider.
pub(crate) fn callback_page() -> AnyView {
    let Some(provider) = provider() else { return page::nowhere() };
    let query = use_query_map().get_untracked();
    let answer = LoginAnswer {
        code: query.get("code"),
        state: query.get("state"),
        iss: query.get("iss"),
        error: query.get("error"),
    };
    Suspend::new(async move {
        if let Err(error) = finish(&provider, &answer).await {
            turn_back(error).await;
        }
    })
    .into_any()
}

/// Returns the provider that the address names, if there is one.
fn provider() -> Option<String> {
    let name = use_params_map().get_untracked().get("provider")?;
    console().identity.login_providers().any(|provider| provider.name == name).then_some(name)
}

async fn finish(provider: &str, answer: &LoginAnswer) -> Result<(), LoginError> {
    let identity = console().identity.clone();
    let member = match session::sent() {
        Some(cookie) => identity.find_session(&cookie).await?,
        None => None,
    };
    let cookie = UnderWay::Login.sent().unwrap_or_default();
    let (origin, invitee) = (session::origin(), invitee().await?);
    let finished = identity
        .finish_login(provider, &cookie, answer, member.as_deref(), invitee.as_ref(), &origin)
        .await?;
    UnderWay::Login.end();
    if let Some(cookie) = finished.pending() {
        UnderWay::Unclaimed.begin(cookie);
    }
    go(match finished {
        FinishedLogin::SignedIn(session, next) => {
            session::begin(&session.cookie);
            Onward::to(next)
        }
        FinishedLogin::CodeNeeded(cookie, next) => {
            UnderWay::Half.begin(&cookie);
            Onward::to(code_path(&next))
        }
        FinishedLogin::Yours(next) => Onward::to(next).saying("This login is yours already."),
        FinishedLogin::MayBeAdded(_) => Onward::to(ADD_PATH),
        FinishedLogin::AddressKnown(_) => Onward::to(sign_in_path(ADD_PATH)).warning(
            "There is an account with your e-mail address. Sign in to it with what you have; then you are asked \
             whether this login belongs to it.",
        ),
        FinishedLogin::MaySignUp(_) => Onward::to(SIGN_UP_PATH),
    });
    Ok(())
}

/// Says on the page the person came from why nothing came of it.
async fn turn_back(error: LoginError) {
    let signed_in = matches!(session::find().await, Ok(Some(_)));
    let trouble = told(error);
    match (signed_in, trouble) {
        (true, Mistake::Field(_, text)) => go(Onward::to("/account").warning(text)),
        (true, trouble) => answer("/account", Err(trouble)),
        (false, trouble) => answer("/sign-in", Err(trouble)),
    }
}

fn go(onward: Onward) {
    answer("/", Ok(onward));
}

fn answer(back: &str, outcome: Result<Onward, Mistake>) {
    // Only the browser is told; there is no function of a form behind this.
    let _ = Form::new(FORM).answer(back, outcome);
}

/// What a person sees of what went wrong: their own part in words, the rest as trouble.
pub(crate) fn told(error: LoginError) -> Mistake {
    match error {
        LoginError::Identity(error) => super::api::mistake(error),
        LoginError::NoProvider => Trouble::NotFound.into(),
        LoginError::Unreachable { .. }
        | LoginError::Unbelievable { .. }
        | LoginError::NotBegun
        | LoginError::WrongState
        | LoginError::WrongIssuer
        | LoginError::Declined { .. }
        | LoginError::OfAnother
        | LoginError::Stranger
        | LoginError::NoAddress { .. }
        | LoginError::LastWayIn
        | LoginError::TooMany { .. } => Mistake::form(error),
    }
}

//! The second step on the account page, and the pages on which its parts are set up.

mod authenticator;
mod passkeys;
mod recovery;

use doorward::{
    identity::{Authenticator, IdentityError, SecondStep},
    secret::Secret,
};
use leptos::prelude::*;

use super::api::PATH;
use crate::{
    form::{Form, Mistake, Onward},
    page::Visit,
    trouble::Trouble,
    ui::{Badge, Field, Panel, Tone},
};

pub(crate) use authenticator::page as second_factor_page;
pub(crate) use passkeys::{new_page as new_passkey_page, one_page as passkey_page};
pub(crate) use recovery::page as recovery_codes_page;

/// Draws what the account page says of the second step.
pub(super) fn panel(visit: &Visit, step: SecondStep, has_password: bool) -> AnyView {
    let is_on = step.is_on();
    let SecondStep { authenticator, passkeys, recovery_left } = step;
    let only_codes = passkeys.is_empty();
    let status = if is_on {
        view! { <Badge tone=Tone::Good word="on"/> }.into_any()
    } else {
        view! { <Badge tone=Tone::Off word="off"/> }.into_any()
    };
    let codes = match authenticator {
        Authenticator::On { since } => authenticator::on(since, only_codes, visit).into_any(),
        Authenticator::Off | Authenticator::Begun { .. } => {
            authenticator::off(visit, has_password).into_any()
        }
    };
    view! {
        <Panel
            title="Second step"
            lead="Asked for after your password or other login: a passkey, or a code from an authenticator app. API keys go on working."
            actions=status
        >
            <div class="grid gap-6">
                {passkeys::part(passkeys)}
                {codes}
                {is_on.then(|| recovery::part(recovery_left))}
            </div>
        </Panel>
    }
    .into_any()
}

/// A part of the panel under its own heading.
fn part(title: &'static str, body: impl IntoView) -> impl IntoView {
    view! {
        <div class="grid gap-3 border-t border-line pt-5 first:border-t-0 first:pt-0">
            <h3 class="font-medium">{title}</h3>
            {body}
        </div>
    }
}

/// Asks for the password of an account that has one.
fn password(form: &Form, has_password: bool) -> Option<impl IntoView + use<>> {
    let form = form.clone();
    has_password.then(|| view! {
        <Field form=form name="password" kind="password" label="Your password" autocomplete="current-password"/>
    })
}

/// Where somebody goes who has set up a second factor: to the recovery codes that came with the
/// first one.
fn onward(codes: Option<Vec<Secret>>, done: &'static str) -> Onward {
    match codes {
        Some(codes) => Onward::to(recovery::PAGE).saying(done).showing_once(&recovery::joined(&codes)),
        None => Onward::to(PATH).saying(done),
    }
}

fn mistake(error: IdentityError) -> Mistake {
    match error {
        IdentityError::WrongCredentials => Mistake::field("password", "this is not your password"),
        IdentityError::WrongCode => Mistake::field("code", error),
        IdentityError::BadPasskeyName { .. } => Mistake::field("name", error),
        IdentityError::Throttled { .. }
        | IdentityError::SignInAgain
        | IdentityError::FactorIsOn
        | IdentityError::WrongPasskey
        | IdentityError::PasskeyTooLate
        | IdentityError::PasskeyTaken
        | IdentityError::TooManyPasskeys { .. } => Mistake::form(error),
        IdentityError::NoFactor | IdentityError::NoPasskeysHere => Trouble::Elsewhere(PATH.to_owned()).into(),
        other => other.into(),
    }
}

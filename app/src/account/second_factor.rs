//! The second factor on the account page, and the page on which it is switched on.

use std::fmt::Write as _;

use doorward::{
    identity::{IdentityError, SecondFactor},
    secret::Secret,
};
use leptos::{prelude::*, server_fn::ServerFn};
use qrcodegen::{QrCode, QrCodeEcc};

use super::api::PATH;
use crate::{
    context::console,
    form::{Form, Mistake, Onward},
    page::{Page, Place, Visit, page as framed},
    session,
    trouble::Trouble,
    ui::{Ago, Badge, Copyable, Field, FormMistake, Notice, Panel, Snippet, Tone},
};

const BEGIN: &str = <BeginSecondFactor as ServerFn>::PATH;
const CONFIRM: &str = <ConfirmSecondFactor as ServerFn>::PATH;
const REMOVE: &str = <RemoveSecondFactor as ServerFn>::PATH;

pub(super) const BEGIN_FORM: &str = "begin-second-factor";
pub(super) const REMOVE_FORM: &str = "remove-second-factor";
const CONFIRM_FORM: &str = "confirm-second-factor";

const PAGE: &str = "/account/second-factor";

/// The white border that scanners want around a QR code, in modules.
const QUIET: i32 = 4;

/// Draws what the account page says of the second factor.
pub(super) fn panel(factor: SecondFactor, begin: Form, remove: Form, has_password: bool) -> AnyView {
    let body = match factor {
        SecondFactor::On { since, recovery_left } => on(since, recovery_left, remove).into_any(),
        SecondFactor::Off | SecondFactor::Begun { .. } => off(begin, has_password).into_any(),
    };
    view! {
        <Panel title="Second step" lead="A code from an authenticator app, asked for after your password or other login. API keys go on working.">
            {body}
        </Panel>
    }
    .into_any()
}

fn off(form: Form, has_password: bool) -> impl IntoView {
    view! {
        <form class="grid max-w-md gap-4" method="post" action=BEGIN>
            <FormMistake form=form.clone()/>
            {has_password.then(|| view! {
                <Field form=form name="password" kind="password" label="Your password" autocomplete="current-password"/>
            })}
            <div><button class="button" type="submit">"Set up a second step"</button></div>
        </form>
    }
}

fn on(since: doorward::clock::Ms, left: i64, form: Form) -> impl IntoView {
    let few = left < 3;
    view! {
        <div class="grid gap-4">
            <p class="flex flex-wrap items-center gap-2">
                <Badge tone=Tone::Good word="on"/>
                <span>"since " <Ago at=since/></span>
                <span>{format!("with {left} recovery codes left")}</span>
            </p>
            {few.then(|| view! {
                <Notice tone=Tone::Warn>
                    <p>"Switch it off and on again to get new recovery codes."</p>
                </Notice>
            })}
            <form class="grid max-w-md gap-4" method="post" action=REMOVE>
                <FormMistake form=form.clone()/>
                <Field
                    form=form
                    name="code"
                    label="Code, to switch it off"
                    hint="From your authenticator, or a recovery code. From then on your password or login alone opens the account."
                    autocomplete="one-time-code"
                />
                <div><button class="button button-danger" type="submit">"Switch it off"</button></div>
            </form>
        </div>
    }
}

/// Draws the page on which it is switched on, and on which the recovery codes are shown once.
pub(crate) fn page() -> AnyView {
    framed(Place::Account, load)
}

async fn load(visit: Visit) -> Result<Page, Trouble> {
    if let Some(codes) = &visit.once {
        return Ok(Page::new("Your recovery codes", recovery(codes))
            .above(PATH, "Your account")
            .lead("Each opens your account once, in place of the authenticator. They are shown now and never again."));
    }
    match console().identity.second_factor(&visit.member).await? {
        SecondFactor::Begun { secret, address } => {
            Ok(Page::new("Set up a second step", setting_up(visit.form(CONFIRM_FORM), &secret, &address))
                .above(PATH, "Your account")
                .lead("Nothing changes until you have typed a code."))
        }
        SecondFactor::Off | SecondFactor::On { .. } => Err(Trouble::Elsewhere(PATH.to_owned())),
    }
}

fn recovery(codes: &str) -> impl IntoView + use<> {
    let lines = codes.replace(' ', "\n");
    view! {
        <div class="grid gap-4">
            <Notice tone=Tone::Good><p>"The second step is on: the next sign-in asks for a code."</p></Notice>
            <Panel title="Keep them where your authenticator is not">
                <Snippet text=lines/>
            </Panel>
            <div><a class="button button-primary" href=PATH>"I have kept them"</a></div>
        </div>
    }
}

fn setting_up(form: Form, secret: &Secret, address: &Secret) -> impl IntoView + use<> {
    let (picture, size) = picture(address);
    let spaced = spaced(secret);
    view! {
        <Panel title="Scan it, or type the secret">
            <div class="grid gap-5">
                {picture.map(|path| view! {
                    <svg class="rounded-lg" width="192" height="192" viewBox=format!("0 0 {size} {size}") role="img" aria-label="QR code of the secret below">
                        <rect width="100%" height="100%" fill="#fff"/>
                        <path fill="#000" d=path/>
                    </svg>
                })}
                <div class="grid gap-1.5">
                    <p class="font-medium">"Secret"</p>
                    <Copyable text=spaced/>
                    <p class="text-[13px] text-muted">"Time-based, six digits, thirty seconds."</p>
                </div>
                <form class="grid max-w-md gap-4" method="post" action=CONFIRM>
                    <FormMistake form=form.clone()/>
                    <Field
                        form=form
                        name="code"
                        label="The code that your authenticator shows"
                        autocomplete="one-time-code"
                    />
                    <div class="flex flex-wrap gap-2">
                        <button class="button button-primary" type="submit">"Switch it on"</button>
                        <a class="button" href=PATH>"Not now"</a>
                    </div>
                </form>
            </div>
        </Panel>
    }
}

/// Returns the dark modules of a QR code as one path, and its size; `None` if the text is too long
/// for one, which the secret beside it makes up for.
fn picture(address: &Secret) -> (Option<String>, i32) {
    let Ok(code) = QrCode::encode_text(address.expose(), QrCodeEcc::Medium) else { return (None, 0) };
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            let _ = write!(path, "M{} {}h1v1h-1z", x + QUIET, y + QUIET);
        }
    }
    (Some(path), code.size() + 2 * QUIET)
}

/// Returns a secret in groups of four, as people type it.
fn spaced(secret: &Secret) -> String {
    let mut text = String::new();
    for (place, letter) in secret.expose().chars().enumerate() {
        if place > 0 && place % 4 == 0 {
            text.push(' ');
        }
        text.push(letter);
    }
    text
}

/// Makes the secret of a second factor.
#[server(prefix = "/do", endpoint = "account/begin-second-factor")]
pub async fn begin_second_factor(#[server(default)] password: String) -> Result<(), ServerFnError> {
    let password = Secret::new(password);
    let outcome = async {
        let member = session::member().await?;
        console().identity.begin_second_factor(&member, password).await.map_err(mistake)?;
        Ok(Onward::to(PAGE))
    };
    Form::new(BEGIN_FORM).answer(PATH, outcome.await)
}

/// Switches the second factor on.
#[server(prefix = "/do", endpoint = "account/confirm-second-factor")]
pub async fn confirm_second_factor(code: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let member = session::member().await?;
        let codes = console().identity.confirm_second_factor(&member, &code).await.map_err(mistake)?;
        let codes: Vec<&str> = codes.iter().map(Secret::expose).collect();
        Ok(Onward::to(PAGE).showing_once(&Secret::new(codes.join(" "))))
    };
    Form::new(CONFIRM_FORM).answer(PAGE, outcome.await)
}

/// Switches the second factor off.
#[server(prefix = "/do", endpoint = "account/remove-second-factor")]
pub async fn remove_second_factor(code: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let member = session::member().await?;
        console().identity.remove_second_factor(&member, &code).await.map_err(mistake)?;
        Ok(Onward::to(PATH).saying("The second step is off."))
    };
    Form::new(REMOVE_FORM).answer(PATH, outcome.await)
}

fn mistake(error: IdentityError) -> Mistake {
    match error {
        IdentityError::WrongCredentials => Mistake::field("password", "this is not your password"),
        IdentityError::WrongCode => Mistake::field("code", error),
        IdentityError::Throttled { .. } | IdentityError::SignInAgain | IdentityError::FactorIsOn => {
            Mistake::form(error)
        }
        IdentityError::NoFactor => Trouble::Elsewhere(PATH.to_owned()).into(),
        other => other.into(),
    }
}

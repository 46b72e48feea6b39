//! One-time codes on the account page, and the page on which they are switched on.

use std::fmt::Write as _;

use doorward::{identity::Authenticator, secret::Secret};
use leptos::{prelude::*, server_fn::ServerFn};
use qrcodegen::{QrCode, QrCodeEcc};

use super::{mistake, onward, part as framed_part, password};
use crate::{
    account::api::PATH,
    context::console,
    form::{Form, Onward},
    page::{Page, Place, Visit, page as framed},
    session,
    trouble::Trouble,
    ui::{Ago, Badge, Copyable, Field, FormMistake, Panel, Tone},
};

const BEGIN: &str = <BeginSecondFactor as ServerFn>::PATH;
const CONFIRM: &str = <ConfirmSecondFactor as ServerFn>::PATH;
const REMOVE: &str = <RemoveSecondFactor as ServerFn>::PATH;

const BEGIN_FORM: &str = "begin-second-factor";
const REMOVE_FORM: &str = "remove-second-factor";
const CONFIRM_FORM: &str = "confirm-second-factor";

const PAGE: &str = "/account/second-factor";

/// The white border that scanners want around a QR code, in modules.
const QUIET: i32 = 4;

/// Draws what the account page says of one-time codes that are off.
pub(super) fn off(visit: &Visit, has_password: bool) -> impl IntoView + use<> {
    let form = visit.form(BEGIN_FORM);
    let body = view! {
        <form class="grid max-w-md gap-4" method="post" action=BEGIN>
            <FormMistake form=form.clone()/>
            <p class="text-muted">"Off. An app on your telephone shows six digits that change every half minute."</p>
            {password(&form, has_password)}
            <div><button class="button" type="submit">"Set up an authenticator"</button></div>
        </form>
    };
    framed_part("Authenticator app", body)
}

/// Draws what the account page says of one-time codes that are on; whether they are all there is.
pub(super) fn on(since: doorward::clock::Ms, are_all: bool, visit: &Visit) -> impl IntoView + use<> {
    let form = visit.form(REMOVE_FORM);
    let hint = if are_all {
        "From your authenticator, or a recovery code. From then on your password or login alone opens the account."
    } else {
        "From your authenticator, or a recovery code. Your passkeys stay."
    };
    let body = view! {
        <p class="flex flex-wrap items-center gap-2">
            <Badge tone=Tone::Good word="on"/>
            <span>"since " <Ago at=since/></span>
        </p>
        <form class="grid max-w-md gap-4" method="post" action=REMOVE>
            <FormMistake form=form.clone()/>
            <Field form=form name="code" label="Code, to switch it off" hint=hint autocomplete="one-time-code"/>
            <div><button class="button button-danger" type="submit">"Switch it off"</button></div>
        </form>
    };
    framed_part("Authenticator app", body)
}

/// Draws the page on which they are switched on.
pub(crate) fn page() -> AnyView {
    framed(Place::Account, load)
}

async fn load(visit: Visit) -> Result<Page, Trouble> {
    match console().identity.second_step(&visit.member).await?.authenticator {
        Authenticator::Begun { secret, address } => {
            Ok(Page::new("Set up an authenticator", setting_up(visit.form(CONFIRM_FORM), &secret, &address))
                .above(PATH, "Your account")
                .lead("Nothing changes until you have typed a code."))
        }
        Authenticator::Off | Authenticator::On { .. } => Err(Trouble::Elsewhere(PATH.to_owned())),
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

/// Makes the secret of one-time codes.
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

/// Switches one-time codes on.
#[server(prefix = "/do", endpoint = "account/confirm-second-factor")]
pub async fn confirm_second_factor(code: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let member = session::member().await?;
        let codes = console().identity.confirm_second_factor(&member, &code).await.map_err(mistake)?;
        Ok(onward(codes, "The authenticator is set up: the next sign-in asks for a code."))
    };
    Form::new(CONFIRM_FORM).answer(PAGE, outcome.await)
}

/// Switches one-time codes off.
#[server(prefix = "/do", endpoint = "account/remove-second-factor")]
pub async fn remove_second_factor(code: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let member = session::member().await?;
        console().identity.remove_second_factor(&member, &code).await.map_err(mistake)?;
        Ok(Onward::to(PATH).saying("The authenticator is off."))
    };
    Form::new(REMOVE_FORM).answer(PATH, outcome.await)
}

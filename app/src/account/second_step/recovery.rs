//! Recovery codes: shown once, and replaced by new ones.

use doorward::secret::Secret;
use leptos::{prelude::*, server_fn::ServerFn};

use super::{mistake, part as framed_part, password};
use crate::{
    account::api::PATH,
    context::console,
    form::{Form, Onward},
    page::{Page, Place, Visit, page as framed},
    session,
    trouble::Trouble,
    ui::{FormMistake, Notice, Panel, Snippet, Tone},
};

const RENEW: &str = <RenewRecoveryCodes as ServerFn>::PATH;
const RENEW_FORM: &str = "renew-recovery-codes";

pub(super) const PAGE: &str = "/account/recovery-codes";

/// From so few on the page says to get new ones.
const FEW: i64 = 3;

/// Draws what the account page says of them.
pub(super) fn part(left: i64) -> impl IntoView {
    let words = match left {
        0 => "None is left.".to_owned(),
        1 => "One is left.".to_owned(),
        left => format!("{left} are left."),
    };
    let body = view! {
        {(left < FEW).then(|| view! {
            <Notice tone=Tone::Warn><p>"Get new ones before you need one that is not there."</p></Notice>
        })}
        <p class="text-muted">{words} " Each opens your account once, when you have nothing else at hand."</p>
        <div><a class="button" href=PAGE>"New recovery codes"</a></div>
    };
    framed_part("Recovery codes", body)
}

/// Draws the page on which new ones are made, and on which they are shown once.
pub(crate) fn page() -> AnyView {
    framed(Place::Account, load)
}

async fn load(visit: Visit) -> Result<Page, Trouble> {
    if let Some(codes) = &visit.once {
        return Ok(Page::new("Your recovery codes", shown(codes)).above(PATH, "Your account").lead(
            "Each opens your account once, in place of the second step. They are shown now and never again.",
        ));
    }
    let identity = console().identity.clone();
    let step = identity.second_step(&visit.member).await?;
    if !step.is_on() {
        return Err(Trouble::Elsewhere(PATH.to_owned()));
    }
    let has_password = identity.has_password(&visit.member).await?;
    Ok(Page::new("New recovery codes", renewing(visit.form(RENEW_FORM), step.recovery_left, has_password))
        .above(PATH, "Your account")
        .lead("For when the old ones are used up, or somebody may have seen them."))
}

fn shown(codes: &str) -> impl IntoView + use<> {
    let lines = codes.replace(' ', "\n");
    view! {
        <div class="grid gap-4">
            <Panel title="Keep them where your authenticator is not">
                <Snippet text=lines/>
            </Panel>
            <div><a class="button button-primary" href=PATH>"I have kept them"</a></div>
        </div>
    }
}

fn renewing(form: Form, left: i64, has_password: bool) -> impl IntoView {
    let lost = match left {
        0 => "There are no old ones left.".to_owned(),
        1 => "The old one that is left stops working at once.".to_owned(),
        left => format!("The {left} old ones that are left stop working at once."),
    };
    view! {
        <Panel title="Replace them">
            <form class="grid max-w-md gap-4" method="post" action=RENEW>
                <FormMistake form=form.clone()/>
                <p>{lost}</p>
                {password(&form, has_password)}
                <div class="flex flex-wrap gap-2">
                    <button class="button button-primary" type="submit">"Make new codes"</button>
                    <a class="button" href=PATH>"Not now"</a>
                </div>
            </form>
        </Panel>
    }
}

/// Writes codes as the next page takes them.
pub(super) fn joined(codes: &[Secret]) -> Secret {
    let codes: Vec<&str> = codes.iter().map(Secret::expose).collect();
    Secret::new(codes.join(" "))
}

/// Makes new recovery codes in place of the old ones.
#[server(prefix = "/do", endpoint = "account/renew-recovery-codes")]
pub async fn renew_recovery_codes(#[server(default)] password: String) -> Result<(), ServerFnError> {
    let password = Secret::new(password);
    let outcome = async {
        let member = session::member().await?;
        let codes = console().identity.renew_recovery_codes(&member, password).await.map_err(mistake)?;
        Ok(Onward::to(PAGE).saying("These replace all that you had before.").showing_once(&joined(&codes)))
    };
    Form::new(RENEW_FORM).answer(PAGE, outcome.await)
}

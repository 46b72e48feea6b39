//! The page that asks for the second factor, after the password or another provider: a passkey, a
//! one-time code, or a recovery code.

use doorward::identity::{HalfStep, IdentityError, NewSession};
use leptos::{prelude::*, server_fn::ServerFn};
use leptos_router::hooks::use_query_map;

use crate::{
    context::{console, local_path},
    form::{Flash, Form, Mistake, Onward, encode, sign_in_path},
    island::{PasskeyAsk, PasskeyButton},
    page::{Page, bare},
    session::{self, UnderWay},
    trouble::Trouble,
    ui::{Field, FormMistake},
};

const SIGN_IN_WITH_CODE: &str = <SignInWithCode as ServerFn>::PATH;
const SIGN_IN_WITH_PASSKEY: &str = <SignInWithPasskey as ServerFn>::PATH;
const FORM: &str = "sign-in-code";
const PASSKEY_FORM: &str = "sign-in-passkey";

/// Returns the path of the page, which leads to `next` afterwards.
pub(super) fn code_path(next: &str) -> String {
    if next == "/" { "/sign-in/code".to_owned() } else { format!("/sign-in/code?next={}", encode(next)) }
}

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let next = local_path(&use_query_map().get_untracked().get("next").unwrap_or_default());
    bare(move |flash| load(flash, next))
}

async fn load(flash: Flash, next: String) -> Result<Page, Trouble> {
    if session::find().await?.is_some() {
        return Err(Trouble::Elsewhere(next));
    }
    let cookie = UnderWay::Half.sent().unwrap_or_default();
    let identity = console().identity.clone();
    let Some(step) = identity.half_step(&cookie).await? else {
        return Err(Trouble::Elsewhere(sign_in_path(&next)));
    };
    let lead = match (step.has_passkeys, step.has_codes) {
        (true, true) => "Show one of your passkeys, or type a code of your authenticator.",
        (true, false) => "Show one of your passkeys.",
        (false, _) => "Your authenticator shows a code of six digits for Doorward.",
    };
    let passkey = step.has_passkeys.then(|| {
        let form = flash.clone().form(PASSKEY_FORM);
        passkey(form, step.options.clone().zip(identity.passkey_origin().map(str::to_owned)), next.clone())
    });
    let form = flash.form(FORM);
    let code = (step.has_codes || step.has_recovery).then(|| code(form, &step, next));
    let body = view! {
        <div class="grid gap-5">
            {passkey}
            {code}
            <p class="text-[13px] text-muted">
                "You have nothing of this? An administrator of this Doorward can take the second step away."
            </p>
        </div>
    };
    Ok(Page::new("One more step", body).lead(lead))
}

/// Draws the button of a passkey, given what the browser is asked for and where that works.
fn passkey(form: Form, asked: Option<(String, String)>, next: String) -> impl IntoView {
    let body = match asked {
        Some((options, origin)) => view! {
            <PasskeyButton
                ask=PasskeyAsk::Show
                options=options
                origin=origin
                label="Use a passkey".to_owned()
                without="A passkey needs JavaScript, as only scripts can ask your device for it. Without it, use a recovery code.".to_owned()
            />
        }
        .into_any(),
        None => view! {
            <p class="text-muted">"Browsers have no passkeys at the address of this Doorward. Use a recovery code."</p>
        }
        .into_any(),
    };
    view! {
        <form class="grid gap-4" method="post" action=SIGN_IN_WITH_PASSKEY>
            <FormMistake form=form/>
            <input type="hidden" name="next" value=next/>
            {body}
        </form>
    }
}

fn code(form: Form, step: &HalfStep, next: String) -> impl IntoView + use<> {
    let (label, hint) = match (step.has_codes, step.has_recovery) {
        (true, true) => {
            ("Code", "Or one of your recovery codes, if you do not have the authenticator. Each works once.")
        }
        (true, false) => ("Code", "From your authenticator."),
        (false, _) => ("Recovery code", "One of those you kept. Each works once."),
    };
    let (class, button) = if step.has_passkeys {
        (tw!("grid gap-4 border-t border-line pt-5"), tw!("button"))
    } else {
        (tw!("grid gap-4"), tw!("button button-primary"))
    };
    view! {
        <form class=class method="post" action=SIGN_IN_WITH_CODE>
            <FormMistake form=form.clone()/>
            <input type="hidden" name="next" value=next/>
            <Field
                form=form
                name="code"
                label=label
                hint=hint
                autocomplete="one-time-code"
                autofocus=!step.has_passkeys
            />
            <button class=button type="submit">"Sign in"</button>
        </form>
    }
}

/// Signs in whoever has shown the first factor and shows a passkey.
#[server(prefix = "/do", endpoint = "sign-in-passkey")]
pub async fn sign_in_with_passkey(
    answer: String,
    #[server(default)] next: String,
) -> Result<(), ServerFnError> {
    let next = local_path(&next);
    let cookie = UnderWay::Half.sent().unwrap_or_default();
    let identity = console().identity.clone();
    let session = identity.sign_in_with_passkey(&cookie, &answer, &session::origin()).await;
    Form::new(PASSKEY_FORM).answer(&code_path(&next), finish(session, &next).await)
}

/// Signs in whoever has shown the first factor and shows a code.
#[server(prefix = "/do", endpoint = "sign-in-code")]
pub async fn sign_in_with_code(code: String, #[server(default)] next: String) -> Result<(), ServerFnError> {
    let next = local_path(&next);
    let cookie = UnderWay::Half.sent().unwrap_or_default();
    let session = console().identity.sign_in_with_code(&cookie, &code, &session::origin()).await;
    Form::new(FORM).answer(&code_path(&next), finish(session, &next).await)
}

async fn finish(session: Result<NewSession, IdentityError>, next: &str) -> Result<Onward, Mistake> {
    let session = session.map_err(|error| match error {
        IdentityError::WrongCode => Mistake::field("code", error),
        IdentityError::WrongPasskey
        | IdentityError::PasskeyCopied
        | IdentityError::PasskeyTooLate
        | IdentityError::NoPasskeysHere => Mistake::form(error),
        // Who was too slow begins again, with what was to be seen afterwards.
        IdentityError::CodeTooLate => Trouble::Elsewhere(sign_in_path(next)).into(),
        other => super::api::mistake(other),
    })?;
    UnderWay::Half.end();
    session::replace(&session.cookie).await?;
    Ok(Onward::to(next))
}

//! The logins with other identity providers on the account page, and the page that adds one.

use doorward::{
    identity::{IdentityError, LoginError},
    model::{Login, LoginId, PendingLogin},
    secret::Secret,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::api::PATH;
use crate::{
    context::console,
    form::{Form, Mistake, Onward, encode},
    page::{Page, Place, Visit, page as framed},
    session::{self, UnderWay},
    sign_in::{ADD_PATH, told},
    trouble::Trouble,
    ui::{Ago, Column, ConfirmInPlace, Fact, Facts, Field, FormMistake, Panel, Table},
};

const ADD: &str = <AddLogin as ServerFn>::PATH;
const REMOVE: &str = <RemoveLogin as ServerFn>::PATH;
const ADD_FORM: &str = "add-login";

/// Draws the person's logins; nothing where there are none and none can be added.
pub(super) fn panel(logins: Vec<Login>) -> Option<AnyView> {
    let identity = console().identity.clone();
    if logins.is_empty() && identity.login_providers().next().is_none() {
        return None;
    }
    let adding = identity
        .login_providers()
        .map(|provider| {
            let path = format!("/login/{}?next={}", provider.name, encode(PATH));
            view! { <a class="button button-small" href=path>"Add " {provider.label.clone()}</a> }
        })
        .collect_view()
        .into_any();
    let columns = vec![
        Column::text("Provider"),
        Column::text("Known there as"),
        Column::text("Last used").wide(),
        Column::actions("Remove it"),
    ];
    let none = logins.is_empty();
    let rows = logins
        .into_iter()
        .map(|login| {
            let provider = identity.provider_of(&login.issuer);
            let name = provider.map_or_else(|| login.issuer.clone(), |provider| provider.label.clone());
            let off = provider.is_none().then_some(" (not in the settings any more)");
            let label = format!("Remove {name} {}", login.shown);
            view! {
                <tr>
                    <td>{name} <span class="text-muted">{off}</span></td>
                    <td class="break-words">{login.shown}</td>
                    <td class="hidden text-muted sm:table-cell"><Ago at=login.used_at/></td>
                    <td class="number">
                        <ConfirmInPlace action=REMOVE fields=vec![("id", login.id.to_string())] verb="Remove" label=label>
                            "You cannot sign in by it any more. Browsers that are signed in stay so."
                        </ConfirmInPlace>
                    </td>
                </tr>
            }
        })
        .collect_view();
    Some(
        view! {
            <Panel title="Other ways to sign in" lead="Accounts of yours at other places, by which you sign in here." actions=adding>
                {if none {
                    view! { <p class="text-muted">"None yet. You sign in with your password."</p> }.into_any()
                } else {
                    view! { <Table caption="Logins with other identity providers" columns=columns>{rows}</Table> }.into_any()
                }}
            </Panel>
        }
        .into_any(),
    )
}

/// Draws the page that asks whether a login belongs to the account.
pub(crate) fn add_page() -> AnyView {
    framed(Place::Account, load)
}

async fn load(visit: Visit) -> Result<Page, Trouble> {
    let identity = console().identity.clone();
    let cookie = UnderWay::Unclaimed.sent().unwrap_or_default();
    let Some(pending) = identity.pending_login(&cookie).await? else {
        return Err(Trouble::Elsewhere(PATH.to_owned()));
    };
    let has_password = identity.has_password(&visit.member).await?;
    let form = visit.form(ADD_FORM);
    Ok(Page::new("Is this you?", draw(form, &pending, visit.member.handle.to_string(), has_password))
        .above(PATH, "Your account")
        .lead("Whoever signs in by this login from now on has everything that is yours here."))
}

fn draw(form: Form, pending: &PendingLogin, handle: String, has_password: bool) -> impl IntoView + use<> {
    let provider = console().identity.provider_of(&pending.issuer).map(|provider| provider.label.clone());
    let provider = provider.unwrap_or_else(|| pending.issuer.clone());
    let verb = format!("Add it to {handle}");
    let shown = pending.shown.clone();
    view! {
        <Panel title="The login">
            <form class="grid max-w-md gap-4" method="post" action=ADD>
                <FormMistake form=form.clone()/>
                <Facts>
                    <Fact term="Provider">{provider}</Fact>
                    <Fact term="Known there as">{shown}</Fact>
                    <Fact term="Your account here">{handle}</Fact>
                </Facts>
                {has_password.then(|| view! {
                    <Field form=form name="password" kind="password" label="Your password here" autocomplete="current-password"/>
                })}
                <div class="flex flex-wrap gap-2">
                    <button class="button button-primary" type="submit">{verb}</button>
                    <a class="button" href=PATH>"Not now"</a>
                </div>
            </form>
        </Panel>
    }
}

/// Adds a login to one's own account.
#[server(prefix = "/do", endpoint = "account/add-login")]
pub async fn add_login(#[server(default)] password: String) -> Result<(), ServerFnError> {
    let password = Secret::new(password);
    let outcome = async {
        let member = session::member().await?;
        let cookie = UnderWay::Unclaimed.sent().unwrap_or_default();
        let next =
            console().identity.add_login(&member, &cookie, password).await.map_err(|error| match error {
                LoginError::Identity(IdentityError::WrongCredentials) => {
                    Mistake::field("password", "this is not your password")
                }
                other => told(other),
            })?;
        UnderWay::Unclaimed.end();
        Ok(Onward::to(next).saying("The login is added: from now on you can sign in by it."))
    };
    Form::new(ADD_FORM).answer(ADD_PATH, outcome.await)
}

/// Removes one of one's own logins.
#[server(prefix = "/do", endpoint = "account/remove-login")]
pub async fn remove_login(id: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let member = session::member().await?;
        let id: LoginId = id.parse().map_err(|_| Trouble::NotFound)?;
        match console().identity.remove_login(&member, id).await {
            Ok(true) => Ok(Onward::to(PATH).saying("The login is removed.")),
            Ok(false) => Err(Trouble::NotFound.into()),
            Err(error @ LoginError::LastWayIn) => {
                Ok(Onward::to(PATH).warning(crate::trouble::sentence(&error.to_string())))
            }
            Err(error) => Err(told(error)),
        }
    };
    Form::new("remove-login").answer(PATH, outcome.await)
}

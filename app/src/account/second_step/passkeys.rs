//! The passkeys on the account page, and the pages on which one is added, renamed and removed.

use doorward::{
    identity::{BegunPasskey, PASSKEYS_MAX},
    model::{Passkey, PasskeyId},
    secret::Secret,
};
use leptos::{prelude::*, server_fn::ServerFn};
use leptos_router::hooks::use_params_map;

use super::{mistake, onward, part as framed_part, password};
use crate::{
    account::api::PATH,
    context::console,
    form::{Form, Onward},
    island::{PasskeyAsk, PasskeyButton},
    page::{Page, Place, Visit, page as framed},
    session,
    trouble::Trouble,
    ui::{Ago, Column, Fact, Facts, Field, FormMistake, Icon, Panel, Table},
};

const BEGIN: &str = <BeginPasskey as ServerFn>::PATH;
const ADD: &str = <AddPasskey as ServerFn>::PATH;
const RENAME: &str = <RenamePasskey as ServerFn>::PATH;
const REMOVE: &str = <RemovePasskey as ServerFn>::PATH;

const ADD_FORM: &str = "add-passkey";
const RENAME_FORM: &str = "rename-passkey";
const REMOVE_FORM: &str = "remove-passkey";

const NEW_PAGE: &str = "/account/passkeys/new";

/// Draws what the account page says of passkeys.
pub(super) fn part(passkeys: Vec<Passkey>) -> impl IntoView {
    let identity = console().identity.clone();
    let adding = if identity.passkey_origin().is_none() {
        view! {
            <p class="text-muted">
                "Browsers have passkeys only where the address begins with https and a name, or is http://localhost. "
                "The operator gives this Doorward such an address by the setting "<code>"public_url"</code>"."
            </p>
        }
        .into_any()
    } else if passkeys.len() >= PASSKEYS_MAX {
        view! { <p class="text-muted">{format!("You have {PASSKEYS_MAX}, which is as many as there may be.")}</p> }
            .into_any()
    } else {
        view! { <div><a class="button" href=NEW_PAGE>{Icon::Plus.draw()} "Add a passkey"</a></div> }
            .into_any()
    };
    let columns = vec![Column::text("Name"), Column::text("Added").wide(), Column::text("Last used")];
    let none = passkeys.is_empty();
    let rows = passkeys.into_iter().map(row).collect_view();
    let body = view! {
        {if none {
            view! {
                <p class="text-muted">
                    "None yet. A passkey is a key on your telephone, your computer or a security key: nothing to type, and nothing that can be typed into the wrong page."
                </p>
            }
            .into_any()
        } else {
            view! { <Table caption="Your passkeys" columns=columns>{rows}</Table> }.into_any()
        }}
        {adding}
    };
    framed_part("Passkeys", body)
}

fn row(passkey: Passkey) -> impl IntoView {
    let path = one_path(&passkey.id.to_string());
    view! {
        <tr>
            <td class="break-words"><a class="link font-medium" href=path>{passkey.name}</a></td>
            <td class="hidden text-muted sm:table-cell"><Ago at=passkey.created_at/></td>
            <td class="text-muted">{used(passkey.used_at)}</td>
        </tr>
    }
}

fn used(at: Option<doorward::clock::Ms>) -> AnyView {
    match at {
        Some(at) => view! { <Ago at=at/> }.into_any(),
        None => "never".into_any(),
    }
}

fn one_path(id: &str) -> String {
    format!("/account/passkeys/{id}")
}

/// Draws the page on which one is added: first its name, then the browser is asked.
pub(crate) fn new_page() -> AnyView {
    framed(Place::Account, add)
}

async fn add(visit: Visit) -> Result<Page, Trouble> {
    let identity = console().identity.clone();
    let Some(origin) = identity.passkey_origin() else {
        return Err(Trouble::Elsewhere(PATH.to_owned()));
    };
    let form = visit.form(ADD_FORM);
    let page = match identity.begun_passkey(&visit.member).await? {
        // After a mistake the page begins again.
        Some(begun) if !form.is_refused() => Page::new("Add a passkey", making(begun, origin.to_owned()))
            .lead("Your browser asks which device it shall be on, and has you confirm it there."),
        _ => {
            let has_password = identity.has_password(&visit.member).await?;
            Page::new("Add a passkey", naming(form, has_password))
                .lead("From then on it is asked for after your password or other login.")
        }
    };
    Ok(page.above(PATH, "Your account"))
}

fn naming(form: Form, has_password: bool) -> impl IntoView {
    view! {
        <Panel title="What you will know it by">
            <form class="grid max-w-md gap-4" method="post" action=BEGIN>
                <FormMistake form=form.clone()/>
                <Field
                    form=form.clone()
                    name="name"
                    label="Name"
                    hint="The device it will be on, as in “Telephone” or “Key on my keyring”."
                    autofocus=true
                />
                {password(&form, has_password)}
                <div class="flex flex-wrap gap-2">
                    <button class="button button-primary" type="submit">"Go on"</button>
                    <a class="button" href=PATH>"Not now"</a>
                </div>
            </form>
        </Panel>
    }
}

fn making(begun: BegunPasskey, origin: String) -> impl IntoView {
    view! {
        <Panel title="Your device">
            <div class="grid max-w-md gap-4">
                <Facts><Fact term="Name">{begun.name}</Fact></Facts>
                <form method="post" action=ADD>
                    <PasskeyButton
                        ask=PasskeyAsk::Make
                        options=begun.options
                        origin=origin
                        label="Make the passkey".to_owned()
                        without="A passkey needs JavaScript, as only scripts can ask your device for one. Without it, set up an authenticator app.".to_owned()
                    />
                </form>
                <div><a class="button" href=PATH>"Not now"</a></div>
            </div>
        </Panel>
    }
}

/// Draws the page of one passkey.
pub(crate) fn one_page() -> AnyView {
    let id = use_params_map().get_untracked().get("id").unwrap_or_default();
    framed(Place::Account, move |visit| one(visit, id))
}

async fn one(visit: Visit, id: String) -> Result<Page, Trouble> {
    let identity = console().identity.clone();
    let id: PasskeyId = id.parse().map_err(|_| Trouble::NotFound)?;
    let passkey = identity.passkey(&visit.member, id).await?.ok_or(Trouble::NotFound)?;
    let step = identity.second_step(&visit.member).await?;
    let has_password = identity.has_password(&visit.member).await?;
    let is_last = step.passkeys.len() == 1
        && !matches!(step.authenticator, doorward::identity::Authenticator::On { .. });
    let title = passkey.name.clone();
    let body = view! {
        <div class="grid grid-cols-1 items-start gap-6 lg:grid-cols-2">
            {renaming(visit.form(RENAME_FORM), &passkey)}
            {removing(visit.form(REMOVE_FORM), id, is_last, has_password)}
        </div>
    };
    Ok(Page::new(title, body).above(PATH, "Your account").lead("A passkey of yours."))
}

fn renaming(form: Form, passkey: &Passkey) -> impl IntoView + use<> {
    let (id, name) = (passkey.id.to_string(), passkey.name.clone());
    let (added, last) = (passkey.created_at, used(passkey.used_at));
    view! {
        <Panel title="The passkey">
            <form class="grid gap-4" method="post" action=RENAME>
                <FormMistake form=form.clone()/>
                <input type="hidden" name="id" value=id/>
                <Facts>
                    <Fact term="Added"><Ago at=added/></Fact>
                    <Fact term="Last used">{last}</Fact>
                </Facts>
                <Field form=form name="name" label="Name" first=name/>
                <div><button class="button" type="submit">"Rename"</button></div>
            </form>
        </Panel>
    }
}

fn removing(form: Form, id: PasskeyId, is_last: bool, has_password: bool) -> impl IntoView {
    let lead = if is_last {
        "It is all there is of your second step: from then on your password or login alone opens the account, and the recovery codes go."
    } else {
        "You cannot sign in with it any more. Browsers that are signed in stay so."
    };
    view! {
        <Panel title="Remove it" lead=lead>
            <form class="grid gap-4" method="post" action=REMOVE>
                <FormMistake form=form.clone()/>
                <input type="hidden" name="id" value=id.to_string()/>
                {password(&form, has_password)}
                <div><button class="button button-danger" type="submit">"Remove the passkey"</button></div>
            </form>
        </Panel>
    }
}

/// Begins to add a passkey.
#[server(prefix = "/do", endpoint = "account/begin-passkey")]
pub async fn begin_passkey(name: String, #[server(default)] password: String) -> Result<(), ServerFnError> {
    let password = Secret::new(password);
    let form = Form::new(ADD_FORM).keep("name", name.trim());
    let outcome = async {
        let member = session::member().await?;
        console().identity.begin_passkey(&member, &name, password).await.map_err(mistake)?;
        Ok(Onward::to(NEW_PAGE))
    };
    form.answer(NEW_PAGE, outcome.await)
}

/// Adds the passkey that the browser has made.
#[server(prefix = "/do", endpoint = "account/add-passkey")]
pub async fn add_passkey(answer: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let member = session::member().await?;
        let codes = console().identity.add_passkey(&member, &answer).await.map_err(mistake)?;
        Ok(onward(codes, "The passkey is added: the next sign-in asks for it."))
    };
    Form::new(ADD_FORM).answer(NEW_PAGE, outcome.await)
}

/// Calls a passkey something else.
#[server(prefix = "/do", endpoint = "account/rename-passkey")]
pub async fn rename_passkey(id: String, name: String) -> Result<(), ServerFnError> {
    let form = Form::new(RENAME_FORM).keep("name", name.trim());
    let outcome = async {
        let member = session::member().await?;
        let id: PasskeyId = id.parse().map_err(|_| Trouble::NotFound)?;
        if !console().identity.rename_passkey(&member, id, &name).await.map_err(mistake)? {
            return Err(Trouble::NotFound.into());
        }
        Ok(Onward::to(PATH).saying("The passkey is renamed."))
    };
    form.answer(&one_path(&id), outcome.await)
}

/// Removes a passkey.
#[server(prefix = "/do", endpoint = "account/remove-passkey")]
pub async fn remove_passkey(id: String, #[server(default)] password: String) -> Result<(), ServerFnError> {
    let password = Secret::new(password);
    let outcome = async {
        let member = session::member().await?;
        let id: PasskeyId = id.parse().map_err(|_| Trouble::NotFound)?;
        if !console().identity.remove_passkey(&member, id, password).await.map_err(mistake)? {
            return Err(Trouble::NotFound.into());
        }
        Ok(Onward::to(PATH).saying("The passkey is removed."))
    };
    Form::new(REMOVE_FORM).answer(&one_path(&id), outcome.await)
}

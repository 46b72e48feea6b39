//! The people of the instance.

use doorward::{
    model::{InstanceRole, Plan, User, UserId},
    policy,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    api::{
        ADD_USER, EDIT_USER, EDIT_USER_FORM, ENABLE_USER, NEW_USER_FORM, RESET_FORM, RESET_PASSWORD,
        RESET_SECOND_STEP,
    },
    tabs,
};
use crate::{
    context::console,
    form::Form,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{
        Ago, Badge, Choice, Column, ConfirmInPlace, Fact, Facts, Field, FormMistake, Icon, Panel, Pick,
        PostButton, Select, Table, Tone, count,
    },
};

/// Draws the list.
pub(crate) fn users_page() -> AnyView {
    framed(Place::Admin, list)
}

async fn list(visit: Visit) -> Result<Page, Trouble> {
    let permit = policy::may_administer(&visit.member)?;
    let users = console().identity.users(&permit).await?;
    let columns = vec![
        Column::text("Handle"),
        Column::text("Role").wide(),
        Column::text("Plan").wide(),
        Column::text("State"),
        Column::text("Since").wide(),
    ];
    let rows = users.into_iter().map(row).collect_view();
    let body = view! {
        {tabs("/admin")}
        <Table caption="People" columns=columns>{rows}</Table>
    };
    let page = Page::new("Admin", body)
        .lead("Who may sign in, and what they may use.")
        .actions(view! { <a class="button button-primary" href="/admin/users/new">{Icon::Plus.draw()} "Add a person"</a> });
    Ok(page)
}

fn row(user: User) -> impl IntoView {
    view! {
        <tr>
            <td>
                <a class="link font-medium" href=format!("/admin/users/{}", user.id)>{user.handle.to_string()}</a>
                <p class="text-[13px] text-muted">{user.email.to_string()}</p>
            </td>
            <td class="hidden sm:table-cell">{role_words(user.role)}</td>
            <td class="hidden sm:table-cell">{user.plan.to_string()}</td>
            <td>{state_badge(user.enabled)}</td>
            <td class="hidden text-muted sm:table-cell"><Ago at=user.created_at/></td>
        </tr>
    }
}

fn state_badge(enabled: bool) -> impl IntoView {
    if enabled {
        view! { <Badge tone=Tone::Good word="Active"/> }
    } else {
        view! { <Badge tone=Tone::Off word="Switched off"/> }
    }
}

fn role_words(role: InstanceRole) -> &'static str {
    match role {
        InstanceRole::Admin => "Administrator",
        InstanceRole::Auditor => "Auditor",
        InstanceRole::Member => "Member",
    }
}

fn role_picks() -> Vec<Pick> {
    vec![
        Pick::new("member", "Member").meaning("Has data sources by address, presets and keys of their own."),
        Pick::new("auditor", "Auditor")
            .meaning("As a member, and reads the audit log of every organisation; changes nothing there."),
        Pick::new("admin", "Administrator").meaning(
            "As a member, and manages people, organisations and plans, and may run programs on this machine.",
        ),
    ]
}

pub(super) fn plan_picks(plans: &[Plan]) -> Vec<Pick> {
    plans
        .iter()
        .map(|plan| {
            let calls = plan
                .calls_per_month
                .map_or_else(|| "no limit".to_owned(), |calls| format!("{} calls a month", count(calls)));
            Pick::new(plan.name.as_str(), format!("{} ({calls})", plan.name))
        })
        .collect()
}

/// Draws the form for a new account.
pub(crate) fn new_user_page() -> AnyView {
    framed(Place::Admin, add)
}

async fn add(visit: Visit) -> Result<Page, Trouble> {
    let permit = policy::may_administer(&visit.member)?;
    let mut picks = vec![Pick::new("", "The usual one of the role")];
    picks.extend(plan_picks(&console().identity.plans(&permit).await?));
    let form = visit.form(NEW_USER_FORM);
    let body = view! {
        <form class="grid max-w-xl gap-5" method="post" action=ADD_USER>
            <FormMistake form=form.clone()/>
            <Field
                form=form.clone()
                name="handle"
                label="Handle"
                hint="Part of the addresses they share. Lower-case letters, digits and -."
                pattern="[a-z0-9]([a-z0-9\\-]*[a-z0-9])?"
                autofocus=true
            />
            <Field form=form.clone() name="email" kind="email" label="E-mail"/>
            <Field
                form=form.clone()
                name="password"
                kind="password"
                label="First password"
                hint="Ten characters or more. They can change it once they are in."
                autocomplete="new-password"
            />
            <Choice form=form.clone() name="role" label="Role" first="member" picks=role_picks()/>
            <Select form=form name="plan" label="Plan" picks=picks/>
            <div class="flex gap-2">
                <button class="button button-primary" type="submit">"Add"</button>
                <a class="button button-quiet" href="/admin">"Cancel"</a>
            </div>
        </form>
    };
    Ok(Page::new("Add a person", body).above("/admin", "Admin"))
}

/// Draws one account.
pub(crate) fn user_page() -> AnyView {
    let id = use_params_map().get_untracked().get("id").unwrap_or_default();
    framed(Place::Admin, move |visit| one(visit, id))
}

async fn one(visit: Visit, id: String) -> Result<Page, Trouble> {
    let permit = policy::may_administer(&visit.member)?;
    let id: UserId = id.parse().map_err(|_| Trouble::NotFound)?;
    let identity = console().identity.clone();
    let user =
        identity.users(&permit).await?.into_iter().find(|user| user.id == id).ok_or(Trouble::NotFound)?;
    let plans = identity.plans(&permit).await?;
    let usage = console().quota.usage(id).await?;
    let used = match usage.limit {
        Some(limit) => format!("{} of {}", count(usage.used), count(limit)),
        None => format!("{}, no limit", count(usage.used)),
    };
    let has_second_step = identity.has_second_factor(&permit, id).await?;
    let enabled = user.enabled;
    let actions = view! {
        <PostButton
            action=ENABLE_USER
            fields=vec![("id", id.to_string()), ("enabled", (!enabled).to_string())]
            class=if enabled { tw!("button button-danger") } else { tw!("button") }
        >
            {if enabled { "Switch off" } else { "Switch on" }}
        </PostButton>
    };
    let title = user.handle.to_string();
    let body = view! {
        <div class="grid grid-cols-1 items-start gap-6 lg:grid-cols-2">
            {change(visit.form(EDIT_USER_FORM), &user, &plans)}
            <div class="grid gap-6">
                <Panel title="This month">
                    <Facts>
                        <Fact term="Calls">{used}</Fact>
                        <Fact term="Next month"><Ago at=usage.resets_at/></Fact>
                        <Fact term="Since"><Ago at=user.created_at/></Fact>
                    </Facts>
                </Panel>
                {reset(visit.form(RESET_FORM), id)}
                {second_step(id, &user, has_second_step)}
            </div>
        </div>
    };
    let page = Page::new(title, body).lead(state_badge(enabled)).above("/admin", "Admin").actions(actions);
    Ok(page)
}

fn change(form: Form, user: &User, plans: &[Plan]) -> impl IntoView + use<> {
    let (id, email) = (user.id.to_string(), user.email.to_string());
    let (role, plan) = (user.role.word(), user.plan.to_string());
    let picks = plan_picks(plans);
    view! {
        <Panel title="The account">
            <form class="grid gap-5" method="post" action=EDIT_USER>
                <input type="hidden" name="id" value=id/>
                <FormMistake form=form.clone()/>
                <Field form=form.clone() name="email" kind="email" label="E-mail" first=email/>
                <Choice form=form.clone() name="role" label="Role" first=role picks=role_picks()/>
                <Select form=form name="plan" label="Plan" first=plan picks=picks/>
                <div><button class="button button-primary" type="submit">"Save"</button></div>
            </form>
        </Panel>
    }
}

fn reset(form: Form, id: UserId) -> impl IntoView {
    view! {
        <Panel title="New password" lead="Signs them out everywhere. Tell it to them over a way you trust.">
            <form class="grid gap-4" method="post" action=RESET_PASSWORD>
                <input type="hidden" name="id" value=id.to_string()/>
                <FormMistake form=form.clone()/>
                <Field
                    form=form
                    name="password"
                    kind="password"
                    label="Password"
                    hint="Ten characters or more."
                    autocomplete="new-password"
                />
                <div><button class="button" type="submit">"Set the password"</button></div>
            </form>
        </Panel>
    }
}

fn second_step(id: UserId, user: &User, is_on: bool) -> impl IntoView + use<> {
    let body = if is_on {
        let label = format!("Reset the second step of {}", user.handle);
        view! {
            <div class="flex flex-wrap items-start justify-between gap-3">
                <Badge tone=Tone::Good word="on"/>
                <ConfirmInPlace action=RESET_SECOND_STEP fields=vec![("id", id.to_string())] verb="Reset" label=label>
                    "Their passkeys, authenticator and recovery codes are taken away: the password or login alone opens the account until they set it up again."
                </ConfirmInPlace>
            </div>
        }
        .into_any()
    } else {
        view! { <Badge tone=Tone::Off word="off"/> }.into_any()
    };
    view! {
        <Panel title="Second step" lead="For somebody who has lost what they show after the password. Be sure that it is them who asks.">
            {body}
        </Panel>
    }
}

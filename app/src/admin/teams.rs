//! The organisations of the instance: who belongs to them, never what they own.

use doorward::{
    model::{Handle, OrgMember, Organisation, Plan},
    orgs::Team,
    policy,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    tabs,
    teams_api::{
        ADD, CHANGE, LIST, MEMBER_FORM, NEW_FORM, PLAN_FORM, PUT_MEMBER, REMOVE, REMOVE_FORM, REMOVE_MEMBER,
        path,
    },
    users::plan_picks,
};
use crate::{
    context::console,
    form::Form,
    organisations::{role_picks, role_words},
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{
        Ago, Badge, Choice, Column, ConfirmByName, ConfirmInPlace, Empty, Field, FormMistake, Icon, Panel,
        Pick, PostButton, Select, Table, Tone,
    },
};

/// Draws the list.
pub(crate) fn teams_page() -> AnyView {
    framed(Place::Admin, list)
}

async fn list(visit: Visit) -> Result<Page, Trouble> {
    let permit = policy::may_administer(&visit.member)?;
    let teams = console().orgs.teams(&permit).await?;
    let shown = if teams.is_empty() {
        view! {
            <Empty
                icon=Icon::Team
                title="No organisations yet"
                text="Whoever has an account makes one on their own page of organisations; you can make one for them."
            />
        }
        .into_any()
    } else {
        let rows = teams.into_iter().map(row).collect_view();
        let columns = vec![
            Column::text("Organisation"),
            Column::number("Members"),
            Column::text("Plan").wide(),
            Column::text("State"),
            Column::text("Since").wide(),
        ];
        view! { <Table caption="Organisations" columns>{rows}</Table> }.into_any()
    };
    let body = view! {
        {tabs(LIST)}
        {shown}
    };
    let add = view! {
        <a class="button button-primary" href="/admin/organisations/new">{Icon::Plus.draw()} "Make an organisation"</a>
    };
    Ok(Page::new("Admin", body)
        .lead("Who belongs together. What an organisation has is its own business.")
        .actions(add))
}

fn row(Team { organisation, members }: Team) -> impl IntoView {
    let (handle, name) = (organisation.handle.to_string(), organisation.name().to_owned());
    view! {
        <tr>
            <td>
                <a class="link font-medium" href=path(&handle)>{name}</a>
                <p class="text-[13px] text-muted">{handle}</p>
            </td>
            <td class="number">{members.len()}</td>
            <td class="hidden sm:table-cell">{organisation.plan.map(|plan| plan.to_string())}</td>
            <td>{state(organisation.enabled)}</td>
            <td class="hidden text-muted sm:table-cell"><Ago at=organisation.created_at/></td>
        </tr>
    }
}

fn state(enabled: bool) -> impl IntoView {
    match enabled {
        true => view! { <Badge tone=Tone::Good word="Active"/> },
        false => view! { <Badge tone=Tone::Off word="Switched off"/> },
    }
}

/// Draws the form for a new one.
pub(crate) fn new_team_page() -> AnyView {
    framed(Place::Admin, add)
}

async fn add(visit: Visit) -> Result<Page, Trouble> {
    policy::may_administer(&visit.member)?;
    let form = visit.form(NEW_FORM);
    let body = view! {
        <form class="grid max-w-xl gap-5" method="post" action=ADD>
            <FormMistake form=form.clone()/>
            <Field
                form=form.clone()
                name="handle"
                label="Handle"
                hint="Part of the addresses it shares. It cannot be changed later, and nobody gets it again."
                pattern="[a-z0-9]([a-z0-9\\-]*[a-z0-9])?"
                mono=true
                autofocus=true
            />
            <Field form=form.clone() name="title" label="Name" optional=true/>
            <Field
                form
                name="admin"
                label="Administrator"
                hint="The handle of whoever manages it. Not your own: make one of yours under Organisations."
                mono=true
            />
            <div class="flex gap-2">
                <button class="button button-primary" type="submit">"Make it"</button>
                <a class="button button-quiet" href=LIST>"Cancel"</a>
            </div>
        </form>
    };
    Ok(Page::new("Make an organisation", body).above(LIST, "Admin"))
}

/// Draws one of them.
pub(crate) fn team_page() -> AnyView {
    let handle = use_params_map().get_untracked().get("organisation").unwrap_or_default();
    framed(Place::Admin, move |visit| one(visit, handle))
}

async fn one(visit: Visit, handle: String) -> Result<Page, Trouble> {
    let permit = policy::may_administer(&visit.member)?;
    let handle = Handle::parse(&handle).map_err(|_| Trouble::NotFound)?;
    let Team { organisation, members } =
        console().orgs.team(&permit, &handle).await?.ok_or(Trouble::NotFound)?;
    let plans = console().identity.plans(&permit).await?;
    let enabled = organisation.enabled;
    let fields = vec![("organisation", handle.to_string()), ("enabled", (!enabled).to_string())];
    let actions = view! {
        <PostButton
            action=CHANGE
            fields
            class=if enabled { tw!("button button-danger") } else { tw!("button") }
        >
            {if enabled { "Switch off" } else { "Switch on" }}
        </PostButton>
    };
    let name = handle.to_string();
    let body = view! {
        <div class="grid grid-cols-1 gap-6">
            {people(&handle, &members)}
            {member(visit.form(MEMBER_FORM), &handle)}
            {plan(visit.form(PLAN_FORM), &organisation, &plans)}
            <Panel title="Remove the organisation">
                <ConfirmByName
                    action=REMOVE
                    fields=vec![("organisation", name.clone())]
                    form=visit.form(REMOVE_FORM)
                    name=name
                    verb="Remove the organisation"
                >
                    <p>"Its data sources, presets, tunnels, connections, keys and analyses go with it."</p>
                    <p class="text-muted">"There is no way back, and nobody gets the handle again. Switching it off can be undone."</p>
                </ConfirmByName>
            </Panel>
        </div>
    };
    let title = organisation.name().to_owned();
    Ok(Page::new(title, body).lead(state(enabled)).above(LIST, "Admin").actions(actions))
}

fn people(handle: &Handle, members: &[OrgMember]) -> impl IntoView + use<> {
    let rows = members
        .iter()
        .map(|OrgMember { handle: who, role, enabled, since, .. }| {
            let fields = vec![("organisation", handle.to_string()), ("member", who.to_string())];
            let (label, enabled, at) = (format!("Remove {who}"), *enabled, *since);
            view! {
                <tr>
                    <td>
                        <span class="font-medium">{who.to_string()}</span>
                        {(!enabled).then(|| view! { " " <Badge tone=Tone::Off word="account switched off"/> })}
                    </td>
                    <td>{role_words(*role)}</td>
                    <td class="hidden text-muted sm:table-cell"><Ago at/></td>
                    <td class="number">
                        <ConfirmInPlace action=REMOVE_MEMBER fields verb="Remove" label>
                            "Their keys, clients and sign-ins there end at once. What they made there stays."
                        </ConfirmInPlace>
                    </td>
                </tr>
            }
        })
        .collect_view();
    let columns = vec![
        Column::text("Member"),
        Column::text("Role"),
        Column::text("Since").wide(),
        Column::actions("Remove"),
    ];
    view! { <Table caption="Members" columns>{rows}</Table> }
}

fn member(form: Form, handle: &Handle) -> impl IntoView + use<> {
    let organisation = handle.to_string();
    view! {
        <Panel title="Set a member" lead="Adds somebody, or gives a member another role. Its log says that you did.">
            <form class="grid max-w-xl gap-4" method="post" action=PUT_MEMBER>
                <FormMistake form=form.clone()/>
                <input type="hidden" name="organisation" value=organisation/>
                <Field form=form.clone() name="member" label="Handle" mono=true/>
                <Choice form name="role" label="Role" first="viewer" picks=role_picks()/>
                <div><button class="button" type="submit">"Set"</button></div>
            </form>
        </Panel>
    }
}

fn plan(form: Form, organisation: &Organisation, plans: &[Plan]) -> impl IntoView + use<> {
    let handle = organisation.handle.to_string();
    let first = organisation.plan.as_ref().map(|plan| plan.to_string()).unwrap_or_default();
    let mut picks = vec![Pick::new("", "None of its own")];
    picks.extend(plan_picks(plans));
    view! {
        <Panel
            title="Plan"
            lead="Calls and analyses count for it beside whoever makes them, and what it has is bounded by it. Without one, by the plans of its members."
        >
            <form class="grid max-w-xl gap-4" method="post" action=CHANGE>
                <FormMistake form=form.clone()/>
                <input type="hidden" name="organisation" value=handle/>
                <input type="hidden" name="sets_plan" value="true"/>
                <Select form name="plan" label="Plan" first picks/>
                <div><button class="button" type="submit">"Save"</button></div>
            </form>
        </Panel>
    }
}

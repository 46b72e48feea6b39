//! The page of one organisation: its people, its name, leaving and removing it.

use std::sync::Arc;

use doorward::{
    model::{Member, OrgMember, OrgRole, Organisation},
    policy,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    api::{EXPEL, FORM_REMOVE, FORM_RENAME, LEAVE, REMOVE, RENAME, ROLE, SWITCH, acting, path},
    invites, role_words,
};
use crate::{
    context::console,
    form::Form,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{
        Ago, Badge, Column, ConfirmByName, ConfirmInPlace, Fact, Facts, Field, FormMistake, Icon, Panel,
        PostButton, Table, Tone, count,
    },
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let handle = use_params_map().get_untracked().get("organisation").unwrap_or_default();
    framed(Place::Organisations, move |visit| load(visit, handle))
}

/// Draws the page that removes an organisation.
pub(crate) fn remove_page() -> AnyView {
    let handle = use_params_map().get_untracked().get("organisation").unwrap_or_default();
    framed(Place::Organisations, move |visit| removing(visit, handle))
}

async fn load(visit: Visit, handle: String) -> Result<Page, Trouble> {
    let acting = acting(&visit.member, &handle).await?;
    let orgs = console().orgs.clone();
    let organisation = orgs.find(&acting).await?;
    if organisation.is_personal() {
        return Err(Trouble::NotFound);
    }
    let members = orgs.members(&acting).await?;
    let manages = acting.org_role == OrgRole::Admin;
    let invitations = match manages {
        true => Some(invites::draw(&visit, &acting, &orgs.invites(&acting).await?)),
        false => None,
    };
    let settings = manages.then(|| settings(visit.form(FORM_RENAME), &organisation));
    let used = match manages {
        true => Some(used(&acting, &organisation).await?),
        false => None,
    };
    let name = organisation.name().to_owned();
    let title = name.clone();
    let body = view! {
        <div class="grid grid-cols-1 gap-6">
            {people(&acting, &members)}
            {invitations}
            {used}
            {settings}
            {leaving(&acting, name)}
        </div>
    };
    let lead = format!(
        "{} here. {}",
        match acting.org_role {
            OrgRole::Viewer => "You are a viewer",
            OrgRole::Operator => "You are an operator",
            OrgRole::Admin => "You are an administrator",
        },
        match acting.org_role {
            OrgRole::Viewer =>
                "You look at what it has and use its presets; its administrators change the rest.",
            OrgRole::Operator => "You use, test and run what it has; its administrators change the rest.",
            OrgRole::Admin => "You manage what it has, and who belongs to it.",
        }
    );
    Ok(Page::new(title, body)
        .lead(lead)
        .above("/organisations", "Organisations")
        .actions(act(&visit, &acting)))
}

fn act(visit: &Visit, acting: &Member) -> impl IntoView + use<> {
    if visit.member.tenant == acting.tenant {
        return view! { <Badge tone=Tone::Good word="acting here"/> }.into_any();
    }
    let fields =
        vec![("organisation", acting.tenant_handle.to_string()), ("next", path(&acting.tenant_handle))];
    view! { <PostButton action=SWITCH fields class=tw!("button button-primary")>"Act here"</PostButton> }
        .into_any()
}

fn people(acting: &Arc<Member>, members: &[OrgMember]) -> impl IntoView + use<> {
    let manages = acting.org_role == OrgRole::Admin;
    let rows = members.iter().map(|member| person(acting, member, manages)).collect_view();
    let mut columns = vec![Column::text("Member"), Column::text("Role"), Column::text("Since").wide()];
    if manages {
        columns.push(Column::actions("Remove"));
    }
    view! { <Table caption="Members" columns>{rows}</Table> }
}

fn person(acting: &Member, member: &OrgMember, manages: bool) -> impl IntoView + use<> {
    let OrgMember { user, handle, role, enabled, since } = member.clone();
    let is_self = user == acting.user;
    let role = match manages {
        true => choose_role(acting, &handle.to_string(), role).into_any(),
        false => role_words(role).into_any(),
    };
    let remove = manages.then(|| {
        let fields = vec![("organisation", acting.tenant_handle.to_string()), ("member", handle.to_string())];
        let label = format!("Remove {handle}");
        view! {
            <td class="number">
                {(!is_self).then(|| view! {
                    <ConfirmInPlace action=EXPEL fields verb="Remove" label>
                        "Their keys, clients and sign-ins here end at once. What they made here stays. Presets that name them on their list stay open to them."
                    </ConfirmInPlace>
                })}
            </td>
        }
    });
    view! {
        <tr>
            <td>
                <span class="font-medium">{handle.to_string()}</span>
                {is_self.then(|| view! { <span class="text-muted">" (you)"</span> })}
                {(!enabled).then(|| view! { <Badge tone=Tone::Off word="account switched off"/> })}
            </td>
            <td>{role}</td>
            <td class="hidden text-muted sm:table-cell"><Ago at=since/></td>
            {remove}
        </tr>
    }
}

fn choose_role(acting: &Member, handle: &str, role: OrgRole) -> impl IntoView + use<> {
    let options = OrgRole::ALL
        .iter()
        .map(|one| view! { <option value=one.word() selected={*one == role}>{role_words(*one)}</option> })
        .collect_view();
    let (organisation, handle) = (acting.tenant_handle.to_string(), handle.to_owned());
    let (label, save) = (format!("Role of {handle}"), format!("Save the role of {handle}"));
    view! {
        <form class="flex flex-wrap items-center gap-2" method="post" action=ROLE>
            <input type="hidden" name="organisation" value=organisation/>
            <input type="hidden" name="member" value=handle/>
            <select class="w-auto" name="role" aria-label=label>{options}</select>
            <button class="button button-small" type="submit" aria-label=save>"Save"</button>
        </form>
    }
}

/// Draws what the organisation has used of the month, for those who manage it.
async fn used(acting: &Member, organisation: &Organisation) -> Result<AnyView, Trouble> {
    let console = console();
    let calls = console.quota.usage(acting.tenant).await?;
    let analyses = console.analyses.usage(acting).await?;
    let of = |used: i64, limit: Option<i64>| match limit {
        Some(limit) => format!("{} of {} this month", count(used), count(limit)),
        None => format!("{} this month, no limit", count(used)),
    };
    let (used, limit) = analyses.team.unwrap_or_default();
    let (calls, analyses) = (of(calls.used, calls.limit), of(used, limit));
    let plan = match &organisation.plan {
        Some(plan) => plan.to_string(),
        None => "none of its own: those of its members count".to_owned(),
    };
    let drawn = view! {
        <Panel title="Plan" lead="Whoever manages this gateway can change it.">
            <Facts>
                <Fact term="Plan">{plan}</Fact>
                <Fact term="Calls">{calls}</Fact>
                <Fact term="Analyses">{analyses}</Fact>
            </Facts>
            <p class="mt-3 text-[13px] text-muted">
                "What it comes to by the end of the month, and the months before, stand under " <a href="/usage">"Usage"</a>
                " while you act here."
            </p>
        </Panel>
    };
    Ok(drawn.into_any())
}

fn settings(form: Form, organisation: &Organisation) -> impl IntoView + use<> {
    let (handle, title) = (organisation.handle.to_string(), organisation.title.clone());
    view! {
        <Panel title="Name">
            <form class="grid max-w-xl gap-4" method="post" action=RENAME>
                <FormMistake form=form.clone()/>
                <input type="hidden" name="organisation" value=handle/>
                <Field
                    form
                    name="title"
                    label="Name"
                    first=title
                    hint="What people read. The handle stays, so addresses keep working."
                    optional=true
                />
                <div><button class="button" type="submit">"Save"</button></div>
            </form>
        </Panel>
    }
}

fn leaving(acting: &Member, name: String) -> impl IntoView + use<> {
    let fields = vec![("organisation", acting.tenant_handle.to_string())];
    let label = format!("Leave {name}");
    let remove = (acting.org_role == OrgRole::Admin).then(|| {
        let href = format!("{}/remove", path(&acting.tenant_handle));
        view! { <a class="button button-small button-danger" href=href>{Icon::Trash.draw()} "Remove the organisation"</a> }
    });
    view! {
        <Panel title="Leaving">
            <div class="flex flex-wrap items-start gap-3">
                <ConfirmInPlace action=LEAVE fields verb="Leave" label>
                    "Your keys and clients here end at once. Somebody has to invite you to come back."
                </ConfirmInPlace>
                {remove}
            </div>
        </Panel>
    }
}

async fn removing(visit: Visit, handle: String) -> Result<Page, Trouble> {
    let acting = acting(&visit.member, &handle).await?;
    policy::may_manage(&acting, acting.tenant, OrgRole::Admin)?;
    let console = console();
    let organisation = console.orgs.find(&acting).await?;
    if organisation.is_personal() {
        return Err(Trouble::NotFound);
    }
    let sources = console.sources.list(&acting).await?.len();
    let tunnels = console.sources.tunnels(&acting).await?.len();
    let presets = console.presets.list(&acting).await?.len();
    let members = console.orgs.members(&acting).await?.len();
    let what = format!(
        "{members} members lose what they use here: {presets} presets, {sources} data sources and {tunnels} tunnels go \
         with it, with their credentials, keys and analyses."
    );
    let name = acting.tenant_handle.to_string();
    let body = view! {
        <ConfirmByName
            action=REMOVE
            fields=vec![("organisation", name.clone())]
            form=visit.form(FORM_REMOVE)
            name=name
            verb="Remove the organisation"
        >
            <p>{what}</p>
            <p class="text-muted">"There is no way back, and nobody gets the handle again."</p>
        </ConfirmByName>
    };
    Ok(Page::new(format!("Remove {}", organisation.name()), body)
        .above(path(&acting.tenant_handle), organisation.name().to_owned()))
}

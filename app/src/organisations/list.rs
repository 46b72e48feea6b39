//! The list of organisations, the invitations to others, and making one.

use doorward::{
    model::{Member, Membership},
    orgs::{ORGANISATIONS_MAX, OrgOffer},
};
use leptos::prelude::*;

use super::{
    api::{ACCEPT, CREATE, DECLINE, FORM_CREATE, LIST, SWITCH, path},
    role_words,
};
use crate::{
    context::console,
    form::Form,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{Ago, Badge, Column, Field, FormMistake, Icon, Panel, PostButton, Table, Tone},
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    framed(Place::Organisations, load)
}

async fn load(visit: Visit) -> Result<Page, Trouble> {
    let orgs = console().orgs.clone();
    let memberships = orgs.memberships(&visit.member).await?;
    let offers = orgs.offered(&visit.member).await?;
    let body = view! {
        <div class="grid grid-cols-1 gap-6">
            {(!offers.is_empty()).then(|| invited(&offers))}
            {table(&visit.member, &memberships)}
            {create(visit.form(FORM_CREATE))}
        </div>
    };
    Ok(Page::new("Organisations", body).lead(
        "Everybody has one of their own. Others are shared: their data sources, presets and keys belong to the organisation, \
         and each member may do as much with them as their role says.",
    ))
}

fn invited(offers: &[OrgOffer]) -> impl IntoView + use<> {
    let rows = offers
        .iter()
        .map(|OrgOffer { invite, organisation, .. }| {
            let name = organisation.name().to_owned();
            let fields = || vec![("invitation", invite.id.to_string())];
            let (accept, decline) = (format!("Accept the invitation to {name}"), format!("Turn down {name}"));
            let at = invite.expires_at;
            view! {
                <li class="flex flex-wrap items-center justify-between gap-3 px-4 py-3">
                    <div class="min-w-0">
                        <p class="break-words font-medium">{name}</p>
                        <p class="text-[13px] text-muted">
                            {invite.by_handle.to_string()} " invites you as " {role_words(invite.role)} "; it ends " <Ago at/>
                        </p>
                    </div>
                    <div class="flex flex-wrap gap-2">
                        <PostButton action=ACCEPT fields=fields() class=tw!("button button-small button-primary") label=accept>
                            "Accept"
                        </PostButton>
                        <PostButton action=DECLINE fields=fields() label=decline>"Turn down"</PostButton>
                    </div>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="panel">
            <h2 class="border-b border-line px-4 py-3">"You are invited"</h2>
            <ul class="divide-y divide-line">{rows}</ul>
        </section>
    }
}

fn table(member: &Member, memberships: &[Membership]) -> impl IntoView + use<> {
    let rows = memberships.iter().map(|membership| row(member, membership)).collect_view();
    let columns = vec![
        Column::text("Organisation"),
        Column::text("Your role"),
        Column::text("Since").wide(),
        Column::actions("Act in it"),
    ];
    view! { <Table caption="Your organisations" columns>{rows}</Table> }
}

fn row(member: &Member, Membership { organisation, role }: &Membership) -> impl IntoView + use<> {
    let (handle, name, at) =
        (organisation.handle.clone(), organisation.name().to_owned(), organisation.created_at);
    let is_own = organisation.is_personal();
    let role = if is_own { "Your own" } else { role_words(*role) };
    let title = match is_own || !organisation.enabled {
        true => view! { <span class="font-medium">{name.clone()}</span> }.into_any(),
        false => view! { <a class="link font-medium" href=path(&handle)>{name.clone()}</a> }.into_any(),
    };
    let action = if organisation.id == member.tenant {
        view! { <Badge tone=Tone::Good word="acting here"/> }.into_any()
    } else if !organisation.enabled {
        view! { <Badge tone=Tone::Off word="switched off"/> }.into_any()
    } else {
        let fields = vec![("organisation", handle.to_string()), ("next", LIST.to_owned())];
        let label = format!("Act here, in {name}");
        view! { <PostButton action=SWITCH fields label>"Act here"</PostButton> }.into_any()
    };
    view! {
        <tr>
            <td>
                {title}
                <p class="text-[13px] text-muted">{handle.to_string()}</p>
            </td>
            <td>{role}</td>
            <td class="hidden text-muted sm:table-cell"><Ago at/></td>
            <td class="number">{action}</td>
        </tr>
    }
}

fn create(form: Form) -> impl IntoView {
    let hint = format!(
        "Part of the addresses it shares, as in /mcp/acme/release-notes. It cannot be changed later, and nobody gets it \
         again. You may make {ORGANISATIONS_MAX}."
    );
    view! {
        <Panel title="Make an organisation" lead="For people who share data sources and presets.">
            <form class="grid max-w-xl gap-4" method="post" action=CREATE>
                <FormMistake form=form.clone()/>
                <Field
                    form=form.clone()
                    name="handle"
                    label="Handle"
                    hint
                    pattern="[a-z0-9]([a-z0-9\\-]*[a-z0-9])?"
                    placeholder="acme"
                    mono=true
                />
                <Field form name="title" label="Name" hint="What people read. It can be changed." optional=true/>
                <div>
                    <button class="button button-primary" type="submit">{Icon::Plus.draw()} "Make it"</button>
                </div>
            </form>
        </Panel>
    }
}

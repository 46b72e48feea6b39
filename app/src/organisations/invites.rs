//! The part of an organisation's page with invitations.

use doorward::model::{Member, OrgInvite};
use leptos::prelude::*;

use super::{
    api::{FORM_INVITE, INVITE, WITHDRAW},
    role_picks, role_words,
};
use crate::{
    context::console,
    form::Form,
    page::Visit,
    ui::{
        Ago, Choice, Column, ConfirmInPlace, Copyable, Field, FormMistake, Notice, Panel, Pick, Select,
        Table, Tone,
    },
};

/// Draws what is open, and the form for one more.
pub(super) fn draw(visit: &Visit, acting: &Member, invites: &[OrgInvite]) -> impl IntoView + use<> {
    let link = visit.once.clone().map(|text| {
        view! {
            <Notice tone=Tone::Warn>
                <div class="grid grid-cols-1 gap-2">
                    <p class="font-medium">"Copy the link now and send it: it is shown this once and kept only as a hash."</p>
                    <Copyable text/>
                </div>
            </Notice>
        }
    });
    let opened = (!invites.is_empty()).then(|| open(acting, invites));
    let form = form(acting, visit.form(FORM_INVITE));
    view! {
        <Panel title="Invitations" lead="Whoever accepts becomes a member.">
            <div class="grid grid-cols-1 gap-5">
                {link}
                {opened}
                {form}
            </div>
        </Panel>
    }
}

fn open(acting: &Member, invites: &[OrgInvite]) -> impl IntoView + use<> {
    let rows = invites
        .iter()
        .map(|invite| {
            let whose = match (&invite.user, &invite.email) {
                (Some((_, handle)), _) => handle.to_string(),
                (None, Some(email)) => email.to_string(),
                (None, None) => "whoever has the link".to_owned(),
            };
            let fields = vec![
                ("organisation", acting.tenant_handle.to_string()),
                ("invitation", invite.id.to_string()),
            ];
            let (label, at) = (format!("Withdraw the invitation of {whose}"), invite.expires_at);
            view! {
                <tr>
                    <td>
                        <span class="break-words font-medium">{whose}</span>
                        <p class="text-xs text-muted">"by " {invite.by_handle.to_string()}</p>
                    </td>
                    <td class="hidden sm:table-cell">{role_words(invite.role)}</td>
                    <td>"ends " <Ago at/></td>
                    <td class="number">
                        <ConfirmInPlace action=WITHDRAW fields verb="Withdraw" label>
                            "Nobody joins by it any more."
                        </ConfirmInPlace>
                    </td>
                </tr>
            }
        })
        .collect_view();
    let columns = vec![
        Column::text("For"),
        Column::text("As").wide(),
        Column::text("Open"),
        Column::actions("Withdraw"),
    ];
    view! { <Table caption="Open invitations" columns>{rows}</Table> }
}

fn form(acting: &Member, form: Form) -> impl IntoView + use<> {
    let hint = match console().presets.sends_letters() {
        true => {
            "A handle: they find the invitation on their page of organisations, and get a letter. An address: the link is sent there. Left empty, a link is shown to you to copy."
        }
        false => {
            "A handle: they find the invitation on their page of organisations. An address, or nothing: a link is shown to you to copy and send, as no mail server is set up here."
        }
    };
    let organisation = acting.tenant_handle.to_string();
    let days = vec![Pick::new("1", "a day"), Pick::new("7", "a week"), Pick::new("30", "30 days")];
    view! {
        <form class="grid max-w-xl gap-4" method="post" action=INVITE>
            <FormMistake form=form.clone()/>
            <input type="hidden" name="organisation" value=organisation/>
            <Field form=form.clone() name="who" label="Handle or e-mail address" optional=true hint/>
            <Choice form=form.clone() name="role" label="They become" first="viewer" picks=role_picks()/>
            <Select form name="days" label="Open for" first="7" picks=days/>
            <div><button class="button" type="submit">"Invite"</button></div>
        </form>
    }
}

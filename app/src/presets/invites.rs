//! The part of the tab of sharing with invitations.

use doorward::model::{Invite, PresetId};
use leptos::prelude::*;

use super::{
    share_api::{FORM_INVITE, INVITE, WITHDRAW},
    sharing::{levels, may},
};
use crate::{
    context::console,
    form::Form,
    page::Visit,
    ui::{
        Ago, Column, ConfirmInPlace, Copyable, Field, FormMistake, Notice, Panel, Pick, Select, Table, Tone,
    },
};

/// Draws what is open, and the form for one more.
pub(super) fn draw(visit: &Visit, id: PresetId, invites: &[Invite]) -> impl IntoView + use<> {
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
    let opened = (!invites.is_empty()).then(|| open(id, invites));
    let form = form(id, visit.form(FORM_INVITE));
    view! {
        <Panel title="Invitations" lead="A link that works once. Whoever accepts stands on the list above.">
            <div class="grid grid-cols-1 gap-5">
                {link}
                {opened}
                {form}
            </div>
        </Panel>
    }
}

fn open(id: PresetId, invites: &[Invite]) -> impl IntoView + use<> {
    let rows = invites
        .iter()
        .map(|invite| {
            let whose =
                invite.email.as_ref().map_or_else(|| "whoever has the link".to_owned(), ToString::to_string);
            let fields = vec![("id", id.to_string()), ("invitation", invite.id.to_string())];
            let (label, at) = (format!("Withdraw the invitation of {whose}"), invite.expires_at);
            view! {
                <tr>
                    <td>
                        <span class="font-medium">{whose}</span>
                        <p class="text-xs text-muted">"by " {invite.by_handle.to_string()}</p>
                    </td>
                    <td class="hidden sm:table-cell">{may(invite.level)}</td>
                    <td>"ends " <Ago at/></td>
                    <td class="number">
                        <ConfirmInPlace action=WITHDRAW fields verb="Withdraw" label>
                            "Its link opens nothing any more."
                        </ConfirmInPlace>
                    </td>
                </tr>
            }
        })
        .collect_view();
    let columns = vec![
        Column::text("For"),
        Column::text("May").wide(),
        Column::text("Open"),
        Column::actions("Withdraw"),
    ];
    view! { <Table caption="Open invitations" columns>{rows}</Table> }
}

fn form(id: PresetId, form: Form) -> impl IntoView {
    let hint = match console().presets.sends_letters() {
        true => {
            "The link is sent there, and is for this address alone. Left empty, it is shown to you to copy, and is for whoever has it."
        }
        false => {
            "The link is for this address alone. Left empty, it is for whoever has it. No mail server is set up here: copy it and send it."
        }
    };
    let accounts = (!console().identity.invited_may_sign_up()).then(|| {
        view! {
            <p class="text-muted">"Invitations make no accounts on this Doorward: whoever accepts needs one already."</p>
        }
    });
    let days = vec![Pick::new("1", "a day"), Pick::new("7", "a week"), Pick::new("30", "30 days")];
    view! {
        <form class="grid max-w-xl gap-4" method="post" action=INVITE>
            <FormMistake form=form.clone()/>
            <input type="hidden" name="id" value=id.to_string()/>
            <Field
                form=form.clone()
                name="email"
                kind="email"
                label="Invite the e-mail address"
                optional=true
                hint
            />
            <Select form=form.clone() name="level" label="Whoever accepts may" first="viewer" picks=levels()/>
            <Select form=form name="days" label="Open for" first="7" picks=days/>
            {accounts}
            <div><button class="button" type="submit">"Invite"</button></div>
        </form>
    }
}

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
    invitation::inviting::{self, Open},
    page::Visit,
    ui::{Field, FormMistake, Select},
};

/// Draws what is open, and the form for one more.
pub(super) fn draw(visit: &Visit, id: PresetId, invites: &[Invite]) -> impl IntoView + use<> {
    let open = |invite: &Invite| Open {
        whose: invite.email.as_ref().map_or_else(|| "whoever has the link".to_owned(), ToString::to_string),
        by: invite.by_handle.clone(),
        gives: may(invite.level),
        ends_at: invite.expires_at,
        fields: vec![("id", id.to_string()), ("invitation", invite.id.to_string())],
    };
    let open = invites.iter().map(open).collect();
    let open = inviting::table(WITHDRAW, "May", "Its link opens nothing any more.", open);
    let form = form(id, visit.form(FORM_INVITE));
    inviting::panel(visit, "A link that works once. Whoever accepts stands on the list above.", open, form)
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
            {inviting::days(form)}
            {accounts}
            <div><button class="button" type="submit">"Invite"</button></div>
        </form>
    }
}

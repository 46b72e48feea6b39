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
    invitation::inviting::{self, Open},
    page::Visit,
    ui::{Choice, Field, FormMistake},
};

/// Draws what is open, and the form for one more.
pub(super) fn draw(visit: &Visit, acting: &Member, invites: &[OrgInvite]) -> impl IntoView + use<> {
    let open = |invite: &OrgInvite| Open {
        whose: match (&invite.user, &invite.email) {
            (Some((_, handle)), _) => handle.to_string(),
            (None, Some(email)) => email.to_string(),
            (None, None) => "whoever has the link".to_owned(),
        },
        by: invite.by_handle.clone(),
        gives: role_words(invite.role),
        ends_at: invite.expires_at,
        fields: vec![
            ("organisation", acting.tenant_handle.to_string()),
            ("invitation", invite.id.to_string()),
        ],
    };
    let open = invites.iter().map(open).collect();
    let open = inviting::table(WITHDRAW, "As", "Nobody joins by it any more.", open);
    let form = form(acting, visit.form(FORM_INVITE));
    inviting::panel(visit, "Whoever accepts becomes a member.", open, form)
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
    view! {
        <form class="grid max-w-xl gap-4" method="post" action=INVITE>
            <FormMistake form=form.clone()/>
            <input type="hidden" name="organisation" value=organisation/>
            <Field form=form.clone() name="who" label="Handle or e-mail address" optional=true hint/>
            <Choice form=form.clone() name="role" label="They become" first="viewer" picks=role_picks()/>
            {inviting::days(form)}
            <div><button class="button" type="submit">"Invite"</button></div>
        </form>
    }
}

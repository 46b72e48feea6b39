//! The forms that make and change a tunnel.

use doorward::model::{Hop, OrgRole, Tunnel};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::api::{ADD, ADD_FORM, EDIT, EDIT_FORM, tunnel_id};
use crate::{
    context::console,
    form::Form,
    page::{Page, Place, page as framed},
    trouble::Trouble,
    ui::{Field, FormMistake, TextArea},
};

/// Draws the page that makes one.
pub(crate) fn new_page() -> AnyView {
    framed(Place::Sources, |visit| async move {
        visit.needs(OrgRole::Admin)?;
        let form = visit.form(ADD_FORM);
        let body = view! {
            <form class="grid max-w-3xl gap-5" method="post" action=ADD>
                <FormMistake form=form.clone()/>
                {fields(&form, None)}
                <div><button class="button button-primary" type="submit">"Add and make a key"</button></div>
            </form>
        };
        let lead = "A key of its own is made for each server. You put the public half there, test, and confirm the host key.";
        Ok(Page::new("Add a tunnel", body).lead(lead).above("/tunnels", "Tunnels"))
    })
}

/// Draws the page that changes one.
pub(crate) fn edit_page() -> AnyView {
    let id = use_params_map().get_untracked().get("id").unwrap_or_default();
    framed(Place::Sources, move |visit| async move {
        visit.needs(OrgRole::Admin)?;
        let found = console().sources.find_tunnel(&visit.member, tunnel_id(&id)?).await?;
        let tunnel = found.ok_or(Trouble::NotFound)?;
        let path = format!("/tunnels/{}", tunnel.id);
        let form = visit.form(EDIT_FORM);
        let body = view! {
            <form class="grid max-w-3xl gap-5" method="post" action=EDIT>
                <input type="hidden" name="id" value=tunnel.id.to_string()/>
                <input type="hidden" name="version" value=tunnel.version/>
                <FormMistake form=form.clone()/>
                {fields(&form, Some(&tunnel))}
                <div class="flex flex-wrap gap-2">
                    <button class="button button-primary" type="submit">"Save"</button>
                    <a class="button button-quiet" href=path.clone()>"Cancel"</a>
                </div>
            </form>
        };
        Ok(Page::new(format!("Edit {}", tunnel.name), body).above(path, tunnel.name.to_string()))
    })
}

fn fields(form: &Form, tunnel: Option<&Tunnel>) -> impl IntoView + use<> {
    let name = tunnel.map(|tunnel| tunnel.name.to_string()).unwrap_or_default();
    let servers = tunnel.map(|tunnel| tunnel.hops.iter().map(server_line).collect::<Vec<_>>().join("\n"));
    let destinations = tunnel
        .map(|tunnel| tunnel.destinations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    view! {
        <Field
            form=form.clone()
            name="name"
            label="Name"
            first=name
            placeholder="bastion"
            hint="Yours alone. Lower-case letters, digits and -."
            pattern="[a-z0-9]([a-z0-9\\-]*[a-z0-9])?"
            mono=true
        />
        <TextArea
            form=form.clone()
            name="hops"
            label="SSH servers"
            first=servers.unwrap_or_default()
            placeholder="ada@jump.example.org\nada@bastion.internal:2222"
            hint="One `user@host` or `user@host:port` a line, in the order they are passed: jump hosts first. Each server knows the next one by its own name service."
            mono=true
        />
        <TextArea
            form=form.clone()
            name="destinations"
            label="What it leads to"
            first=destinations.unwrap_or_default()
            placeholder="history.internal:18080"
            hint="One `host:port` a line, as the last server knows them. It leads nowhere else."
            mono=true
        />
    }
}

fn server_line(hop: &Hop) -> String {
    match hop.port {
        Hop::PORT if !hop.host.contains(':') => format!("{}@{}", hop.user, hop.host),
        _ => format!("{}@{}", hop.user, hop.address()),
    }
}

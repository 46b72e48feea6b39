//! The last tab of a preset: its name, who may use it, switching and deleting it.

use doorward::{
    model::{AccessLevel, Preset, PresetStatus, Transfer},
    presets::OpenPreset,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    api::{DELETE, EDIT, EXPIRE, FORM_DELETE, FORM_EXPIRY, FORM_SETTINGS, SWITCH, access_word},
    ends,
    fork_api::{FORM_OFFER, OFFER, TAKE_BACK},
    last_day, open, status, tabs,
};
use crate::{
    context::console,
    form::Form,
    limits,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{
        Ago, Badge, Choice, ConfirmByName, Field, FormMistake, Panel, Pick, PostButton, Tabs, TextArea, now,
    },
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let id = use_params_map().with_untracked(|map| map.get("id").unwrap_or_default());
    framed(Place::Presets, move |visit| load(visit, id))
}

async fn load(visit: Visit, id: String) -> Result<Page, Trouble> {
    let open = open(&visit, &id, AccessLevel::Editor).await?;
    let preset = open.preset.clone();
    let (form, confirm) = (visit.form(FORM_SETTINGS), visit.form(FORM_DELETE));
    let limit = visit.form(limits::FORM);
    let (end, hand) = (visit.form(FORM_EXPIRY), visit.form(FORM_OFFER));
    let offer = match open.permit.owns() {
        true => console().presets.transfer(&visit.member, preset.id).await?,
        false => None,
    };
    let limits = match open.permit.level() {
        AccessLevel::Admin => Some(limits::of_preset(&preset, limit).await),
        AccessLevel::Editor | AccessLevel::Viewer => None,
    };
    let (tone, word) = status(&preset);
    let body = view! {
        <div class="grid grid-cols-1 gap-5">
            <Tabs label="Parts of the preset" tabs=tabs(&open) open=format!("/presets/{}/settings", preset.id)/>
            {edit(&open, form)}
            {limits}
            {open.permit.owns().then(|| view! {
                {switch(&preset)} {expiry(&preset, end)} {transfer(&preset, offer.as_ref(), hand)} {delete(&preset, confirm)}
            })}
        </div>
    };
    Ok(Page::new(preset.title.clone(), body).above("/presets", "Presets").lead(view! { <Badge tone word/> }))
}

/// Who may use a preset, as things to choose from.
pub(super) fn access_picks() -> Vec<Pick> {
    vec![
        Pick::new("private", "Only you").meaning("With one of your API keys."),
        Pick::new("invite_only", "People you invite").meaning("You, and who is on the list under Sharing."),
        Pick::new("public", "Everybody with an account here")
            .meaning("With a key of their own, on their own quota."),
        Pick::new("anonymous", "Anybody, without a key")
            .meaning("Whoever knows the address. Calls count on your quota."),
    ]
}

fn edit(open: &OpenPreset, form: Form) -> impl IntoView + use<> {
    let preset = open.preset.clone();
    let access = access_word(preset.visibility, preset.anonymous);
    // What a level does not reach stays as it is.
    let slug = if open.permit.owns() {
        view! {
            <Field
                form=form.clone()
                name="slug"
                label="Slug"
                mono=true
                first=preset.slug.to_string()
                hint="Clients that have the old address lose it."
            />
        }
        .into_any()
    } else {
        view! { <input type="hidden" name="slug" value=preset.slug.to_string()/> }.into_any()
    };
    let access = if open.permit.level() >= AccessLevel::Admin {
        view! { <Choice form=form.clone() name="access" label="Who may use it" first=access picks=access_picks()/> }
            .into_any()
    } else {
        view! { <input type="hidden" name="access" value=access/> }.into_any()
    };
    view! {
        <Panel title="Name and access">
            <form class="grid max-w-xl gap-4" method="post" action=EDIT>
                <FormMistake form=form.clone()/>
                <input type="hidden" name="id" value=preset.id.to_string()/>
                <input type="hidden" name="version" value=preset.version.to_string()/>
                <Field form=form.clone() name="title" label="Title" first=preset.title/>
                {slug}
                <TextArea form=form.clone() name="description" label="Description" optional=true first=preset.description/>
                {access}
                <div><button class="button button-primary" type="submit">"Save"</button></div>
            </form>
        </Panel>
    }
}

fn switch(preset: &Preset) -> impl IntoView + use<> {
    let id = preset.id.to_string();
    let (lead, steps) = match preset.status {
        PresetStatus::Active => {
            ("It answers calls.", vec![("disabled", "Switch off"), ("archived", "Archive")])
        }
        PresetStatus::Disabled => (
            "It answers nobody until it is switched on.",
            vec![("active", "Switch on"), ("archived", "Archive")],
        ),
        PresetStatus::Archived => (
            "It is out of the list and answers nobody. Its slug is still taken.",
            vec![("active", "Take it out again")],
        ),
    };
    let buttons = steps
        .into_iter()
        .map(|(word, label)| {
            let fields = vec![("id", id.clone()), ("status", word.to_owned())];
            view! { <PostButton action=SWITCH fields class=tw!("button")>{label}</PostButton> }
        })
        .collect_view();
    view! {
        <Panel title="State" lead>
            <div class="flex flex-wrap gap-2">{buttons}</div>
        </Panel>
    }
}

fn expiry(preset: &Preset, form: Form) -> impl IntoView + use<> {
    let lead = match ends(preset) {
        None => "It answers without an end.".to_owned(),
        Some(_) if preset.has_expired(now()) => {
            "It has come to its end and answers nobody. A later day, or none, has it answer again.".to_owned()
        }
        Some(text) => format!("It {text}, UTC. From then on it answers nobody."),
    };
    let (id, first) = (preset.id.to_string(), preset.expires_at.map(last_day).unwrap_or_default());
    view! {
        <Panel title="Expiry" lead>
            <form class="grid max-w-xl gap-4" method="post" action=EXPIRE>
                <FormMistake form=form.clone()/>
                <input type="hidden" name="id" value=id/>
                <Field
                    form
                    name="last_day"
                    label="Last day"
                    kind="date"
                    optional=true
                    first
                    hint="Until the end of this day, UTC. Empty = without an end."
                />
                <div><button class="button" type="submit">"Save the last day"</button></div>
            </form>
        </Panel>
    }
}

fn transfer(preset: &Preset, offer: Option<&Transfer>, form: Form) -> impl IntoView + use<> {
    let id = preset.id.to_string();
    let offered = offer.map(|offer| {
        let (to, at, fields) = (offer.to_handle.to_string(), offer.expires_at, vec![("id", id.clone())]);
        view! {
            <div class="flex flex-wrap items-center gap-3">
                <p>"Offered to " <strong>{to}</strong> ", until " <Ago at/> "."</p>
                <PostButton action=TAKE_BACK fields>"Take the offer back"</PostButton>
            </div>
        }
    });
    view! {
        <Panel title="Hand it over" lead="To somebody who gives its tools from data sources of their own. It stays yours until they take it; then this address ends, and clients connect to theirs.">
            <div class="grid grid-cols-1 gap-4">
                {offered}
                <form class="grid max-w-xl gap-4" method="post" action=OFFER>
                    <FormMistake form=form.clone()/>
                    <input type="hidden" name="id" value=id/>
                    <Field form name="to" label="Handle of the new owner" mono=true/>
                    <div><button class="button" type="submit">"Offer it"</button></div>
                </form>
            </div>
        </Panel>
    }
}

fn delete(preset: &Preset, form: Form) -> impl IntoView + use<> {
    let fields = vec![("id", preset.id.to_string())];
    let name = preset.slug.to_string();
    view! {
        <Panel title="Delete">
            <ConfirmByName action=DELETE fields form name verb="Delete the preset">
                <p>"Every client connected to it loses its tools with the next call. Its metrics and audit events stay. This cannot be undone."</p>
            </ConfirmByName>
        </Panel>
    }
}

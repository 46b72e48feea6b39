//! The tab of a preset with who it is shared with.

use doorward::model::{AccessEntry, AccessLevel, Grantee, Preset, PresetId, Visibility};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    invites, owned_by,
    share_api::{FORM_SHARE, FORM_TEAM, SHARE, UNSHARE},
    sharing_path, tabs,
};
use crate::{
    context::console,
    form::Form,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{
        Ago, Badge, Column, ConfirmInPlace, Empty, Field, FormMistake, Icon, Notice, Panel, Pick, Select,
        Table, Tabs, Tone,
    },
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let id = use_params_map().with_untracked(|map| map.get("id").unwrap_or_default());
    framed(Place::Presets, move |visit| load(visit, id))
}

async fn load(visit: Visit, id: String) -> Result<Page, Trouble> {
    let id: PresetId = id.parse().map_err(|_| Trouble::NotFound)?;
    let (open, entries) = console().presets.access(&visit.member, id).await?;
    let invitations = console().presets.invites(&visit.member, id).await?;
    let (people, team) = (visit.form(FORM_SHARE), visit.form(FORM_TEAM));
    let body = view! {
        <div class="grid grid-cols-1 gap-5">
            <Tabs label="Parts of the preset" tabs=tabs(&open) open=sharing_path(id)/>
            {who(&open.preset, entries.len())}
            {list(id, &entries)}
            {add(id, people, team)}
            {invites::draw(&visit, id, &invitations)}
        </div>
    };
    Ok(Page::new(open.preset.title.clone(), body)
        .above("/presets", "Presets")
        .lead(owned_by(&open).unwrap_or_else(|| {
        "Who beside you may use it, change it, or share it on. Taking somebody off holds on their next call."
            .to_owned()
    })))
}

/// Says what the list does while the preset is seen by these.
fn who(preset: &Preset, entries: usize) -> impl IntoView + use<> {
    let (tone, text) = match (preset.visibility, entries) {
        (Visibility::Private, 0) => {
            (Tone::Off, "Private: only you may use it. Sharing it with somebody makes it invite-only.")
        }
        (Visibility::Private, _) => (
            Tone::Warn,
            "Private: the list below is kept and opens nothing. Choose “People you invite” in the settings to have it hold.",
        ),
        (Visibility::InviteOnly, _) => (Tone::Good, "Invite-only: you and the list below."),
        (Visibility::Public, _) => (
            Tone::Warn,
            "Public: everybody with an account may use it. The list says who may change it or share it on.",
        ),
    };
    view! { <Notice tone><p>{text}</p></Notice> }
}

fn list(id: PresetId, entries: &[AccessEntry]) -> AnyView {
    if entries.is_empty() {
        return view! {
            <Empty icon=Icon::Account title="Shared with nobody" text="Name somebody below, and they find the preset among theirs."/>
        }
        .into_any();
    }
    let rows = entries.iter().map(|entry| row(id, entry)).collect_view();
    let columns = vec![
        Column::text("Who"),
        Column::text("May"),
        Column::text("Since").wide(),
        Column::actions("Take off"),
    ];
    view! { <Table caption="Access list" columns>{rows}</Table> }.into_any()
}

fn row(id: PresetId, entry: &AccessEntry) -> impl IntoView + use<> {
    let name = match &entry.who {
        Grantee::User(_, handle) => handle.to_string(),
        Grantee::Email(email) => email.to_string(),
        Grantee::Members(_, handle, role) => format!("{handle}, from the role {role} up"),
    };
    let waits = (matches!(entry.who, Grantee::Email(_)) && entry.reaches.is_none())
        .then(|| view! { <Badge tone=Tone::Off word="no account yet"/> });
    let off = (matches!(entry.who, Grantee::User(..)) && entry.reaches.is_none())
        .then(|| view! { <Badge tone=Tone::Off word="account switched off"/> });
    let (label, at) = (format!("Take {name} off"), entry.created_at);
    let fields = vec![("id", id.to_string()), ("entry", entry.id.to_string())];
    view! {
        <tr>
            <td><span class="font-medium">{name}</span> " " {waits} {off}</td>
            <td>{may(entry.level)}</td>
            <td class="hidden sm:table-cell"><Ago at/></td>
            <td class="number">
                <ConfirmInPlace action=UNSHARE fields verb="Take off" label>
                    "Their next call is refused, and the preset leaves their list."
                </ConfirmInPlace>
            </td>
        </tr>
    }
}

pub(super) fn may(level: AccessLevel) -> &'static str {
    match level {
        AccessLevel::Viewer => "use it",
        AccessLevel::Editor => "use and change it",
        AccessLevel::Admin => "use, change and share it",
    }
}

/// What somebody may be given, as things to choose from.
pub(super) fn levels() -> Vec<Pick> {
    AccessLevel::ALL.iter().map(|level| Pick::new(level.word(), may(*level))).collect()
}

fn add(id: PresetId, people: Form, team: Form) -> impl IntoView {
    let team_open = team.is_refused();
    let roles = vec![
        Pick::new("viewer", "everybody in it"),
        Pick::new("operator", "its operators and admins"),
        Pick::new("admin", "its admins"),
    ];
    view! {
        <Panel title="Share with somebody">
            <div class="grid grid-cols-1 gap-5">
                <form class="grid max-w-xl gap-4" method="post" action=SHARE>
                    <FormMistake form=people.clone()/>
                    <input type="hidden" name="id" value=id.to_string()/>
                    <Field
                        form=people.clone()
                        name="who"
                        label="Handle or e-mail address"
                        placeholder="grace@example.org"
                        hint="An address may be of somebody without an account: it holds as soon as they have one."
                    />
                    <Select form=people name="level" label="They may" first="viewer" picks=levels()/>
                    <div><button class="button button-primary" type="submit">"Share"</button></div>
                </form>
                <details open=team_open>
                    <summary class="link">"Share with an organisation"</summary>
                    <form class="mt-3 grid max-w-xl gap-4" method="post" action=SHARE>
                        <FormMistake form=team.clone()/>
                        <input type="hidden" name="id" value=id.to_string()/>
                        <Field form=team.clone() name="who" label="Handle of the organisation"/>
                        <Select form=team.clone() name="role" label="Who of it" first="viewer" picks=roles/>
                        <Select form=team name="level" label="They may" first="viewer" picks=levels()/>
                        <div><button class="button" type="submit">"Share with the organisation"</button></div>
                    </form>
                </details>
            </div>
        </Panel>
    }
}

//! What the pages of presets post.

#![expect(
    clippy::too_many_arguments,
    reason = "a server function has an argument for each field of its form"
)]

use doorward::{
    clock::Ms,
    model::{CallRules, Member, PresetId, PresetStatus, Selection, Slug, SourceId, Visibility},
    presets::{NewPreset, PresetChange, PresetError},
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    draft::{SourceField, ToolField, rename, selections},
    tools_path,
    typed::{self, Typed},
};
use crate::{
    context::console,
    form::{Form, Mistake, Onward},
    session,
    trouble::Trouble,
    ui::{ago, now},
};

/// Where making a preset is posted to.
pub(crate) const CREATE: &str = <CreatePreset as ServerFn>::PATH;
/// Where choosing tools is posted to.
pub(crate) const CHOOSE: &str = <ChooseTools as ServerFn>::PATH;
/// Where the settings are posted to.
pub(crate) const EDIT: &str = <EditPreset as ServerFn>::PATH;
/// Where switching on, off and archiving is posted to.
pub(crate) const SWITCH: &str = <SwitchPreset as ServerFn>::PATH;
/// Where the day it ends is posted to.
pub(crate) const EXPIRE: &str = <SetExpiry as ServerFn>::PATH;
/// Where deleting is posted to.
pub(crate) const DELETE: &str = <DeletePreset as ServerFn>::PATH;

/// The name of the form that makes a preset.
pub(crate) const FORM_NEW: &str = "preset-new";
/// The name of the form with the tools.
pub(crate) const FORM_TOOLS: &str = "preset-tools";
/// The name of the form with the settings.
pub(crate) const FORM_SETTINGS: &str = "preset-settings";
/// The name of the form with the day it ends.
pub(crate) const FORM_EXPIRY: &str = "preset-expiry";
/// The name of the form that deletes.
pub(crate) const FORM_DELETE: &str = "preset-delete";

/// How often colliding names are given new ones; each round settles at least one.
const RENAME_ROUNDS_MAX: usize = 16;

/// Makes a preset. Names that collide get the ones suggested for them.
#[server(prefix = "/do", endpoint = "preset-create")]
pub async fn create_preset(
    title: String,
    slug: String,
    #[server(default)] description: String,
    access: String,
    #[server(default)] sources: Vec<SourceField>,
    #[server(default)] tools: Vec<ToolField>,
    #[server(default)] resources: Vec<String>,
    #[server(default)] prompts: Vec<String>,
) -> Result<(), ServerFnError> {
    let (title, slug) = (title.trim().to_owned(), slug.trim().to_lowercase());
    let form = Form::new(FORM_NEW)
        .keep("title", &title)
        .keep("slug", &slug)
        .keep("access", &access)
        .keep("description", &description);
    form.answer(
        "/presets/new",
        create(title, &slug, description, &access, Typed { sources, tools, resources, prompts }).await,
    )
}

async fn create(
    title: String,
    slug: &str,
    description: String,
    access: &str,
    typed: Typed,
) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let mut selections = selections(&typed.sources, &typed.tools, typed.ticked()).ok_or(Trouble::NotFound)?;
    typed::keep(member.user, None, typed, console().now());
    let slug = Slug::parse(slug).map_err(|error| Mistake::field("slug", error))?;
    let (visibility, anonymous) = read_access(access)?;
    settle(&member, None, &mut selections).await?;
    let new = NewPreset {
        rules: CallRules::default(),
        slug,
        title,
        description: description.trim().to_owned(),
        visibility,
        anonymous,
        expires_at: None,
        selections,
    };
    let preset = console().presets.add(&member, new).await.map_err(mistake)?;
    typed::forget(member.user, None);
    Ok(Onward::to(format!("/presets/{}/connect", preset.id)).saying(format!(
        "The preset {} is ready. Connect a client with one of the lines below.",
        preset.slug
    )))
}

/// Chooses what a preset takes.
#[server(prefix = "/do", endpoint = "preset-tools")]
pub async fn choose_tools(
    id: String,
    version: i64,
    #[server(default)] sources: Vec<SourceField>,
    #[server(default)] tools: Vec<ToolField>,
    #[server(default)] resources: Vec<String>,
    #[server(default)] prompts: Vec<String>,
    #[server(default)] rename: String,
) -> Result<(), ServerFnError> {
    let back = format!("/presets/{id}");
    Form::new(FORM_TOOLS).answer(
        &back,
        choose(&id, version, Typed { sources, tools, resources, prompts }, rename == "on").await,
    )
}

async fn choose(id: &str, version: i64, typed: Typed, rename: bool) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let id: PresetId = id.parse().map_err(|_| Trouble::NotFound)?;
    let mut selections = selections(&typed.sources, &typed.tools, typed.ticked()).ok_or(Trouble::NotFound)?;
    typed::keep(member.user, Some(id), typed, console().now());
    if rename {
        settle(&member, Some(id), &mut selections).await?;
    }
    let preset = console().presets.set_selections(&member, id, selections, version).await.map_err(mistake)?;
    typed::forget(member.user, Some(id));
    Ok(Onward::to(tools_path(preset.id)).saying("Saved. Clients see the change with their next list."))
}

/// Gives colliding tools the names suggested for them, until nothing collides.
async fn settle(member: &Member, of: Option<PresetId>, selections: &mut [Selection]) -> Result<(), Mistake> {
    let presets = console().presets.clone();
    let editor = match of {
        None => presets.new_editor(member).await?,
        Some(id) => presets.editor(member, id).await?.ok_or(Trouble::NotFound)?,
    };
    let id_of = |name: &str| -> Option<SourceId> {
        let found = editor.sources.iter().find(|item| item.source.name.as_str() == name);
        found.map(|item| item.source.id)
    };
    for _ in 0..RENAME_ROUNDS_MAX {
        let preview = presets.preview(member, of, selections).await.map_err(mistake)?;
        let collisions: Vec<_> = preview
            .collisions
            .iter()
            .filter_map(|collision| Some((id_of(collision.second.0.as_str())?, collision)))
            .collect();
        if collisions.is_empty() {
            break;
        }
        rename(selections, &collisions);
    }
    Ok(())
}

/// Changes name, description and who may use a preset.
#[server(prefix = "/do", endpoint = "preset-settings")]
pub async fn edit_preset(
    id: String,
    version: i64,
    title: String,
    slug: String,
    #[server(default)] description: String,
    access: String,
) -> Result<(), ServerFnError> {
    let back = format!("/presets/{id}/settings");
    let (title, slug) = (title.trim().to_owned(), slug.trim().to_lowercase());
    let form = Form::new(FORM_SETTINGS)
        .keep("title", &title)
        .keep("slug", &slug)
        .keep("access", &access)
        .keep("description", &description);
    form.answer(&back, edit(&id, version, title, &slug, description, &access, &back).await)
}

async fn edit(
    id: &str,
    version: i64,
    title: String,
    slug: &str,
    description: String,
    access: &str,
    back: &str,
) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let id: PresetId = id.parse().map_err(|_| Trouble::NotFound)?;
    let slug = Slug::parse(slug).map_err(|error| Mistake::field("slug", error))?;
    let (visibility, anonymous) = read_access(access)?;
    let change = PresetChange {
        slug: Some(slug),
        title: Some(title),
        description: Some(description.trim().to_owned()),
        visibility: Some(visibility),
        anonymous: Some(anonymous),
        ..PresetChange::default()
    };
    console().presets.update(&member, id, change, version).await.map_err(mistake)?;
    Ok(Onward::to(back).saying("Saved."))
}

/// Switches a preset on or off, or puts it away.
#[server(prefix = "/do", endpoint = "preset-switch")]
pub async fn switch_preset(id: String, status: String) -> Result<(), ServerFnError> {
    let back = format!("/presets/{id}/settings");
    Form::new("preset-switch").answer(&back, switch(&id, &status, &back).await)
}

async fn switch(id: &str, status: &str, back: &str) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let id: PresetId = id.parse().map_err(|_| Trouble::NotFound)?;
    let status = PresetStatus::from_word(status).ok_or(Trouble::NotFound)?;
    console().presets.set_status(&member, id, status).await.map_err(mistake)?;
    let said = match status {
        PresetStatus::Active => "The preset answers again.",
        PresetStatus::Disabled => "The preset is switched off: the next call is refused.",
        PresetStatus::Archived => "The preset is put away. Its slug stays taken.",
    };
    Ok(Onward::to(back).saying(said))
}

/// Says until the end of which day a preset answers.
#[server(prefix = "/do", endpoint = "preset-expiry")]
pub async fn set_expiry(id: String, #[server(default)] last_day: String) -> Result<(), ServerFnError> {
    let back = format!("/presets/{id}/settings");
    let last_day = last_day.trim().to_owned();
    let form = Form::new(FORM_EXPIRY).keep("last_day", &last_day);
    form.answer(&back, expire(&id, &last_day, &back).await)
}

async fn expire(id: &str, last_day: &str, back: &str) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let id: PresetId = id.parse().map_err(|_| Trouble::NotFound)?;
    let wrong = |text: &str| Mistake::field("last_day", text);
    let end = match last_day {
        "" => None,
        day => {
            Some(Ms::end_of_day(day).ok_or_else(|| wrong("give a day as year-month-day, as in 2027-01-31"))?)
        }
    };
    if end.is_some_and(|end| end <= now()) {
        return Err(wrong("this day is over: to end it at once, switch it off"));
    }
    console().presets.set_expiry(&member, id, end).await.map_err(mistake)?;
    Ok(Onward::to(back).saying(match end {
        None => "The preset answers without an end.".to_owned(),
        Some(_) => format!("The preset answers until the end of {last_day}, UTC."),
    }))
}

/// Deletes a preset after its slug was typed.
#[server(prefix = "/do", endpoint = "preset-delete")]
pub async fn delete_preset(id: String, confirm: String) -> Result<(), ServerFnError> {
    let back = format!("/presets/{id}/settings");
    Form::new(FORM_DELETE).answer(&back, delete(&id, confirm.trim()).await)
}

async fn delete(id: &str, confirm: &str) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let presets = console().presets.clone();
    let id: PresetId = id.parse().map_err(|_| Trouble::NotFound)?;
    let preset = presets.find(&member, id).await?.ok_or(Trouble::NotFound)?.preset;
    if preset.slug.as_str() != confirm {
        return Err(Mistake::field("confirm", format!("type {} to delete it", preset.slug)));
    }
    presets.remove(&member, id).await.map_err(mistake)?;
    Ok(Onward::to("/presets").saying(format!("The preset {} is deleted.", preset.slug)))
}

fn read_access(word: &str) -> Result<(Visibility, bool), Mistake> {
    match word {
        "private" => Ok((Visibility::Private, false)),
        "invite_only" => Ok((Visibility::InviteOnly, false)),
        "public" => Ok((Visibility::Public, false)),
        "anonymous" => Ok((Visibility::Public, true)),
        _ => Err(Mistake::field("access", "choose who may use it")),
    }
}

/// Returns the word [`read_access`] reads.
pub(super) fn access_word(visibility: Visibility, anonymous: bool) -> &'static str {
    match (visibility, anonymous) {
        (Visibility::Private, _) => "private",
        (Visibility::InviteOnly, _) => "invite_only",
        (Visibility::Public, false) => "public",
        (Visibility::Public, true) => "anonymous",
    }
}

pub(super) fn mistake(error: PresetError) -> Mistake {
    match error {
        PresetError::SlugTaken { .. } => Mistake::field("slug", error),
        PresetError::Invalid { .. } | PresetError::Limit { .. } => Mistake::form(error),
        // The page lists them.
        PresetError::Collision { .. } => {
            Mistake::form("nothing is saved yet: some tools would have the same name")
        }
        PresetError::Stale { by, at, .. } => Mistake::form(format!(
            "{} changed this preset {}. Nothing of yours is saved yet; it still stands below, and saving it \
             replaces their change",
            by.as_deref().unwrap_or("Somebody else"),
            ago(at, now())
        )),
        other => other.into(),
    }
}

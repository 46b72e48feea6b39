//! What the page of sharing posts.

use doorward::{
    model::{AccessId, AccessLevel, Email, Handle, OrgRole, PresetId},
    presets::{NewGrantee, PresetError},
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{api::mistake, sharing_path};
use crate::{
    context::console,
    form::{Form, Mistake, Onward},
    session,
    trouble::Trouble,
};

/// Where putting somebody on the list is posted to.
pub(crate) const SHARE: &str = <SharePreset as ServerFn>::PATH;
/// Where taking somebody off is posted to.
pub(crate) const UNSHARE: &str = <UnsharePreset as ServerFn>::PATH;

/// The name of the form that shares with people.
pub(crate) const FORM_SHARE: &str = "preset-share";

/// Puts somebody on the access list, or gives them another level.
#[server(prefix = "/do", endpoint = "preset-share")]
pub async fn share_preset(
    id: String,
    who: String,
    level: String,
    #[server(default)] role: String,
) -> Result<(), ServerFnError> {
    let who = who.trim().to_lowercase();
    let form = Form::new(FORM_SHARE).keep("who", &who).keep("level", &level).keep("role", &role);
    let back = format!("/presets/{id}/sharing");
    form.answer(&back, share(&id, &who, &level, &role).await)
}

async fn share(id: &str, who: &str, level: &str, role: &str) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let id: PresetId = id.parse().map_err(|_| Trouble::NotFound)?;
    let level =
        AccessLevel::from_word(level).ok_or_else(|| Mistake::field("level", "choose what they may do"))?;
    let grantee = read(who, role)?;
    let shared = console().presets.share(&member, id, grantee, level).await;
    let entry = shared.map_err(|error| match error {
        PresetError::Invalid { part: "user" | "organisation", reason } => Mistake::field("who", reason),
        other => mistake(other),
    })?;
    let said = match (entry.who, entry.reaches) {
        (doorward::model::Grantee::Email(email), None) => {
            format!("{email} has no account here yet. The preset is theirs to use as soon as they have.")
        }
        _ => format!("Shared with {who}: it holds from their next call on."),
    };
    Ok(Onward::to(sharing_path(id)).saying(said))
}

/// Reads whom a line means: an address, a handle, or, with a role, an organisation.
fn read(who: &str, role: &str) -> Result<NewGrantee, Mistake> {
    let wrong = |error| Mistake::field("who", error);
    match OrgRole::from_word(role) {
        Some(role) => Ok(NewGrantee::Members(Handle::parse(who).map_err(wrong)?, role)),
        None if who.contains('@') => Ok(NewGrantee::Email(Email::parse(who).map_err(wrong)?)),
        None => Ok(NewGrantee::User(Handle::parse(who).map_err(wrong)?)),
    }
}

/// Takes somebody off the access list.
#[server(prefix = "/do", endpoint = "preset-unshare")]
pub async fn unshare_preset(id: String, entry: String) -> Result<(), ServerFnError> {
    let back = format!("/presets/{id}/sharing");
    Form::new("preset-unshare").answer(&back, unshare(&id, &entry).await)
}

async fn unshare(id: &str, entry: &str) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let id: PresetId = id.parse().map_err(|_| Trouble::NotFound)?;
    let entry: AccessId = entry.parse().map_err(|_| Trouble::NotFound)?;
    if !console().presets.unshare(&member, id, entry).await.map_err(mistake)? {
        return Err(Trouble::NotFound.into());
    }
    Ok(Onward::to(sharing_path(id)).saying("Taken off the list: their next call is refused."))
}

//! What the page of sharing posts.

use doorward::{
    model::{AccessId, AccessLevel, Email, Handle, InviteId, OrgRole, PresetId},
    presets::{NewGrantee, NewInvite, PresetError},
    secret::Secret,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{api::mistake, sharing_path};
use crate::{
    context::console,
    form::{Form, Mistake, Onward},
    invitation::inviting::read_days,
    session,
    trouble::Trouble,
};

/// Where putting somebody on the list is posted to.
pub(crate) const SHARE: &str = <SharePreset as ServerFn>::PATH;
/// Where taking somebody off is posted to.
pub(crate) const UNSHARE: &str = <UnsharePreset as ServerFn>::PATH;

/// Where inviting is posted to.
pub(crate) const INVITE: &str = <InviteToPreset as ServerFn>::PATH;
/// Where withdrawing an invitation is posted to.
pub(crate) const WITHDRAW: &str = <WithdrawInvite as ServerFn>::PATH;

/// The name of the form that invites.
pub(crate) const FORM_INVITE: &str = "preset-invite";
/// The name of the form that shares with people.
pub(crate) const FORM_SHARE: &str = "preset-share";
/// The name of the form for an organisation, whose fields have other ids.
pub(crate) const FORM_TEAM: &str = "preset-share-team";

/// Puts somebody on the access list, or gives them another level.
#[server(prefix = "/do", endpoint = "preset-share")]
pub async fn share_preset(
    id: String,
    who: String,
    level: String,
    #[server(default)] role: String,
) -> Result<(), ServerFnError> {
    let who = who.trim().to_lowercase();
    let name = if role.is_empty() { FORM_SHARE } else { FORM_TEAM };
    let form = Form::new(name).keep("who", &who).keep("level", &level).keep("role", &role);
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

/// Makes an invitation, and shows its link once, or sends it.
#[server(prefix = "/do", endpoint = "preset-invite")]
pub async fn invite_to_preset(
    id: String,
    #[server(default)] email: String,
    level: String,
    days: String,
) -> Result<(), ServerFnError> {
    let email = email.trim().to_lowercase();
    let form = Form::new(FORM_INVITE).keep("email", &email).keep("level", &level).keep("days", &days);
    let back = format!("/presets/{id}/sharing");
    form.answer(&back, invite(&id, &email, &level, &days).await)
}

async fn invite(id: &str, email: &str, level: &str, days: &str) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let console = console();
    let id: PresetId = id.parse().map_err(|_| Trouble::NotFound)?;
    let email = match email {
        "" => None,
        email => Some(Email::parse(email).map_err(|error| Mistake::field("email", error))?),
    };
    let level =
        AccessLevel::from_word(level).ok_or_else(|| Mistake::field("level", "choose what they may do"))?;
    let new = NewInvite { email, level, lasts: read_days(days)? };
    let base_url = &console.settings.base_url;
    let invited = console.presets.invite(&member, id, new, base_url).await.map_err(|error| match error {
        PresetError::Invalid { part: "lasts", reason } => Mistake::field("days", reason),
        PresetError::Invalid { reason, .. } => Mistake::field("email", reason),
        PresetError::Mail(error) => Mistake::field("email", format!("nobody is invited: {error}")),
        other => mistake(other),
    })?;
    let onward = Onward::to(sharing_path(id));
    Ok(match (invited.link(base_url), &invited.invite.email) {
        (Some(link), _) => onward.saying("The invitation is made.").showing_once(&Secret::new(link)),
        (None, Some(email)) => onward.saying(format!("The invitation is on its way to {email}.")),
        (None, None) => onward,
    })
}

/// Withdraws an invitation.
#[server(prefix = "/do", endpoint = "preset-withdraw")]
pub async fn withdraw_invite(id: String, invitation: String) -> Result<(), ServerFnError> {
    let back = format!("/presets/{id}/sharing");
    Form::new("preset-withdraw").answer(&back, withdraw(&id, &invitation).await)
}

async fn withdraw(id: &str, invitation: &str) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let id: PresetId = id.parse().map_err(|_| Trouble::NotFound)?;
    let invitation: InviteId = invitation.parse().map_err(|_| Trouble::NotFound)?;
    if !console().presets.withdraw(&member, id, invitation).await.map_err(mistake)? {
        return Err(Trouble::NotFound.into());
    }
    Ok(Onward::to(sharing_path(id)).saying("Withdrawn: its link opens nothing any more."))
}

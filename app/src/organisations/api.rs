//! What the pages of organisations post. The organisation is named in the form, so that a page that was open while its
//! person went elsewhere still means what it says.

use std::sync::Arc;

use doorward::{
    model::{Email, Handle, InviteId, Member, OrgRole},
    orgs::{NewOrgInvite, NewOrganisation, OrgError, Whom},
    secret::Secret,
};
use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    context::{console, local_path},
    form::{Form, Mistake, Onward},
    invitation::inviting::read_days,
    session,
    trouble::Trouble,
};

/// Where acting in another organisation is posted to.
pub(crate) const SWITCH: &str = <SwitchOrganisation as ServerFn>::PATH;
pub(super) const CREATE: &str = <CreateOrganisation as ServerFn>::PATH;
pub(super) const RENAME: &str = <RenameOrganisation as ServerFn>::PATH;
pub(super) const ROLE: &str = <SetRole as ServerFn>::PATH;
pub(super) const EXPEL: &str = <ExpelMember as ServerFn>::PATH;
pub(super) const LEAVE: &str = <LeaveOrganisation as ServerFn>::PATH;
pub(super) const INVITE: &str = <InviteToOrganisation as ServerFn>::PATH;
pub(super) const WITHDRAW: &str = <WithdrawOrgInvite as ServerFn>::PATH;
pub(super) const ACCEPT: &str = <AcceptOrgInvite as ServerFn>::PATH;
pub(super) const DECLINE: &str = <DeclineOrgInvite as ServerFn>::PATH;
pub(super) const REMOVE: &str = <RemoveOrganisation as ServerFn>::PATH;

pub(super) const FORM_CREATE: &str = "organisation";
pub(super) const FORM_RENAME: &str = "organisation-title";
pub(super) const FORM_INVITE: &str = "organisation-invite";
pub(super) const FORM_REMOVE: &str = "organisation-remove";

/// The page of the list.
pub(super) const LIST: &str = "/organisations";

/// Returns the path of an organisation's page.
pub(super) fn path(handle: &Handle) -> String {
    format!("{LIST}/{handle}")
}

/// Returns whoever is signed in, acting in the organisation of this handle.
pub(super) async fn acting(member: &Arc<Member>, handle: &str) -> Result<Arc<Member>, Trouble> {
    let handle = Handle::parse(handle).map_err(|_| Trouble::NotFound)?;
    Ok(console().orgs.acting_in(member, &handle).await?)
}

async fn acting_now(handle: &str) -> Result<Arc<Member>, Trouble> {
    acting(&session::member().await?, handle).await
}

/// Returns the page to go back to.
fn back(organisation: &str) -> String {
    Handle::parse(organisation).map_or_else(|_| LIST.to_owned(), |handle| path(&handle))
}

/// Has the browser act in another organisation of its person's.
#[server(prefix = "/do", endpoint = "organisations/switch")]
pub async fn switch_organisation(
    organisation: String,
    #[server(default)] next: String,
) -> Result<(), ServerFnError> {
    let outcome = async {
        let acting = acting_now(&organisation).await?;
        console().identity.switch(&acting).await?;
        Ok(Onward::to(local_path(&next)).saying(format!("You act in {} now.", acting.tenant_handle)))
    };
    Form::new("organisation-switch").answer(LIST, outcome.await)
}

/// Makes an organisation, and has the browser act in it.
#[server(prefix = "/do", endpoint = "organisations/create")]
pub async fn create_organisation(
    handle: String,
    #[server(default)] title: String,
) -> Result<(), ServerFnError> {
    let handle = handle.trim().to_lowercase();
    let form = Form::new(FORM_CREATE).keep("handle", &handle).keep("title", title.trim());
    form.answer(LIST, create(&handle, title).await)
}

async fn create(handle: &str, title: String) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let handle = Handle::parse(handle).map_err(|error| Mistake::field("handle", error))?;
    let orgs = &console().orgs;
    let made = orgs.create(&member, NewOrganisation { handle, title }).await.map_err(mistake)?;
    let acting = orgs.acting_in(&member, &made.handle).await?;
    console().identity.switch(&acting).await?;
    Ok(Onward::to(path(&made.handle)).saying(format!(
        "{} is made, and you act in it: what you add from here on is the organisation's.",
        made.name()
    )))
}

/// Calls an organisation something else.
#[server(prefix = "/do", endpoint = "organisations/rename")]
pub async fn rename_organisation(
    organisation: String,
    #[server(default)] title: String,
) -> Result<(), ServerFnError> {
    let form = Form::new(FORM_RENAME).keep("title", title.trim());
    let outcome = async {
        let acting = acting_now(&organisation).await?;
        let renamed = console().orgs.rename(&acting, &title).await.map_err(mistake)?;
        Ok(Onward::to(path(&renamed.handle)).saying("The name is kept."))
    };
    form.answer(&back(&organisation), outcome.await)
}

/// Gives somebody another role.
#[server(prefix = "/do", endpoint = "organisations/role")]
pub async fn set_role(organisation: String, member: String, role: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let acting = acting_now(&organisation).await?;
        let who = Handle::parse(&member).map_err(|_| Trouble::NotFound)?;
        let role = OrgRole::from_word(&role).ok_or_else(|| Mistake::form("choose a role"))?;
        console().orgs.set_role(&acting, &who, role).await.map_err(mistake)?;
        let role = super::role_words(role);
        Ok(Onward::to(path(&acting.tenant_handle)).saying(format!("{who}: {role} from the next request on.")))
    };
    Form::new("organisation-role").answer(&back(&organisation), outcome.await)
}

/// Takes somebody out of an organisation.
#[server(prefix = "/do", endpoint = "organisations/expel")]
pub async fn expel_member(organisation: String, member: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let acting = acting_now(&organisation).await?;
        let who = Handle::parse(&member).map_err(|_| Trouble::NotFound)?;
        console().orgs.expel(&acting, &who).await.map_err(mistake)?;
        Ok(Onward::to(path(&acting.tenant_handle))
            .saying(format!("{who} is no member any more; their keys here are gone.")))
    };
    Form::new("organisation-expel").answer(&back(&organisation), outcome.await)
}

/// Takes whoever is signed in out of an organisation.
#[server(prefix = "/do", endpoint = "organisations/leave")]
pub async fn leave_organisation(organisation: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let acting = acting_now(&organisation).await?;
        console().orgs.leave(&acting).await.map_err(mistake)?;
        Ok(Onward::to(LIST).saying(format!("You left {}.", acting.tenant_handle)))
    };
    Form::new("organisation-leave").answer(&back(&organisation), outcome.await)
}

/// Invites an account, an address, or whoever gets the link.
#[server(prefix = "/do", endpoint = "organisations/invite")]
pub async fn invite_to_organisation(
    organisation: String,
    #[server(default)] who: String,
    role: String,
    days: String,
) -> Result<(), ServerFnError> {
    let who = who.trim().to_lowercase();
    let form = Form::new(FORM_INVITE).keep("who", &who).keep("role", &role).keep("days", &days);
    form.answer(&back(&organisation), invite(&organisation, &who, &role, &days).await)
}

async fn invite(organisation: &str, who: &str, role: &str, days: &str) -> Result<Onward, Mistake> {
    let acting = acting_now(organisation).await?;
    let wrong = |error| Mistake::field("who", error);
    let whom = match who {
        "" => Whom::Link,
        address if address.contains('@') => Whom::Address(Email::parse(address).map_err(wrong)?),
        handle => Whom::Account(Handle::parse(handle).map_err(wrong)?),
    };
    let role = OrgRole::from_word(role).ok_or_else(|| Mistake::field("role", "choose a role"))?;
    let new = NewOrgInvite { whom, role, lasts: read_days(days)? };
    let console = console();
    let base_url = &console.settings.base_url;
    let invited = console.orgs.invite(&acting, new, base_url).await.map_err(|error| match error {
        OrgError::Invalid { part: "lasts", reason } => Mistake::field("days", reason),
        OrgError::Nobody { .. } | OrgError::IsMember { .. } => Mistake::field("who", error),
        OrgError::Mail(error) => Mistake::field("who", format!("nobody is invited: {error}")),
        other => mistake(other),
    })?;
    let onward = Onward::to(path(&acting.tenant_handle));
    Ok(match (invited.link(base_url), invited.invite.user, invited.invite.email) {
        (Some(link), ..) => onward.saying("The invitation is made.").showing_once(&Secret::new(link)),
        (None, Some((_, handle)), _) => {
            onward.saying(format!("{handle} is invited, and finds that on their page of organisations."))
        }
        (None, None, Some(email)) => onward.saying(format!("The invitation is on its way to {email}.")),
        (None, None, None) => onward,
    })
}

/// Withdraws an invitation.
#[server(prefix = "/do", endpoint = "organisations/withdraw")]
pub async fn withdraw_org_invite(organisation: String, invitation: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let acting = acting_now(&organisation).await?;
        let invitation: InviteId = invitation.parse().map_err(|_| Trouble::NotFound)?;
        if !console().orgs.withdraw(&acting, invitation).await.map_err(mistake)? {
            return Err(Trouble::NotFound.into());
        }
        Ok(Onward::to(path(&acting.tenant_handle)).saying("Withdrawn: nobody joins by it any more."))
    };
    Form::new("organisation-withdraw").answer(&back(&organisation), outcome.await)
}

/// Accepts an invitation that names whoever is signed in, and has the browser act in the organisation.
#[server(prefix = "/do", endpoint = "organisations/accept")]
pub async fn accept_org_invite(invitation: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let member = session::member().await?;
        let invitation: InviteId = invitation.parse().map_err(|_| Trouble::NotFound)?;
        let acting = console().orgs.accept_offered(&member, invitation).await.map_err(mistake)?;
        console().identity.switch(&acting).await?;
        Ok(Onward::to(path(&acting.tenant_handle))
            .saying(format!("You belong to {} now, and act in it.", acting.tenant_handle)))
    };
    Form::new("organisation-accept").answer(LIST, outcome.await)
}

/// Turns down an invitation that names whoever is signed in.
#[server(prefix = "/do", endpoint = "organisations/decline")]
pub async fn decline_org_invite(invitation: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let member = session::member().await?;
        let invitation: InviteId = invitation.parse().map_err(|_| Trouble::NotFound)?;
        if !console().orgs.decline(&member, invitation).await.map_err(mistake)? {
            return Err(Trouble::NotFound.into());
        }
        Ok(Onward::to(LIST).saying("The invitation is turned down."))
    };
    Form::new("organisation-decline").answer(LIST, outcome.await)
}

/// Removes an organisation with everything it owns, after its handle was typed.
#[server(prefix = "/do", endpoint = "organisations/remove")]
pub async fn remove_organisation(organisation: String, confirm: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let acting = acting_now(&organisation).await?;
        if confirm.trim() != acting.tenant_handle.as_str() {
            let text = format!("type {} to remove it", acting.tenant_handle);
            return Err(Mistake::field("confirm", text));
        }
        console().orgs.remove(&acting).await.map_err(mistake)?;
        Ok(Onward::to(LIST).saying(format!("{} is removed, with all it owned.", acting.tenant_handle)))
    };
    Form::new(FORM_REMOVE).answer(&format!("{}/remove", back(&organisation)), outcome.await)
}

fn mistake(error: OrgError) -> Mistake {
    match error {
        OrgError::Taken { .. } => Mistake::field("handle", error),
        OrgError::Invalid { part, reason } => Mistake::field(part, reason),
        OrgError::TooManyMade { .. }
        | OrgError::TooManyMembers { .. }
        | OrgError::LastAdmin
        | OrgError::NotYours
        | OrgError::Personal => {
            Mistake::Trouble(Trouble::Forbidden(crate::trouble::sentence(&error.to_string())))
        }
        other => other.into(),
    }
}

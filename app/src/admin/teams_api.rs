//! What the administration's pages of organisations post. Each checks the session and asks the policy.

use doorward::{
    model::{Handle, OrgRole, PlanName},
    orgs::{NewOrganisation, OrgError, TeamChange},
    policy::{self, AdminPermit},
};
use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    context::console,
    form::{Form, Mistake, Onward},
    session,
    trouble::{Trouble, sentence},
};

pub(super) const ADD: &str = <AddTeam as ServerFn>::PATH;
pub(super) const CHANGE: &str = <ChangeTeam as ServerFn>::PATH;
pub(super) const PUT_MEMBER: &str = <PutTeamMember as ServerFn>::PATH;
pub(super) const REMOVE_MEMBER: &str = <RemoveTeamMember as ServerFn>::PATH;
pub(super) const REMOVE: &str = <RemoveTeam as ServerFn>::PATH;

pub(super) const NEW_FORM: &str = "new-team";
pub(super) const MEMBER_FORM: &str = "team-member";
pub(super) const PLAN_FORM: &str = "team-plan";
pub(super) const REMOVE_FORM: &str = "team-remove";

/// The page of the list.
pub(super) const LIST: &str = "/admin/organisations";

/// Returns the path of a team's page.
pub(super) fn path(organisation: &str) -> String {
    Handle::parse(organisation).map_or_else(|_| LIST.to_owned(), |handle| format!("{LIST}/{handle}"))
}

async fn permit() -> Result<AdminPermit, Trouble> {
    Ok(policy::may_administer(&*session::member().await?)?)
}

/// Makes a team with its first administrator.
#[server(prefix = "/do", endpoint = "admin/organisations/add")]
pub async fn add_team(
    handle: String,
    #[server(default)] title: String,
    admin: String,
) -> Result<(), ServerFnError> {
    let (handle, admin) = (handle.trim().to_lowercase(), admin.trim().to_lowercase());
    let form = Form::new(NEW_FORM).keep("handle", &handle).keep("title", title.trim()).keep("admin", &admin);
    let outcome = async {
        let permit = permit().await?;
        let handle = Handle::parse(&handle).map_err(|error| Mistake::field("handle", error))?;
        let admin = Handle::parse(&admin).map_err(|error| Mistake::field("admin", error))?;
        let new = NewOrganisation { handle, title };
        let made = console().orgs.found(&permit, new, &admin).await.map_err(|error| match error {
            OrgError::Nobody { .. } | OrgError::Yourself => Mistake::field("admin", error),
            other => mistake(other),
        })?;
        Ok(Onward::to(path(made.handle.as_str())).saying(format!("{} is made.", made.name())))
    };
    form.answer("/admin/organisations/new", outcome.await)
}

/// Switches a team on or off, or gives it a plan; no plan takes its own away.
#[server(prefix = "/do", endpoint = "admin/organisations/change")]
pub async fn change_team(
    organisation: String,
    #[server(default)] enabled: Option<bool>,
    #[server(default)] sets_plan: bool,
    #[server(default)] plan: String,
) -> Result<(), ServerFnError> {
    let form = Form::new(PLAN_FORM).keep("plan", &plan);
    let outcome = async {
        let permit = permit().await?;
        let handle = Handle::parse(&organisation).map_err(|_| Trouble::NotFound)?;
        let plan = match plan.as_str() {
            _ if !sets_plan => None,
            "" => Some(None),
            name => Some(Some(PlanName::parse(name).map_err(|error| Mistake::field("plan", error))?)),
        };
        let said = match (enabled, &plan) {
            (Some(true), _) => "Its members act in it again.".to_owned(),
            (Some(false), _) => "Nobody acts in it any more, and its presets answer nobody.".to_owned(),
            (None, Some(Some(plan))) => format!("It has the plan {plan}, from the next call on."),
            (None, _) => "It has no plan of its own.".to_owned(),
        };
        let change = TeamChange { title: None, enabled, plan };
        console().orgs.change_team(&permit, &handle, change).await.map_err(mistake)?;
        Ok(Onward::to(path(&organisation)).saying(said))
    };
    form.answer(&path(&organisation), outcome.await)
}

/// Has somebody belong to a team in a role.
#[server(prefix = "/do", endpoint = "admin/organisations/member")]
pub async fn put_team_member(
    organisation: String,
    member: String,
    role: String,
) -> Result<(), ServerFnError> {
    let member = member.trim().to_lowercase();
    let form = Form::new(MEMBER_FORM).keep("member", &member).keep("role", &role);
    let outcome = async {
        let permit = permit().await?;
        let handle = Handle::parse(&organisation).map_err(|_| Trouble::NotFound)?;
        let who = Handle::parse(&member).map_err(|error| Mistake::field("member", error))?;
        let role = OrgRole::from_word(&role).ok_or_else(|| Mistake::field("role", "choose a role"))?;
        console().orgs.put_member(&permit, &handle, &who, role).await.map_err(|error| match error {
            OrgError::Nobody { .. } | OrgError::Yourself | OrgError::LastAdmin => {
                Mistake::field("member", error)
            }
            other => mistake(other),
        })?;
        Ok(Onward::to(path(&organisation)).saying(format!("{who} is a member as {role}.")))
    };
    form.answer(&path(&organisation), outcome.await)
}

/// Takes somebody out of a team.
#[server(prefix = "/do", endpoint = "admin/organisations/remove-member")]
pub async fn remove_team_member(organisation: String, member: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let permit = permit().await?;
        let handle = Handle::parse(&organisation).map_err(|_| Trouble::NotFound)?;
        let who = Handle::parse(&member).map_err(|_| Trouble::NotFound)?;
        console().orgs.remove_member(&permit, &handle, &who).await.map_err(mistake)?;
        Ok(Onward::to(path(&organisation)).saying(format!("{who} is no member any more.")))
    };
    Form::new("team-remove-member").answer(&path(&organisation), outcome.await)
}

/// Removes a team with everything it owns, after its handle was typed.
#[server(prefix = "/do", endpoint = "admin/organisations/remove")]
pub async fn remove_team(organisation: String, confirm: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let permit = permit().await?;
        let handle = Handle::parse(&organisation).map_err(|_| Trouble::NotFound)?;
        if confirm.trim() != handle.as_str() {
            return Err(Mistake::field("confirm", format!("type {handle} to remove it")));
        }
        console().orgs.remove_team(&permit, &handle).await.map_err(mistake)?;
        Ok(Onward::to(LIST).saying(format!("{handle} is removed, with all it owned.")))
    };
    Form::new(REMOVE_FORM).answer(&path(&organisation), outcome.await)
}

fn mistake(error: OrgError) -> Mistake {
    match error {
        OrgError::Taken { .. } => Mistake::field("handle", error),
        OrgError::NoPlan { .. } => Mistake::field("plan", error),
        OrgError::Invalid { part, reason } => Mistake::field(part, reason),
        OrgError::TooManyMembers { .. } | OrgError::LastAdmin | OrgError::Personal => {
            Mistake::Trouble(Trouble::Forbidden(sentence(&error.to_string())))
        }
        other => other.into(),
    }
}

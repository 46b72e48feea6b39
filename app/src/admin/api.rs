//! What the administration's pages post. Each checks the session and asks the policy.

#![expect(
    clippy::too_many_arguments,
    reason = "a server function has an argument for each field of its form"
)]

use doorward::{
    identity::{IdentityError, NewUser, UserChange},
    model::{Email, Handle, InstanceRole, Plan, PlanName, UserId},
    policy,
    secret::Secret,
};
use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    context::console,
    form::{Form, Mistake, Onward},
    limits, session,
    trouble::Trouble,
};

pub(super) const ADD_USER: &str = <AddUser as ServerFn>::PATH;
pub(super) const EDIT_USER: &str = <EditUser as ServerFn>::PATH;
pub(super) const ENABLE_USER: &str = <EnableUser as ServerFn>::PATH;
pub(super) const RESET_PASSWORD: &str = <ResetPassword as ServerFn>::PATH;
pub(super) const RESET_SECOND_STEP: &str = <ResetSecondStep as ServerFn>::PATH;
pub(super) const SAVE_PLAN: &str = <SavePlan as ServerFn>::PATH;

pub(super) const NEW_USER_FORM: &str = "new-user";
pub(super) const EDIT_USER_FORM: &str = "edit-user";
pub(super) const RESET_FORM: &str = "reset-password";
pub(super) const PLAN_FORM: &str = "plan";

/// Makes an account.
#[server(prefix = "/do", endpoint = "admin/users/add")]
pub async fn add_user(
    handle: String,
    email: String,
    password: String,
    role: String,
    #[server(default)] plan: String,
) -> Result<(), ServerFnError> {
    let password = Secret::new(password);
    let form = Form::new(NEW_USER_FORM)
        .keep("handle", handle.trim())
        .keep("email", email.trim())
        .keep("role", &role)
        .keep("plan", &plan);
    let outcome = async {
        let permit = policy::may_administer(&*session::member().await?)?;
        let new = NewUser {
            handle: Handle::parse(&handle.trim().to_lowercase())
                .map_err(|error| Mistake::field("handle", error))?,
            email: read_email(&email)?,
            password,
            role: read_role(&role)?,
            plan: if plan.is_empty() { None } else { Some(read_plan(&plan)?) },
        };
        let user = console().identity.add_user(&permit, new).await.map_err(mistake)?;
        Ok(Onward::to("/admin")
            .saying(format!("{} can sign in. Tell them the password you chose.", user.handle)))
    };
    form.answer("/admin/users/new", outcome.await)
}

/// Changes an account.
#[server(prefix = "/do", endpoint = "admin/users/edit")]
pub async fn edit_user(id: String, email: String, role: String, plan: String) -> Result<(), ServerFnError> {
    let form = Form::new(EDIT_USER_FORM).keep("email", email.trim()).keep("role", &role).keep("plan", &plan);
    let outcome = async {
        let change = UserChange {
            email: Some(read_email(&email)?),
            role: Some(read_role(&role)?),
            plan: Some(read_plan(&plan)?),
            ..UserChange::default()
        };
        change_user(&id, change, "is changed").await
    };
    form.answer(&user_path(&id), outcome.await)
}

/// Switches an account on or off.
#[server(prefix = "/do", endpoint = "admin/users/enable")]
pub async fn enable_user(id: String, enabled: bool) -> Result<(), ServerFnError> {
    let outcome = async {
        let change = UserChange { enabled: Some(enabled), ..UserChange::default() };
        let done =
            if enabled { "may sign in again" } else { "is signed out, and their keys stopped working" };
        change_user(&id, change, done).await
    };
    Form::new("enable-user").answer(&user_path(&id), outcome.await)
}

/// Gives an account a new password.
#[server(prefix = "/do", endpoint = "admin/users/password")]
pub async fn reset_password(id: String, password: String) -> Result<(), ServerFnError> {
    let password = Secret::new(password);
    let outcome = async {
        let change = UserChange { password: Some(password), ..UserChange::default() };
        change_user(&id, change, "has a new password and is signed out everywhere").await
    };
    Form::new(RESET_FORM).answer(&user_path(&id), outcome.await)
}

/// Takes the second step of an account away, whose person has lost it.
#[server(prefix = "/do", endpoint = "admin/users/reset-second-step")]
pub async fn reset_second_step(id: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let permit = policy::may_administer(&*session::member().await?)?;
        let user: UserId = id.parse().map_err(|_| Trouble::NotFound)?;
        if !console().identity.reset_second_factor(&permit, user).await? {
            return Err(Trouble::NotFound.into());
        }
        Ok(Onward::to(user_path(&id)).saying("They sign in without a second step from now on."))
    };
    Form::new("reset-second-step").answer(&user_path(&id), outcome.await)
}

async fn change_user(id: &str, change: UserChange, done: &str) -> Result<Onward, Mistake> {
    let permit = policy::may_administer(&*session::member().await?)?;
    let id: UserId = id.parse().map_err(|_| Trouble::NotFound)?;
    let changed = console().identity.update_user(&permit, id, change).await.map_err(mistake)?;
    let user = changed.ok_or(Trouble::NotFound)?;
    Ok(Onward::to(user_path(&id.to_string())).saying(format!("{} {done}.", user.handle)))
}

/// Adds a plan, or changes the one of that name. An empty number is no limit.
#[server(prefix = "/do", endpoint = "admin/plans/save")]
pub async fn save_plan(
    name: String,
    #[server(default)] is_new: bool,
    #[server(default)] calls_per_month: String,
    #[server(default)] analyses_per_month: String,
    #[server(default)] concurrent_analyses: String,
    #[server(default)] sources_max: String,
    #[server(default)] presets_max: String,
    #[server(default)] stored_analyses_max: String,
    #[server(default)] retention_days: String,
    #[server(default)] rate: String,
) -> Result<(), ServerFnError> {
    let back = if is_new {
        "/admin/plans/new".to_owned()
    } else {
        format!("/admin/plans/{}", crate::form::encode(&name))
    };
    let form = Form::new(PLAN_FORM)
        .keep("name", name.trim())
        .keep("calls_per_month", &calls_per_month)
        .keep("analyses_per_month", &analyses_per_month)
        .keep("concurrent_analyses", &concurrent_analyses)
        .keep("sources_max", &sources_max)
        .keep("presets_max", &presets_max)
        .keep("stored_analyses_max", &stored_analyses_max)
        .keep("retention_days", &retention_days)
        .keep("rate", rate.trim());
    let outcome = async {
        let permit = policy::may_administer(&*session::member().await?)?;
        let name = PlanName::parse(name.trim()).map_err(|error| Mistake::field("name", error))?;
        let identity = console().identity.clone();
        let known = identity.plans(&permit).await?.into_iter().find(|plan| plan.name == name);
        if is_new && known.is_some() {
            return Err(Mistake::field("name", "there is a plan of that name"));
        }
        let plan = Plan {
            name,
            calls_per_month: read_limit("calls_per_month", &calls_per_month)?,
            analyses_per_month: read_limit("analyses_per_month", &analyses_per_month)?,
            concurrent_analyses: read_limit("concurrent_analyses", &concurrent_analyses)?,
            sources_max: read_limit("sources_max", &sources_max)?,
            presets_max: read_limit("presets_max", &presets_max)?,
            stored_analyses_max: read_limit("stored_analyses_max", &stored_analyses_max)?,
            retention_days: read_limit("retention_days", &retention_days)?,
            rate: limits::read_rate(&rate)?,
        };
        identity.save_plan(&permit, &plan).await.map_err(mistake)?;
        Ok(Onward::to("/admin/plans").saying(format!("The plan {} is saved.", plan.name)))
    };
    form.answer(&back, outcome.await)
}

fn mistake(error: IdentityError) -> Mistake {
    match error {
        IdentityError::Taken { what: "handle" } => Mistake::field("handle", error),
        IdentityError::Taken { .. } => Mistake::field("email", error),
        IdentityError::WeakPassword { .. } => Mistake::field("password", error),
        IdentityError::NoPlan { .. } => Mistake::field("plan", error),
        IdentityError::LastAdmin | IdentityError::BadPlan => Mistake::form(error),
        other => other.into(),
    }
}

fn read_email(text: &str) -> Result<Email, Mistake> {
    Email::parse(text).map_err(|error| Mistake::field("email", error))
}

fn read_role(word: &str) -> Result<InstanceRole, Mistake> {
    InstanceRole::from_word(word).ok_or_else(|| Mistake::field("role", "choose one of the list"))
}

fn read_plan(name: &str) -> Result<PlanName, Mistake> {
    PlanName::parse(name).map_err(|error| Mistake::field("plan", error))
}

fn read_limit(field: &'static str, text: &str) -> Result<Option<i64>, Mistake> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if digits.is_empty() {
        return Ok(None);
    }
    match digits.parse() {
        Ok(number) if number >= 0 => Ok(Some(number)),
        _ => Err(Mistake::field(field, "a whole number, or nothing for no limit")),
    }
}

fn user_path(id: &str) -> String {
    format!("/admin/users/{id}")
}

//! `/api/v1/admin/organisations`: the teams of the instance, for those who manage it. Nothing here shows what a team
//! owns.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use doorward::{
    model::{Handle, PlanName},
    orgs::{NewOrganisation, Team, TeamChange},
    policy,
};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Body, Id, Ids, Page, PageQuery,
    organisations::{MemberBody, RoleBody},
    time,
};
use crate::{
    respond::{Problem, ProblemBody, ProblemKind},
    routes::caller::Caller,
    state::AppState,
    take::present,
};

/// A team.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct TeamBody {
    /// The owner's part of its presets' addresses.
    #[schema(value_type = String)]
    handle: Handle,
    /// What it is called in full; empty if the handle says it all.
    title: String,
    /// Whether its members may act in it and its presets answer.
    enabled: bool,
    /// What it may use beside what its members may; absent = it has no plan of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    plan: Option<PlanName>,
    created_at: String,
    members: Vec<MemberBody>,
}

impl From<Team> for TeamBody {
    fn from(Team { organisation, members }: Team) -> Self {
        Self {
            handle: organisation.handle,
            title: organisation.title,
            enabled: organisation.enabled,
            plan: organisation.plan,
            created_at: time(organisation.created_at),
            members: members.into_iter().map(MemberBody::from).collect(),
        }
    }
}

/// A team to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct NewTeamBody {
    /// In one namespace with the handles of people; never changes.
    #[schema(value_type = String)]
    handle: Handle,
    #[serde(default)]
    title: String,
    /// The handle of whoever administers it; nobody makes themselves that here.
    #[schema(value_type = String)]
    admin: Handle,
}

/// What to change of a team. What is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct TeamChangeBody {
    title: Option<String>,
    /// `false` = nobody acts in it, and its presets answer nobody.
    enabled: Option<bool>,
    /// What it may use beside what its members may; `null` = no plan of its own.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    plan: Option<Option<PlanName>>,
}

/// Lists the teams. For those who manage the instance.
#[utoipa::path(get, path = "/api/v1/admin/organisations", tag = "administration", params(PageQuery),
    responses((status = 200, body = Page<TeamBody>), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody)))]
pub(in crate::routes) async fn list(
    State(state): State<AppState>,
    Caller(member): Caller,
    query: PageQuery,
) -> Result<Json<Page<TeamBody>>, Problem> {
    let permit = policy::may_administer(&member)?;
    let mut all: Vec<TeamBody> =
        state.engine().orgs.teams(&permit).await?.into_iter().map(TeamBody::from).collect();
    all.sort_by(|one, other| one.handle.cmp(&other.handle));
    Ok(Json(Page::cut(all, &query, |team| team.handle.to_string())))
}

/// Makes a team with its first administrator. For those who manage the instance.
#[utoipa::path(post, path = "/api/v1/admin/organisations", tag = "administration", request_body = NewTeamBody,
    responses((status = 201, body = TeamBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn create(
    State(state): State<AppState>,
    Caller(member): Caller,
    Body(new): Body<NewTeamBody>,
) -> Result<Response, Problem> {
    let permit = policy::may_administer(&member)?;
    let made = NewOrganisation { handle: new.handle, title: new.title };
    let made = state.engine().orgs.found(&permit, made, &new.admin).await?;
    let location = format!("/api/v1/admin/organisations/{}", made.handle);
    let body = team(&state, &permit, &made.handle).await?;
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(body)).into_response())
}

/// Returns a team. For those who manage the instance.
#[utoipa::path(get, path = "/api/v1/admin/organisations/{organisation}", tag = "administration",
    params(("organisation" = String, Path, description = "its handle")),
    responses((status = 200, body = TeamBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn read(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(organisation): Id<Handle>,
) -> Result<Json<TeamBody>, Problem> {
    let permit = policy::may_administer(&member)?;
    Ok(Json(team(&state, &permit, &organisation).await?))
}

/// Calls a team something else, switches it on or off, or gives it a plan. For those who manage the instance.
#[utoipa::path(patch, path = "/api/v1/admin/organisations/{organisation}", tag = "administration",
    params(("organisation" = String, Path, description = "its handle")), request_body = TeamChangeBody,
    responses((status = 200, body = TeamBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn update(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(organisation): Id<Handle>,
    Body(change): Body<TeamChangeBody>,
) -> Result<Json<TeamBody>, Problem> {
    let permit = policy::may_administer(&member)?;
    let TeamChangeBody { title, enabled, plan } = change;
    let change = TeamChange { title, enabled, plan };
    state.engine().orgs.change_team(&permit, &organisation, change).await?;
    Ok(Json(team(&state, &permit, &organisation).await?))
}

/// Removes a team with everything it owns. Its handle is nobody's from then on. For those who manage the instance.
#[utoipa::path(delete, path = "/api/v1/admin/organisations/{organisation}", tag = "administration",
    params(("organisation" = String, Path, description = "its handle")),
    responses((status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn remove(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(organisation): Id<Handle>,
) -> Result<StatusCode, Problem> {
    let permit = policy::may_administer(&member)?;
    state.engine().orgs.remove_team(&permit, &organisation).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Has somebody belong to a team in a role. For those who manage the instance, who cannot name themselves.
#[utoipa::path(put, path = "/api/v1/admin/organisations/{organisation}/members/{member}", tag = "administration",
    params(("organisation" = String, Path, description = "its handle"),
        ("member" = String, Path, description = "the person's handle")), request_body = RoleBody,
    responses((status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn put_member(
    State(state): State<AppState>,
    Caller(member): Caller,
    Ids(organisation, who): Ids<Handle, Handle>,
    Body(body): Body<RoleBody>,
) -> Result<StatusCode, Problem> {
    let permit = policy::may_administer(&member)?;
    state.engine().orgs.put_member(&permit, &organisation, &who, body.role).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes somebody out of a team. For those who manage the instance.
#[utoipa::path(delete, path = "/api/v1/admin/organisations/{organisation}/members/{member}", tag = "administration",
    params(("organisation" = String, Path, description = "its handle"),
        ("member" = String, Path, description = "the person's handle")),
    responses((status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn remove_member(
    State(state): State<AppState>,
    Caller(member): Caller,
    Ids(organisation, who): Ids<Handle, Handle>,
) -> Result<StatusCode, Problem> {
    let permit = policy::may_administer(&member)?;
    state.engine().orgs.remove_member(&permit, &organisation, &who).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn team(state: &AppState, permit: &policy::AdminPermit, handle: &Handle) -> Result<TeamBody, Problem> {
    let found = state.engine().orgs.team(permit, handle).await?;
    found.map(TeamBody::from).ok_or_else(|| Problem::new(ProblemKind::NotFound, "there is no such team"))
}

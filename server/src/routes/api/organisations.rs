//! `/api/v1/organisations`: the organisations of the caller, who belongs to them and who is invited; and
//! `/api/v1/invitations`: those that name the caller.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use doorward::{
    model::{Email, Handle, InviteId, Membership, OrgInvite, OrgMember, OrgRole, Organisation},
    orgs::{NewOrgInvite, NewOrganisation, OrgError, OrgOffer, Whom},
};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Body, Id, Ids, Page, PageQuery, invitations::open_for, time};
use crate::{
    respond::{Problem, ProblemBody, ProblemKind},
    routes::caller::Caller,
    state::AppState,
};

/// An organisation, as one of its members sees it.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct OrganisationBody {
    /// The owner's part of its presets' addresses, and what `Doorward-Organisation` names.
    #[schema(value_type = String)]
    handle: Handle,
    /// What it is called in full; empty if the handle says it all.
    title: String,
    /// Whether it is the caller's own.
    personal: bool,
    /// The caller's role: `viewer`, `operator` or `admin`.
    #[schema(value_type = String)]
    role: OrgRole,
    /// Whether its members may act in it.
    enabled: bool,
    created_at: String,
}

impl OrganisationBody {
    fn of(organisation: Organisation, role: OrgRole) -> Self {
        Self {
            personal: organisation.is_personal(),
            handle: organisation.handle,
            title: organisation.title,
            role,
            enabled: organisation.enabled,
            created_at: time(organisation.created_at),
        }
    }
}

/// An organisation to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct NewOrganisationBody {
    /// In one namespace with the handles of people; never changes.
    #[schema(value_type = String)]
    handle: Handle,
    #[serde(default)]
    title: String,
}

/// What to change of an organisation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct OrganisationChangeBody {
    title: String,
}

/// Somebody of an organisation.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct MemberBody {
    #[schema(value_type = String)]
    handle: Handle,
    /// `viewer`, `operator` or `admin`.
    #[schema(value_type = String)]
    role: OrgRole,
    /// Whether the account is switched on.
    enabled: bool,
    since: String,
}

impl From<OrgMember> for MemberBody {
    fn from(member: OrgMember) -> Self {
        let OrgMember { user: _, handle, role, enabled, since } = member;
        Self { handle, role, enabled, since: time(since) }
    }
}

/// A role in an organisation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct RoleBody {
    /// `viewer`, `operator` or `admin`.
    #[schema(value_type = String)]
    pub(super) role: OrgRole,
}

/// An invitation to an organisation that nobody has accepted yet.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct OrgInvitationBody {
    #[schema(value_type = String, format = "uuid")]
    id: InviteId,
    /// The organisation.
    #[schema(value_type = String)]
    organisation: Handle,
    /// The account whose it is alone.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Handle>,
    /// The address whose it is alone; absent beside an absent `user` = whoever has the link, once.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<Email>,
    /// What whoever accepts becomes: `viewer`, `operator` or `admin`.
    #[schema(value_type = String)]
    role: OrgRole,
    /// Who invites.
    #[schema(value_type = String)]
    invited_by: Handle,
    created_at: String,
    expires_at: String,
    /// The link, in the answer to its making alone; absent if it was sent by e-mail or an account is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

impl OrgInvitationBody {
    fn of(invite: OrgInvite, organisation: Handle, link: Option<String>) -> Self {
        Self {
            id: invite.id,
            organisation,
            user: invite.user.map(|(_, handle)| handle),
            email: invite.email,
            role: invite.role,
            invited_by: invite.by_handle,
            created_at: time(invite.created_at),
            expires_at: time(invite.expires_at),
            link,
        }
    }
}

/// An invitation to be made: for an account, an address, or whoever has the link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct NewOrgInvitationBody {
    /// The account that accepts, on its page or at `/api/v1/invitations`.
    #[schema(value_type = Option<String>)]
    user: Option<Handle>,
    /// The address whose it is alone; the link is sent there if the installation sends e-mail.
    #[schema(value_type = Option<String>)]
    email: Option<Email>,
    /// What whoever accepts becomes: `viewer`, `operator` or `admin`.
    #[schema(value_type = String)]
    role: OrgRole,
    /// How long it is open, from 1 to 30 days; 7 if absent.
    days: Option<u32>,
}

/// Lists the organisations that the caller belongs to, their own included.
#[utoipa::path(get, path = "/api/v1/organisations", tag = "organisations", params(PageQuery),
    responses((status = 200, body = Page<OrganisationBody>), (status = 401, body = ProblemBody)))]
pub(in crate::routes) async fn list(
    State(state): State<AppState>,
    Caller(member): Caller,
    query: PageQuery,
) -> Result<Json<Page<OrganisationBody>>, Problem> {
    let memberships = state.engine().orgs.memberships(&member).await?;
    let body = |Membership { organisation, role }| OrganisationBody::of(organisation, role);
    let mut all: Vec<OrganisationBody> = memberships.into_iter().map(body).collect();
    all.sort_by(|one, other| one.handle.cmp(&other.handle));
    Ok(Json(Page::cut(all, &query, |one| one.handle.to_string())))
}

/// Makes an organisation, of which the caller is the administrator.
#[utoipa::path(post, path = "/api/v1/organisations", tag = "organisations", request_body = NewOrganisationBody,
    responses((status = 201, body = OrganisationBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn create(
    State(state): State<AppState>,
    Caller(member): Caller,
    Body(new): Body<NewOrganisationBody>,
) -> Result<Response, Problem> {
    let new = NewOrganisation { handle: new.handle, title: new.title };
    let made = state.engine().orgs.create(&member, new).await?;
    let location = format!("/api/v1/organisations/{}", made.handle);
    let body = OrganisationBody::of(made, OrgRole::Admin);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(body)).into_response())
}

/// Returns an organisation of the caller.
#[utoipa::path(get, path = "/api/v1/organisations/{organisation}", tag = "organisations",
    params(("organisation" = String, Path, description = "its handle")),
    responses((status = 200, body = OrganisationBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn read(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(organisation): Id<Handle>,
) -> Result<Json<OrganisationBody>, Problem> {
    let orgs = &state.engine().orgs;
    let acting = orgs.acting_in(&member, &organisation).await?;
    Ok(Json(OrganisationBody::of(orgs.find(&acting).await?, acting.org_role)))
}

/// Calls an organisation something else.
#[utoipa::path(patch, path = "/api/v1/organisations/{organisation}", tag = "organisations",
    params(("organisation" = String, Path, description = "its handle")), request_body = OrganisationChangeBody,
    responses((status = 200, body = OrganisationBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn update(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(organisation): Id<Handle>,
    Body(change): Body<OrganisationChangeBody>,
) -> Result<Json<OrganisationBody>, Problem> {
    let orgs = &state.engine().orgs;
    let acting = orgs.acting_in(&member, &organisation).await?;
    Ok(Json(OrganisationBody::of(orgs.rename(&acting, &change.title).await?, acting.org_role)))
}

/// Removes an organisation with everything it owns. Its handle is nobody's from then on.
#[utoipa::path(delete, path = "/api/v1/organisations/{organisation}", tag = "organisations",
    params(("organisation" = String, Path, description = "its handle")),
    responses((status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn remove(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(organisation): Id<Handle>,
) -> Result<StatusCode, Problem> {
    let orgs = &state.engine().orgs;
    let acting = orgs.acting_in(&member, &organisation).await?;
    orgs.remove(&acting).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists who belongs to an organisation of the caller.
#[utoipa::path(get, path = "/api/v1/organisations/{organisation}/members", tag = "organisations",
    params(("organisation" = String, Path, description = "its handle"), PageQuery),
    responses((status = 200, body = Page<MemberBody>), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn members(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(organisation): Id<Handle>,
    query: PageQuery,
) -> Result<Json<Page<MemberBody>>, Problem> {
    let orgs = &state.engine().orgs;
    let acting = orgs.acting_in(&member, &organisation).await?;
    let mut all: Vec<MemberBody> = orgs.members(&acting).await?.into_iter().map(MemberBody::from).collect();
    all.sort_by(|one, other| one.handle.cmp(&other.handle));
    Ok(Json(Page::cut(all, &query, |one| one.handle.to_string())))
}

/// Gives somebody of an organisation another role.
#[utoipa::path(patch, path = "/api/v1/organisations/{organisation}/members/{member}", tag = "organisations",
    params(("organisation" = String, Path, description = "its handle"),
        ("member" = String, Path, description = "the person's handle")), request_body = RoleBody,
    responses((status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn set_role(
    State(state): State<AppState>,
    Caller(member): Caller,
    Ids(organisation, who): Ids<Handle, Handle>,
    Body(body): Body<RoleBody>,
) -> Result<StatusCode, Problem> {
    let orgs = &state.engine().orgs;
    let acting = orgs.acting_in(&member, &organisation).await?;
    orgs.set_role(&acting, &who, body.role).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes somebody out of an organisation, or the caller themselves.
#[utoipa::path(delete, path = "/api/v1/organisations/{organisation}/members/{member}", tag = "organisations",
    params(("organisation" = String, Path, description = "its handle"),
        ("member" = String, Path, description = "the person's handle")),
    responses((status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn expel(
    State(state): State<AppState>,
    Caller(member): Caller,
    Ids(organisation, who): Ids<Handle, Handle>,
) -> Result<StatusCode, Problem> {
    let orgs = &state.engine().orgs;
    let acting = orgs.acting_in(&member, &organisation).await?;
    match who == acting.handle {
        true => orgs.leave(&acting).await?,
        false => orgs.expel(&acting, &who).await?,
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the invitations to an organisation that are open. For its administrators.
#[utoipa::path(get, path = "/api/v1/organisations/{organisation}/invitations", tag = "organisations",
    params(("organisation" = String, Path, description = "its handle"), PageQuery),
    responses((status = 200, body = Page<OrgInvitationBody>), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn invitations(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(organisation): Id<Handle>,
    query: PageQuery,
) -> Result<Json<Page<OrgInvitationBody>>, Problem> {
    let orgs = &state.engine().orgs;
    let acting = orgs.acting_in(&member, &organisation).await?;
    let mut invites = orgs.invites(&acting).await?;
    invites.sort_by_key(|invite| invite.id);
    let body = |invite| OrgInvitationBody::of(invite, organisation.clone(), None);
    let all = invites.into_iter().map(body).collect();
    Ok(Json(Page::cut(all, &query, |invite: &OrgInvitationBody| invite.id.to_string())))
}

/// Invites somebody to an organisation.
#[utoipa::path(post, path = "/api/v1/organisations/{organisation}/invitations", tag = "organisations",
    params(("organisation" = String, Path, description = "its handle")), request_body = NewOrgInvitationBody,
    responses((status = 201, body = OrgInvitationBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody),
        (status = 502, body = ProblemBody, description = "the mail server did not take the letter")))]
pub(in crate::routes) async fn invite(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(organisation): Id<Handle>,
    Body(new): Body<NewOrgInvitationBody>,
) -> Result<Response, Problem> {
    let orgs = &state.engine().orgs;
    let acting = orgs.acting_in(&member, &organisation).await?;
    let whom = match (new.user, new.email) {
        (Some(handle), None) => Whom::Account(handle),
        (None, Some(email)) => Whom::Address(email),
        (None, None) => Whom::Link,
        (Some(_), Some(_)) => {
            return Err(Problem::new(ProblemKind::Unprocessable, "give one of `user` and `email`"));
        }
    };
    let lasts = open_for(new.days);
    let base_url = state.settings().base_url();
    let invited = orgs.invite(&acting, NewOrgInvite { whom, role: new.role, lasts }, &base_url).await?;
    let link = invited.link(&base_url);
    let location = format!("/api/v1/organisations/{organisation}/invitations/{}", invited.invite.id);
    let body = OrgInvitationBody::of(invited.invite, organisation, link);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(body)).into_response())
}

/// Withdraws an invitation to an organisation.
#[utoipa::path(delete, path = "/api/v1/organisations/{organisation}/invitations/{invitation}", tag = "organisations",
    params(("organisation" = String, Path, description = "its handle"),
        ("invitation" = String, Path, description = "the invitation")),
    responses((status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn withdraw(
    State(state): State<AppState>,
    Caller(member): Caller,
    Ids(organisation, invitation): Ids<Handle, InviteId>,
) -> Result<StatusCode, Problem> {
    let orgs = &state.engine().orgs;
    let acting = orgs.acting_in(&member, &organisation).await?;
    there(orgs.withdraw(&acting, invitation).await?)
}

/// Lists the invitations to organisations that name the caller's account.
#[utoipa::path(get, path = "/api/v1/invitations", tag = "organisations", params(PageQuery),
    responses((status = 200, body = Page<OrgInvitationBody>), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody)))]
pub(in crate::routes) async fn offered(
    State(state): State<AppState>,
    Caller(member): Caller,
    query: PageQuery,
) -> Result<Json<Page<OrgInvitationBody>>, Problem> {
    let mut offers = state.engine().orgs.offered(&member).await?;
    offers.sort_by_key(|offer| offer.invite.id);
    let body =
        |OrgOffer { invite, organisation, .. }| OrgInvitationBody::of(invite, organisation.handle, None);
    let all = offers.into_iter().map(body).collect();
    Ok(Json(Page::cut(all, &query, |invite: &OrgInvitationBody| invite.id.to_string())))
}

/// Accepts an invitation to an organisation that names the caller's account.
#[utoipa::path(post, path = "/api/v1/invitations/{invitation}", tag = "organisations",
    params(("invitation" = String, Path, description = "the invitation")),
    responses((status = 200, body = OrganisationBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn accept(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(invitation): Id<InviteId>,
) -> Result<Json<OrganisationBody>, Problem> {
    let orgs = &state.engine().orgs;
    let acting = orgs.accept_offered(&member, invitation).await?;
    Ok(Json(OrganisationBody::of(orgs.find(&acting).await?, acting.org_role)))
}

/// Turns down an invitation to an organisation that names the caller's account.
#[utoipa::path(delete, path = "/api/v1/invitations/{invitation}", tag = "organisations",
    params(("invitation" = String, Path, description = "the invitation")),
    responses((status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn decline(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(invitation): Id<InviteId>,
) -> Result<StatusCode, Problem> {
    there(state.engine().orgs.decline(&member, invitation).await?)
}

fn there(was: bool) -> Result<StatusCode, Problem> {
    match was {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(OrgError::NoInvitation.into()),
    }
}

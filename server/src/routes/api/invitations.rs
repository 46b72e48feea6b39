//! `/api/v1/presets/{id}/invitations`: links that put whoever accepts on the access list.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use doorward::{
    model::{AccessLevel, Email, Handle, Invite, InviteId, PresetId},
    presets::NewInvite,
};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Body, Id, Ids, Page, PageQuery, time};
use crate::{
    respond::{Problem, ProblemBody, ProblemKind},
    routes::caller::Caller,
    state::AppState,
};

/// How long an invitation is open when nothing is said, in days.
const DAYS_DEFAULT: u32 = 7;

/// An invitation that nobody has accepted yet.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct InvitationBody {
    #[schema(value_type = String, format = "uuid")]
    id: InviteId,
    /// Whose it is alone; absent = whoever has the link, once.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<Email>,
    /// What whoever accepts may do: `viewer`, `editor` or `admin`.
    #[schema(value_type = String)]
    level: AccessLevel,
    /// Who invites.
    #[schema(value_type = String)]
    invited_by: Handle,
    created_at: String,
    expires_at: String,
    /// The link, in the answer to its making alone; absent if it was sent by e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

/// An invitation to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct NewInvitationBody {
    /// Whose it is alone; the link is sent there if the installation sends e-mail.
    #[schema(value_type = Option<String>)]
    email: Option<Email>,
    /// What whoever accepts may do: `viewer`, `editor` or `admin`.
    #[schema(value_type = String)]
    level: AccessLevel,
    /// How long it is open, from 1 to 30 days; 7 if absent.
    days: Option<u32>,
}

/// Returns how long an invitation is open that is to be so many days.
pub(super) fn open_for(days: Option<u32>) -> Duration {
    Duration::from_secs(u64::from(days.unwrap_or(DAYS_DEFAULT)) * 86_400)
}

fn body(invite: Invite, link: Option<String>) -> InvitationBody {
    InvitationBody {
        id: invite.id,
        email: invite.email,
        level: invite.level,
        invited_by: invite.by_handle,
        created_at: time(invite.created_at),
        expires_at: time(invite.expires_at),
        link,
    }
}

/// Lists the invitations to a preset that are open. For those who may share it on.
#[utoipa::path(get, path = "/api/v1/presets/{id}/invitations", tag = "presets",
    params(("id" = String, Path, description = "the preset"), PageQuery),
    responses((status = 200, body = Page<InvitationBody>), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn list(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<PresetId>,
    query: PageQuery,
) -> Result<Json<Page<InvitationBody>>, Problem> {
    let mut invites = state.engine().presets.invites(&member, id).await?;
    invites.sort_by_key(|invite| invite.id);
    let all = invites.into_iter().map(|invite| body(invite, None)).collect();
    Ok(Json(Page::cut(all, &query, |invite: &InvitationBody| invite.id.to_string())))
}

/// Invites somebody. A private preset becomes `invite_only`.
#[utoipa::path(post, path = "/api/v1/presets/{id}/invitations", tag = "presets",
    params(("id" = String, Path, description = "the preset")), request_body = NewInvitationBody,
    responses((status = 201, body = InvitationBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody),
        (status = 502, body = ProblemBody, description = "the mail server did not take the letter")))]
pub(in crate::routes) async fn create(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<PresetId>,
    Body(new): Body<NewInvitationBody>,
) -> Result<Response, Problem> {
    let new = NewInvite { email: new.email, level: new.level, lasts: open_for(new.days) };
    let base_url = state.settings().base_url();
    let invited = state.engine().presets.invite(&member, id, new, &base_url).await?;
    let link = invited.link(&base_url);
    let location = format!("/api/v1/presets/{id}/invitations/{}", invited.invite.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(body(invited.invite, link)))
        .into_response())
}

/// Withdraws an invitation.
#[utoipa::path(delete, path = "/api/v1/presets/{id}/invitations/{invitation}", tag = "presets",
    params(("id" = String, Path, description = "the preset"),
        ("invitation" = String, Path, description = "the invitation")),
    responses((status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn remove(
    State(state): State<AppState>,
    Caller(member): Caller,
    Ids(id, invite): Ids<PresetId, InviteId>,
) -> Result<StatusCode, Problem> {
    if state.engine().presets.withdraw(&member, id, invite).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::new(ProblemKind::NotFound, ""))
    }
}

//! `/api/v1/presets/{id}/access`: who beside its owner may use a preset.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use doorward::{
    model::{AccessEntry, AccessId, AccessLevel, Email, Grantee, Handle, OrgRole, PresetId},
    presets::NewGrantee,
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

/// Whom an entry is about: exactly one of `user`, `email` and `organisation`.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct GranteeBody {
    /// The handle of somebody with an account.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<Handle>,
    /// An address: whoever has its account, now or later.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<Email>,
    /// The handle of an organisation: whoever acts in it.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organisation: Option<Handle>,
    /// The least role in that organisation: `viewer`, `operator` or `admin`; `viewer` if absent.
    #[schema(value_type = Option<String>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<OrgRole>,
}

/// An entry of a preset's access list.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct AccessBody {
    #[schema(value_type = String, format = "uuid")]
    id: AccessId,
    who: GranteeBody,
    /// `viewer` uses the preset, `editor` changes it, `admin` shares it on.
    #[schema(value_type = String)]
    level: AccessLevel,
    /// Whether somebody with an account is reached; absent for organisations.
    #[serde(skip_serializing_if = "Option::is_none")]
    has_account: Option<bool>,
    created_at: String,
}

/// Somebody to be put on the list.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct NewAccessBody {
    who: GranteeBody,
    /// `viewer` uses the preset, `editor` changes it, `admin` shares it on.
    #[schema(value_type = String)]
    level: AccessLevel,
}

impl GranteeBody {
    fn read(self) -> Result<NewGrantee, Problem> {
        let who = NewGrantee::one_of(self.user, self.email, self.organisation, self.role);
        who.ok_or_else(|| {
            Problem::new(
                ProblemKind::Unprocessable,
                "`who` holds exactly one of `user`, `email` and `organisation`; `role` goes with the last",
            )
        })
    }

    fn of(who: Grantee) -> Self {
        match who {
            Grantee::User(_, handle) => Self { user: Some(handle), ..Self::default() },
            Grantee::Email(email) => Self { email: Some(email), ..Self::default() },
            Grantee::Members(_, handle, role) => {
                Self { organisation: Some(handle), role: Some(role), ..Self::default() }
            }
        }
    }
}

impl From<AccessEntry> for AccessBody {
    fn from(entry: AccessEntry) -> Self {
        let has_account = match &entry.who {
            Grantee::User(..) | Grantee::Email(_) => Some(entry.reaches.is_some()),
            Grantee::Members(..) => None,
        };
        Self {
            id: entry.id,
            who: GranteeBody::of(entry.who),
            level: entry.level,
            has_account,
            created_at: time(entry.created_at),
        }
    }
}

/// Lists who beside its owner may use a preset. For those who may share it on.
#[utoipa::path(get, path = "/api/v1/presets/{id}/access", tag = "presets",
    params(("id" = String, Path, description = "the preset"), PageQuery),
    responses((status = 200, body = Page<AccessBody>), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn list(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<PresetId>,
    query: PageQuery,
) -> Result<Json<Page<AccessBody>>, Problem> {
    let (_, mut entries) = state.engine().presets.access(&member, id).await?;
    entries.sort_by_key(|entry| entry.id);
    let all = entries.into_iter().map(AccessBody::from).collect();
    Ok(Json(Page::cut(all, &query, |entry: &AccessBody| entry.id.to_string())))
}

/// Puts somebody on the list, or gives who is on it another level. A private preset becomes
/// `invite_only`, since the list of a private one opens nothing.
#[utoipa::path(post, path = "/api/v1/presets/{id}/access", tag = "presets",
    params(("id" = String, Path, description = "the preset")), request_body = NewAccessBody,
    responses((status = 201, body = AccessBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn create(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<PresetId>,
    Body(new): Body<NewAccessBody>,
) -> Result<Response, Problem> {
    let entry = state.engine().presets.share(&member, id, new.who.read()?, new.level).await?;
    let location = format!("/api/v1/presets/{id}/access/{}", entry.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(AccessBody::from(entry))).into_response())
}

/// Takes an entry off the list. Holds on the next call.
#[utoipa::path(delete, path = "/api/v1/presets/{id}/access/{entry}", tag = "presets",
    params(("id" = String, Path, description = "the preset"), ("entry" = String, Path, description = "the entry")),
    responses((status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn remove(
    State(state): State<AppState>,
    Caller(member): Caller,
    Ids(id, entry): Ids<PresetId, AccessId>,
) -> Result<StatusCode, Problem> {
    if state.engine().presets.unshare(&member, id, entry).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::new(ProblemKind::NotFound, ""))
    }
}

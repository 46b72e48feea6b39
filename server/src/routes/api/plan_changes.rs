//! `/api/v1/plan-changes`: changes of plans that a payment provider posts, signed as Standard Webhooks says. The
//! signature is what lets somebody in, in place of a key.

use axum::{Extension, Json, extract::State};
use doorward::{
    model::{PlanChange, Whence},
    signed::Post,
};
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Text, time};
use crate::{
    respond::{Problem, ProblemBody},
    state::AppState,
};

/// A change of a plan.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the engine reads the very bytes that are signed; this tells what they are")]
pub(in crate::routes) struct NewPlanChangeBody {
    /// Names the change, in at most 200 characters: the same one again is answered alike and changes nothing.
    id: String,
    /// The handle of an organisation or a person, or a person's e-mail address.
    subject: String,
    /// The plan from then on.
    plan: String,
    /// From when on, in UTC, as `2027-01-31T18:00:00Z`; at once if absent.
    effective_at: Option<String>,
}

/// A change of a plan, with what became of it.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct PlanChangeBody {
    id: String,
    /// The handle of the organisation or the person.
    subject: String,
    plan: String,
    effective_at: String,
    /// `applied`, `waiting` for its time, or `superseded` by a newer change that holds already.
    state: String,
}

impl From<PlanChange> for PlanChangeBody {
    fn from(change: PlanChange) -> Self {
        Self {
            id: change.id,
            subject: change.handle.to_string(),
            plan: change.plan.to_string(),
            effective_at: time(change.effective_at),
            state: change.answered.to_string(),
        }
    }
}

/// Changes the plan of an organisation or a person. Needs no key: the headers `webhook-id`, `webhook-timestamp` and
/// `webhook-signature` say who posts, by the setting `plan_webhook_secret`.
#[utoipa::path(post, path = "/api/v1/plan-changes", tag = "administration", security(()),
    request_body = NewPlanChangeBody,
    params(("webhook-id" = String, Header, description = "names the post"),
        ("webhook-timestamp" = i64, Header, description = "when it was signed, in seconds"),
        ("webhook-signature" = String, Header, description = "`v1,` and the signature")),
    responses((status = 200, body = PlanChangeBody), (status = 401, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody), (status = 413, body = ProblemBody), (status = 422, body = ProblemBody),
        (status = 429, body = ProblemBody)))]
pub(in crate::routes) async fn create(
    State(state): State<AppState>,
    Extension(whence): Extension<Whence>,
    headers: HeaderMap,
    Text(body): Text,
) -> Result<Json<PlanChangeBody>, Problem> {
    // One that comes twice is none.
    let header = |name: &str| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().unwrap_or_default(),
            _ => "",
        }
    };
    let post = Post {
        id: header("webhook-id"),
        seconds: header("webhook-timestamp"),
        signatures: header("webhook-signature"),
        body: body.as_bytes(),
    };
    let change = state.engine().plan_changes.take(&post, whence).await?;
    Ok(Json(change.into()))
}

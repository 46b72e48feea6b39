//! `/api/v1/explain`: why a call would work or not.

use axum::{
    Json,
    extract::{FromRequestParts, Query, State},
};
use doorward::{
    explain::{Asker, Explanation, Question},
    model::{Handle, Slug},
};
use http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    respond::{Problem, ProblemBody, ProblemKind},
    routes::caller::Caller,
    state::AppState,
};

/// What is to be explained.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct ExplainQuery {
    /// The preset, as `ada/release-notes`.
    #[serde(default)]
    preset: String,
    /// Whose call, by handle; `nobody` for one without a key. Absent = the caller's own. Of others
    /// only those may ask who may share the preset.
    #[serde(rename = "as")]
    whom: Option<String>,
    /// The tool as callers see it; absent = any.
    tool: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for ExplainQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Query::<Self>::from_request_parts(parts, state).await;
        read.map(|Query(query)| query)
            .map_err(|error| Problem::new(ProblemKind::BadRequest, error.body_text()))
    }
}

/// Every layer's decision, in the order a call meets them.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct ExplanationBody {
    /// Whether the call would be let through.
    works: bool,
    steps: Vec<StepBody>,
    /// What to do about the first refusal; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    cure: Option<CureBody>,
}

/// One layer's decision.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct StepBody {
    layer: &'static str,
    /// `passes`, `warns`, `refuses` or `not reached`.
    verdict: &'static str,
    says: String,
}

/// What to do.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct CureBody {
    text: String,
    /// The page where it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

/// Explains why a call would work or not.
#[utoipa::path(get, path = "/api/v1/explain", tag = "presets", 
    params(("preset" = String, Query, description = "the preset, as `ada/release-notes`"),
        ("as" = Option<String>, Query, description = "whose call, by handle; `nobody` for one without a key; absent = your own"),
        ("tool" = Option<String>, Query, description = "the tool as callers see it; absent = any")),
    responses((status = 200, body = ExplanationBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn read(
    State(state): State<AppState>,
    Caller(member): Caller,
    query: ExplainQuery,
) -> Result<Json<ExplanationBody>, Problem> {
    doorward::policy::may_see(&member, member.tenant)?;
    let wrong = |text: String| Problem::new(ProblemKind::Unprocessable, text);
    let (owner, slug) = query.preset.split_once('/').ok_or_else(|| wrong("`preset` is owner/slug".into()))?;
    let whom = match query.whom.as_deref() {
        None => Some(member.handle.clone()),
        Some("nobody") => None,
        Some(handle) => Some(Handle::parse(handle).map_err(|error| wrong(error.to_string()))?),
    };
    let question = Question {
        whom,
        owner: Handle::parse(owner).map_err(|error| wrong(error.to_string()))?,
        slug: Slug::parse(slug).map_err(|error| wrong(error.to_string()))?,
        tool: query.tool,
    };
    let explained = state.engine().explain.explain(&Asker::Person(member), &question).await?;
    Ok(Json(body(explained, &state.settings().base_url())))
}

fn body(explained: Explanation, base_url: &str) -> ExplanationBody {
    ExplanationBody {
        works: explained.works(),
        cure: explained.cure.map(|cure| CureBody {
            text: cure.text,
            link: cure.path.map(|path| format!("{base_url}{path}")),
        }),
        steps: explained
            .steps
            .into_iter()
            .map(|step| StepBody { layer: step.layer.word(), verdict: step.verdict.word(), says: step.says })
            .collect(),
    }
}

//! `/api/v1/gallery`: all public presets, with search.

use axum::{Json, extract::State};
use doorward::model::{Handle, PresetId, Slug};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Asked, Page};
use crate::{
    respond::{Problem, ProblemBody},
    routes::caller::Caller,
    state::AppState,
};

/// A public preset.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct GalleryBody {
    /// Names it where it is forked.
    #[schema(value_type = String, format = "uuid")]
    id: PresetId,
    /// Who shares it: the first part of its address.
    #[schema(value_type = String)]
    owner: Handle,
    /// The last part of its address.
    #[schema(value_type = String)]
    slug: Slug,
    /// Where agents call it.
    address: String,
    title: String,
    description: String,
    /// Whether a caller needs no key.
    anonymous: bool,
    /// The names of the tools it publishes.
    tools: Vec<String>,
}

/// What is looked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct GalleryQuery {
    /// Words that each stand in the owner, slug, title, description or the name of a tool; at most eight count.
    #[serde(default)]
    search: String,
    /// The `next` of the page before.
    after: Option<String>,
}

/// Lists the presets that everybody with an account may use, by address, 20 a page.
#[utoipa::path(get, path = "/api/v1/gallery", tag = "presets", params(GalleryQuery),
    responses((status = 200, body = Page<GalleryBody>), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody)))]
pub(in crate::routes) async fn list(
    State(state): State<AppState>,
    Caller(member): Caller,
    Asked(query): Asked<GalleryQuery>,
) -> Result<Json<Page<GalleryBody>>, Problem> {
    let presets = &state.engine().presets;
    let found = presets.gallery(Some(&member), &query.search, query.after.as_deref()).await?;
    let base = state.settings().base_url();
    let items = found.presets.iter().map(|table| {
        let (preset, owner) = (&table.preset, &table.owner);
        GalleryBody {
            id: preset.id,
            address: format!("{base}/mcp/{owner}/{}", preset.slug),
            owner: owner.clone(),
            slug: preset.slug.clone(),
            title: preset.title.clone(),
            description: preset.description.clone(),
            anonymous: preset.anonymous,
            tools: table.tools.iter().map(|tool| tool.exposed_name.to_string()).collect(),
        }
    });
    Ok(Json(Page { items: items.collect(), next: found.next }))
}

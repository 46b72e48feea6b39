//! What the issuers of data sources read of us.

use axum::{Json, extract::State, response::IntoResponse};
use http::{StatusCode, header};

use crate::state::AppState;

/// How long issuers may keep our document.
const KEPT: &str = "public, max-age=3600";

/// Returns the document that describes us to issuers (OAuth Client ID Metadata Document); there is none
/// without a public https address, because nobody could read it there.
pub(super) async fn client_document(State(state): State<AppState>) -> impl IntoResponse {
    match state.engine().connections.names().document() {
        Some(document) => ([(header::CACHE_CONTROL, KEPT)], Json(document)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

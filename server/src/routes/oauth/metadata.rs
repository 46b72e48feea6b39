//! What clients look for first.

use axum::{
    Json,
    extract::{Path, State},
};
use doorward::issuer::{IssuerMetadata, ResourceMetadata};
use http::HeaderMap;
use serde::Serialize;

use super::base;
use crate::state::AppState;

/// Answers with the issuer's metadata, in the form of RFC 8414 and of OpenID Connect alike.
pub(in crate::routes) async fn issuer(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Json<IssuerMetadata> {
    Json(state.engine().issuer.metadata(&base(&state, &headers)))
}

/// Answers with the metadata of the gateway as a whole.
pub(in crate::routes) async fn gateway(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Json<ResourceMetadata> {
    Json(ResourceMetadata::new(&base(&state, &headers), None))
}

/// Answers with the metadata of a preset's address, whether there is such a preset or not.
pub(in crate::routes) async fn preset(
    State(state): State<AppState>,
    Path((owner, slug)): Path<(String, String)>,
    headers: HeaderMap,
) -> Json<ResourceMetadata> {
    Json(ResourceMetadata::new(&base(&state, &headers), Some((&owner, &slug))))
}

#[derive(Serialize)]
pub(in crate::routes) struct Keys {
    keys: [(); 0],
}

/// Answers that nothing is signed: tokens are random texts.
pub(in crate::routes) async fn keys() -> Json<Keys> {
    Json(Keys { keys: [] })
}

//! Clients that introduce themselves.

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use doorward::model::Whence;
use http::{HeaderMap, StatusCode};

use super::{base, bearer};
use crate::{
    respond::{Refused, refused},
    state::AppState,
};

/// Registers a client (RFC 7591).
pub(in crate::routes) async fn register(
    State(state): State<AppState>,
    Extension(whence): Extension<Whence>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let address = whence.address.unwrap_or([0, 0, 0, 0].into());
    let done = state.engine().issuer.register(&base(&state, &headers), address, &body).await;
    Ok((StatusCode::CREATED, Json(done.map_err(refused)?)).into_response())
}

/// Shows a client its registration (RFC 7592).
pub(in crate::routes) async fn read(
    State(state): State<AppState>,
    Path(client): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let base = base(&state, &headers);
    let found = state.engine().issuer.registration(&base, &client, bearer(&headers)).await;
    Ok(Json(found.map_err(refused)?).into_response())
}

/// Removes a client's registration (RFC 7592).
pub(in crate::routes) async fn remove(
    State(state): State<AppState>,
    Path(client): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Refused> {
    state.engine().issuer.unregister(&client, bearer(&headers)).await.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

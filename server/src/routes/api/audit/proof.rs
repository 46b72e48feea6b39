//! What proves the audit log: checkpoints, the key that signs them, files that prove themselves; and erasing who
//! somebody is, which leaves all of that whole.

use std::sync::Arc;

use axum::{
    Json,
    body::Body as HttpBody,
    extract::State,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use doorward::{
    audit::{Proof, ProofRange},
    chain::{Checkpoint, PublicKey},
    model::{Handle, TenantId},
    policy,
};
use futures::stream;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::read_time;
use crate::{
    respond::{Problem, ProblemBody, ProblemKind},
    routes::{
        api::{Asked, Body, PAGE_MAX, Page, page_limit, time},
        caller::Caller,
    },
    state::AppState,
};

/// A signature over one event, and with it over all before it. As a line of its own it is what
/// `doorward audit verify --kept` reads.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct CheckpointBody {
    /// Always `checkpoint`, as in files.
    kind: &'static str,
    #[schema(value_type = String, format = "uuid")]
    organisation: TenantId,
    /// The number of the event.
    seq: i64,
    /// Its SHA-256, as hexadecimal.
    hash: String,
    /// When it was signed, in milliseconds since 1970.
    at_ms: i64,
    /// The id of the key it was signed with.
    key: String,
    /// Ed25519, as hexadecimal, of `doorward audit checkpoint 1`, a line feed, the 16 bytes of the organisation, the
    /// number as 8 bytes, the 32 bytes of the hash, and the time as 8 bytes.
    signature: String,
}

impl From<Checkpoint> for CheckpointBody {
    fn from(checkpoint: Checkpoint) -> Self {
        Self {
            kind: "checkpoint",
            organisation: checkpoint.organisation,
            seq: checkpoint.seq,
            hash: checkpoint.hash.to_string(),
            at_ms: checkpoint.at_ms.0,
            key: checkpoint.key,
            signature: checkpoint.signature.to_string(),
        }
    }
}

/// A key that checkpoints are signed with.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct AuditKeyBody {
    /// What checkpoints call it by.
    id: String,
    /// The key, as `doorward audit verify --key` takes it. Keep it where the installation cannot change it.
    public_key: String,
}

/// Which checkpoints are asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct CheckpointsQuery {
    /// How many, from 1 to 200; 50 if absent.
    limit: Option<usize>,
    /// Of events behind the one of this number; the `next` of the page before.
    after: Option<i64>,
}

/// Which events a file is to hold. It has no gaps: all from the first to the last of those asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct ProofQuery {
    /// From the first event of this time or later, as in `2026-11-21T06:30:00Z`.
    from: Option<String>,
    /// Up to the last event from before this time.
    to: Option<String>,
    /// Behind the event of this number: the `last` of the file before.
    after: Option<i64>,
}

/// Whom to erase.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct ErasureBody {
    /// The account's handle.
    #[schema(value_type = String)]
    handle: Handle,
    /// The handle once more: what is erased does not come back.
    confirm: String,
}

/// What was erased.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct ErasedBody {
    /// Of how many events.
    events: u64,
}

/// Lists the checkpoints of the caller's organisation, the oldest first.
#[utoipa::path(get, path = "/api/v1/audit/checkpoints", tag = "audit", params(CheckpointsQuery),
    responses((status = 200, body = Page<CheckpointBody>), (status = 400, body = ProblemBody),
        (status = 401, body = ProblemBody), (status = 403, body = ProblemBody)))]
pub(in crate::routes) async fn list(
    State(state): State<AppState>,
    Caller(member): Caller,
    Asked(query): Asked<CheckpointsQuery>,
) -> Result<Json<Page<CheckpointBody>>, Problem> {
    let permit = policy::may_audit(&member)?;
    let limit = page_limit(query.limit, PAGE_MAX)?;
    // One more tells whether there is another page.
    let asked = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let found = state.engine().notary.checkpoints(&permit, query.after.unwrap_or(0), asked).await?;
    Ok(Json(Page::of(found, limit, |checkpoint| checkpoint.seq.to_string())))
}

/// Signs for the log of the caller's organisation as it is. It is signed for every day without being asked.
#[utoipa::path(post, path = "/api/v1/audit/checkpoints", tag = "audit",
    responses((status = 201, body = CheckpointBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(in crate::routes) async fn sign(
    State(state): State<AppState>,
    Caller(member): Caller,
) -> Result<Response, Problem> {
    let signed = state.engine().notary.sign_now(&member).await?;
    let signed = signed.ok_or_else(|| {
        let text = "there is nothing to sign for, or the log is not the one that was signed for last time";
        Problem::new(ProblemKind::Conflict, text)
    })?;
    Ok((StatusCode::CREATED, Json(CheckpointBody::from(signed))).into_response())
}

/// Lists the public keys of this installation that checkpoints are signed with, the one in use first.
#[utoipa::path(get, path = "/api/v1/audit/keys", tag = "audit",
    responses((status = 200, body = [AuditKeyBody]), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody)))]
pub(in crate::routes) async fn keys(
    State(state): State<AppState>,
    Caller(member): Caller,
) -> Result<Json<Vec<AuditKeyBody>>, Problem> {
    policy::may_audit(&member)?;
    let keys = state.engine().notary.keys().await?;
    let body = |key: PublicKey| AuditKeyBody { id: key.id(), public_key: key.to_string() };
    Ok(Json(keys.into_iter().map(body).collect()))
}

/// Writes what happened in the caller's organisation, the oldest first, as a file that `doorward audit verify` checks
/// without this installation: a JSON object a line, each event with its number, the hash before it and its own, then the
/// keys and checkpoints. For those who manage the organisation.
#[utoipa::path(get, path = "/api/v1/audit/proof.jsonl", tag = "audit", params(ProofQuery),
    responses((status = 200, description = "how the file begins, an event a line, keys, checkpoints, and how it ends",
            content_type = "application/x-ndjson", body = String),
        (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody)))]
pub(in crate::routes) async fn file(
    State(state): State<AppState>,
    Caller(member): Caller,
    Asked(query): Asked<ProofQuery>,
) -> Result<Response, Problem> {
    let permit = policy::may_audit(&member)?;
    let range = ProofRange {
        from: read_time("from", &query.from)?,
        to: read_time("to", &query.to)?,
        behind: query.after,
    };
    let proof = state.engine().audit.prove(&permit, range).await?;
    let keys: Arc<[PublicKey]> = state.engine().notary.keys().await?.into();
    let day = time(state.engine().clock.now());
    let day = day.split_once('T').map_or("", |(day, _)| day);
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"doorward-audit-proof-{day}.jsonl\"")),
    ];
    let pieces = stream::try_unfold((proof, keys), async |(mut proof, keys): (Proof, Arc<[PublicKey]>)| {
        let piece = proof.next(&keys).await?;
        Ok::<_, doorward::store::StoreError>(piece.map(|piece| (Bytes::from(piece), (proof, keys))))
    });
    Ok((headers, HttpBody::from_stream(pieces)).into_response())
}

/// Erases from the logs of all organisations who an account is; what happened, and that nothing else was changed, can be
/// proven as before. It does not come back. For those who manage the instance.
#[utoipa::path(post, path = "/api/v1/admin/erasures", tag = "administration", request_body = ErasureBody,
    responses((status = 200, body = ErasedBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn erase(
    State(state): State<AppState>,
    Caller(member): Caller,
    Body(body): Body<ErasureBody>,
) -> Result<Json<ErasedBody>, Problem> {
    let permit = policy::may_administer(&member)?;
    let ErasureBody { handle, confirm } = body;
    if confirm != handle.as_str() {
        let text =
            format!("`confirm` is to be the handle once more, `{handle}`: what is erased does not come back");
        return Err(Problem::new(ProblemKind::Unprocessable, text));
    }
    let erased = state.engine().notary.erase(&permit, &handle).await?;
    let events = erased.ok_or_else(|| Problem::new(ProblemKind::NotFound, "there is no such account"))?;
    Ok(Json(ErasedBody { events }))
}

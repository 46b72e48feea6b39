//! `/api/v1/tunnels`.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use doorward::{
    model::{Destination, Fingerprint, Hop, HopAuthKind, SourceId, SourceName, Tunnel, TunnelId, TunnelName},
    secret::Secret,
    sources::{NewHop, NewHopAuth, NewTunnel, ShownHostKey, TunnelChange, TunnelReport},
    tunnel::{KnownHost, TunnelStatus},
    upstream::StepOutcome,
};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Body, Id, Page, PageQuery, datasources::StepBody, time};
use crate::{
    respond::{Problem, ProblemBody, ProblemKind},
    routes::caller::Caller,
    state::AppState,
    take::port,
};

/// An SSH tunnel. What is secret of it is never sent.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct TunnelBody {
    #[schema(value_type = String, format = "uuid")]
    id: TunnelId,
    /// What its owner calls it.
    #[schema(value_type = String)]
    name: TunnelName,
    /// The servers in the order they are passed.
    hops: Vec<HopBody>,
    /// The only places it leads to, each `host:port`.
    #[schema(value_type = Vec<String>)]
    destinations: Vec<Destination>,
    /// Counts the edits; send it with an edit.
    version: i64,
    created_at: String,
    updated_at: String,
}

/// An SSH server of a tunnel.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct HopBody {
    host: String,
    port: u16,
    user: String,
    /// `key` or `password`.
    #[schema(value_type = String)]
    auth: HopAuthKind,
    /// The public half of the key that signs in, for `authorized_keys`.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    /// Whether that key was made here.
    made_here: bool,
    /// The host key confirmed, as `SHA256:…`; absent before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    host_key: Option<Fingerprint>,
}

impl From<Tunnel> for TunnelBody {
    fn from(tunnel: Tunnel) -> Self {
        let hop = |hop: Hop| {
            let Hop { host, port, user, auth, public_key, made_here, host_key } = hop;
            HopBody { host, port, user, auth, public_key, made_here, host_key }
        };
        Self {
            id: tunnel.id,
            name: tunnel.name,
            hops: tunnel.hops.into_iter().map(hop).collect(),
            destinations: tunnel.destinations,
            version: tunnel.version,
            created_at: time(tunnel.created_at),
            updated_at: time(tunnel.updated_at),
        }
    }
}

/// A tunnel with who uses it and how it is.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct TunnelDetailBody {
    #[serde(flatten)]
    tunnel: TunnelBody,
    /// What the operator of the gateway knows of the host keys of its servers, as far as that is anything.
    known_hosts: Vec<KnownHostBody>,
    /// The data sources that go through it.
    sources: Vec<ThroughBody>,
    /// One for each data source that has used it.
    sessions: Vec<SessionBody>,
}

/// What the operator of the gateway knows of the host key of a server: it needs no confirmation then.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct KnownHostBody {
    /// Which server, from zero.
    hop: usize,
    /// The keys it may show.
    #[schema(value_type = Vec<String>)]
    keys: Vec<Fingerprint>,
    /// The authorities whose certificates it may show.
    #[schema(value_type = Vec<String>)]
    authorities: Vec<Fingerprint>,
}

/// A data source that goes through a tunnel.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct ThroughBody {
    #[schema(value_type = String, format = "uuid")]
    id: SourceId,
    #[schema(value_type = String)]
    name: SourceName,
}

/// The SSH session of one data source.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct SessionBody {
    #[schema(value_type = String, format = "uuid")]
    source: SourceId,
    /// Since when it is connected; absent while it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    up_since: Option<String>,
    reconnects: u64,
    channels: usize,
    bytes_in: u64,
    bytes_out: u64,
    /// How long the servers took to answer when it was last connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    round_trip_ms: Option<f64>,
    /// Why it last failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
}

impl From<TunnelStatus> for SessionBody {
    fn from(status: TunnelStatus) -> Self {
        Self {
            source: status.source,
            up_since: status.up_since.map(time),
            reconnects: status.reconnects,
            channels: status.channels,
            bytes_in: status.bytes_in,
            bytes_out: status.bytes_out,
            round_trip_ms: status.round_trip.map(|trip| trip.as_secs_f64() * 1000.0),
            last_error: status.last_error,
        }
    }
}

/// An SSH server as it is given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct NewHopBody {
    host: String,
    /// 22 if absent.
    #[serde(default, deserialize_with = "port")]
    port: Option<u16>,
    user: String,
    /// What signs in: `"generate"` makes a key, `"keep"` keeps what the server at this place has. If absent, a new
    /// tunnel makes a key and an edit keeps.
    auth: Option<HopAuthBody>,
    /// The host key, if you know it, as `SHA256:…`. Otherwise the first test shows it.
    #[schema(value_type = Option<String>)]
    host_key: Option<Fingerprint>,
}

/// What signs in at a server.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::routes) enum HopAuthBody {
    /// What is kept.
    Keep,
    /// A new ed25519 key; the answer holds its public half.
    Generate,
    /// A key you have.
    Key {
        /// In the form of OpenSSH, PEM or PKCS#8.
        #[schema(value_type = String)]
        private_key: Secret,
        #[schema(value_type = Option<String>)]
        passphrase: Option<Secret>,
        /// The line in `…-cert.pub`.
        certificate: Option<String>,
    },
    /// A password, where the operator allows them.
    #[schema(value_type = String)]
    Password(Secret),
}

impl NewHopBody {
    fn hop(self, otherwise: NewHopAuth) -> NewHop {
        let auth = match self.auth {
            None => otherwise,
            Some(HopAuthBody::Keep) => NewHopAuth::Keep,
            Some(HopAuthBody::Generate) => NewHopAuth::Generate,
            Some(HopAuthBody::Key { private_key: private, passphrase, certificate }) => {
                NewHopAuth::Key { private, passphrase, certificate }
            }
            Some(HopAuthBody::Password(password)) => NewHopAuth::Password(password),
        };
        let port = self.port.unwrap_or(Hop::PORT);
        NewHop { host: self.host, port, user: self.user, auth, host_key: self.host_key }
    }
}

/// A tunnel to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct NewTunnelBody {
    #[schema(value_type = String)]
    name: TunnelName,
    hops: Vec<NewHopBody>,
    #[schema(value_type = Vec<String>)]
    destinations: Vec<Destination>,
}

/// An edit of a tunnel; what is absent stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct TunnelChangeBody {
    /// The version that was looked at. Another one is refused with 409.
    version: i64,
    #[schema(value_type = Option<String>)]
    name: Option<TunnelName>,
    hops: Option<Vec<NewHopBody>>,
    #[schema(value_type = Option<Vec<String>>)]
    destinations: Option<Vec<Destination>>,
}

/// A host key to be confirmed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct ConfirmBody {
    /// Which server, from zero.
    hop: usize,
    /// The host key as a test has shown it, `SHA256:…`.
    #[schema(value_type = String)]
    host_key: Fingerprint,
}

/// Which server gets a new key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct KeyBody {
    /// Which server, from zero.
    hop: usize,
}

/// What a test of a tunnel found.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct TunnelReportBody {
    /// Whether every step that was tried worked.
    passed: bool,
    steps: Vec<StepBody>,
    /// A host key that waits for you to confirm it.
    #[serde(skip_serializing_if = "Option::is_none")]
    host_key: Option<ShownHostKeyBody>,
}

/// A host key that a server shows.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct ShownHostKeyBody {
    hop: usize,
    host: String,
    #[schema(value_type = String)]
    shown: Fingerprint,
    /// The other one that was confirmed before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    confirmed: Option<Fingerprint>,
}

impl From<TunnelReport> for TunnelReportBody {
    fn from(report: TunnelReport) -> Self {
        let shown = |shown: ShownHostKey| {
            let ShownHostKey { hop, host, shown, confirmed } = shown;
            ShownHostKeyBody { hop, host, shown, confirmed }
        };
        Self {
            passed: report.steps.iter().all(|step| step.outcome != StepOutcome::Failed),
            steps: report.steps.into_iter().map(StepBody::from).collect(),
            host_key: report.host_key.map(shown),
        }
    }
}

/// Lists the tunnels of the caller's organisation by name.
#[utoipa::path(get, path = "/api/v1/tunnels", tag = "tunnels", params(PageQuery),
    responses((status = 200, body = Page<TunnelBody>), (status = 401, body = ProblemBody)))]
pub(in crate::routes) async fn list(
    State(state): State<AppState>,
    Caller(member): Caller,
    query: PageQuery,
) -> Result<Json<Page<TunnelBody>>, Problem> {
    let all = state.engine().sources.tunnels(&member).await?.into_iter().map(TunnelBody::from).collect();
    Ok(Json(Page::cut(all, &query, |tunnel: &TunnelBody| tunnel.name.to_string())))
}

/// Makes a tunnel. Test it next: the test shows the host keys to confirm.
#[utoipa::path(post, path = "/api/v1/tunnels", tag = "tunnels", request_body = NewTunnelBody,
    responses((status = 201, body = TunnelBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn create(
    State(state): State<AppState>,
    Caller(member): Caller,
    Body(body): Body<NewTunnelBody>,
) -> Result<Response, Problem> {
    let hops = body.hops.into_iter().map(|hop| hop.hop(NewHopAuth::Generate)).collect();
    let new = NewTunnel { name: body.name, hops, destinations: body.destinations };
    let tunnel = state.engine().sources.add_tunnel(&member, new).await?;
    let location = format!("/api/v1/tunnels/{}", tunnel.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(TunnelBody::from(tunnel))).into_response())
}

/// Returns a tunnel with the data sources that go through it and their sessions.
#[utoipa::path(get, path = "/api/v1/tunnels/{id}", tag = "tunnels",
    params(("id" = String, Path, description = "the tunnel")),
    responses((status = 200, body = TunnelDetailBody), (status = 401, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn read(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<TunnelId>,
) -> Result<Json<TunnelDetailBody>, Problem> {
    let Some(detail) = state.engine().sources.tunnel_detail(&member, id).await? else {
        return Err(Problem::new(ProblemKind::NotFound, "there is no such tunnel"));
    };
    let known = detail.known.into_iter().enumerate().filter_map(|(hop, known)| Some((hop, known?)));
    let known = known.map(|(hop, KnownHost { keys, authorities })| KnownHostBody { hop, keys, authorities });
    Ok(Json(TunnelDetailBody {
        tunnel: detail.tunnel.into(),
        known_hosts: known.collect(),
        sources: detail.sources.into_iter().map(|(id, name)| ThroughBody { id, name }).collect(),
        sessions: detail.sessions.into_iter().map(SessionBody::from).collect(),
    }))
}

/// Edits a tunnel.
#[utoipa::path(patch, path = "/api/v1/tunnels/{id}", tag = "tunnels",
    params(("id" = String, Path, description = "the tunnel")), request_body = TunnelChangeBody,
    responses((status = 200, body = TunnelBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn update(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<TunnelId>,
    Body(body): Body<TunnelChangeBody>,
) -> Result<Json<TunnelBody>, Problem> {
    let keep = |hops: Vec<NewHopBody>| hops.into_iter().map(|hop| hop.hop(NewHopAuth::Keep)).collect();
    let change = TunnelChange { name: body.name, hops: body.hops.map(keep), destinations: body.destinations };
    Ok(Json(state.engine().sources.update_tunnel(&member, id, change, body.version).await?.into()))
}

/// Deletes a tunnel that no data source goes through.
#[utoipa::path(delete, path = "/api/v1/tunnels/{id}", tag = "tunnels",
    params(("id" = String, Path, description = "the tunnel")),
    responses((status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(in crate::routes) async fn remove(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<TunnelId>,
) -> Result<StatusCode, Problem> {
    state.engine().sources.remove_tunnel(&member, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Passes every server of a tunnel now, and tries every place it leads to, step by step.
#[utoipa::path(post, path = "/api/v1/tunnels/{id}/test", tag = "tunnels",
    params(("id" = String, Path, description = "the tunnel")),
    responses((status = 200, body = TunnelReportBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(in crate::routes) async fn test(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<TunnelId>,
) -> Result<Json<TunnelReportBody>, Problem> {
    Ok(Json(state.engine().sources.test_tunnel(&member, id).await?.into()))
}

/// Confirms the host key of one server, after comparing it with what the server's operator says.
#[utoipa::path(post, path = "/api/v1/tunnels/{id}/confirm", tag = "tunnels",
    params(("id" = String, Path, description = "the tunnel")), request_body = ConfirmBody,
    responses((status = 200, body = TunnelBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn confirm(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<TunnelId>,
    Body(body): Body<ConfirmBody>,
) -> Result<Json<TunnelBody>, Problem> {
    Ok(Json(state.engine().sources.confirm_host_key(&member, id, body.hop, body.host_key).await?.into()))
}

/// Makes a new key for one server in place of what signs in there. The answer holds its public half.
#[utoipa::path(post, path = "/api/v1/tunnels/{id}/key", tag = "tunnels",
    params(("id" = String, Path, description = "the tunnel")), request_body = KeyBody,
    responses((status = 200, body = TunnelBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(in crate::routes) async fn generate(
    State(state): State<AppState>,
    Caller(member): Caller,
    Id(id): Id<TunnelId>,
    Body(body): Body<KeyBody>,
) -> Result<Json<TunnelBody>, Problem> {
    Ok(Json(state.engine().sources.generate_tunnel_key(&member, id, body.hop).await?.into()))
}

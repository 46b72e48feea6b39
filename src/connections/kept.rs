//! What is sealed: the tokens of a connection, and what a sign-in goes on with. One JSON text each.

use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use super::{ConnectionError, Result};
use crate::{
    clock::Ms,
    model::{ConnectionId, SignInId, TenantId},
    oauth::{Client, ClientAuth, Departure, Issuer},
    secret::Secret,
    store::{ConnectionRow, SignInRow},
    vault::{Place, Vault},
};

/// The tokens of a connection, with everything needed to renew them.
#[derive(Debug)]
pub(super) struct Kept {
    /// The source's address that they are for.
    pub(super) url: Url,
    pub(super) issuer: Issuer,
    pub(super) client: Client,
    /// Whether the client was registered by us, so that it may be used again.
    pub(super) registered: bool,
    pub(super) access: Secret,
    pub(super) refresh: Option<Secret>,
}

/// What a sign-in goes on with when its person comes back.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) url: Url,
    pub(super) issuer: Issuer,
    pub(super) client: Client,
    pub(super) registered: bool,
    pub(super) departure: Url,
    pub(super) verifier: Secret,
    pub(super) scope: String,
}

impl Begun {
    pub(super) fn new(
        url: Url,
        issuer: Issuer,
        client: Client,
        registered: bool,
        departure: Departure,
    ) -> Self {
        let Departure { url: to, verifier, scope, state: _ } = departure;
        Self { url, issuer, client, registered, departure: to, verifier, scope }
    }
}

#[derive(Serialize)]
struct Written<'a> {
    url: &'a Url,
    issuer: &'a Issuer,
    client_id: &'a str,
    client_secret: Option<&'a str>,
    client_auth: ClientAuth,
    client_ends_at: Option<Ms>,
    registered: bool,
    /// The access token, or the verifier of a sign-in.
    token: &'a str,
    refresh: Option<&'a str>,
    departure: Option<&'a Url>,
    scope: &'a str,
}

#[derive(Deserialize)]
struct Read {
    url: Url,
    issuer: Issuer,
    client_id: String,
    client_secret: Option<Secret>,
    client_auth: ClientAuth,
    client_ends_at: Option<Ms>,
    registered: bool,
    token: Secret,
    refresh: Option<Secret>,
    departure: Option<Url>,
    scope: String,
}

impl Read {
    fn client(&mut self) -> Client {
        Client {
            id: std::mem::take(&mut self.client_id),
            secret: self.client_secret.take(),
            auth: self.client_auth,
            ends_at: self.client_ends_at,
        }
    }
}

/// Seals the tokens of a connection.
pub(super) fn seal(vault: &Vault, tenant: TenantId, id: ConnectionId, kept: &Kept) -> Result<String> {
    let Kept { url, issuer, client, registered, access, refresh } = kept;
    let written = Written {
        url,
        issuer,
        client_id: &client.id,
        client_secret: client.secret.as_ref().map(Secret::expose),
        client_auth: client.auth,
        client_ends_at: client.ends_at,
        registered: *registered,
        token: access.expose(),
        refresh: refresh.as_ref().map(Secret::expose),
        departure: None,
        scope: "",
    };
    let place = place(tenant, id);
    vault.seal(&place, &json(&written)).map_err(|error| ConnectionError::Vault { id, error })
}

/// Opens what [`seal`] sealed.
pub(super) fn open(vault: &Vault, row: &ConnectionRow) -> Result<Kept> {
    let id = row.connection.id;
    let sealed = row.sealed.as_deref().ok_or(ConnectionError::Damaged { id })?;
    let mut read = read(vault, &place(row.connection.tenant, id), id, sealed)?;
    Ok(Kept {
        client: read.client(),
        url: read.url,
        issuer: read.issuer,
        registered: read.registered,
        access: read.token,
        refresh: read.refresh,
    })
}

/// Seals what a sign-in goes on with.
pub(super) fn seal_begun(
    vault: &Vault,
    tenant: TenantId,
    id: SignInId,
    of: ConnectionId,
    begun: &Begun,
) -> Result<String> {
    let Begun { url, issuer, client, registered, departure, verifier, scope } = begun;
    let written = Written {
        url,
        issuer,
        client_id: &client.id,
        client_secret: client.secret.as_ref().map(Secret::expose),
        client_auth: client.auth,
        client_ends_at: client.ends_at,
        registered: *registered,
        token: verifier.expose(),
        refresh: None,
        departure: Some(departure),
        scope,
    };
    vault
        .seal(&begun_place(tenant, id), &json(&written))
        .map_err(|error| ConnectionError::Vault { id: of, error })
}

/// Opens what [`seal_begun`] sealed.
pub(super) fn open_begun(vault: &Vault, row: &SignInRow) -> Result<Begun> {
    let of = row.connection;
    let mut read = read(vault, &begun_place(row.tenant, row.id), of, &row.sealed)?;
    Ok(Begun {
        client: read.client(),
        url: read.url,
        issuer: read.issuer,
        registered: read.registered,
        departure: read.departure.ok_or(ConnectionError::Damaged { id: of })?,
        verifier: read.token,
        scope: read.scope,
    })
}

fn read(vault: &Vault, place: &Place<'_>, id: ConnectionId, sealed: &str) -> Result<Read> {
    let json = vault.open_sealed(place, sealed).map_err(|error| ConnectionError::Vault { id, error })?;
    serde_json::from_slice(&json).map_err(|_| ConnectionError::Damaged { id })
}

fn json(written: &Written<'_>) -> Zeroizing<Vec<u8>> {
    // Large enough from the start, so that growing leaves no copy behind.
    let mut json = Zeroizing::new(Vec::with_capacity(64 * 1024));
    serde_json::to_writer(&mut *json, written).expect("text and addresses are JSON");
    json
}

fn place<'a>(tenant: TenantId, id: ConnectionId) -> Place<'a> {
    Place { tenant, table: "connections", row: id.0, column: "sealed" }
}

fn begun_place<'a>(tenant: TenantId, id: SignInId) -> Place<'a> {
    Place { tenant, table: "sign_ins", row: id.0, column: "sealed" }
}

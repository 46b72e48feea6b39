//! Clients that introduce themselves (RFC 7591), and what they do with their registration later (RFC
//! 7592: read and delete).

use std::{net::IpAddr, sync::PoisonError, time::Duration};

use serde::Serialize;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::{
    identity::{digest, network, random_token},
    issuer::{ClientMetadata, Issuer, IssuerError, clients::Client},
    secret::Secret,
    store::ClientRow,
};

/// How many registrations may come from one address in a row.
pub(super) const BURST: u32 = 20;
/// An address gets one more registration after this long.
pub(super) const REFILL: Duration = Duration::from_secs(60);
/// How many clients that nobody let in are kept.
pub const UNUSED_CLIENTS_MAX: i64 = 10_000;
/// The longest description of a client, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What a client is told of its registration.
#[derive(Debug, Serialize)]
pub struct Registered {
    client_id: String,
    /// In seconds since 1970.
    client_id_issued_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    /// Never: 0. Absent for clients without a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret_expires_at: Option<i64>,
    registration_client_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration_access_token: Option<String>,
    #[serde(flatten)]
    metadata: ClientMetadata,
}

impl Issuer {
    /// Registers a client from the JSON it sent. Every registration makes another client, also of
    /// the same description: who registers twice has two.
    pub async fn register(
        &self,
        base: &str,
        address: IpAddr,
        body: &[u8],
    ) -> Result<Registered, IssuerError> {
        let now = self.0.clock.now();
        {
            let mut places = self.0.registrations.lock().unwrap_or_else(PoisonError::into_inner);
            let admitted = places.admit(network(address), now);
            admitted.map_err(|retry_after| IssuerError::TooMany { retry_after })?;
        }
        if body.len() > BODY_BYTES_MAX {
            return Err(IssuerError::InvalidClientMetadata("the description is too long".into()));
        }
        let mut metadata: ClientMetadata = serde_json::from_slice(body)
            .map_err(|error| IssuerError::InvalidClientMetadata(error.to_string().into()))?;
        metadata.check()?;
        metadata.token_endpoint_auth_method.get_or_insert_with(|| "client_secret_basic".to_owned());
        metadata.grant_types.get_or_insert_with(|| vec!["authorization_code".into(), "refresh_token".into()]);
        metadata.response_types.get_or_insert_with(|| vec!["code".into()]);

        let id = Uuid::now_v7().simple().to_string();
        let secret = if metadata.is_public() { None } else { Some(random_token()?) };
        let manages = random_token()?;
        let row = ClientRow {
            name: metadata.name(&id),
            metadata: serde_json::to_string(&metadata)
                .map_err(|error| IssuerError::InvalidClientMetadata(error.to_string().into()))?,
            secret_hash: secret.as_ref().map(|secret| digest(secret.expose())),
            registration_hash: Some(digest(manages.expose())),
            created_at: now,
            used_at: None,
            id,
        };
        let mut tx = self.0.store.system().await?;
        if tx.count_unused_clients().await? >= UNUSED_CLIENTS_MAX {
            return Err(IssuerError::TooMany { retry_after: REFILL });
        }
        tx.put_client(&row).await?;
        tx.commit().await?;
        Ok(registered(base, row, metadata, secret.as_ref(), Some(&manages)))
    }

    /// Returns a registration to whoever holds its token.
    pub async fn registration(&self, base: &str, id: &str, bearer: &str) -> Result<Registered, IssuerError> {
        let row = self.own_registration(id, bearer).await?;
        let metadata = Client::of(row.clone()).metadata;
        Ok(registered(base, row, metadata, None, None))
    }

    /// Removes a client, with everything people let it do. Holds on the next call.
    pub async fn unregister(&self, id: &str, bearer: &str) -> Result<(), IssuerError> {
        self.own_registration(id, bearer).await?;
        Ok(self.0.identity.forget_client(id).await?)
    }

    /// Finds a registration by its token. One that is not there is refused alike.
    async fn own_registration(&self, id: &str, bearer: &str) -> Result<ClientRow, IssuerError> {
        let row = self.0.store.system_read().await?.find_client(id).await?;
        let is_own = |row: &ClientRow| {
            row.registration_hash.is_some_and(|hash| bool::from(hash.ct_eq(&digest(bearer))))
        };
        row.filter(is_own).ok_or(IssuerError::InvalidRegistrationToken)
    }
}

fn registered(
    base: &str,
    row: ClientRow,
    metadata: ClientMetadata,
    secret: Option<&Secret>,
    manages: Option<&Secret>,
) -> Registered {
    Registered {
        registration_client_uri: format!("{base}/oauth/register/{}", row.id),
        client_id: row.id,
        client_id_issued_at: row.created_at.0 / 1000,
        client_secret: secret.map(|secret| secret.expose().to_owned()),
        client_secret_expires_at: row.secret_hash.map(|_| 0),
        registration_access_token: manages.map(|token| token.expose().to_owned()),
        metadata,
    }
}

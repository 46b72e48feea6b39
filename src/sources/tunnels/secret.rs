//! What signs in at a tunnel's servers, as the vault seals it: one JSON text, one entry a server.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    apart,
    model::{TenantId, Tunnel, TunnelId},
    secret::Secret,
    sources::{Result, tunnels::TunnelEditError},
    tunnel::HopSecret,
    vault::{Place, Vault},
};

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Written<'a> {
    Key { private: &'a str, passphrase: Option<&'a str>, certificate: Option<&'a str> },
    Password(&'a str),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Read {
    Key { private: Secret, passphrase: Option<Secret>, certificate: Option<String> },
    Password(Secret),
}

/// Seals what signs in.
pub(super) fn seal(vault: &Vault, tenant: TenantId, id: TunnelId, secrets: &[HopSecret]) -> Result<String> {
    let written: Vec<Written<'_>> = secrets
        .iter()
        .map(|secret| match secret {
            HopSecret::Key { private, passphrase, certificate } => Written::Key {
                private: private.expose(),
                passphrase: passphrase.as_ref().map(Secret::expose),
                certificate: certificate.as_deref(),
            },
            HopSecret::Password(password) => Written::Password(password.expose()),
        })
        .collect();
    // Large enough from the start, so that growing leaves no copy behind.
    let mut json = Zeroizing::new(Vec::with_capacity(256 * 1024));
    serde_json::to_writer(&mut *json, &written).expect("text is JSON");
    let sealed = vault.seal(&place(tenant, id), &json);
    Ok(sealed.map_err(|error| TunnelEditError::Vault { tunnel_id: id, error })?)
}

/// Opens what [`seal`] sealed, where computing does not stop anybody else.
pub(super) async fn open(vault: &Vault, tunnel: &Tunnel, sealed: String) -> Result<Vec<HopSecret>> {
    let (vault, tenant, id, hops) = (vault.clone(), tunnel.tenant, tunnel.id, tunnel.hops.len());
    apart::compute(move || open_now(&vault, tenant, id, hops, &sealed)).await
}

fn open_now(
    vault: &Vault,
    tenant: TenantId,
    id: TunnelId,
    hops: usize,
    sealed: &str,
) -> Result<Vec<HopSecret>> {
    let json = vault
        .open_sealed(&place(tenant, id), sealed)
        .map_err(|error| TunnelEditError::Vault { tunnel_id: id, error })?;
    let read: Vec<Read> = serde_json::from_slice(&json).unwrap_or_default();
    if read.len() != hops {
        return Err(TunnelEditError::Damaged { tunnel_id: id }.into());
    }
    let secrets = read.into_iter().map(|read| match read {
        Read::Key { private, passphrase, certificate } => HopSecret::Key { private, passphrase, certificate },
        Read::Password(password) => HopSecret::Password(password),
    });
    Ok(secrets.collect())
}

fn place<'a>(tenant: TenantId, id: TunnelId) -> Place<'a> {
    Place { tenant, table: "tunnels", row: id.0, column: "secrets" }
}

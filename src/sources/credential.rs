//! The credential of a source as the vault seals it: one JSON text, so that a new kind of
//! credential needs no migration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    model::{Auth, Credential, OauthClient, SourceId, TenantId},
    secret::Secret,
    sources::{Result, SourceError},
    vault::{Place, Vault},
};

/// Seals a credential for its source; `None` if there is nothing to keep secret.
pub(super) fn seal(
    vault: &Vault,
    tenant: TenantId,
    source: SourceId,
    credential: &Credential,
) -> Result<Option<String>> {
    if credential.is_empty() {
        return Ok(None);
    }
    let sealed = vault.seal(&place(tenant, source), &to_json(credential));
    sealed.map(Some).map_err(|error| SourceError::Vault { source_id: source, error })
}

/// Opens what [`seal`] sealed.
pub(super) fn open(
    vault: &Vault,
    tenant: TenantId,
    source: SourceId,
    sealed: Option<&str>,
) -> Result<Credential> {
    let Some(sealed) = sealed else { return Ok(Credential::default()) };
    let json = vault
        .open_sealed(&place(tenant, source), sealed)
        .map_err(|error| SourceError::Vault { source_id: source, error })?;
    from_json(&json).ok_or(SourceError::Credential { source_id: source })
}

fn place<'a>(tenant: TenantId, source: SourceId) -> Place<'a> {
    Place { tenant, table: "sources", row: source.0, column: "credential" }
}

#[derive(Serialize)]
struct Written<'a> {
    auth: WrittenAuth<'a>,
    env: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum WrittenAuth<'a> {
    None,
    Bearer(&'a str),
    Basic { user: &'a str, password: &'a str },
    Header { name: &'a str, value: &'a str },
    Oauth { id: Option<&'a str>, secret: Option<&'a str>, scope: Option<&'a str> },
    Jws(&'a str),
}

#[derive(Deserialize)]
struct Read {
    auth: ReadAuth,
    env: BTreeMap<String, Secret>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ReadAuth {
    None,
    Bearer(Secret),
    Basic { user: String, password: Secret },
    Header { name: String, value: Secret },
    Oauth { id: Option<String>, secret: Option<Secret>, scope: Option<String> },
    Jws(Secret),
}

pub(super) fn to_json(credential: &Credential) -> Zeroizing<Vec<u8>> {
    let auth = match &credential.auth {
        Auth::None => WrittenAuth::None,
        Auth::Bearer(token) => WrittenAuth::Bearer(token.expose()),
        Auth::Basic { user, password } => WrittenAuth::Basic { user, password: password.expose() },
        Auth::Header { name, value } => WrittenAuth::Header { name, value: value.expose() },
        Auth::Jws(key) => WrittenAuth::Jws(key.expose()),
        Auth::Oauth(OauthClient { id, secret, scope }) => WrittenAuth::Oauth {
            id: id.as_deref(),
            secret: secret.as_ref().map(Secret::expose),
            scope: scope.as_deref(),
        },
    };
    let env = credential.env.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    // Large enough from the start, so that growing leaves no copy behind.
    let mut json = Zeroizing::new(Vec::with_capacity(64 * 1024));
    serde_json::to_writer(&mut *json, &Written { auth, env }).expect("text and maps of text are JSON");
    json
}

fn from_json(json: &[u8]) -> Option<Credential> {
    let Read { auth, env } = serde_json::from_slice(json).ok()?;
    let auth = match auth {
        ReadAuth::None => Auth::None,
        ReadAuth::Bearer(token) => Auth::Bearer(token),
        ReadAuth::Basic { user, password } => Auth::Basic { user, password },
        ReadAuth::Header { name, value } => Auth::Header { name, value },
        ReadAuth::Jws(key) => Auth::Jws(key),
        ReadAuth::Oauth { id, secret, scope } => Auth::Oauth(OauthClient { id, secret, scope }),
    };
    Some(Credential { auth, env })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_credential_comes_back_as_it_was_kept() {
        let auths = [
            Auth::None,
            Auth::Bearer(Secret::new("t\"1")),
            Auth::Basic { user: "ada".into(), password: Secret::new("p:ä") },
            Auth::Header { name: "X-Key".into(), value: Secret::new("v") },
            Auth::Oauth(OauthClient {
                id: Some("c1".into()),
                secret: Some(Secret::new("s")),
                scope: Some("read write".into()),
            }),
            Auth::Oauth(OauthClient::default()),
        ];
        for auth in auths {
            let env = BTreeMap::from([("TOKEN".to_owned(), Secret::new("line\n2"))]);
            let kept = Credential { auth, env };

            let back = from_json(&to_json(&kept)).unwrap();

            assert_eq!(to_json(&back), to_json(&kept));
        }
    }
}

//! API keys. The secret half is here as its SHA-256 only.

use crate::{
    clock::Ms,
    model::{ApiKey, ApiKeyId, Member},
    store::{Result, Store, SystemTx, Tx},
};

/// An API key as found by its id, with everything needed to judge it.
#[derive(Clone, Debug)]
pub struct ApiKeyRow {
    /// The key; revoked and expired ones are found too.
    pub key: ApiKey,
    /// SHA-256 of its secret half.
    pub secret_hash: [u8; 32],
    /// The person it acts for, via this key.
    pub member: Member,
    /// Whether the person's account is switched on.
    pub user_enabled: bool,
}

impl Store {
    /// Finds a key by its id. One round trip, no transaction.
    pub async fn find_api_key(&self, id: ApiKeyId) -> Result<Option<ApiKeyRow>> {
        let _ = id;
        todo!()
    }
}

impl Tx {
    /// Returns the keys that act in this organisation, the newest first.
    pub async fn list_api_keys(&mut self) -> Result<Vec<ApiKey>> {
        todo!()
    }

    /// Finds a key of this organisation.
    pub async fn find_api_key(&mut self, id: ApiKeyId) -> Result<Option<ApiKey>> {
        let _ = id;
        todo!()
    }

    /// Adds a key.
    pub async fn add_api_key(&mut self, key: &ApiKey, secret_hash: &[u8; 32]) -> Result<()> {
        let _ = (key, secret_hash);
        todo!()
    }

    /// Renames a key; `false` if there is no such key.
    pub async fn rename_api_key(&mut self, id: ApiKeyId, name: &str) -> Result<bool> {
        let _ = (id, name);
        todo!()
    }

    /// Revokes a key; `false` if there is no such key or it was revoked before.
    pub async fn revoke_api_key(&mut self, id: ApiKeyId, now: Ms) -> Result<bool> {
        let _ = (id, now);
        todo!()
    }
}

impl SystemTx {
    /// Notes when keys were last used.
    pub async fn touch_api_keys(&mut self, used: &[(ApiKeyId, Ms)]) -> Result<()> {
        let _ = used;
        todo!()
    }
}

//! What the vault needs: sealed texts by the key they are sealed under, and its canary.
//!
//! A sealed text is a JSON object whose member `kid` names the key. That member is all this room
//! ever reads of it.

use uuid::Uuid;

use crate::{
    model::TenantId,
    store::{Result, SystemTx},
};

/// A sealed text and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRow {
    /// The organisation.
    pub tenant: TenantId,
    /// The table, as `sources`.
    pub table: &'static str,
    /// The row's id.
    pub row: Uuid,
    /// The column, as `credential`.
    pub column: &'static str,
    /// The sealed text.
    pub sealed: String,
}

impl SystemTx {
    /// Returns sealed texts that are not under the key `kid`, at most `limit`.
    pub async fn list_sealed_not_under(&mut self, kid: &str, limit: i64) -> Result<Vec<SealedRow>> {
        let _ = (kid, limit);
        todo!()
    }

    /// Replaces a sealed text if it is still the one read; `false` if somebody was faster.
    pub async fn replace_sealed(&mut self, row: &SealedRow, sealed: &str) -> Result<bool> {
        let _ = (row, sealed);
        todo!()
    }

    /// Returns the sealed text that proves the vault's key; `None` on a fresh database.
    pub async fn vault_canary(&mut self) -> Result<Option<String>> {
        todo!()
    }

    /// Sets the first canary, or replaces `old`. `false` if somebody was faster.
    pub async fn set_vault_canary(&mut self, old: Option<&str>, sealed: &str) -> Result<bool> {
        let _ = (old, sealed);
        todo!()
    }
}

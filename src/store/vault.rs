//! What the vault needs: sealed texts by the key they are sealed under, and its canary.
//!
//! A sealed text is a JSON object whose member `kid` names the key. That member is all this room
//! ever reads of it. One more sealed column is one more row of [`COLUMNS`], one more `union all`, and one more
//! arm in `replace_sealed`.

use serde::Deserialize;
use sqlx::{FromRow, query, query_as, query_scalar};
use uuid::Uuid;

use crate::{
    model::TenantId,
    store::{Result, StoreError, SystemTx, changed, on, read_json},
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

#[derive(FromRow)]
struct FoundRow {
    place: i64,
    tenant_id: TenantId,
    id: Uuid,
    sealed: String,
}

/// The columns that hold sealed texts: table, column, and where the name of the key is.
const COLUMNS: [(&str, &str); 6] = [
    ("sources", "credential"),
    ("connections", "sealed"),
    ("sign_ins", "sealed"),
    ("user_factors", "sealed"),
    ("tunnels", "secrets"),
    ("audit_keys", "sealed"),
];

impl FoundRow {
    fn row(self) -> Result<SealedRow> {
        let place = usize::try_from(self.place).ok().and_then(|place| COLUMNS.get(place));
        let (table, column) = place.ok_or_else(|| StoreError::Corrupt {
            what: "sealed column",
            detail: format!("there is none of the number {}", self.place),
        })?;
        Ok(SealedRow { tenant: self.tenant_id, table, row: self.id, column, sealed: self.sealed })
    }
}

/// Returns the name of the key a text is sealed under.
pub(super) fn kid_of(sealed: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Envelope {
        kid: String,
    }
    Ok(read_json::<Envelope>("sealed text", sealed)?.kid)
}

impl SystemTx {
    /// Returns sealed texts that are not under the key `kid`, at most `limit`.
    pub async fn list_sealed_not_under(&mut self, kid: &str, limit: i64) -> Result<Vec<SealedRow>> {
        let rows: Vec<FoundRow> = on!(self, |c| {
            query_as(
                "select cast(0 as bigint) as place, tenant_id, id, credential as sealed from sources
                    where credential is not null and credential_kid <> $1
                 union all
                 select cast(1 as bigint), tenant_id, id, sealed from connections
                    where sealed is not null and sealed_kid <> $1
                 union all
                 select cast(2 as bigint), tenant_id, id, sealed from sign_ins where sealed_kid <> $1
                 union all
                 select cast(3 as bigint), tenant_id, user_id, sealed from user_factors where sealed_kid <> $1
                 union all
                 select cast(4 as bigint), tenant_id, id, secrets from tunnels where secrets_kid <> $1
                 union all
                 select cast(5 as bigint), $3, id, sealed from audit_keys where sealed_kid <> $1
                 order by id limit $2",
            )
            .bind(kid)
            .bind(limit)
            // What is the installation's own is of no organisation.
            .bind(Uuid::nil())
            .fetch_all(c)
            .await
        })?;
        rows.into_iter().map(FoundRow::row).collect()
    }

    /// Replaces a sealed text if it is still the one read; `false` if somebody was faster.
    pub async fn replace_sealed(&mut self, row: &SealedRow, sealed: &str) -> Result<bool> {
        let kid = kid_of(sealed)?;
        let statement = match row.table {
            "connections" => {
                "update connections set sealed = $4, sealed_kid = $5
                 where tenant_id = $1 and id = $2 and sealed = $3"
            }
            "sign_ins" => {
                "update sign_ins set sealed = $4, sealed_kid = $5
                 where tenant_id = $1 and id = $2 and sealed = $3"
            }
            "user_factors" => {
                "update user_factors set sealed = $4, sealed_kid = $5
                 where tenant_id = $1 and user_id = $2 and sealed = $3"
            }
            "tunnels" => {
                "update tunnels set secrets = $4, secrets_kid = $5
                 where tenant_id = $1 and id = $2 and secrets = $3"
            }
            _ => {
                "update sources set credential = $4, credential_kid = $5
                 where tenant_id = $1 and id = $2 and credential = $3"
            }
        };
        if row.table == "audit_keys" {
            let statement =
                "update audit_keys set sealed = $3, sealed_kid = $4 where id = $1 and sealed = $2";
            let replaced =
                changed!(self, query(statement).bind(row.row).bind(&row.sealed).bind(sealed).bind(&kid));
            return Ok(replaced > 0);
        }
        let replaced = changed!(
            self,
            query(statement).bind(row.tenant).bind(row.row).bind(&row.sealed).bind(sealed).bind(&kid)
        );
        Ok(replaced > 0)
    }

    /// Returns the sealed text that proves the vault's key; `None` on a fresh database.
    pub async fn vault_canary(&mut self) -> Result<Option<String>> {
        Ok(on!(self, |c| query_scalar("select sealed from vault_canary where id = 1")
            .fetch_optional(c)
            .await)?)
    }

    /// Sets the first canary, or replaces `old`. `false` if somebody was faster.
    pub async fn set_vault_canary(&mut self, old: Option<&str>, sealed: &str) -> Result<bool> {
        let changed = match old {
            None => changed!(
                self,
                query("insert into vault_canary (id, sealed) values (1, $1) on conflict (id) do nothing")
                    .bind(sealed)
            ),
            Some(old) => changed!(
                self,
                query("update vault_canary set sealed = $2 where id = 1 and sealed = $1")
                    .bind(old)
                    .bind(sealed)
            ),
        };
        Ok(changed > 0)
    }
}

//! Assertions of identity providers that were used.

use sqlx::query;

use crate::{
    clock::Ms,
    store::{Result, SystemTx, changed},
};

impl SystemTx {
    /// Notes that an assertion is used, which ends by itself at `expires_at`; `false` if it was used before.
    pub async fn use_assertion(&mut self, hash: &[u8; 32], expires_at: Ms) -> Result<bool> {
        let added = changed!(
            self,
            query("insert into used_assertions (hash, expires_at) values ($1, $2) on conflict do nothing")
                .bind(hash.as_slice())
                .bind(expires_at)
        );
        Ok(added > 0)
    }

    /// Forgets assertions that ended before `now`, at most `limit`. Returns how many.
    pub async fn remove_ended_assertions(&mut self, now: Ms, limit: i64) -> Result<u64> {
        Ok(changed!(
            self,
            query(
                "delete from used_assertions where hash in
                    (select hash from used_assertions where expires_at <= $1 order by expires_at limit $2)",
            )
            .bind(now)
            .bind(limit)
        ))
    }
}

//! Failed sign-ins by account and address, so that a restart forgets none.

use sqlx::{query, query_as, query_scalar};

use crate::{
    clock::Ms,
    store::{Result, SystemTx, clean, on},
};

impl SystemTx {
    /// Counts one more failure of a subject (an account or address, in words of the caller's own)
    /// and returns how many there are; if the last one was before `window_start`, counting begins
    /// anew.
    pub async fn add_sign_in_failure(&mut self, subject: &str, window_start: Ms, now: Ms) -> Result<i64> {
        Ok(on!(self, |c| {
            query_scalar(
                "insert into sign_in_failures (subject, failures, last_at) values ($1, 1, $3)
                 on conflict (subject) do update set
                    failures = case when sign_in_failures.last_at < $2 then 1
                        else sign_in_failures.failures + 1 end,
                    last_at = excluded.last_at
                 returning failures",
            )
            .bind(clean(subject))
            .bind(window_start)
            .bind(now)
            .fetch_one(c)
            .await
        })?)
    }

    /// Returns a subject's failures and when the last one was; `None` if the last one was before
    /// `window_start`.
    pub async fn sign_in_failures(&mut self, subject: &str, window_start: Ms) -> Result<Option<(i64, Ms)>> {
        Ok(on!(self, |c| {
            query_as("select failures, last_at from sign_in_failures where subject = $1 and last_at >= $2")
                .bind(clean(subject))
                .bind(window_start)
                .fetch_optional(c)
                .await
        })?)
    }

    /// Forgets a subject's failures.
    pub async fn clear_sign_in_failures(&mut self, subject: &str) -> Result<()> {
        on!(self, |c| {
            query("delete from sign_in_failures where subject = $1")
                .bind(clean(subject))
                .execute(c)
                .await
                .map(drop)
        })?;
        Ok(())
    }

    /// Forgets subjects whose last failure was before `before`, at most `limit`. Returns how many.
    pub async fn prune_sign_in_failures(&mut self, before: Ms, limit: i64) -> Result<u64> {
        Ok(on!(self, |c| {
            query(
                "delete from sign_in_failures where subject in
                    (select subject from sign_in_failures where last_at < $1 order by last_at limit $2)",
            )
            .bind(before)
            .bind(limit)
            .execute(c)
            .await
            .map(|done| done.rows_affected())
        })?)
    }
}

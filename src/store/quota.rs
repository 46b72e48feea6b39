//! The monthly counters, and the one statement that charges them.

use sqlx::{query, query_as, query_scalar};

use crate::{
    clock::{Month, Ms},
    model::UserId,
    store::{Inner, Pools, Result, Store, SystemTx, Tx},
};

/// What taking left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Calls used in the month, these included.
    pub used: i64,
    /// Calls left; `None` = unlimited.
    pub left: Option<i64>,
}

impl Store {
    /// Charges `n` calls to a person's month if that stays within `limit`; `None` if it does not,
    /// and then nothing is charged. Exact whatever happens at the same time; committed when it
    /// returns. Every month begins at zero.
    pub async fn take_calls(
        &self,
        user: UserId,
        month: Month,
        n: i64,
        limit: Option<i64>,
        now: Ms,
    ) -> Result<Option<Taken>> {
        let used: Option<i64> = match &self.pools {
            Pools::Sqlite { writer, .. } => {
                query_scalar(
                    "insert into quotas (user_id, month, used, updated_at)
                     select $1, $2, $3, $5 where $4 is null or $3 <= $4
                     on conflict (user_id, month) do update
                        set used = quotas.used + excluded.used, updated_at = excluded.updated_at
                        where $4 is null or quotas.used + excluded.used <= $4
                     returning used",
                )
                .bind(user)
                .bind(month)
                .bind(n)
                .bind(limit)
                .bind(now)
                .fetch_optional(writer)
                .await?
            }
            Pools::Postgres(pool) => {
                query_scalar("select * from quota_take($1, $2, $3, $4, $5)")
                    .bind(user)
                    .bind(month)
                    .bind(n)
                    .bind(limit)
                    .bind(now)
                    .fetch_optional(pool)
                    .await?
            }
        };
        Ok(used.map(|used| Taken { used, left: limit.map(|limit| limit - used) }))
    }

    /// Gives back `n` calls taken before in that same month.
    pub async fn give_back_calls(&self, user: UserId, month: Month, n: i64, now: Ms) -> Result<()> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => {
                query(
                    "update quotas set used = case when used > $3 then used - $3 else 0 end, updated_at = $4
                     where user_id = $1 and month = $2",
                )
                .bind(user)
                .bind(month)
                .bind(n)
                .bind(now)
                .execute(writer)
                .await
                .map(drop)?;
            }
            Pools::Postgres(pool) => {
                query("select quota_give_back($1, $2, $3, $4)")
                    .bind(user)
                    .bind(month)
                    .bind(n)
                    .bind(now)
                    .execute(pool)
                    .await
                    .map(drop)?;
            }
        }
        Ok(())
    }
}

impl Tx {
    /// Returns the calls a person has used in a month.
    pub async fn usage(&mut self, user: UserId, month: Month) -> Result<i64> {
        self.inner.usage(user, month).await
    }
}

/// What a person has used in a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct MonthUsage {
    /// The month.
    pub month: Month,
    /// Calls.
    pub calls: i64,
    /// Analyses.
    pub analyses: i64,
}

impl SystemTx {
    /// Returns what a person has used in months, the newest first.
    pub async fn usage_by_month(&mut self, user: UserId, limit: i64) -> Result<Vec<MonthUsage>> {
        Ok(super::on!(self, |c| {
            query_as(
                "select month, used as calls, analyses from quotas where user_id = $1 order by month desc limit $2",
            )
            .bind(user)
            .bind(limit)
            .fetch_all(c)
            .await
        })?)
    }

    /// Returns the calls a person has used in a month.
    pub async fn usage(&mut self, user: UserId, month: Month) -> Result<i64> {
        let used: Option<i64> = super::on!(self, |c| {
            query_scalar("select used from quotas where user_id = $1 and month = $2")
                .bind(user)
                .bind(month)
                .fetch_optional(c)
                .await
        })?;
        Ok(used.unwrap_or(0))
    }
}

impl Inner {
    /// Asks as a member of an organisation, who has no sight of the table on PostgreSQL.
    async fn usage(&mut self, user: UserId, month: Month) -> Result<i64> {
        let used: Option<i64> = match self {
            Self::Sqlite(transaction) => {
                query_scalar("select used from quotas where user_id = $1 and month = $2")
                    .bind(user)
                    .bind(month)
                    .fetch_optional(&mut **transaction)
                    .await?
            }
            Self::Postgres(transaction) => {
                query_scalar("select quota_used($1, $2)")
                    .bind(user)
                    .bind(month)
                    .fetch_optional(&mut **transaction)
                    .await?
            }
        };
        Ok(used.unwrap_or(0))
    }
}

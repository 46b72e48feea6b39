//! The monthly counters, and the one statement that charges them.

use sqlx::{AssertSqlSafe, query, query_as, query_scalar};
use uuid::Uuid;

use crate::{
    clock::{Month, Ms},
    model::{Payer, UserId},
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

/// Where the months of one kind of payer are.
struct Table {
    name: &'static str,
    id: &'static str,
    /// What the functions of PostgreSQL begin with.
    function: &'static str,
}

impl Payer {
    fn table(self) -> Table {
        match self {
            Self::Person(_) => Table { name: "quotas", id: "user_id", function: "quota" },
            Self::Team(_) => Table { name: "org_quotas", id: "tenant_id", function: "org_quota" },
        }
    }

    fn id(self) -> Uuid {
        match self {
            Self::Person(user) => user.0,
            Self::Team(team) => team.0,
        }
    }
}

impl Store {
    /// Charges `n` calls to a payer's month if that stays within `limit`; `None` if it does not,
    /// and then nothing is charged. Exact whatever happens at the same time; committed when it
    /// returns. Every month begins at zero.
    pub async fn take_calls(
        &self,
        payer: impl Into<Payer>,
        month: Month,
        n: i64,
        limit: Option<i64>,
        now: Ms,
    ) -> Result<Option<Taken>> {
        let payer = payer.into();
        let Table { name, id, function } = payer.table();
        let used: Option<i64> = match &self.pools {
            Pools::Sqlite { writer, .. } => {
                query_scalar(AssertSqlSafe(format!(
                    "insert into {name} ({id}, month, used, updated_at)
                     select $1, $2, $3, $5 where $4 is null or $3 <= $4
                     on conflict ({id}, month) do update
                        set used = {name}.used + excluded.used, updated_at = excluded.updated_at
                        where $4 is null or {name}.used + excluded.used <= $4
                     returning used"
                )))
                .bind(payer.id())
                .bind(month)
                .bind(n)
                .bind(limit)
                .bind(now)
                .fetch_optional(writer)
                .await?
            }
            Pools::Postgres(pool) => {
                query_scalar(AssertSqlSafe(format!("select * from {function}_take($1, $2, $3, $4, $5)")))
                    .bind(payer.id())
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
    pub async fn give_back_calls(
        &self,
        payer: impl Into<Payer>,
        month: Month,
        n: i64,
        now: Ms,
    ) -> Result<()> {
        let payer = payer.into();
        let Table { name, id, function } = payer.table();
        match &self.pools {
            Pools::Sqlite { writer, .. } => {
                query(AssertSqlSafe(format!(
                    "update {name} set used = case when used > $3 then used - $3 else 0 end, updated_at = $4
                     where {id} = $1 and month = $2"
                )))
                .bind(payer.id())
                .bind(month)
                .bind(n)
                .bind(now)
                .execute(writer)
                .await
                .map(drop)?;
            }
            Pools::Postgres(pool) => {
                query(AssertSqlSafe(format!("select {function}_give_back($1, $2, $3, $4)")))
                    .bind(payer.id())
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

/// What a payer has used in a month.
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
    /// Returns what a payer has used in months, the newest first.
    pub async fn usage_by_month(&mut self, payer: impl Into<Payer>, limit: i64) -> Result<Vec<MonthUsage>> {
        let payer = payer.into();
        let Table { name, id, .. } = payer.table();
        Ok(super::on!(self, |c| {
            query_as(AssertSqlSafe(format!(
                "select month, used as calls, analyses from {name} where {id} = $1 order by month desc limit $2"
            )))
            .bind(payer.id())
            .bind(limit)
            .fetch_all(c)
            .await
        })?)
    }

    /// Returns the calls a payer has used in a month.
    pub async fn usage(&mut self, payer: impl Into<Payer>, month: Month) -> Result<i64> {
        self.used_of(payer.into(), "used", month).await
    }

    /// Returns how many analyses a payer has been charged in a month, without those that were given back.
    pub async fn analyses_used(&mut self, payer: impl Into<Payer>, month: Month) -> Result<i64> {
        self.used_of(payer.into(), "analyses", month).await
    }

    async fn used_of(&mut self, payer: Payer, column: &'static str, month: Month) -> Result<i64> {
        let Table { name, id, .. } = payer.table();
        let used: Option<i64> = super::on!(self, |c| {
            query_scalar(AssertSqlSafe(format!("select {column} from {name} where {id} = $1 and month = $2")))
                .bind(payer.id())
                .bind(month)
                .fetch_optional(c)
                .await
        })?;
        Ok(used.unwrap_or(0))
    }

    /// Charges one analysis to a payer's month. Whether there is one left was found out before, in the same turn.
    pub async fn charge_analysis(&mut self, payer: impl Into<Payer>, month: Month, now: Ms) -> Result<()> {
        let payer = payer.into();
        let Table { name, id, .. } = payer.table();
        super::on!(self, |c| {
            query(AssertSqlSafe(format!(
                "insert into {name} ({id}, month, used, analyses, updated_at) values ($1, $2, 0, 1, $3)
                 on conflict ({id}, month) do update
                    set analyses = {name}.analyses + 1, updated_at = excluded.updated_at"
            )))
            .bind(payer.id())
            .bind(month)
            .bind(now)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Gives one analysis back to a payer's month.
    pub(super) async fn give_back_analysis(&mut self, payer: Payer, month: Month, now: Ms) -> Result<()> {
        let Table { name, id, .. } = payer.table();
        super::on!(self, |c| {
            query(AssertSqlSafe(format!(
                "update {name} set analyses = case when analyses > 0 then analyses - 1 else 0 end, updated_at = $3
                 where {id} = $1 and month = $2"
            )))
            .bind(payer.id())
            .bind(month)
            .bind(now)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
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

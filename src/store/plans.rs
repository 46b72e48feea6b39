//! Plans: instance-wide settings of what an account may use.

use sqlx::{FromRow, query, query_as};

use crate::{
    model::{Plan, PlanName, TenantId},
    store::{LIST_MAX, Result, SystemTx, on, read_rate},
};

#[derive(FromRow)]
struct PlanRow {
    name: PlanName,
    calls_per_month: Option<i64>,
    analyses_per_month: Option<i64>,
    concurrent_analyses: Option<i64>,
    sources_max: Option<i64>,
    presets_max: Option<i64>,
    stored_analyses_max: Option<i64>,
    retention_days: Option<i64>,
    rate: Option<String>,
}

impl PlanRow {
    fn plan(self) -> Result<Plan> {
        Ok(Plan {
            name: self.name,
            calls_per_month: self.calls_per_month,
            analyses_per_month: self.analyses_per_month,
            concurrent_analyses: self.concurrent_analyses,
            sources_max: self.sources_max,
            presets_max: self.presets_max,
            stored_analyses_max: self.stored_analyses_max,
            retention_days: self.retention_days,
            rate: read_rate("plans.rate", self.rate.as_deref())?,
        })
    }
}

impl SystemTx {
    /// Returns the plans by name.
    pub async fn list_plans(&mut self) -> Result<Vec<Plan>> {
        let rows: Vec<PlanRow> = on!(self, |c| {
            query_as("select * from plans order by name limit $1").bind(LIST_MAX).fetch_all(c).await
        })?;
        rows.into_iter().map(PlanRow::plan).collect()
    }

    /// Finds a plan.
    pub async fn find_plan(&mut self, name: &PlanName) -> Result<Option<Plan>> {
        let row: Option<PlanRow> = on!(self, |c| {
            query_as("select * from plans where name = $1").bind(name).fetch_optional(c).await
        })?;
        row.map(PlanRow::plan).transpose()
    }

    /// Finds the plan that bounds what an organisation owns: its own, else that of the person it belongs to, else, as
    /// for a team without one, that of whoever asks.
    pub async fn find_plan_in(&mut self, tenant: TenantId, asking: &PlanName) -> Result<Option<Plan>> {
        let row: Option<PlanRow> = on!(self, |c| {
            query_as(
                "select p.* from plans p where p.name = coalesce(
                    (select coalesce(o.plan, u.plan) from organisations o left join users u on u.id = o.personal_of
                        where o.id = $1), $2)",
            )
            .bind(tenant)
            .bind(asking)
            .fetch_optional(c)
            .await
        })?;
        row.map(PlanRow::plan).transpose()
    }

    /// Adds a plan, or replaces the one of that name.
    pub async fn save_plan(&mut self, plan: &Plan) -> Result<()> {
        on!(self, |c| {
            query(
                "insert into plans (name, calls_per_month, analyses_per_month, concurrent_analyses,
                    sources_max, retention_days, rate, presets_max, stored_analyses_max)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                 on conflict (name) do update set
                    calls_per_month = excluded.calls_per_month,
                    analyses_per_month = excluded.analyses_per_month,
                    concurrent_analyses = excluded.concurrent_analyses,
                    sources_max = excluded.sources_max,
                    retention_days = excluded.retention_days,
                    rate = excluded.rate,
                    presets_max = excluded.presets_max,
                    stored_analyses_max = excluded.stored_analyses_max",
            )
            .bind(&plan.name)
            .bind(plan.calls_per_month)
            .bind(plan.analyses_per_month)
            .bind(plan.concurrent_analyses)
            .bind(plan.sources_max)
            .bind(plan.retention_days)
            .bind(plan.rate.map(|rate| rate.to_string()))
            .bind(plan.presets_max)
            .bind(plan.stored_analyses_max)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
    }
}

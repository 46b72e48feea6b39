//! How far the audit log of each organisation is exported.

use sqlx::{FromRow, query, query_as};

use super::blocks::Numbers;
use crate::{
    clock::Ms,
    model::TenantId,
    store::{Result, SystemTx, changed, on},
};

/// What one file of an export holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportPlan {
    /// The number of the event before the first one.
    pub behind: i64,
    /// The number of the last one.
    pub last: i64,
    /// When the period of the first one began.
    pub begin: Ms,
}

/// How far an organisation's log is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportState {
    /// The number of the last event exported.
    pub seq: i64,
    /// The file that is being written, or could not be.
    pub plan: Option<ExportPlan>,
    /// Whether a process is at it, or waits to try again.
    pub is_leased: bool,
}

/// An export that failed the last time it was tried.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct ExportFailure {
    /// Whose log it is.
    pub tenant_id: TenantId,
    /// Why it failed.
    pub failure: String,
    /// When.
    pub failed_at: Ms,
}

#[derive(FromRow)]
struct StateRow {
    seq: i64,
    planned_seq: Option<i64>,
    planned_begin: Option<Ms>,
    leased_until: Ms,
}

impl StateRow {
    fn state(self, now: Ms) -> ExportState {
        let plan = self.planned_seq.zip(self.planned_begin);
        let plan = plan.map(|(last, begin)| ExportPlan { behind: self.seq, last, begin });
        ExportState { seq: self.seq, plan, is_leased: self.leased_until > now }
    }
}

impl SystemTx {
    /// Returns how far an organisation's log is exported; `None` if nothing of it ever was.
    pub async fn find_export(&mut self, tenant: TenantId, now: Ms) -> Result<Option<ExportState>> {
        let row: Option<StateRow> = on!(self, |c| {
            query_as("select seq, planned_seq, planned_begin, leased_until from audit_exports where tenant_id = $1")
                .bind(tenant)
                .fetch_optional(c)
                .await
        })?;
        Ok(row.map(|row| row.state(now)))
    }

    /// Takes an organisation's export until this time. `None` if another process has it. The first time it begins with
    /// the oldest event that is kept.
    pub async fn claim_export(
        &mut self,
        tenant: TenantId,
        now: Ms,
        until: Ms,
    ) -> Result<Option<ExportState>> {
        changed!(
            self,
            query(
                "insert into audit_exports (tenant_id, seq, leased_until, failure)
                 select tenant_id, pruned_seq, 0, '' from audit_heads where tenant_id = $1
                 on conflict (tenant_id) do nothing"
            )
            .bind(tenant)
        );
        let row: Option<StateRow> = on!(self, |c| {
            query_as(
                "update audit_exports set leased_until = $3 where tenant_id = $1 and leased_until <= $2
                 returning seq, planned_seq, planned_begin, leased_until",
            )
            .bind(tenant)
            .bind(now)
            .bind(until)
            .fetch_optional(c)
            .await
        })?;
        Ok(row.map(|row| row.state(now)))
    }

    /// Returns when the first event behind this one was; `None` if there is none.
    pub async fn find_next_event_time(&mut self, tenant: TenantId, behind: i64) -> Result<Option<Ms>> {
        let next = self.log_of(tenant).links(behind, i64::MAX, 1).await?;
        Ok(next.first().map(|link| link.event.at))
    }

    /// Returns the number of the last event of a period that lies behind the one of number `behind` and not behind the
    /// one of number `upto`.
    pub async fn find_last_of_period(
        &mut self,
        tenant: TenantId,
        behind: i64,
        upto: i64,
        (begin, end): (Ms, Ms),
    ) -> Result<i64> {
        let within = Numbers { behind, upto, from: begin, to: end };
        Ok(self.log_of(tenant).last_within(within).await?.unwrap_or(behind))
    }

    /// Writes down what the next file of an organisation holds.
    pub async fn plan_export(&mut self, tenant: TenantId, plan: &ExportPlan) -> Result<()> {
        changed!(
            self,
            query("update audit_exports set planned_seq = $2, planned_begin = $3 where tenant_id = $1")
                .bind(tenant)
                .bind(plan.last)
                .bind(plan.begin)
        );
        Ok(())
    }

    /// Notes that a file was written, and lets go of the organisation.
    pub async fn export_done(&mut self, tenant: TenantId, plan: &ExportPlan) -> Result<()> {
        changed!(
            self,
            query(
                "update audit_exports
                 set seq = $3, planned_seq = null, planned_begin = null, leased_until = 0,
                    failure = '', failed_at = null
                 where tenant_id = $1 and seq = $2"
            )
            .bind(tenant)
            .bind(plan.behind)
            .bind(plan.last)
        );
        Ok(())
    }

    /// Notes that a file was not written, and lets nobody try again before `again_at`.
    pub async fn export_failed(&mut self, tenant: TenantId, why: &str, now: Ms, again_at: Ms) -> Result<()> {
        changed!(
            self,
            query(
                "update audit_exports set failure = $2, failed_at = $3, leased_until = $4
                 where tenant_id = $1"
            )
            .bind(tenant)
            .bind(why)
            .bind(now)
            .bind(again_at)
        );
        Ok(())
    }

    /// Returns the exports that failed the last time they were tried.
    pub async fn list_export_failures(&mut self, limit: i64) -> Result<Vec<ExportFailure>> {
        Ok(on!(self, |c| {
            query_as(
                "select tenant_id, failure, failed_at from audit_exports where failed_at is not null
                 order by failed_at limit $1",
            )
            .bind(limit)
            .fetch_all(c)
            .await
        })?)
    }
}

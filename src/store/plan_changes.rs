//! Changes of plans that were posted, and setting the plan of an organisation or of the person it belongs to.

use sqlx::{FromRow, query, query_as, query_scalar};

use crate::{
    clock::Ms,
    model::{Handle, PlanChange, PlanChangeState, PlanName, TenantId},
    store::{Result, SystemTx, changed, clean, on, read_word},
};

#[derive(FromRow)]
struct PlanChangeRow {
    id: String,
    tenant_id: TenantId,
    handle: Handle,
    digest: Vec<u8>,
    plan: PlanName,
    effective_at: Ms,
    answered: String,
}

impl PlanChangeRow {
    fn read(self) -> Result<(PlanChange, Vec<u8>)> {
        let change = PlanChange {
            id: self.id,
            tenant: self.tenant_id,
            handle: self.handle,
            plan: self.plan,
            effective_at: self.effective_at,
            answered: read_word("plan_changes.answered", &self.answered, PlanChangeState::from_word)?,
        };
        Ok((change, self.digest))
    }
}

impl SystemTx {
    /// Finds a change by the id it was posted with, with the SHA-256 of its body.
    pub async fn find_plan_change(&mut self, id: &str) -> Result<Option<(PlanChange, Vec<u8>)>> {
        let row: Option<PlanChangeRow> = on!(self, |c| {
            query_as(
                "select p.*, o.handle from plan_changes p join organisations o on o.id = p.tenant_id
                 where p.id = $1",
            )
            .bind(clean(id))
            .fetch_optional(c)
            .await
        })?;
        row.map(PlanChangeRow::read).transpose()
    }

    /// Adds a change with the SHA-256 of its body. One that does not wait is done.
    pub async fn add_plan_change(&mut self, change: &PlanChange, digest: &[u8], now: Ms) -> Result<()> {
        let done_at = (change.answered != PlanChangeState::Waiting).then_some(now);
        on!(self, |c| {
            query(
                "insert into plan_changes (id, tenant_id, digest, plan, effective_at, received_at, answered, done_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(clean(&change.id))
            .bind(change.tenant)
            .bind(digest)
            .bind(&change.plan)
            .bind(change.effective_at)
            .bind(now)
            .bind(change.answered.word())
            .bind(done_at)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Returns how many changes are remembered.
    pub async fn count_plan_changes(&mut self) -> Result<i64> {
        Ok(on!(self, |c| query_scalar("select count(*) from plan_changes").fetch_one(c).await)?)
    }

    /// Says whether a change of this organisation's plan holds that is newer than this time.
    pub async fn newer_plan_change_holds(&mut self, tenant: TenantId, than: Ms) -> Result<bool> {
        Ok(on!(self, |c| {
            query_scalar(
                "select exists (select 1 from plan_changes
                    where tenant_id = $1 and effective_at > $2 and done_at is not null)",
            )
            .bind(tenant)
            .bind(than)
            .fetch_one(c)
            .await
        })?)
    }

    /// Returns the changes that wait and whose time has come, the earliest first.
    pub async fn list_due_plan_changes(&mut self, now: Ms, limit: i64) -> Result<Vec<PlanChange>> {
        let rows: Vec<PlanChangeRow> = on!(self, |c| {
            query_as(
                "select p.*, o.handle from plan_changes p join organisations o on o.id = p.tenant_id
                 where p.done_at is null and p.effective_at <= $1 order by p.effective_at, p.received_at limit $2",
            )
            .bind(now)
            .bind(limit)
            .fetch_all(c)
            .await
        })?;
        rows.into_iter().map(|row| row.read().map(|(change, _)| change)).collect()
    }

    /// Notes that a change that waited is done; `false` if it was done already.
    pub async fn end_plan_change(&mut self, id: &str, now: Ms) -> Result<bool> {
        let ended = changed!(
            self,
            query("update plan_changes set done_at = $2 where id = $1 and done_at is null")
                .bind(clean(id))
                .bind(now)
        );
        Ok(ended > 0)
    }

    /// Gives a team this plan, or the person whose own organisation it is; `false` if there is none of that id.
    pub async fn set_plan(&mut self, tenant: TenantId, plan: &PlanName) -> Result<bool> {
        let team = changed!(
            self,
            query(
                "update organisations set plan = $2 where id = $1 and personal_of is null and removed_at is null",
            )
            .bind(tenant)
            .bind(plan)
        );
        let person = changed!(
            self,
            query(
                "update users set plan = $2 where id = (select personal_of from organisations where id = $1)"
            )
            .bind(tenant)
            .bind(plan)
        );
        Ok(team + person > 0)
    }

    /// Forgets the changes that were done before this time.
    pub async fn forget_plan_changes(&mut self, before: Ms) -> Result<u64> {
        Ok(changed!(self, query("delete from plan_changes where done_at < $1").bind(before)))
    }
}

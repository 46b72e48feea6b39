//! How far the run events of each organisation were sent as OpenTelemetry logs.

use sqlx::{FromRow, query, query_as};
use uuid::Uuid;

use crate::{
    model::TenantId,
    store::{Result, SystemTx, changed, on},
};

/// An organisation with events that were not sent yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub struct UnsentLogs {
    /// Whose they are.
    pub tenant_id: TenantId,
    /// The number of the last event sent; `None` if nothing ever was.
    pub sent: Option<i64>,
    /// The number of the last event that retention took.
    pub pruned: i64,
    /// The number of the last event.
    pub last: i64,
}

impl UnsentLogs {
    /// Returns the number of the event behind which there is something to send. The first time that is the oldest event kept.
    pub fn behind(&self) -> i64 {
        self.sent.unwrap_or(self.pruned).max(self.pruned)
    }

    /// Returns how many events retention took before they were sent.
    pub fn lost(&self) -> u64 {
        u64::try_from(self.behind() - self.sent.unwrap_or(self.pruned)).unwrap_or(0)
    }
}

impl SystemTx {
    /// Returns organisations with events that were not sent yet, in the order of their ids and behind this one.
    pub async fn list_unsent_logs(&mut self, after: Option<TenantId>, limit: i64) -> Result<Vec<UnsentLogs>> {
        Ok(on!(self, |c| {
            query_as(
                "select h.tenant_id, o.seq as sent, h.pruned_seq as pruned, h.seq as last
                 from audit_heads h left join otlp_cursors o on o.tenant_id = h.tenant_id
                 where h.tenant_id > $1 and h.seq > coalesce(o.seq, h.pruned_seq)
                 order by h.tenant_id limit $2",
            )
            .bind(after.map_or(Uuid::nil(), |after| after.0))
            .bind(limit)
            .fetch_all(c)
            .await
        })?)
    }

    /// Notes that an organisation's events were sent up to the one of this number.
    pub async fn logs_sent(&mut self, tenant: TenantId, last: i64) -> Result<()> {
        changed!(
            self,
            query(
                "insert into otlp_cursors (tenant_id, seq) values ($1, $2)
                 on conflict (tenant_id) do update set seq = $2 where otlp_cursors.seq < $2"
            )
            .bind(tenant)
            .bind(last)
        );
        Ok(())
    }
}

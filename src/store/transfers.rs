//! Offers to hand presets over, one a preset.

use sqlx::{FromRow, query, query_as};

use crate::{
    clock::Ms,
    model::{Handle, PresetId, TenantId, Transfer, UserId},
    store::{LIST_MAX, Result, SystemTx, Tx, changed, on},
};

#[derive(FromRow)]
struct TransferRow {
    tenant_id: TenantId,
    preset_id: PresetId,
    to_user: UserId,
    to_handle: Handle,
    offered_by: UserId,
    offered_by_handle: Handle,
    created_at: Ms,
    expires_at: Ms,
}

impl From<TransferRow> for Transfer {
    fn from(row: TransferRow) -> Self {
        Self {
            tenant: row.tenant_id,
            preset: row.preset_id,
            to: row.to_user,
            to_handle: row.to_handle,
            by: row.offered_by,
            by_handle: row.offered_by_handle,
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}

impl Tx {
    /// Returns the offer to hand a preset over; `None` also if it has ended.
    pub async fn find_transfer(&mut self, preset: PresetId, now: Ms) -> Result<Option<Transfer>> {
        let tenant = self.tenant;
        let row: Option<TransferRow> = on!(self, |c| {
            query_as(
                "select * from preset_transfers
                 where tenant_id = $1 and preset_id = $2 and expires_at > $3",
            )
            .bind(tenant)
            .bind(preset)
            .bind(now)
            .fetch_optional(c)
            .await
        })?;
        Ok(row.map(Transfer::from))
    }

    /// Keeps an offer to hand a preset of this organisation over, whatever `transfer.tenant` says, in place of the one
    /// there was. A preset that is not there is `Dangling`.
    pub async fn put_transfer(&mut self, transfer: &Transfer) -> Result<()> {
        let tenant = self.tenant;
        on!(self, |c| {
            query(
                "insert into preset_transfers (tenant_id, preset_id, to_user, to_handle, offered_by,
                    offered_by_handle, created_at, expires_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8)
                 on conflict (tenant_id, preset_id) do update set
                    to_user = excluded.to_user, to_handle = excluded.to_handle,
                    offered_by = excluded.offered_by, offered_by_handle = excluded.offered_by_handle,
                    created_at = excluded.created_at, expires_at = excluded.expires_at",
            )
            .bind(tenant)
            .bind(transfer.preset)
            .bind(transfer.to)
            .bind(&transfer.to_handle)
            .bind(transfer.by)
            .bind(&transfer.by_handle)
            .bind(transfer.created_at)
            .bind(transfer.expires_at)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Removes the offer to hand a preset over, if it is one to this person when `to` says so; `false` if there is none.
    pub async fn remove_transfer(&mut self, preset: PresetId, to: Option<UserId>) -> Result<bool> {
        let tenant = self.tenant;
        let removed = changed!(
            self,
            query(
                "delete from preset_transfers
                 where tenant_id = $1 and preset_id = $2 and ($3 is null or to_user = $3)"
            )
            .bind(tenant)
            .bind(preset)
            .bind(to)
        );
        Ok(removed > 0)
    }
}

impl SystemTx {
    /// Returns the offers to this person that have not ended, the newest first.
    pub async fn list_transfers_to(&mut self, user: UserId, now: Ms) -> Result<Vec<Transfer>> {
        let rows: Vec<TransferRow> = on!(self, |c| {
            query_as(
                "select * from preset_transfers where to_user = $1 and expires_at > $2
                 order by created_at desc, preset_id limit $3",
            )
            .bind(user)
            .bind(now)
            .bind(LIST_MAX)
            .fetch_all(c)
            .await
        })?;
        Ok(rows.into_iter().map(Transfer::from).collect())
    }

    /// Returns the offer of this preset to this person; `None` also if it has ended.
    pub async fn find_transfer_to(
        &mut self,
        user: UserId,
        preset: PresetId,
        now: Ms,
    ) -> Result<Option<Transfer>> {
        let row: Option<TransferRow> = on!(self, |c| {
            query_as(
                "select * from preset_transfers where to_user = $1 and preset_id = $2 and expires_at > $3",
            )
            .bind(user)
            .bind(preset)
            .bind(now)
            .fetch_optional(c)
            .await
        })?;
        Ok(row.map(Transfer::from))
    }

    /// Removes the offers that have ended. Returns how many.
    pub async fn remove_ended_transfers(&mut self, now: Ms) -> Result<u64> {
        Ok(changed!(self, query("delete from preset_transfers where expires_at <= $1").bind(now)))
    }
}

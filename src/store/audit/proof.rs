//! What proves the audit log: chains as they are exported, and the keys and checkpoints that vouch for them.

use sqlx::{FromRow, QueryBuilder, query, query_as};
use uuid::Uuid;

use super::blocks::Numbers;
use crate::{
    chain::{Checkpoint, Hash, Hex, Link},
    clock::Ms,
    model::TenantId,
    store::{Inner, Result, StoreError, SystemTx, Tx, changed, on, read_hash, vault::kid_of},
};

/// A key that checkpoints are signed with.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct AuditKeyRow {
    /// Names its row.
    pub id: Uuid,
    /// What others know it by.
    pub public_key: Vec<u8>,
    /// What its private half is made of, sealed.
    pub sealed: String,
    /// When it was made.
    pub created_at: Ms,
}

/// Where a chain ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainEnd {
    /// Whose it is.
    pub tenant: TenantId,
    /// The number of the last event.
    pub seq: i64,
    /// Its hash.
    pub hash: Hash,
}

#[derive(FromRow)]
struct EndRow {
    tenant_id: TenantId,
    seq: i64,
    hash: Vec<u8>,
}

impl EndRow {
    fn end(self) -> Result<ChainEnd> {
        let hash = read_hash("audit_heads.hash", &self.hash)?;
        Ok(ChainEnd { tenant: self.tenant_id, seq: self.seq, hash })
    }
}

#[derive(FromRow)]
struct CheckpointRow {
    tenant_id: TenantId,
    seq: i64,
    hash: Vec<u8>,
    at: Ms,
    key: String,
    signature: Vec<u8>,
}

impl CheckpointRow {
    fn checkpoint(self) -> Result<Checkpoint> {
        let signature = self.signature.as_slice().try_into().map_err(|_| StoreError::Corrupt {
            what: "audit_checkpoints.signature",
            detail: format!("{} bytes are no signature", self.signature.len()),
        })?;
        Ok(Checkpoint {
            organisation: self.tenant_id,
            seq: self.seq,
            hash: Hex(read_hash("audit_checkpoints.hash", &self.hash)?),
            at_ms: self.at,
            key: self.key,
            signature: Hex(signature),
        })
    }
}

impl SystemTx {
    /// Returns the keys that checkpoints are signed with, the newest first.
    pub async fn list_audit_keys(&mut self) -> Result<Vec<AuditKeyRow>> {
        Ok(on!(self, |c| {
            query_as(
                "select id, public_key, sealed, created_at from audit_keys order by created_at desc, id desc",
            )
            .fetch_all(c)
            .await
        })?)
    }

    /// Adds a key.
    pub async fn add_audit_key(&mut self, key: &AuditKeyRow) -> Result<()> {
        let kid = kid_of(&key.sealed)?;
        changed!(
            self,
            query(
                "insert into audit_keys (id, public_key, sealed, sealed_kid, created_at)
                 values ($1, $2, $3, $4, $5)"
            )
            .bind(key.id)
            .bind(&key.public_key)
            .bind(&key.sealed)
            .bind(&kid)
            .bind(key.created_at)
        );
        Ok(())
    }

    /// Returns where the chains of organisations end, in the order of their ids and behind this one.
    pub async fn list_chain_ends(&mut self, after: Option<TenantId>, limit: i64) -> Result<Vec<ChainEnd>> {
        let rows: Vec<EndRow> = on!(self, |c| {
            query_as(
                "select tenant_id, seq, hash from audit_heads where tenant_id > $1
                 order by tenant_id limit $2",
            )
            .bind(after.map_or(Uuid::nil(), |after| after.0))
            .bind(limit)
            .fetch_all(c)
            .await
        })?;
        rows.into_iter().map(EndRow::end).collect()
    }

    /// Returns where the chains end that have grown since their newest checkpoint, if that is from before this time.
    pub async fn list_unsigned_ends(&mut self, before: Ms, limit: i64) -> Result<Vec<ChainEnd>> {
        let rows: Vec<EndRow> = on!(self, |c| {
            query_as(
                "select h.tenant_id, h.seq, h.hash from audit_heads h
                 where not exists (select 1 from audit_checkpoints c
                     where c.tenant_id = h.tenant_id and (c.seq >= h.seq or c.at >= $1))
                 order by h.tenant_id limit $2",
            )
            .bind(before)
            .bind(limit)
            .fetch_all(c)
            .await
        })?;
        rows.into_iter().map(EndRow::end).collect()
    }

    /// Returns where an organisation's chain ends; `None` if nothing has happened there.
    pub async fn find_chain_end(&mut self, tenant: TenantId) -> Result<Option<ChainEnd>> {
        let row: Option<EndRow> = on!(self, |c| {
            query_as("select tenant_id, seq, hash from audit_heads where tenant_id = $1")
                .bind(tenant)
                .fetch_optional(c)
                .await
        })?;
        row.map(EndRow::end).transpose()
    }

    /// Returns the numbers of the last events of these organisations, those apart in which nothing has happened.
    pub async fn list_last_numbers(&mut self, tenants: &[TenantId]) -> Result<Vec<(TenantId, i64)>> {
        if tenants.is_empty() {
            return Ok(Vec::new());
        }
        Ok(on!(self, |c: Driver| {
            let mut statement =
                QueryBuilder::<Driver>::new("select tenant_id, seq from audit_heads where tenant_id in (");
            let mut ids = statement.separated(", ");
            tenants.iter().for_each(|tenant| {
                ids.push_bind(*tenant);
            });
            statement.push(")");
            statement.build_query_as().fetch_all(c).await
        })?)
    }

    /// Keeps a checkpoint. `false` if there is one of that event already.
    pub async fn add_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<bool> {
        let added = changed!(
            self,
            query(
                "insert into audit_checkpoints (tenant_id, seq, hash, at, key, signature)
                 values ($1, $2, $3, $4, $5, $6) on conflict (tenant_id, seq) do nothing"
            )
            .bind(checkpoint.organisation)
            .bind(checkpoint.seq)
            .bind(checkpoint.hash.0.as_slice())
            .bind(checkpoint.at_ms)
            .bind(&checkpoint.key)
            .bind(checkpoint.signature.0.as_slice())
        );
        Ok(added > 0)
    }

    /// Returns an organisation's newest checkpoint.
    pub async fn find_last_checkpoint(&mut self, tenant: TenantId) -> Result<Option<Checkpoint>> {
        let row: Option<CheckpointRow> = on!(self, |c| {
            query_as("select * from audit_checkpoints where tenant_id = $1 order by seq desc limit 1")
                .bind(tenant)
                .fetch_optional(c)
                .await
        })?;
        row.map(CheckpointRow::checkpoint).transpose()
    }

    /// Returns the hash of the event of this number; `None` if there is none any more.
    pub async fn find_link_hash(&mut self, tenant: TenantId, seq: i64) -> Result<Option<Hash>> {
        Ok(self.log_of(tenant).link(seq).await?.map(|link| link.hash))
    }

    /// Returns an organisation's checkpoints of events behind this one, in their order.
    pub async fn list_checkpoints_of(
        &mut self,
        tenant: TenantId,
        behind: i64,
        limit: i64,
    ) -> Result<Vec<Checkpoint>> {
        self.inner.list_checkpoints(tenant, behind, limit).await
    }
}

impl Tx {
    /// Returns checkpoints of events behind this one, in their order.
    pub async fn list_checkpoints(&mut self, behind: i64, limit: i64) -> Result<Vec<Checkpoint>> {
        self.inner.list_checkpoints(self.tenant, behind, limit).await
    }

    /// Returns events in their place in the chain, behind this one and up to that one, in their order.
    pub async fn list_links(&mut self, behind: i64, last: i64, limit: i64) -> Result<Vec<Link>> {
        self.log().links(behind, last, limit).await
    }

    /// Returns the lowest and the highest number of the events from this time on and before that one; `None` if there are
    /// none.
    pub async fn find_links(&mut self, from: Option<Ms>, to: Option<Ms>) -> Result<Option<(i64, i64)>> {
        let (from, to) = (from.unwrap_or(Ms(i64::MIN)), to.unwrap_or(Ms(i64::MAX)));
        let within = Numbers { behind: i64::MIN, upto: i64::MAX, from, to };
        let mut log = self.log();
        Ok(log.first_within(within).await?.zip(log.last_within(within).await?))
    }
}

impl Inner {
    async fn list_checkpoints(
        &mut self,
        tenant: TenantId,
        behind: i64,
        limit: i64,
    ) -> Result<Vec<Checkpoint>> {
        let statement = "select * from audit_checkpoints where tenant_id = $1 and seq > $2
                         order by seq limit $3";
        let rows: Vec<CheckpointRow> = match self {
            Self::Sqlite(transaction) => {
                let found = query_as(statement).bind(tenant).bind(behind).bind(limit);
                found.fetch_all(&mut **transaction).await?
            }
            Self::Postgres(transaction) => {
                let found = query_as(statement).bind(tenant).bind(behind).bind(limit);
                found.fetch_all(&mut **transaction).await?
            }
        };
        rows.into_iter().map(CheckpointRow::checkpoint).collect()
    }
}

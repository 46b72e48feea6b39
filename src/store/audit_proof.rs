//! What proves the audit log: chains as they are exported, the keys and checkpoints that vouch for them, and erasing
//! what names people.

use sqlx::{FromRow, QueryBuilder, query, query_as, query_scalar};
use uuid::Uuid;

use crate::{
    chain::{Checkpoint, Form, Hash, Hex, Link, Part},
    clock::Ms,
    model::{TenantId, User},
    store::{
        Inner, Result, StoreError, SystemTx, Tx,
        audit::{EventRow, like_pattern},
        changed, on, read_hash,
        vault::kid_of,
    },
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
        let hash: Option<Vec<u8>> = on!(self, |c| {
            query_scalar("select hash from audit_events where tenant_id = $1 and seq = $2")
                .bind(tenant)
                .bind(seq)
                .fetch_optional(c)
                .await
        })?;
        hash.map(|hash| read_hash("audit_events.hash", &hash)).transpose()
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

    /// Returns events of any organisation, behind this one in the order of organisations and numbers, that say who this
    /// account is: its own, and what others did of which the words hold its handle or its address.
    pub async fn list_links_naming(
        &mut self,
        user: &User,
        behind: (TenantId, i64),
        limit: i64,
    ) -> Result<Vec<Link>> {
        let (tenant, seq) = behind;
        let [handle, email] =
            [user.handle.as_str(), user.email.as_str()].map(|text| like_pattern(&text.to_lowercase()));
        let rows: Vec<EventRow> = on!(self, |c| {
            query_as(
                "select * from audit_events
                 where (tenant_id, seq) > ($1, $2)
                   and (user_id = $3 or principal = $4
                        or lower(subject) like $5 escape '!' or lower(reason) like $5 escape '!'
                        or lower(subject) like $6 escape '!' or lower(reason) like $6 escape '!')
                 order by tenant_id, seq limit $7",
            )
            .bind(tenant)
            .bind(seq)
            .bind(user.id)
            .bind(user.handle.as_str())
            .bind(&handle)
            .bind(&email)
            .bind(limit)
            .fetch_all(c)
            .await
        })?;
        rows.into_iter().map(EventRow::link).collect()
    }

    /// Takes away what was erased from an event, which is given as it is then.
    pub async fn erase_parts(&mut self, erased: &Link, who: bool, what: bool) -> Result<()> {
        let tenant = erased.event.tenant;
        // What others of its kind have in common with it is found by them alone from here on.
        self.lock_chain(tenant).await?;
        let before: Option<Option<Vec<u8>>> = on!(self, |c| {
            query_scalar("select kind from audit_events where tenant_id = $1 and seq = $2")
                .bind(tenant)
                .bind(erased.seq)
                .fetch_optional(c)
                .await
        })?;
        let (left_of_who, left_of_what) = match &erased.form {
            Form::Whole | Form::Blank => (None, None),
            Form::Parted { who, what } => (left_of(who), left_of(what)),
        };
        let statement = match self.inner {
            Inner::Postgres(_) => "select audit_erase($1, $2, $3, $4, $5, $6)",
            Inner::Sqlite(_) => {
                "update audit_events set
                    form = case when form = 1 then 0 else form end,
                    user_id = case when $3 then null else user_id end,
                    principal = case when $3 then '' else principal end,
                    key_id = case when $3 then null else key_id end,
                    address = case when $3 then '' else address end,
                    client = case when $3 then '' else client end,
                    argument_digest = case when $3 then '' else argument_digest end,
                    request_id = case when $3 then '' else request_id end,
                    trace = case when $3 then null else trace end,
                    who_hash = case when $3 and who_salt is not null then $4 else who_hash end,
                    who_salt = case when $3 then null else who_salt end,
                    subject = case when $5 then '' else subject end,
                    reason = case when $5 then '' else reason end,
                    what_hash = case when $5 and what_salt is not null then $6 else what_hash end,
                    what_salt = case when $5 then null else what_salt end
                 where tenant_id = $1 and seq = $2"
            }
        };
        changed!(
            self,
            query(statement)
                .bind(tenant)
                .bind(erased.seq)
                .bind(who)
                .bind(left_of_who)
                .bind(what)
                .bind(left_of_what)
        );
        self.set_kind(erased.seq, &erased.event).await?;
        self.remove_empty_kinds(tenant, before.flatten().as_slice()).await
    }
}

impl Tx {
    /// Returns checkpoints of events behind this one, in their order.
    pub async fn list_checkpoints(&mut self, behind: i64, limit: i64) -> Result<Vec<Checkpoint>> {
        self.inner.list_checkpoints(self.tenant, behind, limit).await
    }

    /// Returns events in their place in the chain, behind this one and up to that one, in their order.
    pub async fn list_links(&mut self, behind: i64, last: i64, limit: i64) -> Result<Vec<Link>> {
        let tenant = self.tenant;
        let rows: Vec<EventRow> = on!(self, |c| {
            query_as(
                "select * from audit_events where tenant_id = $1 and seq > $2 and seq <= $3
                 order by seq limit $4",
            )
            .bind(tenant)
            .bind(behind)
            .bind(last)
            .bind(limit)
            .fetch_all(c)
            .await
        })?;
        rows.into_iter().map(EventRow::link).collect()
    }

    /// Returns the numbers of the first event of this time or later and of the last from before that one; `None` if there
    /// are none.
    pub async fn find_links(&mut self, from: Option<Ms>, to: Option<Ms>) -> Result<Option<(i64, i64)>> {
        let tenant = self.tenant;
        let (from, to) = (from.unwrap_or(Ms(i64::MIN)), to.unwrap_or(Ms(i64::MAX)));
        let found: (Option<i64>, Option<i64>) = on!(self, |c| {
            query_as(
                "select
                    (select seq from audit_events where tenant_id = $1 and at >= $2 and at < $3
                     order by at, seq limit 1),
                    (select seq from audit_events where tenant_id = $1 and at >= $2 and at < $3
                     order by at desc, seq desc limit 1)",
            )
            .bind(tenant)
            .bind(from)
            .bind(to)
            .fetch_one(c)
            .await
        })?;
        Ok(found.0.zip(found.1))
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

fn left_of(part: &Part) -> Option<&[u8]> {
    match part {
        Part::Kept(_) => None,
        Part::Erased(hash) => Some(hash.as_slice()),
    }
}

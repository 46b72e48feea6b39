//! Run events as they are recorded: chained by hash inside each organisation, each names the hash of
//! the one before. Somebody who rewrites one event would have to rewrite all that follow.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    sync::LazyLock,
};

use sha2::{Digest, Sha256};
use sqlx::{FromRow, query, query_as, query_scalar};

use crate::{
    clock::Ms,
    model::{EventId, RunEvent, TenantId},
    store::{Inserts, Result, SystemTx, audit::EventRow, clean, on, pieces, read_hash},
};

/// How many events are looked at together.
const BATCH: usize = 1024;

/// What the first event of a chain names as the hash before it.
const FIRST_PREV: [u8; 32] = [0; 32];

/// Written once: putting thousands of parameters into words costs more than their values do.
static INSERT: LazyLock<Inserts> = LazyLock::new(|| {
    Inserts::new(
        "insert into audit_events (tenant_id, seq, id, at, action, outcome, reason, user_id, principal,
            key_id, address, client, revision, preset_id, preset_slug, source_id, source_name, subject,
            duration_us, request_bytes, response_bytes, argument_digest, request_id, prev, hash)",
        25,
    )
});

/// What looking over a chain found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainReport {
    /// How many events were looked at.
    pub events: i64,
    /// The number of the first event that does not fit; `None` = the chain is whole.
    pub broken_at: Option<i64>,
}

#[derive(FromRow)]
struct HeadRow {
    seq: i64,
    hash: Vec<u8>,
    pruned_seq: i64,
    pruned_hash: Vec<u8>,
}

impl SystemTx {
    /// Adds events of any organisations to their chains, in the order given. Those recorded before
    /// (the same id) are passed over, so that a batch may be tried again.
    pub async fn append_events(&mut self, events: &[RunEvent]) -> Result<()> {
        // Organisations in one order, so that two replicas never wait for each other in a circle.
        let mut chains: BTreeMap<TenantId, Vec<&RunEvent>> = BTreeMap::new();
        for event in events {
            chains.entry(event.tenant).or_default().push(event);
        }
        for (tenant, events) in chains {
            for batch in events.chunks(BATCH) {
                self.extend_chain(tenant, batch).await?;
            }
        }
        Ok(())
    }

    async fn extend_chain(&mut self, tenant: TenantId, events: &[&RunEvent]) -> Result<()> {
        // The update that changes nothing locks the head on PostgreSQL until we commit.
        let head: HeadRow = on!(self, |c| {
            query_as(
                "insert into audit_heads (tenant_id, seq, hash, pruned_seq, pruned_hash)
                 values ($1, 0, $2, 0, $2)
                 on conflict (tenant_id) do update set seq = audit_heads.seq
                 returning seq, hash, pruned_seq, pruned_hash",
            )
            .bind(tenant)
            .bind(FIRST_PREV.as_slice())
            .fetch_one(c)
            .await
        })?;
        let mut recorded = self.recorded(tenant, events).await?;

        let mut seq = head.seq;
        let mut prev = read_hash("audit_heads.hash", &head.hash)?;
        let mut links = Vec::with_capacity(events.len());
        for event in events {
            if !recorded.insert(event.id) {
                continue;
            }
            let event = storable(event);
            seq += 1;
            let hash = link_hash(&prev, seq, &event);
            links.push((seq, prev, hash, event));
            prev = hash;
        }
        if links.is_empty() {
            return Ok(());
        }

        for piece in pieces(&links) {
            on!(self, |c: Driver| {
                let mut statement = query::<Driver>(INSERT.of::<Driver>(piece.len()));
                for (seq, prev, hash, event) in piece {
                    statement = statement
                        .bind(tenant)
                        .bind(*seq)
                        .bind(event.id)
                        .bind(event.at)
                        .bind(event.action.word())
                        .bind(event.outcome.word())
                        .bind(&event.reason)
                        .bind(event.user)
                        .bind(&event.principal)
                        .bind(event.key)
                        .bind(&event.address)
                        .bind(&event.client)
                        .bind(&event.revision)
                        .bind(event.preset)
                        .bind(&event.preset_slug)
                        .bind(event.source)
                        .bind(&event.source_name)
                        .bind(&event.subject)
                        .bind(event.duration_us)
                        .bind(event.request_bytes)
                        .bind(event.response_bytes)
                        .bind(&event.argument_digest)
                        .bind(&event.request_id)
                        .bind(prev.as_slice())
                        .bind(hash.as_slice());
                }
                statement.execute(c).await.map(drop)
            })?;
        }
        on!(self, |c| {
            query("update audit_heads set seq = $2, hash = $3 where tenant_id = $1")
                .bind(tenant)
                .bind(seq)
                .bind(prev.as_slice())
                .execute(c)
                .await
                .map(drop)
        })?;
        Ok(())
    }

    /// Returns which of these events are in the chain. Ids sort by time, so a batch is a narrow
    /// range of them.
    async fn recorded(&mut self, tenant: TenantId, events: &[&RunEvent]) -> Result<HashSet<EventId>> {
        let ids = || events.iter().map(|event| event.id);
        let (Some(first), Some(last)) = (ids().min(), ids().max()) else {
            return Ok(HashSet::new());
        };
        let found: Vec<EventId> = on!(self, |c| {
            query_scalar("select id from audit_events where tenant_id = $1 and id >= $2 and id <= $3")
                .bind(tenant)
                .bind(first)
                .bind(last)
                .fetch_all(c)
                .await
        })?;
        Ok(found.into_iter().collect())
    }

    /// Looks over an organisation's whole chain.
    pub async fn verify_chain(&mut self, tenant: TenantId) -> Result<ChainReport> {
        let Some(head) = self.chain_head(tenant).await? else {
            return Ok(ChainReport { events: 0, broken_at: None });
        };
        let mut events = 0;
        let mut seq = head.pruned_seq;
        let mut prev = head.pruned_hash;
        loop {
            let rows: Vec<EventRow> = on!(self, |c| {
                query_as("select * from audit_events where tenant_id = $1 and seq > $2 order by seq limit $3")
                    .bind(tenant)
                    .bind(seq)
                    .bind(i64::try_from(BATCH).unwrap_or(i64::MAX))
                    .fetch_all(c)
                    .await
            })?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                seq += 1;
                events += 1;
                let (found_seq, found_prev, found_hash) = (row.seq, row.prev.clone(), row.hash.clone());
                let fits = found_seq == seq
                    && found_prev == prev
                    && row.event().is_ok_and(|event| {
                        read_hash("audit_events.prev", &found_prev)
                            .is_ok_and(|prev| link_hash(&prev, seq, &event).as_slice() == found_hash)
                    });
                if !fits {
                    return Ok(ChainReport { events, broken_at: Some(seq) });
                }
                prev = found_hash;
            }
        }
        let whole = seq == head.seq && prev == head.hash;
        Ok(ChainReport { events, broken_at: (!whole).then_some(seq + 1) })
    }

    async fn chain_head(&mut self, tenant: TenantId) -> Result<Option<HeadRow>> {
        Ok(on!(self, |c| {
            query_as("select seq, hash, pruned_seq, pruned_hash from audit_heads where tenant_id = $1")
                .bind(tenant)
                .fetch_optional(c)
                .await
        })?)
    }

    /// Removes an organisation's events from before `before`, at most `limit`, the oldest first.
    /// Returns how many. The chain remembers where it was cut.
    pub async fn prune_events(&mut self, tenant: TenantId, before: Ms, limit: i64) -> Result<u64> {
        let Some(head) = self.chain_head(tenant).await? else {
            return Ok(0);
        };
        let oldest: Vec<(i64, Ms, Vec<u8>)> = on!(self, |c| {
            query_as(
                "select seq, at, hash from audit_events where tenant_id = $1 and seq > $2 order by seq limit $3",
            )
            .bind(tenant)
            .bind(head.pruned_seq)
            .bind(limit)
            .fetch_all(c)
            .await
        })?;
        // Up to the first that is young enough: the chain is cut at one place.
        let Some((seq, _, hash)) = oldest.into_iter().take_while(|(_, at, _)| *at < before).last() else {
            return Ok(0);
        };
        on!(self, |c| {
            query("update audit_heads set pruned_seq = $2, pruned_hash = $3 where tenant_id = $1")
                .bind(tenant)
                .bind(seq)
                .bind(&hash)
                .execute(c)
                .await
                .map(drop)
        })?;
        Ok(on!(self, |c| {
            query("delete from audit_events where tenant_id = $1 and seq <= $2")
                .bind(tenant)
                .bind(seq)
                .execute(c)
                .await
                .map(|done| done.rows_affected())
        })?)
    }
}

/// The texts of an event that come from outside.
macro_rules! texts {
    ($event:ident $(, $mut:tt)?) => {
        [
            &$($mut)? $event.reason,
            &$($mut)? $event.principal,
            &$($mut)? $event.address,
            &$($mut)? $event.client,
            &$($mut)? $event.revision,
            &$($mut)? $event.preset_slug,
            &$($mut)? $event.source_name,
            &$($mut)? $event.subject,
            &$($mut)? $event.argument_digest,
            &$($mut)? $event.request_id,
        ]
    };
}

/// Returns the event as both databases can keep it, which is what the hash is of.
fn storable(event: &RunEvent) -> Cow<'_, RunEvent> {
    if !texts!(event).into_iter().any(|text| text.contains('\0')) {
        return Cow::Borrowed(event);
    }
    let mut event = event.clone();
    for text in texts!(event, mut) {
        *text = clean(text).into_owned();
    }
    Cow::Owned(event)
}

/// Hashes an event together with the hash before it. Every member is led by its length, so that no
/// two different events give the same bytes. The order is part of what is stored: it never changes.
fn link_hash(prev: &[u8; 32], seq: i64, event: &RunEvent) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(prev);
    let mut member = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    member(&seq.to_be_bytes());
    member(event.tenant.0.as_bytes());
    member(event.id.0.as_bytes());
    member(&event.at.0.to_be_bytes());
    for text in [event.action.word(), event.outcome.word(), &event.reason] {
        member(text.as_bytes());
    }
    member(optional(&event.user.map(|id| id.0)));
    member(event.principal.as_bytes());
    member(optional(&event.key.map(|id| id.0)));
    for text in [&event.address, &event.client, &event.revision] {
        member(text.as_bytes());
    }
    member(optional(&event.preset.map(|id| id.0)));
    member(event.preset_slug.as_bytes());
    member(optional(&event.source.map(|id| id.0)));
    for text in [&event.source_name, &event.subject] {
        member(text.as_bytes());
    }
    for number in [event.duration_us, event.request_bytes, event.response_bytes] {
        member(&number.to_be_bytes());
    }
    for text in [&event.argument_digest, &event.request_id] {
        member(text.as_bytes());
    }
    hasher.finalize().into()
}

fn optional(id: &Option<uuid::Uuid>) -> &[u8] {
    id.as_ref().map_or(&[], |id| id.as_bytes().as_slice())
}

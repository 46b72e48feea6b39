//! Run events as they are recorded: chained by hash inside each organisation, each names the hash of
//! the one before. Somebody who rewrites one event would have to rewrite all that follow.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use sqlx::{FromRow, query, query_as};
use uuid::Uuid;

use super::{add::LinkRef, kinds::kind_of};
use crate::{
    chain::{Checkpoint, FIRST_PREV, Flaw, Form, Link, Tally, Walk, fits},
    clock::Ms,
    model::{EventId, RunEvent, TenantId},
    store::{Result, StoreError, SystemTx, changed, clean, on, read_hash},
};

/// How many events are looked at together.
const BATCH: i64 = 1024;

/// What looking over a chain found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainReport {
    /// What was counted up to the end, or to what does not fit.
    pub tally: Tally,
    /// How many of the checkpoints are of events that are there.
    pub checkpoints: i64,
    /// The first thing that does not fit; `None` = the chain is whole.
    pub flaw: Option<Flaw>,
}

/// Events of one organisation that follow each other in its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainSpan {
    /// Whose they are.
    pub tenant: TenantId,
    /// The number of the first one.
    pub first: i64,
    /// The number of the last one.
    pub last: i64,
}

impl ChainSpan {
    /// Says whether the event of this number is one of them.
    pub fn holds(&self, seq: i64) -> bool {
        (self.first..=self.last).contains(&seq)
    }
}

#[derive(FromRow)]
struct HeadRow {
    seq: i64,
    hash: Vec<u8>,
    pruned_seq: i64,
    pruned_hash: Vec<u8>,
}

impl SystemTx {
    /// Adds events of any organisations to their chains, in the order given. Returns where they are.
    pub async fn append_events(&mut self, events: &[RunEvent]) -> Result<Vec<ChainSpan>> {
        self.extend_chains(events, false).await
    }

    /// Adds those of these events that are not recorded yet, since it is not known whether they were when that was tried
    /// before. Returns where all of them are.
    pub async fn append_events_again(&mut self, events: &[RunEvent]) -> Result<Vec<ChainSpan>> {
        self.extend_chains(events, true).await
    }

    async fn extend_chains(&mut self, events: &[RunEvent], again: bool) -> Result<Vec<ChainSpan>> {
        // Organisations in one order, so that two replicas never wait for each other in a circle.
        let mut chains: BTreeMap<TenantId, Vec<&RunEvent>> = BTreeMap::new();
        for event in events {
            chains.entry(event.tenant).or_default().push(event);
        }
        let mut spans = Vec::with_capacity(chains.len());
        for (tenant, mut events) in chains {
            let head = self.lock_head(tenant).await?;
            if again {
                let recorded = self.recorded(tenant, &events).await?;
                events.retain(|event| !recorded.contains_key(&event.id));
                spans.extend(recorded.into_values().map(|seq| ChainSpan { tenant, first: seq, last: seq }));
            }
            spans.extend(self.extend_chain(tenant, head, &events).await?);
        }
        Ok(spans)
    }

    /// Returns where a chain ends, and keeps others from adding to it until we commit.
    async fn lock_head(&mut self, tenant: TenantId) -> Result<HeadRow> {
        // The update that changes nothing locks the head on PostgreSQL.
        Ok(on!(self, |c| {
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
        })?)
    }

    /// Waits until nobody adds to an organisation's chain, and keeps others from it until the end.
    pub(super) async fn lock_chain(&mut self, tenant: TenantId) -> Result<()> {
        changed!(self, query("update audit_heads set seq = seq where tenant_id = $1").bind(tenant));
        Ok(())
    }

    async fn extend_chain(
        &mut self,
        tenant: TenantId,
        head: HeadRow,
        events: &[&RunEvent],
    ) -> Result<Option<ChainSpan>> {
        let events: Vec<_> = events.iter().map(|event| storable(event)).collect();
        let mut seq = head.seq;
        let mut prev = read_hash("audit_heads.hash", &head.hash)?;
        let mut links = Vec::with_capacity(events.len());
        for event in &events {
            seq += 1;
            let (form, hash) = Form::of(seq, &prev, event);
            links.push(LinkRef { seq, prev, hash, form, event });
            prev = hash;
        }
        if links.is_empty() {
            return Ok(None);
        }
        self.add_links(tenant, &links).await?;
        changed!(
            self,
            query("update audit_heads set seq = $2, hash = $3 where tenant_id = $1")
                .bind(tenant)
                .bind(seq)
                .bind(prev.as_slice())
        );
        Ok(Some(ChainSpan { tenant, first: head.seq + 1, last: seq }))
    }

    /// Returns which of these events are in the chain, and their numbers. Ids sort by time, so a batch is a narrow
    /// range of them.
    async fn recorded(&mut self, tenant: TenantId, events: &[&RunEvent]) -> Result<HashMap<EventId, i64>> {
        let wanted: BTreeSet<EventId> = events.iter().map(|event| event.id).collect();
        let (first, last) = (wanted.first().copied(), wanted.last().copied());
        let blocks: Vec<(i64, Vec<u8>)> = on!(self, |c| {
            query_as(
                "select first_seq, ids from audit_blocks where tenant_id = $1 and max_id >= $2 and min_id <= $3",
            )
            .bind(tenant)
            .bind(first)
            .bind(last)
            .fetch_all(c)
            .await
        })?;
        let mut recorded = HashMap::new();
        for (first, ids) in blocks {
            let (ids, _) = ids.as_chunks();
            for (seq, id) in (first..).zip(ids) {
                let id = EventId(Uuid::from_bytes(*id));
                if wanted.contains(&id) {
                    recorded.insert(id, seq);
                }
            }
        }
        Ok(recorded)
    }

    /// Looks over an organisation's whole chain, and whether the events of these checkpoints of it are those they say.
    /// Ask it of a [snapshot](crate::store::Store::system_snapshot) while others write.
    pub async fn verify_chain(&mut self, tenant: TenantId, signed: &[Checkpoint]) -> Result<ChainReport> {
        let signed: BTreeMap<i64, &Checkpoint> = signed.iter().map(|one| (one.seq, one)).collect();
        let Some(head) = self.chain_head(tenant).await? else {
            let flaw = signed.keys().max().map(|last| Flaw::Missing { first: 1, last: *last });
            return Ok(ChainReport { flaw, ..ChainReport::default() });
        };
        let mut report = ChainReport::default();
        let pruned = read_hash("audit_heads.pruned_hash", &head.pruned_hash)?;
        let mut walk = Walk::behind(tenant, head.pruned_seq, pruned);
        report.flaw = signed.get(&head.pruned_seq).and_then(|checkpoint| fits(checkpoint, &pruned).err());
        while report.flaw.is_none() {
            let blocks = self.log_of(tenant).blocks(walk.seq(), head.seq, BATCH).await?;
            if blocks.is_empty() {
                break;
            }
            for block in blocks {
                let links = match block.links() {
                    Ok(links) => links,
                    // A block that holds no events any more was altered like one that holds others.
                    Err(StoreError::Corrupt { .. }) => {
                        report.flaw = Some(Flaw::Altered { seq: block.first_seq });
                        break;
                    }
                    Err(error) => return Err(error),
                };
                report.flaw = follow(&mut walk, &links, &signed, &mut report.checkpoints).err();
                if report.flaw.is_some() {
                    break;
                }
            }
        }
        report.tally = walk.tally();
        let last = head.seq.max(signed.keys().max().copied().unwrap_or(0));
        if report.flaw.is_none() && walk.seq() < last {
            report.flaw = Some(Flaw::Missing { first: walk.seq() + 1, last });
        } else if report.flaw.is_none() && head.hash != walk.hash() {
            report.flaw = Some(Flaw::End { seq: walk.seq() });
        }
        Ok(report)
    }

    async fn chain_head(&mut self, tenant: TenantId) -> Result<Option<HeadRow>> {
        Ok(on!(self, |c| {
            query_as("select seq, hash, pruned_seq, pruned_hash from audit_heads where tenant_id = $1")
                .bind(tenant)
                .fetch_optional(c)
                .await
        })?)
    }

    /// Removes an organisation's blocks of which all events are from before `before` and none lies behind the number
    /// `upto`, the oldest first: those of about `limit` events. Returns how many events that were. The chain remembers
    /// where it was cut.
    pub async fn prune_events(&mut self, tenant: TenantId, before: Ms, upto: i64, limit: i64) -> Result<u64> {
        let Some(head) = self.chain_head(tenant).await? else {
            return Ok(0);
        };
        let mut oldest = self.log_of(tenant).blocks(head.pruned_seq, upto, limit).await?;
        // Up to the first that is young enough: the chain is cut at one place.
        let young = oldest.iter().position(|block| block.to_at >= before || block.last_seq > upto);
        oldest.truncate(young.unwrap_or(oldest.len()));
        let Some(last) = oldest.last() else {
            return Ok(0);
        };
        let seq = last.last_seq;
        let hash = last.links()?.pop().map_or(FIRST_PREV, |link| link.hash);
        changed!(
            self,
            query("update audit_heads set pruned_seq = $2, pruned_hash = $3 where tenant_id = $1")
                .bind(tenant)
                .bind(seq)
                .bind(hash.as_slice())
        );
        let mut kinds = BTreeSet::new();
        for block in &oldest {
            kinds.extend(block.reader()?.shared().iter().map(kind_of));
        }
        changed!(
            self,
            query("delete from audit_blocks where tenant_id = $1 and last_seq <= $2").bind(tenant).bind(seq)
        );
        changed!(
            self,
            query("delete from audit_block_kinds where tenant_id = $1 and to_at < $2 and last_seq <= $3")
                .bind(tenant)
                .bind(before)
                .bind(seq)
        );
        self.remove_empty_kinds(tenant, &kinds).await?;
        Ok(u64::try_from(seq - oldest[0].first_seq + 1).unwrap_or(0))
    }
}

/// Goes along these events of a chain, and looks whether those that were signed for are the ones.
fn follow(
    walk: &mut Walk,
    links: &[Link],
    signed: &BTreeMap<i64, &Checkpoint>,
    checkpoints: &mut i64,
) -> std::result::Result<(), Flaw> {
    for link in links {
        walk.step(link)?;
        if let Some(checkpoint) = signed.get(&walk.seq()) {
            fits(checkpoint, walk.hash())?;
            *checkpoints += 1;
        }
    }
    Ok(())
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

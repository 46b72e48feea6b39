//! Events bound into blocks and added to the log.

use std::{collections::BTreeMap, mem::take};

use sqlx::query;

use crate::{
    chain::{BlockWriter, Form, Hash},
    clock::Ms,
    model::{EventId, RunEvent, TenantId},
    store::{Result, SystemTx, audit::kinds::count_kinds, changed},
};

/// How far apart in time the events of a block are at most, in milliseconds: what bounds where events of a time may be.
pub(super) const SPAN_MS: i64 = 60_000;
/// How many events a block holds at most.
const EVENTS_MAX: usize = 1024;
/// About how large a block becomes at most: events with long texts make several.
const BYTES_MAX: usize = 256 * 1024;

/// An event in its place in the chain, which somebody else holds.
pub(super) struct LinkRef<'a> {
    pub(super) seq: i64,
    pub(super) prev: Hash,
    pub(super) hash: Hash,
    pub(super) form: Form,
    pub(super) event: &'a RunEvent,
}

/// A block that is being bound.
#[derive(Default)]
struct NewBlock<'a> {
    writer: BlockWriter<'a>,
    first: i64,
    last: i64,
    from: Ms,
    to: Ms,
    min: Option<EventId>,
    max: Option<EventId>,
    prev: Hash,
    end: Hash,
    events: usize,
}

impl<'a> NewBlock<'a> {
    /// Says whether an event goes behind what it holds.
    fn takes(&self, link: &LinkRef<'a>) -> bool {
        let at = link.event.at;
        self.events == 0
            || (self.events < EVENTS_MAX
                && self.writer.bytes() < BYTES_MAX
                && link.seq == self.last + 1
                && link.prev == self.end
                && self.to.max(at).0.saturating_sub(self.from.min(at).0) <= SPAN_MS)
    }

    fn push(&mut self, link: &LinkRef<'a>) {
        let LinkRef { seq, prev, hash, form, event } = link;
        if self.events == 0 {
            (self.first, self.prev, self.from, self.to) = (*seq, *prev, event.at, event.at);
        }
        self.writer.push(event, form, hash);
        self.events += 1;
        (self.last, self.end) = (*seq, *hash);
        (self.from, self.to) = (self.from.min(event.at), self.to.max(event.at));
        self.min = Some(self.min.map_or(event.id, |min| min.min(event.id)));
        self.max = self.max.max(Some(event.id));
    }
}

/// Binds events into blocks.
fn bind<'a>(links: &[LinkRef<'a>]) -> Vec<NewBlock<'a>> {
    let mut blocks = Vec::new();
    let mut block = NewBlock::default();
    for link in links {
        if !block.takes(link) {
            blocks.push(take(&mut block));
        }
        block.push(link);
    }
    if block.events > 0 {
        blocks.push(block);
    }
    blocks
}

impl SystemTx {
    /// Adds events of one organisation to its log, in the turn of whoever has locked its chain. Returns the numbers of the
    /// first and the last event of each block.
    pub(super) async fn add_links(
        &mut self,
        tenant: TenantId,
        links: &[LinkRef<'_>],
    ) -> Result<Vec<(i64, i64)>> {
        let blocks = bind(links);
        let mut kinds = BTreeMap::new();
        let mut counts = Vec::new();
        for block in &blocks {
            counts.extend(count_kinds(&block.writer, (block.from, block.to), block.last, &mut kinds));
        }
        self.add_kinds(tenant, &kinds).await?;
        self.add_kind_counts(tenant, &counts).await?;

        let mut ends = Vec::with_capacity(blocks.len());
        for block in blocks {
            ends.push((block.first, block.last));
            let (ids, body) = block.writer.finish();
            changed!(
                self,
                query(
                    "insert into audit_blocks
                        (tenant_id, first_seq, last_seq, from_at, to_at, min_id, max_id, prev, ids, body)
                     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
                )
                .bind(tenant)
                .bind(block.first)
                .bind(block.last)
                .bind(block.from)
                .bind(block.to)
                .bind(block.min)
                .bind(block.max)
                .bind(block.prev.as_slice())
                .bind(ids)
                .bind(body)
            );
        }
        Ok(ends)
    }
}

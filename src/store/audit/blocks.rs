//! Blocks of events, as they are read by their numbers and by the ids of events.

use sqlx::{FromRow, QueryBuilder, query_as};

use crate::{
    chain::{BlockReader, Hash, Link, unpack},
    clock::Ms,
    model::{EventId, TenantId},
    store::{Inner, Result, StoreError, SystemTx, Tx, on, read_hash},
};

/// A block as it is stored.
#[derive(FromRow)]
pub(super) struct Block {
    pub(super) tenant_id: TenantId,
    pub(super) first_seq: i64,
    pub(super) last_seq: i64,
    pub(super) from_at: Ms,
    pub(super) to_at: Ms,
    prev: Vec<u8>,
    ids: Vec<u8>,
    body: Vec<u8>,
}

impl Block {
    /// Begins to read its events.
    pub(super) fn reader(&self) -> Result<BlockReader<'_>> {
        let reader = BlockReader::new(&self.ids, &self.body).map_err(damaged)?;
        let there = i64::try_from(reader.left()).unwrap_or(i64::MAX);
        if there != self.last_seq - self.first_seq + 1 {
            return Err(damaged(format!(
                "{there} events are there for {} to {}",
                self.first_seq, self.last_seq
            )));
        }
        Ok(reader)
    }

    /// Returns its events in their places in the chain.
    pub(super) fn links(&self) -> Result<Vec<Link>> {
        self.reader()?;
        unpack(self.tenant_id, self.first_seq, self.prev()?, &self.ids, &self.body).map_err(damaged)
    }

    /// Returns the hash of the event before its first one.
    pub(super) fn prev(&self) -> Result<Hash> {
        read_hash("audit_blocks.prev", &self.prev)
    }
}

/// Says that a block cannot be read.
pub(super) fn damaged(why: impl ToString) -> StoreError {
    StoreError::Corrupt { what: "audit_blocks.body", detail: why.to_string() }
}

/// The log of one organisation, inside a transaction of its own or of the instance.
pub(super) struct Log<'a> {
    pub(super) inner: &'a mut Inner,
    pub(super) tenant: TenantId,
}

impl Tx {
    pub(super) fn log(&mut self) -> Log<'_> {
        Log { inner: &mut self.inner, tenant: self.tenant }
    }
}

impl SystemTx {
    pub(super) fn log_of(&mut self, tenant: TenantId) -> Log<'_> {
        Log { inner: &mut self.inner, tenant }
    }
}

impl Log<'_> {
    /// Returns the blocks with the events behind this one and up to that one, in their order: enough of the first for so
    /// many events, and at least one.
    pub(super) async fn blocks(&mut self, behind: i64, last: i64, events: i64) -> Result<Vec<Block>> {
        let tenant = self.tenant;
        let ends: Vec<(i64, i64)> = on!(self, |c| {
            query_as(
                "select first_seq, last_seq from audit_blocks
                 where tenant_id = $1 and last_seq > $2 and first_seq <= $3 order by last_seq limit $4",
            )
            .bind(tenant)
            .bind(behind)
            .bind(last)
            .bind(events)
            .fetch_all(c)
            .await
        })?;
        let mut there = 0;
        let mut upto = None;
        for (first_seq, last_seq) in ends {
            upto = Some(last_seq);
            there += last_seq - first_seq.max(behind + 1) + 1;
            if there >= events {
                break;
            }
        }
        let Some(upto) = upto else { return Ok(Vec::new()) };
        Ok(on!(self, |c| {
            query_as(
                "select * from audit_blocks where tenant_id = $1 and last_seq > $2 and last_seq <= $3
                 order by last_seq",
            )
            .bind(tenant)
            .bind(behind)
            .bind(upto)
            .fetch_all(c)
            .await
        })?)
    }

    /// Returns events in their places in the chain, behind this one and up to that one, in their order.
    pub(super) async fn links(&mut self, behind: i64, last: i64, limit: i64) -> Result<Vec<Link>> {
        let mut links = Vec::new();
        for block in self.blocks(behind, last, limit).await? {
            links.extend(block.links()?.into_iter().filter(|link| link.seq > behind && link.seq <= last));
        }
        links.truncate(usize::try_from(limit).unwrap_or(0));
        Ok(links)
    }

    /// Returns the event of this number; `None` if there is none any more.
    pub(super) async fn link(&mut self, seq: i64) -> Result<Option<Link>> {
        Ok(self.links(seq - 1, seq, 1).await?.pop())
    }

    /// Returns the blocks that end with these numbers, the latest first.
    pub(super) async fn blocks_at(&mut self, ends: &[i64]) -> Result<Vec<Block>> {
        let tenant = self.tenant;
        let blocks = on!(self, |c: Driver| {
            let mut statement = QueryBuilder::<Driver>::new("select * from audit_blocks where tenant_id = ");
            statement.push_bind(tenant).push(" and last_seq in (");
            let mut numbers = statement.separated(", ");
            ends.iter().for_each(|end| {
                numbers.push_bind(*end);
            });
            statement.push(") order by to_at desc, last_seq desc");
            statement.build_query_as().fetch_all(c).await
        })?;
        Ok(blocks)
    }

    /// Finds an event by its id.
    pub(super) async fn find(&mut self, id: EventId) -> Result<Option<Link>> {
        // Ids sort by the beginning of what they name, so few blocks lie around one; the database looks into those.
        let statement = match self.inner {
            Inner::Sqlite(_) => {
                "select * from audit_blocks
                 where tenant_id = $1 and max_id >= $2 and min_id <= $2 and instr(ids, $3) > 0
                 order by max_id limit 1"
            }
            Inner::Postgres(_) => {
                "select * from audit_blocks
                 where tenant_id = $1 and max_id >= $2 and min_id <= $2 and position($3 in ids) > 0
                 order by max_id limit 1"
            }
        };
        let tenant = self.tenant;
        let block: Option<Block> = on!(self, |c| {
            query_as(statement).bind(tenant).bind(id).bind(id.0.as_bytes().as_slice()).fetch_optional(c).await
        })?;
        let links = block.map(|block| block.links()).transpose()?.unwrap_or_default();
        Ok(links.into_iter().find(|link| link.event.id == id))
    }

    /// Returns the number of the first of these events that a block holds, or of the last.
    async fn number_within(&mut self, within: Numbers, is_last: bool) -> Result<Option<i64>> {
        let Numbers { mut behind, mut upto, from, to } = within;
        loop {
            let tenant = self.tenant;
            let statement = if is_last {
                "select * from audit_blocks where tenant_id = $1 and last_seq > $2 and first_seq <= $3
                    and to_at >= $4 and from_at < $5 order by last_seq desc limit 1"
            } else {
                "select * from audit_blocks where tenant_id = $1 and last_seq > $2 and first_seq <= $3
                    and to_at >= $4 and from_at < $5 order by last_seq limit 1"
            };
            let block: Option<Block> = on!(self, |c| {
                query_as(statement)
                    .bind(tenant)
                    .bind(behind)
                    .bind(upto)
                    .bind(from)
                    .bind(to)
                    .fetch_optional(c)
                    .await
            })?;
            let Some(block) = block else { return Ok(None) };
            let mut fitting = block.links()?.into_iter().filter(|link| {
                link.seq > behind && link.seq <= upto && link.event.at >= from && link.event.at < to
            });
            let found = if is_last { fitting.next_back() } else { fitting.next() };
            if let Some(link) = found {
                return Ok(Some(link.seq));
            }
            if is_last {
                upto = block.first_seq - 1;
            } else {
                behind = block.last_seq;
            }
        }
    }

    /// Returns the lowest number of these events; `None` if there are none.
    pub(super) async fn first_within(&mut self, within: Numbers) -> Result<Option<i64>> {
        self.number_within(within, false).await
    }

    /// Returns the highest number of these events; `None` if there are none.
    pub(super) async fn last_within(&mut self, within: Numbers) -> Result<Option<i64>> {
        self.number_within(within, true).await
    }
}

/// Events behind one number and up to another, from one time on and before another.
#[derive(Clone, Copy)]
pub(super) struct Numbers {
    pub(super) behind: i64,
    pub(super) upto: i64,
    pub(super) from: Ms,
    pub(super) to: Ms,
}

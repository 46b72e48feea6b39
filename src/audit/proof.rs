//! Files that prove themselves, written while they are read: any number of events in little memory.

use super::AuditError;
use crate::{
    chain::{Begin, End, FIRST_PREV, Line, PublicKey, proof_line},
    clock::Ms,
    model::TenantId,
    store::{LIST_MAX, Store, StoreError},
};

/// How many events are read at once.
const BATCH: i64 = 1000;

/// Which events a file holds: all in a row from the first to the last of those asked for, since a proof has no gaps.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProofRange {
    /// From the first event of this time or later.
    pub from: Option<Ms>,
    /// Up to the last event from before this time.
    pub to: Option<Ms>,
    /// Behind the event of this number.
    pub behind: Option<i64>,
}

/// A file that is being written.
pub struct Proof {
    store: Store,
    tenant: TenantId,
    next: i64,
    last: i64,
    events: i64,
    handle: String,
    head: Option<Begin>,
    is_over: bool,
}

impl Proof {
    pub(super) async fn begin(store: Store, tenant: TenantId, range: ProofRange) -> Result<Self, AuditError> {
        let mut tx = store.read(tenant).await?;
        let found = tx.find_links(range.from, range.to).await?;
        drop(tx);
        let (first, last) = found.unwrap_or((1, 0));
        Self::between(store, tenant, range.behind.unwrap_or(0).max(first - 1), last).await
    }

    /// Begins a file of the events behind this one and up to that one.
    pub(super) async fn between(
        store: Store,
        tenant: TenantId,
        behind: i64,
        last: i64,
    ) -> Result<Self, AuditError> {
        let mut tx = store.read(tenant).await?;
        let prev = match tx.list_links(behind, last, 1).await?.first() {
            Some(link) if link.seq == behind + 1 => link.prev,
            // Nothing is to be written, or the database has a gap, which the file then shows.
            _ => FIRST_PREV,
        };
        drop(tx);
        let mut tx = store.system_read().await?;
        // Its handle outlives an organisation.
        let found = tx.find_organisation(tenant).await?;
        let handle = found.map_or_else(|| tenant.to_string(), |found| found.handle.to_string());
        drop(tx);
        let head = Some(Begin::behind(tenant, handle.clone(), behind, prev));
        Ok(Self { store, tenant, next: behind, last, events: 0, handle, head, is_over: false })
    }

    /// Returns the handle of the organisation.
    pub(super) fn handle(&self) -> &str {
        &self.handle
    }

    /// Returns the next lines; `None` once all were.
    pub async fn next(&mut self, keys: &[PublicKey]) -> Result<Option<Vec<u8>>, StoreError> {
        if self.is_over {
            return Ok(None);
        }
        let mut out = Vec::new();
        if let Some(begin) = self.head.take() {
            proof_line(&Line::Begin(begin), &mut out);
        }
        let mut tx = self.store.read(self.tenant).await?;
        let links = tx.list_links(self.next, self.last, BATCH).await?;
        for link in &links {
            proof_line(&Line::Event(Box::new(link.into())), &mut out);
            self.next = link.seq;
            self.events += 1;
        }
        if links.is_empty() {
            for public_key in keys {
                proof_line(&Line::Key { id: public_key.id(), public_key: *public_key }, &mut out);
            }
            let behind = self.next - self.events;
            for checkpoint in tx.list_checkpoints(behind, LIST_MAX).await? {
                if checkpoint.seq <= self.next {
                    proof_line(&Line::Checkpoint(checkpoint), &mut out);
                }
            }
            proof_line(&Line::End(End { events: self.events, last: self.next }), &mut out);
            self.is_over = true;
        }
        Ok(Some(out))
    }
}

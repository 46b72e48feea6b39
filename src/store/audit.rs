//! Run events, chained by hash inside each organisation: each names the hash of the one before.

use crate::{
    clock::Ms,
    model::{Action, EventId, Outcome, PresetId, RunEvent, TenantId, UserId},
    store::{Result, SystemTx, Tx},
};

/// Which events are asked for. Every member narrows; the default is the newest of all.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// From this time on.
    pub from: Option<Ms>,
    /// Before this time.
    pub to: Option<Ms>,
    /// By this person.
    pub user: Option<UserId>,
    /// By whoever had this handle at the time (`anonymous` for nobody).
    pub principal: Option<String>,
    /// On this preset.
    pub preset: Option<PresetId>,
    /// On this tool or thing, by its exact name.
    pub tool: Option<String>,
    /// That ended so.
    pub outcome: Option<Outcome>,
    /// Of this kind.
    pub action: Option<Action>,
    /// With this text in principal, subject, reason, source, preset, client or address; any case.
    pub text: Option<String>,
    /// Older than this event: the next page after it.
    pub before: Option<EventId>,
    /// At most so many; 0 means [`EventFilter::LIMIT_DEFAULT`].
    pub limit: i64,
}

impl EventFilter {
    /// How many events a page has when nothing is said.
    pub const LIMIT_DEFAULT: i64 = 50;
}

/// What looking over a chain found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainReport {
    /// How many events were looked at.
    pub events: i64,
    /// The number of the first event that does not fit; `None` = the chain is whole.
    pub broken_at: Option<i64>,
}

impl Tx {
    /// Returns events, the newest first.
    pub async fn list_events(&mut self, filter: &EventFilter) -> Result<Vec<RunEvent>> {
        let _ = filter;
        todo!()
    }

    /// Finds an event.
    pub async fn find_event(&mut self, id: EventId) -> Result<Option<RunEvent>> {
        let _ = id;
        todo!()
    }
}

impl SystemTx {
    /// Adds events of any organisations to their chains, in the order given. Those recorded before
    /// (the same id) are passed over, so that a batch may be tried again.
    pub async fn append_events(&mut self, events: &[RunEvent]) -> Result<()> {
        let _ = events;
        todo!()
    }

    /// Looks over an organisation's whole chain.
    pub async fn verify_chain(&mut self, tenant: TenantId) -> Result<ChainReport> {
        let _ = tenant;
        todo!()
    }

    /// Removes an organisation's events from before `before`, at most `limit`, the oldest first.
    /// Returns how many. The chain remembers where it was cut.
    pub async fn prune_events(&mut self, tenant: TenantId, before: Ms, limit: i64) -> Result<u64> {
        let _ = (tenant, before, limit);
        todo!()
    }
}

//! Run events as they are recorded: chained by hash inside each organisation, each names the hash of
//! the one before. Somebody who rewrites one event would have to rewrite all that follow.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, hash_map::Entry},
    sync::LazyLock,
};

use sqlx::{FromRow, query, query_as};

use crate::{
    chain::{Checkpoint, FIRST_PREV, Flaw, Form, Part, Salt, Tally, Walk, fits},
    clock::Ms,
    model::{EventId, RunEvent, TenantId},
    store::{
        Result, StoreError, SystemTx,
        audit::{EventRow, FORM_BLANK, FORM_PARTED, FORM_WHOLE, trace_bytes},
        audit_kinds::kind_of,
        changed, clean,
        insert::{Insert, insert},
        on, read_hash,
    },
};

/// How many events are looked at together.
const BATCH: usize = 1024;

static INSERT: LazyLock<Insert> = LazyLock::new(|| {
    let columns = [
        "tenant_id",
        "seq",
        "id",
        "at",
        "action",
        "outcome",
        "reason",
        "user_id",
        "principal",
        "key_id",
        "address",
        "client",
        "revision",
        "preset_id",
        "preset_slug",
        "source_id",
        "source_name",
        "subject",
        "duration_us",
        "request_bytes",
        "response_bytes",
        "argument_digest",
        "request_id",
        "prev",
        "hash",
        "form",
        "who_salt",
        "what_salt",
        "kind",
        "trace",
    ];
    Insert::new("audit_events", &columns, "")
});

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
    /// Adds events of any organisations to their chains, in the order given. Those recorded before
    /// (the same id) are passed over, so that a batch may be tried again. Returns where all of them are.
    pub async fn append_events(&mut self, events: &[RunEvent]) -> Result<Vec<ChainSpan>> {
        // Organisations in one order, so that two replicas never wait for each other in a circle.
        let mut chains: BTreeMap<TenantId, Vec<&RunEvent>> = BTreeMap::new();
        for event in events {
            chains.entry(event.tenant).or_default().push(event);
        }
        let mut spans = Vec::with_capacity(chains.len());
        for (tenant, events) in chains {
            for batch in events.chunks(BATCH) {
                self.extend_chain(tenant, batch, &mut spans).await?;
            }
        }
        Ok(spans)
    }

    async fn extend_chain(
        &mut self,
        tenant: TenantId,
        events: &[&RunEvent],
        spans: &mut Vec<ChainSpan>,
    ) -> Result<()> {
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
            match recorded.entry(event.id) {
                Entry::Occupied(recorded) => {
                    let at = *recorded.get();
                    spans.push(ChainSpan { tenant, first: at, last: at });
                    continue;
                }
                Entry::Vacant(vacant) => {
                    seq += 1;
                    vacant.insert(seq);
                }
            }
            let event = storable(event);
            let (form, hash) = Form::of(seq, &prev, &event);
            links.push((seq, prev, hash, stored_form(form), kind_of(&event), event));
            prev = hash;
        }
        if links.is_empty() {
            return Ok(());
        }
        spans.push(ChainSpan { tenant, first: head.seq + 1, last: seq });

        let kinds = links.iter().map(|(.., kind, event)| (*kind, &**event)).collect();
        self.add_kinds(tenant, &kinds).await?;
        insert!(self, INSERT, links, |(seq, prev, hash, (form, who_salt, what_salt), kind, event)| [
            tenant,
            *seq,
            event.id,
            event.at,
            event.action.word(),
            event.outcome.word(),
            event.reason.as_str(),
            event.user,
            event.principal.as_str(),
            event.key,
            event.address.as_str(),
            event.client.as_str(),
            event.revision.as_str(),
            event.preset,
            event.preset_slug.as_str(),
            event.source,
            event.source_name.as_str(),
            event.subject.as_str(),
            event.duration_us,
            event.request_bytes,
            event.response_bytes,
            event.argument_digest.as_str(),
            event.request_id.as_str(),
            prev.as_slice(),
            hash.as_slice(),
            *form,
            who_salt.as_ref().map(Salt::as_slice),
            what_salt.as_ref().map(Salt::as_slice),
            kind.as_slice(),
            event.trace.as_ref().map(trace_bytes),
        ]);
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

    /// Returns which of these events are in the chain, and their numbers. Ids sort by time, so a batch is a narrow
    /// range of them.
    async fn recorded(&mut self, tenant: TenantId, events: &[&RunEvent]) -> Result<HashMap<EventId, i64>> {
        let ids = || events.iter().map(|event| event.id);
        let (Some(first), Some(last)) = (ids().min(), ids().max()) else {
            return Ok(HashMap::new());
        };
        let found: Vec<(EventId, i64)> = on!(self, |c| {
            query_as("select id, seq from audit_events where tenant_id = $1 and id >= $2 and id <= $3")
                .bind(tenant)
                .bind(first)
                .bind(last)
                .fetch_all(c)
                .await
        })?;
        Ok(found.into_iter().collect())
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
            let rows = self.chain_rows(tenant, walk.seq(), head.seq).await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let seq = walk.seq() + 1;
                // A row that holds no event any more was altered like one that holds another.
                let stepped = match row.link() {
                    Ok(link) => walk.step(&link),
                    Err(StoreError::Corrupt { .. }) => Err(Flaw::Altered { seq }),
                    Err(error) => return Err(error),
                };
                let checked = stepped.and_then(|()| match signed.get(&walk.seq()) {
                    Some(checkpoint) => fits(checkpoint, walk.hash()).map(|()| report.checkpoints += 1),
                    None => Ok(()),
                });
                if let Err(flaw) = checked {
                    report.flaw = Some(flaw);
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

    /// Returns the first events behind this one and up to that one.
    async fn chain_rows(&mut self, tenant: TenantId, behind: i64, last: i64) -> Result<Vec<EventRow>> {
        Ok(on!(self, |c| {
            query_as(
                "select * from audit_events where tenant_id = $1 and seq > $2 and seq <= $3
                 order by seq limit $4",
            )
            .bind(tenant)
            .bind(behind)
            .bind(last)
            .bind(i64::try_from(BATCH).unwrap_or(i64::MAX))
            .fetch_all(c)
            .await
        })?)
    }

    async fn chain_head(&mut self, tenant: TenantId) -> Result<Option<HeadRow>> {
        Ok(on!(self, |c| {
            query_as("select seq, hash, pruned_seq, pruned_hash from audit_heads where tenant_id = $1")
                .bind(tenant)
                .fetch_optional(c)
                .await
        })?)
    }

    /// Removes an organisation's events from before `before` and up to the number `upto`, at most `limit`, the oldest
    /// first. Returns how many. The chain remembers where it was cut.
    pub async fn prune_events(&mut self, tenant: TenantId, before: Ms, upto: i64, limit: i64) -> Result<u64> {
        let Some(head) = self.chain_head(tenant).await? else {
            return Ok(0);
        };
        let oldest: Vec<(i64, Ms, Vec<u8>)> = on!(self, |c| {
            query_as(
                "select seq, at, hash from audit_events where tenant_id = $1 and seq > $2 and seq <= $3
                 order by seq limit $4",
            )
            .bind(tenant)
            .bind(head.pruned_seq)
            .bind(upto)
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
        let kinds = self.list_kinds_upto(tenant, seq).await?;
        let removed = changed!(
            self,
            query("delete from audit_events where tenant_id = $1 and seq <= $2").bind(tenant).bind(seq)
        );
        self.remove_empty_kinds(tenant, &kinds).await?;
        Ok(removed)
    }
}

/// Returns a form as it is stored: its number, and the salts of its parts.
fn stored_form(form: Form) -> (i64, Option<Salt>, Option<Salt>) {
    fn salt(part: Part) -> Option<Salt> {
        match part {
            Part::Kept(salt) => Some(salt),
            Part::Erased(_) => None,
        }
    }
    match form {
        Form::Blank => (FORM_BLANK, None, None),
        Form::Whole => (FORM_WHOLE, None, None),
        Form::Parted { who, what } => (FORM_PARTED, salt(who), salt(what)),
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

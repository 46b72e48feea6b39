//! Events as they were kept before there were blocks: each in a row of its own. They are moved into blocks when the
//! database is opened.

use sqlx::{FromRow, query, query_as, query_scalar};
use uuid::Uuid;

use crate::{
    chain::{Form, Link, Part},
    clock::Ms,
    model::{
        Action, ApiKeyId, EventId, Outcome, PresetId, RunEvent, SourceId, TenantId, TraceContext, UserId,
    },
    store::{Result, Store, StoreError, SystemTx, audit::add::LinkRef, changed, on, read_hash, read_word},
};

/// How many events are moved in one transaction.
const CHUNK: i64 = 4096;

/// How the forms of events were stored.
const FORM_BLANK: i64 = 0;
const FORM_WHOLE: i64 = 1;
const FORM_PARTED: i64 = 2;

#[derive(FromRow)]
struct EventRow {
    tenant_id: TenantId,
    seq: i64,
    id: EventId,
    at: Ms,
    action: String,
    outcome: String,
    reason: String,
    user_id: Option<UserId>,
    principal: String,
    key_id: Option<ApiKeyId>,
    address: String,
    client: String,
    revision: String,
    preset_id: Option<PresetId>,
    preset_slug: String,
    source_id: Option<SourceId>,
    source_name: String,
    subject: String,
    duration_us: i64,
    request_bytes: i64,
    response_bytes: i64,
    argument_digest: String,
    request_id: String,
    prev: Vec<u8>,
    hash: Vec<u8>,
    form: i64,
    who_salt: Option<Vec<u8>>,
    who_hash: Option<Vec<u8>>,
    what_salt: Option<Vec<u8>>,
    what_hash: Option<Vec<u8>>,
    trace: Option<Vec<u8>>,
}

impl EventRow {
    /// Returns the event in its place in the chain.
    fn link(self) -> Result<Link> {
        let form = match self.form {
            FORM_BLANK => Form::Blank,
            FORM_WHOLE => Form::Whole,
            FORM_PARTED => Form::Parted {
                who: read_part("audit_events.who", self.who_salt.as_deref(), self.who_hash.as_deref())?,
                what: read_part("audit_events.what", self.what_salt.as_deref(), self.what_hash.as_deref())?,
            },
            other => {
                let detail = format!("there is no form {other}");
                return Err(StoreError::Corrupt { what: "audit_events.form", detail });
            }
        };
        let prev = read_hash("audit_events.prev", &self.prev)?;
        let hash = read_hash("audit_events.hash", &self.hash)?;
        Ok(Link { seq: self.seq, prev, hash, form, event: self.event()? })
    }

    fn event(self) -> Result<RunEvent> {
        Ok(RunEvent {
            id: self.id,
            tenant: self.tenant_id,
            at: self.at,
            action: read_word("audit_events.action", &self.action, Action::from_word)?,
            outcome: read_word("audit_events.outcome", &self.outcome, Outcome::from_word)?,
            reason: self.reason,
            user: self.user_id,
            principal: self.principal,
            key: self.key_id,
            address: self.address,
            client: self.client,
            revision: self.revision,
            preset: self.preset_id,
            preset_slug: self.preset_slug,
            source: self.source_id,
            source_name: self.source_name,
            subject: self.subject,
            duration_us: self.duration_us,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
            argument_digest: self.argument_digest,
            request_id: self.request_id,
            trace: self.trace.as_deref().map(read_trace).transpose()?,
        })
    }
}

fn read_trace(bytes: &[u8]) -> Result<TraceContext> {
    let corrupt = || {
        let detail = format!("{} bytes are no trace", bytes.len());
        StoreError::Corrupt { what: "audit_events.trace", detail }
    };
    let (trace_id, rest) = bytes.split_first_chunk().ok_or_else(corrupt)?;
    let (span_id, rest) = rest.split_first_chunk().ok_or_else(corrupt)?;
    let [flags] = rest else { return Err(corrupt()) };
    Ok(TraceContext { trace_id: *trace_id, span_id: *span_id, flags: *flags })
}

fn read_part(what: &'static str, salt: Option<&[u8]>, hash: Option<&[u8]>) -> Result<Part> {
    match (salt, hash) {
        (Some(salt), _) => salt
            .try_into()
            .map(Part::Kept)
            .map_err(|_| StoreError::Corrupt { what, detail: format!("{} bytes are no salt", salt.len()) }),
        (None, Some(hash)) => read_hash(what, hash).map(Part::Erased),
        (None, None) => {
            Err(StoreError::Corrupt { what, detail: "neither its salt nor its hash is there".to_owned() })
        }
    }
}

impl Store {
    /// Moves events that are kept each by itself into blocks. Returns how many. Those whose rows hold no event any more stay
    /// where they are, and the chain says that they are missing.
    pub async fn pack_events(&self) -> Result<u64> {
        let is_any = "select exists (select 1 from audit_events)";
        let mut tx = self.system_read().await?;
        if !on!(tx, |c| query_scalar::<_, bool>(is_any).fetch_one(c).await)? {
            return Ok(0);
        }
        drop(tx);
        let mut packed = 0;
        let mut behind = (TenantId(Uuid::nil()), 0);
        loop {
            let mut tx = self.system().await?;
            let Some((last, events)) = tx.pack_some(behind).await? else { break };
            tx.commit().await?;
            behind = last;
            packed += events;
            tracing::info!(packed, "events of the audit log are moved into blocks");
        }
        Ok(packed)
    }
}

impl SystemTx {
    /// Moves the next events of one organisation. Returns the place of the last, and how many were moved; `None` if there
    /// are no more.
    async fn pack_some(&mut self, behind: (TenantId, i64)) -> Result<Option<((TenantId, i64), u64)>> {
        let next: Option<(TenantId, i64)> = on!(self, |c| {
            query_as(
                "select tenant_id, seq from audit_events where (tenant_id, seq) > ($1, $2)
                 order by tenant_id, seq limit 1",
            )
            .bind(behind.0)
            .bind(behind.1)
            .fetch_optional(c)
            .await
        })?;
        let Some((tenant, first)) = next else { return Ok(None) };
        // Another process may be at it: what it has moved is gone once it is our turn.
        self.lock_chain(tenant).await?;
        let rows: Vec<EventRow> = on!(self, |c| {
            query_as("select * from audit_events where tenant_id = $1 and seq >= $2 order by seq limit $3")
                .bind(tenant)
                .bind(first)
                .bind(CHUNK)
                .fetch_all(c)
                .await
        })?;
        let last = rows.last().map_or(first, |row| row.seq);
        let mut links = Vec::with_capacity(rows.len());
        for row in rows {
            let seq = row.seq;
            match row.link() {
                Ok(link) => links.push(link),
                Err(StoreError::Corrupt { what, detail }) => {
                    tracing::error!(%tenant, seq, "an event was altered and stays where it is: {what}: {detail}");
                }
                Err(error) => return Err(error),
            }
        }
        let refs: Vec<LinkRef<'_>> = links
            .iter()
            .map(|Link { seq, prev, hash, form, event }| LinkRef {
                seq: *seq,
                prev: *prev,
                hash: *hash,
                form: *form,
                event,
            })
            .collect();
        let mut packed = 0;
        for (first, last) in self.add_links(tenant, &refs).await? {
            packed += changed!(
                self,
                query("delete from audit_events where tenant_id = $1 and seq >= $2 and seq <= $3")
                    .bind(tenant)
                    .bind(first)
                    .bind(last)
            );
        }
        Ok(Some(((tenant, last), packed)))
    }
}

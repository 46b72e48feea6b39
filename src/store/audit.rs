//! Run events as they are searched. How they are recorded is in `audit_chain.rs`.

use sqlx::{FromRow, QueryBuilder, query_as};

use crate::{
    chain::{Form, Link, Part},
    clock::Ms,
    model::{
        Action, ApiKeyId, EventId, Outcome, PresetId, RunEvent, SourceId, TenantId, TraceContext, UserId,
    },
    store::{
        LIST_MAX, Result, StoreError, Tx,
        audit_kinds::{Within, newest},
        clean, on, read_hash, read_word,
    },
};

/// How the forms of events are stored.
pub(super) const FORM_BLANK: i64 = 0;
pub(super) const FORM_WHOLE: i64 = 1;
pub(super) const FORM_PARTED: i64 = 2;

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

    /// Says whether anything but the time of events is asked about.
    fn asks_of_kinds(&self) -> bool {
        let Self { user, principal, preset, tool, outcome, action, text, .. } = self;
        user.is_some()
            || principal.is_some()
            || preset.is_some()
            || tool.is_some()
            || outcome.is_some()
            || action.is_some()
            || text.as_ref().is_some_and(|text| !text.is_empty())
    }
}

/// Where an event stands among those of its organisation by time, and its number.
pub(super) type Place = (Ms, i64);

/// How many events are read by their numbers in one statement.
const ROWS: usize = 500;

#[derive(FromRow)]
pub(super) struct EventRow {
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
    /// Returns whose it is.
    pub(super) fn tenant(&self) -> TenantId {
        self.tenant_id
    }

    /// Returns the event in its place in the chain.
    pub(super) fn link(self) -> Result<Link> {
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

/// Writes a trace as one row holds it.
pub(super) fn trace_bytes(trace: &TraceContext) -> Vec<u8> {
    [&trace.trace_id[..], &trace.span_id, &[trace.flags]].concat()
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

impl Tx {
    /// Returns events, the newest first.
    pub async fn list_events(&mut self, filter: &EventFilter) -> Result<Vec<RunEvent>> {
        let tenant = self.tenant;
        let before: Option<Place> = match filter.before {
            None => None,
            Some(before) => on!(self, |c| {
                query_as("select at, seq from audit_events where tenant_id = $1 and id = $2")
                    .bind(tenant)
                    .bind(before)
                    .fetch_optional(c)
                    .await
            })?,
        };
        if filter.before.is_some() && before.is_none() {
            // Retention took the event the page ended with, and all that came before it.
            return Ok(Vec::new());
        }
        let limit = if filter.limit > 0 { filter.limit.min(LIST_MAX) } else { EventFilter::LIMIT_DEFAULT };
        let within = Within { before, from: filter.from, to: filter.to, limit };
        if filter.asks_of_kinds() {
            let places = self.find_events(filter, within).await?;
            return self.events_at(&places).await;
        }

        let rows: Vec<EventRow> = on!(self, |c: Driver| {
            let mut statement =
                QueryBuilder::<Driver>::new("select * from audit_events e where e.tenant_id = ");
            statement.push_bind(tenant);
            newest!(statement, "e", within);
            statement.build_query_as().fetch_all(c).await
        })?;
        rows.into_iter().map(EventRow::event).collect()
    }

    /// Returns the events of these places, in their order.
    async fn events_at(&mut self, places: &[Place]) -> Result<Vec<RunEvent>> {
        let tenant = self.tenant;
        let mut rows: Vec<EventRow> = Vec::with_capacity(places.len());
        for places in places.chunks(ROWS) {
            let found: Vec<EventRow> = on!(self, |c: Driver| {
                let mut statement =
                    QueryBuilder::<Driver>::new("select * from audit_events where tenant_id = ");
                statement.push_bind(tenant).push(" and seq in (");
                let mut numbers = statement.separated(", ");
                places.iter().for_each(|(_, seq)| {
                    numbers.push_bind(*seq);
                });
                statement.push(")");
                statement.build_query_as().fetch_all(c).await
            })?;
            rows.extend(found);
        }
        rows.sort_unstable_by_key(|row| std::cmp::Reverse((row.at, row.seq)));
        rows.into_iter().map(EventRow::event).collect()
    }

    /// Finds an event.
    pub async fn find_event(&mut self, id: EventId) -> Result<Option<RunEvent>> {
        let tenant = self.tenant;
        let row: Option<EventRow> = on!(self, |c| {
            query_as("select * from audit_events where tenant_id = $1 and id = $2")
                .bind(tenant)
                .bind(id)
                .fetch_optional(c)
                .await
        })?;
        row.map(EventRow::event).transpose()
    }
}

/// Returns a pattern that finds the text anywhere; `!` escapes what a pattern would read otherwise.
pub(super) fn like_pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for character in clean(text).chars() {
        if matches!(character, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

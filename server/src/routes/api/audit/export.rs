//! The audit log as a file, written while it is read: any number of events in little memory.
//!
//! A file that could not be written to its end breaks off, so that no client takes it for whole.

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use doorward::{
    audit::{Audit, AuditError},
    model::RunEvent,
    policy::AuditPermit,
    store::EventFilter,
};
use futures::{StreamExt as _, future, stream};
use http::header;

use super::{EventBody, EventsQuery, time};
use crate::{
    respond::{Problem, ProblemBody},
    routes::{api::Asked, caller::Caller},
    state::AppState,
};

/// How many events are read at once.
const BATCH: usize = 1000;

/// The columns of a table, in their order.
const COLUMNS: [&str; 21] = [
    "at",
    "action",
    "outcome",
    "reason",
    "principal",
    "address",
    "client",
    "revision",
    "preset_slug",
    "source_name",
    "subject",
    "duration_us",
    "request_bytes",
    "response_bytes",
    "argument_digest",
    "request_id",
    "id",
    "user",
    "key",
    "preset",
    "source",
];

/// How events are written.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// A JSON object a line.
    Jsonl,
    /// A table with a line of names (RFC 4180).
    Csv,
}

/// Writes what happened in the caller's organisation as a JSON object a line, the newest first.
#[utoipa::path(get, path = "/api/v1/audit/export.jsonl", tag = "audit", params(EventsQuery),
    responses((status = 200, description = "an event a line, as of `/api/v1/audit/{id}`",
            content_type = "application/x-ndjson", body = String),
        (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody)))]
pub(in crate::routes) async fn jsonl(
    State(state): State<AppState>,
    Caller(member): Caller,
    Asked(query): Asked<EventsQuery>,
) -> Result<Response, Problem> {
    export(&state, query.permit(&state, &member).await?, &query, Form::Jsonl)
}

/// Writes what happened in the caller's organisation as a table, the newest first. A text that a spreadsheet would
/// calculate begins with an apostrophe.
#[utoipa::path(get, path = "/api/v1/audit/export.csv", tag = "audit", params(EventsQuery),
    responses((status = 200, description = "a line of names, and an event a line", content_type = "text/csv",
            body = String),
        (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody)))]
pub(in crate::routes) async fn csv(
    State(state): State<AppState>,
    Caller(member): Caller,
    Asked(query): Asked<EventsQuery>,
) -> Result<Response, Problem> {
    export(&state, query.permit(&state, &member).await?, &query, Form::Csv)
}

fn export(
    state: &AppState,
    permit: AuditPermit,
    query: &EventsQuery,
    form: Form,
) -> Result<Response, Problem> {
    let rest = Rest {
        audit: state.engine().audit.clone(),
        permit,
        filter: query.filter(BATCH)?,
        left: query.limit.unwrap_or(usize::MAX),
        form,
    };
    let (kind, end) = match form {
        Form::Jsonl => ("application/x-ndjson", "jsonl"),
        Form::Csv => ("text/csv; charset=utf-8", "csv"),
    };
    let day = time(state.engine().clock.now());
    let day = day.split_once('T').map_or("", |(day, _)| day);
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"doorward-audit-{day}.{end}\"")),
    ];
    let begin = stream::once(future::ready(Ok(form.begin())));
    let pieces = begin.chain(stream::try_unfold(rest, Rest::next));
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// What is still to be written.
struct Rest {
    audit: Audit,
    permit: AuditPermit,
    filter: EventFilter,
    left: usize,
    form: Form,
}

impl Rest {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, AuditError> {
        let mut events = match self.left {
            0 => Vec::new(),
            _ => self.audit.search_by(&self.permit, &self.filter).await?,
        };
        let is_last = events.len() < BATCH;
        events.truncate(self.left);
        let Some(last) = events.last() else { return Ok(None) };
        self.left = if is_last { 0 } else { self.left - events.len() };
        self.filter.before = Some(last.id);
        let piece = self.form.write(events);
        Ok(Some((piece, self)))
    }
}

impl Form {
    /// Writes what stands before the first event.
    fn begin(self) -> Bytes {
        match self {
            Self::Jsonl => Bytes::new(),
            Self::Csv => table([COLUMNS]),
        }
    }

    fn write(self, events: Vec<RunEvent>) -> Bytes {
        match self {
            Self::Jsonl => {
                let mut out = Vec::new();
                for event in events {
                    serde_json::to_writer(&mut out, &EventBody::from(event)).expect("memory takes an event");
                    out.push(b'\n');
                }
                out.into()
            }
            Self::Csv => table(events.into_iter().map(cells)),
        }
    }
}

fn table(rows: impl IntoIterator<Item = [impl AsRef<[u8]>; COLUMNS.len()]>) -> Bytes {
    let mut table = ::csv::Writer::from_writer(Vec::new());
    for row in rows {
        table.write_record(row).expect("memory takes a row");
    }
    table.into_inner().expect("memory takes a table").into()
}

/// Returns an event in the order of [`COLUMNS`].
fn cells(event: RunEvent) -> [String; COLUMNS.len()] {
    let id = |id: Option<String>| id.unwrap_or_default();
    [
        time(event.at),
        event.action.word().to_owned(),
        event.outcome.word().to_owned(),
        event.reason,
        event.principal,
        event.address,
        event.client,
        event.revision,
        event.preset_slug,
        event.source_name,
        event.subject,
        event.duration_us.to_string(),
        event.request_bytes.to_string(),
        event.response_bytes.to_string(),
        event.argument_digest,
        event.request_id,
        event.id.to_string(),
        id(event.user.map(|user| user.to_string())),
        id(event.key.map(|key| key.to_string())),
        id(event.preset.map(|preset| preset.to_string())),
        id(event.source.map(|source| source.to_string())),
    ]
    .map(inert)
}

/// Makes a text one that no spreadsheet calculates: callers choose some of them.
fn inert(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use doorward::{
        clock::Ms,
        model::{Action, TenantId},
    };

    use super::*;

    #[test]
    fn a_table_quotes_what_must_be_quoted_and_calculates_nothing() {
        let event = RunEvent {
            reason: "he said \"no\",\nand left".into(),
            client: "=HYPERLINK(\"http://x\") 1".into(),
            subject: "-1".into(),
            ..RunEvent::new(TenantId::new(), Ms(60_000), Action::ToolCall)
        };

        let table = [Form::Csv.begin(), Form::Csv.write(vec![event])].concat();

        let table = String::from_utf8(table).unwrap();
        let (names, row) = table.split_once('\n').unwrap();
        assert_eq!(names, COLUMNS.join(","));
        let begin = "1970-01-01T00:01:00Z,tool_call,ok,\"he said \"\"no\"\",\nand left\",,,";
        let client = "\"'=HYPERLINK(\"\"http://x\"\") 1\",,,,'-1,0,0,0,,,";
        assert!(row.starts_with(&format!("{begin}{client}")), "{row}");
    }
}

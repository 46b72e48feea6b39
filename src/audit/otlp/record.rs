//! What one event is as a log record. Names of attributes are those of OpenTelemetry's semantic conventions (general, MCP and
//! GenAI as of 2026) where there is one, and begin with `doorward.` where there is none.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    chain::Link,
    model::{Action, Outcome, RunEvent},
};

/// Severities of OTLP's `SeverityNumber`.
const INFO: (u8, &str) = (9, "INFO");
const WARN: (u8, &str) = (13, "WARN");
const ERROR: (u8, &str) = (17, "ERROR");

/// Returns a request that holds these events, `ExportLogsServiceRequest` as JSON.
pub(super) fn request(links: &[Link]) -> String {
    let resource = Attributes::default()
        .text("service.name", "doorward")
        .text("service.version", env!("CARGO_PKG_VERSION"))
        .0;
    let records: Vec<Value> = links.iter().map(record).collect();
    let scope = json!({"name": "doorward.audit", "version": env!("CARGO_PKG_VERSION")});
    let logs = json!({"scope": scope, "logRecords": records});
    json!({"resourceLogs": [{"resource": {"attributes": resource}, "scopeLogs": [logs]}]}).to_string()
}

fn record(link: &Link) -> Value {
    let event = &link.event;
    let (number, text) = severity(event.outcome);
    // Milliseconds as nanoseconds, which JSON writes as text.
    let at = format!("{}000000", event.at.0.max(0));
    let mut record = json!({
        "timeUnixNano": at,
        "observedTimeUnixNano": at,
        "severityNumber": number,
        "severityText": text,
        "eventName": format!("doorward.{}", event.action.word()),
        "body": {"stringValue": sentence(event)},
        "attributes": attributes(link),
    });
    if let Some(trace) = &event.trace {
        record["traceId"] = hex::encode(trace.trace_id).into();
        record["spanId"] = hex::encode(trace.span_id).into();
        record["flags"] = trace.flags.into();
    }
    record
}

fn severity(outcome: Outcome) -> (u8, &'static str) {
    match outcome {
        Outcome::Ok => INFO,
        Outcome::ToolError | Outcome::Caller | Outcome::Refused | Outcome::Cancelled => WARN,
        Outcome::Upstream | Outcome::Gateway => ERROR,
    }
}

fn sentence(event: &RunEvent) -> String {
    let (action, outcome) = (event.action.word(), event.outcome.word());
    if event.subject.is_empty() {
        return format!("{action}: {outcome}");
    }
    format!("{action} `{}`: {outcome}", event.subject)
}

fn attributes(link: &Link) -> Vec<Value> {
    let event = &link.event;
    let id = |id: Option<uuid::Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    let mut all = Attributes::default()
        .text("log.record.uid", &event.id.to_string())
        .text("doorward.organisation.id", &event.tenant.to_string())
        .number("doorward.audit.seq", link.seq)
        .text("doorward.action", event.action.word())
        .text("doorward.outcome", event.outcome.word())
        .text("doorward.reason", &event.reason)
        .text("user.id", &id(event.user.map(|user| user.0)))
        .text("user.name", &event.principal)
        .text("client.address", &event.address)
        .text("doorward.client", &event.client)
        .text("doorward.api_key.id", &id(event.key.map(|key| key.0)))
        .text("doorward.request.id", &event.request_id)
        .text("doorward.preset.id", &id(event.preset.map(|preset| preset.0)))
        .text("doorward.preset.slug", &event.preset_slug)
        .text("doorward.source.id", &id(event.source.map(|source| source.0)))
        .text("doorward.source.name", &event.source_name);
    if event.outcome.is_error() {
        all = all.text("error.type", event.outcome.word());
    }
    let Some((method, name)) = of_mcp(event.action) else {
        return all.text("doorward.subject", &event.subject).0;
    };
    if event.action == Action::ToolCall {
        all = all.text("gen_ai.operation.name", "execute_tool");
    }
    all.text("mcp.method.name", method)
        .text("mcp.protocol.version", &event.revision)
        .text(name, &event.subject)
        .number("doorward.duration_us", event.duration_us)
        .number("http.request.body.size", event.request_bytes)
        .number("http.response.body.size", event.response_bytes)
        .0
}

/// Returns the method of MCP that an action is, and what its subject is called; `None` if it is none.
fn of_mcp(action: Action) -> Option<(&'static str, &'static str)> {
    match action {
        Action::ToolCall => Some(("tools/call", "gen_ai.tool.name")),
        Action::ResourceRead => Some(("resources/read", "mcp.resource.uri")),
        Action::PromptGet => Some(("prompts/get", "gen_ai.prompt.name")),
        Action::Completion => Some(("completion/complete", "doorward.subject")),
        _ => None,
    }
}

/// Attributes of a record; those that say nothing are left out.
#[derive(Default)]
struct Attributes(Vec<Value>);

impl Attributes {
    fn text(mut self, key: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.0.push(json!({"key": key, "value": {"stringValue": value}}));
        }
        self
    }

    /// Adds a number, which JSON writes as text since it has 64 bits.
    fn number(mut self, key: &str, value: i64) -> Self {
        self.0.push(json!({"key": key, "value": {"intValue": value.to_string()}}));
        self
    }
}

/// Returns how many records a collector did not want, from `ExportLogsServiceResponse`. What is none says nothing.
pub(super) fn rejected(answer: &[u8]) -> u64 {
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Answer {
        partial_success: Option<Partial>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Partial {
        rejected_log_records: Value,
    }
    let answer: Answer = serde_json::from_slice(answer).unwrap_or_default();
    let rejected = answer.partial_success.unwrap_or_default().rejected_log_records;
    // A number of 64 bits may be text.
    rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_collector_did_not_want_is_read_as_text_and_as_number() {
        assert_eq!(rejected(br#"{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"x"}}"#), 3);
        assert_eq!(rejected(br#"{"partialSuccess":{"rejectedLogRecords":3}}"#), 3);
        for nothing in ["", "{}", r#"{"partialSuccess":{}}"#, "no JSON", "[]"] {
            assert_eq!(rejected(nothing.as_bytes()), 0, "{nothing}");
        }
    }
}

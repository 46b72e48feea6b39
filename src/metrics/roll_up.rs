//! From single events to rows that add up. Pure.

use std::collections::HashMap;

use crate::{
    clock::Ms,
    model::{Action, PresetId, RunEvent, SourceId, TenantId},
    store::{Histogram, MetricRow},
};

/// A minute, in milliseconds.
const MINUTE_MS: i64 = 60_000;

/// What calls of tools that are not in their preset are counted under: their names are whatever the
/// caller invents, and each would be a row of its own for good.
const NO_SUCH_TOOL: &str = "(no such tool)";

/// Returns what calls of other kinds are counted under: the names of resources are as many as callers
/// like.
fn series(action: Action) -> &'static str {
    match action {
        Action::ResourceRead => "(resources read)",
        Action::PromptGet => "(prompts)",
        Action::Completion => "(completions)",
        other => other.word(),
    }
}

/// What tells one row from another: organisation, minute, preset, source, tool.
type Series<'a> = (TenantId, i64, Option<PresetId>, Option<SourceId>, &'a str);

/// Returns one row for every organisation, minute, preset, source and tool that was called.
pub fn roll_up(events: &[RunEvent]) -> Vec<MetricRow> {
    let mut rows: HashMap<Series<'_>, MetricRow> = HashMap::new();
    for event in events.iter().filter(|event| event.action.is_call()) {
        let minute = event.at.0.div_euclid(MINUTE_MS) * MINUTE_MS;
        let tool = match event.action {
            Action::ToolCall if event.source.is_some() => event.subject.as_str(),
            Action::ToolCall => NO_SUCH_TOOL,
            other => series(other),
        };
        let row = rows.entry((event.tenant, minute, event.preset, event.source, tool)).or_insert_with(|| {
            MetricRow {
                tenant: event.tenant,
                at: Ms(minute),
                preset: event.preset,
                source: event.source,
                tool: tool.to_owned(),
                calls: 0,
                errors: 0,
                duration_us_sum: 0,
                duration_us_max: 0,
                histogram: Histogram::default(),
            }
        });
        row.calls += 1;
        row.errors += i64::from(event.outcome.is_error());
        row.duration_us_sum += event.duration_us;
        row.duration_us_max = row.duration_us_max.max(event.duration_us);
        row.histogram.record(event.duration_us);
    }
    rows.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Outcome;

    #[test]
    fn calls_of_one_minute_and_tool_are_one_row_and_signing_in_is_none() {
        let tenant = TenantId::new();
        let events = [
            event(tenant, 60_000, Action::ToolCall, Outcome::Ok, 10),
            event(tenant, 119_999, Action::ToolCall, Outcome::ToolError, 30),
            event(tenant, 120_000, Action::ToolCall, Outcome::Ok, 5),
            event(tenant, 60_000, Action::SignIn, Outcome::Ok, 5),
        ];

        let mut rows = roll_up(&events);
        rows.sort_by_key(|row| row.at);

        let numbers: Vec<_> = rows
            .iter()
            .map(|row| (row.at.0, row.calls, row.errors, row.duration_us_sum, row.duration_us_max))
            .collect();
        assert_eq!(numbers, [(60_000, 2, 1, 40, 30), (120_000, 1, 0, 5, 5)]);
    }

    #[test]
    fn tools_that_callers_invent_are_one_row() {
        let tenant = TenantId::new();
        let invented = |name: &str| RunEvent { subject: name.into(), ..RunEvent::example(tenant) };

        let rows = roll_up(&[invented("a"), invented("b")]);

        assert_eq!(
            rows.iter().map(|row| (row.tool.as_str(), row.calls)).collect::<Vec<_>>(),
            [(NO_SUCH_TOOL, 2)]
        );
    }

    fn event(tenant: TenantId, at: i64, action: Action, outcome: Outcome, duration_us: i64) -> RunEvent {
        RunEvent { at: Ms(at), action, outcome, duration_us, ..RunEvent::example(tenant) }
    }
}

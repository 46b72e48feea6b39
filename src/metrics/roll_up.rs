//! From single events to rows that add up. Pure.

use std::collections::HashMap;

use crate::{
    clock::Ms,
    model::{Action, PresetId, RunEvent, SourceId, TenantId},
    store::{Histogram, MetricRow},
};

/// A minute, in milliseconds.
const MINUTE_MS: i64 = 60_000;

/// What tells one row from another: organisation, minute, preset, source, tool.
type Series<'a> = (TenantId, i64, Option<PresetId>, Option<SourceId>, &'a str);

/// Returns one row for every organisation, minute, preset, source and tool that was called.
pub fn roll_up(events: &[RunEvent]) -> Vec<MetricRow> {
    let mut rows: HashMap<Series<'_>, MetricRow> = HashMap::new();
    for event in events.iter().filter(|event| event.action == Action::ToolCall) {
        let minute = event.at.0.div_euclid(MINUTE_MS) * MINUTE_MS;
        let row = rows
            .entry((event.tenant, minute, event.preset, event.source, &event.subject))
            .or_insert_with(|| MetricRow {
                tenant: event.tenant,
                at: Ms(minute),
                preset: event.preset,
                source: event.source,
                tool: event.subject.clone(),
                calls: 0,
                errors: 0,
                duration_us_sum: 0,
                duration_us_max: 0,
                histogram: Histogram::default(),
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

    fn event(tenant: TenantId, at: i64, action: Action, outcome: Outcome, duration_us: i64) -> RunEvent {
        RunEvent { at: Ms(at), action, outcome, duration_us, ..RunEvent::example(tenant) }
    }
}

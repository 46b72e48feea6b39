//! What the address of the audit page says. Pure.

use std::time::Duration;

use doorward::{
    clock::Ms,
    model::{Action, EventId, Outcome, PresetId},
    store::EventFilter,
};
use leptos_router::params::ParamsMap;

/// How many events stand on one page.
pub(super) const PAGE: i64 = 50;

/// How far back is looked.
pub(super) const SPANS: &[(&str, &str, Option<u64>)] = &[
    ("1h", "Last hour", Some(3600)),
    ("24h", "Last 24 hours", Some(86_400)),
    ("7d", "Last 7 days", Some(7 * 86_400)),
    ("30d", "Last 30 days", Some(30 * 86_400)),
    ("all", "All that is kept", None),
];

/// What is asked, in the words of the address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub organisation: String,
    pub span: String,
    pub principal: String,
    pub preset: String,
    pub tool: String,
    pub action: String,
    pub outcome: String,
    pub text: String,
    pub before: String,
}

impl Query {
    /// Reads the address.
    pub(super) fn read(map: &ParamsMap) -> Self {
        let value = |name: &str| map.get(name).map(|value| value.trim().to_owned()).unwrap_or_default();
        Self {
            organisation: value("organisation"),
            span: value("span"),
            principal: value("principal"),
            preset: value("preset"),
            tool: value("tool"),
            action: value("action"),
            outcome: value("outcome"),
            text: value("text"),
            before: value("before"),
        }
    }

    /// Returns the address that shows this.
    pub(super) fn path(&self) -> String {
        let mut map = ParamsMap::new();
        for (name, value) in self.pairs() {
            if !value.is_empty() {
                map.insert(name, value.to_owned());
            }
        }
        format!("/audit{}", map.to_query_string())
    }

    /// Returns the address of a file with everything that fits, whatever page is shown. `end` is `csv` or `jsonl`.
    pub(super) fn export(&self, end: &str, now: Ms) -> String {
        let mut map = ParamsMap::new();
        if let Some(from) = self.filter(now).from {
            map.insert("from", from.to_string());
        }
        let shown = ["span", "before"];
        for (name, value) in self.pairs().into_iter().filter(|(name, _)| !shown.contains(name)) {
            if !value.is_empty() {
                map.insert(name, value.to_owned());
            }
        }
        format!("/api/v1/audit/export.{end}{}", map.to_query_string())
    }

    /// Says whether anything but the place in the list is asked for.
    pub(super) fn narrows(&self) -> bool {
        self.pairs().into_iter().any(|(name, value)| name != "before" && !value.is_empty())
    }

    /// Returns the filter. What is not understood (an old link) is left out.
    pub(super) fn filter(&self, now: Ms) -> EventFilter {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let span = SPANS.iter().find(|(word, ..)| *word == self.span).and_then(|(.., secs)| *secs);
        EventFilter {
            from: span.map(|secs| now.minus(Duration::from_secs(secs))),
            to: None,
            user: None,
            principal: given(&self.principal),
            preset: self.preset.parse::<PresetId>().ok(),
            tool: given(&self.tool),
            outcome: Outcome::from_word(&self.outcome),
            action: Action::from_word(&self.action),
            text: given(&self.text),
            before: self.before.parse::<EventId>().ok(),
            limit: PAGE + 1,
        }
    }

    fn pairs(&self) -> [(&'static str, &str); 9] {
        [
            ("organisation", &self.organisation),
            ("span", &self.span),
            ("principal", &self.principal),
            ("preset", &self.preset),
            ("tool", &self.tool),
            ("action", &self.action),
            ("outcome", &self.outcome),
            ("text", &self.text),
            ("before", &self.before),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_what_is_shown_and_what_is_on_the_other_pages() {
        let query = Query {
            tool: "a b&c".into(),
            span: "1h".into(),
            before: EventId::new().to_string(),
            ..Query::default()
        };

        let path = query.export("csv", Ms(10_000_000));

        assert_eq!(path, "/api/v1/audit/export.csv?from=1970%2D01%2D01T01%3A46%3A40Z&tool=a%20b%26c");
        assert_eq!(Query::default().export("jsonl", Ms(0)), "/api/v1/audit/export.jsonl");
    }

    #[test]
    fn what_is_not_understood_narrows_nothing() {
        let query =
            Query { outcome: "splendid".into(), preset: "x".into(), span: "1h".into(), ..Query::default() };

        let filter = query.filter(Ms(10_000_000));

        assert_eq!(filter.outcome, None);
        assert_eq!(filter.preset, None);
        assert_eq!(filter.from, Some(Ms(6_400_000)));
    }
}

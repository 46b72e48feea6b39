//! What the address of the list says. Pure.

use doorward::{
    insights::AnalysisFilter,
    model::{AnalysisId, AnalysisState, SourceId},
};
use leptos_router::params::ParamsMap;

/// How many analyses stand on one page.
pub(super) const PAGE: usize = 25;

/// What is asked, in the words of the address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub text: String,
    pub source: String,
    pub state: String,
    pub before: String,
}

impl Query {
    /// Reads the address.
    pub(super) fn read(map: &ParamsMap) -> Self {
        let value = |name: &str| map.get(name).map(|value| value.trim().to_owned()).unwrap_or_default();
        Self { text: value("text"), source: value("source"), state: value("state"), before: value("before") }
    }

    /// Returns the address that shows this.
    pub(super) fn path(&self) -> String {
        let mut map = ParamsMap::new();
        let pairs = [
            ("text", &self.text),
            ("source", &self.source),
            ("state", &self.state),
            ("before", &self.before),
        ];
        for (name, value) in pairs {
            if !value.is_empty() {
                map.insert(name, value.clone());
            }
        }
        format!("/analyses{}", map.to_query_string())
    }

    /// Says whether anything but the place in the list is asked for.
    pub(super) fn narrows(&self) -> bool {
        [&self.text, &self.source, &self.state].into_iter().any(|value| !value.is_empty())
    }

    /// Returns the filter, with one more than a page so that it shows whether there is another. What is not
    /// understood (an old link) is left out.
    pub(super) fn filter(&self) -> AnalysisFilter {
        AnalysisFilter {
            text: Some(self.text.clone()).filter(|text| !text.is_empty()),
            source: self.source.parse::<SourceId>().ok(),
            state: AnalysisState::from_word(&self.state),
            before: self.before.parse::<AnalysisId>().ok(),
            limit: PAGE + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_narrows_nothing() {
        let query =
            Query { state: "splendid".into(), source: "x".into(), text: "etl".into(), ..Query::default() };

        let filter = query.filter();

        assert_eq!((filter.state, filter.source, filter.limit), (None, None, PAGE + 1));
        assert_eq!(filter.text.as_deref(), Some("etl"));
    }

    #[test]
    fn the_next_page_is_of_the_same_list() {
        let query = Query { text: "a b&c".into(), before: AnalysisId::new().to_string(), ..Query::default() };

        assert_eq!(
            query.path(),
            format!("/analyses?text=a%20b%26c&before={}", query.before.replace('-', "%2D"))
        );
        assert!(query.narrows() && !Query { text: String::new(), ..query }.narrows());
    }
}

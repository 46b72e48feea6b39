//! What the address of the metrics page says. Pure.

use doorward::{
    metrics::{MetricFilter, Window},
    model::{PresetId, SourceId},
};
use leptos_router::params::ParamsMap;

/// What is looked at: how far back, and what the numbers are narrowed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub window: Window,
    pub filter: MetricFilter,
}

impl Query {
    /// Reads the address. What is not understood is left out: an old link still shows a page.
    pub(super) fn read(map: &ParamsMap) -> Self {
        let value = |name: &str| map.get(name).filter(|value| !value.is_empty());
        Self {
            window: value("window").and_then(|word| Window::from_word(&word)).unwrap_or_default(),
            filter: MetricFilter {
                preset: value("preset").and_then(|id| id.parse::<PresetId>().ok()),
                source: value("source").and_then(|id| id.parse::<SourceId>().ok()),
                tool: value("tool"),
            },
        }
    }

    /// Returns the address that shows this.
    pub(super) fn path(&self) -> String {
        let mut map = ParamsMap::new();
        map.insert("window", self.window.word().to_owned());
        if let Some(preset) = self.filter.preset {
            map.insert("preset", preset.to_string());
        }
        if let Some(source) = self.filter.source {
            map.insert("source", source.to_string());
        }
        if let Some(tool) = &self.filter.tool {
            map.insert("tool", tool.clone());
        }
        format!("/metrics{}", map.to_query_string())
    }

    /// Returns the same with another window.
    pub(super) fn over(&self, window: Window) -> Self {
        Self { window, ..self.clone() }
    }

    /// Returns the same, narrowed or widened.
    pub(super) fn with(&self, change: impl FnOnce(&mut MetricFilter)) -> Self {
        let mut query = self.clone();
        change(&mut query.filter);
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_what_it_shows() {
        let query = Query {
            window: Window::Week,
            filter: MetricFilter {
                preset: Some(PresetId::new()),
                source: Some(SourceId::new()),
                tool: Some("get sum & more".into()),
            },
        };

        let path = query.path();
        let map: ParamsMap = path
            .split_once('?')
            .map(|(_, pairs)| pairs)
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), leptos_router::location::Url::unescape(value)))
            .collect();

        assert_eq!(Query::read(&map), query);
    }
}

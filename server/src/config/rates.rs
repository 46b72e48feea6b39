//! How fast calls may come, put together from its settings.

use doorward::quota::RateSettings;

use super::Settings;

impl Settings {
    /// Returns how fast calls may come.
    pub fn rates(&self) -> RateSettings {
        RateSettings {
            key: self.rate_limit_key,
            person: self.rate_limit_person,
            organisation: self.rate_limit_organisation,
            preset: self.rate_limit_preset,
            source: self.rate_limit_source,
            tool: self.rate_limit_tool,
            rest: self.rate_limit_rest,
        }
    }
}

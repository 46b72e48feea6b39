//! How fast calls may come, put together from its settings.

use doorward::quota::{RateSettings, RedisSettings};

use super::Settings;

impl Settings {
    /// Returns where replicas share what is left of the limits; `None` if they do not. The error says
    /// which setting does not fit.
    pub fn redis(&self) -> Result<Option<RedisSettings>, String> {
        let Some(url) = self.redis_url.clone() else { return Ok(None) };
        let redis = RedisSettings { url, when_away: self.rate_limit_when_redis_is_away };
        redis.check().map_err(|wanted| format!("`redis_url` {wanted}"))?;
        Ok(Some(redis))
    }

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

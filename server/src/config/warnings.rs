//! Where warnings go, put together from its settings.

use doorward::warnings::WarningSettings;
use url::Url;

use super::Settings;

impl Settings {
    /// Returns where warnings go beside the console and e-mail. The error says which setting does not fit.
    pub fn warnings(&self) -> Result<WarningSettings, String> {
        let (webhook, webhook_secret) = (self.warning_webhook.clone(), self.warning_webhook_secret.clone());
        let Some(address) = &webhook else {
            return match webhook_secret {
                Some(_) => Err("`warning_webhook_secret` is of use only beside `warning_webhook`".to_owned()),
                None => Ok(WarningSettings { base_url: self.base_url(), ..WarningSettings::default() }),
            };
        };
        // The address may hold a secret, so it is not repeated.
        let url = Url::parse(address.expose()).ok();
        let fits = url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !fits {
            return Err("`warning_webhook` is an address that begins with https:// or http://".to_owned());
        }
        Ok(WarningSettings { base_url: self.base_url(), webhook, webhook_secret })
    }
}

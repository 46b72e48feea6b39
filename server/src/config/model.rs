//! The model that rewrites reports, put together from its settings.

use doorward::insights::ModelSettings;

use super::Settings;

impl Settings {
    /// Returns the model that rewrites reports; `None` if none does. The error says which setting does not fit.
    pub fn model(&self) -> Result<Option<ModelSettings>, String> {
        let Some(url) = &self.model_url else {
            if self.model_name.is_some() || self.model_key.is_some() {
                return Err("`model_name` and `model_key` are of use only beside `model_url`".to_owned());
            }
            return Ok(None);
        };
        let is_plain = url.query().is_none() && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_plain {
            return Err(
                "`model_url` is an address that begins with https:// or http://, without a query".to_owned()
            );
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("`model_url` holds no user and no password; the key is `model_key`".to_owned());
        }
        let name = self.model_name.clone().filter(|name| !name.trim().is_empty());
        let name = name.ok_or("`model_name` says which model behind `model_url` is asked")?;
        Ok(Some(ModelSettings { url: url.clone(), name, key: self.model_key.clone() }))
    }
}

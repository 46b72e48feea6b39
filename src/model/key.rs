//! API keys: `dw_<id>_<secret>`, shown once, kept as a hash.

use serde::{Deserialize, Serialize};

use crate::{
    clock::Ms,
    model::{ApiKeyId, PresetId, Rate, TenantId, UserId},
};

/// What an API key may reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reach", content = "presets")]
pub enum KeyScope {
    /// Every preset its person may use, and the REST API in their name.
    Everything,
    /// These presets only, and no REST API.
    Presets(Vec<PresetId>),
}

/// An API key without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Names it; part of the key's text.
    pub id: ApiKeyId,
    /// The organisation it acts in.
    pub tenant: TenantId,
    /// Whose key it is, and whose quota it uses.
    pub user: UserId,
    /// What its owner calls it.
    pub name: String,
    /// What it may reach.
    pub scope: KeyScope,
    /// How fast calls with it may come; `None` = as fast as others let them.
    pub rate: Option<Rate>,
    /// When it was made.
    pub created_at: Ms,
    /// When it stops working; `None` = never.
    pub expires_at: Option<Ms>,
    /// When it was last used, to the minute; `None` = never.
    pub last_used_at: Option<Ms>,
    /// When it was revoked; `None` = it was not.
    pub revoked_at: Option<Ms>,
}

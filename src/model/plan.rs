//! Plans: what a principal may use in a calendar month (UTC).

use serde::{Deserialize, Serialize};

use crate::model::{PlanName, Rate};

/// What a principal may use. `None` means unlimited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Names it.
    pub name: PlanName,
    /// Tool calls in a calendar month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_month: Option<i64>,
    /// Analyses in a calendar month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analyses_per_month: Option<i64>,
    /// Analyses at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_analyses: Option<i64>,
    /// Data sources an owner may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources_max: Option<i64>,
    /// Days that run events, metrics and analyses are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<i64>,
    /// How fast the calls of a person may come; `None` = as the settings say for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

//! Plans: what a principal may use in a calendar month (UTC).

use serde::{Deserialize, Serialize};

use crate::model::{PlanName, Rate, TenantId, UserId};

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
    /// Presets an owner may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presets_max: Option<i64>,
    /// Analyses an owner may keep, whatever they found; those that run are among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_analyses_max: Option<i64>,
    /// Days that run events, metrics and analyses are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<i64>,
    /// How fast the calls of a person may come; `None` = as the settings say for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

/// Whose month something is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Payer {
    /// A person, wherever they act.
    Person(UserId),
    /// A team, whoever acts in it.
    Team(TenantId),
}

impl Payer {
    /// Returns the word before "month" or "plan" in a sentence.
    pub fn whose(self) -> &'static str {
        match self {
            Self::Person(_) => "the person's",
            Self::Team(_) => "the organisation's",
        }
    }
}

impl From<UserId> for Payer {
    fn from(user: UserId) -> Self {
        Self::Person(user)
    }
}

impl From<TenantId> for Payer {
    fn from(team: TenantId) -> Self {
        Self::Team(team)
    }
}

//! What owners say of the calls that go by something of theirs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::Rate;

/// What the owner of a preset or a source says of calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallRules {
    /// How fast calls may come, all together; `None` = as fast as they like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// How fast calls of single tools may come, by the name that callers of the preset see, or that
    /// the source knows it by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, Rate>,
    /// Which calls are made once. Only of presets.
    #[serde(default, skip_serializing_if = "RetryRules::is_empty")]
    pub retries: RetryRules,
}

/// Which calls are made once, however often they are sent with the same arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryRules {
    /// Calls of these tools, by the name that callers see.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tools: BTreeSet<String>,
    /// Calls of every tool that does not say of itself that it only reads, or that calling it again
    /// does nothing more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_annotations: bool,
}

/// Says what is wrong with the rules of calls.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RulesError {
    /// Too many tools are named.
    #[error("at most {} tools are named", CallRules::TOOLS_MAX)]
    TooMany,
    /// A name is too long, or empty.
    #[error("the name of a tool has 1 to {} characters", CallRules::NAME_MAX)]
    Name,
    /// A source was told which calls are made once.
    #[error("which calls are made once is said of presets, not of data sources")]
    NotOfSources,
}

impl RetryRules {
    /// Says whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty() && !self.by_annotations
    }
}

impl CallRules {
    /// How many tools may be named.
    pub const TOOLS_MAX: usize = 500;
    /// The longest name of a tool, in characters.
    pub const NAME_MAX: usize = 256;

    /// Says whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.rate.is_none() && self.tools.is_empty() && self.retries.is_empty()
    }

    /// Says what is wrong with them.
    pub fn check(&self) -> Result<(), RulesError> {
        if self.tools.len() > Self::TOOLS_MAX || self.retries.tools.len() > Self::TOOLS_MAX {
            return Err(RulesError::TooMany);
        }
        let fits = |name: &String| !name.is_empty() && name.chars().count() <= Self::NAME_MAX;
        if !self.tools.keys().all(fits) || !self.retries.tools.iter().all(fits) {
            return Err(RulesError::Name);
        }
        Ok(())
    }
}

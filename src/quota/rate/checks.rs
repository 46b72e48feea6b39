//! Which buckets a call takes from. Pure.

use uuid::Uuid;

use super::RateSettings;
use crate::model::{CallRules, Preset, Principal, Rate, SourceId, Via};

/// What is limited, the most particular first: this is the order in which refusals are told.
///
/// One more kind is a variant here, a text in [`Limited::words`], and a line in [`Checks::of`], in its
/// place. So the roles of providers will come before `Key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Limited {
    /// A tool of a preset.
    Tool,
    /// A tool of a data source, by whichever preset it is called.
    SourceTool,
    /// An API key, or what a person lets one client do.
    Key,
    /// A preset.
    Preset,
    /// A data source, by whichever preset it is called.
    Source,
    /// A person, by whichever key.
    Person,
    /// The organisation that the caller acts in.
    Organisation,
    /// A person's requests to the REST API.
    Rest,
}

impl Limited {
    /// Returns what is limited, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Tool => "this tool of the preset",
            Self::SourceTool => "this tool of the data source",
            Self::Key => "this API key or client",
            Self::Preset => "this preset",
            Self::Source => "this data source",
            Self::Person => "this person",
            Self::Organisation => "this organisation",
            Self::Rest => "this person at the REST API",
        }
    }

    /// Returns what is limited, as programs read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::SourceTool => "source_tool",
            Self::Key => "key",
            Self::Preset => "preset",
            Self::Source => "source",
            Self::Person => "person",
            Self::Organisation => "organisation",
            Self::Rest => "rest",
        }
    }
}

/// Who set a limit. Both hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SetBy {
    /// Whoever the key, preset or source belongs to.
    Owner,
    /// The operator, for all of the kind, or by a plan.
    Operator,
}

/// Names a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bucket {
    pub(super) limited: Limited,
    pub(super) set_by: SetBy,
    pub(super) id: Uuid,
    /// The hash of the tool's name, if it is of one tool.
    pub(super) tool: u64,
}

/// A bucket and the rate at which it fills.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check {
    pub(super) bucket: Bucket,
    pub(super) rate: Rate,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Who asks.
    pub caller: &'a Principal,
    /// The preset.
    pub preset: &'a Preset,
    /// The data source that answers.
    pub source: SourceId,
    /// What the source's owner says of calls; `None` = nothing.
    pub source_rules: Option<&'a CallRules>,
    /// The tool by the name callers see, and by the name the source knows; `None` = something else
    /// than a tool.
    pub tool: Option<(&'a str, &'a str)>,
}

impl Asked<'_> {
    /// Says whether its owners and the settings leave it to come as fast as it likes.
    pub(super) fn is_free(&self, settings: &RateSettings) -> bool {
        settings.is_empty()
            && self.source_rules.is_none()
            && self.preset.rules.is_empty()
            && key_rate(self.caller).is_none()
    }
}

/// How many buckets one call takes from at most.
pub(super) const CHECKS_MAX: usize = 12;

/// The buckets of one call, the most particular first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checks {
    checks: [Option<Check>; CHECKS_MAX],
    count: usize,
}

impl Checks {
    pub(super) fn none() -> Self {
        Self { checks: [None; CHECKS_MAX], count: 0 }
    }

    /// Returns the buckets that this takes from. The rate of the caller's plan takes the place of the
    /// one that the settings have for every person.
    pub(super) fn of(settings: &RateSettings, plan: Option<Rate>, asked: &Asked<'_>) -> Self {
        let mut checks = Self::none();
        let (preset, source) = (asked.preset.id.0, asked.source.0);
        let tool_rate = |rules: &CallRules, name: &str| rules.tools.get(name).copied();
        if let Some((exposed, own)) = asked.tool {
            let owner = tool_rate(&asked.preset.rules, exposed);
            checks.put(Limited::Tool, preset, hash(exposed), owner, settings.tool);
            let owner = asked.source_rules.and_then(|rules| tool_rate(rules, own));
            checks.put(Limited::SourceTool, source, hash(own), owner, None);
        }
        let key = asked.caller.member().and_then(|member| match &member.via {
            Via::ApiKey { id, .. } => Some(id.0),
            Via::Grant { id, .. } => Some(id.0),
            Via::BrowserSession(_) | Via::Shell => None,
        });
        if let Some(key) = key {
            checks.put(Limited::Key, key, 0, key_rate(asked.caller), settings.key);
        }
        checks.put(Limited::Preset, preset, 0, asked.preset.rules.rate, settings.preset);
        let owner = asked.source_rules.and_then(|rules| rules.rate);
        checks.put(Limited::Source, source, 0, owner, settings.source);
        if let Some(member) = asked.caller.member() {
            checks.put(Limited::Person, member.user.0, 0, None, plan.or(settings.person));
        }
        let organisation = asked.caller.member().map_or(asked.preset.tenant, |member| member.tenant);
        checks.put(Limited::Organisation, organisation.0, 0, None, settings.organisation);
        checks
    }

    pub(super) fn put(
        &mut self,
        limited: Limited,
        id: Uuid,
        tool: u64,
        owner: Option<Rate>,
        operator: Option<Rate>,
    ) {
        for (set_by, rate) in [(SetBy::Owner, owner), (SetBy::Operator, operator)] {
            if let Some(rate) = rate {
                self.checks[self.count] = Some(Check { bucket: Bucket { limited, set_by, id, tool }, rate });
                self.count += 1;
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Check> {
        self.checks[..self.count].iter().flatten()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

fn key_rate(caller: &Principal) -> Option<Rate> {
    match &caller.member()?.via {
        Via::ApiKey { rate, .. } => *rate,
        Via::Grant { .. } | Via::BrowserSession(_) | Via::Shell => None,
    }
}

/// Returns the hash of a tool's name (FNV-1a), the same in every process. Owners choose the names, so
/// two that meet by intent share a bucket of their own.
pub(super) fn hash(name: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

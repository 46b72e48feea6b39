//! How fast calls may come: a token bucket for each thing that is limited, several for each call.
//!
//! Buckets are in memory or, where replicas share them, in Redis. A call takes one from each of its buckets or from none of them, so that whoever is refused by one
//! has used nothing of the others. The arithmetic is `gcra.rs`, which buckets there are `checks.rs`;
//! both are pure. Never knows how a refusal is shown. One more kind of limit is a variant of
//! [`Limited`].

mod buckets;
mod checks;
mod gcra;
mod shared;
#[cfg(test)]
mod tests;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use redis::RedisError;
use thiserror::Error;

use crate::{
    clock::Ms,
    model::{ApiKey, CallRules, PresetId, Rate, SourceId, UserId},
};
use buckets::Buckets;
use checks::{Check, Checks};
use shared::{Away, Shared as InRedis};

pub use checks::{Asked, Limited, SetBy};
pub use shared::{RedisSettings, WhenAway};

/// The limits that the operator sets for all of a kind. `None` = none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateSettings {
    /// Of each API key, and each client that a person has let in.
    pub key: Option<Rate>,
    /// Of each person, unless their plan says otherwise.
    pub person: Option<Rate>,
    /// Of each organisation.
    pub organisation: Option<Rate>,
    /// Of each preset.
    pub preset: Option<Rate>,
    /// Of each data source.
    pub source: Option<Rate>,
    /// Of each tool of a preset.
    pub tool: Option<Rate>,
    /// Of each person's requests to the REST API.
    pub rest: Option<Rate>,
}

impl RateSettings {
    /// Says whether calls are not limited by them.
    fn is_empty(&self) -> bool {
        let Self { key, person, organisation, preset, source, tool, rest: _ } = self;
        [key, person, organisation, preset, source, tool].iter().all(|rate| rate.is_none())
    }
}

/// Says which limit refuses, the most particular one if several do.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{} takes no more than {rate}; there is room again in {} s", limited.words(), self.retry_after_secs())]
pub struct TooFast {
    /// What is limited.
    pub limited: Limited,
    /// Who says so.
    pub set_by: SetBy,
    /// How fast it may come.
    pub rate: Rate,
    /// When all that refuse have room again.
    pub retry_after: Duration,
}

impl TooFast {
    fn of(check: &Check) -> Self {
        let (limited, set_by) = (check.bucket.limited, check.bucket.set_by);
        Self { limited, set_by, rate: check.rate, retry_after: Duration::ZERO }
    }

    /// Returns after how many whole seconds there is room, at least one.
    pub fn retry_after_secs(&self) -> u64 {
        u64::try_from(self.retry_after.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1)
    }
}

/// How full a bucket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What is limited.
    pub limited: Limited,
    /// The tool, if a limit of one tool was asked for by its name.
    pub tool: Option<String>,
    /// Who says so.
    pub set_by: SetBy,
    /// How fast it may come.
    pub rate: Rate,
    /// How many may come at this moment.
    pub free: u32,
}

impl Standing {
    fn of(check: &Check, free: u32) -> Self {
        let (limited, set_by) = (check.bucket.limited, check.bucket.set_by);
        Self { limited, tool: None, set_by, rate: check.rate, free }
    }
}

/// Whose limits are shown.
#[derive(Clone, Copy, Debug)]
pub enum Shown<'a> {
    /// An API key's.
    Key(&'a ApiKey),
    /// A preset's and its tools'.
    Preset(PresetId, &'a CallRules),
    /// A data source's and its tools'.
    Source(SourceId, &'a CallRules),
}

/// Lets calls through as fast as they may come.
pub(super) struct Rates {
    settings: RateSettings,
    buckets: Buckets,
    /// `None` = this process is the only one.
    shared: Option<InRedis>,
    refused: AtomicU64,
}

/// Says why a call is not let through.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It comes too fast.
    TooFast(TooFast),
    /// Redis is away, and the settings say that nothing is let through then.
    Away,
}

impl Rates {
    pub(super) fn new(settings: RateSettings) -> Self {
        Self { settings, buckets: Buckets::default(), shared: None, refused: AtomicU64::new(0) }
    }

    /// Makes those whose buckets are shared.
    pub(super) fn shared(settings: RateSettings, redis: &RedisSettings) -> Result<Self, RedisError> {
        Ok(Self { shared: Some(InRedis::new(redis)?), ..Self::new(settings) })
    }

    /// Says whether this is limited by nothing but perhaps a plan.
    pub(super) fn are_free(&self, asked: &Asked<'_>) -> bool {
        asked.is_free(&self.settings)
    }

    /// Takes one from each bucket of a call. `plan` is the rate of the caller's plan.
    pub(super) async fn take(&self, asked: &Asked<'_>, plan: Option<Rate>, now: Ms) -> Result<(), Refusal> {
        self.take_all(&Checks::of(&self.settings, plan, asked), now).await
    }

    /// Takes one from the bucket of a person's requests to the REST API.
    pub(super) async fn take_rest(&self, user: UserId, now: Ms) -> Result<(), Refusal> {
        let mut checks = Checks::none();
        checks.put(Limited::Rest, user.0, 0, None, self.settings.rest);
        self.take_all(&checks, now).await
    }

    /// Returns how full the buckets of a call are.
    pub(super) async fn standing(&self, asked: &Asked<'_>, plan: Option<Rate>, now: Ms) -> Vec<Standing> {
        self.standing_of(&Checks::of(&self.settings, plan, asked), now).await
    }

    /// Returns how full the buckets of a thing are, those of its tools after its own.
    pub(super) async fn shown(&self, shown: Shown<'_>, now: Ms) -> Vec<Standing> {
        let RateSettings { key, preset, source, .. } = self.settings;
        let mut checks = Checks::none();
        let (id, of_tool, rules) = match shown {
            Shown::Key(own) => {
                checks.put(Limited::Key, own.id.0, 0, own.rate, key);
                return self.standing_of(&checks, now).await;
            }
            Shown::Preset(id, rules) => {
                checks.put(Limited::Preset, id.0, 0, rules.rate, preset);
                (id.0, Limited::Tool, rules)
            }
            Shown::Source(id, rules) => {
                checks.put(Limited::Source, id.0, 0, rules.rate, source);
                (id.0, Limited::SourceTool, rules)
            }
        };
        let mut standing = self.standing_of(&checks, now).await;
        for (name, rate) in &rules.tools {
            let mut checks = Checks::none();
            checks.put(of_tool, id, checks::hash(name), Some(*rate), None);
            let of_tool = self.standing_of(&checks, now).await;
            standing.extend(of_tool.into_iter().map(|one| Standing { tool: Some(name.clone()), ..one }));
        }
        standing
    }

    /// Forgets full buckets.
    pub(super) fn forget_full(&self, now: Ms) {
        self.buckets.forget_full(now);
    }

    /// Returns how many were refused since the start.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Says how Redis is; `None` if buckets are not shared.
    pub(super) async fn redis(&self) -> Option<RedisState> {
        let shared = self.shared.as_ref()?;
        Some(RedisState { answers: shared.ping().await.is_ok(), when_away: shared.when_away() })
    }

    /// Says whether Redis did not answer the last time it was asked.
    pub(super) fn redis_is_away(&self) -> bool {
        self.shared.as_ref().is_some_and(InRedis::is_away)
    }

    async fn take_all(&self, checks: &Checks, now: Ms) -> Result<(), Refusal> {
        if checks.is_empty() {
            return Ok(());
        }
        let taken = match &self.shared {
            None => self.buckets.take(checks, now),
            // Boxed, as what is rarely there would otherwise take its room in every call.
            Some(shared) => match Box::pin(shared.take(checks, now)).await {
                Ok(taken) => taken,
                Err(Away) if shared.when_away() == WhenAway::Open => self.buckets.take(checks, now),
                Err(Away) => return Err(Refusal::Away),
            },
        };
        taken.map_err(|too_fast| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            Refusal::TooFast(too_fast)
        })
    }

    async fn standing_of(&self, checks: &Checks, now: Ms) -> Vec<Standing> {
        if let Some(shared) = self.shared.as_ref().filter(|_| !checks.is_empty())
            && let Ok(standing) = shared.standing(checks, now).await
        {
            return standing;
        }
        self.buckets.standing(checks, now)
    }
}

/// How Redis is.
#[derive(Clone, Copy, Debug)]
pub struct RedisState {
    /// Whether it shows a sign of life.
    pub answers: bool,
    /// What becomes of calls with limits while it does not.
    pub when_away: WhenAway,
}

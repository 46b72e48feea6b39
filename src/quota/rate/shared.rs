//! The buckets that all replicas share: in Redis (or Valkey), by its clock, all of a call in one script.
//!
//! Whoever asks waits a bounded time. When Redis does not answer, it is away for a moment: nobody asks
//! it until that is over, so that a dead Redis costs no call more than the first.

use std::{
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
    time::Duration,
};

use redis::{
    Client, RedisError, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
    cmd, pipe,
};

use super::{
    Standing, TooFast,
    checks::{Bucket, Check, Checks},
    gcra,
};
use crate::{clock::Ms, model::words, secret::Secret};

/// How long a call waits for Redis.
pub(super) const WAIT: Duration = Duration::from_millis(100);
/// How long Redis is not asked after it did not answer.
const AWAY: Duration = Duration::from_secs(1);
/// The longest pause before a connection is tried again.
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// What becomes of calls with limits while Redis does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenAway {
    /// Each process limits them by itself.
    #[default]
    Open,
    /// They are refused.
    Closed,
}
words!(WhenAway { Open = "open", Closed = "closed" });

/// Where the buckets are that all replicas share.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// The address, which may hold a password.
    pub url: Secret,
    /// What becomes of calls with limits while it does not answer.
    pub when_away: WhenAway,
}

impl RedisSettings {
    /// Says what is wrong with the address, without repeating it.
    pub fn check(&self) -> Result<(), &'static str> {
        match Client::open(self.url.expose()) {
            Ok(_) => Ok(()),
            Err(_) => {
                Err("must be an address as redis://:password@redis.example.org:6379/0, or rediss:// for TLS")
            }
        }
    }
}

/// Redis did not answer in time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Away;

/// The shared buckets.
pub(super) struct Shared {
    connection: ConnectionManager,
    script: Script,
    when_away: WhenAway,
    /// Until when nobody asks.
    away_until: AtomicI64,
    /// Whether that was logged.
    is_away: AtomicBool,
}

impl Shared {
    /// Makes them; the connection is made with the first call.
    pub(super) fn new(settings: &RedisSettings) -> Result<Self, RedisError> {
        let config = ConnectionManagerConfig::new()
            .set_max_delay(PAUSE_MAX)
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(CONNECT_TIMEOUT));
        let client = Client::open(settings.url.expose())?;
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(client, config)?,
            script: Script::new(include_str!("take.lua")),
            when_away: settings.when_away,
            away_until: AtomicI64::new(0),
            is_away: AtomicBool::new(false),
        })
    }

    pub(super) fn when_away(&self) -> WhenAway {
        self.when_away
    }

    /// Says whether Redis did not answer the last time it was asked.
    pub(super) fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    /// Takes one from each, or none from any.
    pub(super) async fn take(&self, checks: &Checks, now: Ms) -> Result<Result<(), TooFast>, Away> {
        let mut invocation = self.script.prepare_invoke();
        for check in checks.iter() {
            let interval = check.rate.interval_us();
            let holds = interval * i64::from(check.rate.at_once());
            invocation.key(key(&check.bucket)).arg(interval).arg(holds);
        }
        let mut connection = self.connection.clone();
        let (refused, wait_us): (usize, i64) =
            self.ask(now, invocation.invoke_async(&mut connection)).await?;
        let Some(check) = refused.checked_sub(1).and_then(|place| checks.iter().nth(place)) else {
            return Ok(Ok(()));
        };
        let retry_after = Duration::from_micros(u64::try_from(wait_us).unwrap_or(0));
        Ok(Err(TooFast { retry_after, ..TooFast::of(check) }))
    }

    /// Returns how full each is.
    pub(super) async fn standing(&self, checks: &Checks, now: Ms) -> Result<Vec<Standing>, Away> {
        let mut read = cmd("MGET");
        for check in checks.iter() {
            read.arg(key(&check.bucket));
        }
        let mut both = pipe();
        both.cmd("TIME").add_command(read);
        let mut connection = self.connection.clone();
        let ((secs, us), kept): ((i64, i64), Vec<Option<i64>>) =
            self.ask(now, both.query_async(&mut connection)).await?;
        let now_us = secs * 1_000_000 + us;
        let standing = |(check, kept): (&Check, Option<i64>)| {
            let full_at = gcra::under(kept.unwrap_or(gcra::FULL), check.rate, now_us);
            Standing::of(check, gcra::free(full_at, check.rate, now_us))
        };
        Ok(checks.iter().zip(kept).map(standing).collect())
    }

    /// Asks for a sign of life, also while nobody asks.
    pub(super) async fn ping(&self) -> Result<(), Away> {
        let mut connection = self.connection.clone();
        let ping = cmd("PING");
        match tokio::time::timeout(CONNECT_TIMEOUT, ping.query_async::<String>(&mut connection)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Away),
        }
    }

    async fn ask<T>(&self, now: Ms, asking: impl Future<Output = Result<T, RedisError>>) -> Result<T, Away> {
        if now.0 < self.away_until.load(Ordering::Relaxed) {
            return Err(Away);
        }
        let why = match tokio::time::timeout(WAIT, asking).await {
            Ok(Ok(answer)) => {
                if self.is_away.swap(false, Ordering::Relaxed) {
                    tracing::info!("Redis answers again: limits are shared");
                }
                return Ok(answer);
            }
            // The address may hold a password, and an error may hold the address.
            Ok(Err(error)) => error.category().to_owned(),
            Err(_) => "no answer in time".to_owned(),
        };
        self.away_until.store(now.plus(AWAY).0, Ordering::Relaxed);
        if !self.is_away.swap(true, Ordering::Relaxed) {
            let done = match self.when_away {
                WhenAway::Open => "each process limits calls by itself",
                WhenAway::Closed => "calls with limits are refused",
            };
            tracing::warn!("Redis does not answer ({why}): {done}");
        }
        Err(Away)
    }
}

/// Names a bucket. The braces keep all of them in one slot of a cluster.
fn key(bucket: &Bucket) -> String {
    let Bucket { limited, set_by, id, tool } = bucket;
    format!("{{doorward}}:rate:{}:{}:{}:{tool:x}", limited.word(), *set_by as u8, id.simple())
}

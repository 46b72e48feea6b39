//! How often something was tried, as token buckets that all processes share. Each is kept as the time at which it will be
//! full again; one that is full has no row.

use std::time::Duration;

use sqlx::{query, query_scalar};

use crate::{
    clock::Ms,
    store::{Result, SystemTx, changed, on},
};

/// How often one thing may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptBucket {
    /// Names it.
    pub subject: [u8; 32],
    /// How many attempts in a row there are.
    pub burst: u32,
    /// How long until there is one more.
    pub refill: Duration,
}

impl SystemTx {
    /// Counts an attempt; returns how long to wait if there is none left, and then counts nothing.
    pub async fn take_attempt(&mut self, bucket: &AttemptBucket, now: Ms) -> Result<Option<Duration>> {
        let AttemptBucket { subject, burst, refill } = bucket;
        let (taken, latest) = (now.plus(*refill), now.plus(*refill * *burst));
        let counted = changed!(
            self,
            query(
                "insert into sign_in_attempts (subject, full_at) values ($1, $2)
                 on conflict (subject) do update set full_at =
                    case when sign_in_attempts.full_at > $3 then sign_in_attempts.full_at else $3 end + ($2 - $3)
                 where sign_in_attempts.full_at + ($2 - $3) <= $4"
            )
            .bind(subject.as_slice())
            .bind(taken)
            .bind(now)
            .bind(latest)
        );
        if counted > 0 {
            return Ok(None);
        }
        let full_at: Option<Ms> = on!(self, |c| {
            query_scalar("select full_at from sign_in_attempts where subject = $1")
                .bind(subject.as_slice())
                .fetch_optional(c)
                .await
        })?;
        Ok(Some(full_at.map_or(Duration::ZERO, |full_at| full_at.plus(*refill).since(latest))))
    }

    /// Takes an attempt back.
    pub async fn give_attempt_back(&mut self, bucket: &AttemptBucket) -> Result<()> {
        let refill_ms = i64::try_from(bucket.refill.as_millis()).unwrap_or(i64::MAX);
        changed!(
            self,
            query("update sign_in_attempts set full_at = full_at - $2 where subject = $1")
                .bind(bucket.subject.as_slice())
                .bind(refill_ms)
        );
        Ok(())
    }

    /// Forgives every attempt.
    pub async fn forgive_attempts(&mut self, bucket: &AttemptBucket) -> Result<()> {
        changed!(
            self,
            query("delete from sign_in_attempts where subject = $1").bind(bucket.subject.as_slice())
        );
        Ok(())
    }

    /// Removes what is full again. Returns how many there were.
    pub async fn remove_old_attempts(&mut self, now: Ms) -> Result<u64> {
        Ok(changed!(self, query("delete from sign_in_attempts where full_at <= $1").bind(now)))
    }
}

//! How fast passwords and codes may be tried. The database counts, so that whoever tries at several processes has no more
//! attempts, and none is forgotten when one starts anew.
//!
//! Every attempt takes a token from each of its buckets, such as the account's and the address's; a successful one
//! puts them back. Each bucket refills with time. The account's is the slower one, since trying from
//! many addresses is cheap; whoever is shut out of their account by another's attempts waits seconds,
//! not hours. Who was refused is refused from memory until there is a token again: a flood of attempts costs the database
//! nothing.

use std::{collections::HashMap, hash::Hash, net::IpAddr, time::Duration};

use sha2::{Digest, Sha256};

use super::{Identity, IdentityError};
use crate::{
    clock::Ms,
    model::UserId,
    store::{AttemptBucket, StoreError},
};

/// Attempts at one account in a row.
const ACCOUNT_BURST: u32 = 8;
/// An account gets one more attempt after this long.
const ACCOUNT_REFILL: Duration = Duration::from_secs(30);
/// Attempts from one address in a row; an office behind one address has several people.
const ADDRESS_BURST: u32 = 20;
/// An address gets one more attempt after this long.
const ADDRESS_REFILL: Duration = Duration::from_secs(10);
/// Logins with other providers begun from one address in a row; each is a row in the database.
const LOGIN_BURST: u32 = 100;
/// An address may begin one more after this long.
const LOGIN_REFILL: Duration = Duration::from_secs(3);
/// Codes of a second factor tried in a row. Six digits are soon guessed by whoever has the password.
const CODE_BURST: u32 = 5;
/// One more code may be tried after this long.
const CODE_REFILL: Duration = Duration::from_secs(300);
/// How many refusals are remembered, and how many keys have buckets in memory.
pub(super) const SUBJECTS_MAX: usize = 10_000;

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attempt<'a> {
    /// The password of an account, as it was named.
    Account(&'a str),
    /// Passwords from an address.
    Address(IpAddr),
    /// To begin a login with another provider, from an address.
    Login(IpAddr),
    /// The code of a person's second factor.
    Code(UserId),
}

impl Attempt<'_> {
    fn bucket(&self) -> AttemptBucket {
        // What is typed as a name may be long, and may be a password typed in the wrong place.
        let (kind, what, burst, refill) = match self {
            Self::Account(name) => ("account", (*name).to_owned(), ACCOUNT_BURST, ACCOUNT_REFILL),
            Self::Address(from) => ("address", network(*from).to_string(), ADDRESS_BURST, ADDRESS_REFILL),
            Self::Login(from) => ("login", network(*from).to_string(), LOGIN_BURST, LOGIN_REFILL),
            Self::Code(user) => ("code", user.to_string(), CODE_BURST, CODE_REFILL),
        };
        let subject = Sha256::digest(format!("{kind} {what}").as_bytes()).into();
        AttemptBucket { subject, burst, refill }
    }
}

impl Identity {
    /// Counts an attempt, or says how long to wait. An attempt that is refused is not counted.
    pub(super) async fn admit(&self, attempt: &[Attempt<'_>]) -> Result<(), IdentityError> {
        let buckets: Vec<AttemptBucket> = attempt.iter().map(Attempt::bucket).collect();
        let now = self.0.clock.now();
        let known = buckets.iter().filter_map(|bucket| self.0.refused.get(&bucket.subject));
        if let Some(until) = known.filter(|until| *until > now).max() {
            return Err(IdentityError::Throttled { retry_after: until.since(now) });
        }
        let mut tx = self.0.store.system().await?;
        let mut longest = None;
        for bucket in &buckets {
            if let Some(wait) = tx.take_attempt(bucket, now).await? {
                self.0.refused.insert(bucket.subject, now.plus(wait));
                longest = longest.max(Some(wait));
            }
        }
        if let Some(retry_after) = longest {
            return Err(IdentityError::Throttled { retry_after });
        }
        Ok(tx.commit().await?)
    }

    /// Forgives an account's attempts and takes this one back from the address.
    pub(super) async fn succeeded(&self, account: &str, address: Option<IpAddr>) -> Result<(), StoreError> {
        let account = Attempt::Account(account).bucket();
        self.0.refused.invalidate(&account.subject);
        let mut tx = self.0.store.system().await?;
        tx.forgive_attempts(&account).await?;
        if let Some(address) = address {
            tx.give_attempt_back(&Attempt::Address(address).bucket()).await?;
        }
        tx.commit().await
    }

    /// Forgives the codes that a person tried before the right one.
    pub(super) async fn forgive_codes(&self, user: UserId) -> Result<(), StoreError> {
        let codes = Attempt::Code(user).bucket();
        self.0.refused.invalidate(&codes.subject);
        let mut tx = self.0.store.system().await?;
        tx.forgive_attempts(&codes).await?;
        tx.commit().await
    }

    /// Forgets attempts that count no more; called by a background job.
    pub async fn forget_old_attempts(&self) -> Result<u64, StoreError> {
        let mut tx = self.0.store.system().await?;
        let forgotten = tx.remove_old_attempts(self.0.clock.now()).await?;
        tx.commit().await?;
        Ok(forgotten)
    }
}

/// Returns what one person has: an IPv4 address, or the first half of an IPv6 address.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
    }
}

/// Buckets in memory that are full but for these; each is kept as the time at which it will be full again.
pub(crate) struct Buckets<K> {
    refill: Duration,
    /// How far in the future "full again" may lie.
    room: Duration,
    full_at: HashMap<K, Ms>,
}

impl<K: Copy + Eq + Hash> Buckets<K> {
    pub(crate) fn new(burst: u32, refill: Duration) -> Self {
        Self { refill, room: refill * burst, full_at: HashMap::new() }
    }

    /// Takes a token, or says how long until there is one.
    pub(crate) fn admit(&mut self, key: K, now: Ms) -> Result<(), Duration> {
        let wait = self.wait(&key, now);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.take(key, now);
        Ok(())
    }

    /// Returns how long until there is a token; zero if there is one.
    fn wait(&self, key: &K, now: Ms) -> Duration {
        let full_at = self.full_at.get(key).copied().unwrap_or(now).max(now);
        (full_at.since(now) + self.refill).saturating_sub(self.room)
    }

    fn take(&mut self, key: K, now: Ms) {
        if self.full_at.len() >= SUBJECTS_MAX && !self.full_at.contains_key(&key) {
            self.make_room(now);
        }
        let full_at = self.full_at.entry(key).or_insert(now);
        *full_at = (*full_at).max(now).plus(self.refill);
    }

    /// Forgets the full buckets, and if that is not enough, the half that is nearest to full: those
    /// who tried most stay.
    fn make_room(&mut self, now: Ms) {
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() >= SUBJECTS_MAX {
            let mut times: Vec<_> = self.full_at.values().copied().collect();
            let middle = times.len() / 2;
            let (_, median, _) = times.select_nth_unstable(middle);
            let median = *median;
            self.full_at.retain(|_, full_at| *full_at > median);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Ms = Ms(1_000_000);

    #[test]
    fn memory_is_bounded_and_those_who_tried_most_stay() {
        let mut buckets = Buckets::new(8, Duration::from_secs(30));
        (0..8).for_each(|_| buckets.admit(0, NOW).unwrap());
        for n in 1..3 * SUBJECTS_MAX {
            buckets.admit(n, NOW).unwrap();
        }

        assert!(buckets.full_at.len() <= SUBJECTS_MAX);
        assert!(buckets.admit(0, NOW).is_err());
    }

    #[test]
    fn a_whole_ipv6_network_is_one_address() {
        let subject = |text: &str| Attempt::Address(text.parse().unwrap()).bucket().subject;

        assert_eq!(subject("2001:db8::1"), subject("2001:db8::2:3"));
        assert_ne!(subject("2001:db8::1"), subject("2001:db8:0:1::1"));
        assert_eq!(subject("::ffff:192.0.2.1"), subject("192.0.2.1"));
    }
}

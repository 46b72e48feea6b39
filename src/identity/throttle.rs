//! How fast passwords may be tried: the deciding part, free of I/O and of the time.
//!
//! Every attempt takes a token from two buckets, the account's and the address's; a successful one
//! puts them back. Each bucket refills with time. The account's is the slower one, since trying from
//! many addresses is cheap; whoever is shut out of their account by another's attempts waits seconds,
//! not hours.

use std::{collections::HashMap, hash::Hash, net::IpAddr, time::Duration};

use sha2::{Digest, Sha256};

use crate::{clock::Ms, model::UserId};

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
/// How many accounts and how many addresses are remembered.
const SUBJECTS_MAX: usize = 10_000;

/// Remembers who tried.
pub(super) struct Throttle {
    accounts: Buckets<[u8; 32]>,
    addresses: Buckets<IpAddr>,
    logins: Buckets<IpAddr>,
    codes: Buckets<UserId>,
}

impl Throttle {
    pub(super) fn new() -> Self {
        Self {
            accounts: Buckets::new(ACCOUNT_BURST, ACCOUNT_REFILL),
            addresses: Buckets::new(ADDRESS_BURST, ADDRESS_REFILL),
            logins: Buckets::new(LOGIN_BURST, LOGIN_REFILL),
            codes: Buckets::new(CODE_BURST, CODE_REFILL),
        }
    }

    /// Counts an attempt, or says how long to wait. An attempt that is refused is not counted.
    pub(super) fn admit(&mut self, account: &str, address: Option<IpAddr>, now: Ms) -> Result<(), Duration> {
        let account = digest(account);
        let address = address.map(network);
        let by_account = self.accounts.wait(&account, now);
        let by_address = address.map_or(Duration::ZERO, |address| self.addresses.wait(&address, now));
        let wait = by_account.max(by_address);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.accounts.take(account, now);
        if let Some(address) = address {
            self.addresses.take(address, now);
        }
        Ok(())
    }

    /// Counts a login with another provider that is begun, or says how long to wait.
    pub(super) fn admit_login(&mut self, address: IpAddr, now: Ms) -> Result<(), Duration> {
        self.logins.admit(network(address), now)
    }

    /// Counts a code of a person's second factor that is tried, or says how long to wait.
    pub(super) fn admit_code(&mut self, user: UserId, now: Ms) -> Result<(), Duration> {
        self.codes.admit(user, now)
    }

    /// Forgives the codes that a person tried before the right one.
    pub(super) fn code_was_right(&mut self, user: UserId) {
        self.codes.forget(&user);
    }

    /// Forgives the account's attempts and takes this one back from the address.
    pub(super) fn succeeded(&mut self, account: &str, address: Option<IpAddr>) {
        self.accounts.forget(&digest(account));
        if let Some(address) = address {
            self.addresses.give_back(&network(address));
        }
    }
}

/// What is typed as a name may be long, and may be a password typed in the wrong place.
fn digest(account: &str) -> [u8; 32] {
    Sha256::digest(account.as_bytes()).into()
}

/// Returns what one person has: an IPv4 address, or the first half of an IPv6 address.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
    }
}

/// Buckets that are full but for these; each is kept as the time at which it will be full again.
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

    fn give_back(&mut self, key: &K) {
        if let Some(full_at) = self.full_at.get_mut(key) {
            *full_at = full_at.minus(self.refill);
        }
    }

    fn forget(&mut self, key: &K) {
        self.full_at.remove(key);
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
    fn an_account_is_tried_so_often_and_then_slowly() {
        let mut throttle = Throttle::new();
        let admitted = (0..20).filter(|n| throttle.admit("ada", address(*n), NOW).is_ok()).count();
        assert_eq!(admitted, ACCOUNT_BURST as usize);
        assert_eq!(throttle.admit("ada", address(99), NOW), Err(ACCOUNT_REFILL));

        let later = NOW.plus(ACCOUNT_REFILL);

        assert!(throttle.admit("ada", address(99), later).is_ok());
        assert!(throttle.admit("ada", address(99), later).is_err());
        assert!(throttle.admit("bob", address(99), later).is_ok());
    }

    #[test]
    fn an_address_tries_so_many_accounts_and_then_slowly() {
        let mut throttle = Throttle::new();
        let admitted = (0..50).filter(|n| throttle.admit(&n.to_string(), address(1), NOW).is_ok()).count();

        assert_eq!(admitted, ADDRESS_BURST as usize);
        assert_eq!(throttle.admit("new", address(1), NOW), Err(ADDRESS_REFILL));
        assert!(throttle.admit("new", address(2), NOW).is_ok());
        assert!(throttle.admit("new", address(1), NOW.plus(ADDRESS_REFILL)).is_ok());
    }

    #[test]
    fn signing_in_forgives_the_attempts_before_it() {
        let mut throttle = Throttle::new();
        for _ in 0..ACCOUNT_BURST {
            throttle.admit("ada", address(1), NOW).unwrap();
        }

        throttle.succeeded("ada", address(1));

        assert!(throttle.admit("ada", address(1), NOW).is_ok());
    }

    #[test]
    fn a_whole_ipv6_network_is_one_address() {
        let mut throttle = Throttle::new();
        let mut from = |n: u16, account: &str| {
            let address = format!("2001:db8::{n:x}").parse().ok();
            throttle.admit(account, address, NOW).is_ok()
        };

        let admitted = (0..50).filter(|n| from(*n, &n.to_string())).count();

        assert_eq!(admitted, ADDRESS_BURST as usize);
    }

    #[test]
    fn memory_is_bounded_and_those_who_tried_most_stay() {
        let mut throttle = Throttle::new();
        for _ in 0..ACCOUNT_BURST {
            throttle.admit("ada", None, NOW).unwrap();
        }
        for n in 0..3 * SUBJECTS_MAX {
            throttle.admit(&format!("stranger {n}"), None, NOW).unwrap();
        }

        assert!(throttle.accounts.full_at.len() <= SUBJECTS_MAX);
        assert!(throttle.admit("ada", None, NOW).is_err());
    }

    fn address(n: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, n]))
    }
}

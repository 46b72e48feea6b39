//! Passwords: whether one is good enough, and its hash.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{Error as HashError, PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

use super::{IdentityError, IdentitySettings, PasswordCost};
use crate::secret::Secret;

/// The shortest password accepted, in characters.
const CHARACTERS_MIN: usize = 10;
/// How many different characters a password has at least.
const CHARACTERS_DISTINCT_MIN: usize = 5;
/// The longest password accepted, in bytes.
pub(super) const BYTES_MAX: usize = 1024;
/// What stands for the hash of an account that has no password, and that none opens.
pub(super) const NO_PASSWORD: &str = "!";

/// Says whether the account of this hash has a password.
pub(super) fn is_set(hash: Option<&str>) -> bool {
    hash.is_some_and(|hash| hash != NO_PASSWORD)
}
/// How many people may wait for their password to be checked.
const WAITING_MAX: usize = 64;

/// Passwords that everybody tries first, in lower case.
const COMMON: &[&str] = &[
    "0123456789",
    "1234567890",
    "1q2w3e4r5t",
    "1qaz2wsx3edc",
    "abcdefghij",
    "adminadmin",
    "administrator",
    "changeme123",
    "changemenow",
    "doorwarddoorward",
    "letmein123",
    "password01",
    "password10",
    "password12",
    "password123",
    "password1234",
    "passwordpassword",
    "qwertyuiop",
    "qwerty1234",
    "qwerty12345",
    "welcome123",
    "welcome1234",
];

/// Says whether a new password is good enough for the person of these names.
pub(super) fn check(password: &Secret, names: &[&str]) -> Result<(), IdentityError> {
    let text = password.expose();
    let lower = text.to_lowercase();
    let why = if text.chars().count() < CHARACTERS_MIN {
        "is shorter than 10 characters"
    } else if text.len() > BYTES_MAX {
        "is longer than 1024 bytes"
    } else if text.chars().collect::<HashSet<_>>().len() < CHARACTERS_DISTINCT_MIN {
        "has fewer than five different characters"
    } else if counts(text.chars()) || counts(text.chars().rev()) {
        "only counts"
    } else if COMMON.contains(&lower.as_str()) {
        "is one that everybody tries first"
    } else if names.iter().any(|name| lower == name.to_lowercase()) {
        "is the name of the account"
    } else {
        return Ok(());
    };
    Err(IdentityError::WeakPassword { why })
}

/// Says whether each character is the one after that before it, as in `abcdef` or `890123`.
fn counts(characters: impl Iterator<Item = char> + Clone) -> bool {
    let next = characters.clone().skip(1);
    characters.zip(next).all(|(one, next)| u32::from(next) == u32::from(one) + 1 || (one, next) == ('9', '0'))
}

/// What checking a password found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// It is another one.
    Wrong,
    /// It is the right one.
    Right,
    /// It is the right one, and its hash took other work than a new one would.
    RightButOutdated,
}

/// Hashes passwords, a few at a time, away from the threads that serve.
pub(super) struct Passwords {
    cost: PasswordCost,
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Passwords {
    pub(super) fn new(settings: &IdentitySettings) -> Self {
        Self {
            cost: settings.password_cost,
            slots: Arc::new(Semaphore::new(settings.hashes_at_once.get())),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Returns the hash of a new password, as a PHC string.
    pub(super) async fn hash(&self, password: Secret) -> Result<String, IdentityError> {
        let cost = self.cost;
        self.work(move || hash(cost, &password)).await
    }

    /// Checks a password against its hash. Without one, because there is no such account or it has no
    /// password, the same work is done and the answer is no.
    pub(super) async fn check(
        &self,
        password: Secret,
        expected: Option<String>,
    ) -> Result<Checked, IdentityError> {
        let cost = self.cost;
        self.work(move || match expected {
            Some(expected) if expected != NO_PASSWORD => verify(cost, &password, &expected),
            // Takes as long, so that the time does not tell.
            Some(_) | None => hash(cost, &password).map(|_| Checked::Wrong),
        })
        .await
    }

    /// Runs one piece of work when a slot is free. Work that has begun runs to its end and keeps
    /// its slot, also when whoever asked has left.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, IdentityError> {
        let waiting = Waiting::begin(&self.waiting).ok_or(IdentityError::Busy)?;
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| IdentityError::Busy)?;
        drop(waiting);
        let done = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            work()
        });
        done.await.map_err(|_| IdentityError::Busy)?.map_err(IdentityError::Hash)
    }
}

/// One place among those who wait.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Option<Self> {
        let place = Self(count);
        (count.fetch_add(1, Ordering::AcqRel) < WAITING_MAX).then_some(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn hash(cost: PasswordCost, password: &Secret) -> Result<String, HashError> {
    hasher(cost)?.hash_password(password.expose().as_bytes()).map(|hash| hash.to_string())
}

fn verify(cost: PasswordCost, password: &Secret, expected: &str) -> Result<Checked, HashError> {
    let expected = PasswordHash::new(expected).map_err(|_| HashError::EncodingInvalid)?;
    let hasher = hasher(cost)?;
    match hasher.verify_password(password.expose().as_bytes(), &expected) {
        Ok(())
            if Params::try_from(&expected)?.block_count() == hasher.params().block_count()
                && Params::try_from(&expected)?.t_cost() == cost.passes =>
        {
            Ok(Checked::Right)
        }
        Ok(()) => Ok(Checked::RightButOutdated),
        Err(HashError::PasswordInvalid) => Ok(Checked::Wrong),
        Err(error) => Err(error),
    }
}

fn hasher(cost: PasswordCost) -> Result<Argon2<'static>, HashError> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_opens_its_own_hash_only() {
        let passwords = Passwords::new(&cheap(1));
        let hash = passwords.hash(Secret::new("correct horse")).await.unwrap();

        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        assert_eq!(check_with(&passwords, "correct horse", &hash).await, Checked::Right);
        assert_eq!(check_with(&passwords, "wrong horse", &hash).await, Checked::Wrong);
        assert_eq!(passwords.check(Secret::new("x"), None).await.unwrap(), Checked::Wrong);
        for guess in ["", "!", "x"] {
            assert_eq!(check_with(&passwords, guess, NO_PASSWORD).await, Checked::Wrong);
        }
    }

    #[tokio::test]
    async fn a_hash_of_other_work_is_outdated() {
        let hash = Passwords::new(&cheap(1)).hash(Secret::new("correct horse")).await.unwrap();

        let found = check_with(&Passwords::new(&cheap(2)), "correct horse", &hash).await;

        assert_eq!(found, Checked::RightButOutdated);
    }

    #[tokio::test]
    async fn only_so_many_wait() {
        let passwords = Passwords::new(&cheap(1));
        let places: Vec<_> = (0..WAITING_MAX).map(|_| Waiting::begin(&passwords.waiting)).collect();
        assert!(places.iter().all(Option::is_some));

        let refused = passwords.hash(Secret::new("correct horse")).await;
        drop(places);
        let served = passwords.hash(Secret::new("correct horse")).await;

        assert!(matches!(refused, Err(IdentityError::Busy)));
        assert!(served.is_ok());
    }

    #[test]
    fn passwords_that_are_tried_first_are_refused() {
        let counted = ["12345678901234", "98765432109876", "abcdefghijklm", "abababababab"];
        let others = ["short", "aaaaaaaaaaaa", "Password123", "ada@example.org", &"x1".repeat(600)];
        for weak in counted.into_iter().chain(others) {
            assert!(check(&Secret::new(weak), &["ada", "Ada@example.org"]).is_err(), "{weak} was accepted");
        }
        assert!(check(&Secret::new("correct horse"), &["ada"]).is_ok());
        assert!(check(&Secret::new("pässwörter"), &["ada"]).is_ok());
        assert!(check(&Secret::new("abcdefghijk and more"), &["ada"]).is_ok());
    }

    fn cheap(passes: u32) -> IdentitySettings {
        IdentitySettings {
            password_cost: PasswordCost { memory_kib: 64, passes, lanes: 1 },
            ..IdentitySettings::default()
        }
    }

    async fn check_with(passwords: &Passwords, password: &str, hash: &str) -> Checked {
        passwords.check(Secret::new(password), Some(hash.to_owned())).await.unwrap()
    }
}

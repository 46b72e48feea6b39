//! The second factor: one-time codes of an authenticator (TOTP, RFC 6238), and recovery codes.
//!
//! Whoever has one switched on shows it after the password or the login with another provider; API
//! keys go on working. A code is accepted once, and few may be tried.

use std::time::Duration;

use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

use super::{Identity, IdentityError, NewSession, Origin, record::Deed, token};
use crate::{
    clock::Ms,
    model::{Action, Member, TenantId, User, UserId},
    policy::{self, AdminPermit},
    secret::Secret,
    store::{FactorRow, HalfRow},
    vault::Place,
};

/// How long somebody who has shown the first factor may take to show the second.
const HALF_LIFETIME: Duration = Duration::from_secs(600);
/// How many recovery codes a person gets.
const RECOVERY_CODES: usize = 10;
/// The bytes of a recovery code: 80 random bits, so that one SHA-256 hides them.
const RECOVERY_BYTES: usize = 10;
/// The bytes of a shared secret, as RFC 4226 recommends.
const SECRET_BYTES: usize = 20;
/// The longest code looked at, in bytes.
const CODE_BYTES_MAX: usize = 64;
/// The digits of a one-time code.
const DIGITS: usize = 6;
/// What authenticators show above the code.
const ISSUER: &str = "Doorward";

/// A person's second factor.
#[derive(Clone, Debug)]
pub enum SecondFactor {
    /// There is none.
    Off,
    /// Its secret waits for the person to show that they have it.
    Begun {
        /// The secret, to be typed into an authenticator.
        secret: Secret,
        /// The same as an address for a QR code.
        address: Secret,
    },
    /// It is asked for.
    On {
        /// Since when.
        since: Ms,
        /// How many recovery codes are left.
        recovery_left: i64,
    },
}

impl Identity {
    /// Returns the person's second factor.
    pub async fn second_factor(&self, member: &Member) -> Result<SecondFactor, IdentityError> {
        let permit = policy::may_use_account(member)?;
        let mut tx = self.0.store.system_read().await?;
        let Some(row) = tx.find_factor(permit.user()).await? else { return Ok(SecondFactor::Off) };
        if let Some(since) = row.confirmed_at {
            let recovery_left = tx.count_recovery_codes(permit.user()).await?;
            return Ok(SecondFactor::On { since, recovery_left });
        }
        drop(tx);
        let secret = self.open_secret(permit.user(), &row)?;
        let totp = totp(&secret, member.handle.as_str());
        let address = totp.to_url().map_err(|_| IdentityError::BadFactor)?;
        Ok(SecondFactor::Begun { secret: Secret::new(base32(&secret)), address: Secret::new(address) })
    }

    /// Makes a secret for a second factor that the person has yet to confirm. They show their
    /// password, if the account has one.
    pub async fn begin_second_factor(&self, member: &Member, password: Secret) -> Result<(), IdentityError> {
        let user = self.confirm(member, password, Action::FactorChange).await?;
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        getrandom::fill(secret.as_mut_slice()).map_err(IdentityError::Random)?;
        let sealed = self.0.vault.seal(&place(user.tenant, user.id), secret.as_slice())?;
        let mut tx = self.0.store.system().await?;
        if !tx.begin_factor(user.tenant, user.id, &sealed).await? {
            return Err(IdentityError::FactorIsOn);
        }
        tx.commit().await?;
        Ok(())
    }

    /// Switches the second factor on once the person has shown a code of it. Returns the recovery
    /// codes, which are not kept and never shown again.
    pub async fn confirm_second_factor(
        &self,
        member: &Member,
        code: &str,
    ) -> Result<Vec<Secret>, IdentityError> {
        let permit = policy::may_use_account(member)?;
        self.admit_code(permit.user())?;
        let row = self.0.store.system_read().await?.find_factor(permit.user()).await?;
        let row = row.filter(|row| row.confirmed_at.is_none()).ok_or(IdentityError::NoFactor)?;
        let Some(step) = self.step_of(permit.user(), &row, code)? else {
            return Err(IdentityError::WrongCode);
        };
        let codes: Vec<Secret> =
            (0..RECOVERY_CODES).map(|_| recovery_code()).collect::<Result<_, IdentityError>>()?;
        let hashes: Vec<_> = codes.iter().filter_map(|code| recovery_digest(code.expose())).collect();

        let mut tx = self.0.store.system().await?;
        let used = tx.use_factor_step(permit.user(), step).await?;
        let now = self.0.clock.now();
        if !used || !tx.confirm_factor(row.tenant_id, permit.user(), now, &hashes).await? {
            return Err(IdentityError::WrongCode);
        }
        tx.commit().await?;
        self.forgive_codes(permit.user());
        self.record_of(member, Deed::done(Action::FactorChange, "switched on"));
        Ok(codes)
    }

    /// Switches the second factor off, which the person confirms by a code of it.
    pub async fn remove_second_factor(&self, member: &Member, code: &str) -> Result<(), IdentityError> {
        let permit = policy::may_use_account(member)?;
        if !self.check_code(permit.user(), code).await? {
            self.record_of(member, Deed::refused(Action::FactorChange, "the code is wrong"));
            return Err(IdentityError::WrongCode);
        }
        let mut tx = self.0.store.system().await?;
        tx.remove_factor(permit.user()).await?;
        tx.commit().await?;
        self.record_of(member, Deed::done(Action::FactorChange, "switched off"));
        Ok(())
    }

    /// Takes a person's second factor away, who has lost it; `false` if they have none.
    pub async fn reset_second_factor(&self, permit: &AdminPermit, id: UserId) -> Result<bool, IdentityError> {
        let mut tx = self.0.store.system().await?;
        let Some(user) = tx.find_user(id).await? else { return Ok(false) };
        let removed = tx.remove_factor(user.id).await?;
        tx.commit().await?;
        if removed {
            let tenant = permit.actor().tenant.unwrap_or(user.tenant);
            let reset = format!("reset for {}", user.handle);
            self.record(tenant, permit.actor(), Deed::done(Action::FactorChange, &reset));
        }
        Ok(removed)
    }

    /// Lets somebody in who has shown the first factor, by the password or with the provider of that
    /// name, or says that they have to show the second.
    pub(super) async fn enter(
        &self,
        user: &User,
        origin: &Origin,
        provider: &str,
    ) -> Result<NewSession, IdentityError> {
        let factor = self.0.store.system_read().await?.find_factor(user.id).await?;
        if factor.is_none_or(|factor| factor.confirmed_at.is_none()) {
            return self.open_session(user, origin, provider).await;
        }
        let cookie = token::random_token()?;
        let half = HalfRow { user_id: user.id, provider: provider.to_owned() };
        let ends = self.0.clock.now().plus(HALF_LIFETIME);
        let mut tx = self.0.store.system().await?;
        tx.add_half_sign_in(&token::digest(cookie.expose()), &half, ends).await?;
        tx.commit().await?;
        Err(IdentityError::CodeNeeded { cookie })
    }

    /// Says whether the browser of this cookie has yet to show the second factor.
    pub async fn is_half_signed_in(&self, cookie: &str) -> Result<bool, IdentityError> {
        Ok(self.half_sign_in(cookie).await?.is_some())
    }

    /// Lets the browser of this cookie in, whose person shows a code of their second factor or a
    /// recovery code.
    pub async fn sign_in_with_code(
        &self,
        cookie: &str,
        code: &str,
        origin: &Origin,
    ) -> Result<NewSession, IdentityError> {
        let half = self.half_sign_in(cookie).await?.ok_or(IdentityError::CodeTooLate)?;
        let user = self.0.store.system_read().await?.find_user(half.user_id).await?;
        let user = user.filter(|user| user.enabled).ok_or(IdentityError::Disabled)?;
        let right = match self.check_code(user.id, code).await {
            Err(error @ IdentityError::Throttled { .. }) => {
                if let Some(reason) = self.worth_recording("too many codes") {
                    self.record_sign_in(&user, origin, Deed::refused(Action::SignIn, reason));
                }
                return Err(error);
            }
            other => other?,
        };
        if !right {
            self.record_sign_in(&user, origin, Deed::refused(Action::SignIn, "the code is wrong"));
            return Err(IdentityError::WrongCode);
        }
        let mut tx = self.0.store.system().await?;
        let first = tx.remove_half_sign_in(&token::digest(cookie)).await?;
        tx.commit().await?;
        if !first {
            return Err(IdentityError::CodeTooLate);
        }
        self.open_session(&user, origin, &half.provider).await
    }

    async fn half_sign_in(&self, cookie: &str) -> Result<Option<HalfRow>, IdentityError> {
        if !token::is_random_token(cookie) {
            return Ok(None);
        }
        let mut tx = self.0.store.system_read().await?;
        Ok(tx.find_half_sign_in(&token::digest(cookie), self.0.clock.now()).await?)
    }

    /// Uses up a one-time code or a recovery code of a person; `false` if it is neither, or was used.
    async fn check_code(&self, user: UserId, code: &str) -> Result<bool, IdentityError> {
        self.admit_code(user)?;
        let row = self.0.store.system_read().await?.find_factor(user).await?;
        let row = row.filter(|row| row.confirmed_at.is_some()).ok_or(IdentityError::NoFactor)?;
        let step = self.step_of(user, &row, code)?;
        let mut tx = self.0.store.system().await?;
        let right = match (step, recovery_digest(code)) {
            (Some(step), _) => tx.use_factor_step(user, step).await?,
            (None, Some(hash)) => tx.use_recovery_code(user, &hash).await?,
            (None, None) => false,
        };
        tx.commit().await?;
        if right {
            self.forgive_codes(user);
        }
        Ok(right)
    }

    /// Returns the time step of a one-time code; `None` if it is wrong, or of another time.
    fn step_of(&self, user: UserId, row: &FactorRow, code: &str) -> Result<Option<i64>, IdentityError> {
        let digits: String =
            code.chars().filter(|letter| !letter.is_whitespace()).take(CODE_BYTES_MAX).collect();
        if digits.len() != DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(None);
        }
        let totp = totp(&self.open_secret(user, row)?, "");
        let seconds = u64::try_from(self.0.clock.now().0 / 1000).unwrap_or(0);
        Ok(totp.check(&digits, seconds).and_then(|step| i64::try_from(step).ok()))
    }

    fn open_secret(&self, user: UserId, row: &FactorRow) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
        Ok(self.0.vault.open_sealed(&place(row.tenant_id, user), &row.sealed)?)
    }

    fn admit_code(&self, user: UserId) -> Result<(), IdentityError> {
        let admitted = self.throttle(|throttle, now| throttle.admit_code(user, now));
        admitted.map_err(|retry_after| IdentityError::Throttled { retry_after })
    }

    fn forgive_codes(&self, user: UserId) {
        self.throttle(|throttle, _| throttle.code_was_right(user));
    }
}

fn place(tenant: TenantId, user: UserId) -> Place<'static> {
    Place { tenant, table: "user_factors", row: user.0, column: "sealed" }
}

/// Six digits, SHA-1, thirty seconds, one step early or late: what every authenticator speaks.
fn totp(secret: &[u8], handle: &str) -> Totp {
    Builder::new()
        .with_secret(secret.to_vec())
        .with_skew(1)
        .with_account_name(handle)
        .with_issuer(Some(ISSUER))
        .build_noncompliant()
}

/// Base32 (RFC 4648), which people can read to each other.
fn base32(bytes: &[u8]) -> String {
    base32::encode(base32::Alphabet::Rfc4648 { padding: false }, bytes)
}

/// Makes a recovery code, as `ABCD-EFGH-IJKL-MNOP`.
fn recovery_code() -> Result<Secret, IdentityError> {
    let mut bytes = Zeroizing::new([0; RECOVERY_BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(IdentityError::Random)?;
    let text = Zeroizing::new(base32(bytes.as_slice()));
    Ok(Secret::new(format!("{}-{}-{}-{}", &text[..4], &text[4..8], &text[8..12], &text[12..])))
}

/// Returns what is stored of a recovery code, however it is typed; `None` if it has not the form.
fn recovery_digest(code: &str) -> Option<[u8; 32]> {
    if code.len() > CODE_BYTES_MAX {
        return None;
    }
    let plain: Zeroizing<String> = Zeroizing::new(
        code.chars()
            .filter(|letter| !letter.is_whitespace() && *letter != '-')
            .map(|letter| letter.to_ascii_uppercase())
            .collect(),
    );
    let is_letter = |byte: u8| matches!(byte, b'A'..=b'Z' | b'2'..=b'7');
    let formed = plain.len() == RECOVERY_BYTES / 5 * 8 && plain.bytes().all(is_letter);
    formed.then(|| token::digest(&plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_the_rfc() {
        assert_eq!(base32(b"fooba"), "MZXW6YTB");
        assert_eq!(base32(b"12345678901234567890"), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        let totp = totp(b"12345678901234567890", "ada");

        // The RFC has eight digits; authenticators show the last six.
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(totp.check(code, seconds), Some(seconds / 30));
            assert_eq!(totp.check(code, seconds + 30), Some(seconds / 30), "one step late");
            assert_eq!(totp.check(code, seconds + 90), None);
        }
    }

    #[test]
    fn a_recovery_code_is_known_however_it_is_typed() {
        let code = recovery_code().unwrap();
        let code = code.expose();
        let digest = recovery_digest(code).unwrap();

        assert_eq!(code.len(), 19);
        assert_eq!(recovery_digest(&code.to_lowercase().replace('-', " ")), Some(digest));
        for wrong in ["", "123456", &code[1..], "ABCD-EFGH-IJKL-MNO1", &"A".repeat(1000)] {
            assert_eq!(recovery_digest(wrong), None, "{wrong}");
        }
    }
}

//! One-time codes of an authenticator (TOTP, RFC 6238).

use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

use super::{CODE_BYTES_MAX, recovery};
use crate::{
    identity::{Identity, IdentityError, record::Deed, throttle::Attempt},
    model::{Action, Member, TenantId, UserId},
    policy,
    secret::Secret,
    store::FactorRow,
    vault::Place,
};

/// The bytes of a shared secret, as RFC 4226 recommends.
const SECRET_BYTES: usize = 20;
/// The digits of a one-time code.
const DIGITS: usize = 6;
/// What authenticators show above the code.
const ISSUER: &str = "Doorward";

/// A person's one-time codes.
#[derive(Clone, Debug)]
pub enum Authenticator {
    /// There are none.
    Off,
    /// Their secret waits for the person to show that they have it.
    Begun {
        /// The secret, to be typed into an authenticator.
        secret: Secret,
        /// The same as an address for a QR code.
        address: Secret,
    },
    /// They are asked for.
    On {
        /// Since when.
        since: crate::clock::Ms,
    },
}

impl Identity {
    /// Returns what the stored row means.
    pub(super) fn authenticator_of(
        &self,
        member: &Member,
        row: Option<FactorRow>,
    ) -> Result<Authenticator, IdentityError> {
        let Some(row) = row else { return Ok(Authenticator::Off) };
        if let Some(since) = row.confirmed_at {
            return Ok(Authenticator::On { since });
        }
        let secret = self.open_secret(member.user, &row)?;
        let totp = totp(&secret, member.handle.as_str());
        let address = totp.to_url().map_err(|_| IdentityError::BadFactor)?;
        Ok(Authenticator::Begun { secret: Secret::new(base32(&secret)), address: Secret::new(address) })
    }

    /// Makes a secret for one-time codes that the person has yet to confirm. They show their
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

    /// Switches one-time codes on once the person has shown one. Returns the recovery codes that come
    /// with the first second factor, which are not kept and never shown again; `None` if there was
    /// another already.
    pub async fn confirm_second_factor(
        &self,
        member: &Member,
        code: &str,
    ) -> Result<Option<Vec<Secret>>, IdentityError> {
        let permit = policy::may_use_account(member)?;
        self.admit(&[Attempt::Code(permit.user())]).await?;
        let row = self.0.store.system_read().await?.find_factor(permit.user()).await?;
        let row = row.filter(|row| row.confirmed_at.is_none()).ok_or(IdentityError::NoFactor)?;
        let Some(step) = self.step_of(permit.user(), &row, code)? else {
            return Err(IdentityError::WrongCode);
        };
        let codes = recovery::make()?;

        let mut tx = self.0.store.system().await?;
        tx.take_turn().await?;
        let first = !tx.has_second_factor(permit.user()).await?;
        let used = tx.use_factor_step(permit.user(), step).await?;
        if !used || !tx.confirm_factor(permit.user(), self.0.clock.now()).await? {
            return Err(IdentityError::WrongCode);
        }
        if first {
            tx.set_recovery_codes(row.tenant_id, permit.user(), &recovery::digests(&codes)).await?;
        }
        tx.commit().await?;
        self.forgive_codes(permit.user()).await?;
        self.record_of(member, Deed::done(Action::FactorChange, "one-time codes switched on"));
        Ok(first.then_some(codes))
    }

    /// Switches one-time codes off, which the person confirms by one of them, or a recovery code.
    pub async fn remove_second_factor(&self, member: &Member, code: &str) -> Result<(), IdentityError> {
        let permit = policy::may_use_account(member)?;
        let row = self.0.store.system_read().await?.find_factor(permit.user()).await?;
        if row.is_none_or(|row| row.confirmed_at.is_none()) {
            return Err(IdentityError::NoFactor);
        }
        if !self.check_code(permit.user(), code).await? {
            self.record_of(member, Deed::refused(Action::FactorChange, "the code is wrong"));
            return Err(IdentityError::WrongCode);
        }
        let mut tx = self.0.store.system().await?;
        tx.take_turn().await?;
        tx.remove_factor(permit.user()).await?;
        tx.tidy_after_factor(permit.user()).await?;
        tx.commit().await?;
        self.record_of(member, Deed::done(Action::FactorChange, "one-time codes switched off"));
        Ok(())
    }

    /// Returns the time step of a one-time code; `None` if it is wrong, or of another time.
    pub(super) fn step_of(
        &self,
        user: UserId,
        row: &FactorRow,
        code: &str,
    ) -> Result<Option<i64>, IdentityError> {
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
pub(super) fn base32(bytes: &[u8]) -> String {
    base32::encode(base32::Alphabet::Rfc4648 { padding: false }, bytes)
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
}

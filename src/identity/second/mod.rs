//! The second factor: one-time codes of an authenticator (TOTP, RFC 6238), passkeys (WebAuthn), and
//! recovery codes for whoever has lost both.
//!
//! Whoever has one shows it after the password or the login with another provider; API keys go on
//! working. A code is accepted once, what a passkey is asked for is answered once, and few of either
//! may be tried.

mod authenticator;
mod ceremony;
mod entering;
mod passkeys;
mod recovery;

use super::{Identity, IdentityError, record::Deed, throttle::Attempt};
use crate::{
    model::{Action, Member, Passkey, UserId},
    policy::{self, AdminPermit},
};

pub use authenticator::Authenticator;
pub(super) use ceremony::RelyingParty;
pub use entering::HalfStep;
pub use passkeys::{BegunPasskey, PASSKEYS_MAX};

/// The longest code looked at, in bytes.
const CODE_BYTES_MAX: usize = 64;

/// What a person shows after their first factor.
#[derive(Clone, Debug)]
pub struct SecondStep {
    /// Their one-time codes.
    pub authenticator: Authenticator,
    /// Their passkeys, the oldest first.
    pub passkeys: Vec<Passkey>,
    /// How many recovery codes are left.
    pub recovery_left: i64,
}

impl SecondStep {
    /// Says whether anything is asked for.
    pub fn is_on(&self) -> bool {
        matches!(self.authenticator, Authenticator::On { .. }) || !self.passkeys.is_empty()
    }
}

impl Identity {
    /// Returns what the person shows after their first factor.
    pub async fn second_step(&self, member: &Member) -> Result<SecondStep, IdentityError> {
        let permit = policy::may_use_account(member)?;
        let mut tx = self.0.store.system_read().await?;
        let row = tx.find_factor(permit.user()).await?;
        let passkeys = tx.list_passkeys(permit.user()).await?;
        let recovery_left = tx.count_recovery_codes(permit.user()).await?;
        drop(tx);
        Ok(SecondStep { authenticator: self.authenticator_of(member, row)?, passkeys, recovery_left })
    }

    /// Says whether somebody has a second factor of any kind, for those who manage the instance.
    pub async fn has_second_factor(&self, _permit: &AdminPermit, id: UserId) -> Result<bool, IdentityError> {
        Ok(self.0.store.system_read().await?.has_second_factor(id).await?)
    }

    /// Takes a person's second factors of every kind away, who has lost them; `false` if they have
    /// none.
    pub async fn reset_second_factor(&self, permit: &AdminPermit, id: UserId) -> Result<bool, IdentityError> {
        let mut tx = self.0.store.system().await?;
        tx.take_turn().await?;
        let Some(user) = tx.find_user(id).await? else { return Ok(false) };
        let codes = tx.remove_factor(user.id).await?;
        let passkeys = tx.remove_passkeys(user.id).await?;
        tx.tidy_after_factor(user.id).await?;
        tx.commit().await?;
        let removed = codes || passkeys;
        if removed {
            let tenant = permit.actor().tenant.unwrap_or(user.tenant);
            let reset = format!("reset for {}", user.handle);
            self.record(tenant, permit.actor(), Deed::done(Action::FactorChange, &reset));
        }
        Ok(removed)
    }

    /// Uses up a one-time code or a recovery code of a person; `false` if it is neither, or was used.
    async fn check_code(&self, user: UserId, code: &str) -> Result<bool, IdentityError> {
        self.admit(&[Attempt::Code(user)]).await?;
        let row = self.0.store.system_read().await?.find_factor(user).await?;
        let step = match row.filter(|row| row.confirmed_at.is_some()) {
            Some(row) => self.step_of(user, &row, code)?,
            None => None,
        };
        let mut tx = self.0.store.system().await?;
        let right = match (step, recovery::recovery_digest(code)) {
            (Some(step), _) => tx.use_factor_step(user, step).await?,
            (None, Some(hash)) => tx.use_recovery_code(user, &hash).await?,
            (None, None) => false,
        };
        tx.commit().await?;
        if right {
            self.forgive_codes(user).await?;
        }
        Ok(right)
    }
}

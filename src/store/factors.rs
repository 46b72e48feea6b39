//! Second factors: the shared secret of one-time codes, sealed; recovery codes as their SHA-256 only;
//! and who has shown the first factor and not the second yet. Passkeys are in `passkeys`.

use sqlx::{FromRow, query, query_as, query_scalar};

use crate::{
    clock::Ms,
    model::{TenantId, UserId},
    store::{Result, SystemTx, changed, on, vault::kid_of},
};

/// How many people may have shown one factor only; a further one makes room by the oldest.
const HALF_MAX: i64 = 10_000;

/// A person's one-time codes as stored.
#[derive(Clone, Debug, FromRow)]
pub struct FactorRow {
    /// Their personal organisation.
    pub tenant_id: TenantId,
    /// The shared secret, sealed by the vault.
    pub sealed: String,
    /// When they showed that they have it; `None` = not yet, so that it is not asked for.
    pub confirmed_at: Option<Ms>,
    /// The time step of the last code accepted, so that none is accepted twice.
    pub last_step: i64,
}

/// Somebody who has shown the first factor and not the second yet.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct HalfRow {
    /// Who.
    pub user_id: UserId,
    /// The identity provider they came by; empty for the password.
    pub provider: String,
    /// What they are asked for of a passkey; `None` = of none.
    pub ceremony: Option<String>,
}

impl SystemTx {
    /// Finds a person's one-time codes.
    pub async fn find_factor(&mut self, user: UserId) -> Result<Option<FactorRow>> {
        Ok(on!(self, |c| {
            query_as("select tenant_id, sealed, confirmed_at, last_step from user_factors where user_id = $1")
                .bind(user)
                .fetch_optional(c)
                .await
        })?)
    }

    /// Gives a person a secret that they have yet to confirm, in place of one that they did not.
    /// `false` if theirs is confirmed.
    pub async fn begin_factor(&mut self, tenant: TenantId, user: UserId, sealed: &str) -> Result<bool> {
        let kid = kid_of(sealed)?;
        let begun = changed!(
            self,
            query(
                "insert into user_factors (tenant_id, user_id, sealed, sealed_kid, confirmed_at, last_step)
                 values ($1, $2, $3, $4, null, 0)
                 on conflict (tenant_id, user_id) do update
                    set sealed = excluded.sealed, sealed_kid = excluded.sealed_kid
                    where user_factors.confirmed_at is null",
            )
            .bind(tenant)
            .bind(user)
            .bind(sealed)
            .bind(&kid)
        );
        Ok(begun > 0)
    }

    /// Switches a person's one-time codes on. `false` if there are none to switch on.
    pub async fn confirm_factor(&mut self, user: UserId, now: Ms) -> Result<bool> {
        let confirmed = changed!(
            self,
            query("update user_factors set confirmed_at = $2 where user_id = $1 and confirmed_at is null")
                .bind(user)
                .bind(now)
        );
        Ok(confirmed > 0)
    }

    /// Says whether a person has a second factor of any kind that is asked for.
    pub async fn has_second_factor(&mut self, user: UserId) -> Result<bool> {
        let found: i64 = on!(self, |c| {
            query_scalar(
                "select (select count(*) from user_factors where user_id = $1 and confirmed_at is not null)
                      + (select count(*) from passkeys where user_id = $1)",
            )
            .bind(user)
            .fetch_one(c)
            .await
        })?;
        Ok(found > 0)
    }

    /// Notes that the code of a time step was accepted; `false` if one of it or a later one was.
    pub async fn use_factor_step(&mut self, user: UserId, step: i64) -> Result<bool> {
        let used = changed!(
            self,
            query("update user_factors set last_step = $2 where user_id = $1 and last_step < $2")
                .bind(user)
                .bind(step)
        );
        Ok(used > 0)
    }

    /// Takes away a recovery code; `false` if it is none of the person's, or was used.
    pub async fn use_recovery_code(&mut self, user: UserId, hash: &[u8; 32]) -> Result<bool> {
        let used = changed!(
            self,
            query("delete from recovery_codes where user_id = $1 and code_hash = $2")
                .bind(user)
                .bind(hash.as_slice())
        );
        Ok(used > 0)
    }

    /// Gives a person the recovery codes of these hashes in place of those they had.
    pub async fn set_recovery_codes(
        &mut self,
        tenant: TenantId,
        user: UserId,
        hashes: &[[u8; 32]],
    ) -> Result<()> {
        changed!(self, query("delete from recovery_codes where user_id = $1").bind(user));
        for hash in hashes {
            changed!(
                self,
                query("insert into recovery_codes (tenant_id, user_id, code_hash) values ($1, $2, $3)")
                    .bind(tenant)
                    .bind(user)
                    .bind(hash.as_slice())
            );
        }
        Ok(())
    }

    /// Returns how many recovery codes a person has left.
    pub async fn count_recovery_codes(&mut self, user: UserId) -> Result<i64> {
        Ok(on!(self, |c| {
            query_scalar("select count(*) from recovery_codes where user_id = $1")
                .bind(user)
                .fetch_one(c)
                .await
        })?)
    }

    /// Removes a person's one-time codes; `false` if there were none. What hangs on them is for
    /// [`SystemTx::tidy_after_factor`].
    pub async fn remove_factor(&mut self, user: UserId) -> Result<bool> {
        let removed = changed!(self, query("delete from user_factors where user_id = $1").bind(user));
        Ok(removed > 0)
    }

    /// Removes what hangs on a second factor that is gone: whoever waits to show it begins again,
    /// and with the last one go the recovery codes.
    pub async fn tidy_after_factor(&mut self, user: UserId) -> Result<()> {
        changed!(self, query("delete from half_sign_ins where user_id = $1").bind(user));
        if !self.has_second_factor(user).await? {
            changed!(self, query("delete from recovery_codes where user_id = $1").bind(user));
        }
        Ok(())
    }

    /// Adds somebody who has shown the first factor.
    pub async fn add_half_sign_in(
        &mut self,
        token_hash: &[u8; 32],
        half: &HalfRow,
        expires_at: Ms,
    ) -> Result<()> {
        changed!(
            self,
            query(
                "delete from half_sign_ins where token_hash in
                    (select token_hash from half_sign_ins order by expires_at desc limit 1000 offset $1)",
            )
            .bind(HALF_MAX - 1)
        );
        changed!(
            self,
            query(
                "insert into half_sign_ins (token_hash, user_id, provider, ceremony, expires_at)
                 values ($1, $2, $3, $4, $5)",
            )
            .bind(token_hash.as_slice())
            .bind(half.user_id)
            .bind(&half.provider)
            .bind(&half.ceremony)
            .bind(expires_at)
        );
        Ok(())
    }

    /// Finds who has shown the first factor; `None` after its end.
    pub async fn find_half_sign_in(&mut self, token_hash: &[u8; 32], now: Ms) -> Result<Option<HalfRow>> {
        Ok(on!(self, |c| {
            query_as(
                "select user_id, provider, ceremony from half_sign_ins where token_hash = $1 and expires_at > $2",
            )
            .bind(token_hash.as_slice())
            .bind(now)
            .fetch_optional(c)
            .await
        })?)
    }

    /// Asks one who has shown the first factor for something else of a passkey, in place of what they
    /// were asked for; `false` if that was answered already.
    pub async fn replace_half_ceremony(
        &mut self,
        token_hash: &[u8; 32],
        asked: &str,
        next: Option<&str>,
    ) -> Result<bool> {
        let replaced = changed!(
            self,
            query("update half_sign_ins set ceremony = $3 where token_hash = $1 and ceremony = $2")
                .bind(token_hash.as_slice())
                .bind(asked)
                .bind(next)
        );
        Ok(replaced > 0)
    }

    /// Removes one who has shown both; `false` if somebody was faster.
    pub async fn remove_half_sign_in(&mut self, token_hash: &[u8; 32]) -> Result<bool> {
        let removed = changed!(
            self,
            query("delete from half_sign_ins where token_hash = $1").bind(token_hash.as_slice())
        );
        Ok(removed > 0)
    }

    /// Removes those that ended before `now`.
    pub async fn remove_ended_half_sign_ins(&mut self, now: Ms) -> Result<()> {
        changed!(self, query("delete from half_sign_ins where expires_at <= $1").bind(now));
        Ok(())
    }
}

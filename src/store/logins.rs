//! Logins with other identity providers, and those under way. Cookies are here as their SHA-256 only.

use sqlx::{FromRow, query, query_as, query_scalar};

use crate::{
    clock::Ms,
    model::{Email, Login, LoginId, PendingLogin, TenantId, UserId},
    store::{LIST_MAX, Result, SystemTx, changed, clean, on},
};

/// How many browsers may be under way to a provider; a further one makes room by the oldest.
const ATTEMPTS_MAX: i64 = 10_000;

#[derive(FromRow)]
struct LoginRow {
    tenant_id: TenantId,
    id: LoginId,
    user_id: UserId,
    issuer: String,
    subject: String,
    shown: String,
    created_at: Ms,
    used_at: Ms,
}

impl From<LoginRow> for Login {
    fn from(row: LoginRow) -> Self {
        Self {
            id: row.id,
            user: row.user_id,
            tenant: row.tenant_id,
            issuer: row.issuer,
            subject: row.subject,
            shown: row.shown,
            created_at: row.created_at,
            used_at: row.used_at,
        }
    }
}

#[derive(FromRow)]
struct PendingRow {
    provider: String,
    issuer: String,
    subject: String,
    shown: String,
    email: Option<Email>,
    next: String,
    expires_at: Ms,
}

impl From<PendingRow> for PendingLogin {
    fn from(row: PendingRow) -> Self {
        let PendingRow { provider, issuer, subject, shown, email, next, expires_at } = row;
        Self { provider, issuer, subject, shown, email, next, expires_at }
    }
}

impl SystemTx {
    /// Adds a login to an account. One that belongs to an account already is a `Conflict`.
    pub async fn add_login(&mut self, login: &Login) -> Result<()> {
        on!(self, |c| {
            query(
                "insert into user_logins
                    (tenant_id, id, user_id, issuer, subject, shown, created_at, used_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(login.tenant)
            .bind(login.id)
            .bind(login.user)
            .bind(clean(&login.issuer))
            .bind(clean(&login.subject))
            .bind(clean(&login.shown))
            .bind(login.created_at)
            .bind(login.used_at)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Finds whose login it is; `None` if nobody's.
    pub async fn find_login(&mut self, issuer: &str, subject: &str) -> Result<Option<Login>> {
        let row: Option<LoginRow> = on!(self, |c| {
            query_as("select * from user_logins where issuer = $1 and subject = $2")
                .bind(clean(issuer))
                .bind(clean(subject))
                .fetch_optional(c)
                .await
        })?;
        Ok(row.map(Login::from))
    }

    /// Returns a person's logins, the oldest first.
    pub async fn list_logins(&mut self, user: UserId) -> Result<Vec<Login>> {
        let rows: Vec<LoginRow> = on!(self, |c| {
            query_as("select * from user_logins where user_id = $1 order by created_at, id limit $2")
                .bind(user)
                .bind(LIST_MAX)
                .fetch_all(c)
                .await
        })?;
        Ok(rows.into_iter().map(Login::from).collect())
    }

    /// Notes that somebody signed in by a login.
    pub async fn touch_login(&mut self, user: UserId, id: LoginId, now: Ms) -> Result<()> {
        changed!(
            self,
            query("update user_logins set used_at = $3 where user_id = $1 and id = $2")
                .bind(user)
                .bind(id)
                .bind(now)
        );
        Ok(())
    }

    /// Removes a login of that person; `false` if there is none of that id.
    pub async fn remove_login(&mut self, user: UserId, id: LoginId) -> Result<bool> {
        let removed = changed!(
            self,
            query("delete from user_logins where user_id = $1 and id = $2").bind(user).bind(id)
        );
        Ok(removed > 0)
    }

    /// Adds a browser that is sent to a provider. When very many are under way, the oldest go.
    pub async fn add_login_attempt(
        &mut self,
        token_hash: &[u8; 32],
        provider: &str,
        next: &str,
        expires_at: Ms,
    ) -> Result<()> {
        let count: i64 =
            on!(self, |c| query_scalar("select count(*) from login_attempts").fetch_one(c).await)?;
        if count >= ATTEMPTS_MAX {
            changed!(
                self,
                query(
                    "delete from login_attempts where token_hash in
                        (select token_hash from login_attempts order by expires_at limit $1)",
                )
                .bind(count - ATTEMPTS_MAX + 1)
            );
        }
        on!(self, |c| {
            query(
                "insert into login_attempts (token_hash, provider, next, expires_at) values ($1, $2, $3, $4)",
            )
            .bind(token_hash.as_slice())
            .bind(provider)
            .bind(clean(next))
            .bind(expires_at)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Takes away a browser that is back, and returns which provider it was sent to and where it
    /// goes from here. `None` the second time, and after its end.
    pub async fn take_login_attempt(
        &mut self,
        token_hash: &[u8; 32],
        now: Ms,
    ) -> Result<Option<(String, String)>> {
        Ok(on!(self, |c| {
            query_as(
                "delete from login_attempts where token_hash = $1 and expires_at > $2 returning provider, next",
            )
            .bind(token_hash.as_slice())
            .bind(now)
            .fetch_optional(c)
            .await
        })?)
    }

    /// Adds somebody whom a provider knows and nobody here does.
    pub async fn add_pending_login(&mut self, token_hash: &[u8; 32], pending: &PendingLogin) -> Result<()> {
        on!(self, |c| {
            query(
                "insert into pending_logins
                    (token_hash, provider, issuer, subject, shown, email, next, expires_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(token_hash.as_slice())
            .bind(&pending.provider)
            .bind(clean(&pending.issuer))
            .bind(clean(&pending.subject))
            .bind(clean(&pending.shown))
            .bind(pending.email.as_ref())
            .bind(clean(&pending.next))
            .bind(pending.expires_at)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Finds whom a cookie's browser was told to be by a provider; `None` after its end.
    pub async fn find_pending_login(
        &mut self,
        token_hash: &[u8; 32],
        now: Ms,
    ) -> Result<Option<PendingLogin>> {
        let row: Option<PendingRow> = on!(self, |c| {
            query_as(
                "select provider, issuer, subject, shown, email, next, expires_at from pending_logins
                 where token_hash = $1 and expires_at > $2",
            )
            .bind(token_hash.as_slice())
            .bind(now)
            .fetch_optional(c)
            .await
        })?;
        Ok(row.map(PendingLogin::from))
    }

    /// Removes one that is not pending any more; `false` if it was not there.
    pub async fn remove_pending_login(&mut self, token_hash: &[u8; 32]) -> Result<bool> {
        let removed = changed!(
            self,
            query("delete from pending_logins where token_hash = $1").bind(token_hash.as_slice())
        );
        Ok(removed > 0)
    }

    /// Removes what ended before `now` of both kinds that are under way.
    pub async fn remove_ended_logins(&mut self, now: Ms) -> Result<()> {
        changed!(self, query("delete from login_attempts where expires_at <= $1").bind(now));
        changed!(self, query("delete from pending_logins where expires_at <= $1").bind(now));
        Ok(())
    }
}

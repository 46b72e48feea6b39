//! Sign-ins at sources that have been begun.

use sqlx::{FromRow, query, query_as};

use crate::{
    clock::Ms,
    model::{BrowserSessionId, ConnectionId, SignInId, TenantId, UserId},
    store::{Result, SystemTx, Tx, changed, on, vault::kid_of},
};

/// A sign-in under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInRow {
    /// Names it.
    pub id: SignInId,
    /// The organisation that owns the source.
    pub tenant: TenantId,
    /// What is signed in for.
    pub connection: ConnectionId,
    /// Who began it.
    pub user: UserId,
    /// In which browser.
    pub session: BrowserSessionId,
    /// Until when it can be finished.
    pub expires_at: Ms,
    /// What it goes on with, sealed.
    pub sealed: String,
}

#[derive(FromRow)]
struct FoundSignIn {
    tenant_id: TenantId,
    id: SignInId,
    connection_id: ConnectionId,
    user_id: UserId,
    session_id: BrowserSessionId,
    expires_at: Ms,
    sealed: String,
}

impl From<FoundSignIn> for SignInRow {
    fn from(row: FoundSignIn) -> Self {
        Self {
            id: row.id,
            tenant: row.tenant_id,
            connection: row.connection_id,
            user: row.user_id,
            session: row.session_id,
            expires_at: row.expires_at,
            sealed: row.sealed,
        }
    }
}

impl Tx {
    /// Keeps a sign-in that has been begun, and lets go of earlier ones for the same connection by the
    /// same person.
    pub async fn add_sign_in(&mut self, row: &SignInRow, state_hash: &[u8; 32]) -> Result<()> {
        let tenant = self.tenant;
        let kid = kid_of(&row.sealed)?;
        changed!(
            self,
            query("delete from sign_ins where tenant_id = $1 and connection_id = $2 and user_id = $3")
                .bind(tenant)
                .bind(row.connection)
                .bind(row.user)
        );
        changed!(
            self,
            query(
                "insert into sign_ins (tenant_id, id, connection_id, user_id, session_id, state_hash,
                    expires_at, sealed, sealed_kid)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .bind(tenant)
            .bind(row.id)
            .bind(row.connection)
            .bind(row.user)
            .bind(row.session)
            .bind(state_hash.as_slice())
            .bind(row.expires_at)
            .bind(&row.sealed)
            .bind(&kid)
        );
        Ok(())
    }
}

impl SystemTx {
    /// Finds a sign-in by its id.
    pub async fn find_sign_in(&mut self, id: SignInId) -> Result<Option<SignInRow>> {
        let row: Option<FoundSignIn> =
            on!(self, |c| query_as("select * from sign_ins where id = $1").bind(id).fetch_optional(c).await)?;
        Ok(row.map(SignInRow::from))
    }

    /// Finds a sign-in by the SHA-256 of its state.
    pub async fn find_sign_in_by_state(&mut self, state_hash: &[u8; 32]) -> Result<Option<SignInRow>> {
        let row: Option<FoundSignIn> = on!(self, |c| {
            query_as("select * from sign_ins where state_hash = $1")
                .bind(state_hash.as_slice())
                .fetch_optional(c)
                .await
        })?;
        Ok(row.map(SignInRow::from))
    }

    /// Removes a sign-in; `false` if somebody else has, so that each is finished once.
    pub async fn remove_sign_in(&mut self, id: SignInId) -> Result<bool> {
        Ok(changed!(self, query("delete from sign_ins where id = $1").bind(id)) > 0)
    }

    /// Removes sign-ins that can no longer be finished.
    pub async fn remove_late_sign_ins(&mut self, now: Ms) -> Result<u64> {
        Ok(changed!(self, query("delete from sign_ins where expires_at <= $1").bind(now)))
    }
}

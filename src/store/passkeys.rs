//! Passkeys, and those that somebody is about to add.

use sqlx::{FromRow, query, query_as, query_scalar};

use crate::{
    clock::Ms,
    model::{BrowserSessionId, Passkey, PasskeyId, TenantId, UserId},
    store::{LIST_MAX, Result, SystemTx, changed, clean, on},
};

#[derive(FromRow)]
struct PasskeyRow {
    tenant_id: TenantId,
    id: PasskeyId,
    user_id: UserId,
    name: String,
    credential_id: Vec<u8>,
    credential: String,
    counter: i64,
    created_at: Ms,
    used_at: Option<Ms>,
}

impl From<PasskeyRow> for Passkey {
    fn from(row: PasskeyRow) -> Self {
        Self {
            id: row.id,
            user: row.user_id,
            tenant: row.tenant_id,
            name: row.name,
            credential_id: row.credential_id,
            credential: row.credential,
            counter: row.counter,
            created_at: row.created_at,
            used_at: row.used_at,
        }
    }
}

impl SystemTx {
    /// Adds a passkey. A credential that is somebody's already is a `Conflict`.
    pub async fn add_passkey(&mut self, passkey: &Passkey) -> Result<()> {
        changed!(
            self,
            query(
                "insert into passkeys
                    (tenant_id, id, user_id, name, credential_id, credential, counter, created_at, used_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .bind(passkey.tenant)
            .bind(passkey.id)
            .bind(passkey.user)
            .bind(clean(&passkey.name))
            .bind(&passkey.credential_id)
            .bind(&passkey.credential)
            .bind(passkey.counter)
            .bind(passkey.created_at)
            .bind(passkey.used_at)
        );
        Ok(())
    }

    /// Returns a person's passkeys, the oldest first.
    pub async fn list_passkeys(&mut self, user: UserId) -> Result<Vec<Passkey>> {
        let rows: Vec<PasskeyRow> = on!(self, |c| {
            query_as("select * from passkeys where user_id = $1 order by created_at, id limit $2")
                .bind(user)
                .bind(LIST_MAX)
                .fetch_all(c)
                .await
        })?;
        Ok(rows.into_iter().map(Passkey::from).collect())
    }

    /// Returns how many passkeys a person has.
    pub async fn count_passkeys(&mut self, user: UserId) -> Result<i64> {
        Ok(on!(self, |c| {
            query_scalar("select count(*) from passkeys where user_id = $1").bind(user).fetch_one(c).await
        })?)
    }

    /// Notes that somebody signed in with a passkey, and what its authenticator says it has signed.
    /// `false` if the person has it no more, or if the counter has not gone on, as that of a copy.
    pub async fn use_passkey(
        &mut self,
        user: UserId,
        id: PasskeyId,
        credential: &str,
        counter: i64,
        now: Ms,
    ) -> Result<bool> {
        let used = changed!(
            self,
            query(
                "update passkeys set credential = $3, counter = $4, used_at = $5
                 where user_id = $1 and id = $2 and (counter < $4 or (counter = 0 and $4 = 0))",
            )
            .bind(user)
            .bind(id)
            .bind(credential)
            .bind(counter)
            .bind(now)
        );
        Ok(used > 0)
    }

    /// Calls a person's passkey something else; `false` if there is none of that id.
    pub async fn rename_passkey(&mut self, user: UserId, id: PasskeyId, name: &str) -> Result<bool> {
        let renamed = changed!(
            self,
            query("update passkeys set name = $3 where user_id = $1 and id = $2")
                .bind(user)
                .bind(id)
                .bind(clean(name))
        );
        Ok(renamed > 0)
    }

    /// Removes a passkey of that person; `false` if there is none of that id.
    pub async fn remove_passkey(&mut self, user: UserId, id: PasskeyId) -> Result<bool> {
        let removed =
            changed!(self, query("delete from passkeys where user_id = $1 and id = $2").bind(user).bind(id));
        Ok(removed > 0)
    }

    /// Removes all passkeys of a person; `false` if there were none.
    pub async fn remove_passkeys(&mut self, user: UserId) -> Result<bool> {
        let removed = changed!(self, query("delete from passkeys where user_id = $1").bind(user));
        Ok(removed > 0)
    }

    /// Keeps what a browser is asked for that adds a passkey, in place of what it was asked before.
    pub async fn begin_passkey(
        &mut self,
        tenant: TenantId,
        session: BrowserSessionId,
        name: &str,
        ceremony: &str,
        expires_at: Ms,
    ) -> Result<()> {
        changed!(
            self,
            query(
                "insert into passkey_registrations (tenant_id, session_id, name, ceremony, expires_at)
                 values ($1, $2, $3, $4, $5)
                 on conflict (tenant_id, session_id) do update set
                    name = excluded.name, ceremony = excluded.ceremony, expires_at = excluded.expires_at",
            )
            .bind(tenant)
            .bind(session)
            .bind(clean(name))
            .bind(ceremony)
            .bind(expires_at)
        );
        Ok(())
    }

    /// Finds the name and the ceremony of the passkey that a browser adds; `None` after its end.
    pub async fn find_begun_passkey(
        &mut self,
        tenant: TenantId,
        session: BrowserSessionId,
        now: Ms,
    ) -> Result<Option<(String, String)>> {
        Ok(on!(self, |c| {
            query_as(
                "select name, ceremony from passkey_registrations
                 where tenant_id = $1 and session_id = $2 and expires_at > $3",
            )
            .bind(tenant)
            .bind(session)
            .bind(now)
            .fetch_optional(c)
            .await
        })?)
    }

    /// Takes the same away, so that it is answered once; `None` the second time, and after its end.
    pub async fn take_begun_passkey(
        &mut self,
        tenant: TenantId,
        session: BrowserSessionId,
        now: Ms,
    ) -> Result<Option<(String, String)>> {
        Ok(on!(self, |c| {
            query_as(
                "delete from passkey_registrations where tenant_id = $1 and session_id = $2 and expires_at > $3
                 returning name, ceremony",
            )
            .bind(tenant)
            .bind(session)
            .bind(now)
            .fetch_optional(c)
            .await
        })?)
    }

    /// Removes those that ended before `now`.
    pub async fn remove_ended_passkey_registrations(&mut self, now: Ms) -> Result<()> {
        changed!(self, query("delete from passkey_registrations where expires_at <= $1").bind(now));
        Ok(())
    }
}

//! Browser sessions. The cookie is here as its SHA-256 only.

use sqlx::{FromRow, query, query_as, query_scalar};

use crate::{
    clock::Ms,
    model::{BrowserSession, BrowserSessionId, Member, TenantId, UserId, Via},
    store::{LIST_MAX, Pools, Result, Store, SystemTx, changed, clean, on, orgs::MemberRow},
};

#[derive(FromRow)]
struct SessionRow {
    tenant_id: TenantId,
    id: BrowserSessionId,
    user_id: UserId,
    user_agent: String,
    address: String,
    created_at: Ms,
    seen_at: Ms,
    expires_at: Ms,
}

impl From<SessionRow> for BrowserSession {
    fn from(row: SessionRow) -> Self {
        Self {
            id: row.id,
            user: row.user_id,
            tenant: row.tenant_id,
            user_agent: row.user_agent,
            address: row.address,
            created_at: row.created_at,
            seen_at: row.seen_at,
            expires_at: row.expires_at,
        }
    }
}

#[derive(FromRow)]
struct FoundRow {
    #[sqlx(flatten)]
    session: SessionRow,
    #[sqlx(flatten)]
    member: MemberRow,
}

/// A passkey that is about to be added stays where it was begun: it is begun again.
const FORGET_PASSKEYS: &str = "delete from passkey_registrations where session_id in
    (select id from browser_sessions where user_id = $1 and id = $2)";
/// See [`FORGET_PASSKEYS`].
const FORGET_PASSKEYS_IN: &str = "delete from passkey_registrations where tenant_id = $1 and session_id in
    (select id from browser_sessions where tenant_id = $1 and (user_id = $2 or $3))";

impl Store {
    /// Finds the session of a cookie and the person behind it. `None` if it was revoked, ended
    /// before `now`, or the account or the organisation is switched off. One round trip, no transaction.
    pub async fn find_browser_session(
        &self,
        token_hash: &[u8; 32],
        now: Ms,
    ) -> Result<Option<(BrowserSession, Member)>> {
        let hash = token_hash.as_slice();
        let row: Option<FoundRow> = match &self.pools {
            Pools::Sqlite { readers, .. } => {
                query_as(
                    "select s.tenant_id, s.id, s.user_id, s.user_agent, s.address,
                        s.created_at, s.seen_at, s.expires_at,
                        u.handle as user_handle, o.handle as tenant_handle, m.role as org_role,
                        case when u.audits then 'auditor' else u.role end as instance_role,
                        u.plan, u.enabled
                     from browser_sessions s
                        join users u on u.id = s.user_id
                        join organisations o on o.id = s.tenant_id
                        join memberships m on m.tenant_id = s.tenant_id and m.user_id = s.user_id
                     where s.token_hash = $1 and s.expires_at > $2 and u.enabled and o.enabled",
                )
                .bind(hash)
                .bind(now)
                .fetch_optional(readers)
                .await?
            }
            Pools::Postgres(pool) => {
                query_as("select * from find_browser_session($1, $2)")
                    .bind(hash)
                    .bind(now)
                    .fetch_optional(pool)
                    .await?
            }
        };
        let Some(FoundRow { session, member }) = row else {
            return Ok(None);
        };
        let via = Via::BrowserSession(session.id);
        Ok(Some((session.into(), member.member(via)?)))
    }
}

impl SystemTx {
    /// Adds a session.
    pub async fn add_browser_session(
        &mut self,
        session: &BrowserSession,
        token_hash: &[u8; 32],
    ) -> Result<()> {
        on!(self, |c| {
            query(
                "insert into browser_sessions
                    (tenant_id, id, user_id, token_hash, user_agent, address, created_at, seen_at, expires_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .bind(session.tenant)
            .bind(session.id)
            .bind(session.user)
            .bind(token_hash.as_slice())
            .bind(clean(&session.user_agent))
            .bind(clean(&session.address))
            .bind(session.created_at)
            .bind(session.seen_at)
            .bind(session.expires_at)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Has a session of that person act in this organisation; `false` if there is none of that id. One that the person
    /// does not belong to is `Dangling`.
    pub async fn switch_browser_session(
        &mut self,
        user: UserId,
        id: BrowserSessionId,
        tenant: TenantId,
    ) -> Result<bool> {
        on!(self, |c| query(FORGET_PASSKEYS).bind(user).bind(id).execute(c).await.map(drop))?;
        let switched = changed!(
            self,
            query("update browser_sessions set tenant_id = $3 where user_id = $1 and id = $2")
                .bind(user)
                .bind(id)
                .bind(tenant)
        );
        Ok(switched > 0)
    }

    /// Has the sessions that act in this organisation act in their person's own: of this person, or of everybody.
    pub async fn send_browser_sessions_home(&mut self, tenant: TenantId, user: Option<UserId>) -> Result<()> {
        let (user, all) = (user.map_or(uuid::Uuid::nil(), |user| user.0), user.is_none());
        on!(self, |c| query(FORGET_PASSKEYS_IN)
            .bind(tenant)
            .bind(user)
            .bind(all)
            .execute(c)
            .await
            .map(drop))?;
        changed!(
            self,
            query(
                "update browser_sessions set tenant_id =
                    (select u.tenant_id from users u where u.id = browser_sessions.user_id)
                 where tenant_id = $1 and (user_id = $2 or $3)",
            )
            .bind(tenant)
            .bind(user)
            .bind(all)
        );
        Ok(())
    }

    /// Notes when sessions were last seen.
    pub async fn touch_browser_sessions(&mut self, seen: &[(BrowserSessionId, Ms)]) -> Result<()> {
        self.touch("update browser_sessions set seen_at = $2 where id = $1 and seen_at < $2", seen).await
    }

    /// Returns a person's sessions that have not ended, the last seen first.
    pub async fn list_browser_sessions(&mut self, user: UserId, now: Ms) -> Result<Vec<BrowserSession>> {
        let rows: Vec<SessionRow> = on!(self, |c| {
            query_as(
                "select * from browser_sessions where user_id = $1 and expires_at > $2
                 order by seen_at desc, id desc limit $3",
            )
            .bind(user)
            .bind(now)
            .bind(LIST_MAX)
            .fetch_all(c)
            .await
        })?;
        Ok(rows.into_iter().map(BrowserSession::from).collect())
    }

    /// Ends a session of that person; `false` if there is none of that id.
    pub async fn revoke_browser_session(&mut self, user: UserId, id: BrowserSessionId) -> Result<bool> {
        let ended = changed!(
            self,
            query("delete from browser_sessions where user_id = $1 and id = $2").bind(user).bind(id)
        );
        Ok(ended > 0)
    }

    /// Ends a person's sessions, all but one if `keep` says so. Returns the ids of those ended.
    pub async fn revoke_browser_sessions(
        &mut self,
        user: UserId,
        keep: Option<BrowserSessionId>,
    ) -> Result<Vec<BrowserSessionId>> {
        let keep = keep.unwrap_or(BrowserSessionId(uuid::Uuid::nil()));
        Ok(on!(self, |c| {
            query_scalar("delete from browser_sessions where user_id = $1 and id <> $2 returning id")
                .bind(user)
                .bind(keep)
                .fetch_all(c)
                .await
        })?)
    }

    /// Removes sessions that ended before `now`, at most `limit`. Returns how many.
    pub async fn remove_ended_browser_sessions(&mut self, now: Ms, limit: i64) -> Result<u64> {
        Ok(changed!(
            self,
            query(
                "delete from browser_sessions where token_hash in
                    (select token_hash from browser_sessions where expires_at <= $1 order by expires_at limit $2)",
            )
            .bind(now)
            .bind(limit)
        ))
    }
}

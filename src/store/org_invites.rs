//! Invitations to organisations. A link is here as its hash only.

use sqlx::{FromRow, query, query_as};

use crate::{
    clock::Ms,
    model::{Email, Handle, InviteId, OrgInvite, OrgRole, TenantId, UserId},
    store::{LIST_MAX, Result, SystemTx, changed, on, read_word},
};

#[derive(FromRow)]
struct OrgInviteRow {
    tenant_id: TenantId,
    id: InviteId,
    email: Option<Email>,
    user_id: Option<UserId>,
    user_handle: Option<Handle>,
    role: String,
    invited_by: UserId,
    invited_by_handle: Handle,
    sent: bool,
    claimed_by: Option<UserId>,
    created_at: Ms,
    expires_at: Ms,
}

impl OrgInviteRow {
    fn invite(self) -> Result<OrgInvite> {
        Ok(OrgInvite {
            id: self.id,
            tenant: self.tenant_id,
            user: self.user_id.zip(self.user_handle),
            email: self.email,
            role: read_word("org_invites.role", &self.role, OrgRole::from_word)?,
            by: self.invited_by,
            by_handle: self.invited_by_handle,
            sent: self.sent,
            claimed_by: self.claimed_by,
            created_at: self.created_at,
            expires_at: self.expires_at,
        })
    }
}

impl SystemTx {
    /// Returns the invitations to an organisation that have not ended, the oldest first.
    pub async fn list_org_invites(&mut self, tenant: TenantId, now: Ms) -> Result<Vec<OrgInvite>> {
        let rows: Vec<OrgInviteRow> = on!(self, |c| {
            query_as(
                "select i.*, u.handle as user_handle from org_invites i left join users u on u.id = i.user_id
                 where i.tenant_id = $1 and i.expires_at > $2 order by i.created_at, i.id limit $3",
            )
            .bind(tenant)
            .bind(now)
            .bind(LIST_MAX)
            .fetch_all(c)
            .await
        })?;
        rows.into_iter().map(OrgInviteRow::invite).collect()
    }

    /// Returns the invitations that name this account and have not ended, the newest first.
    pub async fn list_org_invites_to(&mut self, user: UserId, now: Ms) -> Result<Vec<OrgInvite>> {
        let rows: Vec<OrgInviteRow> = on!(self, |c| {
            query_as(
                "select i.*, u.handle as user_handle from org_invites i join users u on u.id = i.user_id
                 where i.user_id = $1 and i.expires_at > $2 order by i.created_at desc, i.id limit $3",
            )
            .bind(user)
            .bind(now)
            .bind(LIST_MAX)
            .fetch_all(c)
            .await
        })?;
        rows.into_iter().map(OrgInviteRow::invite).collect()
    }

    /// Adds an invitation.
    pub async fn add_org_invite(&mut self, invite: &OrgInvite, token_hash: &[u8; 32]) -> Result<()> {
        let hash = token_hash.as_slice();
        on!(self, |c| {
            query(
                "insert into org_invites (tenant_id, id, token_hash, email, user_id, role, invited_by,
                    invited_by_handle, sent, created_at, expires_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            )
            .bind(invite.tenant)
            .bind(invite.id)
            .bind(hash)
            .bind(&invite.email)
            .bind(invite.user.as_ref().map(|(user, _)| *user))
            .bind(invite.role.word())
            .bind(invite.by)
            .bind(&invite.by_handle)
            .bind(invite.sent)
            .bind(invite.created_at)
            .bind(invite.expires_at)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Removes an invitation; `false` if there is none, because it was accepted or withdrawn.
    pub async fn remove_org_invite(&mut self, tenant: TenantId, id: InviteId) -> Result<bool> {
        let removed = changed!(
            self,
            query("delete from org_invites where tenant_id = $1 and id = $2").bind(tenant).bind(id)
        );
        Ok(removed > 0)
    }

    /// Finds the invitation of a link; `None` also if it has ended.
    pub async fn find_org_invite(&mut self, token_hash: &[u8; 32], now: Ms) -> Result<Option<OrgInvite>> {
        let hash = token_hash.as_slice();
        let row: Option<OrgInviteRow> = on!(self, |c| {
            query_as(
                "select i.*, u.handle as user_handle from org_invites i left join users u on u.id = i.user_id
                 where i.token_hash = $1 and i.expires_at > $2",
            )
            .bind(hash)
            .bind(now)
            .fetch_optional(c)
            .await
        })?;
        row.map(OrgInviteRow::invite).transpose()
    }
}

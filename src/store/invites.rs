//! Invitations. A link is here as its hash only.

use sqlx::{FromRow, query, query_as};

use crate::{
    clock::Ms,
    model::{AccessLevel, Email, Handle, Invite, InviteId, PresetId, TenantId, UserId},
    store::{LIST_MAX, Result, SystemTx, Tx, changed, on, read_word},
};

#[derive(FromRow)]
struct InviteRow {
    tenant_id: TenantId,
    id: InviteId,
    preset_id: PresetId,
    email: Option<Email>,
    level: String,
    invited_by: UserId,
    invited_by_handle: Handle,
    sent: bool,
    claimed_by: Option<UserId>,
    created_at: Ms,
    expires_at: Ms,
}

impl InviteRow {
    fn invite(self) -> Result<Invite> {
        Ok(Invite {
            id: self.id,
            tenant: self.tenant_id,
            preset: self.preset_id,
            email: self.email,
            level: read_word("preset_invites.level", &self.level, AccessLevel::from_word)?,
            by: self.invited_by,
            by_handle: self.invited_by_handle,
            sent: self.sent,
            claimed_by: self.claimed_by,
            created_at: self.created_at,
            expires_at: self.expires_at,
        })
    }
}

impl Tx {
    /// Returns the invitations to a preset that have not ended, the oldest first.
    pub async fn list_invites(&mut self, preset: PresetId, now: Ms) -> Result<Vec<Invite>> {
        let tenant = self.tenant;
        let rows: Vec<InviteRow> = on!(self, |c| {
            query_as(
                "select * from preset_invites
                 where tenant_id = $1 and preset_id = $2 and expires_at > $3
                 order by created_at, id limit $4",
            )
            .bind(tenant)
            .bind(preset)
            .bind(now)
            .bind(LIST_MAX)
            .fetch_all(c)
            .await
        })?;
        rows.into_iter().map(InviteRow::invite).collect()
    }

    /// Adds an invitation to a preset of this organisation, whatever `invite.tenant` says. A preset
    /// that is not there is `Dangling`.
    pub async fn add_invite(&mut self, invite: &Invite, token_hash: &[u8; 32]) -> Result<()> {
        let (tenant, hash) = (self.tenant, token_hash.as_slice());
        on!(self, |c| {
            query(
                "insert into preset_invites (tenant_id, id, preset_id, token_hash, email, level, invited_by,
                    invited_by_handle, sent, created_at, expires_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            )
            .bind(tenant)
            .bind(invite.id)
            .bind(invite.preset)
            .bind(hash)
            .bind(&invite.email)
            .bind(invite.level.word())
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
    pub async fn remove_invite(&mut self, preset: PresetId, id: InviteId) -> Result<bool> {
        let tenant = self.tenant;
        let removed = changed!(
            self,
            query("delete from preset_invites where tenant_id = $1 and preset_id = $2 and id = $3")
                .bind(tenant)
                .bind(preset)
                .bind(id)
        );
        Ok(removed > 0)
    }
}

impl SystemTx {
    /// Finds the invitation of a link; `None` also if it has ended.
    pub async fn find_invite(&mut self, token_hash: &[u8; 32], now: Ms) -> Result<Option<Invite>> {
        let hash = token_hash.as_slice();
        let row: Option<InviteRow> = on!(self, |c| {
            query_as("select * from preset_invites where token_hash = $1 and expires_at > $2")
                .bind(hash)
                .bind(now)
                .fetch_optional(c)
                .await
        })?;
        row.map(InviteRow::invite).transpose()
    }

    /// Makes an invitation, to a preset or an organisation, that of whoever makes an account by it; `false` if it is
    /// gone, or somebody else has made one.
    pub async fn claim_invite(&mut self, id: InviteId, user: UserId, now: Ms) -> Result<bool> {
        for claim in [
            "update preset_invites set claimed_by = $2 where id = $1 and claimed_by is null and expires_at > $3",
            "update org_invites set claimed_by = $2 where id = $1 and claimed_by is null and expires_at > $3",
        ] {
            if changed!(self, query(claim).bind(id).bind(user).bind(now)) > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes the invitations that have ended, to presets and to organisations. Returns how many.
    pub async fn remove_ended_invites(&mut self, now: Ms) -> Result<u64> {
        let of_presets = changed!(self, query("delete from preset_invites where expires_at <= $1").bind(now));
        let of_orgs = changed!(self, query("delete from org_invites where expires_at <= $1").bind(now));
        Ok(of_presets + of_orgs)
    }
}

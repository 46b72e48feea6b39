//! Codes, access tokens and refresh tokens of grants. Their texts are here as their SHA-256 only.

use sqlx::{FromRow, query, query_as, query_scalar};
use uuid::Uuid;

use crate::{
    clock::Ms,
    model::{Grant, GrantId, Member, Scopes, Via},
    store::{Result, SystemTx, changed, grants::GrantRow, on, orgs::MemberRow, read_word},
};

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Is redeemed once, for the others.
    Code,
    /// Opens the preset.
    Access,
    /// Is exchanged for the next ones.
    Refresh,
}

impl TokenKind {
    fn word(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Code, Self::Access, Self::Refresh].into_iter().find(|kind| kind.word() == word)
    }
}

/// A token to be kept.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// SHA-256 of its text.
    pub hash: [u8; 32],
    /// What it stands for.
    pub grant: GrantId,
    /// The sign-in it comes from.
    pub family: Uuid,
    /// What it is for.
    pub kind: TokenKind,
    /// What a code is bound to, as JSON; the scopes of an access token that has fewer than its grant; empty
    /// otherwise.
    pub bound: String,
    /// When it was made.
    pub created_at: Ms,
    /// When it ends.
    pub expires_at: Ms,
}

/// A token as found by its hash, with everything needed to judge it.
#[derive(Clone, Debug)]
pub struct TokenRow {
    /// What it is for.
    pub kind: TokenKind,
    /// The sign-in it comes from.
    pub family: Uuid,
    /// What a code is bound to.
    pub bound: String,
    /// When it ends.
    pub expires_at: Ms,
    /// When it was redeemed or replaced; `None` = it was not.
    pub used_at: Option<Ms>,
    /// What it stands for.
    pub grant: Grant,
    /// What the client calls itself.
    pub client_name: String,
    /// The person, via this grant.
    pub member: Member,
    /// Whether the person's account is switched on.
    pub user_enabled: bool,
}

#[derive(FromRow)]
struct Row {
    kind: String,
    family: Uuid,
    bound: String,
    expires_at: Ms,
    used_at: Option<Ms>,
    client_name: String,
    #[sqlx(flatten)]
    grant: GrantRow,
    #[sqlx(flatten)]
    member: MemberRow,
}

impl SystemTx {
    /// Finds a token, whether it still holds or not.
    pub async fn find_token(&mut self, hash: &[u8; 32]) -> Result<Option<TokenRow>> {
        let row: Option<Row> = on!(self, |c| {
            query_as(
                "select t.kind, t.family, t.bound, t.expires_at, t.used_at, c.name as client_name,
                    g.tenant_id, g.id as grant_id, g.user_id, g.client_id, g.preset_tenant_id, g.preset_id,
                    g.scopes, g.tools, g.created_at as granted_at, g.last_used_at,
                    u.handle as user_handle, o.handle as tenant_handle, m.role as org_role,
                    case when u.audits then 'auditor' else u.role end as instance_role,
                    u.plan, u.enabled and o.enabled as enabled
                 from oauth_tokens t
                    join oauth_grants g on g.id = t.grant_id
                    join oauth_clients c on c.id = g.client_id
                    join users u on u.id = g.user_id
                    join organisations o on o.id = g.tenant_id
                    join memberships m on m.tenant_id = g.tenant_id and m.user_id = g.user_id
                 where t.hash = $1",
            )
            .bind(hash.as_slice())
            .fetch_optional(c)
            .await
        })?;
        let Some(row) = row else { return Ok(None) };
        let grant = row.grant.grant()?;
        let kind = read_word("oauth_tokens.kind", &row.kind, TokenKind::from_word)?;
        let scopes = match kind {
            TokenKind::Access if !row.bound.is_empty() => grant.scopes.common(Scopes::read(&row.bound)),
            TokenKind::Access | TokenKind::Code | TokenKind::Refresh => grant.scopes,
        };
        let via = Via::Grant { id: grant.id, preset: grant.preset, scopes, tools: grant.tools.clone() };
        Ok(Some(TokenRow {
            kind,
            family: row.family,
            bound: row.bound,
            expires_at: row.expires_at,
            used_at: row.used_at,
            grant,
            client_name: row.client_name,
            user_enabled: row.member.enabled,
            member: row.member.member(via)?,
        }))
    }

    /// Says whether there is such a token.
    pub async fn has_token(&mut self, hash: &[u8; 32]) -> Result<bool> {
        let found: Option<String> = on!(self, |c| {
            query_scalar("select kind from oauth_tokens where hash = $1")
                .bind(hash.as_slice())
                .fetch_optional(c)
                .await
        })?;
        Ok(found.is_some())
    }

    /// Adds a token.
    pub async fn add_token(&mut self, token: &NewToken) -> Result<()> {
        on!(self, |c| {
            query(
                "insert into oauth_tokens (hash, grant_id, family, kind, bound, created_at, expires_at, used_at)
                 values ($1, $2, $3, $4, $5, $6, $7, null)",
            )
            .bind(token.hash.as_slice())
            .bind(token.grant)
            .bind(token.family)
            .bind(token.kind.word())
            .bind(&token.bound)
            .bind(token.created_at)
            .bind(token.expires_at)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Marks a token as used, and has it end no later than `end`; `false` if it was used before.
    pub async fn use_token(&mut self, hash: &[u8; 32], now: Ms, end: Ms) -> Result<bool> {
        let changed = changed!(
            self,
            query(
                "update oauth_tokens
                 set used_at = $2, expires_at = case when expires_at < $3 then expires_at else $3 end
                 where hash = $1 and used_at is null",
            )
            .bind(hash.as_slice())
            .bind(now)
            .bind(end)
        );
        Ok(changed > 0)
    }

    /// Removes a token; `false` if there is none.
    pub async fn remove_token(&mut self, hash: &[u8; 32]) -> Result<bool> {
        Ok(changed!(self, query("delete from oauth_tokens where hash = $1").bind(hash.as_slice())) > 0)
    }

    /// Removes every token of a sign-in.
    pub async fn remove_family(&mut self, family: Uuid) -> Result<u64> {
        Ok(changed!(self, query("delete from oauth_tokens where family = $1").bind(family)))
    }

    /// Removes the access tokens of a sign-in but for the `keep` newest.
    pub async fn trim_access_tokens(&mut self, family: Uuid, keep: i64) -> Result<u64> {
        Ok(changed!(
            self,
            query(
                "delete from oauth_tokens where family = $1 and kind = 'access' and hash not in (
                    select hash from oauth_tokens where family = $1 and kind = 'access'
                    order by created_at desc limit $2)",
            )
            .bind(family)
            .bind(keep)
        ))
    }

    /// Removes tokens that ended before `now`, at most `limit`. Returns how many.
    pub async fn remove_ended_tokens(&mut self, now: Ms, limit: i64) -> Result<u64> {
        Ok(changed!(
            self,
            query(
                "delete from oauth_tokens where hash in
                    (select hash from oauth_tokens where expires_at <= $1 order by expires_at limit $2)",
            )
            .bind(now)
            .bind(limit)
        ))
    }
}

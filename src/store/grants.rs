//! What people let MCP clients do.

use std::sync::Arc;

use sqlx::{FromRow, query, query_as, query_scalar};

use crate::{
    clock::Ms,
    model::{Grant, GrantId, GrantedTools, Handle, PresetId, Scopes, Slug, TenantId, UserId},
    store::{LIST_MAX, Result, SystemTx, changed, clean, on, read_json, write_json},
};

/// The columns that make a [`Grant`], in every query that finds one.
#[derive(FromRow)]
pub(super) struct GrantRow {
    tenant_id: TenantId,
    grant_id: GrantId,
    user_id: UserId,
    client_id: String,
    preset_tenant_id: TenantId,
    preset_id: PresetId,
    scopes: String,
    tools: String,
    granted_at: Ms,
    last_used_at: Option<Ms>,
}

impl GrantRow {
    pub(super) fn grant(self) -> Result<Grant> {
        let tools: Option<Vec<_>> = read_json("oauth_grants.tools", &self.tools)?;
        Ok(Grant {
            id: self.grant_id,
            tenant: self.tenant_id,
            user: self.user_id,
            client: self.client_id,
            preset: self.preset_id,
            preset_tenant: self.preset_tenant_id,
            scopes: Scopes::read(&self.scopes),
            tools: tools.map(Arc::from),
            created_at: self.granted_at,
            last_used_at: self.last_used_at,
        })
    }
}

/// A grant with the names that people know its parts by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedGrant {
    /// The grant.
    pub grant: Grant,
    /// What the client calls itself.
    pub client_name: String,
    /// What it said of itself, as JSON.
    pub client_metadata: String,
    /// The owner's part of the preset's address.
    pub owner: Handle,
    /// The preset's part of its address.
    pub slug: Slug,
}

#[derive(FromRow)]
struct NamedRow {
    #[sqlx(flatten)]
    grant: GrantRow,
    client_name: String,
    client_metadata: String,
    owner: Handle,
    slug: Slug,
}

impl SystemTx {
    /// Returns what a person lets clients do, the newest first.
    pub async fn list_grants(&mut self, user: UserId) -> Result<Vec<NamedGrant>> {
        let rows: Vec<NamedRow> = on!(self, |c| {
            query_as(
                "select g.tenant_id, g.id as grant_id, g.user_id, g.client_id, g.preset_tenant_id, g.preset_id,
                    g.scopes, g.tools, g.created_at as granted_at, g.last_used_at,
                    c.name as client_name, c.metadata as client_metadata, o.handle as owner, p.slug
                 from oauth_grants g
                    join oauth_clients c on c.id = g.client_id
                    join organisations o on o.id = g.preset_tenant_id
                    join presets p on p.tenant_id = g.preset_tenant_id and p.id = g.preset_id
                 where g.user_id = $1 order by g.created_at desc, g.id desc limit $2",
            )
            .bind(user)
            .bind(LIST_MAX)
            .fetch_all(c)
            .await
        })?;
        rows.into_iter()
            .map(|row| {
                Ok(NamedGrant {
                    grant: row.grant.grant()?,
                    client_name: row.client_name,
                    client_metadata: row.client_metadata,
                    owner: row.owner,
                    slug: row.slug,
                })
            })
            .collect()
    }

    /// Finds what a person lets a client do with a preset.
    pub async fn find_grant(
        &mut self,
        user: UserId,
        tenant: TenantId,
        client: &str,
        preset: PresetId,
    ) -> Result<Option<Grant>> {
        let row: Option<GrantRow> = on!(self, |c| {
            query_as(
                "select tenant_id, id as grant_id, user_id, client_id, preset_tenant_id, preset_id, scopes, tools,
                    created_at as granted_at, last_used_at
                 from oauth_grants
                 where tenant_id = $1 and user_id = $2 and client_id = $3 and preset_id = $4",
            )
            .bind(tenant)
            .bind(user)
            .bind(clean(client))
            .bind(preset)
            .fetch_optional(c)
            .await
        })?;
        row.map(GrantRow::grant).transpose()
    }

    /// Returns the grants of a client.
    pub async fn list_grants_of_client(&mut self, client: &str) -> Result<Vec<GrantId>> {
        Ok(on!(self, |c| {
            query_scalar("select id from oauth_grants where client_id = $1")
                .bind(clean(client))
                .fetch_all(c)
                .await
        })?)
    }

    /// Adds a grant, or changes what the one of this person, client and preset reaches. Returns its id.
    pub async fn put_grant(&mut self, grant: &Grant) -> Result<GrantId> {
        let tools = written(&grant.tools)?;
        Ok(on!(self, |c| {
            query_scalar(
                "insert into oauth_grants (tenant_id, id, user_id, client_id, preset_tenant_id, preset_id,
                    scopes, tools, created_at, last_used_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                 on conflict (tenant_id, user_id, client_id, preset_id)
                    do update set scopes = excluded.scopes, tools = excluded.tools
                 returning id",
            )
            .bind(grant.tenant)
            .bind(grant.id)
            .bind(grant.user)
            .bind(clean(&grant.client))
            .bind(grant.preset_tenant)
            .bind(grant.preset)
            .bind(grant.scopes.to_string())
            .bind(&tools)
            .bind(grant.created_at)
            .bind(grant.last_used_at)
            .fetch_one(c)
            .await
        })?)
    }

    /// Removes a grant of that person with all its tokens; `false` if there is none of that id.
    pub async fn remove_grant(&mut self, user: UserId, id: GrantId) -> Result<bool> {
        let removed = changed!(
            self,
            query("delete from oauth_grants where user_id = $1 and id = $2").bind(user).bind(id)
        );
        Ok(removed > 0)
    }

    /// Notes when grants were last used.
    pub async fn touch_grants(&mut self, used: &[(GrantId, Ms)]) -> Result<()> {
        let statement = "update oauth_grants set last_used_at = $2
             where id = $1 and (last_used_at is null or last_used_at < $2)";
        self.touch(statement, used).await
    }
}

fn written(tools: &GrantedTools) -> Result<String> {
    write_json("oauth_grants.tools", &tools.as_deref())
}

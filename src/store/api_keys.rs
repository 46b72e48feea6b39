//! API keys. Its text is here as its SHA-256 only.

use sqlx::{FromRow, query, query_as};

use crate::{
    clock::Ms,
    model::{ApiKey, ApiKeyId, Member, Rate, TenantId, UserId, Via},
    store::{
        LIST_MAX, Pools, Result, Store, SystemTx, Tx, changed, clean, on, orgs::MemberRow, read_hash,
        read_json, read_rate, write_json,
    },
};

/// An API key as found by its id, with everything needed to judge it.
#[derive(Clone, Debug)]
pub struct ApiKeyRow {
    /// The key; revoked and expired ones are found too.
    pub key: ApiKey,
    /// SHA-256 of its whole text.
    pub secret_hash: [u8; 32],
    /// The person it acts for, via this key.
    pub member: Member,
    /// Whether the person's account is switched on.
    pub user_enabled: bool,
}

#[derive(FromRow)]
struct KeyRow {
    tenant_id: TenantId,
    id: ApiKeyId,
    user_id: UserId,
    name: String,
    secret_hash: Vec<u8>,
    scope: String,
    rate: Option<String>,
    created_at: Ms,
    expires_at: Option<Ms>,
    last_used_at: Option<Ms>,
    revoked_at: Option<Ms>,
}

impl KeyRow {
    fn key(self) -> Result<ApiKey> {
        Ok(ApiKey {
            id: self.id,
            tenant: self.tenant_id,
            user: self.user_id,
            name: self.name,
            scope: read_json("api_keys.scope", &self.scope)?,
            rate: read_rate("api_keys.rate", self.rate.as_deref())?,
            created_at: self.created_at,
            expires_at: self.expires_at,
            last_used_at: self.last_used_at,
            revoked_at: self.revoked_at,
        })
    }
}

#[derive(FromRow)]
struct FoundRow {
    #[sqlx(flatten)]
    key: KeyRow,
    #[sqlx(flatten)]
    member: MemberRow,
}

impl Store {
    /// Finds a key by its id. One round trip, no transaction.
    pub async fn find_api_key(&self, id: ApiKeyId) -> Result<Option<ApiKeyRow>> {
        let row: Option<FoundRow> = match &self.pools {
            Pools::Sqlite { readers, .. } => {
                query_as(
                    "select k.tenant_id, k.id, k.user_id, k.name, k.secret_hash, k.scope, k.rate,
                        k.created_at, k.expires_at, k.last_used_at, k.revoked_at,
                        u.handle as user_handle, o.handle as tenant_handle, m.role as org_role,
                        case when u.audits then 'auditor' else u.role end as instance_role,
                    u.plan, u.enabled and o.enabled as enabled
                     from api_keys k
                        join users u on u.id = k.user_id
                        join organisations o on o.id = k.tenant_id
                        join memberships m on m.tenant_id = k.tenant_id and m.user_id = k.user_id
                     where k.id = $1",
                )
                .bind(id)
                .fetch_optional(readers)
                .await?
            }
            Pools::Postgres(pool) => {
                query_as("select * from find_api_key($1)").bind(id).fetch_optional(pool).await?
            }
        };
        let Some(FoundRow { key, member }) = row else {
            return Ok(None);
        };
        let secret_hash = read_hash("api_keys.secret_hash", &key.secret_hash)?;
        let key = key.key()?;
        let user_enabled = member.enabled;
        let via =
            Via::ApiKey { id: key.id, name: key.name.clone(), scope: key.scope.clone(), rate: key.rate };
        Ok(Some(ApiKeyRow { secret_hash, member: member.member(via)?, user_enabled, key }))
    }
}

impl Tx {
    /// Returns the keys that act in this organisation, the newest first.
    pub async fn list_api_keys(&mut self) -> Result<Vec<ApiKey>> {
        let tenant = self.tenant;
        let rows: Vec<KeyRow> = on!(self, |c| {
            query_as("select * from api_keys where tenant_id = $1 order by created_at desc, id desc limit $2")
                .bind(tenant)
                .bind(LIST_MAX)
                .fetch_all(c)
                .await
        })?;
        rows.into_iter().map(KeyRow::key).collect()
    }

    /// Finds a key of this organisation.
    pub async fn find_api_key(&mut self, id: ApiKeyId) -> Result<Option<ApiKey>> {
        let tenant = self.tenant;
        let row: Option<KeyRow> = on!(self, |c| {
            query_as("select * from api_keys where tenant_id = $1 and id = $2")
                .bind(tenant)
                .bind(id)
                .fetch_optional(c)
                .await
        })?;
        row.map(KeyRow::key).transpose()
    }

    /// Adds a key to this organisation, whatever `key.tenant` says. A person who is no member of it
    /// is `Dangling`.
    pub async fn add_api_key(&mut self, key: &ApiKey, secret_hash: &[u8; 32]) -> Result<()> {
        let tenant = self.tenant;
        let scope = write_json("api_keys.scope", &key.scope)?;
        on!(self, |c| {
            query(
                "insert into api_keys (tenant_id, id, user_id, name, secret_hash, scope,
                    created_at, expires_at, last_used_at, revoked_at, rate)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            )
            .bind(tenant)
            .bind(key.id)
            .bind(key.user)
            .bind(clean(&key.name))
            .bind(secret_hash.as_slice())
            .bind(&scope)
            .bind(key.created_at)
            .bind(key.expires_at)
            .bind(key.last_used_at)
            .bind(key.revoked_at)
            .bind(key.rate.map(|rate| rate.to_string()))
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Renames a key; `false` if there is no such key.
    pub async fn rename_api_key(&mut self, id: ApiKeyId, name: &str) -> Result<bool> {
        let tenant = self.tenant;
        let changed = changed!(
            self,
            query("update api_keys set name = $3 where tenant_id = $1 and id = $2")
                .bind(tenant)
                .bind(id)
                .bind(clean(name))
        );
        Ok(changed > 0)
    }

    /// Says how fast calls with a key may come; `false` if there is no such key.
    pub async fn set_api_key_rate(&mut self, id: ApiKeyId, rate: Option<Rate>) -> Result<bool> {
        let tenant = self.tenant;
        let changed = changed!(
            self,
            query("update api_keys set rate = $3 where tenant_id = $1 and id = $2")
                .bind(tenant)
                .bind(id)
                .bind(rate.map(|rate| rate.to_string()))
        );
        Ok(changed > 0)
    }

    /// Revokes a key; `false` if there is no such key or it was revoked before.
    pub async fn revoke_api_key(&mut self, id: ApiKeyId, now: Ms) -> Result<bool> {
        let tenant = self.tenant;
        let changed = changed!(
            self,
            query(
                "update api_keys set revoked_at = $3
                 where tenant_id = $1 and id = $2 and revoked_at is null",
            )
            .bind(tenant)
            .bind(id)
            .bind(now)
        );
        Ok(changed > 0)
    }
}

impl SystemTx {
    /// Notes when keys were last used.
    pub async fn touch_api_keys(&mut self, used: &[(ApiKeyId, Ms)]) -> Result<()> {
        let statement = "update api_keys set last_used_at = $2
             where id = $1 and (last_used_at is null or last_used_at < $2)";
        self.touch(statement, used).await
    }
}

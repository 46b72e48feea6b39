//! MCP clients that the issuer knows. They belong to no organisation.

use sqlx::{FromRow, query, query_as, query_scalar};

use crate::{
    clock::Ms,
    store::{Result, SystemTx, changed, clean, on, read_hash},
};

/// A client as kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRow {
    /// What it is called in requests.
    pub id: String,
    /// What it calls itself.
    pub name: String,
    /// What it said of itself, as JSON.
    pub metadata: String,
    /// SHA-256 of its secret; `None` = it has none.
    pub secret_hash: Option<[u8; 32]>,
    /// SHA-256 of the token it manages its registration with; `None` = it did not register.
    pub registration_hash: Option<[u8; 32]>,
    /// When it was first seen.
    pub created_at: Ms,
    /// When somebody last let it in; `None` = nobody ever did.
    pub used_at: Option<Ms>,
}

#[derive(FromRow)]
struct Row {
    id: String,
    name: String,
    metadata: String,
    secret_hash: Option<Vec<u8>>,
    registration_hash: Option<Vec<u8>>,
    created_at: Ms,
    used_at: Option<Ms>,
}

impl Row {
    fn client(self) -> Result<ClientRow> {
        let hash = |what, hash: Option<Vec<u8>>| hash.map(|hash| read_hash(what, &hash)).transpose();
        Ok(ClientRow {
            secret_hash: hash("oauth_clients.secret_hash", self.secret_hash)?,
            registration_hash: hash("oauth_clients.registration_hash", self.registration_hash)?,
            id: self.id,
            name: self.name,
            metadata: self.metadata,
            created_at: self.created_at,
            used_at: self.used_at,
        })
    }
}

impl SystemTx {
    /// Finds a client.
    pub async fn find_client(&mut self, id: &str) -> Result<Option<ClientRow>> {
        let row: Option<Row> = on!(self, |c| {
            query_as("select * from oauth_clients where id = $1").bind(clean(id)).fetch_optional(c).await
        })?;
        row.map(Row::client).transpose()
    }

    /// Adds a client, or writes anew what one of that id says of itself.
    pub async fn put_client(&mut self, client: &ClientRow) -> Result<()> {
        let hash = |hash: &Option<[u8; 32]>| hash.map(|hash| hash.to_vec());
        on!(self, |c| {
            query(
                "insert into oauth_clients
                    (id, name, metadata, secret_hash, registration_hash, created_at, used_at)
                 values ($1, $2, $3, $4, $5, $6, $7)
                 on conflict (id) do update set name = excluded.name, metadata = excluded.metadata",
            )
            .bind(clean(&client.id))
            .bind(clean(&client.name))
            .bind(clean(&client.metadata))
            .bind(hash(&client.secret_hash))
            .bind(hash(&client.registration_hash))
            .bind(client.created_at)
            .bind(client.used_at)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Notes that somebody let a client in.
    pub async fn use_client(&mut self, id: &str, at: Ms) -> Result<()> {
        on!(self, |c| {
            query("update oauth_clients set used_at = $2 where id = $1")
                .bind(clean(id))
                .bind(at)
                .execute(c)
                .await
                .map(drop)
        })?;
        Ok(())
    }

    /// Returns how many clients nobody ever let in.
    pub async fn count_unused_clients(&mut self) -> Result<i64> {
        Ok(on!(self, |c| {
            query_scalar("select count(*) from oauth_clients where used_at is null").fetch_one(c).await
        })?)
    }

    /// Removes a client and everything it was let do; `false` if there is no such client.
    pub async fn remove_client(&mut self, id: &str) -> Result<bool> {
        Ok(changed!(self, query("delete from oauth_clients where id = $1").bind(clean(id))) > 0)
    }

    /// Removes clients that may do nothing: those nobody let in and that are older than `unused`, and
    /// those that nobody let in since `idle`. At most `limit`; returns how many.
    pub async fn remove_idle_clients(&mut self, unused: Ms, idle: Ms, limit: i64) -> Result<u64> {
        Ok(changed!(
            self,
            query(
                "delete from oauth_clients where id in (
                    select c.id from oauth_clients c
                    where not exists (select 1 from oauth_grants g where g.client_id = c.id)
                        and ((c.used_at is null and c.created_at < $1) or c.used_at < $2)
                    limit $3)",
            )
            .bind(unused)
            .bind(idle)
            .bind(limit)
        ))
    }
}

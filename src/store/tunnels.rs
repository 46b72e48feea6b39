//! Tunnels and what signs in at their servers, sealed.

use sqlx::{FromRow, query, query_as, query_scalar};

use crate::{
    clock::Ms,
    model::{SourceName, TenantId, Tunnel, TunnelId, TunnelName},
    store::{LIST_MAX, Result, Tx, changed, on, read_json, vault::kid_of, write_json},
};

#[derive(FromRow)]
struct TunnelRow {
    tenant_id: TenantId,
    id: TunnelId,
    name: TunnelName,
    hops: String,
    destinations: String,
    version: i64,
    created_at: Ms,
    updated_at: Ms,
}

impl TunnelRow {
    fn tunnel(self) -> Result<Tunnel> {
        Ok(Tunnel {
            id: self.id,
            tenant: self.tenant_id,
            name: self.name,
            hops: read_json("tunnels.hops", &self.hops)?,
            destinations: read_json("tunnels.destinations", &self.destinations)?,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

impl Tx {
    /// Returns the organisation's tunnels by name.
    pub async fn list_tunnels(&mut self) -> Result<Vec<Tunnel>> {
        let tenant = self.tenant;
        let rows: Vec<TunnelRow> = on!(self, |c| {
            query_as("select * from tunnels where tenant_id = $1 order by name limit $2")
                .bind(tenant)
                .bind(LIST_MAX)
                .fetch_all(c)
                .await
        })?;
        rows.into_iter().map(TunnelRow::tunnel).collect()
    }

    /// Returns how many tunnels the organisation has.
    pub async fn count_tunnels(&mut self) -> Result<i64> {
        let tenant = self.tenant;
        Ok(on!(self, |c| {
            query_scalar("select count(*) from tunnels where tenant_id = $1").bind(tenant).fetch_one(c).await
        })?)
    }

    /// Finds a tunnel.
    pub async fn find_tunnel(&mut self, id: TunnelId) -> Result<Option<Tunnel>> {
        let tenant = self.tenant;
        let row: Option<TunnelRow> = on!(self, |c| {
            query_as("select * from tunnels where tenant_id = $1 and id = $2")
                .bind(tenant)
                .bind(id)
                .fetch_optional(c)
                .await
        })?;
        row.map(TunnelRow::tunnel).transpose()
    }

    /// Finds a tunnel by its name.
    pub async fn find_tunnel_by_name(&mut self, name: &TunnelName) -> Result<Option<Tunnel>> {
        let tenant = self.tenant;
        let row: Option<TunnelRow> = on!(self, |c| {
            query_as("select * from tunnels where tenant_id = $1 and name = $2")
                .bind(tenant)
                .bind(name)
                .fetch_optional(c)
                .await
        })?;
        row.map(TunnelRow::tunnel).transpose()
    }

    /// Returns what signs in at a tunnel's servers, sealed; `None` if there is no such tunnel.
    pub async fn tunnel_secrets(&mut self, id: TunnelId) -> Result<Option<String>> {
        let tenant = self.tenant;
        Ok(on!(self, |c| {
            query_scalar("select secrets from tunnels where tenant_id = $1 and id = $2")
                .bind(tenant)
                .bind(id)
                .fetch_optional(c)
                .await
        })?)
    }

    /// Returns the names of the sources that go through a tunnel, and whether each keeps a credential or is signed in to.
    pub async fn sources_through(
        &mut self,
        id: TunnelId,
    ) -> Result<Vec<(crate::model::SourceId, SourceName, bool)>> {
        let tenant = self.tenant;
        Ok(on!(self, |c| {
            query_as(
                "select id, name, auth_kind <> 'none' from sources
                 where tenant_id = $1 and tunnel_id = $2 order by name limit $3",
            )
            .bind(tenant)
            .bind(id)
            .bind(LIST_MAX)
            .fetch_all(c)
            .await
        })?)
    }

    /// Adds a tunnel to this organisation, whatever `tunnel.tenant` says. A taken name is
    /// `Conflict { what: "tunnels.name" }`.
    pub async fn add_tunnel(&mut self, tunnel: &Tunnel, secrets: &str) -> Result<()> {
        let tenant = self.tenant;
        let (hops, destinations) = written(tunnel)?;
        let kid = kid_of(secrets)?;
        on!(self, |c| {
            query(
                "insert into tunnels (tenant_id, id, name, hops, destinations, secrets, secrets_kid, version,
                    created_at, updated_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            )
            .bind(tenant)
            .bind(tunnel.id)
            .bind(&tunnel.name)
            .bind(&hops)
            .bind(&destinations)
            .bind(secrets)
            .bind(&kid)
            .bind(tunnel.version)
            .bind(tunnel.created_at)
            .bind(tunnel.updated_at)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Replaces what an owner edits and sets the version to `expected_version + 1`. `false` if the tunnel is gone or
    /// has another version.
    pub async fn update_tunnel(
        &mut self,
        tunnel: &Tunnel,
        secrets: &str,
        expected_version: i64,
    ) -> Result<bool> {
        let tenant = self.tenant;
        let (hops, destinations) = written(tunnel)?;
        let kid = kid_of(secrets)?;
        let updated = changed!(
            self,
            query(
                "update tunnels set name = $4, hops = $5, destinations = $6, secrets = $7, secrets_kid = $8,
                    updated_at = $9, version = version + 1
                 where tenant_id = $1 and id = $2 and version = $3",
            )
            .bind(tenant)
            .bind(tunnel.id)
            .bind(expected_version)
            .bind(&tunnel.name)
            .bind(&hops)
            .bind(&destinations)
            .bind(secrets)
            .bind(&kid)
            .bind(tunnel.updated_at)
        );
        Ok(updated > 0)
    }

    /// Removes a tunnel; `false` if there is none. One that a source goes through is `Dangling`.
    pub async fn remove_tunnel(&mut self, id: TunnelId) -> Result<bool> {
        let tenant = self.tenant;
        let removed = changed!(
            self,
            query("delete from tunnels where tenant_id = $1 and id = $2").bind(tenant).bind(id)
        );
        Ok(removed > 0)
    }
}

fn written(tunnel: &Tunnel) -> Result<(String, String)> {
    Ok((write_json("tunnels.hops", &tunnel.hops)?, write_json("tunnels.destinations", &tunnel.destinations)?))
}

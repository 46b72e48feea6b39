//! Data sources and their sealed credentials.

use sqlx::{FromRow, query, query_as, query_scalar};

use crate::{
    clock::Ms,
    model::{
        CaCertificates, EraSetting, EraVerdict, Health, HealthState, RunsAs, Source, SourceId, SourceName,
        TenantId, TunnelId,
    },
    store::{
        LIST_MAX, Result, SystemTx, Tx, clean, on, read_json, read_rules, read_word, vault::kid_of,
        write_json, write_rules,
    },
};

#[derive(FromRow)]
struct SourceRow {
    tenant_id: TenantId,
    id: SourceId,
    name: SourceName,
    reach: String,
    auth_kind: String,
    runs_as: String,
    tunnel_id: Option<TunnelId>,
    ca_certificates: Option<CaCertificates>,
    env_names: String,
    credential: Option<String>,
    era: String,
    verdict: Option<String>,
    enabled: bool,
    health_state: String,
    health_detail: String,
    health_at: Option<Ms>,
    call_rules: Option<String>,
    version: i64,
    created_at: Ms,
    updated_at: Ms,
}

impl SourceRow {
    fn source(self) -> Result<Source> {
        Ok(Source {
            id: self.id,
            tenant: self.tenant_id,
            name: self.name,
            reach: read_json("sources.reach", &self.reach)?,
            tunnel: self.tunnel_id,
            ca_certificates: self.ca_certificates,
            auth_kind: self.auth_kind,
            runs_as: read_word("sources.runs_as", &self.runs_as, RunsAs::from_word)?,
            env_names: read_json("sources.env_names", &self.env_names)?,
            era: read_word("sources.era", &self.era, EraSetting::from_word)?,
            verdict: self.verdict.map(|text| read_json("sources.verdict", &text)).transpose()?,
            enabled: self.enabled,
            health: Health {
                state: read_word("sources.health_state", &self.health_state, HealthState::from_word)?,
                detail: self.health_detail,
                at: self.health_at,
            },
            rules: read_rules("sources.call_rules", self.call_rules.as_deref())?,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

impl Tx {
    /// Returns the organisation's sources by name.
    pub async fn list_sources(&mut self) -> Result<Vec<Source>> {
        let tenant = self.tenant;
        let rows: Vec<SourceRow> = on!(self, |c| {
            query_as("select * from sources where tenant_id = $1 order by name limit $2")
                .bind(tenant)
                .bind(LIST_MAX)
                .fetch_all(c)
                .await
        })?;
        rows.into_iter().map(SourceRow::source).collect()
    }

    /// Returns how many sources the organisation has.
    pub async fn count_sources(&mut self) -> Result<i64> {
        let tenant = self.tenant;
        Ok(on!(self, |c| {
            query_scalar("select count(*) from sources where tenant_id = $1").bind(tenant).fetch_one(c).await
        })?)
    }

    /// Finds a source.
    pub async fn find_source(&mut self, id: SourceId) -> Result<Option<Source>> {
        let tenant = self.tenant;
        let row: Option<SourceRow> = on!(self, |c| {
            query_as("select * from sources where tenant_id = $1 and id = $2")
                .bind(tenant)
                .bind(id)
                .fetch_optional(c)
                .await
        })?;
        row.map(SourceRow::source).transpose()
    }

    /// Finds a source by its name.
    pub async fn find_source_by_name(&mut self, name: &SourceName) -> Result<Option<Source>> {
        let tenant = self.tenant;
        let row: Option<SourceRow> = on!(self, |c| {
            query_as("select * from sources where tenant_id = $1 and name = $2")
                .bind(tenant)
                .bind(name)
                .fetch_optional(c)
                .await
        })?;
        row.map(SourceRow::source).transpose()
    }

    /// Adds a source to this organisation, whatever `source.tenant` says, with its sealed
    /// credential. A taken name is `Conflict { what: "sources.name" }`.
    pub async fn add_source(&mut self, source: &Source, credential: Option<&str>) -> Result<()> {
        let tenant = self.tenant;
        let edit = Edit::of(source)?;
        let kid = credential.map(kid_of).transpose()?;
        on!(self, |c| {
            query(
                "insert into sources (tenant_id, id, name, kind, reach, auth_kind, env_names, credential,
                    credential_kid, era, verdict, enabled, health_state, health_detail, health_at,
                    version, created_at, updated_at, runs_as, tunnel_id, ca_certificates, call_rules)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
                    $21, $22)",
            )
            .bind(tenant)
            .bind(source.id)
            .bind(&source.name)
            .bind(source.reach.kind().word())
            .bind(&edit.reach)
            .bind(&source.auth_kind)
            .bind(&edit.env_names)
            .bind(credential)
            .bind(&kid)
            .bind(source.era.word())
            .bind(&edit.verdict)
            .bind(source.enabled)
            .bind(source.health.state.word())
            .bind(clean(&source.health.detail))
            .bind(source.health.at)
            .bind(source.version)
            .bind(source.created_at)
            .bind(source.updated_at)
            .bind(source.runs_as.word())
            .bind(source.tunnel)
            .bind(&source.ca_certificates)
            .bind(&edit.rules)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Replaces what an owner edits (name, reach, kind of credential, era, switch, verdict, health)
    /// and sets the version to `expected_version + 1`. `false` if the source is gone or has another
    /// version.
    pub async fn update_source(&mut self, source: &Source, expected_version: i64) -> Result<bool> {
        let tenant = self.tenant;
        let edit = Edit::of(source)?;
        let changed = on!(self, |c| {
            query(
                "update sources set name = $4, kind = $5, reach = $6, auth_kind = $7, env_names = $8, era = $9,
                    verdict = $10, enabled = $11, health_state = $12, health_detail = $13, health_at = $14,
                    updated_at = $15, runs_as = $16, tunnel_id = $17, ca_certificates = $18, call_rules = $19,
                    version = version + 1
                 where tenant_id = $1 and id = $2 and version = $3",
            )
            .bind(tenant)
            .bind(source.id)
            .bind(expected_version)
            .bind(&source.name)
            .bind(source.reach.kind().word())
            .bind(&edit.reach)
            .bind(&source.auth_kind)
            .bind(&edit.env_names)
            .bind(source.era.word())
            .bind(&edit.verdict)
            .bind(source.enabled)
            .bind(source.health.state.word())
            .bind(clean(&source.health.detail))
            .bind(source.health.at)
            .bind(source.updated_at)
            .bind(source.runs_as.word())
            .bind(source.tunnel)
            .bind(&source.ca_certificates)
            .bind(&edit.rules)
            .execute(c)
            .await
            .map(|done| done.rows_affected())
        })?;
        Ok(changed > 0)
    }

    /// Replaces the sealed credential. Counts as no edit of its own. `false` if there is no such
    /// source.
    pub async fn set_source_credential(&mut self, id: SourceId, sealed: Option<&str>) -> Result<bool> {
        let tenant = self.tenant;
        let kid = sealed.map(kid_of).transpose()?;
        let changed = on!(self, |c| {
            query("update sources set credential = $3, credential_kid = $4 where tenant_id = $1 and id = $2")
                .bind(tenant)
                .bind(id)
                .bind(sealed)
                .bind(&kid)
                .execute(c)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(changed > 0)
    }

    /// Returns the sealed credential; `None` if the source keeps none or does not exist.
    pub async fn source_credential(&mut self, id: SourceId) -> Result<Option<String>> {
        let tenant = self.tenant;
        let found: Option<Option<String>> = on!(self, |c| {
            query_scalar("select credential from sources where tenant_id = $1 and id = $2")
                .bind(tenant)
                .bind(id)
                .fetch_optional(c)
                .await
        })?;
        Ok(found.flatten())
    }

    /// Notes what a probe found. Counts as no edit. `false` if there is no such source.
    pub async fn set_source_verdict(&mut self, id: SourceId, verdict: Option<&EraVerdict>) -> Result<bool> {
        let tenant = self.tenant;
        let verdict = verdict.map(|verdict| write_json("sources.verdict", verdict)).transpose()?;
        let changed = on!(self, |c| {
            query("update sources set verdict = $3 where tenant_id = $1 and id = $2")
                .bind(tenant)
                .bind(id)
                .bind(&verdict)
                .execute(c)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(changed > 0)
    }

    /// Notes whether the source can be used. Counts as no edit. `false` if there is no such source.
    pub async fn set_source_health(&mut self, id: SourceId, health: &Health) -> Result<bool> {
        let tenant = self.tenant;
        let changed = on!(self, |c| {
            query(
                "update sources set health_state = $3, health_detail = $4, health_at = $5
                 where tenant_id = $1 and id = $2",
            )
            .bind(tenant)
            .bind(id)
            .bind(health.state.word())
            .bind(clean(&health.detail))
            .bind(health.at)
            .execute(c)
            .await
            .map(|done| done.rows_affected())
        })?;
        Ok(changed > 0)
    }

    /// Removes a source, its tools and what presets selected of it. `false` if there is none.
    pub async fn remove_source(&mut self, id: SourceId) -> Result<bool> {
        let tenant = self.tenant;
        let removed = on!(self, |c| {
            query("delete from sources where tenant_id = $1 and id = $2")
                .bind(tenant)
                .bind(id)
                .execute(c)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(removed > 0)
    }
}

impl SystemTx {
    /// Returns switched-on sources of every organisation in the order of their ids, those after
    /// `after`: for health checks.
    pub async fn list_enabled_sources(&mut self, after: Option<SourceId>, limit: i64) -> Result<Vec<Source>> {
        let after = after.unwrap_or(SourceId(uuid::Uuid::nil()));
        let rows: Vec<SourceRow> = on!(self, |c| {
            query_as("select * from sources where id > $1 and enabled order by id limit $2")
                .bind(after)
                .bind(limit)
                .fetch_all(c)
                .await
        })?;
        rows.into_iter().map(SourceRow::source).collect()
    }

    /// Finds a source of any organisation and its sealed credential, for opening a link.
    pub async fn find_source(&mut self, id: SourceId) -> Result<Option<(Source, Option<String>)>> {
        let row: Option<SourceRow> =
            on!(self, |c| query_as("select * from sources where id = $1").bind(id).fetch_optional(c).await)?;
        row.map(|mut row| {
            let credential = row.credential.take();
            Ok((row.source()?, credential))
        })
        .transpose()
    }
}

/// The members of a source that are stored as JSON.
struct Edit {
    reach: String,
    env_names: String,
    verdict: Option<String>,
    rules: Option<String>,
}

impl Edit {
    fn of(source: &Source) -> Result<Self> {
        Ok(Self {
            reach: write_json("sources.reach", &source.reach)?,
            env_names: write_json("sources.env_names", &source.env_names)?,
            verdict: source
                .verdict
                .as_ref()
                .map(|verdict| write_json("sources.verdict", verdict))
                .transpose()?,
            rules: write_rules("sources.call_rules", &source.rules)?,
        })
    }
}

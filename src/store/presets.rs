//! Presets.

use sqlx::{FromRow, query, query_as, query_scalar};

use crate::{
    clock::Ms,
    model::{Handle, Preset, PresetId, PresetStatus, Slug, SourceId, TenantId, Visibility},
    store::{LIST_MAX, Pools, Result, Store, Tx, clean, on, read_rules, read_word, write_rules},
};

#[derive(FromRow)]
pub(super) struct PresetRow {
    tenant_id: TenantId,
    id: PresetId,
    slug: Slug,
    title: String,
    description: String,
    visibility: String,
    anonymous: bool,
    status: String,
    expires_at: Option<Ms>,
    call_rules: Option<String>,
    version: i64,
    created_at: Ms,
    updated_at: Ms,
}

impl PresetRow {
    pub(super) fn preset(self) -> Result<Preset> {
        Ok(Preset {
            id: self.id,
            tenant: self.tenant_id,
            slug: self.slug,
            title: self.title,
            description: self.description,
            visibility: read_word("presets.visibility", &self.visibility, Visibility::from_word)?,
            anonymous: self.anonymous,
            status: read_word("presets.status", &self.status, PresetStatus::from_word)?,
            expires_at: self.expires_at,
            rules: read_rules("presets.call_rules", self.call_rules.as_deref())?,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

impl Store {
    /// Finds the preset at an address, whatever its visibility and status. One round trip, no
    /// transaction.
    pub async fn find_preset_by_address(&self, owner: &Handle, slug: &Slug) -> Result<Option<Preset>> {
        let row: Option<PresetRow> = match &self.pools {
            Pools::Sqlite { readers, .. } => {
                query_as(
                    "select p.* from presets p join organisations o on o.id = p.tenant_id
                     where o.handle = $1 and o.enabled and p.slug = $2",
                )
                .bind(owner)
                .bind(slug)
                .fetch_optional(readers)
                .await?
            }
            Pools::Postgres(pool) => {
                query_as("select * from find_preset_by_address($1, $2)")
                    .bind(owner)
                    .bind(slug)
                    .fetch_optional(pool)
                    .await?
            }
        };
        row.map(PresetRow::preset).transpose()
    }
}

impl Tx {
    /// Returns the organisation's presets by slug, archived ones included.
    pub async fn list_presets(&mut self) -> Result<Vec<Preset>> {
        let tenant = self.tenant;
        let rows: Vec<PresetRow> = on!(self, |c| {
            query_as("select * from presets where tenant_id = $1 order by slug limit $2")
                .bind(tenant)
                .bind(LIST_MAX)
                .fetch_all(c)
                .await
        })?;
        rows.into_iter().map(PresetRow::preset).collect()
    }

    /// Finds a preset.
    pub async fn find_preset(&mut self, id: PresetId) -> Result<Option<Preset>> {
        let tenant = self.tenant;
        let row: Option<PresetRow> = on!(self, |c| {
            query_as("select * from presets where tenant_id = $1 and id = $2")
                .bind(tenant)
                .bind(id)
                .fetch_optional(c)
                .await
        })?;
        row.map(PresetRow::preset).transpose()
    }

    /// Finds a preset by its slug.
    pub async fn find_preset_by_slug(&mut self, slug: &Slug) -> Result<Option<Preset>> {
        let tenant = self.tenant;
        let row: Option<PresetRow> = on!(self, |c| {
            query_as("select * from presets where tenant_id = $1 and slug = $2")
                .bind(tenant)
                .bind(slug)
                .fetch_optional(c)
                .await
        })?;
        row.map(PresetRow::preset).transpose()
    }

    /// Adds a preset without selections to this organisation, whatever `preset.tenant` says. A
    /// taken slug is `Conflict { what: "presets.slug" }`.
    pub async fn add_preset(&mut self, preset: &Preset) -> Result<()> {
        let tenant = self.tenant;
        let rules = write_rules("presets.call_rules", &preset.rules)?;
        on!(self, |c| {
            query(
                "insert into presets (tenant_id, id, slug, title, description, visibility, anonymous,
                    status, version, created_at, updated_at, expires_at, call_rules)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            )
            .bind(tenant)
            .bind(preset.id)
            .bind(&preset.slug)
            .bind(clean(&preset.title))
            .bind(clean(&preset.description))
            .bind(preset.visibility.word())
            .bind(preset.anonymous)
            .bind(preset.status.word())
            .bind(preset.version)
            .bind(preset.created_at)
            .bind(preset.updated_at)
            .bind(preset.expires_at)
            .bind(&rules)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Returns how many presets the organisation has.
    pub async fn count_presets(&mut self) -> Result<i64> {
        let tenant = self.tenant;
        Ok(on!(self, |c| {
            query_scalar("select count(*) from presets where tenant_id = $1").bind(tenant).fetch_one(c).await
        })?)
    }

    /// Replaces everything an owner edits and sets the version to `expected_version + 1`. `false`
    /// if the preset is gone or has another version.
    pub async fn update_preset(&mut self, preset: &Preset, expected_version: i64) -> Result<bool> {
        let tenant = self.tenant;
        let rules = write_rules("presets.call_rules", &preset.rules)?;
        let changed = on!(self, |c| {
            query(
                "update presets set slug = $4, title = $5, description = $6, visibility = $7, anonymous = $8,
                    status = $9, updated_at = $10, expires_at = $11, call_rules = $12, version = version + 1
                 where tenant_id = $1 and id = $2 and version = $3",
            )
            .bind(tenant)
            .bind(preset.id)
            .bind(expected_version)
            .bind(&preset.slug)
            .bind(clean(&preset.title))
            .bind(clean(&preset.description))
            .bind(preset.visibility.word())
            .bind(preset.anonymous)
            .bind(preset.status.word())
            .bind(preset.updated_at)
            .bind(preset.expires_at)
            .bind(&rules)
            .execute(c)
            .await
            .map(|done| done.rows_affected())
        })?;
        Ok(changed > 0)
    }

    /// Removes a preset and its selections. `false` if there is none.
    pub async fn remove_preset(&mut self, id: PresetId) -> Result<bool> {
        let tenant = self.tenant;
        let removed = on!(self, |c| {
            query("delete from presets where tenant_id = $1 and id = $2")
                .bind(tenant)
                .bind(id)
                .execute(c)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(removed > 0)
    }

    /// Returns the presets that take something from a source, by slug.
    pub async fn presets_using_source(&mut self, source: SourceId) -> Result<Vec<Preset>> {
        let tenant = self.tenant;
        let rows: Vec<PresetRow> = on!(self, |c| {
            query_as(
                "select p.* from preset_sources s
                    join presets p on p.tenant_id = s.tenant_id and p.id = s.preset_id
                 where s.tenant_id = $1 and s.source_id = $2 order by p.slug limit $3",
            )
            .bind(tenant)
            .bind(source)
            .bind(LIST_MAX)
            .fetch_all(c)
            .await
        })?;
        rows.into_iter().map(PresetRow::preset).collect()
    }
}

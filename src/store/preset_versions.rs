//! What presets were.

use sqlx::{FromRow, query, query_as, query_scalar};

use crate::{
    clock::Ms,
    model::{PresetId, PresetState, PresetVersion},
    store::{Result, Tx, clean, on, read_json, write_json},
};

/// How many versions of a preset are kept. The oldest go first.
pub const PRESET_VERSIONS_MAX: i64 = 100;

/// How many characters the kept versions of a preset have together at most, unless the newest alone has more.
const STATES_CHARS_MAX: i64 = 4 * 1024 * 1024;

#[derive(FromRow)]
struct VersionRow {
    version: i64,
    saved_at: Ms,
    saved_by: String,
    summary: String,
}

#[derive(FromRow)]
struct StateRow {
    #[sqlx(flatten)]
    version: VersionRow,
    state: String,
}

impl From<VersionRow> for PresetVersion {
    fn from(row: VersionRow) -> Self {
        let VersionRow { version, saved_at, saved_by, summary } = row;
        Self { version, saved_at, saved_by, summary }
    }
}

impl Tx {
    /// Keeps a version of a preset, and lets go of the oldest beyond [`PRESET_VERSIONS_MAX`].
    pub async fn add_preset_version(
        &mut self,
        preset: PresetId,
        version: &PresetVersion,
        state: &PresetState,
    ) -> Result<()> {
        let tenant = self.tenant;
        let state = write_json("preset_versions.state", state)?;
        on!(self, |c| {
            query(
                "insert into preset_versions (tenant_id, preset_id, version, saved_at, saved_by, summary, state)
                 values ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(tenant)
            .bind(preset)
            .bind(version.version)
            .bind(version.saved_at)
            .bind(&version.saved_by)
            .bind(clean(&version.summary))
            .bind(&state)
            .execute(c)
            .await
            .map(drop)
        })?;
        on!(self, |c| {
            query(
                "delete from preset_versions
                 where tenant_id = $1 and preset_id = $2 and version < $3 and version in (
                    select k.version from (
                        select version, row_number() over (order by version desc) as place,
                            sum(length(state)) over (order by version desc) as chars
                        from preset_versions where tenant_id = $1 and preset_id = $2
                    ) k where k.place > $4 or k.chars > $5)",
            )
            .bind(tenant)
            .bind(preset)
            .bind(version.version)
            .bind(PRESET_VERSIONS_MAX)
            .bind(STATES_CHARS_MAX)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Says whether a version of a preset is kept.
    pub async fn has_preset_version(&mut self, preset: PresetId, version: i64) -> Result<bool> {
        let tenant = self.tenant;
        let found: Option<i64> = on!(self, |c| {
            query_scalar(
                "select version from preset_versions
                 where tenant_id = $1 and preset_id = $2 and version = $3",
            )
            .bind(tenant)
            .bind(preset)
            .bind(version)
            .fetch_optional(c)
            .await
        })?;
        Ok(found.is_some())
    }

    /// Returns the kept versions of a preset, the newest first.
    pub async fn list_preset_versions(&mut self, preset: PresetId) -> Result<Vec<PresetVersion>> {
        let tenant = self.tenant;
        let rows: Vec<VersionRow> = on!(self, |c| {
            query_as(
                "select version, saved_at, saved_by, summary from preset_versions
                 where tenant_id = $1 and preset_id = $2 order by version desc",
            )
            .bind(tenant)
            .bind(preset)
            .fetch_all(c)
            .await
        })?;
        Ok(rows.into_iter().map(PresetVersion::from).collect())
    }

    /// Returns a kept version of a preset, and what the preset was then.
    pub async fn find_preset_version(
        &mut self,
        preset: PresetId,
        version: i64,
    ) -> Result<Option<(PresetVersion, PresetState)>> {
        let tenant = self.tenant;
        let row: Option<StateRow> = on!(self, |c| {
            query_as(
                "select version, saved_at, saved_by, summary, state from preset_versions
                 where tenant_id = $1 and preset_id = $2 and version = $3",
            )
            .bind(tenant)
            .bind(preset)
            .bind(version)
            .fetch_optional(c)
            .await
        })?;
        row.map(|row| Ok((row.version.into(), read_json("preset_versions.state", &row.state)?))).transpose()
    }
}

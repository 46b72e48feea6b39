//! The catalogue of a source's tools: definitions as text, byte for byte as the source sent them.

use serde_json::value::RawValue;
use sqlx::{FromRow, QueryBuilder, query, query_as};

use crate::{
    clock::Ms,
    model::{SourceId, SourceTool, ToolHash, ToolState},
    store::{LIST_MAX, Result, StoreError, Tx, on, read_word},
};

/// Rows of one statement: eight parameters each, of 32 766 that SQLite takes.
const BATCH: usize = 500;

#[derive(FromRow)]
struct ToolRow {
    source_id: SourceId,
    name: String,
    definition: String,
    hash: ToolHash,
    accepted_definition: Option<String>,
    state: String,
    seen_at: Ms,
}

impl ToolRow {
    fn tool(self) -> Result<SourceTool> {
        Ok(SourceTool {
            source: self.source_id,
            name: self.name,
            definition: read_raw("source_tools.definition", self.definition)?,
            hash: self.hash,
            accepted_definition: self
                .accepted_definition
                .map(|text| read_raw("source_tools.accepted_definition", text))
                .transpose()?,
            state: read_word("source_tools.state", &self.state, ToolState::from_word)?,
            seen_at: self.seen_at,
        })
    }
}

fn read_raw(what: &'static str, text: String) -> Result<Box<RawValue>> {
    RawValue::from_string(text).map_err(|error| StoreError::Corrupt { what, detail: error.to_string() })
}

impl Tx {
    /// Returns the tools of a source by name.
    pub async fn list_source_tools(&mut self, source: SourceId) -> Result<Vec<SourceTool>> {
        let tenant = self.tenant;
        let rows: Vec<ToolRow> = on!(self, |c| {
            query_as(
                "select * from source_tools where tenant_id = $1 and source_id = $2 order by name limit $3",
            )
            .bind(tenant)
            .bind(source)
            .bind(LIST_MAX)
            .fetch_all(c)
            .await
        })?;
        rows.into_iter().map(ToolRow::tool).collect()
    }

    /// Returns the source, name and state of every tool of the organisation, by source and name: all
    /// that a list needs, without the definitions.
    pub async fn list_tool_states(&mut self) -> Result<Vec<(SourceId, String, ToolState)>> {
        /// The most tools of an organisation that lists count.
        const STATES_MAX: i64 = 200_000;
        let tenant = self.tenant;
        let rows: Vec<(SourceId, String, String)> = on!(self, |c| {
            query_as(
                "select source_id, name, state from source_tools where tenant_id = $1
                 order by source_id, name limit $2",
            )
            .bind(tenant)
            .bind(STATES_MAX)
            .fetch_all(c)
            .await
        })?;
        rows.into_iter()
            .map(|(source, name, state)| {
                Ok((source, name, read_word("source_tools.state", &state, ToolState::from_word)?))
            })
            .collect()
    }

    /// Adds tools, or replaces those of the same name as a whole; others stay as they are. A source
    /// that is gone is `Dangling`.
    pub async fn put_source_tools(&mut self, source: SourceId, tools: &[SourceTool]) -> Result<()> {
        let tenant = self.tenant;
        for batch in tools.chunks(BATCH) {
            on!(self, |c: Driver| {
                let mut statement = QueryBuilder::<Driver>::new(
                    "insert into source_tools (tenant_id, source_id, name, definition, hash,
                        accepted_definition, state, seen_at) ",
                );
                statement.push_values(batch, |mut row, tool| {
                    row.push_bind(tenant)
                        .push_bind(source)
                        .push_bind(&tool.name)
                        .push_bind(tool.definition.get())
                        .push_bind(&tool.hash)
                        .push_bind(tool.accepted_definition.as_deref().map(RawValue::get))
                        .push_bind(tool.state.word())
                        .push_bind(tool.seen_at);
                });
                statement.push(
                    " on conflict (tenant_id, source_id, name) do update set
                        definition = excluded.definition, hash = excluded.hash,
                        accepted_definition = excluded.accepted_definition,
                        state = excluded.state, seen_at = excluded.seen_at",
                );
                statement.build().execute(c).await.map(drop)
            })?;
        }
        Ok(())
    }

    /// Sets the state of one tool. `false` if there is no such tool.
    pub async fn set_tool_state(&mut self, source: SourceId, name: &str, state: ToolState) -> Result<bool> {
        let tenant = self.tenant;
        let changed = on!(self, |c| {
            query("update source_tools set state = $4 where tenant_id = $1 and source_id = $2 and name = $3")
                .bind(tenant)
                .bind(source)
                .bind(name)
                .bind(state.word())
                .execute(c)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(changed > 0)
    }

    /// Removes tools by name. Returns how many there were.
    pub async fn remove_source_tools(&mut self, source: SourceId, names: &[String]) -> Result<u64> {
        let tenant = self.tenant;
        let mut removed = 0;
        for name in names {
            removed += on!(self, |c| {
                query("delete from source_tools where tenant_id = $1 and source_id = $2 and name = $3")
                    .bind(tenant)
                    .bind(source)
                    .bind(name)
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected())
            })?;
        }
        Ok(removed)
    }
}

//! Tables of what a source offers and its owner accepts: tools and prompts. Definitions are text,
//! byte for byte as the source sent them.

use serde_json::value::RawValue;
use sqlx::{FromRow, QueryBuilder, query, query_as};

use crate::{
    clock::Ms,
    model::{SourceId, SourceTool, ToolHash, ToolState},
    store::{LIST_MAX, Result, StoreError, Tx, on, read_word},
};

/// Rows of one statement: eight parameters each, of 32 766 that SQLite takes.
const BATCH: usize = 500;

/// One of the tables.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pins {
    Tools,
    Prompts,
}

#[derive(FromRow)]
struct PinnedRow {
    source_id: SourceId,
    name: String,
    definition: String,
    hash: ToolHash,
    accepted_definition: Option<String>,
    state: String,
    seen_at: Ms,
}

impl PinnedRow {
    fn pinned(self, pins: Pins) -> Result<SourceTool> {
        let what = pins.columns();
        Ok(SourceTool {
            source: self.source_id,
            name: self.name,
            definition: read_raw(what.definition, self.definition)?,
            hash: self.hash,
            accepted_definition: self
                .accepted_definition
                .map(|text| read_raw(what.accepted_definition, text))
                .transpose()?,
            state: read_word(what.state, &self.state, ToolState::from_word)?,
            seen_at: self.seen_at,
        })
    }
}

/// What errors call the columns.
struct Columns {
    definition: &'static str,
    accepted_definition: &'static str,
    state: &'static str,
}

impl Pins {
    fn columns(self) -> Columns {
        match self {
            Self::Tools => Columns {
                definition: "source_tools.definition",
                accepted_definition: "source_tools.accepted_definition",
                state: "source_tools.state",
            },
            Self::Prompts => Columns {
                definition: "source_prompts.definition",
                accepted_definition: "source_prompts.accepted_definition",
                state: "source_prompts.state",
            },
        }
    }
}

pub(super) fn read_raw(what: &'static str, text: String) -> Result<Box<RawValue>> {
    RawValue::from_string(text).map_err(|error| StoreError::Corrupt { what, detail: error.to_string() })
}

impl Tx {
    pub(super) async fn list_pinned(&mut self, pins: Pins, source: SourceId) -> Result<Vec<SourceTool>> {
        let sql = match pins {
            Pins::Tools => {
                "select * from source_tools where tenant_id = $1 and source_id = $2 order by name limit $3"
            }
            Pins::Prompts => {
                "select * from source_prompts where tenant_id = $1 and source_id = $2 order by name limit $3"
            }
        };
        let tenant = self.tenant;
        let rows: Vec<PinnedRow> =
            on!(self, |c| query_as(sql).bind(tenant).bind(source).bind(LIST_MAX).fetch_all(c).await)?;
        rows.into_iter().map(|row| row.pinned(pins)).collect()
    }

    pub(super) async fn list_pinned_states(
        &mut self,
        pins: Pins,
    ) -> Result<Vec<(SourceId, String, ToolState)>> {
        /// The most of an organisation that lists count.
        const STATES_MAX: i64 = 200_000;
        let sql = match pins {
            Pins::Tools => {
                "select source_id, name, state from source_tools where tenant_id = $1
                 order by source_id, name limit $2"
            }
            Pins::Prompts => {
                "select source_id, name, state from source_prompts where tenant_id = $1
                 order by source_id, name limit $2"
            }
        };
        let tenant = self.tenant;
        let rows: Vec<(SourceId, String, String)> =
            on!(self, |c| query_as(sql).bind(tenant).bind(STATES_MAX).fetch_all(c).await)?;
        rows.into_iter()
            .map(|(source, name, state)| {
                Ok((source, name, read_word(pins.columns().state, &state, ToolState::from_word)?))
            })
            .collect()
    }

    pub(super) async fn put_pinned(
        &mut self,
        pins: Pins,
        source: SourceId,
        rows: &[SourceTool],
    ) -> Result<()> {
        let insert = match pins {
            Pins::Tools => {
                "insert into source_tools (tenant_id, source_id, name, definition, hash,
                    accepted_definition, state, seen_at) "
            }
            Pins::Prompts => {
                "insert into source_prompts (tenant_id, source_id, name, definition, hash,
                    accepted_definition, state, seen_at) "
            }
        };
        let tenant = self.tenant;
        for batch in rows.chunks(BATCH) {
            on!(self, |c: Driver| {
                let mut statement = QueryBuilder::<Driver>::new(insert);
                statement.push_values(batch, |mut row, pinned| {
                    row.push_bind(tenant)
                        .push_bind(source)
                        .push_bind(&pinned.name)
                        .push_bind(pinned.definition.get())
                        .push_bind(&pinned.hash)
                        .push_bind(pinned.accepted_definition.as_deref().map(RawValue::get))
                        .push_bind(pinned.state.word())
                        .push_bind(pinned.seen_at);
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

    pub(super) async fn remove_pinned(
        &mut self,
        pins: Pins,
        source: SourceId,
        names: &[String],
    ) -> Result<u64> {
        let sql = match pins {
            Pins::Tools => "delete from source_tools where tenant_id = $1 and source_id = $2 and name = $3",
            Pins::Prompts => {
                "delete from source_prompts where tenant_id = $1 and source_id = $2 and name = $3"
            }
        };
        let tenant = self.tenant;
        let mut removed = 0;
        for name in names {
            removed += on!(self, |c| {
                query(sql)
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

//! What presets take from sources.

use std::collections::HashMap;

use sqlx::{FromRow, QueryBuilder, query, query_as};

use crate::{
    model::{PresetId, PresetTool, Selection, SourceId, Take},
    store::{LIST_MAX, Result, StoreError, Tx, clean, on},
};

/// Rows of one statement: nine parameters each, of 32 766 that SQLite takes.
const BATCH: usize = 500;

#[derive(FromRow)]
struct SelectionRow {
    source_id: SourceId,
    all_tools: bool,
    resources: String,
    prompts: String,
}

#[derive(FromRow)]
struct SelectedToolRow {
    source_id: SourceId,
    name: String,
    enabled: bool,
    exposed_name: Option<String>,
    exposed_description: Option<String>,
    check_arguments: bool,
}

/// One of the tables of what is taken by name.
#[derive(Clone, Copy)]
enum Named {
    Resources,
    Prompts,
}

impl Tx {
    /// Returns what a preset takes, in the order it was saved.
    pub async fn selections(&mut self, preset: PresetId) -> Result<Vec<Selection>> {
        let tenant = self.tenant;
        let sources: Vec<SelectionRow> = on!(self, |c| {
            query_as(
                "select source_id, all_tools, resources, prompts from preset_sources
                 where tenant_id = $1 and preset_id = $2 order by position limit $3",
            )
            .bind(tenant)
            .bind(preset)
            .bind(LIST_MAX)
            .fetch_all(c)
            .await
        })?;
        let tools: Vec<SelectedToolRow> = on!(self, |c| {
            query_as(
                "select source_id, name, enabled, exposed_name, exposed_description, check_arguments
                 from preset_tools where tenant_id = $1 and preset_id = $2 order by position limit $3",
            )
            .bind(tenant)
            .bind(preset)
            .bind(LIST_MAX)
            .fetch_all(c)
            .await
        })?;
        let some = |word: fn(&SelectionRow) -> &str| sources.iter().any(|row| word(row) == ONLY);
        let mut resources = match some(|row| &row.resources) {
            true => self.selected_names(Named::Resources, preset).await?,
            false => HashMap::new(),
        };
        let mut prompts = match some(|row| &row.prompts) {
            true => self.selected_names(Named::Prompts, preset).await?,
            false => HashMap::new(),
        };

        let mut by_source: HashMap<SourceId, Vec<PresetTool>> = HashMap::new();
        for row in tools {
            by_source.entry(row.source_id).or_default().push(PresetTool {
                name: row.name,
                enabled: row.enabled,
                exposed_name: row.exposed_name,
                exposed_description: row.exposed_description,
                check_arguments: row.check_arguments,
            });
        }
        sources
            .into_iter()
            .map(|row| {
                Ok(Selection {
                    source: row.source_id,
                    all: row.all_tools,
                    tools: by_source.remove(&row.source_id).unwrap_or_default(),
                    resources: take(
                        "preset_sources.resources",
                        &row.resources,
                        resources.remove(&row.source_id),
                    )?,
                    prompts: take("preset_sources.prompts", &row.prompts, prompts.remove(&row.source_id))?,
                })
            })
            .collect()
    }

    async fn selected_names(
        &mut self,
        named: Named,
        preset: PresetId,
    ) -> Result<HashMap<SourceId, Vec<String>>> {
        let sql = match named {
            Named::Resources => {
                "select source_id, uri from preset_resources
                 where tenant_id = $1 and preset_id = $2 order by position limit $3"
            }
            Named::Prompts => {
                "select source_id, name from preset_prompts
                 where tenant_id = $1 and preset_id = $2 order by position limit $3"
            }
        };
        let tenant = self.tenant;
        let rows: Vec<(SourceId, String)> =
            on!(self, |c| query_as(sql).bind(tenant).bind(preset).bind(LIST_MAX).fetch_all(c).await)?;
        let mut by_source: HashMap<SourceId, Vec<String>> = HashMap::new();
        for (source, name) in rows {
            by_source.entry(source).or_default().push(name);
        }
        Ok(by_source)
    }

    /// Replaces what a preset takes. A source or preset that is gone is `Dangling`; a source, tool,
    /// resource or prompt named twice a `Conflict`.
    pub async fn set_selections(&mut self, preset: PresetId, selections: &[Selection]) -> Result<()> {
        let tenant = self.tenant;
        on!(self, |c| {
            query("delete from preset_sources where tenant_id = $1 and preset_id = $2")
                .bind(tenant)
                .bind(preset)
                .execute(c)
                .await
                .map(drop)
        })?;

        let sources: Vec<(i64, &Selection)> = (0..).zip(selections).collect();
        for batch in sources.chunks(BATCH) {
            on!(self, |c: Driver| {
                let mut statement = QueryBuilder::<Driver>::new(
                    "insert into preset_sources (tenant_id, preset_id, source_id, position, all_tools,
                        resources, prompts) ",
                );
                statement.push_values(batch, |mut row, (position, selection)| {
                    row.push_bind(tenant)
                        .push_bind(preset)
                        .push_bind(selection.source)
                        .push_bind(*position)
                        .push_bind(selection.all)
                        .push_bind(selection.resources.word())
                        .push_bind(selection.prompts.word());
                });
                statement.build().execute(c).await.map(drop)
            })?;
        }

        let tools: Vec<(i64, SourceId, &PresetTool)> = (0..)
            .zip(selections.iter().flat_map(|one| one.tools.iter().map(|tool| (one.source, tool))))
            .map(|(position, (source, tool))| (position, source, tool))
            .collect();
        for batch in tools.chunks(BATCH) {
            on!(self, |c: Driver| {
                let mut statement = QueryBuilder::<Driver>::new(
                    "insert into preset_tools (tenant_id, preset_id, source_id, name, position, enabled,
                        exposed_name, exposed_description, check_arguments) ",
                );
                statement.push_values(batch, |mut row, (position, source, tool)| {
                    row.push_bind(tenant)
                        .push_bind(preset)
                        .push_bind(*source)
                        .push_bind(&tool.name)
                        .push_bind(*position)
                        .push_bind(tool.enabled)
                        .push_bind(tool.exposed_name.as_deref().map(clean))
                        .push_bind(tool.exposed_description.as_deref().map(clean))
                        .push_bind(tool.check_arguments);
                });
                statement.build().execute(c).await.map(drop)
            })?;
        }
        self.set_selected_names(Named::Resources, preset, selections).await?;
        self.set_selected_names(Named::Prompts, preset, selections).await
    }

    async fn set_selected_names(
        &mut self,
        named: Named,
        preset: PresetId,
        selections: &[Selection],
    ) -> Result<()> {
        let insert = match named {
            Named::Resources => {
                "insert into preset_resources (tenant_id, preset_id, source_id, uri, position) "
            }
            Named::Prompts => "insert into preset_prompts (tenant_id, preset_id, source_id, name, position) ",
        };
        let names = selections.iter().flat_map(|one| {
            let take = match named {
                Named::Resources => &one.resources,
                Named::Prompts => &one.prompts,
            };
            take.names().iter().map(|name| (one.source, name))
        });
        let rows: Vec<(i64, (SourceId, &String))> = (0..).zip(names).collect();
        let tenant = self.tenant;
        for batch in rows.chunks(BATCH) {
            on!(self, |c: Driver| {
                let mut statement = QueryBuilder::<Driver>::new(insert);
                statement.push_values(batch, |mut row, (position, (source, name))| {
                    row.push_bind(tenant)
                        .push_bind(preset)
                        .push_bind(*source)
                        .push_bind(*name)
                        .push_bind(*position);
                });
                statement.build().execute(c).await.map(drop)
            })?;
        }
        Ok(())
    }
}

/// The word of [`Take::Only`].
const ONLY: &str = "only";

fn take(what: &'static str, word: &str, names: Option<Vec<String>>) -> Result<Take> {
    match word {
        "none" => Ok(Take::None),
        "all" => Ok(Take::All),
        ONLY => Ok(Take::Only(names.unwrap_or_default())),
        other => Err(StoreError::Corrupt { what, detail: format!("`{other}` is not a word of it") }),
    }
}

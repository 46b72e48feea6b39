//! What a source offers beside tools: resources, resource templates, prompts, and what it says of
//! itself.

use serde_json::value::RawValue;
use sqlx::{FromRow, QueryBuilder, query, query_as};

use crate::{
    clock::Ms,
    model::{ResourceKind, SourceId, SourceOffer, SourcePrompt, SourceResource, ToolState},
    store::{
        LIST_MAX, Result, Tx, clean, on,
        pinned::{Pins, read_raw},
        read_word,
    },
};

/// Rows of one statement: five parameters each, of 32 766 that SQLite takes.
const BATCH: usize = 500;

#[derive(FromRow)]
struct ResourceRow {
    source_id: SourceId,
    kind: String,
    uri: String,
    definition: String,
}

impl ResourceRow {
    fn resource(self) -> Result<SourceResource> {
        Ok(SourceResource {
            source: self.source_id,
            kind: read_word("source_resources.kind", &self.kind, ResourceKind::from_word)?,
            uri: self.uri,
            definition: read_raw("source_resources.definition", self.definition)?,
        })
    }
}

#[derive(FromRow)]
struct OfferRow {
    capabilities: String,
    instructions: String,
    seen_at: Ms,
}

impl Tx {
    /// Returns the prompts of a source by name.
    pub async fn list_source_prompts(&mut self, source: SourceId) -> Result<Vec<SourcePrompt>> {
        self.list_pinned(Pins::Prompts, source).await
    }

    /// Returns the source, name and state of every prompt of the organisation, by source and name.
    pub async fn list_prompt_states(&mut self) -> Result<Vec<(SourceId, String, ToolState)>> {
        self.list_pinned_states(Pins::Prompts).await
    }

    /// Adds prompts, or replaces those of the same name as a whole; others stay as they are. A
    /// source that is gone is `Dangling`.
    pub async fn put_source_prompts(&mut self, source: SourceId, prompts: &[SourcePrompt]) -> Result<()> {
        self.put_pinned(Pins::Prompts, source, prompts).await
    }

    /// Removes prompts by name. Returns how many there were.
    pub async fn remove_source_prompts(&mut self, source: SourceId, names: &[String]) -> Result<u64> {
        self.remove_pinned(Pins::Prompts, source, names).await
    }

    /// Returns the resources and resource templates of a source, by kind and URI.
    pub async fn list_source_resources(&mut self, source: SourceId) -> Result<Vec<SourceResource>> {
        let tenant = self.tenant;
        let rows: Vec<ResourceRow> = on!(self, |c| {
            query_as(
                "select source_id, kind, uri, definition from source_resources
                 where tenant_id = $1 and source_id = $2 order by kind, uri limit $3",
            )
            .bind(tenant)
            .bind(source)
            .bind(LIST_MAX)
            .fetch_all(c)
            .await
        })?;
        rows.into_iter().map(ResourceRow::resource).collect()
    }

    /// Returns every resource and resource template of the organisation, by source, kind and URI,
    /// without the definitions.
    pub async fn list_resource_uris(&mut self) -> Result<Vec<(SourceId, ResourceKind, String)>> {
        /// The most resources of an organisation that lists count.
        const URIS_MAX: i64 = 200_000;
        let tenant = self.tenant;
        let rows: Vec<(SourceId, String, String)> = on!(self, |c| {
            query_as(
                "select source_id, kind, uri from source_resources where tenant_id = $1
                 order by source_id, kind, uri limit $2",
            )
            .bind(tenant)
            .bind(URIS_MAX)
            .fetch_all(c)
            .await
        })?;
        rows.into_iter()
            .map(|(source, kind, uri)| {
                Ok((source, read_word("source_resources.kind", &kind, ResourceKind::from_word)?, uri))
            })
            .collect()
    }

    /// Adds resources and templates, or replaces the definitions of those that are there; others
    /// stay as they are. A source that is gone is `Dangling`.
    pub async fn put_source_resources(
        &mut self,
        source: SourceId,
        resources: &[SourceResource],
    ) -> Result<()> {
        let tenant = self.tenant;
        for batch in resources.chunks(BATCH) {
            on!(self, |c: Driver| {
                let mut statement = QueryBuilder::<Driver>::new(
                    "insert into source_resources (tenant_id, source_id, kind, uri, definition) ",
                );
                statement.push_values(batch, |mut row, resource| {
                    row.push_bind(tenant)
                        .push_bind(source)
                        .push_bind(resource.kind.word())
                        .push_bind(&resource.uri)
                        .push_bind(resource.definition.get());
                });
                statement.push(
                    " on conflict (tenant_id, source_id, kind, uri)
                        do update set definition = excluded.definition",
                );
                statement.build().execute(c).await.map(drop)
            })?;
        }
        Ok(())
    }

    /// Removes resources and templates. Returns how many there were.
    pub async fn remove_source_resources(
        &mut self,
        source: SourceId,
        gone: &[(ResourceKind, String)],
    ) -> Result<u64> {
        let tenant = self.tenant;
        let mut removed = 0;
        for (kind, uri) in gone {
            removed += on!(self, |c| {
                query(
                    "delete from source_resources
                     where tenant_id = $1 and source_id = $2 and kind = $3 and uri = $4",
                )
                .bind(tenant)
                .bind(source)
                .bind(kind.word())
                .bind(uri)
                .execute(c)
                .await
                .map(|done| done.rows_affected())
            })?;
        }
        Ok(removed)
    }

    /// Returns what a source says of itself; `None` if that was never seen.
    pub async fn source_offer(&mut self, source: SourceId) -> Result<Option<SourceOffer>> {
        let tenant = self.tenant;
        let row: Option<OfferRow> = on!(self, |c| {
            query_as(
                "select capabilities, instructions, seen_at from source_offers
                 where tenant_id = $1 and source_id = $2",
            )
            .bind(tenant)
            .bind(source)
            .fetch_optional(c)
            .await
        })?;
        row.map(|row| {
            Ok(SourceOffer {
                capabilities: read_raw("source_offers.capabilities", row.capabilities)?,
                instructions: row.instructions,
                seen_at: row.seen_at,
            })
        })
        .transpose()
    }

    /// Notes what a source says of itself. A source that is gone is `Dangling`.
    pub async fn set_source_offer(&mut self, source: SourceId, offer: &SourceOffer) -> Result<()> {
        let tenant = self.tenant;
        let capabilities = RawValue::get(&offer.capabilities);
        on!(self, |c| {
            query(
                "insert into source_offers (tenant_id, source_id, capabilities, instructions, seen_at)
                 values ($1, $2, $3, $4, $5)
                 on conflict (tenant_id, source_id) do update set capabilities = excluded.capabilities,
                    instructions = excluded.instructions, seen_at = excluded.seen_at",
            )
            .bind(tenant)
            .bind(source)
            .bind(capabilities)
            .bind(clean(&offer.instructions))
            .bind(offer.seen_at)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
    }
}

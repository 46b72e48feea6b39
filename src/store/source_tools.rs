//! The catalogue of a source's tools: definitions as text, byte for byte as the source sent them.

use sqlx::query;

use crate::{
    model::{SourceId, SourceTool, ToolState},
    store::{Result, Tx, on, pinned::Pins},
};

impl Tx {
    /// Returns the tools of a source by name.
    pub async fn list_source_tools(&mut self, source: SourceId) -> Result<Vec<SourceTool>> {
        self.list_pinned(Pins::Tools, source).await
    }

    /// Returns the source, name and state of every tool of the organisation, by source and name: all
    /// that a list needs, without the definitions.
    pub async fn list_tool_states(&mut self) -> Result<Vec<(SourceId, String, ToolState)>> {
        self.list_pinned_states(Pins::Tools).await
    }

    /// Adds tools, or replaces those of the same name as a whole; others stay as they are. A source
    /// that is gone is `Dangling`.
    pub async fn put_source_tools(&mut self, source: SourceId, tools: &[SourceTool]) -> Result<()> {
        self.put_pinned(Pins::Tools, source, tools).await
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
        self.remove_pinned(Pins::Tools, source, names).await
    }
}

//! Data sources, their sealed credentials and the catalogue of their tools.

use crate::{
    model::{EraVerdict, Health, Source, SourceId, SourceName, SourceTool, ToolState},
    store::{Result, SystemTx, Tx},
};

impl Tx {
    /// Returns the organisation's sources by name.
    pub async fn list_sources(&mut self) -> Result<Vec<Source>> {
        todo!()
    }

    /// Returns how many sources the organisation has.
    pub async fn count_sources(&mut self) -> Result<i64> {
        todo!()
    }

    /// Finds a source.
    pub async fn find_source(&mut self, id: SourceId) -> Result<Option<Source>> {
        let _ = id;
        todo!()
    }

    /// Finds a source by its name.
    pub async fn find_source_by_name(&mut self, name: &SourceName) -> Result<Option<Source>> {
        let _ = name;
        todo!()
    }

    /// Adds a source with its sealed credential. A taken name is
    /// `Conflict { what: "sources.name" }`.
    pub async fn add_source(&mut self, source: &Source, credential: Option<&str>) -> Result<()> {
        let _ = (source, credential);
        todo!()
    }

    /// Replaces what an owner edits (name, reach, kind of credential, era, switch, verdict, health)
    /// and sets the version to `expected_version + 1`. `false` if the source is gone or has another
    /// version.
    pub async fn update_source(&mut self, source: &Source, expected_version: i64) -> Result<bool> {
        let _ = (source, expected_version);
        todo!()
    }

    /// Replaces the sealed credential. `false` if there is no such source.
    pub async fn set_source_credential(&mut self, id: SourceId, sealed: Option<&str>) -> Result<bool> {
        let _ = (id, sealed);
        todo!()
    }

    /// Returns the sealed credential; `None` if the source keeps none or does not exist.
    pub async fn source_credential(&mut self, id: SourceId) -> Result<Option<String>> {
        let _ = id;
        todo!()
    }

    /// Notes what a probe found. Counts as no edit. `false` if there is no such source.
    pub async fn set_source_verdict(&mut self, id: SourceId, verdict: Option<&EraVerdict>) -> Result<bool> {
        let _ = (id, verdict);
        todo!()
    }

    /// Notes whether the source can be used. Counts as no edit. `false` if there is no such source.
    pub async fn set_source_health(&mut self, id: SourceId, health: &Health) -> Result<bool> {
        let _ = (id, health);
        todo!()
    }

    /// Removes a source, its tools and what presets selected of it. `false` if there is none.
    pub async fn remove_source(&mut self, id: SourceId) -> Result<bool> {
        let _ = id;
        todo!()
    }

    /// Returns the tools of a source by name.
    pub async fn list_source_tools(&mut self, source: SourceId) -> Result<Vec<SourceTool>> {
        let _ = source;
        todo!()
    }

    /// Adds tools, or replaces those of the same name as a whole; others stay as they are.
    pub async fn put_source_tools(&mut self, source: SourceId, tools: &[SourceTool]) -> Result<()> {
        let _ = (source, tools);
        todo!()
    }

    /// Sets the state of one tool. `false` if there is no such tool.
    pub async fn set_tool_state(&mut self, source: SourceId, name: &str, state: ToolState) -> Result<bool> {
        let _ = (source, name, state);
        todo!()
    }

    /// Removes tools by name. Returns how many there were.
    pub async fn remove_source_tools(&mut self, source: SourceId, names: &[String]) -> Result<u64> {
        let _ = (source, names);
        todo!()
    }
}

impl SystemTx {
    /// Returns switched-on sources of every organisation in the order of their ids, those after
    /// `after`: for health checks.
    pub async fn list_enabled_sources(&mut self, after: Option<SourceId>, limit: i64) -> Result<Vec<Source>> {
        let _ = (after, limit);
        todo!()
    }

    /// Finds a source of any organisation and its sealed credential, for opening a link.
    pub async fn find_source(&mut self, id: SourceId) -> Result<Option<(Source, Option<String>)>> {
        let _ = id;
        todo!()
    }
}

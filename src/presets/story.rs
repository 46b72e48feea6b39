//! What became of a tool that a preset takes or could take, for explanations.

use crate::{
    model::{Preset, Selection, Source, ToolState},
    presets::{
        NameFlag, Presets, Result,
        compose::{Chosen, Composition, Stock, compose},
        names::flags,
        stocks,
    },
};

/// What became of one tool in a preset.
#[derive(Clone, Debug)]
pub struct ToolStory {
    /// The source it is of.
    pub source: Source,
    /// The name the source knows it by.
    pub source_tool: String,
    /// How it ended.
    pub end: ToolEnd,
    /// What some clients would not like about its name.
    pub flags: Vec<NameFlag>,
}

/// Whether callers see a tool, and why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolEnd {
    /// They see it.
    Published,
    /// It is held until the owner has looked.
    Held,
    /// The source does not list it any more.
    Gone,
    /// The preset does not take it.
    NotTaken,
    /// The preset publishes it under another name.
    Renamed {
        /// That name.
        to: String,
    },
    /// Another tool has its name.
    Collides,
    /// The source has no such tool, or, where none is named, the preset publishes none of its tools.
    Unlisted,
}

impl Presets {
    /// Tells what became of the tool of this name, as callers or else as the source calls it; without
    /// a name, of the first published tool of each source. Where there is none such, every source of
    /// the preset has a story without one. With `published_only` a tool that callers do not see is as
    /// if it were not there. Whoever asks must have asked `policy`.
    pub(crate) async fn stories(
        &self,
        preset: &Preset,
        tool: Option<&str>,
        published_only: bool,
    ) -> Result<Vec<ToolStory>> {
        let mut tx = self.0.store.read(preset.tenant).await?;
        let selections = tx.selections(preset.id).await?;
        let stocks = stocks(&mut tx, &selections).await?;
        drop(tx);
        let composition = compose(&selections, &stocks);
        let story = |stock: &Stock, Ended { name, source_tool, end }: Ended| ToolStory {
            source: stock.source.clone(),
            source_tool,
            end,
            flags: flags(&name, Some(preset.slug.as_str())),
        };
        if let Some(tool) = tool {
            let ended = stocks.iter().filter_map(|stock| {
                let selection = selections.iter().find(|one| one.source == stock.source.id);
                Some((stock, end_of(&composition, stock, selection, tool)?))
            });
            // Of several sources that know the name, the one that callers reach counts.
            let found = ended
                .filter(|(_, ended)| !published_only || ended.end == ToolEnd::Published)
                .min_by_key(|(_, ended)| ended.end != ToolEnd::Published);
            if let Some((stock, ended)) = found {
                return Ok(vec![story(stock, ended)]);
            }
        }
        let any = stocks.iter().map(|stock| {
            let is_ours = |chosen: &&Chosen<'_>| chosen.source.id == stock.source.id;
            let first = composition.published.iter().filter(|_| tool.is_none()).find(is_ours);
            story(stock, first.map_or_else(Ended::unlisted, |first| Ended::of(first, ToolEnd::Published)))
        });
        Ok(any.collect())
    }
}

/// A tool found in what a source offers.
struct Ended {
    name: String,
    source_tool: String,
    end: ToolEnd,
}

impl Ended {
    fn of(chosen: &Chosen<'_>, end: ToolEnd) -> Self {
        Self { name: chosen.name().to_owned(), source_tool: chosen.tool.name.clone(), end }
    }

    fn unlisted() -> Self {
        Self { name: String::new(), source_tool: String::new(), end: ToolEnd::Unlisted }
    }
}

/// Returns the name shown and how it ended; `None` if the source has nothing to do with it.
fn end_of(
    composition: &Composition<'_>,
    stock: &Stock,
    selection: Option<&Selection>,
    wanted: &str,
) -> Option<Ended> {
    let is_wanted = |chosen: &&Chosen<'_>| chosen.source.id == stock.source.id && chosen.name() == wanted;
    if let Some(chosen) = composition.published.iter().find(is_wanted) {
        return Some(Ended::of(chosen, ToolEnd::Published));
    }
    if let Some(chosen) = composition.held.iter().find(is_wanted) {
        return Some(Ended::of(chosen, ToolEnd::Held));
    }
    let exposed = |name: &str| {
        let said = selection.and_then(|selection| selection.tool(name));
        said.and_then(|said| said.exposed_name.clone()).unwrap_or_else(|| name.to_owned())
    };
    let tool = stock.tools.iter().find(|tool| exposed(&tool.name) == wanted || tool.name == wanted)?;
    let takes = selection.is_some_and(|selection| selection.takes(&tool.name));
    let end = match (takes, tool.state) {
        (_, ToolState::Gone) => ToolEnd::Gone,
        (false, _) => ToolEnd::NotTaken,
        (true, _) if exposed(&tool.name) != wanted => ToolEnd::Renamed { to: exposed(&tool.name) },
        (true, _) => ToolEnd::Collides,
    };
    Some(Ended { name: wanted.to_owned(), source_tool: tool.name.clone(), end })
}

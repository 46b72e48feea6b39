//! A preset as the path of a call needs it: built once, then only read. Pure.

use std::{collections::HashMap, ops::Range, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;

use crate::{
    mcp::{self, ExposedTool, Raw},
    model::{Era, Handle, Preset, Selection, SourceId, SourceName},
    presets::{
        ArgumentCheck,
        compose::{Chosen, Stock, compose},
    },
};

/// Everything a call of one preset needs to know, as it was when it was built.
#[derive(Debug)]
pub struct RouteTable {
    /// The preset. Its status and visibility are for `policy` to judge.
    pub preset: Preset,
    /// The owner's part of its address.
    pub owner: Handle,
    /// What it publishes, by exposed name. No two names are equal without regard to case.
    pub tools: Vec<Route>,
    by_name: HashMap<Box<str>, usize>,
    modern: Vec<Page>,
    legacy: Vec<Page>,
}

/// A published tool, and where its calls go.
#[derive(Debug)]
pub struct Route {
    /// The name callers see.
    pub exposed_name: Box<str>,
    /// The source.
    pub source: SourceId,
    /// What its owner calls it.
    pub source_name: SourceName,
    /// The name the source knows it by.
    pub tool_name: Box<str>,
    /// The definition as callers of each era see it, and what follows from it for calls.
    pub exposed: ExposedTool,
    /// Checks arguments, if the preset asks for it.
    pub check: Option<Arc<ArgumentCheck>>,
}

impl Route {
    /// Returns the definition as callers of this era see it.
    pub fn definition(&self, era: Era) -> &Bytes {
        match era {
            Era::Modern => &self.exposed.modern,
            Era::Legacy => &self.exposed.legacy,
        }
    }
}

/// One page of a preset's tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage {
    /// The whole `result` of `tools/list`, ready to be sent.
    pub result: Bytes,
    /// The cursor of the page after it, which is in the result too; `None` on the last page.
    pub next_cursor: Option<Arc<str>>,
}

#[derive(Debug)]
struct Page {
    begins_at: usize,
    page: ListPage,
}

impl RouteTable {
    /// How many tools a page holds at most.
    pub const PAGE_TOOLS_MAX: usize = 200;
    /// How many bytes a page holds at most, unless a single tool is larger.
    pub const PAGE_BYTES_MAX: usize = 256 * 1024;

    /// Puts together what the selections take from the sources.
    pub(super) fn build(preset: Preset, owner: Handle, selections: &[Selection], stocks: &[Stock]) -> Self {
        let tools: Vec<Route> = compose(selections, stocks).published.iter().filter_map(route).collect();
        let by_name =
            tools.iter().enumerate().map(|(index, tool)| (tool.exposed_name.clone(), index)).collect();
        let (modern, legacy) = (pages(&tools, Era::Modern), pages(&tools, Era::Legacy));
        Self { preset, owner, tools, by_name, modern, legacy }
    }

    /// Returns the tool of this exposed name; the case of letters matters.
    pub fn route(&self, exposed_name: &str) -> Option<&Route> {
        self.by_name.get(exposed_name).map(|&index| &self.tools[index])
    }

    /// Returns the page a cursor names, the first one without a cursor; `None` if the cursor is not
    /// one of ours. A cursor says after which name its page begins, so it stays good when tools
    /// come and go.
    pub fn page(&self, era: Era, cursor: Option<&str>) -> Option<ListPage> {
        let begins_at = match cursor {
            None => 0,
            Some(cursor) => {
                let after = cursor_name(cursor)?;
                self.tools.partition_point(|tool| *tool.exposed_name <= *after)
            }
        };
        let pages = match era {
            Era::Modern => &self.modern,
            Era::Legacy => &self.legacy,
        };
        let ready = pages.binary_search_by_key(&begins_at, |page| page.begins_at);
        Some(match ready {
            Ok(index) => pages[index].page.clone(),
            Err(_) => page(&self.tools, era, page_range(&self.tools, era, begins_at)),
        })
    }
}

/// Returns `None` for a definition that cannot be shown to callers. `sources` keeps none of those.
fn route(chosen: &Chosen<'_>) -> Option<Route> {
    let definition = Raw::of(&chosen.tool.definition);
    let exposed = mcp::exposed(definition, chosen.name(), chosen.description())
        .inspect_err(|error| {
            let (source, tool) = (&chosen.source.id, &chosen.tool.name);
            tracing::error!(source.id = %source, tool, %error, "a kept definition cannot be shown");
        })
        .ok()?;
    Some(Route {
        exposed_name: chosen.name().into(),
        source: chosen.source.id,
        source_name: chosen.source.name.clone(),
        tool_name: chosen.tool.name.as_str().into(),
        exposed,
        check: chosen.checks_arguments().then(|| Arc::new(ArgumentCheck::compile(definition))),
    })
}

/// Returns at least one page: an empty list has one, too.
fn pages(tools: &[Route], era: Era) -> Vec<Page> {
    let mut pages = Vec::new();
    let mut begins_at = 0;
    loop {
        let range = page_range(tools, era, begins_at);
        let end = range.end;
        pages.push(Page { begins_at, page: page(tools, era, range) });
        if end == tools.len() {
            return pages;
        }
        begins_at = end;
    }
}

fn page_range(tools: &[Route], era: Era, begins_at: usize) -> Range<usize> {
    let (mut end, mut bytes) = (begins_at, 0);
    while let Some(tool) = tools.get(end) {
        bytes += tool.definition(era).len() + 1;
        let full = end - begins_at == RouteTable::PAGE_TOOLS_MAX
            || (bytes > RouteTable::PAGE_BYTES_MAX && end > begins_at);
        if full {
            break;
        }
        end += 1;
    }
    begins_at..end
}

fn page(tools: &[Route], era: Era, range: Range<usize>) -> ListPage {
    let next_cursor: Option<Arc<str>> = match tools[range.clone()].last() {
        Some(last) if range.end < tools.len() => Some(cursor(&last.exposed_name).into()),
        _ => None,
    };
    let definitions: Vec<&[u8]> = tools[range].iter().map(|tool| &**tool.definition(era)).collect();
    ListPage {
        result: mcp::list_page(mcp::ListKind::Tools, era, &definitions, next_cursor.as_deref()),
        next_cursor,
    }
}

/// What every cursor begins with, so that text which happens to be base64 is not taken for one.
const CURSOR_MARK: &str = "after:";

fn cursor(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{CURSOR_MARK}{name}"))
}

fn cursor_name(cursor: &str) -> Option<String> {
    /// Longer than any cursor of ours: a name has at most 128 characters of at most 4 bytes.
    const CURSOR_MAX: usize = 1024;
    if cursor.len() > CURSOR_MAX {
        return None;
    }
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    text.strip_prefix(CURSOR_MARK).map(str::to_owned)
}

#[cfg(test)]
mod tests;

//! A list as callers read it: page after page, each ready to be sent. Pure.

use std::{ops::Range, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::{
    mcp::{self, ListKind},
    model::Era,
};

/// One page of one of a preset's lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage {
    /// The whole `result`, ready to be sent.
    pub result: Bytes,
    /// The cursor of the page after it, which is in the result too; `None` on the last page.
    pub next_cursor: Option<Arc<str>>,
}

/// One entry of a list.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// What tells it from the others, as callers see it: a name or a URI.
    pub key: Box<str>,
    /// The definition for callers of 2026-07-28.
    pub modern: Bytes,
    /// The definition for callers before that.
    pub legacy: Bytes,
}

impl Entry {
    /// An entry that looks the same to callers of both eras.
    pub(super) fn new(key: &str, definition: Bytes) -> Self {
        Self { key: key.into(), modern: definition.clone(), legacy: definition }
    }

    fn definition(&self, era: Era) -> &Bytes {
        match era {
            Era::Modern => &self.modern,
            Era::Legacy => &self.legacy,
        }
    }
}

/// Everything a preset lists of one kind.
#[derive(Clone, Debug)]
pub(super) struct List {
    kind: ListKind,
    /// By key.
    entries: Vec<Entry>,
    modern: Vec<Page>,
    legacy: Vec<Page>,
    digest: [u8; 32],
}

#[derive(Clone, Debug)]
struct Page {
    begins_at: usize,
    page: ListPage,
}

impl List {
    /// How many entries a page holds at most.
    pub(super) const PAGE_ENTRIES_MAX: usize = 200;
    /// How many bytes a page holds at most, unless a single entry is larger.
    pub(super) const PAGE_BYTES_MAX: usize = 256 * 1024;

    /// Lays a list out. No two entries have one key.
    pub(super) fn new(kind: ListKind, mut entries: Vec<Entry>) -> Self {
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        let mut hasher = Sha256::new();
        for entry in &entries {
            hasher.update((entry.modern.len() as u64).to_be_bytes());
            hasher.update(&entry.modern);
        }
        let mut list =
            Self { kind, entries, modern: Vec::new(), legacy: Vec::new(), digest: hasher.finalize().into() };
        (list.modern, list.legacy) = (list.pages(Era::Modern), list.pages(Era::Legacy));
        list
    }

    /// Says whether callers see the same in both.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.digest == other.digest
    }

    /// Returns the page a cursor names, the first one without a cursor; `None` if the cursor is not
    /// one of ours. A cursor says after which key its page begins, so it stays good when entries
    /// come and go.
    pub(super) fn page(&self, era: Era, cursor: Option<&str>) -> Option<ListPage> {
        let begins_at = match cursor {
            None => 0,
            Some(cursor) => {
                let after = cursor_key(cursor)?;
                self.entries.partition_point(|entry| *entry.key <= *after)
            }
        };
        let pages = match era {
            Era::Modern => &self.modern,
            Era::Legacy => &self.legacy,
        };
        let ready = pages.binary_search_by_key(&begins_at, |page| page.begins_at);
        Some(match ready {
            Ok(index) => pages[index].page.clone(),
            Err(_) => self.lay_out(era, self.page_range(era, begins_at)),
        })
    }

    /// Returns at least one page: an empty list has one, too.
    fn pages(&self, era: Era) -> Vec<Page> {
        let mut pages = Vec::new();
        let mut begins_at = 0;
        loop {
            let range = self.page_range(era, begins_at);
            let end = range.end;
            pages.push(Page { begins_at, page: self.lay_out(era, range) });
            if end == self.entries.len() {
                return pages;
            }
            begins_at = end;
        }
    }

    fn page_range(&self, era: Era, begins_at: usize) -> Range<usize> {
        let (mut end, mut bytes) = (begins_at, 0);
        while let Some(entry) = self.entries.get(end) {
            bytes += entry.definition(era).len() + 1;
            let full = end - begins_at == Self::PAGE_ENTRIES_MAX
                || (bytes > Self::PAGE_BYTES_MAX && end > begins_at);
            if full {
                break;
            }
            end += 1;
        }
        begins_at..end
    }

    fn lay_out(&self, era: Era, range: Range<usize>) -> ListPage {
        let next_cursor: Option<Arc<str>> = match self.entries[range.clone()].last() {
            Some(last) if range.end < self.entries.len() => Some(cursor(&last.key).into()),
            _ => None,
        };
        let definitions: Vec<&[u8]> =
            self.entries[range].iter().map(|entry| &**entry.definition(era)).collect();
        ListPage { result: mcp::list_page(self.kind, era, &definitions, next_cursor.as_deref()), next_cursor }
    }
}

/// What every cursor begins with, so that text which happens to be base64 is not taken for one.
const CURSOR_MARK: &str = "after:";

fn cursor(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{CURSOR_MARK}{key}"))
}

fn cursor_key(cursor: &str) -> Option<String> {
    /// Longer than any cursor of ours: a key has at most a few more than 2048 bytes.
    const CURSOR_MAX: usize = 4096;
    if cursor.len() > CURSOR_MAX {
        return None;
    }
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    text.strip_prefix(CURSOR_MARK).map(str::to_owned)
}

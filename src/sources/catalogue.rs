//! Comparing what a source lists with what its owner accepted. Pure.

use std::collections::{HashMap, HashSet};

use serde_json::value::RawValue;

use crate::{
    clock::Ms,
    model::{SourceId, SourceTool, ToolHash, ToolState},
    sources::{CatalogueChange, RefusedTool, SourceSettings, definition::Pinned},
};

/// How old `seen_at` may be before an unchanged tool is written again.
const SEEN_STEP_MS: i64 = 3_600_000;

/// What a look at a source's list leads to.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// The tools to write.
    pub put: Vec<SourceTool>,
    /// The tools to forget: they went before anybody accepted them.
    pub forget: Vec<String>,
    /// What to tell.
    pub change: CatalogueChange,
}

/// Compares a whole list with the tools kept so far.
///
/// On the first look everything counts as accepted. Later a new tool is held, a tool that is not
/// what was accepted is held, and one that is again what was accepted is let go. A renamed tool is
/// a new one. Prompts are compared in the same way.
pub(super) fn compare(
    pinned: Pinned,
    source: SourceId,
    known: &[SourceTool],
    listed: &[Box<RawValue>],
    first_look: bool,
    now: Ms,
    settings: &SourceSettings,
) -> Look {
    let known: HashMap<&str, &SourceTool> = known.iter().map(|tool| (tool.name.as_str(), tool)).collect();
    let mut look = Look::default();
    let mut seen = HashSet::new();
    let (mut kept, mut bytes) = (known.len(), 0_usize);

    for raw in listed {
        let name = match pinned.check(raw, settings.definition_bytes_max) {
            Ok(name) => name,
            Err((name, reason)) => {
                look.refuse(name, reason);
                continue;
            }
        };
        let name = name.as_str();
        bytes = bytes.saturating_add(raw.get().len());
        let known_as = known.get(name).copied();
        if !seen.insert(name.to_owned()) {
            look.refuse(name.to_owned(), "it is listed twice; the first one counts".to_owned());
        } else if bytes > settings.catalogue_bytes_max {
            let max = settings.catalogue_bytes_max;
            look.refuse(name.to_owned(), format!("all definitions together have more than {max} bytes"));
        } else if known_as.is_none() && kept >= settings.tools_max {
            look.refuse(
                name.to_owned(),
                format!("a source may have {} {}", settings.tools_max, pinned.noun()),
            );
        } else {
            kept += usize::from(known_as.is_none());
            let listed = Listed { source, name, raw, hash: pinned.hash(raw), now };
            look.listed(pinned, listed, known_as, first_look);
        }
    }

    let mut gone: Vec<&SourceTool> =
        known.values().copied().filter(|tool| !seen.contains(&tool.name)).collect();
    gone.sort_by(|a, b| a.name.cmp(&b.name));
    for tool in gone {
        look.gone(tool);
    }
    look.sort();
    look
}

/// One entry of a list.
struct Listed<'a> {
    source: SourceId,
    name: &'a str,
    raw: &'a RawValue,
    hash: ToolHash,
    now: Ms,
}

/// Returns a held tool as its owner accepted it; `None` if there is nothing to accept.
pub(super) fn accepted(tool: &SourceTool) -> Option<SourceTool> {
    match tool.state {
        ToolState::New | ToolState::Changed => {
            Some(SourceTool { state: ToolState::Accepted, accepted_definition: None, ..tool.clone() })
        }
        ToolState::Accepted | ToolState::Gone => None,
    }
}

impl Look {
    fn listed(&mut self, pinned: Pinned, listed: Listed<'_>, known: Option<&SourceTool>, first_look: bool) {
        let Listed { source, name, raw, hash: hash_now, now } = listed;
        // The definition the owner accepted, if there was one.
        let accepted = known.and_then(|known| match known.state {
            ToolState::Accepted => Some(&known.definition),
            ToolState::New => None,
            ToolState::Changed | ToolState::Gone => known.accepted_definition.as_ref(),
        });
        let is_as_accepted = accepted.is_some_and(|accepted| pinned.hash(accepted) == hash_now);
        let state = match (accepted, first_look) {
            (Some(_), _) if is_as_accepted => ToolState::Accepted,
            (Some(_), _) => ToolState::Changed,
            (None, true) => ToolState::Accepted,
            (None, false) => ToolState::New,
        };
        let tool = SourceTool {
            source,
            name: name.to_owned(),
            definition: raw.to_owned(),
            hash: hash_now,
            accepted_definition: if state == ToolState::Changed { accepted.cloned() } else { None },
            state,
            seen_at: now,
        };
        self.tell(known, &tool);
        if known.is_none_or(|known| differs(known, &tool)) {
            self.put.push(tool);
        }
    }

    fn tell(&mut self, known: Option<&SourceTool>, tool: &SourceTool) {
        let name = tool.name.clone();
        match (known.map(|known| known.state), tool.state) {
            (None, ToolState::Accepted) | (Some(ToolState::New), ToolState::Accepted) => {
                self.change.accepted.push(name);
            }
            (Some(ToolState::Changed | ToolState::Gone), ToolState::Accepted) => {
                self.change.restored.push(name)
            }
            (Some(ToolState::New), ToolState::New) => {}
            (Some(ToolState::Changed), ToolState::Changed) => {
                // Another change while the first one waits: the owner has to look again.
                if known.is_some_and(|known| known.hash != tool.hash) {
                    self.change.changed.push(name);
                }
            }
            (_, ToolState::New) => self.change.new.push(name),
            (_, ToolState::Changed) => self.change.changed.push(name),
            (Some(ToolState::Accepted), ToolState::Accepted) | (_, ToolState::Gone) => {}
        }
    }

    fn gone(&mut self, tool: &SourceTool) {
        // What was accepted is remembered, so that the tool comes back as itself or is held.
        let accepted_definition = match tool.state {
            ToolState::Gone => return,
            ToolState::New => None,
            ToolState::Accepted => Some(tool.definition.clone()),
            ToolState::Changed => tool.accepted_definition.clone(),
        };
        self.change.gone.push(tool.name.clone());
        if accepted_definition.is_none() {
            self.forget.push(tool.name.clone());
        } else {
            self.put.push(SourceTool { state: ToolState::Gone, accepted_definition, ..tool.clone() });
        }
    }

    fn refuse(&mut self, name: String, reason: String) {
        /// How many refused tools are named; a hostile list can be long.
        const REFUSED_MAX: usize = 50;
        if self.change.refused.len() < REFUSED_MAX {
            self.change.refused.push(RefusedTool { name, reason });
        }
    }

    fn sort(&mut self) {
        let CatalogueChange { accepted, new, changed, gone: _, restored, refused: _, beside: _ } =
            &mut self.change;
        for names in [accepted, new, changed, restored] {
            names.sort();
        }
    }
}

fn differs(known: &SourceTool, tool: &SourceTool) -> bool {
    let text = |raw: &Option<Box<RawValue>>| raw.as_ref().map(|raw| raw.get().to_owned());
    known.state != tool.state
        || known.hash != tool.hash
        || known.definition.get() != tool.definition.get()
        || text(&known.accepted_definition) != text(&tool.accepted_definition)
        || tool.seen_at.0 - known.seen_at.0 >= SEEN_STEP_MS
}

#[cfg(test)]
mod tests;

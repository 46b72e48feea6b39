//! Where the eras meet: results and errors of a source of one era, for a caller of another.
//!
//! Inside Doorward messages have the shapes of 2026-07-28. What needs no change keeps its bytes.
//!
//! Tool calls are in [`call`], everything else that is relayed in [`relay`], errors in [`error`], what a
//! source asks in [`question`], how it is passed on and answered in [`round`], and what older revisions
//! do not know in [`content`]. Here is what all results have in common.

mod call;
mod content;
mod error;
mod question;
mod relay;
mod round;

use crate::{
    mcp::{Pieces, Raw, Revision, object::Object},
    model::Era,
};

pub use call::{call_end, error_result};
pub use error::{error_for, required_capabilities};
pub use question::{Ask, InputRequired, QUESTIONS_MAX, Question, QuestionError};
pub use relay::{UNKNOWN_TTL_MS, result_end};
pub use round::{
    Entry, answer_for_retry, answer_for_source, answers, entry, input_required_result, relayed_params,
    retry_params, url_entries, with_state, without_round,
};

const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// The type of a result that is one, as JSON.
const COMPLETE: &[u8] = b"\"complete\"";

/// How a request ended at its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// With a result.
    Complete {
        /// The whole answer for the caller.
        answer: Pieces,
        /// Whether the tool says that it failed.
        is_error: bool,
    },
    /// With questions; [`InputRequired`] reads them.
    InputRequired,
    /// With a task to be asked for later: a result of the tasks extension.
    Task,
    /// With something this revision does not know: the type of the result, or of JSON where it is no object.
    Other(String),
}

/// Returns what a result means that is not complete, if it says so. A legacy source means something of its own by that
/// member, if it has it.
fn unfinished(source: Revision, result: &Object<'_>, may_ask: bool) -> Option<CallEnd> {
    let said = result.member("resultType").filter(|said| *said != COMPLETE && source.era() == Era::Modern)?;
    let kind = std::str::from_utf8(said).ok().and_then(|said| Raw::checked(said).as_str());
    Some(match kind.as_deref().unwrap_or_default() {
        "input_required" if may_ask => CallEnd::InputRequired,
        "task" if may_ask => CallEnd::Task,
        kind => CallEnd::Other(kind.to_owned()),
    })
}

/// Says what a result is that is no object, which the protocol has it be in every revision.
fn no_object(result: &[u8]) -> CallEnd {
    let kind = match result.trim_ascii_start().first() {
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        _ => "number",
    };
    CallEnd::Other(kind.to_owned())
}

/// Takes the name of the source's program away, which a modern server tells with every result.
fn remove_server_info(result: &mut Object<'_>) {
    let Some(mut meta) = result.member("_meta").and_then(Object::of) else { return };
    if meta.member(SERVER_INFO).is_none() {
        return;
    }
    meta.remove(SERVER_INFO);
    if meta.is_left_empty() {
        result.remove("_meta");
    } else {
        result.set("_meta", meta.written());
    }
}

/// Returns a value of a checked text.
fn raw(value: &[u8]) -> Option<Raw<'_>> {
    std::str::from_utf8(value).ok().map(Raw::checked)
}

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

use std::borrow::Cow;

use bytes::Bytes;

use crate::{
    mcp::{Raw, Revision, edit, raw::ByteMembers, write},
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

/// How a request ended at its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// With a result.
    Complete {
        /// The whole answer for the caller.
        answer: Bytes,
        /// Whether the tool says that it failed.
        is_error: bool,
    },
    /// With questions; [`InputRequired`] reads them.
    InputRequired,
    /// With a task to be asked for later: a result of the tasks extension.
    Task,
    /// With something this revision does not know: the type of the result.
    Other(String),
}

/// What decides how a result is translated, seen in one walk over its members.
#[derive(Default)]
struct Survey<'a> {
    members: usize,
    result_type: Option<&'a [u8]>,
    is_error: bool,
    structured: Option<&'a [u8]>,
    has_meta: bool,
}

impl<'a> Survey<'a> {
    fn of(result: &'a [u8]) -> Self {
        let mut survey = Self::default();
        for member in ByteMembers::of(result) {
            survey.members += 1;
            if member.is("resultType") {
                survey.result_type = Some(member.value);
            } else if member.is("isError") {
                survey.is_error = member.value == b"true";
            } else if member.is("structuredContent") {
                survey.structured = Some(member.value);
            } else if member.is("_meta") {
                survey.has_meta = true;
            }
        }
        survey
    }

    /// Returns the type of a result that is not complete, as JSON. A legacy source means something of
    /// its own by that member, if it has it.
    fn asked(&self, source: Revision) -> Option<&'a [u8]> {
        self.result_type.filter(|said| *said != b"\"complete\"" && source.era() == Era::Modern)
    }

    /// Says whether legacy callers can read the structured content as it is: objects since 2025-06-18,
    /// which brought it.
    fn structured_suits(&self, caller: Revision, wraps_output: bool) -> bool {
        let is_known = caller >= Revision::V2025_06_18;
        self.structured.is_none_or(|structured| is_known && structured.starts_with(b"{") && !wraps_output)
    }
}

/// Returns what a type of result that is not `complete` means.
fn kind_of(said: &[u8], may_ask: bool) -> CallEnd {
    let kind = std::str::from_utf8(said).ok().and_then(|said| Raw::checked(said).as_str());
    match kind.as_deref().unwrap_or_default() {
        "input_required" if may_ask => CallEnd::InputRequired,
        "task" if may_ask => CallEnd::Task,
        kind => CallEnd::Other(kind.to_owned()),
    }
}

fn edited<'a>(id: Raw<'_>, result: &'a [u8], edit: impl FnOnce(Raw<'a>) -> Cow<'a, str>) -> Bytes {
    match std::str::from_utf8(result) {
        Ok(text) => write::response(id, edit(Raw::checked(text)).as_bytes()),
        // What is no text was never checked; nothing in it can be edited.
        Err(_) => write::response(id, result),
    }
}

fn without_server_info(text: Cow<'_, str>) -> Cow<'_, str> {
    let result = Raw::checked(&text);
    let Some(meta) = result.member("_meta").filter(|meta| meta.member(SERVER_INFO).is_some()) else {
        return text;
    };
    let meta = edit::remove_member(meta, SERVER_INFO);
    let edited = if Raw::checked(&meta).members().next().is_none() {
        edit::remove_member(result, "_meta")
    } else {
        edit::set_member(result, "_meta", &meta)
    };
    Cow::Owned(edited)
}

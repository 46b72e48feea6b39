//! Who waits for an answer, and what of a source's messages is for them.

use bytes::Bytes;

use crate::{
    mcp::{Capabilities, LogLevel, Raw, Revision, edit, headers::Accepts, notification, notifications},
    model::Era,
};

/// What the answer depends on at the caller's side.
#[derive(Debug)]
pub(super) struct Asker {
    /// The request's id as JSON.
    pub(super) id: Box<str>,
    pub(super) revision: Revision,
    pub(super) accepts: Accepts,
    /// The caller's progress token as JSON, if it wants to hear of progress.
    pub(super) progress_token: Option<Box<str>>,
    /// The least severe level of log messages the caller wants. A modern caller who names none wants
    /// none, a legacy one leaves it to the source.
    pub(super) log_level: Option<LogLevel>,
    /// What the caller can be asked.
    pub(super) capabilities: Capabilities,
}

impl Asker {
    pub(super) fn era(&self) -> Era {
        self.revision.era()
    }

    pub(super) fn id(&self) -> Raw<'_> {
        Raw::checked(&self.id)
    }

    /// Returns a notification as the caller gets it; `None` if it is not for the caller.
    pub(super) fn notification(&self, method: &str, params: &Bytes) -> Option<Bytes> {
        let params = Raw::checked(std::str::from_utf8(params).ok()?);
        match method {
            notifications::PROGRESS => {
                let token = self.progress_token.as_deref()?;
                let params = edit::set_member(params, "progressToken", token);
                Some(notification(method, params.as_bytes()))
            }
            notifications::MESSAGE => {
                let said = LogLevel::parse(&params.member("level")?.as_str()?)?;
                let is_wanted = match self.log_level {
                    Some(least) => said >= least,
                    None => self.era() == Era::Legacy,
                };
                is_wanted.then(|| notification(method, params.as_bytes()))
            }
            // A modern caller has no name for the page, and asks again when it wants to know.
            notifications::ELICITATION_COMPLETE if self.era() == Era::Legacy => {
                Some(notification(method, params.as_bytes()))
            }
            _ => None,
        }
    }
}

//! One live link to one source.

use crate::{
    model::EraVerdict,
    upstream::{Answer, Call, Listing, UpstreamError},
};

/// One live link to one source, shared by every call that goes there.
#[derive(Debug)]
pub struct Link {}

impl Link {
    /// Sends one call.
    pub async fn call(&self, call: Call) -> Result<Answer, UpstreamError> {
        let _ = call;
        todo!()
    }

    /// Lists every tool the source offers, page after page.
    pub async fn list_tools(&self) -> Result<Listing, UpstreamError> {
        todo!()
    }

    /// Returns what is known of the source's era; `None` before the first contact.
    pub fn verdict(&self) -> Option<EraVerdict> {
        todo!()
    }
}

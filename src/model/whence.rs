//! Where a request came from.

use std::net::IpAddr;

use uuid::Uuid;

/// Where a request came from, for the audit log. By default nobody said, as at the shell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whence {
    /// The caller's address.
    pub address: Option<IpAddr>,
    /// The request's id, as in the logs and in the answer's `x-request-id`.
    pub request: Option<Uuid>,
}

impl Whence {
    /// Returns the address as the audit log has it; empty if nobody said.
    pub fn address_text(&self) -> String {
        self.address.map_or_else(String::new, |address| address.to_string())
    }

    /// Returns the request's id as the audit log has it; empty if nobody said.
    pub fn request_text(&self) -> String {
        self.request.map_or_else(String::new, |id| id.simple().to_string())
    }
}

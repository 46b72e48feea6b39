//! The page behind an invitation's link: what is offered, by whom, and accepting it.
//!
//! The secret of the link travels in the query and in a cookie, which are never logged. The cookie lets
//! whoever signs in on the way, or makes an account by a login, come back to the invitation.

mod api;
pub(crate) mod inviting;
mod offered;
mod page;

pub(crate) use offered::invitee;
pub(crate) use page::page;

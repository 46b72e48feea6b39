//! One's own account: what it may use, the password, and the browsers signed in.

mod api;
mod page;

pub(crate) use page::page;

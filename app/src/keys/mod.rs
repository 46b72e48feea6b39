//! API keys: what agents and programs sign in with.

mod api;
mod page;

pub(crate) use page::page;

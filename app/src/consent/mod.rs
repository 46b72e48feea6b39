//! What a person is asked when an MCP client wants to use a preset in their name.

mod api;
mod page;

pub(crate) use page::page;

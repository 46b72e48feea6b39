//! MCP clients that a person let in.

mod api;
mod page;

pub(crate) use page::page;

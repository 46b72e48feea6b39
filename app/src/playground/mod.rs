//! The playground: calling a tool of a preset from the page, as an agent would.

mod api;
mod fields;
mod page;
mod runs;

pub(crate) use page::page;

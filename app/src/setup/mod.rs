//! The first minute: making the owner account from the link the program printed.

mod api;
mod page;

pub(crate) use page::page;

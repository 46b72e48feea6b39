//! The audit log: who did what, with which outcome.

mod live;
mod page;
mod query;
mod row;

pub use live::live_line;
pub(crate) use page::{event, page};
pub(crate) use row::{outcome, sentence};
